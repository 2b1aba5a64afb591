//! The images that a lost place can be made from, and the keys of these images. A copy of an image
//! whose key cannot be used leaves an image that failed, minutes later.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::disk_keys::{self, Keys, KeysByRegion, Use};
use super::due::{is_point_due, is_replica_due};
use super::images::History;
use crate::call::copy_image;
use crate::ids::{AmiId, InstanceId, Region};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::transition::loss;

/// An image that a lost place can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    pub region: &'a Region,
    pub image: &'a AmiId,
    /// False if nothing tells that the keys can be used with which it is read and written.
    pub is_key_known: bool,
}

/// Returns the images of a point that are left, other than in that region: the one at home first,
/// if it is there.
pub fn survivors<'a>(
    point: &'a Point,
    replicas: impl Iterator<Item = &'a Replica>,
    wanted_in: &Region,
) -> impl Iterator<Item = (&'a Region, &'a AmiId)> {
    // One that is looked at may be gone as well.
    let is_there = point.home_place.is_available() && point.missing_since.is_none();
    let home = point.image.as_ref().filter(|_| is_there && point.home != *wanted_in);
    let others = replicas.filter(move |replica| {
        replica.status == ReplicaStatus::Available
            && replica.missing_since.is_none()
            && replica.region != *wanted_in
            && replica.region != point.home
    });
    let others = others.filter_map(|replica| Some((&replica.region, replica.image.as_ref()?)));
    home.map(|image| (&point.home, image)).into_iter().chain(others)
}

/// Returns the image of a point that a lost place is made from: the first that is left and whose
/// key can be used, as far as is known. One from whose region copies fail for now comes last. None
/// if no image is left.
///
/// # Errors
/// The keys of all that are left cannot be used.
pub(super) fn usable<'a>(
    point: &'a Point,
    replicas: impl Iterator<Item = &'a Replica>,
    wanted_in: &Region,
    (keys, failing): (&KeysByRegion, &BTreeSet<Region>),
) -> Result<Option<Source<'a>>, Reason> {
    let mut unusable = None;
    let mut left: Vec<(&Region, &AmiId)> = survivors(point, replicas, wanted_in).collect();
    left.sort_by_key(|(region, _)| failing.contains(region));
    for (region, image) in left {
        let names = keys_of(point, region);
        let names = names.iter().map(String::as_str);
        let none = Keys::new();
        let used = disk_keys::used(keys.get(region).unwrap_or(&none), names);
        let (Use::Unusable(which) | Use::Gone(which)) = used else {
            return Ok(Some(Source { region, image, is_key_known: used == Use::Usable }));
        };
        let text = format!(
            "{image} in {region} cannot be copied: {which}. The key is looked at every hour"
        );
        unusable = unusable.or(Some(Reason::new(Code::KeyUnusable, text)));
    }
    unusable.map_or(Ok(None), Err)
}

/// Returns the keys that KMS is asked for before lost places are made again: those of the images
/// that they may be copied from.
pub fn to_read(
    points: &[Point],
    replicas: &[Replica],
    points_of_replicas: &BTreeMap<PointId, Point>,
    history: &BTreeMap<InstanceId, History>,
    now: Timestamp,
) -> BTreeSet<(Region, String)> {
    let at_home = points.iter().filter(|point| is_point_due(point, now) && loss::has_lost(point));
    let at_home = at_home.map(|point| (point, &point.home));
    let elsewhere = replicas
        .iter()
        .filter(|replica| is_replica_due(replica, now) && replica.status == ReplicaStatus::Lost);
    let elsewhere = elsewhere
        .filter_map(|replica| Some((points_of_replicas.get(&replica.point)?, &replica.region)));
    let mut wanted = BTreeSet::new();
    for (point, wanted_in) in at_home.chain(elsewhere) {
        let known = history.get(point.instance()).into_iter().flatten();
        let known = known.filter(|(other, _)| other.id == point.id).flat_map(|(_, of)| of);
        wanted.extend(keys_of_survivors(point, known, wanted_in));
    }
    wanted
}

/// Returns the keys of the images that a lost place may be copied from.
pub fn keys_of_survivors<'a>(
    point: &'a Point,
    replicas: impl Iterator<Item = &'a Replica>,
    wanted_in: &Region,
) -> impl Iterator<Item = (Region, String)> {
    survivors(point, replicas, wanted_in).flat_map(|(region, _)| {
        let names = keys_of(point, region).into_iter();
        names.map(|name| (region.clone(), name))
    })
}

/// Returns the keys of the image of a point in a region, as far as anybody can disable them.
fn keys_of(point: &Point, region: &Region) -> Vec<String> {
    if *region != point.home {
        let key = Some(copy_image::key(point, region));
        return key.into_iter().filter(|key| copy_image::may_be_disabled(key)).collect();
    }
    let volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
    let keys = volumes.filter(|volume| volume.encrypted).filter_map(|one| one.kms_key.clone());
    keys.collect::<BTreeSet<String>>().into_iter().collect()
}
