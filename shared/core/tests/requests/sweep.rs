//! The sweep: workers of what is overdue, and how often it looks through everything.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::command::{Command, Finding};
use afterimage_core::flow::artefact_audit::Tagged;
use afterimage_core::flow::held::KeysInUse;
use afterimage_core::flow::reconcile_tick::{Input, decide, is_time_to_look};
use afterimage_core::flow::stands_still::{Overdue, conclude};
use afterimage_core::flow::unread_regions::late;
use afterimage_core::flow::waiting::Waiting;
use afterimage_core::flow::{InForce, backup_tick};
use afterimage_core::machine::State;
use afterimage_core::policy::Trigger;
use afterimage_core::reason::{Code, Reason};
use afterimage_core::still::StillWork;
use afterimage_core::unaudited::{Unaudited, UnreadKeys};
use afterimage_core::work::{Kind, Queue};

use crate::{at, check, in_force, machine, region};

fn queue(place: &str, kind: Kind) -> Queue {
    Queue { region: region(place), kind }
}

/// A sweep that finds nothing.
pub fn quiet() -> Input {
    Input {
        now: at("2026-01-06T20:00:05Z"),
        went_back: Default::default(),
        gaps: Default::default(),
        in_force: InForce::default(),
        overdue: Vec::new(),
        stopped: Vec::new(),
        summaries: BTreeMap::new(),
        tag_requests: Default::default(),
        waiting: Waiting::default(),
        tagged: None,
        ended: Default::default(),
        wanted_again: Default::default(),
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

#[test]
fn a_region_that_three_audits_could_not_read_is_told_once_until_it_is_read_again() {
    let away = region("eu-west-1");
    let unread =
        |since: &str| Unaudited { since: at(since), answer: "no".to_string(), unconfirmed: 0 };
    let told = Finding {
        region: away.clone(),
        artefact: "audit".into(),
        reason: Reason::new(Code::NotAudited, "as it was told"),
        seen_at: at("2026-01-06T19:00:00Z"),
    };
    let look = |before: Option<&str>, is_read: bool, known: &[Finding]| {
        let in_force = InForce {
            looked_at: Some(at("2026-01-06T19:00:00Z")),
            unaudited: before.map(|since| (away.clone(), unread(since))).into_iter().collect(),
            ..InForce::default()
        };
        let answer = (!is_read).then(|| (away.clone(), "no".to_string()));
        let unread = answer.into_iter().collect();
        let tagged = Some(Tagged { unread, known: known.to_vec(), ..Tagged::default() });
        decide(&Input { in_force, tagged, ..quiet() })
    };
    let looked = |since: &str| {
        format!("= looked at 2026-01-06T20:00:05Z, but not at eu-west-1 since {since}")
    };
    check(&look(None, false, &[]), &[&looked("2026-01-06T19:00:00Z")]);
    let since = "2026-01-06T17:00:06Z";
    check(&look(Some(since), false, &[]), &[&looked(since)]);
    let since = "2026-01-06T17:00:05Z";
    let finding = "! eu-west-1 audit: the images and snapshots in eu-west-1 were last looked at \
                   2026-01-06 17:00 UTC. Since then the region does not answer: no. What `status` \
                   says of eu-west-1 was true then; a loss since then is not known. If a policy \
                   forbids it, allow the functions ec2:DescribeImages, ec2:DescribeSnapshots and \
                   ec2:DescribeInstances there (not-audited)";
    check(&look(Some(since), false, &[]), &[finding, &looked(since)]);
    check(&look(Some(since), false, std::slice::from_ref(&told)), &[&looked(since)]);
    let over = "= eu-west-1 audit: no longer not-audited";
    check(&look(Some(since), true, &[told]), &[over, "= looked at 2026-01-06T20:00:05Z"]);
}

/// The number of keys is that of the last audit.
#[test]
fn keys_that_three_audits_could_not_read_are_told_as_the_last_audit_found_them() {
    let away = region("eu-west-1");
    let look = |keys: &[&str], known: &[Finding]| {
        let arns: BTreeSet<String> = keys.iter().map(ToString::to_string).collect();
        let first = keys.iter().take(1).map(ToString::to_string).collect();
        let (since, answer) = (at("2026-01-06T17:00:05Z"), "an earlier answer".to_string());
        let unread = UnreadKeys { since, answer, arns: first };
        let unanswered = arns.iter().map(|arn| (arn.clone(), "no".to_string())).collect();
        let in_use = KeysInUse { arns, unanswered, ..KeysInUse::default() };
        let in_force = InForce {
            looked_at: Some(at("2026-01-06T19:00:00Z")),
            unread_keys: [(away.clone(), unread)].into(),
            ..InForce::default()
        };
        let keys = [(away.clone(), in_use)].into();
        let tagged = Some(Tagged { keys, known: known.to_vec(), ..Tagged::default() });
        decide(&Input { in_force, tagged, ..quiet() }).commands
    };
    let first = look(&["key-1"], &[]);
    let [Command::Report(one), Command::Looked(..)] = &first[..] else { panic!("{first:?}") };
    assert!(one.reason.text.starts_with("the state of 1 key in eu-west-1 is not known since"));
    let told = std::slice::from_ref(one);
    let same = look(&["key-1"], told);
    assert!(matches!(&same[..], [Command::Looked(..)]), "it is told once: {same:?}");
    let more = look(&["key-1", "key-2"], told);
    let [Command::Reword(two), Command::Looked(..)] = &more[..] else { panic!("{more:?}") };
    assert!(two.reason.text.starts_with("the state of 2 keys in eu-west-1 is not known since"));
}

#[test]
fn without_any_audit_no_region_is_known_to_be_as_the_ledger_has_it() {
    let now = at("2026-01-06T20:00:05Z");
    let late = |looked_at: Option<&str>| {
        let regions = vec![region("eu-west-1"), region("us-east-1")];
        let looked_at = looked_at.map(at);
        late(&InForce { looked_at, regions, ..InForce::default() }, now).len()
    };
    assert_eq!(late(None), 0, "it has just been deployed");
    assert_eq!(late(Some("2026-01-06T17:00:06Z")), 0);
    assert_eq!(late(Some("2026-01-06T17:00:05Z")), 2);
}

/// Work that is overdue is still if no worker has claimed a look for an hour either. A person is
/// told at the second audit in a row, and again when the text has changed.
#[test]
fn work_at_which_nobody_is_is_told_at_the_second_audit_until_it_moves() {
    let home = region("us-east-1");
    let look = |since: &str, claimed_until: Option<&str>, audits: u32, known: &[Finding]| {
        let (since, claimed_until) = (at(since), claimed_until.map(at));
        let work = StillWork { since, kinds: [Kind::Copy].into(), slots: false, audits };
        let still = (audits > 0).then(|| (home.clone(), work)).into_iter().collect();
        let queue = queue("us-east-1", Kind::Copy);
        let overdue = vec![Overdue { queue, since, claimed_until }];
        let tagged = Tagged { overdue, known: known.to_vec(), ..Tagged::default() };
        let in_force = InForce { still, ..InForce::default() };
        decide(&Input { in_force, tagged: Some(tagged), ..quiet() })
    };
    let (recent, old) = ("2026-01-06T19:00:06Z", "2026-01-06T19:00:05Z");
    let quiet = "= looked at 2026-01-06T20:00:05Z";
    let still = &format!("{quiet}, us-east-1 is still since {old}");
    check(&look(recent, None, 1, &[]), &[quiet]);
    check(&look(old, Some(recent), 1, &[]), &[quiet]);
    check(&look(old, Some(old), 0, &[]), &[still]);
    let told = format!("! us-east-1: copies of images since {old} not done");
    let decision = look(old, Some(old), 1, &[]);
    check(&decision, &[&told, still]);
    let Command::TellStill(work) = &decision.commands[0] else { panic!("{decision:?}") };
    let Some(Command::Report(finding)) = conclude(work, Some("no")) else { panic!("{work:?}") };
    assert!(finding.reason.text.contains("refuses the events that wake the workers: no. Allow"));
    let Some(Command::Report(silent)) = conclude(work, None) else { panic!("{work:?}") };
    assert!(silent.reason.text.contains("takes the events"), "{silent:?}");

    let told = |refused| match &look(old, None, 2, std::slice::from_ref(&finding)).commands[0] {
        Command::TellStill(work) => conclude(work, refused),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(Some("no")), None, "it is told once");
    assert!(matches!(told(None), Some(Command::Reword(_))), "the cause is another now");
    let over = "= us-east-1 work: no longer work-stands-still";
    check(&look(recent, None, 2, &[finding]), &[over, quiet]);
}

#[test]
fn work_in_a_region_that_does_not_answer_is_not_told_of_twice() {
    let (since, queue) = (at("2026-01-06T17:00:05Z"), queue("eu-west-1", Kind::Copy));
    let overdue = vec![Overdue { queue, since, claimed_until: None }];
    let unread = [(region("eu-west-1"), "no".to_string())].into();
    let tagged = Some(Tagged { overdue, unread, ..Tagged::default() });
    let expected = "= looked at 2026-01-06T20:00:05Z, but not at eu-west-1 since \
                    2026-01-06T20:00:05Z";
    check(&decide(&Input { tagged, ..quiet() }), &[expected]);
}

#[test]
fn slots_that_came_an_hour_ago_and_are_not_requested_stand_still() {
    let policies = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(0 0/6 * * ? *), timezone: UTC}]
";
    let look = |done_until: &str| {
        let mut in_force = in_force(policies);
        let (policy, region) = (&in_force.policies[0], region("us-east-1"));
        let Trigger::Schedule(timed) = &policy.triggers[0] else { panic!("{policy:?}") };
        let cursor = backup_tick::cursor(policy, timed, &region, at(done_until));
        in_force.cursors = vec![cursor];
        decide(&Input { in_force, tagged: Some(Tagged::default()), ..quiet() }).commands
    };
    let still = |commands: &[Command]| match commands.last() {
        Some(Command::Looked(.., still)) => still.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(still(&look("2026-01-06T18:00:00Z")), [].into());
    let found = still(&look("2026-01-06T06:00:00Z"));
    let work = &found[&region("us-east-1")];
    assert_eq!((work.since, work.slots), (at("2026-01-06T12:00:00Z"), true));
    assert_eq!(work.what(), "points of schedules");
}
