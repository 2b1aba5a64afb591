//! The result of a rebuild, and the artefacts that it is made from.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::command::{Change, Record, Write};
use crate::ids::{InstanceId, PolicyName, Region, SnapshotId, VolumeId};
use crate::names::TAG_POINT;
use crate::observed::{ObservedImage, ObservedSnapshot};
use crate::point::{Place, Point, Replica, Step};
use crate::request_counter::RequestCounter;
use crate::slot::{Occasion, PointId};
use crate::status::{Event, Phase, Status};
use crate::summary::{News, Stop, Summary};
use crate::tags::read::{Label, devices};
use crate::transition::{replicas, summary};
use crate::witness::is_to_be_replaced;

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

    /// Returns it without the replicas that the ledger knows: their records stay as they are, and
    /// the point has its places by them.
    #[must_use]
    pub fn beside(mut self, known: &BTreeMap<(PointId, Region), Replica>) -> Rebuilt {
        let id = self.point.id.clone();
        let known = |region: &Region| known.get(&(id.clone(), region.clone()));
        self.replicas.retain(|replica| known(&replica.region).is_none());
        let before = self.point.replicas.clone();
        for (region, place) in &mut self.point.replicas {
            if let Some(known) = known(region) {
                *place = Place::from(known.status);
            }
        }
        if self.point.replicas != before
            && self.point.status.phase() == Phase::Good
            && let Ok(judged) = self.point.after(Event::Lose).and_then(replicas::judged)
        {
            self.point = judged;
        }
        self
    }

    /// Builds the change that writes all of it in the place of a point of which nothing was made,
    /// or only what an earlier attempt made; `replicas` are the known ones. A point that waits is
    /// made after all if only remains of failed attempts were found.
    pub fn change_in_place(
        &self,
        before: Option<&Point>,
        replicas: &BTreeMap<(PointId, Region), Replica>,
    ) -> Change {
        let Some(before) = before else { return self.clone().beside(replicas).change() };
        let mut change = self.change();
        if self.point.status == Status::Failed
            && self.point.image.is_none()
            && before.status == Status::Requested
        {
            let attempt = self.point.step.attempt.saturating_add(1);
            let step = Step { attempt, first: attempt, ..before.step.clone() };
            let leftovers = self.point.leftovers.clone();
            let point = Point { step, leftovers, reason: None, ..before.clone() };
            let told = summary::latest(&point);
            return Change::point(point).telling(Some(told));
        }
        for write in &mut change.writes {
            if let Record::Point(point) = &mut write.record {
                write.expected = before.version;
                point.version = before.version.saturating_add(1);
            }
            if let Record::Replica(replica) = &mut write.record
                && let Some(before) = replicas.get(&(replica.point.clone(), replica.region.clone()))
            {
                write.expected = before.version;
                replica.version = before.version.saturating_add(1);
            }
        }
        change
    }

    /// Tells whether it may take the place of what the ledger knows: what has failed is no better
    /// than a point of which something was made.
    pub fn is_better(&self, known: &Point) -> bool {
        self.point.status != Status::Failed
            || known.status == Status::Requested
            || is_to_be_replaced(known)
    }

    fn summary(&self) -> Option<Summary> {
        let mut summary = summary::of(&self.point)?;
        summary.name.clone_from(&self.name);
        summary.news.extend(Stop::of(&self.point).map(News::Stop));
        Some(summary)
    }
}

/// An artefact, where it is, and what it says of itself.
#[derive(Clone, Debug)]
pub(super) struct Labelled<'a, T> {
    pub region: &'a Region,
    pub seen: &'a T,
    pub label: Label,
}

/// Artefacts that say that they are of one point.
#[derive(Clone, Debug, Default)]
pub(super) struct Group<'a> {
    pub images: Vec<Labelled<'a, ObservedImage>>,
    pub snapshots: BTreeMap<(&'a Region, &'a SnapshotId), Labelled<'a, ObservedSnapshot>>,
    /// Those of the snapshots that do not say so themselves: an image at home maps them.
    pub bare: BTreeSet<&'a SnapshotId>,
}

impl<'a> Group<'a> {
    /// Takes the snapshots without our tag that the images at home map.
    pub fn claim(&mut self, bare: &'a BTreeMap<Region, Vec<ObservedSnapshot>>) {
        let at_home = self.images.iter().filter(|image| *image.region == image.label.home);
        let mut claimed = Vec::new();
        for image in at_home {
            let there = bare.get(image.region).into_iter().flatten();
            let mapped = there.filter(|snapshot| image.seen.snapshots.contains(&snapshot.id));
            for seen in mapped {
                let devices = devices(&seen.tags).ok().filter(|devices| !devices.is_empty());
                let devices = devices.unwrap_or_else(|| self.mapping(image, bare));
                let label = Label { devices, ..image.label.clone() };
                claimed.push(Labelled { region: image.region, seen, label });
            }
        }
        for snapshot in claimed {
            let id = &snapshot.seen.id;
            if let Entry::Vacant(vacant) = self.snapshots.entry((snapshot.region, id)) {
                vacant.insert(snapshot);
                self.bare.insert(id);
            }
        }
    }

    /// Returns the volumes of the devices that an image maps.
    fn mapping(
        &self,
        image: &Labelled<'a, ObservedImage>,
        bare: &'a BTreeMap<Region, Vec<ObservedSnapshot>>,
    ) -> BTreeMap<String, VolumeId> {
        let bare: Vec<&ObservedSnapshot> = bare.get(image.region).into_iter().flatten().collect();
        let volume = |id: &'a SnapshotId| {
            let tagged = self.snapshots.get(&(image.region, id)).map(|labelled| labelled.seen);
            let seen = tagged.or_else(|| bare.iter().copied().find(|one| one.id == *id))?;
            seen.volume.clone()
        };
        let devices = image.seen.devices.iter().filter_map(|device| {
            Some((device.name.clone(), device.snapshot.as_ref().and_then(volume)?))
        });
        devices.collect()
    }

    /// Lists the snapshots of an image that have lost our tag.
    pub fn bare_of(&self, image: &ObservedImage) -> Vec<&'a SnapshotId> {
        let of_image = |id: &&&SnapshotId| image.snapshots.contains(id);
        self.bare.iter().filter(of_image).copied().collect()
    }
}

impl Found {
    pub(super) fn leave(
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

    pub(super) fn leave_image(&mut self, image: &Labelled<ObservedImage>, why: impl Into<String>) {
        self.leave(image.region, &image.seen.id, &image.seen.tags, why);
    }

    pub(super) fn leave_snapshot(
        &mut self,
        snapshot: &Labelled<ObservedSnapshot>,
        why: impl Into<String>,
    ) {
        self.leave(snapshot.region, &snapshot.seen.id, &snapshot.seen.tags, why);
    }
}
