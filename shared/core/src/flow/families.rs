//! Families of points, by the listings of the audit: images that the ledger does not name, because
//! it was put back, and that EC2 shows to be made of images that it names.

use std::collections::BTreeMap;

use super::held::Held;
use crate::family::Family;
use crate::ids::{AmiId, Region, ResourceId};
use crate::names::TAG_POINT;
use crate::observed::{Complete, ImageState, ObservedImage};
use crate::point::{Point, Replica, ReplicaStatus};
use crate::slot::PointId;

/// What the audit has of the images of points.
pub struct Families<'a> {
    pub images: &'a BTreeMap<Region, Complete<ObservedImage>>,
    pub replicas: &'a BTreeMap<(PointId, Region), Replica>,
    pub held: &'a BTreeMap<Region, Vec<Held>>,
    /// The images that are listed, by the point that their tag names.
    pub shown: Shown<'a>,
}

type Shown<'a> = BTreeMap<&'a str, Vec<(&'a Region, &'a ObservedImage)>>;

/// Returns the images that are listed, by the point that their tag names.
pub fn shown(images: &BTreeMap<Region, Complete<ObservedImage>>) -> Shown<'_> {
    let mut shown = Shown::new();
    for (region, images) in images {
        for image in &images.0 {
            if let Some(point) = image.tags.get(TAG_POINT) {
                shown.entry(point).or_default().push((region, image));
            }
        }
    }
    shown
}

impl<'a> Families<'a> {
    /// Tells whether an image is of the family of a point.
    pub fn has(&self, point: &'a Point, region: &Region, image: &AmiId) -> bool {
        let replicas = point.replicas.keys().chain([&point.home]);
        let replicas =
            replicas.filter_map(|region| self.replicas.get(&(point.id.clone(), region.clone())));
        let held = self.held.values().flatten().filter(|held| held.point == point.id);
        let held = held.flat_map(|held| {
            held.artefacts.iter().filter_map(move |artefact| match artefact {
                ResourceId::Image(image) => Some((&held.region, image)),
                ResourceId::Machine(_) | ResourceId::Snapshot(_) => None,
            })
        });
        let shown = self.shown.get(point.id.as_str()).into_iter().flatten().copied();
        Family::named(point, replicas).and(held).with(shown).contains(region, image)
    }

    /// Tells whether a place may still get an image that the ledger does not name: the image that
    /// the ledger names is not shown, or lost, or under way. A worker looks for it.
    pub fn is_wanting(&self, point: &Point, region: &Region) -> bool {
        let images = self.images.get(region).into_iter().flat_map(|images| &images.0);
        let is_shown = |named: Option<&AmiId>| {
            named.is_some_and(|named| {
                images.clone().any(|image| {
                    image.id == *named
                        && matches!(image.state, ImageState::Available | ImageState::Disabled)
                })
            })
        };
        if point.home == *region {
            return !is_shown(point.image.as_ref());
        }
        let replica = self.replicas.get(&(point.id.clone(), region.clone()));
        replica.is_some_and(|replica| match replica.status {
            ReplicaStatus::Waiting | ReplicaStatus::Copying | ReplicaStatus::Lost => true,
            ReplicaStatus::Available | ReplicaStatus::Unusable => !is_shown(replica.image.as_ref()),
            ReplicaStatus::Pending | ReplicaStatus::Failed | ReplicaStatus::Withdrawn => false,
        })
    }
}
