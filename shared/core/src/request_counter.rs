//! The requests for points of one machine under one policy: how many there were, and whether the
//! last one by tag may still stand on the machine.
//!
//! A record of its own, and not part of the summary, because its version decides: of all that see
//! the same tag at the same time, one writes it, and only that one takes the tag off. And because
//! it stands in an index until the request is answered, so that the sweep finds what was begun and
//! not ended, with the tag or without it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, PolicyName, Region};
use crate::slot::{Occasion, PointId, Slot};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestCounter {
    pub instance: InstanceId,
    pub home: Region,
    pub policy: PolicyName,
    /// Counts the writes; whoever writes names the version that they read.
    pub version: u64,
    /// Number of the last request, by whatever way it came; the first has 1.
    pub ordinal: u32,
    /// A request by tag that is not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Time at which the last tag was seen to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumed_at: Option<Timestamp>,
}

/// A request that was written down, and whose tag is to be taken off and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    pub point: PointId,
    pub requested_at: Timestamp,
    /// Time until which the function that took it may be at it; from then on anybody may.
    pub due_at: Timestamp,
}

impl RequestCounter {
    /// Counter of a machine that nobody has asked for yet under this policy.
    pub fn never(instance: &InstanceId, home: &Region, policy: &PolicyName) -> RequestCounter {
        RequestCounter {
            instance: instance.clone(),
            home: home.clone(),
            policy: policy.clone(),
            version: 0,
            ordinal: 0,
            pending: None,
            consumed_at: None,
        }
    }

    /// The same after one more request; and what that is a request of.
    pub fn once_more(&self) -> (RequestCounter, Occasion) {
        let ordinal = self.ordinal.saturating_add(1);
        (RequestCounter { ordinal, ..self.clone() }, Occasion::OnDemand { ordinal })
    }

    /// The same once the tag was seen to go. The request is pending until it is answered.
    #[must_use]
    pub fn without_tag(&self, now: Timestamp) -> RequestCounter {
        RequestCounter { consumed_at: Some(now), ..self.clone() }
    }

    /// The same once the tag has gone and the request is answered.
    #[must_use]
    pub fn consumed(&self, now: Timestamp) -> RequestCounter {
        let consumed_at = self.unanswered_since().unwrap_or(now);
        RequestCounter { pending: None, consumed_at: Some(consumed_at), ..self.clone() }
    }

    /// Returns the time at which the tag of the pending request was seen to go; none if it was not,
    /// or if no request is pending.
    pub fn unanswered_since(&self) -> Option<Timestamp> {
        let pending = self.pending.as_ref()?;
        self.consumed_at.filter(|at| *at >= pending.requested_at)
    }

    /// The point of the last request.
    pub fn last(&self) -> PointId {
        let occasion = Occasion::OnDemand { ordinal: self.ordinal };
        let (policy, instance) = (self.policy.clone(), self.instance.clone());
        PointId::of(&Slot { policy, instance, occasion })
    }

    /// # Errors
    /// Says what does not hold of this record.
    pub fn check(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("version is 0, which stands for no record".to_string());
        }
        if self.ordinal == 0 {
            return Err("ordinal is 0: no request is counted".to_string());
        }
        match &self.pending {
            Some(pending) if pending.point.instance() != &self.instance => {
                Err(format!("the pending request is for {}", pending.point.instance()))
            }
            Some(_) | None => Ok(()),
        }
    }
}
