//! The check before the snapshots of a point are begun: the machine must be as consistent as the
//! point requires.
//!
//! A point that has to be at rest is begun when its machine is seen stopped. Until then it waits,
//! and stands in its queue as due when its window closes. The function that sees the machine stop
//! makes the point due at once. When the window has closed, the point is looked at again, and is
//! missed if the machine still runs.

use jiff::Timestamp;

use crate::limits::{SETTLE, later};
use crate::machine::{Instance, State};
use crate::point::Point;
use crate::policy::Consistency;
use crate::reason::{Code, Reason};
use crate::slot::Occasion;

/// Result of the check: the point is begun, waits, or is missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// The point is begun now. The reason is one that a person should see, if the point gets less
    /// than it asked for.
    Now(Option<Reason>),
    /// The point waits, and is looked at again at this time, unless something happens before.
    Wait(Timestamp, Reason),
    /// The point will not be begun any more.
    Miss(Reason),
}

pub(super) fn check(point: &Point, instance: &Instance, now: Timestamp) -> Ready {
    match point.plan.consistency {
        Consistency::AtRest => at_rest(point, instance, now),
        Consistency::StopStart | Consistency::Reboot | Consistency::Crash => Ready::Now(None),
    }
}

fn at_rest(point: &Point, instance: &Instance, now: Timestamp) -> Ready {
    if instance.is_at_rest() {
        return Ready::Now(None);
    }
    let id = &instance.id;
    if instance.state == State::Stopped {
        let text = format!("{id} is hibernated: its disks are not at rest, and graded as a crash");
        return Ready::Now(Some(Reason::new(Code::Hibernated, text)));
    }
    let state = instance.state.as_str();
    match (&point.slot.occasion, point.until) {
        (Occasion::Stopped { launched }, _) => {
            // Every start resets the launch time. The same launch time means that EC2 shows the
            // state of a moment ago.
            let visible = later(point.requested_at, SETTLE);
            if instance.launched <= *launched && now < visible {
                let text = format!(
                    "{id} has stopped, but EC2 still shows it as {state}; looking again later"
                );
                return Ready::Wait(visible, Reason::new(Code::WaitsForStop, text));
            }
            let text = format!(
                "{id} is {state} again: the stop for which the point was requested is over"
            );
            Ready::Miss(Reason::new(Code::StartedAgain, text))
        }
        (Occasion::Scheduled(_) | Occasion::OnDemand { .. }, Some(until)) if now < until => {
            let text = format!("{id} is {state}; it is imaged when it stops, until {until}");
            Ready::Wait(until, Reason::new(Code::WaitsForStop, text))
        }
        (Occasion::Scheduled(_) | Occasion::OnDemand { .. }, until) => {
            let closed = until.map_or_else(String::new, |until| format!(" until {until}"));
            let text = format!("{id} is {state}, and has not stopped{closed}");
            Ready::Miss(Reason::new(Code::WindowClosed, text))
        }
    }
}
