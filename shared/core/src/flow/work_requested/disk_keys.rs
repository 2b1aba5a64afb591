//! The keys of images and snapshots that exist. An artefact is of no use while its key cannot be
//! used, and is not lost: whoever disabled the key can enable it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::due::{is_point_due, is_replica_due};
use super::guards::{KEY_GONE, KeyAccess, is_usable};
use super::may_be_back;
use crate::call::copy_image;
use crate::ids::{AmiId, Region, SnapshotId};
use crate::observed::{ImageState, ObservedImage, ObservedSnapshot};
use crate::point::{Point, Replica};
use crate::reason::{Code, Reason};
use crate::transition::loss;

/// Keys by their ARNs, as KMS describes them. A key that could not be asked is missing.
pub type Keys = BTreeMap<String, KeyAccess>;

/// The keys of several regions.
pub type KeysByRegion = BTreeMap<Region, Keys>;

/// The use of the keys of an artefact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    Usable,
    /// A key is disabled or is about to be deleted. The text names it.
    Unusable(String),
    /// A key does not exist. The text names it. If KMS says so for a while, the key was deleted,
    /// and nothing brings it back.
    Gone(String),
    /// Not known, and asking tells nothing: KMS refuses to describe a key, or it belongs to another
    /// account.
    Unknown,
    /// Not known now: KMS was not asked, or did not answer.
    Unread,
}

impl Use {
    /// Tells whether nothing speaks against the use.
    pub fn may_be_usable(&self) -> bool {
        matches!(self, Use::Usable | Use::Unknown | Use::Unread)
    }
}

/// Returns the use of an artefact that is encrypted under these keys; none of them if it is not
/// encrypted.
pub fn used<'a>(keys: &Keys, arns: impl IntoIterator<Item = &'a str>) -> Use {
    let mut all = Use::Usable;
    for arn in arns {
        match keys.get(arn) {
            Some(KeyAccess::State(state)) if is_usable(state) => {}
            Some(KeyAccess::State(state)) => all = Use::Unusable(is_in_state(arn, state)),
            Some(KeyAccess::Refused(answer)) if answer == KEY_GONE => {
                return Use::Gone(does_not_exist(arn));
            }
            // A role that may not describe a key may all the same be able to use it.
            Some(KeyAccess::Refused(_) | KeyAccess::ForeignAccount) if all == Use::Usable => {
                all = Use::Unknown;
            }
            None if all.may_be_usable() => all = Use::Unread,
            Some(KeyAccess::Refused(_) | KeyAccess::ForeignAccount) | None => {}
        }
    }
    all
}

/// Returns the answer of KMS about a key that it refuses to describe; none if it described it, does
/// not know it, or need not know it because it belongs to another account.
pub fn refused(access: &KeyAccess) -> Option<&str> {
    match access {
        KeyAccess::Refused(code) if code != KEY_GONE => Some(code),
        KeyAccess::Refused(_) | KeyAccess::State(_) | KeyAccess::ForeignAccount => None,
    }
}

/// Formats the state of a key that cannot be used.
pub fn is_in_state(arn: &str, state: &str) -> String {
    format!("key {arn} is {state}")
}

/// Formats that KMS does not know a key.
pub fn does_not_exist(arn: &str) -> String {
    format!("key {arn} does not exist")
}

/// Returns the reason of a place whose artefact can never be used again, because its key is gone.
/// `which` says which key does not exist.
pub(super) fn deleted(artefact: &str, region: &Region, which: &str, now: Timestamp) -> Reason {
    let text = format!(
        "{artefact} in {region} can never be used again: {which}. It was deleted, as a look at {} \
         UTC confirmed. Nothing can be started or copied from the image or its snapshots any more",
        now.strftime("%Y-%m-%d %H:%M")
    );
    Reason::new(Code::KeyDeleted, text)
}

/// Returns the reason of a place whose artefact cannot be used for its key.
pub(super) fn unusable(artefact: &str, region: &Region, which: &str) -> Reason {
    let text = format!(
        "{artefact} in {region} cannot be used: {which}. Nothing can be started or copied from it \
         until the key can be used again"
    );
    Reason::new(Code::KeyUnusable, text)
}

/// Returns the snapshots of the images that are looked at, whose keys are read.
pub fn snapshots(
    points: &[Point],
    replicas: &[Replica],
    images: &BTreeMap<AmiId, ObservedImage>,
    now: Timestamp,
) -> Vec<SnapshotId> {
    let at_home = points.iter().filter(|point| is_point_due(point, now));
    let at_home = at_home.filter_map(|point| point.image.as_ref());
    let elsewhere = replicas.iter().filter(|replica| is_replica_due(replica, now));
    let elsewhere = elsewhere.filter_map(|replica| replica.image.as_ref());
    let may_be_back = may_be_back::images(
        points.iter().filter(|point| is_point_due(point, now)),
        replicas.iter().filter(|replica| is_replica_due(replica, now)),
    );
    let seen = at_home.chain(elsewhere).chain(may_be_back).filter_map(|image| images.get(image));
    let there = seen.filter(|seen| seen.state == ImageState::Available);
    there.flat_map(|seen| seen.snapshots.iter().cloned()).collect()
}

/// Returns the keys that KMS is asked for: those of the snapshots that are looked at, and those
/// under which images are copied back to their homes.
pub fn to_read(
    points: &[Point],
    snapshots: &BTreeMap<SnapshotId, ObservedSnapshot>,
    now: Timestamp,
) -> BTreeSet<String> {
    let lost = points.iter().filter(|point| is_point_due(point, now) && loss::has_lost(point));
    let back = lost.filter_map(copy_image::key_at_home);
    let seen = snapshots.values().filter_map(|snapshot| snapshot.kms_key.clone());
    seen.chain(back).collect()
}

/// Returns the keys of snapshots, as far as they are shown.
pub fn of_snapshots<'a>(
    ids: impl IntoIterator<Item = &'a SnapshotId>,
    snapshots: &'a BTreeMap<SnapshotId, ObservedSnapshot>,
) -> impl Iterator<Item = &'a str> {
    let seen = ids.into_iter().filter_map(|id| snapshots.get(id));
    seen.filter_map(|snapshot| snapshot.kms_key.as_deref())
}
