//! Ten years of ticks with jitter and outages: every slot is asked for, has collapsed into one that
//! is, or is recorded as missed, each exactly once.

use std::collections::BTreeSet;

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::InForce;
use afterimage_core::flow::backup_tick::{Input, Slots, decide, due};
use afterimage_core::machine::State;
use afterimage_core::point::Point;
use afterimage_core::slot::Occasion;
use afterimage_core::status::Status;
use jiff::civil::{Date, Weekday, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;

use crate::ledger::Ledger;
use crate::{at, in_force, machine};

const START: &str = "2016-01-01T00:00:30Z";
const END: &str = "2026-01-01T00:00:00Z";

/// At half past two in New York, by hand: 07:30 UTC, or 06:30 UTC from the second Sunday of March
/// to the first of November. On that Sunday of March there is no such time, and the clock jumps at
/// 07:00 UTC; on that of November it comes once, when winter time has begun.
fn nightly() -> Vec<Timestamp> {
    let sunday = |year, month, nth| -> Date {
        let first = date(year, month, 1);
        first.nth_weekday_of_month(nth, Weekday::Sunday).expect("every month has some")
    };
    let of_day = |day: Date| {
        let (march, november) = (sunday(day.year(), 3, 2), sunday(day.year(), 11, 1));
        let time = match day {
            _ if day == march => "07:00",
            _ if day > march && day < november => "06:30",
            _ => "07:30",
        };
        at(&format!("{day}T{time}:00Z"))
    };
    date(2016, 1, 1).series(1.day()).take_while(|day| day.year() < 2026).map(of_day).collect()
}

/// Every full hour after the start.
fn hourly() -> Vec<Timestamp> {
    let hour = SignedDuration::from_hours(1);
    let (first, end) = (at("2016-01-01T01:00:00Z"), at(END));
    std::iter::successors(Some(first), |last| Some(*last + hour))
        .take_while(|slot| *slot <= end)
        .collect()
}

/// Some ticks, and a time in which none comes.
#[derive(Clone, Debug)]
struct Stretch {
    ticks: Vec<Tick>,
    outage_hours: i64,
}

#[derive(Clone, Debug)]
struct Tick {
    /// So many seconds after the one before.
    after: i64,
    /// How far the clock of its environment is off.
    skew: i64,
    /// It dies when it has carried out so many commands.
    dies_after: usize,
}

fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let dies = prop_oneof![4 => Just(usize::MAX), 1 => 0_usize..3];
    // Most come within the minute, some late, and some when what is due has been missed.
    let after = prop_oneof![20_i64..=90, 20_i64..=600, 20_i64..=40_000];
    let tick = (after, -30_i64..=30, dies);
    let tick = tick.prop_map(|(after, skew, dies_after)| Tick { after, skew, dies_after });
    let stretch = (prop::collection::vec(tick, 1..40), 0_i64..2000);
    let stretch = stretch.prop_map(|(ticks, outage_hours)| Stretch { ticks, outage_hours });
    prop::collection::vec(stretch, 5..30).prop_filter("ten years have an end", |stretches| {
        stretches.iter().map(|stretch| stretch.outage_hours).sum::<i64>() > 1000
    })
}

/// What has become of the slots, in their order.
struct Decade {
    in_force: InForce,
    ledger: Ledger,
    expected: Vec<Timestamp>,
    /// How many of them are accounted for.
    accounted: usize,
    /// Those of which there must be a point.
    with_point: BTreeSet<Timestamp>,
    missed: usize,
}

impl Decade {
    fn live_through(policy: &str, expected: Vec<Timestamp>, stretches: &[Stretch]) -> Decade {
        let mut decade = Decade {
            in_force: in_force(policy),
            ledger: Ledger::default(),
            expected,
            accounted: 0,
            with_point: BTreeSet::new(),
            missed: 0,
        };
        let (mut now, end) = (at(START), at(END));
        decade.tick(now, usize::MAX);
        'decade: for stretch in stretches.iter().cycle() {
            for tick in &stretch.ticks {
                now += SignedDuration::from_secs(tick.after);
                if now >= end {
                    break 'decade;
                }
                decade.tick(now + SignedDuration::from_secs(tick.skew), tick.dies_after);
            }
            now += SignedDuration::from_hours(stretch.outage_hours);
        }
        decade.tick(end, usize::MAX);
        decade
    }

    fn tick(&mut self, now: Timestamp, dies_after: usize) {
        let due = due(&self.in_force, now);
        let slots: Vec<(Option<Slots>, Option<Slots>)> =
            due.iter().map(|due| (due.missed, due.image)).collect();
        let decision = decide(&Input {
            now,
            due,
            instances: vec![machine(1, "us-east-1", State::Running)],
            unread: BTreeSet::new(),
            unreadable: Vec::new(),
        });
        for command in decision.commands.into_iter().take(dies_after) {
            if let Command::Advance(cursor) = &command {
                self.in_force.cursors = vec![cursor.clone()];
                for (missed, image) in &slots {
                    self.account(*missed);
                    self.account(*image);
                    self.missed += usize::from(missed.is_some());
                }
            }
            self.ledger.keep(&Decision { commands: vec![command], explanations: Vec::new() });
        }
    }

    /// The next slots, and no others, in their order.
    fn account(&mut self, slots: Option<Slots>) {
        let Some(slots) = slots else { return };
        self.accounted += slots.earlier + 1;
        let last = self.accounted.checked_sub(1).and_then(|last| self.expected.get(last));
        assert_eq!(last, Some(&slots.last), "{slots:?}");
        assert!(self.with_point.insert(slots.last), "{slots:?} was accounted for before");
    }

    /// Every slot was accounted for, and each of the points that there must be is there.
    fn check(&self) {
        assert_eq!(self.accounted, self.expected.len());
        // A tick that died may have asked for one that was accounted for with later ones.
        let slots: BTreeSet<&Timestamp> = self.expected.iter().collect();
        let points: BTreeSet<&Timestamp> = self.ledger.points.values().map(slot).collect();
        assert!(points.is_subset(&slots));
        assert!(self.with_point.iter().all(|slot| points.contains(slot)));
        assert_eq!(points.len(), self.ledger.points.len(), "each slot has one point");
    }

    fn count(&self, status: Status) -> usize {
        self.ledger.points.values().filter(|point| point.status == status).count()
    }
}

fn slot(point: &Point) -> &Timestamp {
    match &point.slot.occasion {
        Occasion::Scheduled(at) => at,
        other => panic!("{other:?}"),
    }
}

fn policy(schedule: &str, zone: &str, catch_up: &str) -> String {
    format!(
        "policies: {{gold: {{select: {{regions: [us-east-1], tags: {{backup: gold}}}}, triggers: \
         [{{schedule: {schedule}, timezone: {zone}, catch_up: {catch_up}}}]}}}}"
    )
}

const NIGHTLY: &str = "cron(30 2 * * ? *)";
const HOURLY: &str = "cron(0 * * * ? *)";

#[test]
fn ten_years_without_an_outage_have_every_slot() {
    let minute = Tick { after: 60, skew: 0, dies_after: usize::MAX };
    // A tick a minute would be five millions of them: between two slots there is an hour.
    let hour = Tick { after: 3600 - 240, ..minute.clone() };
    let ticks = vec![hour, minute.clone(), minute.clone(), minute.clone(), minute];
    let stretches = [Stretch { ticks, outage_hours: 0 }];
    for catch_up in ["latest", "none"] {
        let policy = policy(NIGHTLY, "America/New_York", catch_up);
        let decade = Decade::live_through(&policy, nightly(), &stretches);
        decade.check();
        assert_eq!(decade.with_point.len(), nightly().len());
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn whatever_is_missed_is_recorded_once() {
    let after = |after| Tick { after, skew: 0, dies_after: usize::MAX };
    let stretch = |outage_hours| Stretch { ticks: vec![after(60), after(3600)], outage_hours };
    let stretches = [stretch(3), stretch(30), stretch(300)];
    let policy = policy(NIGHTLY, "America/New_York", "none");
    let decade = Decade::live_through(&policy, nightly(), &stretches);
    decade.check();
    assert_eq!(decade.count(Status::Missed), decade.missed);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_slot_of_ten_years_is_lost_or_doubled_where_the_latest_is_made_up_for(
        stretches in stretches()
    ) {
        for (schedule, expected) in [(NIGHTLY, nightly()), (HOURLY, hourly())] {
            let policy = policy(schedule, "America/New_York", "latest");
            let decade = Decade::live_through(&policy, expected, &stretches);
            decade.check();
            prop_assert_eq!((decade.missed, decade.count(Status::Missed)), (0, 0));
        }
    }

    #[test]
    fn no_slot_of_ten_years_is_lost_or_doubled_where_nothing_is_made_up_for(
        stretches in stretches()
    ) {
        for (schedule, expected) in [(NIGHTLY, nightly()), (HOURLY, hourly())] {
            let policy = policy(schedule, "America/New_York", "none");
            let decade = Decade::live_through(&policy, expected, &stretches);
            decade.check();
            prop_assert!(decade.missed > 0, "an outage of days has been seen");
        }
    }
}
