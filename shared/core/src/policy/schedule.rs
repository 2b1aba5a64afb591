//! Schedules: which instants a `cron(...)` or `rate(...)` in a time zone means.
//!
//! A slot is its UTC instant. What happens when clocks change:
//!
//! - fixed local times (`cron(0 2 * * ? *)`): a time that comes twice runs once, the first time; a
//!   time that is skipped runs at the jump, and several skipped ones collapse into that one run;
//! - an hour field of `*`, or of all hours in other words, follows elapsed time: every matching
//!   minute that exists runs, nothing is skipped and nothing doubled;
//! - `rate(...)` counts from the Unix epoch and knows no clock.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::cron::{Cron, digits, end_of_time};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Rate(SignedDuration),
    Cron(Box<Cron>),
}

impl Schedule {
    /// Reads `rate(6 hours)` or `cron(0 2 * * ? *)`.
    ///
    /// # Errors
    /// Says what is wrong, as a sentence for the author of a policy.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let inner = |name: &str| text.strip_prefix(name)?.strip_suffix(')');
        if let Some(fields) = inner("cron(") {
            return Ok(Schedule::Cron(Box::new(Cron::parse(fields)?)));
        }
        match inner("rate(") {
            Some(rate) => parse_rate(rate).map(Schedule::Rate),
            None => Err(format!("`{text}` is neither cron(...) nor rate(...)")),
        }
    }

    /// The first slot after `after`, in a time zone.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Schedule::Rate(period) => {
                let period = period.as_secs().max(1);
                let passed = after.as_second().div_euclid(period);
                Timestamp::from_second((passed + 1).checked_mul(period)?).ok()
            }
            Schedule::Cron(cron) if cron.every_hour() => elapsed(cron, after, zone),
            Schedule::Cron(cron) => on_the_wall(cron, after, zone),
        }
    }

    /// The slots after `after`, in order.
    pub fn after(&self, after: Timestamp, zone: &TimeZone) -> impl Iterator<Item = Timestamp> {
        let next = |last: &Timestamp| self.next_after(*last, zone);
        std::iter::successors(next(&after), next)
    }

    /// The slots after `after` and up to `until`, in order; at most `limit` of them.
    pub fn between(
        &self,
        after: Timestamp,
        until: Timestamp,
        zone: &TimeZone,
        limit: usize,
    ) -> Vec<Timestamp> {
        self.after(after, zone).take_while(|slot| *slot <= until).take(limit).collect()
    }
}

fn parse_rate(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("`rate({text})` is not a rate: write rate(1 hour) or rate(6 hours)");
    let mut parts = text.split_whitespace();
    let (Some(number), Some(unit), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    let number: i64 = digits(number).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    if number < 1 {
        return Err("a rate must be at least 1".into());
    }
    let (name, secs) = match unit.strip_suffix('s').unwrap_or(unit) {
        "minute" => ("minute", 60),
        "hour" => ("hour", 3600),
        "day" => ("day", 86_400),
        _ => return Err(format!("`{unit}` is not a unit of a rate: minutes, hours and days are")),
    };
    if (number == 1) != (unit == name) {
        let unit = if number == 1 { name.to_string() } else { format!("{name}s") };
        return Err(format!("write rate({number} {unit})"));
    }
    let span = number.checked_mul(secs).ok_or("the rate is too large")?;
    Ok(SignedDuration::from_secs(span))
}

/// Fixed local times. They map to instants in order, so the first one that lands after `after` is
/// the next slot.
fn on_the_wall(cron: &Cron, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut from = floor_to_minute(zone.to_datetime(after));
    while from <= end_of_time() {
        let local = cron.first_at_or_after(from)?;
        if let Some(slot) = instant_of(local, zone)
            && slot > after
        {
            return Some(slot);
        }
        from = local.checked_add(SignedDuration::from_mins(1)).ok()?;
    }
    None
}

/// The instant of a local time: the first one if it comes twice, the jump if it is skipped.
fn instant_of(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
        let before = ambiguous.earlier().ok()?;
        return zone.following(before).next().map(|transition| transition.timestamp());
    }
    ambiguous.earlier().ok()
}

/// Elapsed time: each stretch between two changes of the clock is searched by itself.
fn elapsed(cron: &Cron, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut from = after.checked_add(SignedDuration::from_nanos(1)).ok()?;
    loop {
        let offset = zone.to_offset(from);
        let stretch_end = zone.following(from).next().map(|transition| transition.timestamp());
        let local = cron.first_at_or_after(ceil_to_minute(offset.to_datetime(from))?)?;
        let slot = offset.to_timestamp(local).ok()?;
        match stretch_end {
            Some(end) if slot >= end => from = end,
            _ => return Some(slot),
        }
    }
}

fn floor_to_minute(local: DateTime) -> DateTime {
    local.date().at(local.hour(), local.minute(), 0, 0)
}

fn ceil_to_minute(local: DateTime) -> Option<DateTime> {
    let floor = floor_to_minute(local);
    if floor == local {
        return Some(floor);
    }
    floor.checked_add(SignedDuration::from_mins(1)).ok()
}
