//! The memory of a worker: the answers of EC2 from the rounds before. A worker that was asked to
//! wait does not have to ask everything again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::command::Decision;
use crate::flow::work_requested::{Input, apart, snapshot};
use crate::ids::InstanceId;
use crate::limits::BELIEVED_FOR;
use crate::machine::{Firmware, Machine};
use crate::point::Point;
use crate::policy::Consistency;
use crate::status::Status;

/// The machines that EC2 described, and when.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    machines: BTreeMap<InstanceId, (Timestamp, Machine)>,
    /// The UEFI variables that were read, by machine. A machine that is described again is not
    /// asked for them again in the same run.
    firmware: BTreeMap<InstanceId, Firmware>,
    /// The machines that this worker has asked EC2 about, whatever the answer was.
    described: BTreeSet<InstanceId>,
    /// The last sets of snapshots that this worker had made.
    taken: apart::Taken,
    /// The machines that the decision snapshots which is being carried out.
    being_taken: BTreeSet<InstanceId>,
}

/// The machines of a batch: those that have to be described, and those that are still believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    pub to_describe: Vec<InstanceId>,
    pub believed: BTreeMap<InstanceId, Machine>,
    /// The UEFI variables that are known of machines, from the ledger and from earlier rounds.
    pub firmware: BTreeMap<InstanceId, Firmware>,
}

impl Memory {
    /// Splits the machines of points. A machine is always described again if its disks may have
    /// been at rest. The same goes for a machine with a failed try, because the remembered
    /// description may be the cause.
    pub fn machines(&self, points: &[Point], now: Timestamp) -> Machines {
        let wanted = snapshot::machines(points, now);
        let fresh: BTreeSet<&InstanceId> =
            points.iter().filter(|point| is_seen_afresh(point)).map(Point::instance).collect();
        let mut machines =
            Machines { firmware: self.known_firmware(points), ..Machines::default() };
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
            self.described.insert(id.clone());
            if let Some(machine) = input.machines.get(&id) {
                self.firmware.insert(id.clone(), Firmware::of(machine));
                self.machines.insert(id, (input.now, machine.clone()));
            }
        }
    }

    /// Remembers the machines that a decision snapshots.
    pub fn decided(&mut self, decision: &Decision) {
        self.being_taken = apart::machines(decision);
    }

    /// Remembers that the decision was carried out by now.
    pub fn applied(&mut self, now: Timestamp) {
        let taken = std::mem::take(&mut self.being_taken);
        self.taken.extend(taken.into_iter().map(|id| (id, now)));
    }

    /// Returns the last sets of snapshots that this worker had made, by machine.
    pub fn taken(&self) -> &apart::Taken {
        &self.taken
    }

    /// Tells whether this worker has not asked EC2 about a machine yet.
    pub fn is_new(&self, id: &InstanceId) -> bool {
        !self.described.contains(id)
    }

    /// Returns the UEFI variables that the points have recorded, or that this worker has read.
    fn known_firmware(&self, points: &[Point]) -> BTreeMap<InstanceId, Firmware> {
        let mut recorded: Vec<&Machine> =
            points.iter().filter_map(|point| point.machine.as_ref()).collect();
        recorded.sort_by_key(|machine| machine.instance.launched);
        let recorded = recorded.into_iter();
        let recorded = recorded.map(|machine| (machine.instance.id.clone(), Firmware::of(machine)));
        recorded.chain(self.firmware.clone()).collect()
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
