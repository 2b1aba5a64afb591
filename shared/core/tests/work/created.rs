//! Points whose image EC2 creates.

use std::collections::BTreeMap;

use crate::scene::conclude;
use afterimage_core::call::{Call, CreateImage, Outcome};
use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::snapshot::{Input, decide};
use afterimage_core::flow::work_requested::{self, confirm, needs, snapshot};
use afterimage_core::ids::ResourceId;
use afterimage_core::machine::{Grade, LeftOut, Machine, State};
use afterimage_core::observed::{Complete, ImageState, ObservedImage, ObservedSnapshot};
use afterimage_core::point::{Chosen, Point};
use afterimage_core::policy::{Consistency, Method};
use afterimage_core::reason::Code;
use afterimage_core::status::Status;
use afterimage_core::work::Kind;

use crate::scene::{
    HOME, NAME, ami, answer, at, code, codes_said, confirm_input, created, created_image, creating,
    instance, mins, only_call, point_in, region, reported, requested, running, seen_image,
    seen_snapshot, snap, snapshot_input, stopped, tags, volume, written,
};

fn call(decision: &Decision) -> &CreateImage {
    let Call::CreateImage(call) = only_call(decision) else { panic!("{decision:?}") };
    call
}

fn begin(consistency: Consistency, machine: &Machine) -> Decision {
    let mut point = requested();
    point.plan.method = Method::CreateImage;
    point.plan.consistency = consistency;
    decide(&snapshot_input(at(5), vec![point], Some(machine)))
}

/// The call had no outcome; what has its name, so many minutes after the intent.
fn look(point: &Point, named: Vec<ObservedImage>, minutes: i64) -> Decision {
    let input = snapshot_input(at(mins(minutes)), vec![point.clone()], None);
    decide(&Input { named: [(format!("{NAME}-0"), Complete(named))].into(), ..input })
}

fn confirm(point: Point, image: ObservedImage) -> Decision {
    confirm::decide(&confirm_input(at(mins(20)), vec![point], &[image]))
}

#[test]
fn the_one_call_names_and_tags_all_that_it_makes() {
    let decision = begin(Consistency::Crash, &running());
    let call = call(&decision);
    assert_eq!((&call.region, &call.instance), (&region(HOME), &instance()));
    assert_eq!(call.name, format!("{NAME}-0"));
    assert!(call.description.contains(NAME) && call.description.len() <= 255);
    assert_eq!(call.without, Vec::<String>::new());
    for tags in [&call.tags, &call.snapshot_tags] {
        assert_eq!(tags.get("afterimage:point").map(String::as_str), Some(NAME));
        assert_eq!(tags.get("afterimage:attempt").map(String::as_str), Some("0"));
        assert_eq!(tags.get("team").map(String::as_str), Some("platform"));
    }
    let devices = format!("/dev/xvda={} /dev/sdf={}", volume(1), volume(2));
    assert_eq!(call.snapshot_tags.get("afterimage:devices-1"), Some(&devices));
    let point = point_in(&decision);
    assert_eq!((point.status, point.version), (Status::Creating, 2));
    assert_eq!((point.step.begun_at, point.step.due_at), (Some(at(5)), Some(at(5 + mins(6)))));
    assert_eq!(point.machine, Some(running()));
    assert_eq!(point.check(), Ok(()));
}

#[test]
fn a_machine_is_rebooted_if_its_policy_says_so_and_it_runs() {
    let cases = [
        (Consistency::Reboot, running(), true),
        (Consistency::Reboot, stopped(), false),
        (Consistency::Crash, running(), false),
        (Consistency::AtRest, stopped(), false),
        (Consistency::StopStart, stopped(), false),
    ];
    for (consistency, machine, expected) in cases {
        let decision = begin(consistency, &machine);
        assert_eq!(call(&decision).reboot, expected, "{consistency:?}");
    }
}

#[test]
fn a_machine_that_must_not_be_rebooted_is_refused_and_imaged_if_it_is_stopped() {
    let mut point = requested();
    point.plan.consistency = Consistency::Reboot;
    let mut member = running();
    member.instance.tags.insert("aws:autoscaling:groupName".into(), "web".into());
    let mut spot = running();
    spot.instance.spot = true;
    let cases = [
        (running(), false, Code::RebootNotAllowed),
        (member, true, Code::AutoScaling),
        (spot, true, Code::Spot),
    ];
    for (machine, allow_reboot, code) in cases {
        let input = snapshot_input(at(5), vec![point.clone()], Some(&machine));
        let decision = snapshot::decide(&snapshot::Input { allow_reboot, ..input });
        let refused = point_in(&decision);
        assert_eq!(refused.status, Status::Refused, "{code}");
        assert_eq!(refused.reason.map(|reason| reason.code), Some(code));
    }
    let input = snapshot_input(at(5), vec![point], Some(&stopped()));
    let decision = snapshot::decide(&snapshot::Input { allow_reboot: false, ..input });
    assert_ne!(point_in(&decision).status, Status::Refused);
}

#[test]
fn the_grade_tells_how_the_disks_were() {
    let cases = [
        (Consistency::Crash, running(), Some(Grade::Crash), Kind::Confirm),
        (Consistency::Reboot, running(), Some(Grade::Reboot), Kind::Confirm),
        // It has to be seen again.
        (Consistency::Reboot, stopped(), None, Kind::Snapshot),
        (Consistency::Crash, stopped(), None, Kind::Snapshot),
    ];
    for (consistency, machine, grade, kind) in cases {
        let point = point_in(&begin(consistency, &machine));
        let made = point_in(&conclude::created(&point, Outcome::Made(ami(1)), at(7)));
        assert_eq!((made.status, made.grade), (Status::Created, grade));
        assert_eq!((made.taken_at, &made.image), (Some(at(5)), &Some(ami(1))));
        assert_eq!(made.queue().map(|queue| queue.kind), Some(kind));
        assert_eq!(made.awaits(), [ami(1).into()]);
        assert_eq!(made.check(), Ok(()));
    }
    let mut restarted = stopped();
    restarted.instance.launched = at(1);
    for (after, grade) in [(stopped(), Grade::AtRest), (restarted, Grade::Crash)] {
        let point = created(&stopped());
        let wanted = needs(Kind::Snapshot, std::slice::from_ref(&point), &[], at(3));
        assert_eq!(wanted.machines, [instance()]);
        assert_eq!(wanted.tagged, std::slice::from_ref(&point.id));
        let mut input = snapshot_input(at(3), vec![point.clone()], Some(&after));
        let begun = vec![seen_snapshot(1, 1), seen_snapshot(2, 2)];
        input.tagged = BTreeMap::from([(point.id.clone(), Complete(begun))]);
        let graded = decide(&input);
        let point = point_in(&graded);
        assert_eq!((point.status, point.grade), (Status::Created, Some(grade)));
        assert_eq!(point.queue().map(|queue| queue.kind), Some(Kind::Confirm));
        // It may have become available while it stood in the other queue.
        assert!(graded.commands.iter().any(|command| matches!(
            command,
            Command::Wake(wake) if wake.queue.kind == Kind::Confirm
        )));
    }
}

#[test]
fn at_rest_is_said_only_by_a_look_after_ec2_has_begun_every_snapshot() {
    let look = |machine: &Machine, begun: &[ObservedSnapshot], secs: i64| {
        let point = created(&stopped());
        let mut input = snapshot_input(at(secs), vec![point.clone()], Some(machine));
        input.tagged = BTreeMap::from([(point.id, Complete(begun.to_vec()))]);
        let soon = work_requested::Input::Snapshot(input.clone()).again().next_due.is_some();
        let (points, _) = written(&decide(&input));
        (soon, points.first().and_then(|point| point.grade))
    };
    let (one, both) = ([seen_snapshot(1, 1)], [seen_snapshot(1, 1), seen_snapshot(2, 2)]);
    assert_eq!(look(&stopped(), &[], 3), (true, None));
    assert_eq!(look(&stopped(), &one, 3), (true, None), "one of two");
    assert_eq!(look(&stopped(), &both, 3), (false, Some(Grade::AtRest)));
    // It was started before anybody could see them all.
    let mut restarted = stopped();
    restarted.instance.launched = at(1);
    assert_eq!(look(&restarted, &[], 3), (false, Some(Grade::Crash)));
    assert_eq!(look(&running(), &both, 3), (false, Some(Grade::Crash)));
    // The worker looks for some minutes, then the sweep does; and then it is not known.
    assert_eq!(look(&stopped(), &one, mins(7)), (false, None));
    assert_eq!(look(&stopped(), &one, mins(31)), (false, Some(Grade::Crash)));
}

#[test]
fn what_a_call_brought_leads_on_or_back() {
    let point = creating(&running());
    type Case = (Outcome<afterimage_core::ids::AmiId>, Status, Option<Code>, u32);
    let cases: [Case; 6] = [
        (Outcome::Failed(answer("X")), Status::Requested, Some(Code::CallFailed), 1),
        (Outcome::Refused(answer("X")), Status::Requested, Some(Code::CallRefused), 1),
        (Outcome::Gone(answer("X")), Status::Failed, Some(Code::MachineGone), 0),
        (Outcome::Throttled(answer("X")), Status::Requested, Some(Code::Throttled), 0),
        (Outcome::NameTaken(answer("X")), Status::Creating, Some(Code::NameTaken), 0),
        (Outcome::Unknown(answer("X")), Status::Creating, Some(Code::OutcomeUnknown), 0),
    ];
    for (outcome, status, reason, attempt) in cases {
        let after = point_in(&conclude::created(&point, outcome, at(9)));
        assert_eq!((after.status, code(&after), after.step.attempt), (status, reason, attempt));
        assert_eq!(after.check(), Ok(()));
    }
}

#[test]
fn ours_is_what_was_made_of_our_machine_after_the_intent_with_our_tag() {
    let point = creating(&running());
    assert_eq!(
        needs(Kind::Snapshot, std::slice::from_ref(&point), &[], at(mins(6))).names,
        [format!("{NAME}-0")]
    );
    let adopted = look(&point, vec![created_image(7, ImageState::Pending)], 6);
    let after = point_in(&adopted);
    assert_eq!((after.status, after.image), (Status::Created, Some(ami(7))));
    assert_eq!(after.taken_at, Some(at(0)));
    assert_eq!(codes_said(&adopted), [Code::Adopted]);
    type Edit = fn(&mut ObservedImage);
    let foreign: [(&str, Edit); 5] = [
        ("of no machine", |image| image.attributes.source_instance = None),
        ("of another machine", |image| {
            image.attributes.source_instance = "i-0aaaaaaa".to_string().try_into().ok();
        }),
        ("older", |image| image.created_at = Some(at(-60))),
        ("of no known age", |image| image.created_at = None),
        ("without our tag", |image| image.tags = tags(&[("afterimage:attempt", "0")])),
    ];
    for (what, edit) in foreign {
        let mut image = created_image(7, ImageState::Available);
        edit(&mut image);
        let decision = look(&point, vec![image], 6);
        assert_eq!(reported(&decision), [ami(7).to_string()], "{what}");
        let after = point_in(&decision);
        assert_eq!((after.status, after.step.attempt), (Status::Requested, 1), "{what}");
        assert_eq!((after.step.failures, after.step.due_at), (0, Some(at(mins(6)))), "{what}");
        assert_eq!(after.leftovers, [], "{what}");
    }
}

#[test]
fn of_nothing_the_next_try_is_made_only_when_something_would_show() {
    let mut point = creating(&running());
    let early = look(&point, Vec::new(), 6);
    assert_eq!(point_in(&early).status, Status::Requested, "six minutes are enough");
    point.step.due_at = Some(at(5));
    let gone =
        ObservedImage { state: ImageState::Deregistered, ..created_image(7, ImageState::Failed) };
    for named in [Vec::new(), vec![gone]] {
        let input = snapshot_input(at(10), vec![point.clone()], None);
        let named = [(format!("{NAME}-0"), Complete(named))].into();
        let waiting = point_in(&decide(&Input { named, ..input }));
        assert_eq!((waiting.status, waiting.step.attempt), (Status::Creating, 0));
        assert_eq!(waiting.step.due_at, Some(at(mins(6))));
    }
}

#[test]
fn when_it_is_available_its_snapshots_are_learnt() {
    let decision = confirm(created(&running()), created_image(1, ImageState::Available));
    let (points, replicas) = written(&decision);
    let [point] = &points[..] else { panic!("{decision:?}") };
    assert_eq!(point.status, Status::Imaged);
    assert_eq!(point.snapshots, [(volume(1), snap(11)), (volume(2), snap(12))].into());
    assert_eq!((point.check(), replicas.len()), (Ok(()), 2));
    assert_eq!(point.findings, Vec::new());
}

#[test]
fn with_a_disk_more_or_less_than_the_machine_had_it_is_made_again() {
    type Edit = fn(&mut ObservedImage);
    let cases: [(&str, Edit, &[&str]); 3] = [
        ("one less", |image| drop(image.devices.pop()), &["ami", "11", "12"]),
        (
            "one more",
            |image| {
                let mut more = image.devices[1].clone();
                more.name = "/dev/sdz".into();
                more.snapshot = Some(snap(13));
                image.devices.push(more);
                image.snapshots.push(snap(13));
            },
            &["ami", "11", "12", "13"],
        ),
        ("one twice", |image| image.devices.push(image.devices[1].clone()), &["ami", "11", "12"]),
    ];
    for (what, edit, left) in cases {
        let mut image = created_image(1, ImageState::Available);
        edit(&mut image);
        let point = point_in(&confirm(created(&running()), image));
        assert_eq!((point.status, code(&point)), (Status::Requested, Some(Code::ImageDiffers)));
        assert_eq!((point.step.attempt, point.step.failures), (1, 1), "{what}");
        assert_eq!(point.step.due_at, Some(at(mins(21))), "{what}");
        assert_eq!((&point.image, point.snapshots.len(), point.grade), (&None, 0, None));
        let expected: Vec<ResourceId> = left
            .iter()
            .map(|name| match name.parse::<u32>() {
                Ok(number) => snap(number).into(),
                Err(_) => ami(1).into(),
            })
            .collect();
        let (mut is, mut expected) = (point.leftovers, expected);
        is.sort();
        expected.sort();
        assert_eq!(is, expected, "{what}: nothing that was made is forgotten");
    }
}

#[test]
fn a_mapping_that_does_not_show_yet_is_waited_for_and_not_for_ever() {
    let mut image = created_image(1, ImageState::Available);
    image.devices[1].snapshot = None;
    assert_eq!(confirm(created(&running()), image.clone()), Decision::default());
    let late = confirm_input(at(mins(31)), vec![created(&running())], &[image]);
    assert_eq!(code(&point_in(&confirm::decide(&late))), Some(Code::ImageDiffers));
}

#[test]
fn one_that_fails_or_goes_is_made_again_under_another_name() {
    let failed = created_image(1, ImageState::Failed);
    let after = point_in(&confirm(created(&running()), failed));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::ImageFailed)));
    let begun = snapshot_input(at(mins(21)), vec![after], Some(&running()));
    let again = decide(&begun);
    assert_eq!(call(&again).name, format!("{NAME}-1"));
    let gone = confirm_input(at(mins(20)), vec![created(&running())], &[]);
    let after = point_in(&confirm::decide(&gone));
    assert_eq!((after.status, code(&after)), (Status::Requested, Some(Code::ArtefactGone)));
    assert_eq!(after.leftovers, [ami(1).into()]);
}

#[test]
fn one_that_is_not_graded_yet_is_not_confirmed() {
    let point = created(&stopped());
    assert!(needs(Kind::Confirm, std::slice::from_ref(&point), &[], at(3)).images.is_empty());
    let image = created_image(1, ImageState::Available);
    assert_eq!(confirm(point, image), Decision::default());
}

#[test]
fn a_registered_image_that_lost_its_licence_is_created_the_next_time() {
    let lost = |image: &mut ObservedImage| {
        image.attributes.usage_operation = Some("RunInstances:0010".into());
    };
    let mut image = seen_image(1, ImageState::Available);
    lost(&mut image);
    let decision = confirm(crate::scene::registered(), image.clone());
    let point = point_in(&decision);
    assert_eq!((point.status, code(&point)), (Status::Requested, Some(Code::ImageDiffers)));
    let method = point.method.as_ref().map(|chosen| chosen.method);
    assert_eq!((method, point.check()), (Some(Method::CreateImage), Ok(())));
    assert_eq!((point.snapshots.len(), point.taken_at, point.grade), (0, None, None));
    let mut left = point.leftovers.clone();
    left.sort();
    assert_eq!(left, [ami(1).into(), snap(11).into(), snap(12).into()]);
    // The next try does not forget what the last one showed.
    let now = point.step.due_at.expect("it is due");
    let again = decide(&snapshot_input(now, vec![point.clone()], Some(&running())));
    assert_eq!(call(&again).name, format!("{NAME}-1"));
    // Whose policy insists on registering has no other way.
    let mut insists = crate::scene::registered();
    insists.plan.method = Method::SnapshotRegister;
    let point = point_in(&confirm(insists, image.clone()));
    assert_eq!((point.status, code(&point)), (Status::Failed, Some(Code::ImageDiffers)));
    assert_eq!(point.leftovers, [ami(1).into()]);
    // Nor is there one where EC2 has created it.
    let mut created_one = created_image(1, ImageState::Available);
    lost(&mut created_one);
    let point = point_in(&confirm(created(&running()), created_one));
    assert_eq!((point.status, code(&point)), (Status::Failed, Some(Code::ImageDiffers)));
}

#[test]
fn left_out_volumes_are_named_by_their_devices() {
    let mut point = requested();
    point.plan.method = Method::CreateImage;
    point.plan.exclude_volumes.devices = vec!["/dev/sdf".into()];
    let decision = decide(&snapshot_input(at(5), vec![point], Some(&running())));
    assert_eq!(call(&decision).without, ["/dev/sdf"]);
    let machine = point_in(&decision).machine.expect("its machine");
    assert_eq!(machine.left_out, [LeftOut { id: volume(2), device: "/dev/sdf".into() }]);
    assert_eq!(machine.volumes.len(), 1);
    assert!(!call(&decision).snapshot_tags["afterimage:devices-1"].contains("/dev/sdf"));
}

#[test]
fn a_choice_for_ec2_outlives_the_reason_for_it() {
    let mut point = requested();
    point.plan.consistency = Consistency::Reboot;
    let begun = point_in(&decide(&snapshot_input(at(0), vec![point], Some(&running()))));
    assert_eq!(begun.status, Status::Creating);
    let failed = Outcome::Failed(answer("InvalidParameterValue"));
    let again = point_in(&conclude::created(&begun, failed, at(1)));
    let mut resting = stopped();
    resting.instance.state = State::Stopped;
    let input = snapshot_input(at(mins(2)), vec![again.clone()], Some(&resting));
    let decision = snapshot::decide(&input);
    assert!(!call(&decision).reboot);
    assert_eq!(again.method, point_in(&decision).method);
    assert!(matches!(again.method, Some(Chosen { method: Method::CreateImage, .. })));
}
