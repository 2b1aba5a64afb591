//! One real sample of every event, and the forms of it that AWS is known to send too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use afterimage_aws::decode;
use afterimage_core::flow::{
    ImageStateChanged, InstanceStateChanged, InstanceTagged, SnapshotsCompleted, WorkRequested,
};
use afterimage_core::ids::{AmiId, InstanceId, Region, SnapshotId};
use afterimage_core::machine::State;
use afterimage_core::observed::ImageState;
use afterimage_core::work::{Kind, Queue};
use serde_json::{Value, json};

use super::{SAMPLES, environment, sample};

fn region() -> Region {
    Region::parse("us-east-1").expect("it is a region")
}

fn snapshot(id: &str) -> SnapshotId {
    SnapshotId::parse(id).expect("it is an id")
}

#[test]
fn every_sample_has_the_name_of_its_function() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let files = fs::read_dir(folder)
        .expect("there are events")
        .map(|file| file.expect("it can be read").file_name().to_string_lossy().into_owned());
    let names: BTreeSet<String> =
        files.filter_map(|file| file.strip_suffix(".json").map(str::to_string)).collect();
    let known = SAMPLES.iter().map(|(name, _)| (*name).to_string());
    assert_eq!(names, known.collect::<BTreeSet<_>>());
}

#[test]
fn ticks_are_ticks() {
    decode::backup_tick(&sample("backup-tick"), &environment()).expect("it is a tick");
    decode::reconcile_tick(&sample("reconcile-tick"), &environment()).expect("it is a tick");
}

#[test]
fn a_machine_that_stopped_is_named() {
    let event = decode::instance_state_changed(&sample("instance-state-changed"), &environment());
    let instance = InstanceId::parse("i-0123456789abcdef0").expect("it is an id");
    assert_eq!(
        event,
        Ok(InstanceStateChanged { region: region(), instance, state: State::Stopped })
    );
}

#[test]
fn a_machine_that_carries_a_request_is_named_by_its_arn() {
    let event = decode::instance_tagged(&sample("instance-tagged"), &environment());
    let instance = InstanceId::parse("i-0123456789abcdef0").expect("it is an id");
    assert_eq!(event, Ok(InstanceTagged { region: region(), instance }));
}

#[test]
fn every_state_of_a_machine_is_known() {
    for (text, state) in [
        ("pending", State::Pending),
        ("running", State::Running),
        ("stopping", State::Stopping),
        ("stopped", State::Stopped),
        ("shutting-down", State::ShuttingDown),
        ("terminated", State::Terminated),
    ] {
        let mut event = sample("instance-state-changed");
        event["detail"]["state"] = json!(text);
        let event = decode::instance_state_changed(&event, &environment());
        assert_eq!(event.map(|event| event.state), Ok(state), "{text}");
    }
}

#[test]
fn work_is_in_a_queue() {
    let event = decode::work_requested(&sample("work-requested"), &environment());
    let queue = Queue { region: region(), kind: Kind::Snapshot };
    assert_eq!(event, Ok(WorkRequested { queue, hop: 0 }));
}

#[test]
fn work_of_every_kind_may_be_asked_for_and_the_hop_may_be_left_out() {
    for (text, kind) in [
        ("snapshot", Kind::Snapshot),
        ("register", Kind::Register),
        ("confirm", Kind::Confirm),
        ("copy", Kind::Copy),
    ] {
        let mut event = sample("work-requested");
        event["detail"] = json!({"region": "eu-west-1", "kind": text});
        let event = decode::work_requested(&event, &environment()).expect("it is work");
        assert_eq!((event.queue.kind, event.hop), (kind, 0));
        assert_eq!(event.queue.region.as_str(), "eu-west-1");
    }
}

#[test]
fn a_set_of_snapshots_is_told_by_the_ids_in_its_arns() {
    let event = decode::snapshots_completed(&sample("snapshots-completed"), &environment());
    let snapshots = vec![snapshot("snap-0123456789abcdef0"), snapshot("snap-0123456789abcdef1")];
    assert_eq!(event, Ok(SnapshotsCompleted { region: region(), snapshots }));
}

/// EBS guide, EBS events: the event of a single snapshot, whose ARN has the region in the place of
/// the account, and whose times are spelt in two ways.
fn single(arn: &str) -> Value {
    json!({
        "version": "0",
        "id": "01234567-0123-0123-0123-012345678901",
        "detail-type": "EBS Snapshot Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "yyyy-mm-ddThh:mm:ssZ",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {
            "event": "createSnapshot",
            "result": "succeeded",
            "cause": "",
            "request-id": "",
            "snapshot_id": arn,
            "source": "arn:aws:ec2::us-west-2:volume/vol-01234567",
            "StartTime": "yyyy-mm-ddThh:mm:ssZ",
            "endTime": "2021-05-45T15:30:00Z"
        }
    })
}

#[test]
fn a_single_snapshot_is_told_by_its_arn_in_whatever_form() {
    for arn in [
        "arn:aws:ec2::us-west-2:snapshot/snap-01234567",
        "arn:aws:ec2:us-east-1::snapshot/snap-01234567",
        "arn:aws:ec2:us-east-1:123456789012:snapshot/snap-01234567",
        "snap-01234567",
    ] {
        let event = decode::snapshots_completed(&single(arn), &environment());
        let snapshots = vec![snapshot("snap-01234567")];
        assert_eq!(event, Ok(SnapshotsCompleted { region: region(), snapshots }), "{arn}");
    }
}

#[test]
fn a_set_that_failed_is_told_of_too() {
    let mut event = sample("snapshots-completed");
    event["detail"]["result"] = json!("failed");
    event["detail"]["cause"] = json!("Snapshot snap-0123456789abcdef0 is in status error");
    let event = decode::snapshots_completed(&event, &environment()).expect("somebody must look");
    assert_eq!(event.snapshots.len(), 2);
}

#[test]
fn an_image_that_changed_is_named_with_every_state() {
    for (text, state) in [
        ("available", ImageState::Available),
        ("failed", ImageState::Failed),
        ("disabled", ImageState::Disabled),
        ("deregistered", ImageState::Deregistered),
    ] {
        let mut event = sample("image-state-changed");
        event["detail"]["State"] = json!(text);
        let image = AmiId::parse("ami-0123456789abcdef0").expect("it is an id");
        let event = decode::image_state_changed(&event, &environment());
        assert_eq!(event, Ok(ImageStateChanged { region: region(), image, state }), "{text}");
    }
}

#[test]
fn an_event_comes_from_where_it_began_wherever_it_was_forwarded_to() {
    let mut event = sample("image-state-changed");
    event["region"] = json!("eu-central-1");
    let event = decode::image_state_changed(&event, &environment()).expect("it is of this account");
    assert_eq!(event.region.as_str(), "eu-central-1");
}
