//! Any artefact lost at any moment: a run in which all goes well names its calls that change
//! something, and then for each moment between two of them, and for the time after the last, there
//! are runs in which somebody deletes or disables what is there by then. In all of them the ledger
//! and the status are true within two hours, what can be made again is there, and nothing is made
//! twice.
//!
//! A sample of these worlds is played, another for each commit; all of them if the variable
//! `AFTERIMAGE_LONG` is set.

mod flow;
mod loss;
mod truth;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::scene;
use flow::{FLOWS, Flow, Moment};
use loss::{LOSSES, Loss};
use truth::Verdict;

/// The worlds of a sample. They take some seconds.
const SAMPLE: usize = 10;

/// Fewer worlds would mean that the moments are not found.
const WORLDS_MIN: usize = 300;

/// One world: somebody loses something at a moment of a flow.
#[derive(Clone, Debug)]
struct World {
    flow: Flow,
    moment: Moment,
    loss: Loss,
}

/// The end of a world.
enum End {
    /// There was nothing to lose, or EC2 refused it.
    NoCase,
    Played(Verdict),
}

fn worlds() -> Vec<World> {
    let of_flow = |flow: Flow| {
        let moments = flow.moments().into_iter();
        moments
            .flat_map(move |moment| LOSSES.map(|loss| World { flow, moment: moment.clone(), loss }))
    };
    FLOWS.into_iter().flat_map(of_flow).collect()
}

fn play(world: &World) -> End {
    let World { flow, moment, loss } = world;
    scene::play_on(flow.stage(), async |scene| {
        flow.begin(&scene).await;
        scene.cloud.advance(moment.at.since(scene.cloud.now())).await;
        let lost = loss.happen(&scene).await;
        if lost.is_nothing() {
            return End::NoCase;
        }
        End::Played(truth::judge(&scene, *flow, &lost).await)
    })
}

/// Plays worlds on as many threads as there are processors, until so many were a case. Returns the
/// number of those, and what was wrong.
fn play_all(worlds: &[World], cases_max: usize) -> (usize, Vec<String>) {
    let (next, cases) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut wrong = Vec::new();
        while cases.load(Ordering::Relaxed) < cases_max
            && let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let End::Played(verdict) = play(world) else { continue };
            cases.fetch_add(1, Ordering::Relaxed);
            if !verdict.is_empty() {
                let World { flow, moment, loss } = world;
                wrong.push(format!("{flow:?}, {}, {loss}:\n{verdict}", moment.name));
            }
        }
        wrong
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let wrong = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no world panics")).collect()
    });
    (cases.into_inner(), wrong)
}

#[test]
fn whatever_is_lost_at_whatever_moment_is_told_truly_and_made_again_once() {
    let mut worlds = worlds();
    assert!(worlds.len() >= WORLDS_MIN, "only {} worlds", worlds.len());
    let cases_max = if scene::is_long() { usize::MAX } else { SAMPLE };
    let number = scene::commit_number();
    fastrand::Rng::with_seed(number).shuffle(&mut worlds);
    let (cases, wrong) = play_all(&worlds, cases_max);
    println!("{cases} cases of {} worlds, {} wrong", worlds.len(), wrong.len());
    assert!(cases >= SAMPLE, "only {cases} cases");
    let told = wrong.join("\n");
    assert!(wrong.is_empty(), "{} of {cases} cases of commit {number:x}\n{told}", wrong.len());
}
