//! The reading of our tags from an artefact: the other way round of [`crate::tags`].
//!
//! A label nominates and never authorises: anybody may write one. What is read here is consistent
//! with itself and no more; whether it is true, the facts have to say.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::{AmiId, InstanceId, PolicyName, Region, VolumeId};
use crate::machine::{Grade, State};
use crate::names::{
    FORMAT, MADE_BY, TAG_ATTEMPT, TAG_BY, TAG_DEVICES, TAG_FORMAT, TAG_GRADE, TAG_KIND,
    TAG_LINEAGE, TAG_MACHINE, TAG_POINT, TAG_POLICY, TAG_REPLICAS, TAG_REQUESTED, TAG_SLOT,
    TAG_SOURCE,
};
use crate::policy::Artefact;
use crate::slot::{Occasion, PointId, Slot};
use crate::tags::is_reserved;

type Tags = BTreeMap<String, String>;

/// Label of an artefact: what its tags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub point: PointId,
    pub slot: Slot,
    pub home: Region,
    pub attempt: u32,
    pub grade: Grade,
    pub requested_at: Timestamp,
    pub kind: Artefact,
    pub machine: Run,
    /// Devices of the whole set of snapshots, each with its volume.
    pub devices: BTreeMap<String, VolumeId>,
    /// Regions that are to have a replica of the image.
    pub replicas: Vec<Region>,
    /// The tags that are not ours: the policy's, and those of the machine.
    pub others: Tags,
}

/// State of a machine when it was imaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub instance_type: String,
    pub state: State,
    pub launched: Timestamp,
    pub image: AmiId,
    pub hibernated: bool,
    pub spot: bool,
}

impl Label {
    /// # Errors
    /// Says which of the tags is missing or wrong, or that two of them contradict each other.
    pub fn read(tags: &Tags) -> Result<Label, String> {
        let tag = |key: &str| tags.get(key).ok_or_else(|| format!("tag {key} is missing"));
        let is = |key: &str, wanted: &str| match tag(key)?.as_str() {
            value if value == wanted => Ok(()),
            value => Err(format!("tag {key} is `{value}`, not `{wanted}`")),
        };
        is(TAG_FORMAT, FORMAT)?;
        is(TAG_BY, MADE_BY)?;
        let policy = parsed(TAG_POLICY, tag(TAG_POLICY)?, |text| PolicyName::parse(text).ok())?;
        let instance = parsed(TAG_SOURCE, tag(TAG_SOURCE)?, |text| InstanceId::parse(text).ok())?;
        let occasion = parsed(TAG_SLOT, tag(TAG_SLOT)?, occasion)?;
        let slot = Slot { policy, instance, occasion };
        let point = PointId::of(&slot);
        is(TAG_POINT, point.as_str())?;
        let home = parsed(TAG_LINEAGE, tag(TAG_LINEAGE)?, |text| {
            Region::parse(text.strip_suffix(slot.instance.as_str())?.strip_suffix('/')?).ok()
        })?;
        let kind = match tags.get(TAG_KIND).map(String::as_str) {
            None => Artefact::Image,
            Some("snapshots") => Artefact::Snapshots,
            Some(other) => return Err(format!("tag {TAG_KIND} cannot be `{other}`")),
        };
        let others = tags.iter().filter(|(key, _)| !is_reserved(key));
        Ok(Label {
            point,
            slot,
            home,
            attempt: parsed(TAG_ATTEMPT, tag(TAG_ATTEMPT)?, |text| text.parse().ok())?,
            grade: parsed(TAG_GRADE, tag(TAG_GRADE)?, Grade::parse)?,
            requested_at: parsed(TAG_REQUESTED, tag(TAG_REQUESTED)?, |text| text.parse().ok())?,
            kind,
            machine: parsed(TAG_MACHINE, tag(TAG_MACHINE)?, run)?,
            devices: devices(tags)?,
            replicas: words(tags, TAG_REPLICAS)
                .map(|word| parsed(TAG_REPLICAS, word, |text| Region::parse(text).ok()))
                .collect::<Result<Vec<Region>, String>>()?,
            others: others.map(|(key, value)| (key.clone(), value.clone())).collect(),
        })
    }

    /// Tells whether two artefacts can be of one and the same point: the id says the slot already.
    pub fn agrees(&self, other: &Label) -> bool {
        self.point == other.point
            && self.slot == other.slot
            && self.home == other.home
            && self.requested_at == other.requested_at
            && self.kind == other.kind
    }
}

fn parsed<T>(key: &str, text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    parse(text).ok_or_else(|| format!("tag {key} cannot be `{text}`"))
}

fn occasion(text: &str) -> Option<Occasion> {
    let (word, rest) = text.split_once(' ')?;
    match word {
        "at" => rest.parse().ok().map(Occasion::Scheduled),
        "run" => rest.parse().ok().map(|launched| Occasion::Stopped { launched }),
        "ask" => rest.parse().ok().map(|ordinal| Occasion::OnDemand { ordinal }),
        _ => None,
    }
}

fn run(text: &str) -> Option<Run> {
    let mut words = text.split(' ');
    let instance_type = words.next().filter(|word| !word.is_empty())?;
    let mut run = Run {
        instance_type: instance_type.trim_start_matches('-').to_string(),
        state: State::parse(words.next()?)?,
        launched: words.next()?.parse().ok()?,
        image: AmiId::parse(words.next()?).ok()?,
        hibernated: false,
        spot: false,
    };
    for word in words {
        match word {
            "hibernated" => run.hibernated = true,
            "spot" => run.spot = true,
            _ => return None,
        }
    }
    Some(run)
}

/// The devices of a set of snapshots that the tags name, each with its volume.
///
/// # Errors
/// Says which of the tags is wrong.
pub fn devices(tags: &Tags) -> Result<BTreeMap<String, VolumeId>, String> {
    let mut devices = BTreeMap::new();
    for word in words(tags, TAG_DEVICES) {
        let (device, volume) = parsed(TAG_DEVICES, word, |text| {
            let (device, volume) = text.rsplit_once('=')?;
            Some((device.to_string(), VolumeId::parse(volume).ok()?))
        })?;
        if devices.insert(device, volume).is_some() {
            return Err(format!("tags {TAG_DEVICES} name a device twice"));
        }
    }
    Ok(devices)
}

/// The words of numbered tags, in order, up to the first number that is missing.
fn words<'a>(tags: &'a Tags, key: &str) -> impl Iterator<Item = &'a str> {
    let numbered = (1..).map_while(move |number: u32| tags.get(&format!("{key}{number}")));
    let numbered: Vec<&String> = numbered.collect();
    numbered.into_iter().flat_map(|line| line.split(' ')).filter(|word| !word.is_empty())
}
