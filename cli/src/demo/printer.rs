//! Writes the story: its lines to stdout, and how far it is to stderr.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write as _};

use afterimage_cloud::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Failure;
use crate::demo::format;
use crate::demo::story::Line;
use crate::text::blanks;

/// A day with so many lines gets no more of the minor ones.
const DAY_LINES: usize = 8;

#[derive(Debug)]
pub struct Printer {
    start: Time,
    lines: BTreeMap<Date, usize>,
    /// Whether somebody watches stderr.
    watched: bool,
}

impl Printer {
    pub fn new(start: Time) -> Printer {
        Printer { start, lines: BTreeMap::new(), watched: io::stderr().is_terminal() }
    }

    /// A line of the story; the first of a day says which day it is.
    pub fn tell(&mut self, line: &Line) -> Result<(), Failure> {
        let day = line.at.to_zoned(TimeZone::UTC).date();
        let told = self.lines.entry(day).or_default();
        if line.minor && *told >= DAY_LINES {
            return Ok(());
        }
        *told += 1;
        let date =
            if *told == 1 { line.at.strftime("%a %d %b").to_string() } else { String::new() };
        let head = format!("{date:12}{}  ", line.at.strftime("%H:%M"));
        self.print(&format::wrapped_below(&line.text, &head, &blanks(&head)))
    }

    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.clear();
        crate::print(text)
    }

    /// Shows how far it is, to whoever waits.
    pub fn progress(&self, now: Time, days: u64, under_way: usize) {
        if self.watched {
            let hours = now.since(self.start).as_secs() / 3600;
            let (day, hour) = (hours / 24 + 1, hours % 24);
            let text = format!("day {day} of {days}, {hour:02}:00, {under_way} under way");
            write!(io::stderr(), "\r\x1b[K{text}").ok();
        }
    }

    fn clear(&self) {
        if self.watched {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
