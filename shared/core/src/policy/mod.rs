//! Policies: what to protect, when, how, where to.
//!
//! [`file`] reads them from a file that people write; in the ledger they are kept as they were
//! read, and checked again when they come back.

pub mod cron;
pub mod file;
mod reader;
pub mod schedule;
pub mod select;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, PolicyName, Region};
use schedule::Schedule;
use select::Select;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: PolicyName,
    pub select: Select,
    pub triggers: Vec<Trigger>,
    #[serde(default)]
    pub image: ImageOptions,
    #[serde(default)]
    pub replicate: Vec<Replicate>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Schedule(Timed),
    Stopped(OnStopped),
}

/// A schedule in its zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TimedText", into = "TimedText")]
pub struct Timed {
    text: TimedText,
    pub schedule: Schedule,
    pub zone: TimeZone,
}

/// A schedule as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimedText {
    schedule: String,
    timezone: String,
}

impl Timed {
    /// # Errors
    /// Says whether the expression or the zone is wrong, and how.
    pub fn new(schedule: &str, timezone: &str) -> Result<Timed, String> {
        let zone = zone(timezone)?;
        let text = TimedText { schedule: schedule.to_string(), timezone: timezone.to_string() };
        Ok(Timed { text, schedule: Schedule::parse(schedule)?, zone })
    }

    /// The expression as it is written.
    pub fn expression(&self) -> &str {
        &self.text.schedule
    }

    /// The name of the zone.
    pub fn timezone(&self) -> &str {
        &self.text.timezone
    }
}

/// A zone of the IANA database by its name.
///
/// # Errors
/// Says that there is none of that name.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("`{name}` is not a time zone of the IANA database"))
}

impl TryFrom<TimedText> for Timed {
    type Error = String;
    fn try_from(text: TimedText) -> Result<Timed, String> {
        Timed::new(&text.schedule, &text.timezone)
    }
}

impl From<Timed> for TimedText {
    fn from(timed: Timed) -> TimedText {
        timed.text
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnStopped {
    /// A stop that follows the last point by less is left alone.
    pub min_interval_secs: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageOptions {
    /// On every artefact, beside ours.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Accounts that may launch from the images.
    #[serde(default)]
    pub share: Vec<AccountId>,
}

/// One more place where every image must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replicate {
    pub region: Region,
    /// Of that region: a key id, an alias or an ARN.
    pub kms_key: Option<String>,
    pub deadline_secs: Option<u64>,
}

impl Policy {
    /// Where the images of a machine go: every replica region but its own.
    pub fn replicas_for(&self, home: &Region) -> Vec<&Replicate> {
        self.replicate.iter().filter(|replica| replica.region != *home).collect()
    }
}
