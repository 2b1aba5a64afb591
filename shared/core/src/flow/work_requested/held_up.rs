//! Copies that failed after the call: the key that they have in common holds up the others, until a
//! copy under it succeeds that was begun later.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::images;
use crate::call::copy_image;
use crate::change::Change;
use crate::ids::AmiId;
use crate::observed::{ImageState, ObservedImage};
use crate::obstacle::{Cause, Obstacles};
use crate::point::{Point, Replica};
use crate::reason::Reason;
use crate::work::{Kind, Queue};

/// The latest copies under one key, by how they ended.
#[derive(Default)]
struct Ended {
    /// The beginning of the latest copy that is available.
    available: Option<Timestamp>,
    /// The same of the latest that failed, and why.
    failed: Option<(Timestamp, Reason)>,
}

/// Adds what the pending copies of a queue show of its obstacles.
pub(super) fn learn(
    builder: &mut DecisionBuilder,
    obstacles: &Obstacles,
    images: &BTreeMap<AmiId, ObservedImage>,
    replicas: &[(&Point, Vec<&Replica>)],
    now: Timestamp,
) {
    let mut keys: BTreeMap<Cause, Ended> = BTreeMap::new();
    let all =
        replicas.iter().flat_map(|(point, of)| of.iter().map(move |replica| (point, replica)));
    for (point, replica) in all {
        let seen = replica.image.as_ref().and_then(|image| images.get(image));
        let (Some(seen), Some(begun_at)) = (seen, replica.step.begun_at) else { continue };
        let ended = keys.entry(Cause::Key(copy_image::key(point, &replica.region))).or_default();
        match seen.state {
            ImageState::Available => ended.available = ended.available.max(Some(begun_at)),
            ImageState::Failed if ended.failed.as_ref().is_none_or(|(at, _)| *at < begun_at) => {
                ended.failed = Some((begun_at, images::failure(seen)));
            }
            _ => {}
        }
    }
    let mut after: Option<Obstacles> = None;
    for (cause, ended) in keys {
        let known = after.as_ref().unwrap_or(obstacles);
        let changed = match (ended.available, ended.failed) {
            (Some(available), Some((failed, _))) if available > failed => {
                known.passed(&cause, available)
            }
            // The tries are counted when they are made.
            (_, Some(_)) if known.causes.contains_key(&cause) => None,
            (_, Some((begun_at, reason))) => known.met(&cause, reason, begun_at, now),
            (Some(available), None) => known.passed(&cause, available),
            (None, None) => None,
        };
        let Some(changed) = changed else { continue };
        match changed.finding(&cause, now) {
            Some(finding) => builder.report(finding),
            None => {
                builder.resolve(changed.resolved(&cause, now));
                builder.wake(Queue { kind: Kind::Copy, ..changed.queue.clone() });
            }
        }
        after = Some(changed);
    }
    if let Some(after) = after {
        builder.record(Change::obstacles(after));
    }
}
