//! Trouble on top of the faults: somebody deletes images of two machines, and a region of replicas
//! does not answer for thirty hours.
//!
//! The story tells how Afterimage noticed, and how it made everything good again. All of it comes
//! from the ledger: the reasons that its records give, and their times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::time::Time;
use afterimage_core::finding::Finding;
use afterimage_core::ids::InstanceId;
use afterimage_core::names::TAG_SOURCE;
use afterimage_core::point::Point;
use afterimage_core::reason::Code;
use afterimage_core::slot::{Occasion, PointId};
use afterimage_core::status::Status;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Filter;
use jiff::Timestamp;

use crate::Failure;
use crate::demo::fault_rules::{DARK, OURS};
use crate::demo::fleet::Machine;
use crate::demo::format::elapsed;
use crate::demo::story::Line;
use crate::demo::trace_reader::Observed;
use crate::text::large_count;

const HOUR: u64 = 3600;

/// Offset of the deletions from the start: the morning of the third day.
const SABOTAGE_AT: Duration = Duration::from_secs(57 * HOUR + 1260);
/// Machines whose images are deleted, and the regions in which they are.
const VICTIMS: [(&str, &[&str]); 2] =
    [("db-1", &["us-east-1", "eu-west-1"]), ("wiki-1", &["us-east-1", "eu-west-1"])];

/// Region that does not answer, from and until these offsets from the start: two nights of
/// schedules are due in this time.
pub const DARK_REGION: &str = "eu-central-1";
const DARK_FROM: Duration = Duration::from_secs(90 * HOUR);
const DARK_UNTIL: Duration = Duration::from_secs(120 * HOUR);
/// Time that the demo needs after the trouble to tell its end.
const ROOM: Duration = Duration::from_secs(12 * HOUR);

/// Trouble that is planned for a demo, and what the story has told of it.
#[derive(Debug)]
pub struct Trouble {
    sabotage: Option<Sabotage>,
    outage: Option<Outage>,
}

/// Deletion of images by somebody else.
#[derive(Debug)]
struct Sabotage {
    at: Time,
    is_done: bool,
    /// Points whose images were deleted, with the names of their machines.
    hit: BTreeMap<PointId, String>,
    /// Points among them of which every place was told to be good again.
    healed: BTreeSet<PointId>,
    /// Reasons of points that were taken in.
    told: BTreeSet<(PointId, String)>,
    /// Ways of healing that were told, by machine.
    ways: BTreeSet<(String, String)>,
}

/// Loss of images of one machine, noticed at once.
#[derive(Debug)]
struct Loss {
    at: Timestamp,
    images: usize,
}

/// Words of the reason of a place whose image is gone.
const GONE: &str = " is gone; it has been missing";

/// Region that does not answer.
#[derive(Debug)]
struct Outage {
    from: Time,
    until: Time,
    told: Told,
    /// Replicas in the region: for each slot of a schedule, the points that wait for one.
    waiting: BTreeMap<Timestamp, BTreeSet<PointId>>,
    /// Time of the last write of a point that waited and is protected.
    last: Option<Timestamp>,
}

/// Progress of the story about an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Begun,
    Noticed,
    Over,
    Good,
}

impl Trouble {
    /// Plans the trouble that fits into a demo of this length.
    pub fn plan(start: Time, end: Time) -> Trouble {
        let sabotage = Sabotage {
            at: start + SABOTAGE_AT,
            is_done: false,
            hit: BTreeMap::new(),
            healed: BTreeSet::new(),
            told: BTreeSet::new(),
            ways: BTreeSet::new(),
        };
        let outage = Outage {
            from: start + DARK_FROM,
            until: start + DARK_UNTIL,
            told: Told::Nothing,
            waiting: BTreeMap::new(),
            last: None,
        };
        Trouble {
            sabotage: Some(sabotage).filter(|it| it.at + ROOM <= end),
            outage: Some(outage).filter(|it| it.until + ROOM <= end),
        }
    }

    /// Makes the fault rule of the region that does not answer.
    pub fn rules(&self) -> Vec<Rule> {
        let rule = |outage: &Outage| {
            let rule = Rule::time_out(When::Before).function(OURS).service("ec2");
            rule.region(DARK_REGION).from(outage.from).until(outage.until).named(DARK)
        };
        self.outage.iter().map(rule).collect()
    }

    /// Returns the time at which somebody deletes images, if that is to come.
    pub fn next_act(&self) -> Option<Time> {
        self.sabotage.as_ref().filter(|it| !it.is_done).map(|it| it.at)
    }

    /// Deletes the images of the victims, with their snapshots.
    ///
    /// # Errors
    /// EC2 refuses it.
    pub async fn act(&mut self, cloud: &Cloud, machines: &[Machine]) -> Result<Line, Failure> {
        let mut deleted = 0;
        for (name, regions) in VICTIMS {
            let victim = machines.iter().find(|machine| machine.order.name == name);
            let Some(victim) = victim else { continue };
            for region in regions {
                deleted += delete_images(cloud, region, &victim.id).await?;
            }
        }
        if let Some(sabotage) = &mut self.sabotage {
            sabotage.is_done = true;
        }
        let victims: Vec<String> = VICTIMS
            .iter()
            .map(|(name, regions)| format!("{name} in {}", regions.join(" and ")))
            .collect();
        let images = large_count(deleted, "image");
        let text =
            format!("sabotage: somebody deletes {images}: all of {}", victims.join(", and of "));
        Ok(Line::new(cloud.now().stamp(), text))
    }

    /// Takes in the state of a point, and makes the lines about it.
    pub fn add_point(&mut self, point: &Point, last_write: Timestamp) -> Option<Line> {
        if let Some(outage) = &mut self.outage {
            outage.add_point(point, last_write);
        }
        self.sabotage.as_mut()?.add_point(point, last_write)
    }

    /// Makes the lines about what was written since the last read.
    pub fn new_lines(
        &mut self,
        observed: &Observed,
        findings: &[Finding],
        names: &BTreeMap<InstanceId, String>,
        now: Time,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(sabotage) = &mut self.sabotage {
            lines.extend(sabotage.noticed(observed, names));
        }
        if let Some(outage) = &mut self.outage {
            lines.extend(outage.new_lines(findings, now));
        }
        lines
    }
}

impl Sabotage {
    /// Makes the lines about losses that were noticed, and about the way to heal them.
    fn noticed(&mut self, observed: &Observed, names: &BTreeMap<InstanceId, String>) -> Vec<Line> {
        let mut lost: BTreeMap<&str, Loss> = BTreeMap::new();
        let mut lines = Vec::new();
        for written in &observed.written {
            let Some((code, reason)) = &written.reason else { continue };
            let Some(name) = names.get(written.point.instance()) else { continue };
            let is_first = self.told.insert((written.point.clone(), reason.clone()));
            match code.as_str() {
                "lost" if is_first && reason.contains(GONE) => {
                    let loss = lost.entry(name).or_insert(Loss { at: written.at, images: 0 });
                    loss.images += 1;
                    self.hit.insert(written.point.clone(), name.clone());
                }
                "healing" if is_first && self.ways.insert((name.clone(), reason.clone())) => {
                    lines.push(Line::new(written.at, format!("{name}: healing: {reason}")));
                }
                _ => {}
            }
        }
        lines.extend(lost.into_iter().map(|(name, loss)| {
            let after = elapsed(self.at.stamp(), loss.at);
            let images = large_count(loss.images, "image");
            Line::new(loss.at, format!("{name}: loss of {images} noticed, {after} later"))
        }));
        lines
    }

    /// Makes the line of a point that is good again in every place.
    fn add_point(&mut self, point: &Point, last_write: Timestamp) -> Option<Line> {
        let name = self.hit.get(&point.id)?;
        if point.status != Status::Protected || !self.healed.insert(point.id.clone()) {
            return None;
        }
        let after = elapsed(self.at.stamp(), last_write);
        let replicas = large_count(point.replicas.len(), "replica");
        let text = format!("{name}: healed after {after}: its image and {replicas} are good again");
        Some(Line::new(last_write, text))
    }
}

impl Outage {
    fn add_point(&mut self, point: &Point, last_write: Timestamp) {
        let Occasion::Scheduled(slot) = point.slot.occasion else { return };
        let is_dark = slot >= self.from.stamp() && slot < self.until.stamp();
        let wants = point.plan.replicate.iter().any(|it| it.region.as_str() == DARK_REGION);
        if !is_dark || !wants {
            return;
        }
        let waiting = self.waiting.entry(slot).or_default();
        match point.status.is_settled() {
            false => _ = waiting.insert(point.id.clone()),
            true => {
                waiting.remove(&point.id);
                self.last = self.last.max(Some(last_write));
            }
        }
    }

    /// Counts the points that wait for a replica in the region.
    fn waiting(&self) -> usize {
        self.waiting.values().map(BTreeSet::len).sum()
    }

    /// Makes the lines about the region: silent, noticed, back, and good.
    fn new_lines(&mut self, findings: &[Finding], now: Time) -> Vec<Line> {
        let mut lines = Vec::new();
        let held_up = findings.iter().find(|finding| {
            finding.reason.code == Code::CopiesHeldUp && finding.region.as_str() == DARK_REGION
        });
        if self.told < Told::Begun && now >= self.from {
            self.told = Told::Begun;
            let hours = self.until.since(self.from).as_secs() / HOUR;
            let text = format!("{DARK_REGION} does not answer from now on, for {hours} h");
            lines.push(Line::new(self.from.stamp(), text));
        }
        if let (Told::Begun, Some(finding)) = (self.told, held_up) {
            self.told = Told::Noticed;
            let text = format!("{DARK_REGION}: noticed: {}", finding.reason);
            lines.push(Line::new(finding.seen_at, text));
        }
        if self.told < Told::Over && now >= self.until {
            self.told = Told::Over;
            let waiting = large_count(self.waiting(), "point");
            let text = format!("{DARK_REGION} answers again; {waiting} wait for a replica there");
            lines.push(Line::new(self.until.stamp(), text));
        }
        if self.told == Told::Over && self.waiting() == 0 {
            self.told = Told::Good;
            let at = self.last.unwrap_or_else(|| now.stamp());
            let after = elapsed(self.until.stamp(), at);
            let text =
                format!("{DARK_REGION}: the last of these replicas is available, {after} later");
            lines.push(Line::new(at, text));
        }
        lines
    }
}

/// Deletes the images of a machine in a region, with their snapshots, and counts them.
async fn delete_images(cloud: &Cloud, region: &str, machine: &str) -> Result<usize, Failure> {
    let client = Client::new(&cloud.sdk_config(region));
    let of_machine = Filter::builder().name(format!("tag:{TAG_SOURCE}")).values(machine).build();
    let found = client.describe_images().owners("self").filters(of_machine).send().await;
    let found = found.map_err(Failure::unexpected)?;
    for image in found.images() {
        client
            .deregister_image()
            .image_id(image.image_id().unwrap_or_default())
            .delete_associated_snapshots(true)
            .send()
            .await
            .map_err(Failure::unexpected)?;
    }
    Ok(found.images().len())
}
