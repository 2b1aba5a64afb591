//! How numbers and times are said.

use jiff::Timestamp;

/// Lines are no longer than this.
pub const WIDTH: usize = 100;

/// `1 machine`, `2 machines`.
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(number))
}

/// `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long it was from one instant to another.
pub fn minutes(from: Timestamp, until: Timestamp) -> String {
    match until.duration_since(from).as_secs().max(0) {
        secs @ 0..90 => format!("{secs} s"),
        secs @ 90..5400 => format!("{} min", (secs + 30) / 60),
        secs @ 5400..172_800 => format!("{} h", (secs + 1800) / 3600),
        secs => format!("{} days", (secs + 43_200) / 86_400),
    }
}

/// `Wed 07 Jan 19:01`.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%a %d %b %H:%M").to_string()
}

/// A text in lines that fit, all but the first indented by so much, which the first has already.
pub fn wrapped(text: &str, indent: usize) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if indent + line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}
