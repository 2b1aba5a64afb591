//! What a region shows of the images that it may have already.

use std::collections::BTreeMap;

use crate::ids::{AmiId, Region};
use crate::observed::{Complete, ObservedImage};
use crate::point::{Point, Replica};
use crate::slot::PointId;

/// Images that the region has, of those that may be there.
#[derive(Clone, Debug, Default)]
pub struct There {
    /// The images that were lost.
    pub images: BTreeMap<AmiId, ObservedImage>,
    /// The images that carry the tag of a point, for each point with a replica that may exist.
    pub tagged: BTreeMap<PointId, Complete<ObservedImage>>,
    /// The replicas of these points, in all regions.
    pub replicas: Vec<Replica>,
    /// The images that these images are copies of, as far as EC2 shows them.
    pub sources: Vec<(Region, ObservedImage)>,
}

impl There {
    /// Returns the regions of the places of these points: their replicas are read.
    pub fn places<'a>(&self, points: &'a BTreeMap<PointId, Point>) -> Vec<(PointId, Region)> {
        let of_point = |point: &'a Point| {
            let regions = point.replicas.keys().chain([&point.home]);
            regions.map(|region| (point.id.clone(), region.clone()))
        };
        let found = self.tagged.iter().filter(|(_, images)| !images.0.is_empty());
        found.filter_map(|(id, _)| points.get(id)).flat_map(of_point).collect()
    }

    /// Returns the images, by region, that the images that were found are copies of.
    pub fn sources_to_read(&self) -> BTreeMap<Region, Vec<AmiId>> {
        let mut wanted: BTreeMap<Region, Vec<AmiId>> = BTreeMap::new();
        let found = self.tagged.values().flat_map(|images| &images.0);
        for (region, source) in found.filter_map(|image| image.source.as_ref()) {
            wanted.entry(region.clone()).or_default().push(source.clone());
        }
        wanted
    }
}
