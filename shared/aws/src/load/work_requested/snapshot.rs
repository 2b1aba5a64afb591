//! The machines of the points that are due, and what earlier tries left.

use std::collections::BTreeMap;

use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::work_requested::snapshot::{
    self, is_about_to_be_graded, is_about_to_begin, to_describe, to_list, to_look_up, to_stop,
};
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::limits::{LOOK_DOWN, later};
use afterimage_core::machine::Machine;
use afterimage_core::names::TAG_POINT;
use afterimage_core::observed::{Complete, ObservedSnapshot};
use afterimage_core::point::Point;
use afterimage_core::policy::Consistency;
use afterimage_core::slot::PointId;
use afterimage_core::status::Status;
use jiff::{SignedDuration, Timestamp};

use super::{Loaded, named};
use crate::Aws;
use crate::ec2::Machines;
use crate::error::Failure;

/// A machine that cannot be described as a whole just now is described again after this time: what
/// EC2 does not show yet comes to light within seconds.
const UNSETTLED_WAIT: SignedDuration = SignedDuration::from_secs(10);

/// How long a worker believes what EC2 said of a machine that it has not got round to yet. What
/// has changed since is found out: by the set that comes back, and by the look after it.
const KNOWN_FOR: SignedDuration = SignedDuration::from_mins(5);

/// What a worker learnt in the rounds before: who is asked to wait need not ask everything again.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Whether the worker has begun: before its first round it sees whether it is its turn.
    pub(super) begun: bool,
    machines: BTreeMap<InstanceId, (Timestamp, Machine)>,
    /// Until when it has said that it will look again.
    pub(super) claimed: Option<Timestamp>,
}

impl Known {
    /// What is still believed of a machine.
    fn machine(&self, id: &InstanceId, now: Timestamp) -> Option<&Machine> {
        let (described_at, machine) = self.machines.get(id)?;
        (now.duration_since(*described_at) <= KNOWN_FOR).then_some(machine)
    }

    /// The machines of these points, asked about as far as that is needed. Whether the disks were
    /// at rest is always looked at afresh; and so is a machine of which a try failed, for what was
    /// believed of it may be why.
    async fn machines(
        &mut self,
        aws: &Aws,
        region: &Region,
        points: &[Point],
        now: Timestamp,
    ) -> Result<Machines, Failure> {
        let fresh = |id: &InstanceId| {
            let of_machine = |point: &&Point| point.instance() == id;
            let mut of_machine = points.iter().filter(of_machine);
            of_machine.any(|point| {
                point.status != Status::Requested
                    || point.step.attempt > 0
                    || point.plan.consistency == Consistency::StopStart
            })
        };
        let (ask, known): (Vec<_>, Vec<_>) = to_describe(points, now)
            .into_iter()
            .partition(|id| fresh(id) || self.machine(id, now).is_none());
        let mut machines = aws.ec2.machines(region, &ask).await?;
        let told = machines.whole.iter().map(|(id, machine)| (id.clone(), (now, machine.clone())));
        self.machines.extend(told);
        for id in known {
            if let Some(machine) = self.machine(&id, now).cloned() {
                machines.whole.insert(id, machine);
            }
        }
        Ok(machines)
    }
}

pub async fn load(
    aws: &Aws,
    region: &Region,
    points: Vec<Point>,
    known: &mut Known,
    now: Timestamp,
) -> Result<Loaded, Failure> {
    // The listings go first: of a machine that is described after it, more can be said.
    let tagged = tagged(aws, region, to_list(&points, now)).await?;
    let named = named(aws, region, to_look_up(&points, now)).await?;
    let downtimes = aws.ledger.downtimes(&to_stop(&points, now)).await?;
    let machines = known.machines(aws, region, &points, now).await?;
    // What has not come to light for some minutes is left to the sweep.
    let is_soon = |point: &Point| {
        machines.unsettled.contains(point.instance())
            && now.duration_since(point.requested_at) < KNOWN_FOR
    };
    let is_unsettled = points.iter().any(is_soon);
    let Machines { whole: machines, unsettled } = machines;
    let input = snapshot::Input { now, points, machines, unsettled, tagged, named, downtimes };
    let watches = is_about_to_begin(&input);
    let is_soon = is_unsettled || is_about_to_be_graded(&input);
    let next_due = is_soon.then(|| later(now, UNSETTLED_WAIT));
    let next_due = if watches { Some(later(now, LOOK_DOWN)) } else { next_due };
    Ok(Loaded { input: Input::Snapshot(input), next_due, may_lag: false, watches })
}

/// The snapshots that carry the tag of each point; a point of which there are none is there too.
async fn tagged(
    aws: &Aws,
    region: &Region,
    points: Vec<PointId>,
) -> Result<BTreeMap<PointId, Complete<ObservedSnapshot>>, Failure> {
    let Complete(snapshots) = aws.ec2.snapshots_tagged(region, Some(&points)).await?;
    let mut tagged: BTreeMap<PointId, Complete<ObservedSnapshot>> =
        points.into_iter().map(|point| (point, Complete(Vec::new()))).collect();
    for snapshot in snapshots {
        let point = snapshot.tags.get(TAG_POINT).and_then(|tag| PointId::parse(tag).ok());
        if let Some(Complete(snapshots)) = point.and_then(|point| tagged.get_mut(&point)) {
            snapshots.push(snapshot);
        }
    }
    Ok(tagged)
}
