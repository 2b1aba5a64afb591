//! EC2 takes fifty tags: which are on an artefact when more want to be.

use std::collections::BTreeSet;

use afterimage_core::point::Point;
use afterimage_core::reason::Code;
use afterimage_core::tags::read::Label;
use afterimage_core::tags::write::tags_left_out;
use afterimage_core::tags::write::{image_tags, snapshot_tags};
use proptest::prelude::*;

use crate::scene::{Tags, machine, point, point_of};

fn numbered(prefix: &str, count: usize) -> Tags {
    (0..count).map(|number| (format!("{prefix}{number:02}"), "x".to_string())).collect()
}

fn point_with(own: Tags, policys: Tags) -> Point {
    let mut point = point(1);
    point.plan.tags = policys;
    if let Some(machine) = &mut point.machine {
        machine.instance.tags = own;
    }
    point
}

fn is_ours(key: &str) -> bool {
    key.starts_with("afterimage:")
}

/// The tags that ours leave room for: ten of every artefact, its machine, and one more.
const ROOM: usize = 50 - 12;

#[test]
fn the_machines_tags_give_way_first_its_name_last_of_them() {
    let mut own = numbered("own-", 40);
    own.insert("Name".into(), "web".into());
    let point = point_with(own, numbered("policy-", 10));
    for tags in [snapshot_tags(&point, 0), image_tags(&point, 0)] {
        assert_eq!(tags.len(), 50);
        let with = |prefix: &str| tags.keys().filter(|key| key.starts_with(prefix)).count();
        assert_eq!(with("policy-"), 10);
        assert_eq!(tags["Name"], "web", "before all that are copied");
        assert_eq!(with("own-"), ROOM - 11);
        assert!(tags.contains_key("own-00"), "by their keys");
        assert!(!tags.contains_key("own-39"));
    }
}

#[test]
fn the_policys_tags_give_way_to_ours() {
    let mut own = Tags::new();
    own.insert("Name".into(), "web".into());
    let tags = snapshot_tags(&point_with(own, numbered("policy-", 60)), 0);
    assert_eq!(tags.len(), 50);
    assert!(Label::read(&tags).is_ok(), "ours are all there");
    assert!(!tags.contains_key("Name"));
}

#[test]
fn what_gave_way_is_told_by_name() {
    let point = point_with(numbered("own-", ROOM + 1), Tags::new());
    let told = tags_left_out(&point).expect("one did not fit");
    assert_eq!(told.code, Code::TagsLeftOut);
    assert!(told.text.ends_with("left out: own-38"), "{told}");
    let many = tags_left_out(&point_with(numbered("own-", ROOM + 9), Tags::new()));
    let many = many.expect("nine did not fit");
    assert!(many.text.ends_with("own-42, 4 more"), "{many}");
    assert_eq!(tags_left_out(&point_with(numbered("own-", ROOM), Tags::new())), None);
}

#[test]
fn what_the_policy_says_goes_before_what_the_machine_says_of_the_same() {
    let pair = |value: &str| Tags::from([("env".to_string(), value.to_string())]);
    let point = point_with(pair("prod"), pair("backup"));
    assert_eq!(image_tags(&point, 0)["env"], "backup");
    assert_eq!(tags_left_out(&point), None, "nothing had to give way");
}

#[test]
fn nothing_is_copied_unless_the_policy_copies() {
    let mut point = point_with(numbered("own-", 60), Tags::new());
    point.plan.copy_tags = false;
    assert!(snapshot_tags(&point, 0).keys().all(|key| is_ours(key)));
    assert_eq!(tags_left_out(&point), None);
}

fn tags() -> impl Strategy<Value = Tags> {
    let prefix = prop_oneof![
        4 => Just(""),
        1 => Just("aws:"),
        1 => Just("AWS:"),
        1 => Just("afterimage:"),
        1 => Just("Afterimage:"),
    ];
    let key = (prefix, "[a-zA-Z:/ü]{1,4}|Name|.{120,140}");
    let key = key.prop_map(|(prefix, rest)| format!("{prefix}{rest}"));
    prop::collection::btree_map(key, ".{0,8}|.{250,260}", 0..70)
}

proptest! {
    #[test]
    fn ours_are_all_there_and_nothing_that_ec2_refuses(
        own in tags(),
        policys in tags(),
        devices in 1_usize..128,
    ) {
        let bare = point_of(machine(devices), point(1).slot.occasion);
        let mut full = bare.clone();
        full.plan.tags = policys.clone();
        if let Some(machine) = &mut full.machine {
            machine.instance.tags = own.clone();
        }
        let mut nothing_else = bare;
        nothing_else.plan.copy_tags = false;
        nothing_else.plan.tags = Tags::new();
        for make in [snapshot_tags, image_tags] {
            let made = make(&full, 7);
            prop_assert!(made.len() <= 50);
            prop_assert_eq!(&made, &make(&full, 7));
            for (key, value) in make(&nothing_else, 7) {
                prop_assert_eq!(made.get(&key), Some(&value));
            }
            let ours: BTreeSet<String> = make(&nothing_else, 7).into_keys().collect();
            for (key, value) in &made {
                prop_assert!((1..=128).contains(&key.chars().count()), "{}", key);
                prop_assert!(value.chars().count() <= 256, "{}", value);
                let lower = key.to_lowercase();
                let is_reserved = lower.starts_with("aws:") || lower.starts_with("afterimage:");
                prop_assert!(!is_reserved || ours.contains(key), "{}", key);
                let from = policys.get(key).or_else(|| own.get(key));
                prop_assert!(ours.contains(key) || from == Some(value), "{}", key);
            }
            // Room is never left while something that fits is left out.
            if made.len() < 50 {
                for (key, value) in policys.iter().chain(&own) {
                    let lower = key.to_lowercase();
                    let is_reserved = lower.starts_with("aws:") || lower.starts_with("afterimage:");
                    let fits = key.chars().count() <= 128 && value.chars().count() <= 256;
                    let is_outdone = policys.contains_key(key) && policys.get(key) != Some(value);
                    let there = made.contains_key(key);
                    prop_assert!(is_reserved || !fits || is_outdone || there, "{}", key);
                }
            }
        }
        let label = Label::read(&snapshot_tags(&full, 7));
        prop_assert_eq!(label.map(|label| label.devices.len()), Ok(devices));
    }
}
