//! What a point wants of its machine before its snapshots are begun: how consistent the disks have
//! to be.
//!
//! A point that is to be at rest is begun when its machine is stopped, whenever that is seen. Until
//! then it waits, and stands in its queue as due when its window closes: whoever sees the machine
//! stop makes it due at once. It is looked at again when the window has closed, and is missed if
//! the machine still runs.

use jiff::Timestamp;

use crate::limits::{SETTLE, later};
use crate::machine::{Instance, State};
use crate::point::Point;
use crate::policy::Consistency;
use crate::reason::{Code, Reason};
use crate::slot::Occasion;

/// Whether a point may be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Now; with what a person should know of it, if it is not quite what was asked for.
    Now(Option<Reason>),
    /// Not yet. It is looked at again then, unless something happens before.
    Wait(Timestamp, Reason),
    /// Not any more.
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
            // Every start resets the launch time: with the same one, EC2 shows a moment ago.
            let visible = later(point.requested_at, SETTLE);
            if instance.launched <= *launched && now < visible {
                let text = format!("{id} has stopped, and EC2 shows it {state} still");
                return Ready::Wait(visible, Reason::new(Code::WaitsForStop, text));
            }
            let text =
                format!("{id} is {state} again, and no longer in the stop that was asked for");
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
