//! The tick of every minute, one at a time.

use afterimage_core::command::{Command, Cursor, Decision};
use afterimage_core::flow::backup_tick::{Input, Slots, decide, due};
use afterimage_core::flow::{InForce, Unreadable};
use afterimage_core::machine::{Instance, State};
use afterimage_core::point::Point;
use afterimage_core::policy::{CatchUp, Trigger};
use afterimage_core::reason::Code;

use crate::ledger::Ledger;
use crate::{at, check, in_force, machine, region, tags};

const DAILY: &str = "
policies:
  gold:
    select: {regions: [us-east-1, eu-west-1], tags: {backup: gold}}
    triggers:
      - schedule: cron(0 2 * * ? *)
        timezone: Asia/Ho_Chi_Minh
";

/// A policy with these schedules, each looked after up to `done_until`.
fn schedules(schedules: &[(&str, &str)], done_until: &str) -> InForce {
    let triggers: String = schedules
        .iter()
        .map(|(schedule, zone)| format!("{{schedule: \"{schedule}\", timezone: {zone}}}, "))
        .collect();
    let mut in_force = in_force(&format!(
        "policies: {{gold: {{select: {{regions: [us-east-1], tags: {{backup: gold}}}}, \
         triggers: [{triggers}]}}}}"
    ));
    for (schedule, zone) in schedules {
        in_force.cursors.push(cursor(&format!("{schedule} {zone}"), done_until));
    }
    in_force
}

fn cursor(schedule: &str, done_until: &str) -> Cursor {
    let policy = "gold".to_string().try_into().expect("a policy name");
    // As an earlier release wrote it, for all regions.
    Cursor { policy, schedule: schedule.into(), region: None, done_until: at(done_until) }
}

fn tick(in_force: &InForce, now: &str, instances: &[Instance]) -> Decision {
    tick_without(&[], in_force, now, instances)
}

/// A tick at which these regions do not answer.
fn tick_without(
    unread: &[&str],
    in_force: &InForce,
    now: &str,
    instances: &[Instance],
) -> Decision {
    decide(&Input {
        now: at(now),
        due: due(in_force, at(now)),
        instances: instances.to_vec(),
        unread: unread.iter().map(|name| region(name)).collect(),
        unreadable: in_force.unreadable.clone(),
    })
}

#[test]
fn a_slot_that_has_come_is_asked_for_before_it_is_looked_after_and_workers_are_woken_last() {
    let mut in_force = in_force(DAILY);
    in_force.cursors.push(cursor("cron(0 2 * * ? *) Asia/Ho_Chi_Minh", "2026-01-01T19:00:00Z"));
    let mut other = machine(5, "us-east-1", State::Running);
    other.tags = tags(&[("backup", "silver")]);
    let instances = [
        machine(1, "us-east-1", State::Running),
        machine(2, "us-east-1", State::Stopped),
        machine(3, "us-east-1", State::Terminated),
        machine(4, "us-east-1", State::ShuttingDown),
        other,
        machine(6, "eu-west-1", State::Running),
        machine(7, "eu-central-1", State::Running),
    ];
    check(
        &tick(&in_force, "2026-01-02T19:00:20Z", &instances),
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-at-20260102T190000Z: new -> requested, \
             due 2026-01-02T19:00:20Z [latest]",
            "~ gold-0aaaaaaaaaaaaaaa2-at-20260102T190000Z: new -> requested, \
             due 2026-01-02T19:00:20Z [latest]",
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in us-east-1 until 2026-01-02T19:00:00Z",
            "~ gold-0aaaaaaaaaaaaaaa6-at-20260102T190000Z: new -> requested, \
             due 2026-01-02T19:00:20Z [latest]",
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in eu-west-1 until 2026-01-02T19:00:00Z",
            "> snapshot eu-west-1",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-at-20260102T190000Z: slot 2026-01-02T19:00:00Z of \
             cron(0 2 * * ? *) Asia/Ho_Chi_Minh is due (slot-due)",
            "- gold-0aaaaaaaaaaaaaaa2-at-20260102T190000Z: slot 2026-01-02T19:00:00Z of \
             cron(0 2 * * ? *) Asia/Ho_Chi_Minh is due (slot-due)",
            "- gold-0aaaaaaaaaaaaaaa6-at-20260102T190000Z: slot 2026-01-02T19:00:00Z of \
             cron(0 2 * * ? *) Asia/Ho_Chi_Minh is due (slot-due)",
        ],
    );
}

#[test]
fn a_schedule_that_is_seen_for_the_first_time_makes_up_for_nothing() {
    check(
        &tick(&in_force(DAILY), "2026-01-02T19:00:20Z", &[machine(1, "us-east-1", State::Running)]),
        &[
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in us-east-1 until 2026-01-02T19:00:20Z",
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in eu-west-1 until 2026-01-02T19:00:20Z",
        ],
    );
}

#[test]
fn the_cursor_of_another_schedule_or_zone_is_not_this_ones() {
    let mut in_force = in_force(DAILY);
    in_force.cursors.push(cursor("cron(0 3 * * ? *) Asia/Ho_Chi_Minh", "2026-01-01T19:00:00Z"));
    in_force.cursors.push(cursor("cron(0 2 * * ? *) UTC", "2026-01-01T19:00:00Z"));
    check(
        &tick(&in_force, "2026-01-02T19:00:20Z", &[machine(1, "us-east-1", State::Running)]),
        &[
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in us-east-1 until 2026-01-02T19:00:20Z",
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in eu-west-1 until 2026-01-02T19:00:20Z",
        ],
    );
}

#[test]
fn a_tick_at_which_nothing_is_due_does_nothing() {
    let in_force = schedules(&[("cron(0 2 * * ? *)", "UTC")], "2026-01-02T02:00:00Z");
    for now in ["2026-01-02T02:00:00Z", "2026-01-02T01:59:59Z", "2026-01-03T01:59:59.999Z"] {
        check(&tick(&in_force, now, &[machine(1, "us-east-1", State::Running)]), &[]);
    }
}

#[test]
fn a_slot_for_which_no_machine_is_there_is_looked_after_all_the_same() {
    let in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T02:00:00Z");
    check(
        &tick(&in_force, "2026-01-02T03:00:00Z", &[]),
        &["= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T03:00:00Z"],
    );
}

#[test]
fn two_schedules_of_a_policy_that_come_to_the_same_instant_ask_for_one_point() {
    let both = [("cron(0 2 * * ? *)", "UTC"), ("rate(1 hour)", "UTC")];
    let in_force = schedules(&both, "2026-01-02T01:00:00Z");
    check(
        &tick(&in_force, "2026-01-02T02:00:01Z", &[machine(1, "us-east-1", State::Running)]),
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: new -> requested, \
             due 2026-01-02T02:00:01Z [latest]",
            "= gold cron(0 2 * * ? *) UTC in us-east-1 until 2026-01-02T02:00:00Z",
            "= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T02:00:00Z",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: slot 2026-01-02T02:00:00Z of \
             cron(0 2 * * ? *) UTC is due (slot-due)",
        ],
    );
}

#[test]
fn a_schedule_that_a_policy_names_twice_is_one() {
    // A file may not say it twice; the ledger may hold what an earlier release let through.
    let mut in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    let trigger = in_force.policies[0].triggers[0].clone();
    in_force.policies[0].triggers.push(trigger);
    check(
        &tick(&in_force, "2026-01-02T02:00:01Z", &[]),
        &["= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T02:00:00Z"],
    );
}

#[test]
fn two_policies_on_one_machine_have_a_point_each() {
    let mut in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    let mut second = in_force.policies[0].clone();
    second.name = "hourly".to_string().try_into().expect("a policy name");
    in_force.cursors.push(Cursor { policy: second.name.clone(), ..in_force.cursors[0].clone() });
    in_force.policies.push(second);
    check(
        &tick(&in_force, "2026-01-02T02:00:01Z", &[machine(1, "us-east-1", State::Running)]),
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: new -> requested, \
             due 2026-01-02T02:00:01Z [latest]",
            "= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T02:00:00Z",
            "~ hourly-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: new -> requested, \
             due 2026-01-02T02:00:01Z [latest]",
            "= hourly rate(1 hour) UTC in us-east-1 until 2026-01-02T02:00:00Z",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: slot 2026-01-02T02:00:00Z of \
             rate(1 hour) UTC is due (slot-due)",
            "- hourly-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: slot 2026-01-02T02:00:00Z of \
             rate(1 hour) UTC is due (slot-due)",
        ],
    );
}

#[test]
fn slots_that_were_missed_collapse_into_the_last_one() {
    let in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    check(
        &tick(&in_force, "2026-01-02T05:59:00Z", &[machine(1, "us-east-1", State::Running)]),
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-at-20260102T050000Z: new -> requested, \
             due 2026-01-02T05:59:00Z [latest]",
            "= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T05:00:00Z",
            "> snapshot us-east-1",
            "- gold in us-east-1: 3 earlier slots of rate(1 hour) UTC were missed; slot \
             2026-01-02T05:00:00Z stands for them (slots-collapsed)",
            "- gold-0aaaaaaaaaaaaaaa1-at-20260102T050000Z: slot 2026-01-02T05:00:00Z of \
             rate(1 hour) UTC is due (slot-due)",
        ],
    );
}

#[test]
fn slots_are_made_up_for_however_long_nothing_ran() {
    // schedule, looked after up to, now, the slot that is imaged, how many collapse into it.
    let table = [
        ("cron(0 2 * * ? *)", "2026-01-01T02:00:00Z", "2026-01-31T12:00:00Z", "2026-01-31", 29),
        ("cron(* * * * ? *)", "2026-01-01T02:00:00Z", "2026-01-31T02:00:59Z", "2026-01-31", 43_199),
        ("rate(1 minute)", "2026-01-01T02:00:00Z", "2026-01-31T02:00:59Z", "2026-01-31", 43_199),
        ("cron(0 2 1 * ? *)", "2025-12-01T02:00:00Z", "2026-01-30T02:00:01Z", "2026-01-01", 0),
        ("cron(0 2 1 1 ? *)", "2016-01-01T02:00:00Z", "2026-11-01T00:00:00Z", "2026-01-01", 9),
    ];
    for (schedule, done_until, now, day, earlier) in table {
        let due = due(&schedules(&[(schedule, "UTC")], done_until), at(now));
        let [due] = &due[..] else { panic!("{schedule}: {due:?}") };
        let last = at(&format!("{day}T02:00:00Z"));
        let seen = (due.image, due.missed, due.cursor.done_until);
        assert_eq!(seen, (Some(Slots { last, earlier }), None, last), "{schedule}");
    }
}

#[test]
fn more_slots_than_one_tick_looks_after_are_left_to_the_next() {
    let mut in_force = schedules(&[("rate(1 minute)", "UTC")], "2020-01-01T00:00:00Z");
    let now = at("2023-01-01T00:00:00Z");
    let mut counted = 0;
    while let [due] = &due(&in_force, now)[..] {
        let slots = due.image.expect("some have come");
        assert_eq!(slots.last, due.cursor.done_until);
        counted += slots.earlier + 1;
        in_force.cursors = vec![due.cursor.clone()];
    }
    // Three years, of which one had a day more.
    assert_eq!((in_force.cursors[0].done_until, counted), (now, (3 * 365 + 1) * 24 * 60));
}

/// The same in force, with nothing made up for.
fn catch_up_none(mut in_force: InForce) -> InForce {
    for trigger in in_force.policies.iter_mut().flat_map(|policy| &mut policy.triggers) {
        let Trigger::Schedule(timed) = trigger else { continue };
        *timed = timed.clone().with_catch_up(CatchUp::None);
    }
    in_force
}

#[test]
fn slots_that_nothing_makes_up_for_are_recorded_as_one_that_was_missed() {
    let hourly = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    let running = [machine(1, "us-east-1", State::Running)];
    check(
        &tick(&catch_up_none(hourly), "2026-01-02T05:59:00Z", &running),
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-at-20260102T050000Z: new -> missed: slot \
             2026-01-02T05:00:00Z of rate(1 hour) UTC was missed (and 3 before it): no function \
             could look at the machines in time, and the schedule says `catch_up: none` \
             (slots-missed) [latest]",
            "= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T05:00:00Z",
            "- gold-0aaaaaaaaaaaaaaa1-at-20260102T050000Z: slot 2026-01-02T05:00:00Z of \
             rate(1 hour) UTC was missed (and 3 before it): no function could look at the \
             machines in time, and the schedule says `catch_up: none` (slots-missed)",
        ],
    );
}

#[test]
fn a_slot_that_is_a_few_minutes_old_was_not_missed() {
    let in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    let in_force = catch_up_none(in_force);
    let running = [machine(1, "us-east-1", State::Running)];
    // now, and the slots that are imaged and missed, each with how many before it.
    let table = [
        ("2026-01-02T02:00:00Z", Some((2, 0)), None),
        ("2026-01-02T02:05:00Z", Some((2, 0)), None),
        ("2026-01-02T02:05:01Z", None, Some((2, 0))),
        ("2026-01-02T05:04:59Z", Some((5, 0)), Some((4, 2))),
        ("2026-01-02T05:05:01Z", None, Some((5, 3))),
    ];
    for (now, image, missed) in table {
        let slots = |slots: Option<(i32, usize)>| {
            slots.map(|(hour, earlier)| Slots {
                last: at(&format!("2026-01-02T{hour:02}:00:00Z")),
                earlier,
            })
        };
        let due = due(&in_force, at(now));
        let [due] = &due[..] else { panic!("{now}: {due:?}") };
        assert_eq!((due.image, due.missed), (slots(image), slots(missed)), "{now}");
        let wakes = tick(&in_force, now, &running)
            .commands
            .iter()
            .any(|command| matches!(command, Command::Wake(_)));
        assert_eq!(wakes, image.is_some(), "{now}: for what is missed nobody is woken");
    }
}

#[test]
fn a_slot_that_another_schedule_of_the_policy_images_is_not_missed() {
    let both = [("rate(1 hour)", "UTC"), ("rate(2 hours)", "UTC")];
    let mut in_force = schedules(&both, "2026-01-02T01:00:00Z");
    let Trigger::Schedule(timed) = &mut in_force.policies[0].triggers[0] else { panic!() };
    *timed = timed.clone().with_catch_up(CatchUp::None);
    check(
        &tick(&in_force, "2026-01-02T02:30:00Z", &[machine(1, "us-east-1", State::Running)]),
        &[
            "= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T02:00:00Z",
            "~ gold-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: new -> requested, \
             due 2026-01-02T02:30:00Z [latest]",
            "= gold rate(2 hours) UTC in us-east-1 until 2026-01-02T02:00:00Z",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-at-20260102T020000Z: slot 2026-01-02T02:00:00Z of \
             rate(2 hours) UTC is due (slot-due)",
        ],
    );
}

/// The points that a tick asks for.
fn asked(decision: &Decision) -> Vec<Point> {
    let mut ledger = Ledger::default();
    ledger.keep(decision);
    ledger.points.into_values().collect()
}

#[test]
fn a_point_knows_until_when_it_may_wait_and_what_it_stands_for() {
    let mut in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    let running = [machine(1, "us-east-1", State::Running)];
    let [point] = &asked(&tick(&in_force, "2026-01-02T02:00:20Z", &running))[..] else { panic!() };
    assert_eq!(point.until, Some(at("2026-01-02T06:00:20Z")), "four hours, unless it is said");
    assert_eq!(point.findings, []);
    let Trigger::Schedule(timed) = &mut in_force.policies[0].triggers[0] else { panic!() };
    *timed = timed.clone().with_window(90 * 60);
    let [point] = &asked(&tick(&in_force, "2026-01-02T03:00:20Z", &running))[..] else { panic!() };
    assert_eq!(point.until, Some(at("2026-01-02T04:30:20Z")));
    let [finding] = &point.findings[..] else { panic!("{point:?}") };
    let said =
        "1 earlier slot of rate(1 hour) UTC was missed; slot 2026-01-02T03:00:00Z stands for it";
    assert_eq!((finding.code, finding.text.as_str()), (Code::SlotsCollapsed, said));
}

#[test]
fn what_is_due_where_a_region_does_not_answer_stays_due() {
    let mut in_force = in_force(DAILY);
    in_force.cursors.push(cursor("cron(0 2 * * ? *) Asia/Ho_Chi_Minh", "2026-01-01T19:00:00Z"));
    let here = [machine(1, "us-east-1", State::Running)];
    check(
        &tick_without(&["eu-west-1"], &in_force, "2026-01-02T19:00:20Z", &here),
        &[
            "~ gold-0aaaaaaaaaaaaaaa1-at-20260102T190000Z: new -> requested, \
             due 2026-01-02T19:00:20Z [latest]",
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in us-east-1 until 2026-01-02T19:00:00Z",
            "> snapshot us-east-1",
            "- gold-0aaaaaaaaaaaaaaa1-at-20260102T190000Z: slot 2026-01-02T19:00:00Z of \
             cron(0 2 * * ? *) Asia/Ho_Chi_Minh is due (slot-due)",
        ],
    );
    // A region of other policies is none of its business.
    let decision = tick_without(&["eu-north-1"], &in_force, "2026-01-02T19:00:20Z", &here);
    assert!(matches!(decision.commands[1], Command::Advance(_)), "{decision:?}");
    // A schedule that is seen for the first time begins, whatever its regions answer.
    in_force.cursors.clear();
    check(
        &tick_without(&["eu-west-1"], &in_force, "2026-01-02T19:00:20Z", &here),
        &[
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in us-east-1 until 2026-01-02T19:00:20Z",
            "= gold cron(0 2 * * ? *) Asia/Ho_Chi_Minh in eu-west-1 until 2026-01-02T19:00:20Z",
        ],
    );
}

/// Keeps the cursors that a decision advances, as the ledger does.
fn keep(in_force: &mut InForce, decision: &Decision) {
    for command in &decision.commands {
        let Command::Advance(cursor) = command else { continue };
        let key = |cursor: &Cursor| {
            (cursor.policy.clone(), cursor.schedule.clone(), cursor.region.clone())
        };
        in_force.cursors.retain(|kept| key(kept) != key(cursor));
        in_force.cursors.push(cursor.clone());
    }
}

/// Ireland does not answer at two, three and four o'clock. A machine here is there from three on.
fn ireland_is_dark(catch_up: CatchUp, code: Code) {
    let hourly = DAILY.replace("cron(0 2 * * ? *)", "rate(1 hour)");
    let mut in_force = in_force(&hourly.replace("Asia/Ho_Chi_Minh", "UTC"));
    in_force.cursors.push(cursor("rate(1 hour) UTC", "2026-01-02T01:00:00Z"));
    if catch_up == CatchUp::None {
        in_force = catch_up_none(in_force);
    }
    let here = [machine(1, "us-east-1", State::Running)];
    for (hour, machines) in [(2, &[][..]), (3, &here[..]), (4, &here[..])] {
        let now = format!("2026-01-02T{hour:02}:00:20Z");
        let decision = tick_without(&["eu-west-1"], &in_force, &now, machines);
        let points = asked(&decision);
        assert_eq!(points.len(), machines.len(), "{now}");
        let is_told = |point: &Point| point.reason.is_some() || !point.findings.is_empty();
        assert!(!points.iter().any(is_told), "nothing was late here: {points:#?}");
        keep(&mut in_force, &decision);
        let now = format!("2026-01-02T{hour:02}:30:20Z");
        check(&tick_without(&["eu-west-1"], &in_force, &now, machines), &[]);
    }
    let all = [here[0].clone(), machine(6, "eu-west-1", State::Running)];
    let decision = tick(&in_force, "2026-01-02T04:40:00Z", &all);
    let [point] = &asked(&decision)[..] else { panic!("{decision:#?}") };
    assert_eq!(point.home, region("eu-west-1"));
    let told = point.findings.iter().chain(&point.reason);
    let codes: Vec<Code> = told.map(|reason| reason.code).collect();
    assert_eq!(codes, [code]);
    keep(&mut in_force, &decision);
    check(&tick(&in_force, "2026-01-02T04:41:00Z", &all), &[]);
}

#[test]
fn a_region_that_does_not_answer_is_made_up_for_alone_and_the_others_go_on() {
    ireland_is_dark(CatchUp::Latest, Code::SlotsCollapsed);
    ireland_is_dark(CatchUp::None, Code::SlotsMissed);
}

#[test]
fn a_region_that_has_a_cursor_of_its_own_does_not_go_by_that_of_an_earlier_release() {
    let mut in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    let region = Some(region("us-east-1"));
    in_force.cursors.push(Cursor { region, ..cursor("rate(1 hour) UTC", "2026-01-02T02:00:00Z") });
    check(
        &tick(&in_force, "2026-01-02T02:30:00Z", &[machine(1, "us-east-1", State::Running)]),
        &[],
    );
}

#[test]
fn nights_on_which_clocks_change_have_their_slot_once() {
    // schedule, looked after up to, now, the slot that is due.
    let table = [
        // New York, 8 March: there is no 02:30, so that it is due at the jump, 07:00 UTC.
        ("cron(30 2 * * ? *)", "2026-03-07T07:30:00Z", "2026-03-08T06:59:59Z", None),
        (
            "cron(30 2 * * ? *)",
            "2026-03-07T07:30:00Z",
            "2026-03-08T07:00:10Z",
            Some("2026-03-08T07:00:00Z"),
        ),
        ("cron(30 2 * * ? *)", "2026-03-08T07:00:00Z", "2026-03-09T06:29:59Z", None),
        // 1 November: 01:30 comes at 05:30 UTC and again at 06:30 UTC.
        (
            "cron(30 1 * * ? *)",
            "2026-10-31T05:30:00Z",
            "2026-11-01T05:30:10Z",
            Some("2026-11-01T05:30:00Z"),
        ),
        ("cron(30 1 * * ? *)", "2026-11-01T05:30:00Z", "2026-11-01T06:30:10Z", None),
    ];
    for (schedule, done_until, now, slot) in table {
        let in_force = schedules(&[(schedule, "America/New_York")], done_until);
        let seen: Vec<_> =
            due(&in_force, at(now)).iter().filter_map(|due| Some(due.image?.last)).collect();
        let expected: Vec<_> = slot.into_iter().map(at).collect();
        assert_eq!(seen, expected, "{schedule} at {now}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_told_and_the_others_go_on() {
    let mut in_force = schedules(&[("rate(1 hour)", "UTC")], "2026-01-02T01:00:00Z");
    let why = "missing field `select`".to_string();
    in_force.unreadable.push(Unreadable { name: "silver".into(), why });
    check(
        &tick(&in_force, "2026-01-02T02:00:01Z", &[]),
        &[
            "= gold rate(1 hour) UTC in us-east-1 until 2026-01-02T02:00:00Z",
            "- silver: missing field `select` (policy-unreadable)",
        ],
    );
}
