//! The report for people, and the outcome for scripts.

use super::line::{Level, Line};
use crate::Failure;
use crate::text::{count, padded, width, wrapped_below};

/// Begins the text that says what to do.
const TO_DO: &str = "-> ";

/// Formats the lines for a terminal, and the sum of them below.
pub fn text(lines: &[Line]) -> String {
    let widest = lines.iter().map(|line| width(line.check)).max().unwrap_or(0);
    let mut told: Vec<String> = Vec::new();
    for line in lines {
        let begin = format!("{}  {}  ", padded(line.level.as_str(), 4), padded(line.check, widest));
        let indent = " ".repeat(width(&begin));
        told.push(wrapped_below(&line.found, &begin, &indent));
        if let Some(to_do) = &line.to_do {
            let first = format!("{indent}{TO_DO}");
            let rest = format!("{indent}{}", " ".repeat(TO_DO.len()));
            told.push(wrapped_below(to_do, &first, &rest));
        }
    }
    told.push(String::new());
    told.push(sum(lines));
    told.join("\n")
}

fn sum(lines: &[Line]) -> String {
    let number = |level: Level| lines.iter().filter(|line| line.level == level).count();
    let (fail, warn, ok) = (number(Level::Fail), number(Level::Warn), number(Level::Ok));
    let counts = [(fail, "fail"), (warn, "warn"), (ok, "ok")].into_iter();
    let counts = counts.filter(|(number, _)| *number > 0);
    let counts: Vec<String> = counts.map(|(number, level)| format!("{number} {level}")).collect();
    let verdict = if fail > 0 { "not healthy" } else { "healthy" };
    format!("{verdict}: {}", counts.join(", "))
}

/// Returns the worst level of all lines.
pub fn worst(lines: &[Line]) -> Level {
    lines.iter().map(|line| line.level).max().unwrap_or(Level::Ok)
}

/// Returns the outcome of the command.
///
/// # Errors
/// A check failed. If the only ones that failed could not be made, it is a fault of AWS or of ours.
pub fn outcome(lines: &[Line]) -> Result<(), Failure> {
    let failed: Vec<&Line> = lines.iter().filter(|line| line.level == Level::Fail).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let mut names: Vec<&str> = failed.iter().map(|line| line.check).collect();
    names.dedup();
    let text = format!("{} failed: {}", count(names.len(), "check"), names.join(", "));
    match failed.iter().all(|line| line.not_made) {
        true => Err(Failure::Ours(text)),
        false => Err(Failure::Input(text)),
    }
}
