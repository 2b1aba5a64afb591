//! Points whose snapshots are being filled, and those that want an image.

use afterimage_core::call::register_image::Device;
use afterimage_core::call::{Call, Outcome, RegisterImage};
use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::needs;
use afterimage_core::flow::work_requested::register::decide;
use afterimage_core::machine::Build;
use afterimage_core::observed::{
    Attributes, ImageState, ObservedImage, ObservedSnapshot, SnapshotState,
};
use afterimage_core::point::{Point, Step};
use afterimage_core::reason::Code;
use afterimage_core::status::Status;
use afterimage_core::work::Kind;

use crate::scene::{
    HOME, NAME, ami, answer, at, code, codes_said, conclude, hours, mins, only_call, our_tags,
    point_in, region, register_input, registering, reported, running, seen_image, seen_snapshot,
    snap, snapshotted, tags,
};

fn in_states(one: SnapshotState, two: SnapshotState) -> Vec<ObservedSnapshot> {
    let one = ObservedSnapshot { state: one, ..seen_snapshot(11, 1) };
    vec![one, ObservedSnapshot { state: two, ..seen_snapshot(12, 2) }]
}

fn complete() -> Vec<ObservedSnapshot> {
    in_states(SnapshotState::Completed, SnapshotState::Completed)
}

fn look(point: &Point, seen: &[ObservedSnapshot], secs: i64) -> Decision {
    decide(&register_input(at(secs), vec![point.clone()], seen, &[]))
}

fn look_up(point: &Point, named: &[ObservedImage], secs: i64) -> Decision {
    decide(&register_input(at(secs), vec![point.clone()], &[], named))
}

fn call(decision: &Decision) -> RegisterImage {
    let Call::RegisterImage(call) = only_call(decision) else { panic!("{decision:?}") };
    call.clone()
}

#[test]
fn a_complete_set_is_registered_in_one_write_with_all_that_the_machine_had() {
    let decision = look(&snapshotted(&running()), &complete(), mins(10));
    let device = |name: &str, number, volume_type: &str| Device {
        name: name.into(),
        snapshot: snap(number),
        size_gib: 20,
        volume_type: volume_type.into(),
        iops: Some(3000),
        throughput: None,
        delete_on_termination: false,
    };
    let root = device("/dev/xvda", 11, "gp3");
    let root = Device { throughput: Some(125), delete_on_termination: true, ..root };
    let expected = RegisterImage {
        region: region(HOME),
        name: format!("{NAME}-0"),
        description: format!("Afterimage: image of {NAME}"),
        architecture: "x86_64".into(),
        root_device: "/dev/xvda".into(),
        ena: true,
        sriov: Some("simple".into()),
        boot_mode: Some("uefi".into()),
        tpm: Some("v2.0".into()),
        imds: Some("v2.0".into()),
        uefi_data: Some("QU1aTlVFRkk=".into()),
        instance_store: tags(&[]),
        devices: vec![root, device("/dev/sdf", 12, "io2")],
        tags: our_tags(&[("afterimage:replicas-1", "eu-west-1 eu-central-1")]),
    };
    assert_eq!(call(&decision), expected);
    let point = point_in(&decision);
    assert_eq!((point.status, point.version), (Status::Registering, 4));
    assert_eq!(point.step.begun_at, Some(at(mins(10))));
    assert_eq!(point.step.due_at, Some(at(mins(16))));
}

#[test]
fn the_mapping_of_the_instance_store_is_registered_too_but_for_devices_that_are_taken() {
    let mut machine = running();
    let mapped = [("/dev/sdb", "ephemeral0"), ("/dev/xvdf", "ephemeral1")];
    machine.build.instance_store = tags(&mapped);
    let call = call(&look(&snapshotted(&machine), &complete(), mins(10)));
    assert_eq!(call.instance_store, tags(&[("/dev/sdb", "ephemeral0")]));
}

#[test]
fn the_tries_of_a_new_step_are_counted_anew() {
    let step = Step { attempt: 3, failures: 3, ..snapshotted(&running()).step };
    let point = Point { step, ..snapshotted(&running()) };
    let decision = look(&point, &complete(), mins(10));
    assert_eq!(call(&decision).name, format!("{NAME}-0"));
    assert_eq!(point_in(&decision).step.failures, 0);
}

#[test]
fn iops_and_throughput_are_told_where_ec2_takes_them() {
    let cases = [
        ("gp3", true, true),
        ("io1", true, false),
        ("io2", true, false),
        ("gp2", false, false),
        ("st1", false, false),
        ("sc1", false, false),
        ("standard", false, false),
    ];
    for (volume_type, iops, throughput) in cases {
        let mut machine = running();
        machine.volumes[0].volume_type = volume_type.into();
        let call = call(&look(&snapshotted(&machine), &complete(), mins(10)));
        let device = &call.devices[0];
        let said = (device.iops.is_some(), device.throughput.is_some());
        assert_eq!(said, (iops, throughput), "{volume_type}");
    }
}

#[test]
fn snapshots_that_are_being_filled_are_waited_for_and_told_of_once_after_two_days() {
    let point = snapshotted(&running());
    assert_eq!(
        needs(Kind::Register, std::slice::from_ref(&point), &[], at(3)).snapshots,
        [snap(11), snap(12)]
    );
    for state in [SnapshotState::Pending, SnapshotState::Other] {
        let seen = in_states(SnapshotState::Completed, state);
        assert_eq!(look(&point, &seen, hours(48) - 1), Decision::default());
        let after = point_in(&look(&point, &seen, hours(48)));
        let codes: Vec<Code> = after.findings.iter().map(|finding| finding.code).collect();
        assert_eq!((after.status, codes.as_slice()), (Status::Snapshotted, &[Code::TooLong][..]));
        assert_eq!(look(&after, &seen, hours(480)), Decision::default(), "told once");
    }
}

#[test]
fn a_set_of_which_one_failed_is_left_and_the_next_is_made_after_a_wait() {
    let mut seen = in_states(SnapshotState::Completed, SnapshotState::Error);
    seen[1].message = Some("Given key ID is not accessible".into());
    let decision = look(&snapshotted(&running()), &seen, mins(10));
    let after = point_in(&decision);
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::SnapshotFailed)));
    assert!(after.reason.expect("said").text.contains("Given key ID is not accessible"));
    assert_eq!(after.leftovers, [snap(11).into(), snap(12).into()]);
    assert!(after.snapshots.is_empty() && after.grade.is_none() && after.taken_at.is_none());
    assert_eq!((after.step.attempt, after.step.failures), (1, 1));
    assert_eq!(after.step.due_at, Some(at(mins(11))));
    let step = Step { attempt: 7, failures: 7, ..snapshotted(&running()).step };
    let last = Point { step, ..snapshotted(&running()) };
    let after = point_in(&look(&last, &seen, mins(10)));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::SnapshotFailed)));
    assert_eq!(after.step.due_at, Some(at(mins(10) + hours(24))), "a set a day");
    assert_eq!(after.leftovers.len(), 2);
}

#[test]
fn a_snapshot_that_does_not_show_is_gone_only_when_all_that_was_made_must_be_visible() {
    let seen = [seen_snapshot(11, 1)];
    // The call may have been made a minute after the intent, and EC2 may take five to show it.
    assert_eq!(look(&snapshotted(&running()), &seen, mins(6) - 1), Decision::default());
    let after = point_in(&look(&snapshotted(&running()), &seen, mins(6)));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::ArtefactGone)));
}

#[test]
fn an_image_of_our_name_and_our_snapshots_is_adopted() {
    assert_eq!(
        needs(Kind::Register, &[registering()], &[], at(mins(16))).names,
        [format!("{NAME}-0")]
    );
    assert!(needs(Kind::Register, &[registering()], &[], at(mins(16) - 1)).names.is_empty());
    let mut image = seen_image(7, ImageState::Pending);
    image.snapshots.reverse();
    let decision = look_up(&registering(), &[image], mins(16));
    let after = point_in(&decision);
    assert_eq!((after.status, after.image), (Status::Registered, Some(ami(7))));
    assert_eq!(after.step.due_at, Some(at(mins(16 + 5))));
    assert_eq!(codes_said(&decision), [Code::Adopted]);
}

#[test]
fn an_image_of_our_name_and_other_snapshots_is_reported_and_the_next_name_is_tried() {
    let mappings =
        [vec![], vec![snap(11)], vec![snap(11), snap(99)], vec![snap(11), snap(12), snap(13)]];
    for snapshots in mappings {
        let image = ObservedImage { snapshots, ..seen_image(7, ImageState::Available) };
        let decision = look_up(&registering(), std::slice::from_ref(&image), mins(16));
        assert_eq!(reported(&decision), [ami(7).to_string()], "{image:?}");
        let after = point_in(&decision);
        assert_eq!((after.status, code(&after)), (Status::Ready, Some(Code::Foreign)));
        let Step { attempt, failures, due_at, .. } = after.step;
        assert_eq!((attempt, failures, due_at), (1, 0, Some(at(mins(16)))));
        let step = Step { attempt: 19, ..registering().step };
        let named = ObservedImage { name: format!("{NAME}-19"), ..image };
        let after = point_in(&look_up(&Point { step, ..registering() }, &[named], mins(16)));
        assert_eq!((after.status, code(&after)), (Status::Ready, Some(Code::Foreign)));
        let Step { attempt, first, due_at, .. } = after.step;
        assert_eq!((attempt, first, due_at), (20, 20, Some(at(mins(16) + hours(24)))));
    }
}

/// The name of the point is looked up, and somebody has it, with our snapshots.
/// A change of the machine that an image is registered as.
type Wish<'a> = &'a dyn Fn(&mut Build);

/// A change of what an image shows.
type Change<'a> = &'a dyn Fn(&mut Attributes);

fn look_up_with(build: impl Fn(&mut Build), change: impl Fn(&mut Attributes)) -> Decision {
    let mut point = registering();
    build(&mut point.machine.as_mut().expect("it has one").build);
    let mut image = seen_image(7, ImageState::Available);
    change(&mut image.attributes);
    look_up(&point, &[image], mins(16))
}

#[test]
fn an_image_of_our_snapshots_that_is_not_as_we_register_it_is_foreign_and_its_finding_says_why() {
    let cases: [(Change, &str); 6] = [
        (&|of| of.architecture = Some("arm64".into()), "architecture: arm64, not x86_64"),
        (&|of| of.virtualization = Some("paravirtual".into()), "virtualization: paravirtual, not"),
        (&|of| of.root_device = Some("/dev/sdf".into()), "root device: /dev/sdf, not /dev/xvda"),
        (&|of| of.boot_mode = Some("uefi-preferred".into()), "boot mode: uefi-preferred, not uefi"),
        (&|of| of.boot_mode = None, "boot mode: not set, not uefi"),
        (&|of| of.ena = false, "ENA: not enabled"),
    ];
    for (change, what) in cases {
        let decision = look_up_with(|_| {}, change);
        let after = point_in(&decision);
        assert_eq!((after.status, code(&after)), (Status::Ready, Some(Code::Foreign)), "{what}");
        assert_eq!((after.step.attempt, after.step.due_at), (1, Some(at(mins(16)))), "{what}");
        let text = decision.commands.iter().find_map(|command| match command {
            Command::Report(finding) => Some(finding.reason.text.clone()),
            _ => None,
        });
        let text = text.expect("it is told");
        assert!(text.contains(what), "{what}: {text}");
        assert!(text.contains("2026-03-01 02:10 UTC") && text.contains("another name"), "{text}");
    }
}

#[test]
fn what_ec2_adds_to_an_image_of_ours_makes_it_no_other() {
    let same = |_: &mut Build| {};
    let no_boot_mode = |of: &mut Build| of.boot_mode = None;
    let arm = |of: &mut Build| {
        of.architecture = "arm64".into();
        of.boot_mode = None;
    };
    let cases: [(Wish, Change); 5] = [
        (&same, &|of| of.usage_operation = Some("RunInstances:0002".into())),
        (&same, &|of| of.product_codes = vec!["abc".to_string()]),
        (&|of| of.ena = false, &|of| of.ena = true),
        (&no_boot_mode, &|of| of.boot_mode = Some("legacy-bios".into())),
        (&arm, &|of| {
            of.architecture = Some("arm64".into());
            of.boot_mode = Some("uefi".into());
        }),
    ];
    for (build, change) in cases {
        let decision = look_up_with(build, change);
        assert_eq!(point_in(&decision).status, Status::Registered, "{decision:?}");
        assert_eq!(reported(&decision), Vec::<String>::new());
    }
}

#[test]
fn a_pending_image_of_which_only_a_part_shows_is_not_judged() {
    let image = ObservedImage { snapshots: vec![snap(12)], ..seen_image(7, ImageState::Pending) };
    let decision = look_up(&registering(), std::slice::from_ref(&image), mins(16));
    let after = point_in(&decision);
    assert_eq!((after.status, after.step.attempt), (Status::Registering, 0));
    assert_eq!(after.step.due_at, Some(at(mins(16 + 5))));
    assert!(reported(&decision).is_empty());
    let after = point_in(&look_up(&registering(), &[image], hours(49)));
    assert_eq!((after.status, code(&after)), (Status::Ready, Some(Code::TooLong)));
    assert_eq!(after.leftovers, [ami(7).into()]);
}

#[test]
fn a_name_that_nothing_visible_has_is_looked_up_again_before_the_next_is_tried() {
    let gone = [seen_image(7, ImageState::Deregistered)];
    let step = Step { due_at: Some(at(mins(10) + 5)), ..registering().step };
    let taken = Point { step, ..registering() };
    let waiting = point_in(&look_up(&taken, &gone, mins(10) + 5));
    assert_eq!((waiting.status, waiting.step.due_at), (Status::Registering, Some(at(mins(16)))));
    let decision = look_up(&waiting, &gone, mins(16));
    let after = point_in(&decision);
    assert_eq!((after.status, after.step.attempt), (Status::Ready, 1));
    assert_eq!((after.step.failures, after.step.due_at), (1, Some(at(mins(16)))));
    let next = decide(&register_input(at(mins(16)), vec![after], &[], &[]));
    assert_eq!(call(&next).name, format!("{NAME}-1"));
}

#[test]
fn snapshots_that_are_gone_are_made_again_from_the_start_at_once_and_then_sparingly() {
    let gone = || Outcome::Failed(answer("InvalidSnapshot.NotFound"));
    let after = point_in(&conclude::image(&registering(), gone(), at(mins(5))));
    assert_eq!((after.status, code(&after)), (Status::Ready, Some(Code::CallFailed)), "too soon");
    let now = mins(17);
    let after = point_in(&conclude::image(&registering(), gone(), at(now)));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::ArtefactGone)));
    assert_eq!(after.leftovers, [snap(11).into(), snap(12).into()]);
    assert!(after.snapshots.is_empty() && after.grade.is_none() && after.taken_at.is_none());
    let Step { attempt, first, failures, due_at, .. } = after.step;
    assert_eq!((attempt, first, failures, due_at), (1, 1, 1, Some(at(now))));
    for (failures, wait) in [(1, hours(1)), (2, hours(24))] {
        let step = Step { attempt: 1, first: 1, failures, ..registering().step };
        let again = Point { step, ..registering() };
        let after = point_in(&conclude::image(&again, gone(), at(now)));
        assert_eq!(after.status, Status::Requested);
        assert_eq!((after.step.first, after.step.due_at), (2, Some(at(now + wait))));
    }
    // Its next image has a name that none had before.
    let step = Step { attempt: 3, first: 3, failures: 2, ..snapshotted(&running()).step };
    let begun = Point { step, ..snapshotted(&running()) };
    let decision =
        look(&begun, &in_states(SnapshotState::Completed, SnapshotState::Completed), now);
    assert_eq!(call(&decision).name, format!("{NAME}-3"));
    assert_eq!(point_in(&decision).step.failures, 2);
}
