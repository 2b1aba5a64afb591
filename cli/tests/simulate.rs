//! `afterimage simulate`: a sample of the worlds in `docs/simulation.md`, another for each commit.
//! All seeds of the pool if the variable `AFTERIMAGE_LONG` is set.

use std::time::{Duration, Instant};

use afterimage::simulate::{World, play};

/// Seeds from which the sample is drawn: `docs/simulation.md` tells what became of each of them.
const POOL: std::ops::RangeInclusive<u64> = 1..=200;

/// Seeds of the pool that break a promise, as `docs/simulation.md` names them, and nothing else.
const LEFT: &[u64] = &[];

/// Time after which no other world is begun.
const TIME_MAX: Duration = Duration::from_secs(45);

/// Seeds that are played twice.
const TWICE: usize = 2;

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the sample is as large as the time allows")]
    Instant::now()
}

#[test]
fn no_world_of_the_sample_breaks_a_promise() {
    let begin = now();
    let commit = afterimage_support::commit_number();
    let mut seeds: Vec<u64> = POOL.filter(|seed| !LEFT.contains(seed)).collect();
    fastrand::Rng::with_seed(commit).shuffle(&mut seeds);
    let mut broken = Vec::new();
    let mut worlds = 0;
    for seed in seeds {
        if begin.elapsed() > TIME_MAX && !afterimage_support::is_long() {
            break;
        }
        let played = play(&World::of(seed)).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        worlds += 1;
        if let Some(violation) = played.violation {
            let again = format!("afterimage simulate --seed {seed}");
            broken.push(format!("{}\n  {violation}\n  again: {again}", violation.promise.text()));
        }
    }
    println!("{worlds} worlds of commit {commit:x}");
    assert!(worlds > 0, "not one world in {TIME_MAX:?}");
    assert!(broken.is_empty(), "{} of {worlds} worlds\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_world_is_always_played_in_the_same_way() {
    let mut seeds: Vec<u64> = POOL.collect();
    fastrand::Rng::with_seed(afterimage_support::commit_number()).shuffle(&mut seeds);
    // Short worlds do.
    let short = |seed: &u64| World::of(*seed).span <= 24 * 60;
    for seed in seeds.into_iter().filter(short).take(TWICE) {
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
