//! Times and lines of the demo.

use jiff::Timestamp;

use crate::text::wrapped_to;

/// Widest line of the demo.
pub const WIDTH: usize = 100;

/// Formats the time between two instants: `12 min`.
pub fn elapsed(from: Timestamp, until: Timestamp) -> String {
    match until.duration_since(from).as_secs().max(0) {
        secs @ 0..90 => format!("{secs} s"),
        secs @ 90..5400 => format!("{} min", (secs + 30) / 60),
        secs @ 5400..172_800 => format!("{} h", (secs + 1800) / 3600),
        secs => format!("{} days", (secs + 43_200) / 86_400),
    }
}

/// Formats an instant: `Wed 07 Jan 19:01`.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%a %d %b %H:%M").to_string()
}

/// Breaks a text into lines of at most [`WIDTH`]: `first` begins the first line, `indent` the
/// others.
pub fn wrapped_below(text: &str, first: &str, indent: &str) -> String {
    wrapped_to(WIDTH, text, first, indent)
}
