//! The keys of copies: a copy under a key that cannot be used leaves an image that failed, minutes
//! later. So the state of a key is read before anything is copied under it, and a key that cannot
//! be used is an obstacle of all copies under it. One read an hour shows if that has changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::disk_keys::Keys;
use super::guards::{KEY_GONE, KeyAccess, is_usable};
use crate::call::copy_image;
use crate::call::of_copies::causes;
use crate::change::Change;
use crate::obstacle::{Cause, Obstacles, Stand};
use crate::point::{Point, Replica};
use crate::reason::{Code, Reason};
use crate::slot::PointId;

/// The meaning of a read for the copies under a key.
enum Shown {
    /// They would fail.
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

/// Returns the obstacles as the reads of the keys leave them. `read` are the keys that KMS told of;
/// `wanted` are those that it was asked for.
pub(super) fn looked_at(
    obstacles: &Obstacles,
    wanted: &BTreeSet<String>,
    read: &Keys,
    now: Timestamp,
) -> Obstacles {
    let mut after = obstacles.clone();
    for key in wanted {
        let cause = Cause::Key(key.clone());
        let changed = match read.get(key).map(|access| shown(key, access)) {
            Some(Shown::Unusable(why)) => {
                after.shown(&cause, Reason::new(Code::CopiesHeldUp, why), now)
            }
            Some(Shown::Nothing) => after.gone(&cause, now),
            None => after.unread(&cause, now),
        };
        after = changed.unwrap_or(after);
    }
    after
}

fn shown(key: &str, access: &KeyAccess) -> Shown {
    let looked = "it is looked at every hour, and nothing is copied under it before";
    match access {
        KeyAccess::State(state) if is_usable(state) => Shown::Nothing,
        KeyAccess::State(state) => {
            Shown::Unusable(format!("key {key} is {state}; enable the key: {looked}"))
        }
        KeyAccess::Refused(answer) if answer == KEY_GONE => {
            Shown::Unusable(format!("key {key} does not exist; create it: {looked}"))
        }
        // That our role may not describe a key says nothing about the copies that EC2 makes.
        KeyAccess::Refused(_) | KeyAccess::ForeignAccount => Shown::Nothing,
    }
}

/// Records the obstacles that a read has shown, and returns them as they are after the write.
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
    if news.is_empty() {
        return after;
    }
    for cause in &news {
        let known = before.causes.get(cause);
        if known.is_some_and(|known| known.shown) {
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
