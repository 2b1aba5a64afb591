//! Printer of the demo: the story goes to stdout, its progress to stderr.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write as _};

use afterimage_cloud::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Failure;
use crate::demo::format;
use crate::demo::story::Line;
use crate::text::blanks;

/// Number of lines after which a day gets no more minor ones.
const DAY_LINES_FULL: usize = 8;

/// Printer of the story.
#[derive(Debug)]
pub struct Printer {
    start: Time,
    lines: BTreeMap<Date, usize>,
    /// True if stderr is a terminal.
    has_terminal: bool,
}

impl Printer {
    pub fn new(start: Time) -> Printer {
        Printer { start, lines: BTreeMap::new(), has_terminal: io::stderr().is_terminal() }
    }

    /// Prints a line of the story. The first line of a day has its date.
    pub fn print_line(&mut self, line: &Line) -> Result<(), Failure> {
        let day = line.at.to_zoned(TimeZone::UTC).date();
        let told = self.lines.entry(day).or_default();
        if line.minor && *told >= DAY_LINES_FULL {
            return Ok(());
        }
        *told += 1;
        let date =
            if *told == 1 { line.at.strftime("%a %d %b").to_string() } else { String::new() };
        let head = format!("{date:12}{}  ", line.at.strftime("%H:%M"));
        self.print(&format::wrapped_below(&line.text, &head, &blanks(&head)))
    }

    /// Prints a text, in the place of the progress.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.clear();
        crate::print(text)
    }

    /// Shows the progress, if somebody can see it.
    pub fn progress(&self, now: Time, days: u64, under_way: usize) {
        if self.has_terminal {
            let hours = now.since(self.start).as_secs() / 3600;
            let (day, hour) = (hours / 24 + 1, hours % 24);
            let text = format!("day {day} of {days}, {hour:02}:00, {under_way} under way");
            write!(io::stderr(), "\r\x1b[K{text}").ok();
        }
    }

    fn clear(&self) {
        if self.has_terminal {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
