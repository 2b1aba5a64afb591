//! What the tags of an artefact say is what its point knew when they were made.

use afterimage_core::machine::{Grade, State};
use afterimage_core::point::{Chosen, Point};
use afterimage_core::policy::{Artefact, Consistency, Method};
use afterimage_core::slot::Occasion;
use afterimage_core::tags::read::Label;
use afterimage_core::tags::write::{image_tags, snapshot_tags};

use crate::scene::{instant, machine, point, point_of, region, tags, volume};

fn label(point: &Point) -> Label {
    Label::read(&snapshot_tags(point, 3)).expect("what we write can be read")
}

#[test]
fn snapshots_say_all_that_the_ledger_would() {
    let point = point(2);
    let expected = tags(&[
        ("afterimage:by", "afterimage"),
        ("afterimage:point", "gold-0123456789abcdef0-at-20260101T001500Z"),
        ("afterimage:policy", "gold"),
        ("afterimage:slot", "at 2026-01-01T00:15:00Z"),
        ("afterimage:source", "i-0123456789abcdef0"),
        ("afterimage:lineage", "us-east-1/i-0123456789abcdef0"),
        ("afterimage:grade", "crash"),
        ("afterimage:attempt", "3"),
        ("afterimage:requested", "2026-01-01T00:15:03.456Z"),
        ("afterimage:machine", "t3.micro running 2026-01-01T00:00:40.123Z ami-00000900"),
        ("afterimage:format", "1"),
        ("afterimage:devices-1", "/dev/sd00=vol-00000000000000000 /dev/sd01=vol-00000000000000001"),
        ("Name", "web"),
        ("env", "prod"),
        ("team", "platform"),
    ]);
    assert_eq!(snapshot_tags(&point, 3), expected);
    let label = label(&point);
    assert_eq!(label.point, point.id);
    assert_eq!(label.slot, point.slot);
    assert_eq!(label.home, region("us-east-1"));
    assert_eq!((label.attempt, label.grade), (3, Grade::Crash));
    assert_eq!(label.requested_at, point.requested_at);
    assert_eq!(label.kind, Artefact::Image);
    assert_eq!(label.machine.launched, instant("2026-01-01T00:00:40.123Z"));
    assert_eq!(label.machine.instance_type, "t3.micro");
    assert_eq!(label.devices["/dev/sd01"], volume(1));
    assert_eq!(label.devices.len(), 2);
    assert_eq!(label.others, tags(&[("Name", "web"), ("env", "prod"), ("team", "platform")]));
}

#[test]
fn an_image_says_where_its_replicas_are_to_be_and_nothing_of_devices() {
    let made = image_tags(&point(2), 0);
    assert_eq!(made["afterimage:replicas-1"], "eu-west-1 eu-central-1");
    let label = Label::read(&made).expect("what we write can be read");
    assert_eq!(label.replicas, [region("eu-west-1"), region("eu-central-1")]);
    assert!(label.devices.is_empty());
}

#[test]
fn every_occasion_is_read_as_it_was_written() {
    let launched = instant("2025-12-31T23:59:59.999Z");
    let occasions = [
        Occasion::Scheduled(instant("2026-01-01T00:15:00Z")),
        Occasion::Stopped { launched },
        Occasion::OnDemand { ordinal: 12 },
    ];
    for occasion in occasions {
        let point = point_of(machine(1), occasion.clone());
        assert_eq!(label(&point).slot.occasion, occasion);
    }
}

#[test]
fn what_a_machine_was_is_read_as_it_was_written() {
    let mut hibernated = machine(1);
    hibernated.instance.state = State::Stopped;
    hibernated.instance.hibernated = true;
    hibernated.instance.spot = true;
    hibernated.instance.instance_type = String::new();
    let label = label(&point_of(hibernated, Occasion::OnDemand { ordinal: 1 }));
    assert_eq!(label.machine.state, State::Stopped);
    assert!(label.machine.hibernated && label.machine.spot);
    assert_eq!(label.machine.instance_type, "");
    assert_eq!(label.grade, Grade::Crash, "its memory is on its disk");
}

#[test]
fn the_grade_is_that_of_the_point_or_the_one_that_is_expected() {
    let mut stopped = point(1);
    if let Some(machine) = &mut stopped.machine {
        machine.instance.state = State::Stopped;
    }
    assert_eq!(label(&stopped).grade, Grade::AtRest);
    let seen = Point { grade: Some(Grade::Crash), ..stopped };
    assert_eq!(label(&seen).grade, Grade::Crash, "what was seen goes before what was expected");
    let mut rebooted = point(1);
    rebooted.plan.consistency = Consistency::Reboot;
    rebooted.method = Some(Chosen { method: Method::CreateImage, why: "it reboots".into() });
    assert_eq!(label(&rebooted).grade, Grade::Reboot);
}

#[test]
fn snapshots_only_are_told_apart() {
    let mut point = point(1);
    point.plan.kind = Artefact::Snapshots;
    assert_eq!(snapshot_tags(&point, 0)["afterimage:kind"], "snapshots");
    assert_eq!(label(&point).kind, Artefact::Snapshots);
}

#[test]
fn a_tag_that_is_missing_wrong_or_contradicted_is_told() {
    let good = snapshot_tags(&point(1), 0);
    let other = "gold-0123456789abcdef0-at-20260101T001600Z";
    let changes: [(&str, Option<&str>); 13] = [
        ("afterimage:format", Some("2")),
        ("afterimage:by", None),
        ("afterimage:point", Some(other)),
        ("afterimage:policy", Some("silver")),
        ("afterimage:slot", Some("at 2026-01-01T00:16:00Z")),
        ("afterimage:slot", Some("once")),
        ("afterimage:source", Some("i-0123456789abcdef1")),
        ("afterimage:lineage", Some("us-east-1/i-0123456789abcdef1")),
        ("afterimage:lineage", Some("mars/i-0123456789abcdef0")),
        ("afterimage:grade", Some("best")),
        ("afterimage:attempt", Some("-1")),
        ("afterimage:machine", Some("t3.micro asleep 2026-01-01T00:00:00Z ami-00000900")),
        ("afterimage:devices-1", Some("/dev/sda1=i-0123456789abcdef0")),
    ];
    assert!(Label::read(&good).is_ok());
    for (key, value) in changes {
        let mut tags = good.clone();
        match value {
            Some(value) => drop(tags.insert(key.to_string(), value.to_string())),
            None => drop(tags.remove(key)),
        }
        assert!(Label::read(&tags).is_err(), "{key} {value:?}");
    }
}
