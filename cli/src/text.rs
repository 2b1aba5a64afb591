//! How things are told on a terminal: times, spans, columns and lines that fit.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

/// Sentences are broken into lines of this width, which a terminal of 80 columns shows whole.
pub const WIDTH: usize = 78;

/// An instant in UTC, to the minute.
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// An instant in UTC with its weekday.
pub fn weekday(at: Timestamp) -> String {
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// The same on the clocks of a zone.
pub fn local(at: DateTime) -> String {
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// How long a time is, in the largest unit of which there are at least two.
pub fn span(time: SignedDuration) -> String {
    let secs = time.as_secs().max(0);
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let fits = units.iter().find(|(unit, _)| secs >= 2 * unit);
    fits.map_or(format!("{secs}s"), |(unit, letter)| format!("{}{letter}", secs / unit))
}

/// A sentence in lines that fit, each indented.
pub fn wrapped(text: &str, indent: &str) -> String {
    wrapped_below(text, indent, indent)
}

/// The same, with another beginning of the first line than of the others.
pub fn wrapped_below(text: &str, first: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("{indent}{word}")),
            None => lines.push(format!("{first}{word}")),
        }
    }
    lines.join("\n")
}

/// Lines whose cells stand below each other; a column in which nothing stands is left out.
pub fn columns<const N: usize>(lines: &[[String; N]], indent: &str) -> String {
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String; N]| {
        let shown = cells.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let padded: Vec<String> = shown.map(|(cell, width)| format!("{cell:width$}")).collect();
        let line = padded.join("  ");
        format!("{indent}{}\n", line.trim_end())
    };
    lines.iter().map(line).collect()
}

/// `1 machine`, `2 machines`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
