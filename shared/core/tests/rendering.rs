//! A decision as an operator reads it: the lines of the commands that create something.

#[path = "support/render.rs"]
mod render;

use std::collections::BTreeMap;

use afterimage_core::call::register_image::Device;
use afterimage_core::call::{CopyImage, CreateImage, CreateSnapshots, Intent, RegisterImage};
use afterimage_core::command::{Change, Command, Decision, Wake, Write};
use afterimage_core::ids::ResourceId;
use afterimage_core::point::{Plan, Point, Replica, ReplicaStatus};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::status::Status;
use afterimage_core::work::{Kind, Queue};

fn id<T: TryFrom<String, Error: std::fmt::Debug>>(text: &str) -> T {
    text.to_string().try_into().expect("an id")
}

fn point(status: Status) -> Point {
    let now = "2026-01-06T19:00:10Z".parse().expect("an instant");
    let occasion = Occasion::Scheduled("2026-01-06T19:00:00Z".parse().expect("an instant"));
    let slot = Slot { policy: id("gold"), instance: id("i-0aaaaaaa"), occasion };
    let point = Point::requested(slot, id("us-east-1"), Plan::default(), now);
    Point { status, ..point }
}

fn queue(region: &str, kind: Kind) -> Queue {
    Queue { region: id(region), kind }
}

fn check(command: Command, expected: &str) {
    let decision = Decision { commands: vec![command], explanations: Vec::new() };
    assert_eq!(render::render(&decision), format!("{expected}\n"));
}

#[test]
fn a_set_of_snapshots_is_created_under_its_intent() {
    let mut begun = point(Status::Snapshotting);
    begun.step.attempt = 2;
    begun.step.failures = 1;
    let call = CreateSnapshots {
        region: id("us-east-1"),
        instance: id("i-0aaaaaaa"),
        description: "a set".into(),
        without: vec![id("vol-0ddddddd")],
        without_root: true,
        tags: BTreeMap::new(),
    };
    check(
        Command::Call(Box::new(Intent::new(Change::point(begun), call.into()))),
        "+ us-east-1: snapshots of i-0aaaaaaa without its root without vol-0ddddddd; \
         gold-0aaaaaaa-at-20260106T190000Z: snapshotting, attempt 2, failures 1, \
         due 2026-01-06T19:00:10Z",
    );
}

#[test]
fn an_image_is_created_of_a_machine() {
    let call = CreateImage {
        region: id("us-east-1"),
        instance: id("i-0aaaaaaa"),
        name: "NAME-0".into(),
        description: "an image".into(),
        reboot: true,
        without: vec!["/dev/sdh".into()],
        tags: BTreeMap::new(),
        snapshot_tags: BTreeMap::new(),
    };
    let change = Change::point(point(Status::Creating));
    check(
        Command::Call(Box::new(Intent::new(change, call.into()))),
        "+ us-east-1: image NAME-0 of i-0aaaaaaa without /dev/sdh, rebooting it; \
         gold-0aaaaaaa-at-20260106T190000Z: creating, due 2026-01-06T19:00:10Z",
    );
}

#[test]
fn an_image_is_registered_from_its_devices() {
    let device = |name: &str, snapshot: &str| Device {
        name: name.into(),
        snapshot: id(snapshot),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: None,
        throughput: None,
        delete_on_termination: true,
    };
    let call = RegisterImage {
        region: id("us-east-1"),
        name: "gold-0".into(),
        description: "an image".into(),
        architecture: "arm64".into(),
        root_device: "/dev/xvda".into(),
        ena: true,
        sriov: None,
        boot_mode: None,
        tpm: None,
        imds: None,
        uefi_data: None,
        instance_store: BTreeMap::new(),
        devices: vec![device("/dev/xvda", "snap-00000001"), device("/dev/sdb", "snap-00000002")],
        tags: BTreeMap::new(),
    };
    let mut begun = point(Status::Registering);
    begun.step.due_at = None;
    check(
        Command::Call(Box::new(Intent::new(Change::point(begun), call.into()))),
        "+ us-east-1: image gold-0 from /dev/xvda=snap-00000001 /dev/sdb=snap-00000002; \
         gold-0aaaaaaa-at-20260106T190000Z: registering",
    );
}

#[test]
fn a_copy_names_its_source_and_its_key() {
    let point = point(Status::Imaged);
    let (image, region) = (id("ami-00000001"), id("eu-west-1"));
    let mut replica = Replica::wanted(&point, &image, &region, point.requested_at);
    replica.status = ReplicaStatus::Copying;
    replica.step.due_at = None;
    let call = |kms_key: Option<&str>| CopyImage {
        region: region.clone(),
        source_region: id("us-east-1"),
        source: image.clone(),
        name: "gold-0".into(),
        description: "a copy".into(),
        token: "gold-0".into(),
        kms_key: kms_key.map(String::from),
        tags: BTreeMap::new(),
    };
    let command = |kms_key| {
        let change = Change::replica(replica.clone());
        Command::Call(Box::new(Intent::new(change, call(kms_key).into())))
    };
    check(
        command(Some("alias/dr")),
        "+ eu-west-1: image gold-0, a copy of ami-00000001 in us-east-1, encrypted with alias/dr; \
         gold-0aaaaaaa-at-20260106T190000Z in eu-west-1: copying",
    );
    check(
        command(None),
        "+ eu-west-1: image gold-0, a copy of ami-00000001 in us-east-1; \
         gold-0aaaaaaa-at-20260106T190000Z in eu-west-1: copying",
    );
}

#[test]
fn a_change_of_several_records_is_one_line_with_the_reason_of_each() {
    let mut failed = point(Status::Failed);
    failed.step.due_at = None;
    failed.reason = Some(Reason::new(Code::ImageFailed, "Client.InternalError"));
    failed.leftovers = vec![ResourceId::try_from("ami-00000001".to_string()).expect("an id")];
    let (image, region) = (id("ami-00000001"), id("eu-west-1"));
    let replica = Replica::wanted(&failed, &image, &region, failed.requested_at);
    let new = Write { expected: 0, ..Write::replica(replica) };
    check(
        Command::Record(Box::new(Change::point(failed).with(new))),
        "~ gold-0aaaaaaa-at-20260106T190000Z: failed, leftovers ami-00000001: \
         Client.InternalError (image-failed); gold-0aaaaaaa-at-20260106T190000Z in eu-west-1: \
         new -> waiting, due 2026-01-06T19:00:10Z",
    );
}

#[test]
fn a_successor_is_woken_one_hop_on() {
    check(
        Command::Wake(Wake { queue: queue("eu-west-1", Kind::Copy), hop: 0 }),
        "> copy eu-west-1",
    );
    check(
        Command::Wake(Wake { queue: queue("eu-west-1", Kind::Copy), hop: 3 }),
        "> copy eu-west-1, hop 3",
    );
}
