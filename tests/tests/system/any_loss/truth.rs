//! The judge of a world: it reads the items of the ledger and what EC2 shows, and shares no code
//! with the product.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::flow::Flow;
use super::loss::Lost;
use crate::scene::{FRANKFURT, HOME, IRELAND, Image, Item, Scene, codes};

/// Time in which whatever is said has to be true again.
const TWO_HOURS: u64 = 120;
/// Time in which what was begun by then is done.
const LATER: u64 = 120;

/// What is wrong with a world; nothing in a good one.
#[derive(Default)]
pub struct Verdict(Vec<String>);

impl Verdict {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn say(&mut self, when: &str, what: impl fmt::Display) {
        self.0.push(format!("    {when}: {what}"));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Lets time pass, and judges what is there: after two hours, much later, and once more when
/// whatever was disabled is enabled again.
pub async fn judge(scene: &Scene, flow: Flow, lost: &Lost) -> Verdict {
    let mut verdict = Verdict::default();
    let survives = Seen::of(scene).await.survives(flow);
    for (when, minutes) in [("after two hours", TWO_HOURS), ("later", LATER)] {
        scene.pass(minutes).await;
        let seen = Seen::of(scene).await;
        seen.is_true(flow, when, &mut verdict);
        seen.is_once(when, &mut verdict);
        seen.is_whole(flow, lost, survives, when, &mut verdict);
    }
    if !lost.disabled.is_empty() {
        for (region, image) in &lost.disabled {
            let enabled = scene.ec2(region).enable_image().image_id(image).send().await;
            if let Err(why) = enabled {
                verdict.say("later", format!("{image} cannot be enabled: {why:?}"));
            }
        }
        scene.pass(TWO_HOURS).await;
        let seen = Seen::of(scene).await;
        let when = "enabled again";
        seen.is_true(flow, when, &mut verdict);
        seen.is_once(when, &mut verdict);
        seen.is_whole(flow, &Lost::default(), survives, when, &mut verdict);
    }
    for (what, times) in made(scene) {
        if times > 2 {
            verdict.say("in all", format!("{what} was made {times} times"));
        }
    }
    verdict
}

/// How often something was made, by what it was and where.
fn made(scene: &Scene) -> BTreeMap<String, usize> {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for call in scene.calls().iter().filter(|call| call.outcome == "ok") {
        let what = match call.action.as_str() {
            "CreateSnapshots" => "a set of snapshots",
            "RegisterImage" | "CreateImage" | "CopyImage" => "an image",
            _ => continue,
        };
        *made.entry(format!("{what} in {}", call.region)).or_default() += 1;
    }
    made
}

/// A world at a moment.
struct Seen {
    items: Vec<Item>,
    images: BTreeMap<&'static str, Vec<Image>>,
    /// The snapshots that are complete.
    snapshots: BTreeMap<&'static str, Vec<String>>,
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).map(String::as_str).unwrap_or_default()
}

fn json(item: &Item, name: &str) -> Value {
    item.get(name).map_or(Value::Null, |text| serde_json::from_str(text).expect("JSON"))
}

impl Seen {
    async fn of(scene: &Scene) -> Seen {
        let (mut images, mut snapshots) = (BTreeMap::new(), BTreeMap::new());
        for region in [HOME, IRELAND, FRANKFURT] {
            images.insert(region, scene.images(region).await);
            let complete = scene.snapshots(region).await.into_iter();
            let complete = complete.filter(|snapshot| snapshot.state == "completed");
            snapshots.insert(region, complete.map(|snapshot| snapshot.id).collect());
        }
        Seen { items: scene.ledger().await, images, snapshots }
    }

    fn point(&self) -> Option<&Item> {
        let is_point = |item: &&Item| {
            let sk = text(item, "sk");
            sk.starts_with("point#") && !sk.contains("#replica#") && !sk.ends_with("#downtime")
        };
        self.items.iter().find(is_point)
    }

    fn replica(&self, region: &str) -> Option<&Item> {
        let end = format!("#replica#{region}");
        self.items.iter().find(|item| text(item, "sk").ends_with(&end))
    }

    fn summary(&self, name: &str) -> Value {
        let summary = self.items.iter().find(|item| item.contains_key(name));
        summary.map_or(Value::Null, |item| json(item, name))
    }

    fn is_available(&self, region: &str, id: &str) -> bool {
        let images = self.images.get(region).into_iter().flatten();
        images.filter(|image| image.state == "available").any(|image| image.id == id)
    }

    fn available(&self, region: &str) -> usize {
        let images = self.images.get(region).into_iter().flatten();
        images.filter(|image| image.state == "available").count()
    }

    /// Tells whether all snapshots of the point, which the ledger names, are there.
    fn has_snapshots(&self, point: &Item) -> bool {
        let named = json(point, "snapshots");
        let mut named = named.as_object().into_iter().flat_map(|named| named.values()).peekable();
        let there = &self.snapshots[HOME];
        named.peek().is_some()
            && named.all(|id| there.iter().any(|known| Some(known.as_str()) == id.as_str()))
    }

    /// Tells whether anything is left from which the point can be made again.
    fn survives(&self, flow: Flow) -> bool {
        let has_image = flow.places().iter().any(|region| self.available(region) > 0);
        let has_disks =
            flow != Flow::Created && self.point().is_some_and(|it| self.has_snapshots(it));
        flow.stands() || has_image || has_disks
    }

    /// Whatever the ledger calls good is there.
    fn is_true(&self, flow: Flow, when: &str, verdict: &mut Verdict) {
        let Some(point) = self.point() else { return };
        let status = text(point, "status");
        let home = point.get("home_place").map_or("available", String::as_str);
        if matches!(status, "protected" | "imaged") && home == "available" {
            let is_there = match flow {
                Flow::Snapshots => self.has_snapshots(point),
                _ => self.is_available(HOME, text(point, "image")),
            };
            if !is_there {
                verdict.say(
                    when,
                    format!("the ledger calls home good: {status}, {:?}", point.get("image")),
                );
            }
        }
        let replicas = json(point, "replicas");
        for region in flow.places().iter().filter(|region| **region != HOME) {
            let replica = self.replica(region);
            let image = replica.map(|replica| text(replica, "image")).unwrap_or_default();
            let is_there = self.is_available(region, image);
            let is_called = |name: &str| {
                replicas[region] == name && matches!(status, "protected" | "imaged" | "failed")
            };
            let is_good = replica.is_some_and(|replica| text(replica, "status") == "available");
            if !is_there && (is_good || is_called("available") || status == "protected") {
                verdict.say(when, format!("the ledger calls {region} good: {status}, {image}"));
            }
        }
        self.is_summary_true(point, when, verdict);
    }

    /// The summary tells what the point does.
    fn is_summary_true(&self, point: &Item, when: &str, verdict: &mut Verdict) {
        let latest = self.summary("latest#gold");
        let status = text(point, "status");
        let is_rest = matches!(status, "protected" | "lost" | "failed" | "missed" | "withdrawn");
        if is_rest && latest["status"] != status {
            verdict.say(when, format!("the summary has {latest}, the point is {status}"));
        }
        let good = self.summary("good#gold");
        if good.is_null() {
            return;
        }
        let image = good["image"].as_str();
        if image.is_some_and(|image| !self.is_available(HOME, image)) {
            verdict.say(when, format!("the summary has an image that is not there: {good}"));
        }
        for region in good["replicas"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let replica = self.replica(region);
            if !replica.is_some_and(|it| self.is_available(region, text(it, "image"))) {
                verdict.say(when, format!("the summary has a replica that is not there: {good}"));
            }
        }
        let is_bare = image.is_none() && good["replicas"] == serde_json::json!([]);
        if is_bare && !self.has_snapshots(point) {
            verdict.say(when, format!("the summary has a point of which nothing is left: {good}"));
        }
    }

    /// No place has two images of the point.
    fn is_once(&self, when: &str, verdict: &mut Verdict) {
        for (region, images) in &self.images {
            let live = images.iter().filter(|image| image.state == "available");
            let live: Vec<&str> = live.map(|image| image.name.as_str()).collect();
            if live.len() > 1 {
                verdict.say(when, format!("{region} has {}", live.join(" and ")));
            }
        }
    }

    /// Every place that the policy wants is there; or, if that cannot be, is named.
    fn is_whole(&self, flow: Flow, lost: &Lost, survives: bool, when: &str, verdict: &mut Verdict) {
        let Some(point) = self.point() else { return verdict.say(when, "there is no point") };
        let status = text(point, "status");
        let reason = codes(point, "reason");
        let is_there = |region: &&&str| match (flow, **region) {
            (Flow::Snapshots, HOME) => self.has_snapshots(point),
            _ => self.available(region) == 1,
        };
        let missing: Vec<&str> =
            flow.places().iter().filter(|region| !is_there(region)).copied().collect();
        // What is disabled is there, and can be enabled by whoever disabled it.
        let is_disabled = |region: &str| {
            let images = self.images.get(region).into_iter().flatten();
            lost.disabled.iter().any(|(place, _)| *place == region)
                && images.clone().any(|image| image.state == "disabled")
        };
        // So a copy of it waits until then, if it was not begun.
        let broken: Vec<&str> = if is_disabled(HOME) {
            Vec::new()
        } else {
            missing.iter().filter(|region| !is_disabled(region)).copied().collect()
        };
        if missing.is_empty() {
            if status != "protected" {
                let text = format!("everything is there, and the point is {status}, {reason:?}");
                verdict.say(when, text);
            }
            return;
        }
        if status == "protected" || reason.is_empty() {
            verdict.say(when, format!("{missing:?} are missing: {status}, {reason:?}"));
        }
        if survives && !broken.is_empty() {
            let text = format!("{broken:?} could be made again: {status}, {reason:?}");
            verdict.say(when, text);
        }
    }
}
