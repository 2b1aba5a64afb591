//! Makes the ledger new from tags and facts, for when it is lost.
//!
//! Nothing here has an intent to be held against, so that less can be known than in the ordinary
//! course: tags say what an artefact is of, and the facts have to bear them out.
//!
//! - An image is that of its point if it has the name that point and attempt give, is no copy, and
//!   its mapping is exactly the devices and volumes that its snapshots say the set is made of. The
//!   snapshots say so of the same point, each is of the volume it is said to be of, and none is
//!   older than the request.
//! - A replica is a copy of that image, under a name of the point, in a region that the image says
//!   was to have one.
//! - Where snapshots are all that was wanted, a set is complete that has one snapshot of each of
//!   its volumes, of one instant.
//! - What is of the same point by the same rules, and of no use to it, is what failed tries left.
//! - A point of which only that is there has failed.
//!
//! What is rebuilt is `unverified`: whoever can write tags and snapshots can make a fake that bears
//! all this out, so that a person has to confirm it before anything of it is ever deleted. What is
//! on its way is left for the next run. What is not understood is told, each with the reason.

mod home;
mod machine;
mod point;
mod replicas;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::command::{Change, Record, Write};
use crate::ids::{InstanceId, PolicyName, Region, SnapshotId};
use crate::names::TAG_POINT;
use crate::observed::{Complete, ObservedImage, ObservedSnapshot};
use crate::point::{Point, Replica};
use crate::request_counter::RequestCounter;
use crate::slot::{Occasion, PointId};
use crate::summary::{News, Stop, Summary};
use crate::tags::read::Label;
use crate::transition::summary;

/// Artefacts that carry our tag, by region.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub images: BTreeMap<Region, Complete<ObservedImage>>,
    pub snapshots: BTreeMap<Region, Complete<ObservedSnapshot>>,
}

/// Points that can be rebuilt, and artefacts that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub points: Vec<Rebuilt>,
    pub unusable: Vec<Unusable>,
}

/// A point that tags and facts vouch for, with its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    pub point: Point,
    pub replicas: Vec<Replica>,
    /// Name of the machine.
    pub name: Option<String>,
}

/// Artefact with our tag of which nothing can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub region: Region,
    pub artefact: String,
    /// The point that it says it is of, if that is the id of one.
    pub point: Option<PointId>,
    pub why: String,
}

impl Found {
    /// Lists every region that has something of ours.
    pub fn regions(&self) -> BTreeSet<Region> {
        let homes = self.points.iter().map(|rebuilt| &rebuilt.point.home);
        let replicas = self.points.iter().flat_map(|rebuilt| &rebuilt.replicas);
        homes.chain(replicas.map(|replica| &replica.region)).cloned().collect()
    }
}

impl Found {
    /// The requests that there were, at least so many as there are points of: the next one must
    /// not take the place of one of these.
    pub fn asked(&self) -> Vec<RequestCounter> {
        let mut all: BTreeMap<(&InstanceId, &PolicyName), RequestCounter> = BTreeMap::new();
        for point in self.points.iter().map(|rebuilt| &rebuilt.point) {
            let Occasion::OnDemand { ordinal } = point.slot.occasion else { continue };
            let (instance, policy) = (&point.slot.instance, &point.slot.policy);
            let never = || RequestCounter::never(instance, &point.home, policy);
            let asked = all.entry((instance, policy)).or_insert_with(never);
            asked.ordinal = asked.ordinal.max(ordinal);
        }
        all.into_values().collect()
    }
}

impl Rebuilt {
    /// Builds the change that writes all of it, if nothing of it is in the ledger.
    pub fn change(&self) -> Change {
        let new = |record| Write { expected: 0, record };
        let point = new(Record::Point(Box::new(self.point.clone())));
        let replicas = self.replicas.iter().cloned();
        let replicas = replicas.map(|replica| new(Record::Replica(Box::new(replica))));
        Change { writes: [point].into_iter().chain(replicas).collect(), summary: self.summary() }
    }

    fn summary(&self) -> Option<Summary> {
        let mut summary = summary::of(&self.point)?;
        summary.name.clone_from(&self.name);
        if let Occasion::Stopped { launched } = self.point.slot.occasion {
            let point = self.point.id.clone();
            summary.news.push(News::Stop(Stop { launched, point }));
        }
        Some(summary)
    }
}

/// An artefact, where it is, and what it says of itself.
#[derive(Clone, Debug)]
struct Labelled<'a, T> {
    region: &'a Region,
    seen: &'a T,
    label: Label,
}

/// Artefacts that say that they are of one point.
#[derive(Clone, Debug, Default)]
struct Group<'a> {
    images: Vec<Labelled<'a, ObservedImage>>,
    snapshots: BTreeMap<(&'a Region, &'a SnapshotId), Labelled<'a, ObservedSnapshot>>,
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
    for group in groups.values_mut() {
        // What an earlier try made was turned down, or not heard of.
        let order = |image: &Labelled<ObservedImage>| {
            (Reverse(image.label.attempt), image.seen.created_at, image.seen.id.clone())
        };
        group.images.sort_by_key(order);
        point::rebuild(group, &mut found);
    }
    found
}

impl Found {
    fn leave(
        &mut self,
        region: &Region,
        artefact: &impl ToString,
        tags: &BTreeMap<String, String>,
        why: impl Into<String>,
    ) {
        let point = tags.get(TAG_POINT).and_then(|text| PointId::parse(text).ok());
        let artefact = artefact.to_string();
        self.unusable.push(Unusable { region: region.clone(), artefact, point, why: why.into() });
    }

    fn leave_image(&mut self, image: &Labelled<ObservedImage>, why: impl Into<String>) {
        self.leave(image.region, &image.seen.id, &image.seen.tags, why);
    }

    fn leave_snapshot(&mut self, snapshot: &Labelled<ObservedSnapshot>, why: impl Into<String>) {
        self.leave(snapshot.region, &snapshot.seen.id, &snapshot.seen.tags, why);
    }
}
