//! What artefacts say of themselves is put right before anything is made of them.

use std::collections::BTreeMap;

use afterimage_core::call::{Call, Outcome};
use afterimage_core::command::{Command, Correct, Decision};
use afterimage_core::flow::work_requested::{confirm, register};
use afterimage_core::machine::Grade;
use afterimage_core::observed::{ImageState, ObservedImage, ObservedSnapshot, SnapshotState};
use afterimage_core::point::Point;
use afterimage_core::reason::Code;
use afterimage_core::status::Status;

use crate::render::render;
use crate::scene::{
    HOME, NAME, ami, answer, at, codes_said, confirm_input, hours, mins, only_call, point_in,
    region, register_input, registered, running, seen_image, seen_snapshot, snap, snapshotted,
    tags,
};

fn grade(value: &str) -> BTreeMap<String, String> {
    tags(&[("afterimage:grade", value)])
}

/// Complete snapshots of a point that is a crash, which say these grades.
fn look(first: &str, second: &str, secs: i64) -> Decision {
    let seen = [(11, 1, first), (12, 2, second)].map(|(number, volume, told)| ObservedSnapshot {
        state: SnapshotState::Completed,
        tags: grade(told),
        ..seen_snapshot(number, volume)
    });
    register::decide(&register_input(at(secs), vec![snapshotted(&running())], &seen, &[]))
}

fn correct(decision: Decision) -> Correct {
    let corrects = decision.commands.into_iter().filter_map(|command| match command {
        Command::Correct(correct) => Some(*correct),
        _ => None,
    });
    let corrects: Vec<Correct> = corrects.collect();
    assert_eq!(corrects.len(), 1, "{corrects:?}");
    corrects.into_iter().next().expect("one")
}

#[test]
fn a_snapshot_that_says_another_grade_is_put_right_before_its_image_is_made() {
    let decision = look("at-rest", "crash", mins(10));
    let told = render(&decision);
    let expected = format!("* {HOME}: {} says afterimage:grade=crash\n+ {HOME}: image", snap(11));
    assert!(told.starts_with(&expected), "{told}");
    assert_eq!(point_in(&decision).status, Status::Registering);
    let correct = correct(decision);
    assert_eq!(correct.call.region, region(HOME));
    assert_eq!(correct.call.artefacts, [snap(11).to_string()]);
    let Command::Call(intent) = correct.then else { panic!("{:?}", correct.then) };
    assert!(matches!(intent.call, Call::RegisterImage(_)));
}

#[test]
fn where_all_say_the_truth_nothing_is_put_right() {
    let decision = look("crash", "crash", mins(10));
    assert!(matches!(only_call(&decision), Call::RegisterImage(_)));
}

#[test]
fn an_image_and_its_snapshots_are_put_right_before_it_is_copied() {
    let image = ObservedImage { tags: grade("at-rest"), ..seen_image(1, ImageState::Available) };
    let input = confirm_input(at(mins(20)), vec![registered()], &[image]);
    let correct = correct(confirm::decide(&input));
    let all = [ami(1).to_string(), snap(11).to_string(), snap(12).to_string()];
    assert_eq!(correct.call.artefacts, all);
    assert_eq!(correct.call.tags, grade("crash"));
    assert!(matches!(correct.then, Command::Record(_)));
    let truthful = ObservedImage { tags: grade("crash"), ..seen_image(1, ImageState::Available) };
    let input = confirm_input(at(mins(20)), vec![registered()], &[truthful]);
    assert!(matches!(confirm::decide(&input).commands[0], Command::Record(_)));
}

#[test]
fn what_follows_is_done_once_ec2_has_taken_the_tags() {
    let correct = correct(look("at-rest", "at-rest", mins(10)));
    let then = correct.then.clone();
    let decision = correct.conclude(Outcome::Made(()));
    assert_eq!(decision.commands, [then]);
}

#[test]
fn what_did_not_succeed_is_left_to_the_next_look() {
    let cases = [
        (Outcome::Throttled(answer("RequestLimitExceeded")), Code::Throttled),
        (Outcome::Failed(answer("UnauthorizedOperation")), Code::CallFailed),
        (Outcome::Unknown(answer("InternalError")), Code::OutcomeUnknown),
        (Outcome::Gone(answer("InvalidAMIID.NotFound")), Code::ArtefactGone),
    ];
    for (outcome, code) in cases {
        let decision = correct(look("at-rest", "crash", mins(10))).conclude(outcome);
        assert_eq!(decision.commands, []);
        assert_eq!(codes_said(&decision), [code]);
    }
}

fn assert_goes_on_with_a_finding(decision: &Decision) {
    assert!(matches!(only_call(decision), Call::RegisterImage(_)));
    let Point { grade, findings, .. } = point_in(decision);
    assert_eq!(grade, Some(Grade::Crash));
    let codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::GradeNotCorrected]);
}

#[test]
fn what_ec2_never_takes_keeps_no_image_from_being_made_and_is_told() {
    let correct = correct(look("at-rest", "crash", mins(10)));
    let refused = Outcome::Refused(answer("InvalidParameter"));
    assert_goes_on_with_a_finding(&correct.conclude(refused));
    let decision = look("at-rest", "crash", hours(24));
    assert_goes_on_with_a_finding(&decision);
    let findings = point_in(&decision).findings;
    assert!(findings[0].text.contains(&snap(11).to_string()), "{findings:?} {NAME}");
}
