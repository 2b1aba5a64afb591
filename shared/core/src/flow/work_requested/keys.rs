//! The keys of copies: a copy under a key that cannot be used leaves an image that failed, minutes
//! later. So the state of a key is read before anything is copied under it, and a key that cannot
//! be used is an obstacle of all copies under it. One read an hour shows if that has changed.
//!
//! A set of snapshots fails in the same way for the key of a disk. Once one has, the keys of its
//! machine are read before the next is begun, and a key that cannot be used is an obstacle of all
//! snapshots under it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::disk_keys::Keys;
use super::guards::{KEY_GONE, KeyAccess, is_usable};
use crate::call::copy_image;
use crate::call::of_copies::causes;
use crate::change::Change;
use crate::ids::InstanceId;
use crate::machine::Machine;
use crate::obstacle::{Cause, Obstacle, Obstacles, Stand};
use crate::point::{Point, Replica};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::status::Status;
use crate::work::Kind;

/// The meaning of a read for what is made under a key.
enum Shown {
    /// It would fail.
    Unusable(String),
    /// The read shows nothing that stands in the way. Another policy may all the same.
    Nothing,
}

/// Lists the keys that are read before the replicas are copied that are due. The key that AWS made
/// for EBS is not among them: nobody can disable it.
pub fn to_read(
    replicas: &[Replica],
    points: &BTreeMap<PointId, Point>,
    obstacles: &Obstacles,
    now: Timestamp,
) -> BTreeSet<String> {
    let due = replicas.iter().filter(|replica| replica.step.is_due(now));
    let due = due.filter_map(|replica| Some((points.get(&replica.point)?, replica)));
    let free = due.filter(|(point, replica)| {
        !matches!(obstacles.stand(&causes(point, replica), now), Stand::Held(_))
    });
    let keys = free.map(|(point, replica)| copy_image::key(point, &replica.region));
    keys.filter(|key| copy_image::may_be_disabled(key)).collect()
}

/// Lists the keys that are read before the machines of points are snapshotted: those of a point
/// whose last try failed after its call, and those that could not be used when they were read last.
pub fn to_read_at_home(
    points: &[Point],
    machines: &BTreeMap<InstanceId, Machine>,
    obstacles: &Obstacles,
    now: Timestamp,
) -> BTreeSet<String> {
    let begins = |point: &&Point| point.status == Status::Requested && point.step.is_due(now);
    let mut keys = BTreeSet::new();
    for point in points.iter().filter(begins) {
        let Some(machine) = machines.get(point.instance()) else { continue };
        let code = point.reason.as_ref().map(|reason| reason.code);
        let has_failed = matches!(code, Some(Code::SnapshotFailed | Code::ImageFailed));
        let is_read = |key: &&String| match obstacles.causes.get(&Cause::Key((*key).clone())) {
            Some(known) => known.probe_at <= now,
            None => has_failed,
        };
        keys.extend(keys_of(machine).filter(is_read).cloned());
    }
    keys
}

/// Returns the obstacle for which snapshots of a machine would fail, if there is one.
pub(super) fn holding<'a>(
    machine: &Machine,
    obstacles: &'a Obstacles,
    now: Timestamp,
) -> Option<&'a Obstacle> {
    let causes: Vec<Cause> = keys_of(machine).cloned().map(Cause::Key).collect();
    obstacles.met_by(&causes).filter(|obstacle| obstacle.probe_at > now)
}

/// Returns the keys of the disks of a machine.
fn keys_of(machine: &Machine) -> impl Iterator<Item = &String> {
    machine.volumes.iter().filter_map(|volume| volume.kms_key.as_ref())
}

/// Returns the obstacles as the reads of the keys leave them. `read` are the keys that KMS told of;
/// `wanted` are those that it was asked for.
pub(super) fn looked_at(
    obstacles: &Obstacles,
    wanted: &BTreeSet<String>,
    read: &Keys,
    now: Timestamp,
) -> Obstacles {
    let mut after = obstacles.clone();
    let is_copy = obstacles.queue.kind == Kind::Copy;
    let (code, done) = match is_copy {
        true => (Code::CopiesHeldUp, "copied"),
        false => (Code::CallsHeldUp, "snapshotted"),
    };
    for key in wanted {
        let cause = Cause::Key(key.clone());
        let changed = match read.get(key).map(|access| shown(key, done, access)) {
            Some(Shown::Unusable(why)) => after.shown(&cause, Reason::new(code, why), now),
            Some(Shown::Nothing) if is_copy => after.gone(&cause, now),
            // A point whose set fails all the same is tried more and more sparingly.
            Some(Shown::Nothing) => after.passed(&cause, now),
            None => after.unread(&cause, now),
        };
        after = changed.unwrap_or(after);
    }
    after
}

fn shown(key: &str, done: &str, access: &KeyAccess) -> Shown {
    let looked = format!("it is looked at every hour, and nothing is {done} under it before");
    match access {
        KeyAccess::State(state) if is_usable(state) => Shown::Nothing,
        KeyAccess::State(state) => {
            Shown::Unusable(format!("key {key} is {state}; enable the key: {looked}"))
        }
        KeyAccess::Refused(answer) if answer == KEY_GONE => {
            // An alias can be made. Nobody can make a key again that was deleted.
            let then = if key.contains(":key/") { "use another key" } else { "create it" };
            Shown::Unusable(format!("key {key} does not exist; {then}: {looked}"))
        }
        // That our role may not describe a key says nothing about what EC2 makes under it.
        KeyAccess::Refused(_) | KeyAccess::ForeignAccount => Shown::Nothing,
    }
}

/// Records the obstacles that a read has shown, and those that are over, and returns them as they
/// are after the write.
pub(super) fn record(
    builder: &mut DecisionBuilder,
    before: &Obstacles,
    mut after: Obstacles,
    now: Timestamp,
) -> Obstacles {
    let is_shown_now = |cause: &Cause| {
        after.causes.get(cause).is_some_and(|known| known.shown && known.begun_at == now)
    };
    let news: Vec<Cause> =
        after.causes.keys().filter(|cause| is_shown_now(cause)).cloned().collect();
    let is_over = |cause: &&Cause| !after.causes.contains_key(cause);
    let over: Vec<&Cause> = before.causes.keys().filter(is_over).collect();
    if news.is_empty() && over.is_empty() {
        return after;
    }
    for cause in over {
        builder.resolve(before.resolved(cause, now));
    }
    for cause in &news {
        let known = before.causes.get(cause);
        if let Some(known) = known.filter(|known| known.shown) {
            // A key that was to be deleted does not exist any more, for example.
            let is_other = after.causes.get(cause).is_some_and(|now| now.reason != known.reason);
            let other = after.finding(cause, now).filter(|_| is_other);
            other.into_iter().for_each(|finding| builder.reword(finding));
            continue;
        }
        if known.is_some() {
            // The finding says that copies are tried, which is no longer so.
            builder.resolve(before.resolved(cause, now));
        }
        after.finding(cause, now).into_iter().for_each(|finding| builder.report(finding));
    }
    builder.record(Change::obstacles(after.clone()));
    after.version += 1;
    after
}
