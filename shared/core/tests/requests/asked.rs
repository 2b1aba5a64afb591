//! Points that somebody asks for: by a tag, as its event tells and as the sweep sees it, and by
//! hand.

use std::collections::BTreeMap;

use afterimage_core::command::{Change, Command, Consume, Decision, Record};
use afterimage_core::flow::on_demand::{RequestCounters, TagRequests, by_hand, record_of};
use afterimage_core::flow::work_requested::hinted;
use afterimage_core::flow::{InForce, InstanceTagged, Unreadable, instance_tagged, reconcile_tick};
use afterimage_core::hint::{Hint, Hinted};
use afterimage_core::limits::SETTLE;
use afterimage_core::machine::{Instance, State};
use afterimage_core::names::{TAG_ANSWER, TAG_ASK};
use afterimage_core::point::Point;
use afterimage_core::reason::Code;
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::slot::PointId;
use jiff::{SignedDuration, Timestamp};

use crate::sweep::quiet;
use crate::{at, check, in_force, machine, tags};

const GOLD: &str = "
policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
      exclude_tags: {backup-pause: \"*\"}
    triggers: [{on: tag}]
  silver:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
  nightly:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 day), timezone: UTC}]
  iron:
    select: {regions: [us-east-1], tags: {backup: iron}}
    triggers: [{on: tag}]
  far:
    select: {regions: [eu-west-1], tags: {backup: gold}}
    triggers: [{on: tag}]
";

const NOW: &str = "2026-01-06T20:00:05Z";

/// A machine that asks, and the ledger; what functions decide is carried out here, and may end
/// after any step.
struct World {
    now: Timestamp,
    in_force: InForce,
    machine: Instance,
    points: BTreeMap<PointId, Point>,
    asked: RequestCounters,
    answers: Vec<String>,
}

impl World {
    fn new() -> World {
        World {
            now: at(NOW),
            in_force: in_force(GOLD),
            machine: machine(1, "us-east-1", State::Running),
            points: BTreeMap::new(),
            asked: RequestCounters::new(),
            answers: Vec::new(),
        }
    }

    /// One whose machine carries a request.
    fn asking(value: &str) -> World {
        let mut world = World::new();
        world.put(value);
        world
    }

    fn put(&mut self, value: &str) {
        self.machine.tags.insert(TAG_ASK.to_string(), value.to_string());
    }

    fn tag(&self) -> Option<&str> {
        self.machine.tags.get(TAG_ASK).map(String::as_str)
    }

    fn later(&mut self, by: SignedDuration) {
        self.now = self.now.checked_add(by).expect("an instant");
    }

    /// What the hint of the event leads to, as everything is now, up to removing the hint.
    fn event(&self) -> Decision {
        let (region, instance) = (self.machine.region.clone(), self.machine.id.clone());
        let hint = Hint { region, instance, hinted: Hinted::Tagged, at: self.now };
        let mut decision = hinted::decide(&hinted::Input {
            now: self.now,
            hints: vec![hint.clone()],
            in_force: self.in_force.clone(),
            machines: [(self.machine.id.clone(), self.machine.clone())].into(),
            summaries: BTreeMap::new(),
            waiting: Vec::new(),
            counters: self.counters(),
        });
        assert_eq!(decision.commands.pop(), Some(Command::Forget(hint)));
        decision
    }

    fn sweep(&self) -> Decision {
        let machines = self.tag().map(|_| self.machine.clone()).into_iter().collect();
        let is_due = |asked: &&RequestCounter| {
            asked.pending.as_ref().is_some_and(|pending| pending.due_at <= self.now)
        };
        let abandoned = self.asked.values().filter(is_due).cloned().collect();
        reconcile_tick::decide(&reconcile_tick::Input {
            now: self.now,
            in_force: self.in_force.clone(),
            tag_requests: TagRequests { machines, counters: self.counters(), abandoned },
            ..quiet()
        })
    }

    /// What is read of the ledger for the machine.
    fn counters(&self) -> RequestCounters {
        let record = record_of(&self.machine);
        let found = record.and_then(|key| Some((key.clone(), self.asked.get(&key)?.clone())));
        found.into_iter().collect()
    }

    /// Carries out a decision up to this many steps of each request.
    fn carry_out(&mut self, decision: &Decision, steps: usize) {
        for command in &decision.commands {
            if let Command::Consume(consume) = command {
                self.consume(consume, steps);
            }
        }
    }

    fn consume(&mut self, consume: &Consume, steps: usize) {
        if steps > 0 && !consume.taken.as_ref().is_none_or(|change| self.write(change)) {
            return;
        }
        if steps > 1 && consume.value.is_some() && consume.value.as_deref() == self.tag() {
            self.machine.tags.remove(TAG_ASK);
        }
        let gone = consume.without_tag(self.now).filter(|_| steps > 2);
        if let Some((change, _)) = &gone {
            self.write(change);
        }
        let consume = gone.as_ref().map_or(consume, |(_, rest)| rest);
        if steps > 3 {
            self.answers.extend(consume.answer.clone());
        }
        if steps > 4
            && let Some(change) = consume.consumed(self.now)
        {
            self.write(&change);
        }
    }

    /// All of it or nothing of it, as the ledger does.
    fn write(&mut self, change: &Change) -> bool {
        let fits = change.writes.iter().all(|write| match &write.record {
            Record::Point(point) => write.expected == 0 && !self.points.contains_key(&point.id),
            Record::RequestCounter(asked) => {
                let key = (asked.instance.clone(), asked.policy.clone());
                write.expected == self.asked.get(&key).map_or(0, |asked| asked.version)
            }
            Record::Replica(_)
            | Record::Downtime(_)
            | Record::Roster(_)
            | Record::Obstacles(_)
            | Record::Brake(_) => {
                panic!("nothing is copied or stopped here")
            }
        });
        if fits {
            for write in &change.writes {
                match &write.record {
                    Record::Point(point) => {
                        self.points.insert(point.id.clone(), (**point).clone());
                    }
                    Record::RequestCounter(asked) => {
                        asked.check().expect("it holds");
                        let key = (asked.instance.clone(), asked.policy.clone());
                        self.asked.insert(key, (**asked).clone());
                    }
                    Record::Replica(_)
                    | Record::Downtime(_)
                    | Record::Roster(_)
                    | Record::Obstacles(_)
                    | Record::Brake(_) => {}
                }
            }
        }
        fits
    }

    fn point_names(&self) -> Vec<&str> {
        self.points.keys().map(PointId::as_str).collect()
    }
}

const ALL: usize = 5;

const FIRST: [&str; 3] = [
    "@ us-east-1 i-0aaaaaaaaaaaaaaa1: gold-0aaaaaaaaaaaaaaa1-ask-1: new -> requested, \
     due 2026-01-06T20:00:05Z; gold i-0aaaaaaaaaaaaaaa1: new -> asked 1, \
     due 2026-01-06T20:06:05Z [latest]; takes off gold; \
     answers 2026-01-06T20:00:05Z gold: gold-0aaaaaaaaaaaaaaa1-ask-1",
    "> snapshot us-east-1",
    "- gold-0aaaaaaaaaaaaaaa1-ask-1: requested by a tag on i-0aaaaaaaaaaaaaaa1 \
     (asked-for)",
];

#[test]
fn the_event_of_a_tag_leaves_a_hint_whatever_is_in_force() {
    let Instance { region, id: instance, .. } = World::new().machine;
    let event = InstanceTagged { region, instance };
    let decision = instance_tagged::decide(&instance_tagged::Input { now: at(NOW), event });
    check(&decision, &["? us-east-1 i-0aaaaaaaaaaaaaaa1 tagged", "> snapshot us-east-1"]);
}

#[test]
fn a_tag_that_names_a_policy_of_the_machine_asks_for_a_point() {
    check(&World::asking("gold").event(), &FIRST);
}

#[test]
fn the_sweep_does_what_the_event_would_have_done() {
    check(&World::asking("gold").sweep(), &FIRST);
}

#[test]
fn a_point_that_is_asked_for_waits_four_hours_and_no_longer() {
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), ALL);
    let point = world.points.values().next().expect("it was requested");
    assert_eq!(point.until, Some(at("2026-01-07T00:00:05Z")));
}

#[test]
fn a_request_is_taken_off_and_answered_and_the_next_one_is_another() {
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), ALL);
    assert_eq!(world.tag(), None);
    assert_eq!(world.answers, ["2026-01-06T20:00:05Z gold: gold-0aaaaaaaaaaaaaaa1-ask-1"]);
    world.later(SETTLE);
    check(&world.sweep(), &[]);
    world.put("gold");
    world.carry_out(&world.event(), ALL);
    let names = ["gold-0aaaaaaaaaaaaaaa1-ask-1", "gold-0aaaaaaaaaaaaaaa1-ask-2"];
    assert_eq!(world.point_names(), names);
    assert_eq!(world.tag(), None);
    // Each policy counts its own.
    world.put("silver");
    world.carry_out(&world.event(), ALL);
    assert_eq!(world.point_names().last(), Some(&"silver-0aaaaaaaaaaaaaaa1-ask-1"));
}

#[test]
fn a_policy_that_takes_the_machine_down_hears_one_tag_an_hour() {
    for (consistency, what) in [("stop-start", "stops"), ("reboot", "reboots")] {
        let mode = format!("    consistency: {consistency}\n  silver:");
        let mut world = World::new();
        world.in_force = in_force(&GOLD.replacen("  silver:", &mode, 1));
        world.put("gold");
        world.carry_out(&world.event(), ALL);
        for _ in 0..5 {
            world.later(SETTLE);
            world.put("gold");
            world.carry_out(&world.event(), ALL);
            assert_eq!((world.tag(), world.points.len()), (None, 1));
            let says = format!(
                "refused: policy gold {what} this machine at most once in 1h by tag: set the \
                 tag again from 2026-01-06T21:00:05Z on"
            );
            let answer = world.answers.last().expect("it is answered");
            assert!(answer.ends_with(&says), "{answer}");
        }
        // A policy that leaves it running is not held back by that.
        world.put("silver");
        world.carry_out(&world.event(), ALL);
        assert_eq!(world.points.len(), 2);
        // Five refusals have not put off the time at which it is heard again.
        world.later(SETTLE * 5);
        world.put("gold");
        world.carry_out(&world.sweep(), ALL);
        assert_eq!((world.tag(), world.points.len()), (None, 3));
    }
}

/// What is said of a request that is refused; nothing is requested by it.
#[track_caller]
fn refused(world: World, value: &str, why: &str) {
    let mut world = world;
    world.put(value);
    for decision in [world.event(), world.sweep()] {
        // What a tag cannot hold is written otherwise.
        let plain = why.replace('`', "").replace(';', ":");
        let answer = format!("2026-01-06T20:00:05Z refused: {plain}");
        check(
            &decision,
            &[
                &format!(
                    "@ us-east-1 i-0aaaaaaaaaaaaaaa1: takes off {value}; \
                     answers {answer}"
                ),
                &format!("- i-0aaaaaaaaaaaaaaa1: {why} (request-refused)"),
            ],
        );
    }
    world.carry_out(&world.event(), ALL);
    assert_eq!((world.tag(), world.points.len(), world.asked.len()), (None, 0, 0));
}

#[test]
fn a_value_that_means_no_policy_of_the_machine_is_refused_with_the_reason() {
    refused(World::new(), "glod", "no policy is called glod");
    refused(World::new(), "", "no policy is called ");
    refused(
        World::new(),
        "nightly",
        "policy nightly accepts no requests by tag; add `on: tag` to its triggers",
    );
    refused(World::new(), "far", "policy far covers eu-west-1; this machine is in us-east-1");
    let missing = "policy iron requires tag `backup` = `iron`; this machine has `backup=gold`";
    let mut world = World::new();
    world.put("iron");
    let decision = world.event();
    assert_eq!(decision.explanations[0].reason.text, missing);
    let mut paused = World::new();
    paused.machine.tags.extend(tags(&[("backup-pause", "")]));
    let excluded = "policy gold excludes tag `backup-pause`; this machine has `backup-pause=`";
    refused(paused, "gold", excluded);
    let mut unreadable = World::new();
    let old = Unreadable { name: "old".to_string(), why: "it is empty".to_string() };
    unreadable.in_force.unreadable.push(old);
    unreadable.put("old");
    let refusal = unreadable.event().explanations.pop().expect("it says why").reason;
    assert_eq!((refusal.code, &*refusal.text), (Code::RequestRefused, "policy old cannot be read"));
}

#[test]
fn an_answer_is_a_value_that_a_tag_may_have_whatever_was_asked() {
    let odd = format!("gold, \"please\" <now> {}", "é".repeat(300));
    let mut world = World::asking(&odd);
    world.carry_out(&world.event(), ALL);
    let answer = &world.answers[0];
    assert_eq!(answer.chars().count(), 256);
    assert!(
        answer.starts_with(
            "2026-01-06T20:00:05Z refused: no policy is called gold -please- -now- éé"
        )
    );
}

#[test]
fn whoever_dies_after_any_step_leaves_one_point_and_the_sweep_ends_it() {
    for steps in 0..ALL {
        let mut world = World::asking("gold");
        world.carry_out(&world.event(), steps);
        // The event is delivered again, and the sweep comes by: if the point is there, whoever
        // requested it may still be at it.
        world.later(SignedDuration::from_mins(1));
        world.carry_out(&world.event(), ALL);
        world.carry_out(&world.sweep(), ALL);
        assert_eq!(world.tag().is_some(), steps == 1, "{steps}");
        world.later(SETTLE);
        world.carry_out(&world.sweep(), ALL);
        assert_eq!(world.point_names(), ["gold-0aaaaaaaaaaaaaaa1-ask-1"], "{steps}");
        assert_eq!(world.tag(), None, "{steps}");
        // Whoever had answered and not written so is followed by another answer, the same.
        world.answers.dedup();
        assert_eq!(world.answers.len(), 1, "{steps}");
        let asked = world.asked.values().next().expect("it was counted");
        assert_eq!((asked.ordinal, &asked.pending), (1, &None), "{steps}");
        world.later(SETTLE);
        check(&world.sweep(), &[]);
    }
}

#[test]
fn a_request_that_is_put_again_after_its_tag_went_is_another_whoever_has_died_before_the_answer() {
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), 3);
    assert_eq!((world.tag(), world.answers.len()), (None, 0));
    world.later(SignedDuration::from_secs(30));
    world.put("gold");
    let left = "- i-0aaaaaaaaaaaaaaa1: the tag was removed at 2026-01-06T20:00:05Z, for \
                gold-0aaaaaaaaaaaaaaa1-ask-1; EC2 may still show it (already-requested)";
    check(&world.event(), &[left]);
    world.later(SETTLE);
    world.carry_out(&world.sweep(), ALL);
    let names = ["gold-0aaaaaaaaaaaaaaa1-ask-1", "gold-0aaaaaaaaaaaaaaa1-ask-2"];
    assert_eq!((world.point_names(), world.tag()), (names.to_vec(), None));
    assert!(world.answers[0].ends_with("gold-0aaaaaaaaaaaaaaa1-ask-2"), "{:?}", world.answers);
    world.later(SETTLE);
    check(&world.sweep(), &[]);
}

#[test]
fn a_tag_that_cannot_be_removed_is_tried_less_and_less_often() {
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), 1);
    let mut tries = 0;
    for _ in 0..7 * 24 * 12 {
        world.later(SignedDuration::from_mins(5));
        let decision = world.sweep();
        tries += decision.commands.len();
        world.carry_out(&decision, 1);
    }
    // After 6, 12, 24 and so on minutes, and then once a day.
    assert!((8..=16).contains(&tries), "{tries} tries in a week");
    assert_eq!(world.points.len(), 1);
}

#[test]
fn of_many_that_see_a_request_at_once_one_takes_it() {
    let mut world = World::asking("gold");
    let (event, again, sweep) = (world.event(), world.event(), world.sweep());
    world.carry_out(&event, 1);
    // Whoever is slower takes nothing off.
    world.carry_out(&again, ALL);
    world.carry_out(&sweep, ALL);
    assert_eq!((world.points.len(), world.tag(), world.answers.len()), (1, Some("gold"), 0));
}

#[test]
fn two_that_end_what_a_third_began_do_not_both_take_it_off() {
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), 1);
    world.later(SETTLE);
    let (event, sweep) = (world.event(), world.sweep());
    world.carry_out(&sweep, ALL);
    world.put("gold");
    world.carry_out(&event, ALL);
    assert_eq!(world.tag(), Some("gold"), "this one is another request");
    world.later(SETTLE);
    world.carry_out(&world.sweep(), ALL);
    assert_eq!((world.points.len(), world.tag()), (2, None));
}

#[test]
fn a_request_for_another_policy_that_is_put_meanwhile_stays() {
    let mut world = World::asking("gold");
    let decision = world.event();
    world.put("silver");
    world.carry_out(&decision, ALL);
    assert_eq!(world.tag(), Some("silver"));
    world.carry_out(&world.event(), ALL);
    let names = ["gold-0aaaaaaaaaaaaaaa1-ask-1", "silver-0aaaaaaaaaaaaaaa1-ask-1"];
    assert_eq!(world.point_names(), names);
    assert_eq!(world.tag(), None);
}

#[test]
fn a_tag_that_is_seen_right_after_it_went_is_left_to_the_sweep() {
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), ALL);
    world.put("gold");
    world.later(SignedDuration::from_secs(30));
    let left = "- i-0aaaaaaaaaaaaaaa1: the tag was removed at 2026-01-06T20:00:05Z, for \
                gold-0aaaaaaaaaaaaaaa1-ask-1; EC2 may still show it (already-requested)";
    check(&world.event(), &[left]);
    check(&world.sweep(), &[]);
    world.later(SETTLE);
    world.carry_out(&world.sweep(), ALL);
    assert_eq!(world.points.len(), 2, "it is still there, and so it is another one");
}

#[test]
fn a_tag_that_is_seen_beside_the_answer_to_the_last_request_is_another_request() {
    let seconds = SignedDuration::from_secs(3);
    let answered = |world: &mut World, answer: &str| {
        world.machine.tags.insert(TAG_ANSWER.to_string(), answer.to_string());
        world.later(seconds);
        world.carry_out(&world.event(), ALL);
        world.points.len()
    };
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), ALL);
    let first = world.answers[0].clone();
    world.put("gold");
    let before = "2026-01-06T19:00:05Z silver: silver-0aaaaaaaaaaaaaaa1-ask-1";
    assert_eq!(answered(&mut world, before), 1, "EC2 shows what was before");
    assert_eq!(answered(&mut world, &first), 2);
    // So is one that is seen beside the answer to a later request under another policy.
    world.put("silver");
    assert_eq!(answered(&mut world, &first), 3);
    world.put("gold");
    let last = world.answers.last().expect("an answer").clone();
    assert!(last.contains("silver"), "{last}");
    assert_eq!(answered(&mut world, &last), 4);
}

#[test]
fn an_event_that_finds_no_tag_or_no_machine_does_nothing() {
    let mut world = World::new();
    let told = "- i-0aaaaaaaaaaaaaaa1: EC2 shows no request tag on this machine; it was answered, \
                or is not shown yet (not-asked)";
    check(&world.event(), &[told]);
    world.put("gold");
    world.machine.state = State::Terminated;
    check(
        &world.event(),
        &["- i-0aaaaaaaaaaaaaaa1: EC2 shows this machine as terminated (machine-gone)"],
    );
    check(&world.sweep(), &[]);
}

#[test]
fn what_is_asked_for_by_hand_is_counted_with_the_rest_and_keeps_no_tag_from_its_end() {
    let mut world = World::asking("gold");
    world.carry_out(&world.event(), 1);
    let policy = world.in_force.policies.iter().find(|policy| policy.name.as_str() == "gold");
    let policy = policy.expect("there is one").clone();
    let record = world.asked.values().next().cloned();
    let (point, change) = by_hand(&policy, &world.machine, record.as_ref(), world.now);
    assert_eq!(point.id.as_str(), "gold-0aaaaaaaaaaaaaaa1-ask-2");
    assert_eq!(point.until, Some(at("2026-01-07T00:00:05Z")));
    assert!(world.write(&change));
    world.later(SETTLE);
    world.carry_out(&world.sweep(), ALL);
    assert_eq!((world.tag(), world.points.len()), (None, 2));
    assert_eq!(world.answers, ["2026-01-06T20:00:05Z gold: gold-0aaaaaaaaaaaaaaa1-ask-1"]);
}
