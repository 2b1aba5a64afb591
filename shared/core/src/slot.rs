//! Slots: what makes a point unique. One slot, at most one point, ever.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, NotAnId, PolicyName};

/// The occasion for which a policy asks for a point of a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The instant of a schedule.
    Scheduled(Timestamp),
    /// The stop that ended the run which was launched then. Every start resets the launch time, so
    /// that the event and the sweep give the same stop the same name.
    Stopped { launched: Timestamp },
    /// The nth time that somebody asked for it, by a tag or on the command line.
    #[serde(rename = "asked")]
    OnDemand { ordinal: u32 },
}

/// policy × instance × occasion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    pub policy: PolicyName,
    pub instance: InstanceId,
    pub occasion: Occasion,
}

/// The key of a point: derived from its slot, so that whoever asks, and how often, there is one.
///
/// `POLICY-INSTANCE-at-INSTANT`, `POLICY-INSTANCE-run-LAUNCHED` or
/// `POLICY-INSTANCE-ask-ORDINAL`, the instance without its `i-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PointId {
    text: String,
    /// Stands in the text; taken out once, so that nobody has to ask again whether it is there.
    instance: InstanceId,
}

/// Colons would do, but not in the names of images, which begin with the id of a point.
const INSTANT: &str = "%Y%m%dT%H%M%SZ";

impl PointId {
    pub fn of(slot: &Slot) -> PointId {
        let Slot { policy, instance, occasion } = slot;
        let when = match occasion {
            Occasion::Scheduled(at) => format!("at-{}", at.strftime(INSTANT)),
            Occasion::Stopped { launched } => format!("run-{}", launched.strftime(INSTANT)),
            Occasion::OnDemand { ordinal } => format!("ask-{ordinal}"),
        };
        let digits = instance.as_str().trim_start_matches("i-");
        let text = format!("{policy}-{digits}-{when}");
        PointId { text, instance: instance.clone() }
    }

    /// Reads what may be the id of a point, such as the value of a tag that anybody may write.
    ///
    /// # Errors
    /// The text is no id of a point.
    pub fn parse(text: &str) -> Result<PointId, NotAnId> {
        let instance = instance_in(text).ok_or_else(|| NotAnId {
            text: text.to_string(),
            expected: "the id of a point (POLICY-INSTANCE-at-INSTANT)",
        })?;
        Ok(PointId { text: text.to_string(), instance })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of its policy.
    pub fn policy(&self) -> &str {
        self.text.rsplitn(4, '-').nth(3).unwrap_or_default()
    }

    /// Tells whether its slot is a later one than that of another point of the same machine and
    /// policy, as far as the ids tell: of occasions of two kinds they do not.
    pub fn is_later_than(&self, other: &PointId) -> bool {
        let parts = |id: &'_ PointId| {
            let mut parts = id.text.rsplitn(3, '-').map(str::to_string);
            Some((parts.next()?, parts.next()?, parts.next()?))
        };
        let (Some((at, kind, rest)), Some((before, kind_before, rest_before))) =
            (parts(self), parts(other))
        else {
            return false;
        };
        // Ordinals have no leading zeros, and instants have one length.
        let is_later = (at.len(), &at) > (before.len(), &before);
        (kind, rest) == (kind_before, rest_before) && is_later
    }

    /// The instance that was, or is to be, imaged.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }
}

/// Finds the instance in an id, from its end on: the name of a policy may have hyphens in it.
fn instance_in(text: &str) -> Option<InstanceId> {
    let mut parts = text.rsplitn(4, '-');
    let (at, kind) = (parts.next()?, parts.next()?);
    let (digits, policy) = (parts.next()?, parts.next()?);
    PolicyName::parse(policy).ok()?;
    // The same instant or ordinal, written otherwise, would be another id of the same point.
    let plain = match kind {
        "at" | "run" => DateTime::strptime(INSTANT, at).ok()?.strftime(INSTANT).to_string(),
        "ask" => at.parse::<u32>().ok()?.to_string(),
        _ => return None,
    };
    (plain == at).then(|| InstanceId::parse(&format!("i-{digits}")).ok())?
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for PointId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<PointId, NotAnId> {
        PointId::parse(&text)
    }
}

impl From<PointId> for String {
    fn from(id: PointId) -> String {
        id.text
    }
}
