//! Points of which nothing is left: whether they begin again on their machine. The worker that
//! makes lost places again goes by this, and so does the command that says what it will do.

use jiff::SignedDuration;

use crate::flow::InForce;
use crate::flow::wanted::{self, Verdict};
use crate::limits::{HEAL_AGAIN, PROBE_EVERY};
use crate::machine::{Instance, State};
use crate::point::Point;
use crate::policy::Consistency;
use crate::slot::Occasion;
use crate::status::{Phase, Status};

/// A reason why a point does not begin again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub why: String,
    /// True if the machine itself may change that: the point begins again when a look finds it so.
    pub may_pass: bool,
    /// Time after which that is looked at again.
    pub look_after: SignedDuration,
}

/// Decides whether a point of which nothing is left begins again. `shown` is its machine, as far as
/// EC2 shows it; `others` are the other points of the machine.
///
/// # Errors
/// It does not begin again now.
pub fn check<'a>(
    point: &Point,
    shown: Option<&Instance>,
    others: impl Iterator<Item = &'a Point>,
    in_force: &InForce,
) -> Result<(), Kept> {
    let machine = point.instance();
    let kept = |why, may_pass| Err(Kept { why, may_pass, look_after: HEAL_AGAIN });
    let Some(instance) = shown else {
        return kept(format!("EC2 does not show its machine {machine}"), false);
    };
    let state = instance.state.as_str();
    if instance.state.is_gone() {
        return kept(format!("its machine {machine} is {state}"), false);
    }
    match wanted::point(point, Some(instance), in_force) {
        Verdict::Wanted => {}
        Verdict::Unknown(reason) => return kept(reason.text, true),
        // A person may take away the tag that excludes it.
        Verdict::Unwanted(reason) => {
            return Err(Kept { why: reason.text, may_pass: false, look_after: PROBE_EVERY });
        }
    }
    if let Some(newer) = newer(point, others) {
        return kept(format!("point {} of its machine is newer", newer.id), false);
    }
    if stands(point, instance) {
        return Ok(());
    }
    match point.slot.occasion {
        Occasion::Stopped { .. } => {
            let text = format!(
                "its machine {machine} is {state}, and no longer in the stop that it is of; the \
                 next stop has a point of its own"
            );
            kept(text, false)
        }
        Occasion::Scheduled(_) | Occasion::OnDemand { .. } => {
            kept(format!("its machine {machine} is {state}, not as the policy asks for"), true)
        }
    }
}

/// Returns a newer point of the same machine and policy that has an image, gets one, or begins
/// again itself: the data that this one would have is in that one.
fn newer<'a>(point: &Point, mut others: impl Iterator<Item = &'a Point>) -> Option<&'a Point> {
    let is_to_be_healed =
        |other: &Point| other.status == Status::Lost && other.step.due_at.is_some();
    others.find(|other| {
        other.slot.policy == point.slot.policy
            && other.requested_at > point.requested_at
            && (other.status.phase() != Phase::Ended || is_to_be_healed(other))
    })
}

/// Tells whether a machine stands as the policy wants it for an image, without being stopped or
/// rebooted for it a second time.
fn stands(point: &Point, instance: &Instance) -> bool {
    // A point of a stop is of that stop and no other.
    if let Occasion::Stopped { launched } = point.slot.occasion {
        return instance.is_at_rest() && instance.launched == launched;
    }
    match point.plan.consistency {
        Consistency::Crash => matches!(instance.state, State::Running | State::Stopped),
        Consistency::AtRest | Consistency::StopStart | Consistency::Reboot => instance.is_at_rest(),
    }
}
