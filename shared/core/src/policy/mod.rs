//! Policies: what to protect, when, how, where to, and for how long.
//!
//! [`file`] reads them from a file that people write; in the ledger they are kept as they were
//! read, and checked again when they come back.

pub mod cron;
pub mod difference;
pub mod file;
pub mod next;
pub mod print;
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
    pub consistency: Consistency,
    #[serde(default)]
    pub stop_start: StopStart,
    #[serde(default)]
    pub image: ImageOptions,
    #[serde(default)]
    pub replicate: Vec<Replicate>,
    /// False if what is lost of its points is made again only when a person asks for it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub heal: bool,
    /// Time for which points are kept; none keeps all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<Retain>,
    /// Greatest age of the newest good point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_secs: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Schedule(Timed),
    Stopped(OnStopped),
    /// Somebody puts the tag on a machine that asks for an image now.
    Tag,
}

/// Consistency that the disks must have.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// The machine must be stopped; a slot waits for that within its window.
    AtRest,
    /// The machine is stopped for its snapshots, and started again.
    StopStart,
    /// EC2 reboots the machine for its image.
    Reboot,
    /// The machine is imaged as it is: running as after a power cut, stopped at rest. So a
    /// policy that says nothing of it has its images, and their grade tells what they are.
    #[default]
    Crash,
}

/// Options for stopping machines for their images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopStart {
    /// The most machines of the policy that are down together.
    pub at_once: u32,
    /// A machine that takes longer to stop is started again, and not imaged.
    pub timeout_secs: u64,
}

impl Default for StopStart {
    fn default() -> StopStart {
        StopStart { at_once: 1, timeout_secs: 600 }
    }
}

/// Treatment of slots that were missed while nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// The last of them is imaged now.
    #[default]
    Latest,
    /// None of them is imaged; the last is recorded as missed.
    None,
}

/// Rules of `restic forget` under the same names. A rule that is absent keeps nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retain {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hourly: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yearly: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_secs: Option<u64>,
}

/// A schedule in its zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TimedText", into = "TimedText")]
pub struct Timed {
    text: TimedText,
    pub schedule: Schedule,
    pub zone: TimeZone,
    /// Time that a slot waits, for a stop or for its turn to be stopped.
    pub window_secs: u64,
    pub catch_up: CatchUp,
}

/// Time that a slot waits unless its schedule says otherwise, and that every request waits.
pub const DEFAULT_WINDOW_SECS: u64 = 4 * 3600;

/// A schedule as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimedText {
    schedule: String,
    timezone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_secs: Option<u64>,
    #[serde(default)]
    catch_up: CatchUp,
}

impl Timed {
    /// # Errors
    /// Says whether the expression or the zone is wrong, and how.
    pub fn new(schedule: &str, timezone: &str) -> Result<Timed, String> {
        Timed::try_from(TimedText {
            schedule: schedule.to_string(),
            timezone: timezone.to_string(),
            window_secs: None,
            catch_up: CatchUp::default(),
        })
    }

    /// The same schedule, whose slots wait for so long.
    #[must_use]
    pub fn with_window(mut self, secs: u64) -> Timed {
        self.text.window_secs = Some(secs);
        self.window_secs = secs;
        self
    }

    /// The same schedule, with this to become of slots that were missed.
    #[must_use]
    pub fn with_catch_up(mut self, catch_up: CatchUp) -> Timed {
        self.text.catch_up = catch_up;
        self.catch_up = catch_up;
        self
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
        let zone = zone(&text.timezone)?;
        let schedule = Schedule::parse(&text.schedule)?;
        let window_secs = text.window_secs.unwrap_or(DEFAULT_WINDOW_SECS);
        Ok(Timed { schedule, zone, window_secs, catch_up: text.catch_up, text })
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

/// Method by which an image is made.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Whichever of the two loses nothing.
    #[default]
    Auto,
    CreateImage,
    SnapshotRegister,
}

/// Kind of artefact that is made of a machine.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Artefact {
    #[default]
    Image,
    /// Snapshots of its disks, and nothing to boot from.
    Snapshots,
}

/// Volumes that are left out. One of its tags, or its device, is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcludeVolumes {
    /// A key and the patterns of its values.
    #[serde(default)]
    pub tags: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub devices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageOptions {
    #[serde(default)]
    pub method: Method,
    #[serde(default)]
    pub kind: Artefact,
    #[serde(default)]
    pub exclude_volumes: ExcludeVolumes,
    /// The tags of the machine on every artefact.
    #[serde(default = "yes")]
    pub copy_tags: bool,
    /// Tags of every artefact, beside ours.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Accounts that may launch from the images.
    #[serde(default)]
    pub share: Vec<AccountId>,
}

impl Default for ImageOptions {
    fn default() -> ImageOptions {
        ImageOptions {
            method: Method::default(),
            kind: Artefact::default(),
            exclude_volumes: ExcludeVolumes::default(),
            copy_tags: true,
            tags: BTreeMap::new(),
            share: Vec::new(),
        }
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_true(value: &bool) -> bool {
    *value
}

/// Region that must have a copy of every image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replicate {
    pub region: Region,
    /// Key of that region: a key id, an alias or an ARN.
    pub kms_key: Option<String>,
    pub deadline_secs: Option<u64>,
    /// Time for which replicas are kept there, if not as at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<Retain>,
}

impl Policy {
    /// Lists the replicas of a machine: every replica region but its own.
    pub fn replicas_for(&self, home: &Region) -> Vec<&Replicate> {
        self.replicate.iter().filter(|replica| replica.region != *home).collect()
    }
}
