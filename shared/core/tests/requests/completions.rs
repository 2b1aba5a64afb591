//! Snapshots and images that have changed their state: only what is waited for wakes anybody.

use afterimage_core::flow::{
    ImageStateChanged, InFlight, SnapshotsCompleted, image_state_changed, snapshots_completed,
};
use afterimage_core::observed::ImageState;
use afterimage_core::slot::PointId;

use crate::{at, check, region, resource};

fn waiting_for(artefacts: &[&str]) -> Vec<InFlight> {
    let in_flight = |artefact: &&str| InFlight {
        point: PointId::parse("gold-0aaaaaaaaaaaaaaa1-at-20260102T190000Z").expect("an id"),
        due_at: at("2026-01-02T19:05:00Z"),
        awaits: vec![resource("snap-0000000a"), resource(artefact)],
    };
    artefacts.iter().map(in_flight).collect()
}

#[test]
fn a_set_of_which_any_snapshot_is_waited_for_wakes_the_registrations() {
    let decide = |snapshots: &[&str], in_flight| {
        let snapshots = snapshots.iter().map(|id| id.to_string().try_into().expect("a snapshot"));
        let event =
            SnapshotsCompleted { region: region("eu-west-1"), snapshots: snapshots.collect() };
        snapshots_completed::decide(&snapshots_completed::Input { event, in_flight })
    };
    let set = ["snap-00000001", "snap-00000002"];
    check(
        &decide(&set, waiting_for(&["snap-00000003", "snap-00000002"])),
        &["> register eu-west-1"],
    );
    let not = ["- snap-00000001: no point in eu-west-1 waits for this snapshot (not-in-flight)"];
    check(&decide(&set, waiting_for(&["snap-00000003"])), &not);
    check(&decide(&set, Vec::new()), &not);
    check(&decide(&[], waiting_for(&["snap-00000003"])), &[]);
}

#[test]
fn an_image_that_is_waited_for_and_has_settled_wakes_whoever_confirms() {
    let decide = |state, in_flight| {
        let image = "ami-00000001".to_string().try_into().expect("an image");
        let event = ImageStateChanged { region: region("eu-west-1"), image, state };
        image_state_changed::decide(&image_state_changed::Input {
            now: at("2026-01-02T19:05:00Z"),
            event,
            in_flight,
            suspects: Vec::new(),
        })
    };
    use ImageState::{Available, Deregistered, Disabled, Failed, Other, Pending};
    for state in [Available, Failed, Disabled, Deregistered] {
        check(&decide(state, waiting_for(&["ami-00000001"])), &["> confirm eu-west-1"]);
        check(
            &decide(state, waiting_for(&["ami-00000002"])),
            &["- ami-00000001: no point or replica in eu-west-1 waits for this image \
                 (not-in-flight)"],
        );
    }
    for state in [Pending, Other] {
        check(&decide(state, waiting_for(&["ami-00000001"])), &[]);
    }
}
