//! Schedule expressions of EventBridge rules: when a scheduled rule fires, in UTC.
//!
//! The syntax is that of the EventBridge user guide ("Setting a schedule pattern for scheduled
//! rules"). Where the guide is silent:
//!
//! - A range whose end lies before its start goes on past the end of the field, as the guide's own
//!   `20-2` in the hours does; a range of years cannot. Days are those of the calendar: hours after
//!   midnight belong to the new day.
//! - `L`, `W` and `#` stand alone in their field. The guide says so of `#` only.
//! - `L` in the days of the week, without a day, is the last day of the week, a Saturday.
//! - `nW` stays within its month, and skips the months that have no day `n`.
//! - Names may be written in any case.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::kernel::time::Time;

const MINUTE_MILLIS: u64 = 60_000;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A valid schedule expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Fires each time this long has passed since the rule was created.
    Rate(Duration),
    /// Fires at the minutes that match.
    Cron(Cron),
}

/// The minutes at which a `cron` expression fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    days: Days,
    months: BTreeSet<i16>,
    years: BTreeSet<i16>,
}

/// The days that a `cron` expression asks for, by whichever of its two day fields is not `?`.
/// Days of the week count from Sunday, which is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(BTreeSet<i16>),
    LastOfMonth,
    LastWorkday,
    WorkdayNearest(i16),
    OfWeek(BTreeSet<i16>),
    LastInMonth(i16),
    NthInMonth { weekday: i16, nth: i16 },
}

impl Schedule {
    /// Reads an expression. The error says what is wrong with it, for the log; EventBridge itself
    /// only answers `Parameter ScheduleExpression is not valid.`
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inside("rate") {
            return parse_rate(rate).map(Schedule::Rate);
        }
        if let Some(fields) = inside("cron") {
            return Cron::parse(fields).map(Schedule::Cron);
        }
        Err(format!("`{text}` is neither rate(value unit) nor cron(fields)"))
    }

    /// The first occurrence strictly after `after`, if there is one. The anchor of a rate is when
    /// its rule was created; the first occurrence comes one period later.
    pub fn next_after(&self, after: Time, anchor: Time) -> Option<Time> {
        match self {
            Schedule::Rate(period) => {
                let period = u64::try_from(period.as_millis()).ok()?;
                let passed = after.millis().saturating_sub(anchor.millis());
                let periods = passed.checked_div(period)?.checked_add(1)?;
                let millis = anchor.millis().checked_add(periods.checked_mul(period)?)?;
                Some(Time::from_millis(millis))
            }
            Schedule::Cron(cron) => cron.next_after(after),
        }
    }
}

fn parse_rate(text: &str) -> Result<Duration, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [value, unit] = words[..] else {
        return Err(format!("a rate is a value and a unit, not `{text}`"));
    };
    let (singular, minutes) = match unit {
        "minute" => (true, 1),
        "minutes" => (false, 1),
        "hour" => (true, 60),
        "hours" => (false, 60),
        "day" => (true, 24 * 60),
        "days" => (false, 24 * 60),
        _ => return Err(format!("`{unit}` is no unit of a rate")),
    };
    let count = digits(value)
        .and_then(|value| value.parse::<u64>().ok())
        .filter(|&count| count > 0)
        .ok_or_else(|| format!("`{value}` is not a positive number"))?;
    if singular != (count == 1) {
        return Err(format!("a rate of {count} does not go with `{unit}`"));
    }
    count
        .checked_mul(minutes * MINUTE_MILLIS)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("a rate of {count} {unit} is too long"))
}

/// The text if it is a number without a sign, which the standard parser would accept.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

impl Cron {
    fn parse(text: &str) -> Result<Cron, String> {
        let text = text.to_ascii_uppercase();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            return Err(format!("cron needs six fields, not {}", fields.len()));
        };
        Ok(Cron {
            minutes: MINUTE.parse(minutes)?,
            hours: HOUR.parse(hours)?,
            days: Days::parse(day_of_month, day_of_week)?,
            months: MONTH.parse(month)?,
            years: YEAR.parse(year)?,
        })
    }

    fn next_after(&self, after: Time) -> Option<Time> {
        let minute = (after.millis() / MINUTE_MILLIS).checked_add(1)?;
        let earliest = Time::from_millis(minute.checked_mul(MINUTE_MILLIS)?);
        let earliest = earliest.stamp().to_zoned(TimeZone::UTC).datetime();
        for &year in self.years.range(earliest.year()..) {
            for &month in &self.months {
                let first = Date::new(year, i8::try_from(month).ok()?, 1).ok()?;
                for date in days_of_month(first) {
                    if date < earliest.date() || !self.days.contain(date) {
                        continue;
                    }
                    let from = if date == earliest.date() {
                        (i16::from(earliest.hour()), i16::from(earliest.minute()))
                    } else {
                        (0, 0)
                    };
                    if let Some((hour, minute)) = self.first_minute(from) {
                        return instant(date, hour, minute);
                    }
                }
            }
        }
        None
    }

    /// The first hour and minute of a day, not before the given ones.
    fn first_minute(&self, (from_hour, from_minute): (i16, i16)) -> Option<(i16, i16)> {
        self.hours.range(from_hour..).find_map(|&hour| {
            let from = if hour == from_hour { from_minute } else { 0 };
            self.minutes.range(from..).next().map(|&minute| (hour, minute))
        })
    }
}

fn days_of_month(first: Date) -> impl Iterator<Item = Date> {
    (1..=first.days_in_month()).filter_map(move |day| first.with().day(day).build().ok())
}

fn instant(date: Date, hour: i16, minute: i16) -> Option<Time> {
    let at = date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
    let stamp = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
    u64::try_from(stamp.as_millisecond()).ok().map(Time::from_millis)
}

impl Days {
    fn parse(day_of_month: &str, day_of_week: &str) -> Result<Days, String> {
        match (day_of_month, day_of_week) {
            ("?", "?") => Err("both day fields are `?`".to_owned()),
            (day, "?") => Days::parse_of_month(day),
            ("?", day) => Days::parse_of_week(day),
            _ => Err("one of the day fields must be `?`".to_owned()),
        }
    }

    fn parse_of_month(text: &str) -> Result<Days, String> {
        match text {
            "L" => Ok(Days::LastOfMonth),
            "LW" => Ok(Days::LastWorkday),
            _ => match text.strip_suffix('W') {
                Some(day) => DAY_OF_MONTH.value(day).map(Days::WorkdayNearest),
                None => DAY_OF_MONTH.parse(text).map(Days::OfMonth),
            },
        }
    }

    fn parse_of_week(text: &str) -> Result<Days, String> {
        if text == "L" {
            return Ok(Days::OfWeek(BTreeSet::from([7])));
        }
        if let Some(day) = text.strip_suffix('L') {
            return DAY_OF_WEEK.value(day).map(Days::LastInMonth);
        }
        if let Some((day, nth)) = text.split_once('#') {
            let weekday = DAY_OF_WEEK.value(day)?;
            let nth = WEEK_OF_MONTH.value(nth)?;
            return Ok(Days::NthInMonth { weekday, nth });
        }
        DAY_OF_WEEK.parse(text).map(Days::OfWeek)
    }

    fn contain(&self, date: Date) -> bool {
        let day = i16::from(date.day());
        let last = i16::from(date.days_in_month());
        let day_of_week = i16::from(date.weekday().to_sunday_one_offset());
        match self {
            Days::OfMonth(days) => days.contains(&day),
            Days::LastOfMonth => day == last,
            Days::LastWorkday => workday_nearest(date, last) == Some(day),
            Days::WorkdayNearest(wanted) => workday_nearest(date, *wanted) == Some(day),
            Days::OfWeek(days) => days.contains(&day_of_week),
            Days::LastInMonth(weekday) => day_of_week == *weekday && day + 7 > last,
            Days::NthInMonth { weekday, nth } => {
                day_of_week == *weekday && (day - 1) / 7 + 1 == *nth
            }
        }
    }
}

/// The day from Monday to Friday nearest to the wanted day, within the month of `date`. None if
/// the month has no such day.
fn workday_nearest(date: Date, wanted: i16) -> Option<i16> {
    let last = i16::from(date.days_in_month());
    let wanted_date = date.with().day(i8::try_from(wanted).ok()?).build().ok()?;
    Some(match wanted_date.weekday() {
        Weekday::Saturday if wanted == 1 => 3,
        Weekday::Saturday => wanted - 1,
        Weekday::Sunday if wanted == last => wanted - 2,
        Weekday::Sunday => wanted + 1,
        _ => wanted,
    })
}

/// What a field of a `cron` expression may hold.
struct Field {
    what: &'static str,
    min: i16,
    max: i16,
    /// Names of the values, from `min` on.
    names: &'static [&'static str],
    /// Whether a range may go on past `max`.
    wraps: bool,
}

const MINUTE: Field = Field { what: "minute", min: 0, max: 59, names: &[], wraps: true };
const HOUR: Field = Field { what: "hour", min: 0, max: 23, names: &[], wraps: true };
const DAY_OF_MONTH: Field =
    Field { what: "day of month", min: 1, max: 31, names: &[], wraps: true };
const MONTH: Field = Field { what: "month", min: 1, max: 12, names: &MONTHS, wraps: true };
const DAY_OF_WEEK: Field =
    Field { what: "day of week", min: 1, max: 7, names: &WEEKDAYS, wraps: true };
const WEEK_OF_MONTH: Field =
    Field { what: "week of month", min: 1, max: 5, names: &[], wraps: false };
const YEAR: Field = Field { what: "year", min: 1970, max: 2199, names: &[], wraps: false };

impl Field {
    /// Reads a list of values, ranges and increments.
    fn parse(&self, text: &str) -> Result<BTreeSet<i16>, String> {
        let mut values = BTreeSet::new();
        for item in text.split(',') {
            let (base, step) = match item.split_once('/') {
                Some((base, step)) => (base, Some(self.step(step)?)),
                None => (item, None),
            };
            let (start, end) = match base.split_once('-') {
                _ if base == "*" => (self.min, self.max),
                Some((start, end)) => (self.value(start)?, self.value(end)?),
                None => {
                    let start = self.value(base)?;
                    (start, if step.is_some() { self.max } else { start })
                }
            };
            if start > end && !self.wraps {
                return Err(format!("the {} range `{base}` runs backwards", self.what));
            }
            values.extend(self.run(start, end).step_by(step.unwrap_or(1)));
        }
        Ok(values)
    }

    /// The values from start to end, past the end of the field if need be.
    fn run(&self, start: i16, end: i16) -> impl Iterator<Item = i16> {
        let first_stop = if start <= end { end } else { self.max };
        let wrapped_stop = if start <= end { self.min - 1 } else { end };
        (start..=first_stop).chain(self.min..=wrapped_stop)
    }

    fn value(&self, text: &str) -> Result<i16, String> {
        let named = self.names.iter().position(|name| *name == text);
        let value = match named.and_then(|index| i16::try_from(index).ok()) {
            Some(index) => Some(self.min + index),
            None => digits(text).and_then(|text| text.parse().ok()),
        };
        value
            .filter(|value| (self.min..=self.max).contains(value))
            .ok_or_else(|| format!("`{text}` is no {}", self.what))
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        digits(text)
            .and_then(|text| text.parse().ok())
            .filter(|&step| step > 0)
            .ok_or_else(|| format!("`{text}` is no increment of a {}", self.what))
    }
}
