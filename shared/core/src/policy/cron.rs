//! Cron expressions as EventBridge writes them: `cron(minutes hours day-of-month month day-of-week
//! year)`, with `?`, `L`, `W`, `#`, names, steps and lists. Here they are a set of local times;
//! [`super::schedule`] turns those into instants.
//!
//! The syntax is that of the EventBridge user guide. Where the guide is silent:
//!
//! - A range whose end lies before its start goes on past the end of its field, as the guide's own
//!   `20-2` in the hours does; one of years cannot. Days are those of the calendar, so that what
//!   comes after midnight belongs to the next day.
//! - `L`, `W` and `#` stand alone in their field. `L-n` is n days before the last day of the month.
//! - `L` as the day of the week is its last one, a Saturday.
//! - `nW` stays within its month, and passes over months that have no day n.
//! - Names and letters may be written in either case, and days of the week have steps as well.
//! - A step that is longer than its field is refused: whoever writes `0/90` for the minutes means
//!   something else than what it would do. So is an expression that never comes.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday, date};

const YEAR_MIN: i16 = 1970;
const YEAR_MAX: i16 = 2199;

/// The hours from 0 to 23.
const EVERY_HOUR: u64 = (1 << 24) - 1;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The local times that an expression names. Bit n of a set stands for the value n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: Days,
    months: u64,
    /// Years from 1970 on, in order.
    years: Vec<i16>,
}

/// The days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(u64),
    /// A number of days before the last one.
    BeforeLast(i8),
    LastWeekdayOfMonth,
    /// The weekday (Monday to Friday) nearest to a day, within its month.
    NearestWeekday(i8),
    OfWeek(u64),
    /// The last such day of the week in the month, counted from Sunday as 1.
    LastOfWeek(i8),
    /// The nth such day of the week in the month.
    NthOfWeek(i8, i8),
}

impl Cron {
    /// Reads what stands between `cron(` and `)`.
    ///
    /// # Errors
    /// Says which field is wrong and what it may be.
    pub fn parse(text: &str) -> Result<Cron, String> {
        let text = text.to_ascii_uppercase();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            return Err(format!(
                "a cron expression has 6 fields (minutes hours day-of-month month day-of-week \
                 year), not {}",
                fields.len()
            ));
        };
        let days = match (day_of_month, day_of_week) {
            ("?", "?") => return Err("day-of-month and day-of-week are both `?`".into()),
            (day, "?") => parse_day_of_month(day)?,
            ("?", day) => parse_day_of_week(day)?,
            _ => return Err("one of day-of-month and day-of-week must be `?`".into()),
        };
        let years = values(&Field::new("year", YEAR_MIN, YEAR_MAX, &[]), year)?;
        let cron = Cron {
            minutes: set(&Field::new("minutes", 0, 59, &[]), minutes)?,
            hours: set(&Field::new("hours", 0, 23, &[]), hours)?,
            days,
            months: set(&Field::new("month", 1, 12, &MONTHS), month)?,
            years,
        };
        match cron.first_at_or_after(date(YEAR_MIN, 1, 1).at(0, 0, 0, 0)) {
            Some(_) => Ok(cron),
            None => Err("no such day exists in these months and years".into()),
        }
    }

    /// Tells whether the hours are all there are: the schedule follows elapsed time, not the clock
    /// on the wall.
    pub const fn every_hour(&self) -> bool {
        self.hours == EVERY_HOUR
    }

    /// The first local time at or after `from`.
    pub fn first_at_or_after(&self, from: DateTime) -> Option<DateTime> {
        // A schedule on the 29th of February waits at most eight years for the next one, and the
        // years it names may lie further ahead.
        let start = from.date();
        let first_year = self.years.iter().position(|year| *year >= start.year())?;
        for year in self.years.iter().skip(first_year) {
            for month in (1..=12).filter(|month| has(self.months, *month)) {
                let Ok(first) = Date::new(*year, month, 1) else { continue };
                if first.last_of_month() < start {
                    continue;
                }
                if let Some(found) = self.in_month(first, from) {
                    return Some(found);
                }
            }
        }
        None
    }

    fn in_month(&self, first: Date, from: DateTime) -> Option<DateTime> {
        let days = self.days.in_month(first);
        for day in (1..=first.days_in_month()).filter(|day| has(days, *day)) {
            let Ok(date) = Date::new(first.year(), first.month(), day) else { continue };
            if date < from.date() {
                continue;
            }
            let found = self.in_day(date, from);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn in_day(&self, date: Date, from: DateTime) -> Option<DateTime> {
        for hour in (0..24).filter(|hour| has(self.hours, *hour)) {
            for minute in (0..60).filter(|minute| has(self.minutes, *minute)) {
                let time = date.at(hour, minute, 0, 0);
                if time >= from {
                    return Some(time);
                }
            }
        }
        None
    }
}

impl Days {
    /// The days of the month that begins at `first`.
    fn in_month(&self, first: Date) -> u64 {
        let last = first.days_in_month();
        let all = (1..=last).filter_map(|day| Date::new(first.year(), first.month(), day).ok());
        let that = |fits: &dyn Fn(Date) -> bool| {
            all.clone().filter(|date| fits(*date)).fold(0, |days, date| days | bit(date.day()))
        };
        let within_last_week = |date: Date| date.day() + 7 > last;
        match self {
            Days::OfMonth(days) => *days,
            Days::BeforeLast(days) => {
                let day = last - *days;
                if day >= 1 { bit(day) } else { 0 }
            }
            Days::LastWeekdayOfMonth => {
                let weekdays = that(&|date| is_weekday(date));
                1_u64.checked_shl(63 - weekdays.leading_zeros()).unwrap_or(0)
            }
            Days::NearestWeekday(day) => nearest_weekday(first, *day),
            Days::OfWeek(week) => that(&|date| has(*week, day_of_week(date))),
            Days::LastOfWeek(day) => {
                that(&|date| day_of_week(date) == *day && within_last_week(date))
            }
            Days::NthOfWeek(day, nth) => {
                that(&|date| day_of_week(date) == *day && (date.day() - 1) / 7 + 1 == *nth)
            }
        }
    }
}

/// Saturday goes to the Friday before and Sunday to the Monday after, but never into another month.
fn nearest_weekday(first: Date, day: i8) -> u64 {
    let Ok(date) = Date::new(first.year(), first.month(), day) else { return 0 };
    let shift = match date.weekday() {
        Weekday::Saturday if day == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if day == first.days_in_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    date.checked_add(shift.days()).map_or(0, |date| bit(date.day()))
}

fn is_weekday(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Sunday is 1, Saturday is 7.
fn day_of_week(date: Date) -> i8 {
    date.weekday().to_sunday_one_offset()
}

const fn bit(value: i8) -> u64 {
    1 << value
}

const fn has(set: u64, value: i8) -> bool {
    set & bit(value) != 0
}

fn parse_day_of_month(text: &str) -> Result<Days, String> {
    let field = Field::new("day-of-month", 1, 31, &[]);
    match text {
        "L" => return Ok(Days::BeforeLast(0)),
        "LW" => return Ok(Days::LastWeekdayOfMonth),
        _ => {}
    }
    if let Some(days) = text.strip_prefix("L-") {
        let days = Field::new("day-of-month", 1, 30, &[]).value(days)?;
        return Ok(Days::BeforeLast(small(days)));
    }
    match text.strip_suffix('W') {
        Some(day) => Ok(Days::NearestWeekday(small(field.value(day)?))),
        None => set(&field, text).map(Days::OfMonth),
    }
}

fn parse_day_of_week(text: &str) -> Result<Days, String> {
    let field = Field::new("day-of-week", 1, 7, &WEEKDAYS);
    if text == "L" {
        return Ok(Days::OfWeek(bit(7)));
    }
    if let Some(day) = text.strip_suffix('L') {
        return Ok(Days::LastOfWeek(small(field.value(day)?)));
    }
    match text.split_once('#') {
        None => set(&field, text).map(Days::OfWeek),
        Some((day, nth)) => {
            let nth = Field::new("day-of-week", 1, 5, &[]).value(nth)?;
            Ok(Days::NthOfWeek(small(field.value(day)?), small(nth)))
        }
    }
}

/// The values of every field but the year fit.
fn small(value: i16) -> i8 {
    i8::try_from(value).unwrap_or(i8::MAX)
}

struct Field {
    name: &'static str,
    min: i16,
    max: i16,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
}

impl Field {
    const fn new(name: &'static str, min: i16, max: i16, names: &'static [&'static str]) -> Field {
        Field { name, min, max, names }
    }

    fn value(&self, text: &str) -> Result<i16, String> {
        let named = self.names.iter().zip(self.min..).find(|(name, _)| **name == text);
        let number = match named {
            Some((_, value)) => Some(value),
            None => digits(text).and_then(|digits| digits.parse().ok()),
        };
        number.filter(|value| (self.min..=self.max).contains(value)).ok_or_else(|| {
            let Field { name, min, max, .. } = self;
            format!("{name}: `{text}` is not between {min} and {max}")
        })
    }
}

/// A number has no sign, which the parser of numbers would accept.
pub(super) fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

fn set(field: &Field, text: &str) -> Result<u64, String> {
    let values = values(field, text)?;
    Ok(values.into_iter().fold(0, |set, value| set | bit(small(value))))
}

/// Lists of values, ranges (which may wrap round the end) and steps, in order.
fn values(field: &Field, text: &str) -> Result<Vec<i16>, String> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (span, step) = match part.split_once('/') {
            None => (part, None),
            Some((span, step)) => (span, Some(parse_step(field, step, part)?)),
        };
        let from_to = match span.split_once('-') {
            _ if span == "*" => (field.min, field.max),
            Some((from, to)) => (field.value(from)?, field.value(to)?),
            None => {
                let from = field.value(span)?;
                (from, if step.is_some() { field.max } else { from })
            }
        };
        all.extend(range(field, from_to, part)?.into_iter().step_by(step.unwrap_or(1)));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn parse_step(field: &Field, step: &str, part: &str) -> Result<usize, String> {
    let Field { name, min, max, .. } = field;
    let step = digits(step).and_then(|step| step.parse::<usize>().ok()).filter(|step| *step > 0);
    let step = step.ok_or_else(|| format!("{name}: `{part}` has no step after `/`"))?;
    let values = usize::try_from(max - min + 1).unwrap_or(usize::MAX);
    if step > values {
        return Err(format!("{name}: the step of `{part}` is longer than {values}"));
    }
    Ok(step)
}

fn range(field: &Field, (from, to): (i16, i16), part: &str) -> Result<Vec<i16>, String> {
    if from <= to {
        return Ok((from..=to).collect());
    }
    if field.max == YEAR_MAX {
        return Err(format!("{}: `{part}` ends before it begins", field.name));
    }
    Ok((from..=field.max).chain(field.min..=to).collect())
}

/// The latest local time that an expression can name.
pub fn end_of_time() -> DateTime {
    date(YEAR_MAX, 12, 31).at(23, 59, 0, 0)
}
