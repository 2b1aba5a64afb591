//! Text for a terminal: times, spans, counts, tables, and lines that fit.
//!
//! Names of machines, tags and images are anybody's words. Tables and wrapped lines show them
//! [`printable`]; what is printed in another way has to be made printable by its caller.
//!
//! Widths are columns of a terminal, not characters: a Chinese character fills two columns, a
//! combining accent none. Names of machines may have both.

use afterimage_core::summary::Latest;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use unicode_width::UnicodeWidthStr;

/// Widest line of a sentence. A terminal of 80 columns shows it whole.
pub const WIDTH: usize = 78;

/// Reads an instant, or the date in UTC at whose beginning it is.
///
/// # Errors
/// The text is neither.
pub fn date_or_instant(text: &str) -> Result<Timestamp, String> {
    let start = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let instant = text.parse().ok().or_else(|| start(text.parse().ok()?));
    instant.ok_or_else(|| "write a date or an instant: 2026-03-28, 2026-03-28T06:00:00Z".into())
}

/// Formats an instant in UTC, to the minute.
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Formats an instant in UTC, with its weekday.
pub fn weekday(at: Timestamp) -> String {
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// Formats a local time, with its weekday.
pub fn local(at: DateTime) -> String {
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// Formats a span of time in the largest unit of which it has at least two.
pub fn span(time: SignedDuration) -> String {
    let secs = time.as_secs().max(0);
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let fits = units.iter().find(|(unit, _)| secs >= 2 * unit);
    fits.map_or(format!("{secs}s"), |(unit, letter)| format!("{}{letter}", secs / unit))
}

/// Formats a number of things: `1 machine`, `2 machines`.
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {}", plural(number, noun))
}

/// Formats a number of things that may be large: `1,234 calls`.
pub fn large_count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{} {}", thousands(number), plural(number, noun))
}

fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{noun}{ending}")
}

/// Formats a number in groups of three digits: `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Replaces every character that would move the cursor, end the line or turn the direction of the
/// text: whoever names a machine does not write rows of the table.
pub fn printable(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Width of a text, in columns of a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Fills a text up with blanks to a width.
pub fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Cuts a text to a width. An ellipsis stands for what is cut off.
pub fn cut(text: &str, to: usize) -> String {
    if width(text) <= to {
        return text.to_string();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept) + width("…") > to {
            kept.pop();
            break;
        }
    }
    format!("{kept}…")
}

/// Makes blanks as wide as a text. Its tabs stay tabs.
pub fn blanks(text: &str) -> String {
    let parts: Vec<String> = text.split('\t').map(|part| " ".repeat(width(part))).collect();
    parts.join("\t")
}

/// Breaks a text into lines of at most [`WIDTH`], each indented.
pub fn wrapped(text: &str, indent: &str) -> String {
    wrapped_below(text, indent, indent)
}

/// Breaks a text into lines of at most [`WIDTH`]: `first` begins the first line, `indent` the
/// others.
pub fn wrapped_below(text: &str, first: &str, indent: &str) -> String {
    wrapped_to(WIDTH, text, first, indent)
}

/// Breaks a text into lines of at most `max`: `first` begins the first line, `indent` the others.
/// A word that is wider than a line is not broken.
pub fn wrapped_to(max: usize, text: &str, first: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace().map(printable) {
        let word = word.as_str();
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= max => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("{indent}{word}")),
            None => lines.push(format!("{first}{word}")),
        }
    }
    if lines.is_empty() {
        lines.push(first.trim_end().to_string());
    }
    lines.join("\n")
}

/// Lays out a table: a line for each row, its cells two blanks apart. A column in which no row has
/// anything is left out.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))).collect();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(widest).collect();
    let line = |row: &[String; N]| {
        let shown = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let cells: Vec<String> = shown.map(|(cell, width)| padded(cell, *width)).collect();
        cells.join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect()
}

/// Tells how often a point was tried, and when it is tried again; nothing if no try failed. If an
/// obstacle holds the point up, the next look at the obstacle decides about the next try.
pub fn tries(latest: &Latest, is_held_up: bool, now: Timestamp) -> Option<String> {
    let Latest { failures, next_at, .. } = latest;
    let failed = match failures {
        0 => return None,
        1 => "1 try failed".to_string(),
        several => format!("{several} tries failed"),
    };
    let next = next_at.filter(|_| !is_held_up).map(|at| match at > now {
        true => format!("; next try {} UTC", minute(at)),
        false => "; the next try is due".to_string(),
    });
    Some(format!("{failed}{}", next.unwrap_or_default()))
}
