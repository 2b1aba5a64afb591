//! Random cron expressions, as far as EventBridge's guide defines them.

use fastrand::Rng;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// What a field may hold.
struct Field {
    low: i32,
    high: i32,
    names: &'static [&'static str],
    has_steps: bool,
    wraps: bool,
}

const MINUTE: Field = Field { low: 0, high: 59, names: &[], has_steps: true, wraps: true };
const HOUR: Field = Field { low: 0, high: 23, names: &[], has_steps: true, wraps: true };
const DAY: Field = Field { low: 1, high: 31, names: &[], has_steps: true, wraps: true };
const MONTH: Field = Field { low: 1, high: 12, names: &MONTHS, has_steps: true, wraps: true };
const WEEKDAY: Field = Field { low: 1, high: 7, names: &WEEKDAYS, has_steps: false, wraps: true };
/// Those that a test can wait for.
const YEAR: Field = Field { low: 2024, high: 2060, names: &[], has_steps: false, wraps: false };
/// The hours in which clocks change.
const SMALL_HOUR: Field = Field { low: 0, high: 4, names: &[], has_steps: false, wraps: false };

/// Anything.
pub fn anything(rng: &mut Rng) -> String {
    let (minute, hour) = (MINUTE.values(rng), HOUR.values(rng));
    let (day, weekday) = match rng.bool() {
        true => (day(rng), "?".to_string()),
        false => ("?".to_string(), weekday(rng)),
    };
    let month = if rng.u8(..3) == 0 { MONTH.values(rng) } else { "*".to_string() };
    let year = if rng.u8(..8) == 0 { YEAR.values(rng) } else { "*".to_string() };
    format!("{minute} {hour} {day} {month} {weekday} {year}")
}

/// Something that may fall into the hours in which clocks change.
pub fn nightly(rng: &mut Rng) -> String {
    let minute = MINUTE.values(rng);
    let hour = match rng.u8(..6) {
        0 => "*".to_string(),
        1 => HOUR.values(rng),
        2 => format!("{}-{}", rng.i32(20..24), rng.i32(0..5)),
        3 => format!("{},23", SMALL_HOUR.one(rng)),
        _ => SMALL_HOUR.values(rng),
    };
    let days = match rng.u8(..4) {
        0 => format!("{} * ?", day(rng)),
        1 => format!("? * {}", weekday(rng)),
        _ => "* * ?".to_string(),
    };
    format!("{minute} {hour} {days} *")
}

fn day(rng: &mut Rng) -> String {
    match rng.u8(..8) {
        0 => "L".to_string(),
        1 => format!("L-{}", rng.i32(1..=30)),
        2 => format!("{}W", DAY.number(rng)),
        _ => DAY.values(rng),
    }
}

fn weekday(rng: &mut Rng) -> String {
    match rng.u8(..5) {
        0 => format!("{}L", WEEKDAY.one(rng)),
        1 => format!("{}#{}", WEEKDAY.one(rng), rng.i32(1..=5)),
        _ => WEEKDAY.values(rng),
    }
}

impl Field {
    fn number(&self, rng: &mut Rng) -> i32 {
        rng.i32(self.low..=self.high)
    }

    /// A value, sometimes by its name, in either case.
    fn one(&self, rng: &mut Rng) -> String {
        let number = self.number(rng);
        let index = usize::try_from(number - self.low).unwrap_or_default();
        match self.names.get(index) {
            Some(name) if rng.bool() => match rng.bool() {
                true => name.to_string(),
                false => name.to_lowercase(),
            },
            _ => number.to_string(),
        }
    }

    fn range(&self, rng: &mut Rng) -> String {
        if self.wraps {
            return format!("{}-{}", self.one(rng), self.one(rng));
        }
        let (one, other) = (self.number(rng), self.number(rng));
        format!("{}-{}", one.min(other), one.max(other))
    }

    fn part(&self, rng: &mut Rng) -> String {
        let step = rng.i32(1..=(self.high - self.low).min(20));
        match rng.u8(..8) {
            0..4 => self.one(rng),
            4 | 5 => self.range(rng),
            _ if !self.has_steps => self.one(rng),
            6 => format!("{}/{step}", self.one(rng)),
            _ => format!("{}/{step}", self.range(rng)),
        }
    }

    fn values(&self, rng: &mut Rng) -> String {
        match rng.u8(..8) {
            0 | 1 => "*".to_string(),
            2 if self.has_steps => format!("*/{}", rng.i32(1..=(self.high - self.low).min(20))),
            3 => (0..rng.usize(2..5)).map(|_| self.part(rng)).collect::<Vec<_>>().join(","),
            _ => self.part(rng),
        }
    }
}
