//! Makes the ledger new from tags and facts, for when it is lost.
//!
//! Nothing here has an intent to be held against, so that less can be known than in the ordinary
//! course: tags say what an artefact is of, and the facts have to bear them out.
//!
//! - An image is that of its point if it has the name that point and attempt give, is no copy, and
//!   its mapping is exactly the devices and volumes that its snapshots say the set is made of. The
//!   snapshots say so of the same point, each is of the volume it is said to be of, and none is
//!   older than the request.
//! - A snapshot that has lost our tag is that of the image that maps it, if no image is there whose
//!   snapshots all have theirs. This is told: the word of the image is all that there is.
//! - A replica is a copy of that image, or of another such copy, under a name of the point, in a
//!   region that the image says was to have one. If the image is not that of the first attempt,
//!   older copies are of one that was at home before, and is gone. A listing of that region
//!   decides: as long as there is none, it is undecided whether there is a replica.
//! - An image that is gone, and of which there are copies, is lost: EC2 itself says what a copy was
//!   made of. Such a point has its replicas, and its image can be copied back.
//! - Where snapshots are all that was wanted, a set is complete that has one snapshot of each of
//!   its volumes, of one instant.
//! - What is of the same point by the same rules, and of no use to it, is what failed tries left.
//! - A point of which only that is there has failed.
//!
//! What is rebuilt is `unverified`: whoever can write tags and snapshots can make a fake that bears
//! all this out, so that a person has to confirm it before anything of it is ever deleted. What is
//! on its way is left for the next run. What is not understood is told, each with the reason.

mod found;
mod home;
mod later;
mod machine;
mod point;
mod replicas;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::ids::Region;
use crate::observed::{Complete, ObservedImage, ObservedSnapshot};
use crate::slot::PointId;
use crate::tags::read::Label;
use found::{Group, Labelled};

pub use found::{Found, Rebuilt, Unusable};
pub use later::{Original, doubtful, made_later, named, originals};

/// Artefacts that carry our tag, by region.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub images: BTreeMap<Region, Complete<ObservedImage>>,
    pub snapshots: BTreeMap<Region, Complete<ObservedSnapshot>>,
    /// Snapshots without our tag that images with our tag name.
    pub bare: BTreeMap<Region, Vec<ObservedSnapshot>>,
}

impl Seen {
    /// Lists the artefacts that are no copies.
    pub fn originals(&self) -> impl Iterator<Item = Original> {
        later::originals(&self.images, &self.snapshots)
    }
}

/// Rebuilds points from the artefacts that were seen.
pub fn decide(seen: &Seen) -> Found {
    let mut found = Found::default();
    let mut groups: BTreeMap<PointId, Group> = BTreeMap::new();
    for (region, images) in &seen.images {
        for image in &images.0 {
            match Label::read(&image.tags) {
                Ok(label) => {
                    let group = groups.entry(label.point.clone()).or_default();
                    group.images.push(Labelled { region, seen: image, label });
                }
                Err(why) => found.leave(region, &image.id, &image.tags, why),
            }
        }
    }
    for (region, snapshots) in &seen.snapshots {
        for snapshot in &snapshots.0 {
            match Label::read(&snapshot.tags) {
                Ok(label) => {
                    let group = groups.entry(label.point.clone()).or_default();
                    let labelled = Labelled { region, seen: snapshot, label };
                    group.snapshots.insert((region, &snapshot.id), labelled);
                }
                Err(why) => found.leave(region, &snapshot.id, &snapshot.tags, why),
            }
        }
    }
    let listed: BTreeSet<&Region> = seen.images.keys().collect();
    for group in groups.values_mut() {
        group.claim(&seen.bare);
        // What an earlier try made was turned down, or not heard of.
        let order = |image: &Labelled<ObservedImage>| {
            (Reverse(image.label.attempt), image.seen.created_at, image.seen.id.clone())
        };
        group.images.sort_by_key(order);
        point::rebuild(group, &listed, &mut found);
    }
    found
}
