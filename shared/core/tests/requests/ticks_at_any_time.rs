//! A month of ticks that come late, early, twice, not at all, or die on their way.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::InForce;
use afterimage_core::flow::backup_tick::{Input, decide, due};
use afterimage_core::machine::State;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::ledger::Ledger;
use crate::{at, in_force, machine};

/// Twice a day in New York, in the month in which one night has no 02:30.
const POLICY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers:
      - schedule: cron(30 2,14 * * ? *)
        timezone: America/New_York
";
const START: &str = "2026-03-01T05:00:00Z";
const DAYS: i64 = 31;

/// The slots of that month, by hand: 02:30 and 14:30 are 07:30 and 19:30 UTC until the 8th, and
/// 06:30 and 18:30 UTC from then on; on the 8th itself the clock jumps at 07:00 UTC.
fn slots() -> BTreeSet<String> {
    let of_day = |day: i64| match day {
        1..8 => [format!("202603{day:02}T073000Z"), format!("202603{day:02}T193000Z")],
        8 => ["20260308T070000Z".to_string(), "20260308T183000Z".to_string()],
        _ => [format!("202603{day:02}T063000Z"), format!("202603{day:02}T183000Z")],
    };
    let instants = (1..=DAYS).flat_map(of_day);
    instants.map(|instant| format!("gold-0aaaaaaaaaaaaaaa1-at-{instant}")).collect()
}

/// One tick.
#[derive(Clone, Debug)]
struct Tick {
    /// So long after the one before.
    after: SignedDuration,
    /// How far the clock of its environment is off.
    skew: SignedDuration,
    /// It dies when it has carried out so many commands.
    dies_after: usize,
    /// So many ticks that come later are through before it carries out anything.
    overtaken_by: usize,
}

fn ticks(minutes_max: i64) -> impl Strategy<Value = Vec<Tick>> {
    let tick = (
        0..=minutes_max * 60,
        -30_i64..=30,
        prop_oneof![4 => Just(usize::MAX), 1 => 0_usize..3],
        prop_oneof![4 => Just(0_usize), 1 => 1_usize..4],
    );
    let tick = tick.prop_map(|(after, skew, dies_after, overtaken_by)| Tick {
        after: SignedDuration::from_secs(after),
        skew: SignedDuration::from_secs(skew),
        dies_after,
        overtaken_by,
    });
    prop::collection::vec(tick, 1..200)
}

/// The ledger after a month of ticks, over and over the same ones, and one last tick that lives.
struct Month {
    in_force: InForce,
    ledger: Ledger,
    /// The slots that were imaged or collapsed, by every tick that lived.
    accounted: usize,
}

impl Month {
    fn live_through(ticks: &[Tick]) -> Month {
        let end = at(START) + SignedDuration::from_hours(24 * DAYS);
        let mut month =
            Month { in_force: in_force(POLICY), ledger: Ledger::default(), accounted: 0 };
        // The schedule is seen for the first time.
        month.carry_out(&month.decide(at(START)).0, usize::MAX);
        let mut now = at(START);
        let mut late: BTreeMap<usize, Vec<(Decision, usize)>> = BTreeMap::new();
        for (number, tick) in ticks.iter().cycle().enumerate() {
            // Two ticks are never at the same instant, or a month of them would have no end.
            now += tick.after.max(SignedDuration::from_secs(20));
            if now >= end {
                break;
            }
            let (decision, slots) = month.decide(now + tick.skew);
            month.accounted += slots;
            let turn = late.entry(number + tick.overtaken_by).or_default();
            turn.push((decision, tick.dies_after));
            for (decision, dies_after) in late.remove(&number).unwrap_or_default() {
                month.carry_out(&decision, dies_after);
            }
        }
        let (decision, slots) = month.decide(end);
        month.accounted += slots;
        month.carry_out(&decision, usize::MAX);
        month
    }

    /// The decision, and how many slots it accounts for.
    fn decide(&self, now: Timestamp) -> (Decision, usize) {
        let due = due(&self.in_force, now);
        let slots = due.iter().filter_map(|due| due.image).map(|slots| slots.earlier + 1).sum();
        let instances = vec![machine(1, "us-east-1", State::Running)];
        (
            decide(&Input { now, due, instances, unread: BTreeSet::new(), unreadable: Vec::new() }),
            slots,
        )
    }

    /// As far as it comes.
    fn carry_out(&mut self, decision: &Decision, dies_after: usize) {
        for command in decision.commands.iter().take(dies_after) {
            if let Command::Advance(cursor) = command {
                let of = |kept: &&mut _| same_schedule(kept, cursor);
                match self.in_force.cursors.iter_mut().find(of) {
                    Some(kept) => *kept = cursor.clone(),
                    None => self.in_force.cursors.push(cursor.clone()),
                }
            }
            let alone = Decision { commands: vec![command.clone()], explanations: Vec::new() };
            self.ledger.keep(&alone);
        }
    }

    fn points(&self) -> BTreeSet<String> {
        self.ledger.points.keys().map(ToString::to_string).collect()
    }
}

fn same_schedule(
    one: &afterimage_core::command::Cursor,
    other: &afterimage_core::command::Cursor,
) -> bool {
    (&one.policy, &one.schedule) == (&other.policy, &other.schedule)
}

#[test]
fn a_month_of_ticks_that_come_every_minute_has_every_slot() {
    let minute = Tick {
        after: SignedDuration::from_mins(1),
        skew: SignedDuration::ZERO,
        dies_after: usize::MAX,
        overtaken_by: 0,
    };
    let month = Month::live_through(&[minute]);
    assert_eq!(month.points(), slots());
    assert_eq!(month.accounted, slots().len(), "each was seen once");
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// Ticks are so close that one always lives between two slots.
    #[test]
    fn no_slot_is_lost_or_doubled_whatever_becomes_of_the_ticks(mut ticks in ticks(30)) {
        // One that comes in time, so that they are not all dead ones.
        ticks.push(Tick {
            after: SignedDuration::from_mins(1),
            skew: SignedDuration::ZERO,
            dies_after: usize::MAX,
            overtaken_by: 0,
        });
        ticks.truncate(12);
        if let Some(last) = ticks.last_mut() {
            last.dies_after = usize::MAX;
            last.overtaken_by = 0;
        }
        prop_assert_eq!(Month::live_through(&ticks).points(), slots());
    }

    /// Ticks that stay away for days: what is not imaged has collapsed into what is.
    #[test]
    fn every_slot_of_an_outage_is_imaged_or_collapses_into_one_that_is(
        mut ticks in ticks(6 * 24 * 60)
    ) {
        for tick in &mut ticks {
            tick.dies_after = usize::MAX;
            tick.overtaken_by = 0;
        }
        let month = Month::live_through(&ticks);
        prop_assert_eq!(month.accounted, slots().len());
        prop_assert!(month.points().is_subset(&slots()));
        prop_assert!(month.points().contains("gold-0aaaaaaaaaaaaaaa1-at-20260331T183000Z"));
    }
}
