//! The functions, by the heartbeats that they write: heard of, and of the version of this command.

use std::collections::BTreeMap;

use afterimage_aws::Ledger;
use afterimage_aws::ledger::Heartbeat;
use afterimage_core::limits::HEARTBEAT_LATE;
use jiff::Timestamp;

use super::line::{Line, answer, or_ok};
use crate::text::span;

const FUNCTIONS: &str = "functions";

/// Version of this command, and of the templates and functions that belong to it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Suffixes of the names of the functions that a schedule invokes.
const TICKS: [&str; 2] = ["backup-tick", "reconcile-tick"];

/// Suffixes of the names of the functions that events invoke.
const OTHERS: [&str; 5] = [
    "image-state-changed",
    "instance-state-changed",
    "instance-tagged",
    "snapshots-completed",
    "work-requested",
];

/// The newest heartbeat of each function, by the suffix of its name.
pub type Heard = BTreeMap<&'static str, Heartbeat>;

/// Lists the suffixes of the names of all functions.
pub fn all() -> impl Iterator<Item = &'static str> {
    TICKS.into_iter().chain(OTHERS)
}

/// Reads the heartbeats.
///
/// # Errors
/// The ledger cannot be read; the line says so.
pub async fn heard(ledger: &Ledger) -> Result<Heard, Line> {
    let beats = answer(ledger.heartbeats()).await.map_err(|why| {
        let found = format!("cannot read the heartbeats of the functions: {why}");
        let to_do = why.to_do("allow these credentials dynamodb:Query on the table");
        Line::not_made(FUNCTIONS, found, to_do)
    })?;
    let mut heard = Heard::new();
    for beat in beats {
        let of = |name: &&'static str| beat.function.ends_with(&format!("-{name}"));
        let Some(name) = all().find(of) else { continue };
        // A stack with another name has left its own.
        if heard.get(name).is_none_or(|known| known.at < beat.at) {
            heard.insert(name, beat);
        }
    }
    Ok(heard)
}

/// Returns the beginning of the names of the functions: the name of the stack.
pub fn stack_name(heard: &Heard) -> Option<&str> {
    let (name, beat) = newest(heard)?;
    beat.function.strip_suffix(name)?.strip_suffix('-')
}

/// Returns the newest heartbeat, with the suffix of the name of its function.
pub fn newest(heard: &Heard) -> Option<(&'static str, &Heartbeat)> {
    heard.iter().map(|(name, beat)| (*name, beat)).max_by_key(|(_, beat)| beat.at)
}

/// Looks at the heartbeats.
pub fn lines(heard: &Heard, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    for name in TICKS {
        match heard.get(name) {
            None => {
                let found = format!("{name} has had no event yet");
                let to_do = "wait five minutes after the deployment; then look if its rule is \
                             enabled, and at the errors and the log of the function";
                lines.push(Line::warn(FUNCTIONS, found, to_do));
            }
            Some(beat) if now.duration_since(beat.at) >= HEARTBEAT_LATE => {
                let age = span(now.duration_since(beat.at));
                let found = format!("{} was last heard of {age} ago", beat.function);
                let to_do = "look if its rule is enabled, and at the errors and the log of the \
                             function; if it works, the stack has another table: its parameter \
                             TableName says which";
                lines.push(Line::fail(FUNCTIONS, found, to_do));
            }
            Some(_) => {}
        }
    }
    lines.extend(of_other_versions(heard));
    lines.extend(of_other_template(heard));
    let silent: Vec<&str> = OTHERS.into_iter().filter(|name| !heard.contains_key(name)).collect();
    let silent = match silent.is_empty() {
        true => String::new(),
        false => format!("; none yet: {}", silent.join(", ")),
    };
    let (some, all) = (heard.len(), all().count());
    let found = format!("{some} of {all} have had an event, version {VERSION}{silent}");
    or_ok(lines, FUNCTIONS, found)
}

/// Tells which functions are of another version than this command.
fn of_other_versions(heard: &Heard) -> Option<Line> {
    let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, beat) in heard.iter().filter(|(_, beat)| beat.version != VERSION) {
        others.entry(&beat.version).or_default().push(name);
    }
    let of = |(version, names): (&&str, &Vec<&str>)| format!("{} {version}", names.join(", "));
    let told: Vec<String> = others.iter().map(of).collect();
    let found = format!(
        "this command is of version {VERSION}, and functions of another: {}",
        told.join("; ")
    );
    let to_do = "deploy infra/template.yaml of this version, or use the command of theirs; a \
                 function tells its new version at its next event";
    (!others.is_empty()).then(|| Line::warn(FUNCTIONS, found, to_do))
}

/// Tells that the functions and their template are of different versions: somebody has changed the
/// code of a function without its template.
fn of_other_template(heard: &Heard) -> Option<Line> {
    let is_other = |beat: &&Heartbeat| {
        beat.template.as_ref().is_some_and(|template| *template != beat.version)
    };
    let beat = heard.values().find(is_other)?;
    let found = format!(
        "{} is of version {}, and its template of version {}",
        beat.function,
        beat.version,
        beat.template.as_deref().unwrap_or_default()
    );
    let to_do = "deploy infra/template.yaml of the version of the functions: their roles and rules \
                 are part of it";
    Some(Line::warn(FUNCTIONS, found, to_do))
}
