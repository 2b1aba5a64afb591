//! Obstacles behind which nothing waits any more: the policy was removed or names another key, the
//! points were called off, the machine is gone. No try would show that such an obstacle has gone,
//! so that it is forgotten, and its finding ends. The next call that meets it makes it known again.
//! The finding of a key under which images are copied back ends too, once none waits for it. The
//! same queues tell what is left of a mass loss.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::brake::Brake;
use crate::call::copy_image;
use crate::call::of_copies::causes;
use crate::change::Change;
use crate::command::{Command, Decision};
use crate::finding::{Finding, Resolved};
use crate::ids::{AmiId, Region};
use crate::obstacle::{AT_HOME, Cause, Obstacles};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::Status;
use crate::subject::Subject;
use crate::transition::loss;
use crate::work::{Kind, Queue};

/// A queue that is told to be held up.
#[derive(Clone, Debug)]
pub struct HeldUp {
    /// Read before the records: one that came later meets the obstacle itself.
    pub obstacles: Obstacles,
    /// The records of the queue; none if there are too many, and some of them surely wait.
    pub records: Option<Records>,
}

/// The records of a queue.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Those of a queue at home.
    pub points: Vec<Point>,
    pub replicas: Vec<Replica>,
    pub points_of_replicas: BTreeMap<PointId, Point>,
}

/// What the subject of a finding about the key of images that are copied back begins with.
const COPIES_BACK: &str = "copies back under key ";

/// Returns the subject of the finding about images that cannot be copied back for their key.
pub fn copies_back(key: &str) -> Subject {
    Subject::Other(format!("{COPIES_BACK}{key}"))
}

/// Returns the key that such a finding is about; none if it is another finding.
fn key_of_copies_back(finding: &Finding) -> Option<&str> {
    match &finding.artefact {
        Subject::Other(text) if finding.reason.code == Code::KeyUnusable => {
            text.strip_prefix(COPIES_BACK)
        }
        _ => None,
    }
}

/// Lists the queues of which a finding says that they are held up.
pub fn queues(
    known: &[Finding],
    brakes: &BTreeMap<Region, Brake>,
    now: Timestamp,
) -> BTreeSet<Queue> {
    let is_over = |region: &Region| {
        let brake = brakes.get(region);
        brake.is_some_and(|brake| brake.released(now).is_some())
    };
    let kinds = |finding: &Finding| match finding.reason.code {
        Code::CopiesHeldUp => vec![Kind::Copy],
        Code::CallsHeldUp => vec![Kind::Snapshot, Kind::Register],
        Code::MassLoss if is_over(&finding.region) => vec![Kind::Confirm],
        _ if key_of_copies_back(finding).is_some() => vec![Kind::Confirm],
        _ => Vec::new(),
    };
    let of = |finding: &Finding| {
        let region = finding.region.clone();
        let kinds = kinds(finding).into_iter();
        kinds.map(move |kind| Queue { region: region.clone(), kind })
    };
    known.iter().flat_map(of).collect()
}

/// The points with a place that is lost in a region, and that only the finding of the region tells
/// of; none if there are too many to be read.
pub type Untold = Option<Vec<PointId>>;

/// Returns such points of each region whose queue was read for that.
pub fn untold_losses(held_up: &[HeldUp], known: &[Finding]) -> BTreeMap<Region, Untold> {
    let of_losses = known.iter();
    let of_losses = of_losses.filter(|it| matches!(it.reason.code, Code::Lost | Code::LostAgain));
    let told: BTreeSet<(&Region, &Subject)> =
        of_losses.map(|known| (&known.region, &known.artefact)).collect();
    let confirm = held_up.iter().filter(|held_up| held_up.obstacles.queue.kind == Kind::Confirm);
    let of_region = |held_up: &HeldUp| {
        let region = held_up.obstacles.queue.region.clone();
        let left = held_up.records.as_ref().map(|records| untold(&region, records, &told));
        (region, left)
    };
    confirm.map(of_region).collect()
}

fn untold(
    region: &Region,
    records: &Records,
    told: &BTreeSet<(&Region, &Subject)>,
) -> Vec<PointId> {
    let is_told = |lost: &Option<AmiId>| {
        lost.as_ref().is_some_and(|lost| told.contains(&(region, &Subject::from(lost))))
    };
    let points = records.points.iter().filter(|it| loss::has_lost(it) && !is_told(&it.lost));
    let replicas = records.replicas.iter().filter(|replica| {
        let is_lost = replica.status == ReplicaStatus::Lost && !replica.is_copy_back();
        is_lost && !is_told(&replica.lost)
    });
    let of_points = points.map(|point| point.id.clone());
    of_points.chain(replicas.map(|replica| replica.point.clone())).collect()
}

/// Forgets the obstacles behind which nothing waits, and ends their findings.
///
/// `answers` tells whether a region was listed just now.
pub(super) fn decide(
    held_up: &[HeldUp],
    known: &[Finding],
    answers: impl Fn(&Region) -> bool,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    for HeldUp { obstacles, records } in held_up {
        let Some(records) = records else { continue };
        if obstacles.queue.kind == Kind::Confirm {
            let of_region = known.iter().filter(|it| it.region == obstacles.queue.region);
            for finding in of_region.filter(|it| nothing_comes_back(it, &records.points)) {
                let Finding { region, artefact, reason, .. } = finding;
                let (region, artefact) = (region.clone(), artefact.clone());
                let over = Resolved { region, artefact, code: reason.code, at: now };
                decision.command(Command::Resolve(over));
            }
        }
        let waits = waits(obstacles, records, answers(&obstacles.queue.region));
        let is_over = |cause: &&Cause| !waits.contains(*cause);
        let over: Vec<Cause> = obstacles.causes.keys().filter(is_over).cloned().collect();
        if over.is_empty() {
            continue;
        }
        let mut after = obstacles.clone();
        for cause in &over {
            let resolved: Resolved = obstacles.resolved(cause, now);
            let text = format!("{}: nothing waits for it any more", resolved.artefact);
            decision.say(&obstacles.queue, Reason::new(resolved.code, text));
            after.causes.remove(cause);
            decision.command(Command::Resolve(resolved));
        }
        decision.command(Command::Record(Box::new(Change::obstacles(after))));
    }
    decision
}

/// Tells whether a finding is about a key for which no image waits any more that would be copied
/// back under it.
fn nothing_comes_back(finding: &Finding, points: &[Point]) -> bool {
    let Some(key) = key_of_copies_back(finding) else { return false };
    let waits = |point: &Point| {
        let code = point.reason.as_ref().map(|reason| reason.code);
        loss::has_lost(point)
            && code == Some(Code::KeyUnusable)
            && copy_image::key_at_home(point).as_deref() == Some(key)
    };
    !points.iter().any(waits)
}

/// Returns the causes that the calls could meet for which the records of a queue wait.
///
/// A copy whose key cannot be used is not tried, so that no try would show that something else no
/// longer stands in its way. If the region answers, it waits for its key and for nothing else.
fn waits(obstacles: &Obstacles, records: &Records, answers: bool) -> BTreeSet<Cause> {
    let kind = obstacles.queue.kind;
    let mut waits = BTreeSet::new();
    for point in records.points.iter().filter(|point| is_behind(kind, point)) {
        waits.extend(AT_HOME);
        let volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
        waits.extend(volumes.filter_map(|volume| volume.kms_key.clone()).map(Cause::Key));
    }
    for replica in &records.replicas {
        let is_open = matches!(replica.status, ReplicaStatus::Waiting | ReplicaStatus::Copying);
        if let Some(point) = records.points_of_replicas.get(&replica.point).filter(|_| is_open) {
            let causes = causes(point, replica);
            let is_shown = |cause: &&Cause| obstacles.causes.get(*cause).is_some_and(|it| it.shown);
            let mut keys = causes.iter().filter(|cause| matches!(cause, Cause::Key(_)));
            match keys.find(is_shown) {
                Some(key) if answers => waits.extend([key.clone()]),
                _ => waits.extend(causes),
            }
        }
    }
    waits
}

/// Tells whether a point waits for a call of its queue, and for nothing else before.
fn is_behind(kind: Kind, point: &Point) -> bool {
    match kind {
        Kind::Snapshot => {
            let begins =
                matches!(point.status, Status::Requested | Status::Snapshotting | Status::Creating);
            begins && !point.waits_for_stop()
        }
        Kind::Register => {
            matches!(point.status, Status::Snapshotted | Status::Ready | Status::Registering)
        }
        Kind::Confirm | Kind::Copy | Kind::Power => false,
    }
}
