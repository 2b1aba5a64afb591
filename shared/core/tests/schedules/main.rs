//! Schedules: which instants an expression in a zone means, and which expressions are refused.
//!
//! What is expected was worked out by a calendar, and by what is published of clock changes; never
//! taken from what the code says.

mod clocks;
mod cron;
mod rates;
mod refused;

use afterimage_core::policy::schedule::Schedule;
use jiff::tz::TimeZone;

/// The slots after an instant, as UTC texts. An expression that comes no more often than that must
/// say so.
#[track_caller]
fn check(expression: &str, zone: &str, after: &str, expected: &[&str]) {
    let slots = slots(expression, zone, after, expected.len());
    assert_eq!(slots, expected, "{expression} in {zone} after {after}");
}

#[track_caller]
fn slots(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(expression).unwrap_or_else(|why| panic!("{expression}: {why}"));
    let zone = TimeZone::get(zone).expect("a time zone");
    let after = after.parse().unwrap_or_else(|error| panic!("{after}: {error}"));
    let slots = schedule.after(after, &zone).take(count);
    slots.map(|slot| slot.to_string()).collect()
}
