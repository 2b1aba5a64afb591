//! The sweep: workers of what is overdue, and how often it looks through everything.

use std::collections::BTreeMap;

use afterimage_core::flow::InForce;
use afterimage_core::flow::artefact_audit::Tagged;
use afterimage_core::flow::reconcile_tick::{Input, decide, is_time_to_look};
use afterimage_core::flow::waiting::Waiting;
use afterimage_core::machine::State;
use afterimage_core::work::{Kind, Queue};

use crate::{at, check, in_force, machine, region};

fn queue(place: &str, kind: Kind) -> Queue {
    Queue { region: region(place), kind }
}

/// A sweep that finds nothing.
fn quiet() -> Input {
    Input {
        now: at("2026-01-06T20:00:05Z"),
        went_back: Default::default(),
        in_force: InForce::default(),
        overdue: Vec::new(),
        stopped: Vec::new(),
        summaries: BTreeMap::new(),
        tag_requests: Default::default(),
        waiting: Waiting::default(),
        tagged: None,
        ended: Default::default(),
    }
}

#[test]
fn a_sweep_that_finds_nothing_does_nothing() {
    check(&decide(&quiet()), &[]);
}

#[test]
fn the_worker_of_each_queue_in_which_something_is_overdue_is_woken_once() {
    let (copy, confirm) = (queue("eu-west-1", Kind::Copy), queue("eu-west-1", Kind::Confirm));
    let overdue = vec![copy.clone(), confirm, copy];
    check(
        &decide(&Input { overdue, ..quiet() }),
        &[
            "> confirm eu-west-1",
            "> copy eu-west-1",
            "- confirm eu-west-1: work is due, and no worker is at it (overdue)",
            "- copy eu-west-1: work is due, and no worker is at it (overdue)",
        ],
    );
}

#[test]
fn a_worker_is_woken_once_and_after_what_it_is_to_find() {
    let gold = "policies: {gold: {select: {regions: [us-east-1], tags: {backup: gold}}, \
                triggers: [{on: stopped}]}}";
    let overdue = vec![queue("us-east-1", Kind::Snapshot), queue("us-east-1", Kind::Register)];
    let stopped = vec![machine(1, "us-east-1", State::Stopped)];
    let decision = decide(&Input { in_force: in_force(gold), overdue, stopped, ..quiet() });
    check(
        &decision,
        &[
            "> register us-east-1",
            "~ gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: new -> requested, \
             due 2026-01-06T20:00:05Z [latest, stop]",
            "> snapshot us-east-1",
            "- snapshot us-east-1: work is due, and no worker is at it (overdue)",
            "- register us-east-1: work is due, and no worker is at it (overdue)",
            "- gold-0aaaaaaaaaaaaaaa1-run-20260105T080000Z: i-0aaaaaaaaaaaaaaa1 stopped; it was \
             launched at 2026-01-05T08:00:00Z (machine-stopped)",
        ],
    );
}

#[test]
fn everything_is_looked_through_once_an_hour() {
    let last =
        |looked_at: Option<&str>| InForce { looked_at: looked_at.map(at), ..InForce::default() };
    let now = at("2026-01-06T20:00:05Z");
    let table = [
        (None, true),
        (Some("2026-01-06T19:00:05Z"), true),
        (Some("2026-01-06T19:00:06Z"), false),
        (Some("2026-01-06T20:01:00Z"), false),
    ];
    for (looked_at, expected) in table {
        assert_eq!(is_time_to_look(&last(looked_at), now), expected, "{looked_at:?}");
    }
    let tagged = Some(Tagged::default());
    check(&decide(&Input { tagged, ..quiet() }), &["= looked at 2026-01-06T20:00:05Z"]);
}
