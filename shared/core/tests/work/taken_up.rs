//! Points that ended without what is wanted, of machines that are still in the same stop.

use std::collections::BTreeMap;

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::taken_up::Ended;
use afterimage_core::flow::{InForce, reconcile_tick};
use afterimage_core::machine::Instance;
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, PointId};
use afterimage_core::status::Status;
use afterimage_core::work::Kind;

use crate::scene::{
    FRANKFURT, IRELAND, at, hours, imaged, place, region, requested, stopped, written,
};

/// The point when it is of the stop of its machine.
fn of_stop(mut point: Point) -> Point {
    point.slot.occasion = Occasion::Stopped { launched: stopped().instance.launched };
    point.id = PointId::of(&point.slot);
    point
}

/// A point whose replica in Ireland an earlier release gave up.
fn given_up() -> (Point, Replica) {
    let (point, replicas) = imaged();
    let mut point = of_stop(point);
    point.status = Status::Failed;
    point.reason = Some(Reason::new(Code::ReplicaFailed, "no replica in eu-west-1"));
    point.replicas.insert(region(IRELAND), Place::Failed);
    point.replicas.insert(region(FRANKFURT), Place::Available);
    let replica = replicas.into_iter().find(|replica| replica.region == region(IRELAND));
    let mut replica = replica.expect("a replica");
    replica.point = point.id.clone();
    replica.status = ReplicaStatus::Failed;
    replica.step.attempt = 7;
    (point, replica)
}

fn sweep(point: &Point, replicas: &[Replica], instance: Instance) -> Decision {
    let by_key =
        |replica: &Replica| ((replica.point.clone(), replica.region.clone()), replica.clone());
    let ended = Ended {
        points: [(point.id.clone(), point.clone())].into(),
        replicas: replicas.iter().map(by_key).collect(),
    };
    reconcile_tick::decide(&reconcile_tick::Input {
        now: at(hours(9)),
        in_force: InForce::default(),
        overdue: Vec::new(),
        went_back: Default::default(),
        gaps: Default::default(),
        stopped: vec![instance],
        summaries: BTreeMap::new(),
        tag_requests: Default::default(),
        waiting: Default::default(),
        ended,
        wanted_again: Default::default(),
        tagged: None,
    })
}

fn woken(decision: &Decision) -> Vec<Kind> {
    let kind = |command: &Command| match command {
        Command::Wake(wake) => Some(wake.queue.kind),
        _ => None,
    };
    decision.commands.iter().filter_map(kind).collect()
}

#[test]
fn replicas_that_an_earlier_release_gave_up_are_made_after_all() {
    let (point, replica) = given_up();
    let decision = sweep(&point, std::slice::from_ref(&replica), stopped().instance);
    let (points, replicas) = written(&decision);
    assert_eq!((points[0].status, points[0].reason.as_ref()), (Status::Imaged, None));
    assert_eq!(place(&points[0], IRELAND), Some(Place::Underway));
    assert_eq!(place(&points[0], FRANKFURT), Some(Place::Available));
    assert_eq!((replicas[0].status, replicas[0].step.attempt), (ReplicaStatus::Waiting, 8));
    assert_eq!((replicas[0].step.first, replicas[0].step.failures), (8, 0));
    assert_eq!(woken(&decision), [Kind::Copy]);
    points[0].check().expect("the point can be written");
    replicas[0].check().expect("the replica can be written");
}

#[test]
fn a_point_begins_again_only_in_the_same_stop_and_for_a_reason_that_can_go() {
    let ended = |status, code| {
        let reason = Some(Reason::new(code, "why"));
        let mut point = Point { status, reason, ..of_stop(requested()) };
        point.step.due_at = None;
        point
    };
    let cases = [
        (Status::Refused, Code::NoVolumes, true),
        (Status::Refused, Code::BilledByUsage, false),
        (Status::Failed, Code::TriesUsedUp, true),
        (Status::Failed, Code::NotRebuilt, true),
        (Status::Failed, Code::ImageDiffers, false),
        (Status::Failed, Code::CallRefused, false),
        (Status::Missed, Code::MachineGone, false),
    ];
    for (status, code, expected) in cases {
        let point = ended(status, code);
        let decision = sweep(&point, &[], stopped().instance);
        let (points, _) = written(&decision);
        assert_eq!(!points.is_empty(), expected, "{status} {code}");
        for after in points {
            assert_eq!((after.status, after.step.attempt), (Status::Requested, 1));
            assert_eq!(after.step.due_at, Some(at(hours(9))));
            assert_eq!(woken(&decision), [Kind::Snapshot]);
        }
        let started = Instance { launched: at(hours(8)), ..stopped().instance };
        assert_eq!(written(&sweep(&point, &[], started)).0, [], "another stop");
    }
    let (point, replica) = given_up();
    let started = Instance { launched: at(hours(8)), ..stopped().instance };
    assert_eq!(written(&sweep(&point, &[replica], started)).0, [], "another stop");
}
