//! Whatever is done to an event, it is understood or said to be of no use; nothing panics.

use afterimage_aws::decode::Unusable;
use serde_json::{Value, json};

use super::{SAMPLES, decoded, sample};

/// A sequence that is the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let sides = u64::try_from(sides.max(1)).expect("few sides");
        usize::try_from((mixed ^ (mixed >> 31)) % sides).expect("below the sides")
    }
}

/// Something that has no business where it is put.
fn odd(dice: &mut Dice) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5e300),
        json!(""),
        json!("/"),
        json!("\u{0}"),
        json!("i-\u{1f4be}"),
        json!("snap-"),
        json!("arn:aws:ec2::us-east-1:snapshot/"),
        json!("x".repeat(70_000)),
        json!([]),
        json!([[[[]]]]),
        json!({}),
        json!({"event": {"event": {}}}),
    ];
    values[dice.roll(values.len())].clone()
}

/// Changes one place somewhere in a value.
fn mutate(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(members) if !members.is_empty() && dice.roll(4) > 0 => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let key = &keys[dice.roll(keys.len())];
            match dice.roll(6) {
                0 => {
                    members.remove(key);
                }
                1 => {
                    let moved = members.remove(key).expect("it was there");
                    members.insert(key.to_uppercase(), moved);
                }
                _ => mutate(members.get_mut(key).expect("it is there"), dice),
            }
        }
        Value::Array(items) if !items.is_empty() && dice.roll(4) > 0 => {
            let at = dice.roll(items.len());
            match dice.roll(4) {
                0 => {
                    items.remove(at);
                }
                1 => items.push(items[at].clone()),
                _ => mutate(&mut items[at], dice),
            }
        }
        Value::String(text) if dice.roll(2) > 0 => {
            let mut chars: Vec<char> = text.chars().collect();
            let at = dice.roll(chars.len() + 1);
            match dice.roll(3) {
                0 => chars.truncate(at),
                1 => chars.insert(at, ['/', '-', 'Z', '\u{e9}', ' '][dice.roll(5)]),
                _ => chars.reverse(),
            }
            *text = chars.into_iter().collect();
        }
        value => *value = odd(dice),
    }
}

#[test]
fn no_event_is_too_strange() {
    let mut dice = Dice(1);
    let (mut understood, mut of_no_use) = (0, 0);
    for round in 0..2_000 {
        let (name, _) = SAMPLES[round % SAMPLES.len()];
        let mut event = sample(name);
        for _ in 0..=dice.roll(3) {
            mutate(&mut event, &mut dice);
        }
        match decoded(name, &event) {
            Ok(_) => understood += 1,
            Err(unusable) => {
                assert!(Unusable::CODES.contains(&unusable.code), "{unusable:?}");
                assert!(unusable.to_string().len() < 2_000, "{} {round}", unusable.code);
                of_no_use += 1;
            }
        }
    }
    // Both happen, so that neither answer is one that is always given.
    assert!(understood > 200 && of_no_use > 200, "{understood} {of_no_use}");
}
