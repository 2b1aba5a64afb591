//! Family of a point: the images that the ledger names, and those that EC2 shows to be made of
//! them.
//!
//! A ledger that was put back is older than the images that were made again since. Tags and a name
//! do not make such an image ours. What EC2 itself shows does:
//!
//! - An image at home is made of snapshots of the point that the ledger names.
//! - A copy is a copy of an image of the family, and encrypted if a key is asked for in its region.
//!
//! Both have the tags of the point, and the name that the point and the attempt in these tags give.
//! A copy of an image that is gone, and that the ledger does not name, could be anybody's.

use std::collections::BTreeSet;

use crate::call::{copy_image, register_image};
use crate::ids::{AmiId, Region, ResourceId, SnapshotId};
use crate::limits::CLOCK_SKEW;
use crate::names::image_name;
use crate::observed::ObservedImage;
use crate::point::{Point, Replica};
use crate::tags::read::Label;

/// The images of a point, by region.
#[derive(Clone, Debug)]
pub struct Family<'a> {
    point: &'a Point,
    images: BTreeSet<(&'a Region, &'a AmiId)>,
}

impl<'a> Family<'a> {
    /// Returns the images that the records of a point name.
    pub fn named(point: &'a Point, replicas: impl IntoIterator<Item = &'a Replica>) -> Family<'a> {
        let own = [&point.image, &point.lost].into_iter().flatten();
        let own = own.chain(images(&point.leftovers)).map(|image| (&point.home, image));
        let mut family = Family { point, images: own.collect() };
        for replica in replicas.into_iter().filter(|replica| replica.point == point.id) {
            let own = [&replica.image, &replica.lost].into_iter().flatten();
            let own = own.chain(images(&replica.leftovers)).map(|image| (&replica.region, image));
            family.images.extend(own);
            family.images.insert((replica.source_region(), &replica.source));
        }
        family
    }

    /// Adds images that the ledger names elsewhere.
    #[must_use]
    pub fn and(mut self, named: impl IntoIterator<Item = (&'a Region, &'a AmiId)>) -> Family<'a> {
        self.images.extend(named);
        self
    }

    /// Adds those of the images that EC2 shows that are of the family.
    #[must_use]
    pub fn with(
        mut self,
        shown: impl IntoIterator<Item = (&'a Region, &'a ObservedImage)>,
    ) -> Family<'a> {
        let mut others: Vec<(&Region, &ObservedImage)> = shown.into_iter().collect();
        others.retain(|(_, image)| self.is_labelled(image));
        loop {
            let is_of = |(region, image): &(&'a Region, &'a ObservedImage)| {
                self.is_original(region, image) || self.is_copy(region, image)
            };
            let (found, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(is_of);
            if found.is_empty() {
                return self;
            }
            self.images.extend(found.into_iter().map(|(region, image)| (region, &image.id)));
            others = rest;
        }
    }

    pub fn contains(&self, region: &Region, image: &AmiId) -> bool {
        self.images.contains(&(region, image))
    }

    /// Tells whether an image has the tags and the name of the point, and its data.
    fn is_labelled(&self, image: &ObservedImage) -> bool {
        let point = self.point;
        let is_younger = point.taken_at.is_none_or(|taken_at| {
            image.created_at.is_some_and(|at| taken_at.duration_since(at) <= CLOCK_SKEW)
        });
        Label::read(&image.tags).is_ok_and(|label| {
            is_younger
                && label.point == point.id
                && label.home == point.home
                && label.requested_at == point.requested_at
                && image.name == image_name(&point.id, label.attempt)
        })
    }

    /// Tells whether an image was registered from the snapshots of the point.
    fn is_original(&self, region: &Region, image: &ObservedImage) -> bool {
        let is_of_point = |snapshot: &SnapshotId| {
            self.point.snapshots.values().any(|ours| ours == snapshot)
                || self.point.leftovers.contains(&snapshot.clone().into())
        };
        *region == self.point.home
            && image.source.is_none()
            && !image.snapshots.is_empty()
            && image.snapshots.iter().all(is_of_point)
            && register_image::differences(self.point, image).is_empty()
    }

    /// Tells whether an image is a copy of an image of the family.
    pub fn is_copy(&self, region: &Region, image: &ObservedImage) -> bool {
        let source = image.source.as_ref();
        self.is_labelled(image)
            && copy_image::difference(self.point, region, image).is_none()
            && source.is_some_and(|(region, source)| self.contains(region, source))
    }
}

fn images(leftovers: &[ResourceId]) -> impl Iterator<Item = &AmiId> {
    leftovers.iter().filter_map(|artefact| match artefact {
        ResourceId::Image(image) => Some(image),
        ResourceId::Machine(_) | ResourceId::Snapshot(_) => None,
    })
}
