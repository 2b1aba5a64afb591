//! The grade of a point: how consistent its disks are, as far as the machine that was seen tells.

use crate::machine::{Grade, State};
use crate::point::Point;
use crate::policy::Consistency;

/// Tells whether EC2 takes the machine down for the image of a point: the machine runs, and the
/// policy wants the reboot.
pub fn reboots(point: &Point) -> bool {
    let machine = point.machine.as_ref();
    let runs = machine.is_some_and(|machine| machine.instance.state == State::Running);
    runs && point.plan.consistency == Consistency::Reboot
}

/// The grade that a look afterwards will show, if nothing happens to the machine; none for a point
/// that does not know its machine yet.
pub fn expected(point: &Point) -> Option<Grade> {
    let machine = point.machine.as_ref()?;
    Some(if machine.is_at_rest() {
        Grade::AtRest
    } else if point.is_created() && reboots(point) {
        Grade::Reboot
    } else {
        Grade::Crash
    })
}

/// The grade that is certain as soon as the call is made. Disks at rest are graded when the machine
/// was seen again; a machine that ran leaves them as after a power cut, whatever comes later.
pub fn certain(point: &Point) -> Option<Grade> {
    match expected(point) {
        Some(Grade::AtRest) => None,
        Some(grade @ (Grade::Reboot | Grade::Crash)) => Some(grade),
        None => Some(Grade::Crash),
    }
}
