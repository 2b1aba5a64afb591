//! The memory of a worker: the answers of EC2 from the rounds before. A worker that was asked to
//! wait does not have to ask everything again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::flow::work_requested::{Input, snapshot};
use crate::ids::InstanceId;
use crate::limits::BELIEVED_FOR;
use crate::machine::Machine;
use crate::point::Point;
use crate::policy::Consistency;
use crate::status::Status;

/// The machines that EC2 described, and when.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    machines: BTreeMap<InstanceId, (Timestamp, Machine)>,
}

/// The machines of a batch: those that have to be described, and those that are still believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    pub to_describe: Vec<InstanceId>,
    pub believed: BTreeMap<InstanceId, Machine>,
}

impl Memory {
    /// Splits the machines of points. A machine is always described again if its disks may have
    /// been at rest. The same goes for a machine with a failed try, because the remembered
    /// description may be the cause.
    pub fn machines(&self, points: &[Point], now: Timestamp) -> Machines {
        let wanted = snapshot::machines(points, now);
        let fresh: BTreeSet<&InstanceId> =
            points.iter().filter(|point| is_seen_afresh(point)).map(Point::instance).collect();
        let mut machines = Machines::default();
        for id in wanted {
            match self.believed(&id, now).filter(|_| !fresh.contains(&id)) {
                Some(machine) => drop(machines.believed.insert(id, machine.clone())),
                None => machines.to_describe.push(id),
            }
        }
        machines
    }

    /// Remembers the machines that were described for what was loaded.
    pub fn learn(&mut self, input: &Input) {
        let Input::Snapshot(input) = input else { return };
        for id in self.machines(&input.points, input.now).to_describe {
            if let Some(machine) = input.machines.get(&id) {
                self.machines.insert(id, (input.now, machine.clone()));
            }
        }
    }

    /// Returns the machine as EC2 described it, if that is recent enough.
    fn believed(&self, id: &InstanceId, now: Timestamp) -> Option<&Machine> {
        let (described_at, machine) = self.machines.get(id)?;
        (now.duration_since(*described_at) <= BELIEVED_FOR).then_some(machine)
    }
}

fn is_seen_afresh(point: &Point) -> bool {
    point.status != Status::Requested
        || point.step.attempt > 0
        || point.plan.consistency == Consistency::StopStart
}
