//! `afterimage simulate`: worlds that no commit before has played, as many as the time allows. Two
//! hundred of them if the variable `AFTERIMAGE_LONG` is set.

use std::time::{Duration, Instant};

use afterimage::simulate::{World, play};

/// Seeds from which each commit takes some in a row.
const SEEDS: u64 = 1_000_000;

/// Number of worlds of the long test.
const LONG: usize = 200;

/// Seeds that break a promise, as `docs/simulation.md` names them. No other seed is left out.
const LEFT: [u64; 0] = [];

/// Time after which no other world is begun.
const TIME_MAX: Duration = Duration::from_secs(45);

/// Seeds that are played twice.
const TWICE: usize = 2;

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the sample is as large as the time allows")]
    Instant::now()
}

/// The first seed of this commit.
fn first_seed() -> u64 {
    afterimage_support::commit_number() % SEEDS
}

#[test]
fn no_world_of_the_sample_breaks_a_promise() {
    let begin = now();
    let is_over = |worlds: usize| match afterimage_support::is_long() {
        true => worlds >= LONG,
        false => begin.elapsed() > TIME_MAX,
    };
    let first = first_seed();
    let mut broken = Vec::new();
    let mut worlds = 0;
    for seed in (first..).filter(|seed| !LEFT.contains(seed)) {
        if is_over(worlds) {
            break;
        }
        let played = play(&World::of(seed)).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        worlds += 1;
        if let Some(violation) = played.violation {
            let again = format!("afterimage simulate --seed {seed}");
            broken.push(format!("{}\n  {violation}\n  again: {again}", violation.promise.text()));
        }
    }
    println!("{worlds} worlds from seed {first} on");
    assert!(worlds > 0, "not one world in {TIME_MAX:?}");
    assert!(broken.is_empty(), "{} of {worlds} worlds\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_world_is_always_played_in_the_same_way() {
    // Short worlds do.
    let short = |seed: &u64| World::of(*seed).span <= 12 * 60;
    for seed in (first_seed()..).filter(short).take(TWICE) {
        let [first, second] = [(); 2].map(|()| play(&World::of(seed)).expect("it is played").hash);
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn every_seed_left_is_named_in_the_document() {
    let document = include_str!("../../docs/simulation.md");
    for seed in LEFT {
        assert!(document.contains(&format!("| {seed} |")), "seed {seed} has no row");
    }
}
