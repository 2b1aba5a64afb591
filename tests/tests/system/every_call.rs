//! Killed and failed at every call: a run in which all goes well names its calls, and then for each
//! of them there is a run in which the function dies before it or after its effect, or in which the
//! call fails before or after its effect. All of them end the same. A quarter of these runs is
//! made, another for each commit; all of them if the variable `AFTERIMAGE_LONG` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::trace::{TracedCall, calls_of};

use crate::scene::{
    self, CREATED, FRANKFURT, HOME, IRELAND, Item, NIGHTLY, ON_STOP, ON_TAG, STOP_START, Scene,
    Stage, TAG_ANSWER, TAG_ASK,
};
use crate::stop_start::Power;

/// Fewer would mean that the calls are not found.
const CELLS_MIN: usize = 20;

/// What can happen at a call.
const BLOWS: [&str; 4] = ["killed before", "killed after", "failed before", "failed after"];

fn blow(name: &str) -> Rule {
    match name {
        "killed before" => Rule::kill(When::Before),
        "killed after" => Rule::kill(When::After),
        "failed before" => Rule::fail(When::Before, 500, "InternalError"),
        "failed after" => Rule::fail(When::After, 500, "InternalError"),
        other => panic!("{other} is no blow"),
    }
}

/// What there is at the end, without what differs from run to run: ids, times, and which attempt it
/// was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    images: Vec<String>,
    snapshots: Vec<String>,
    ledger: Vec<String>,
    /// What the machine says of requests.
    told: Vec<String>,
    /// What state each machine is in.
    machines: Vec<String>,
}

impl End {
    async fn of(scene: &Scene, machine: &str) -> End {
        let mut images = Vec::new();
        let mut snapshots = Vec::new();
        let mut volumes = Names::default();
        for region in [HOME, IRELAND, FRANKFURT] {
            for image in scene.images(region).await {
                let (name, _) = image.name.rsplit_once('-').unwrap_or((&image.name, ""));
                let tags = without_attempt(&image.tags);
                let disks = image.snapshots.len();
                images.push(format!("{region} {name} {} {disks} disks {tags:?}", image.state));
            }
            for snapshot in scene.snapshots(region).await {
                // Of a copied snapshot the volume means nothing.
                let volume = if region == HOME { volumes.of(&snapshot.volume) } else { 0 };
                let tags = without_attempt(&snapshot.tags);
                snapshots.push(format!("{region} volume {volume} {} {tags:?}", snapshot.state));
            }
        }
        snapshots.sort();
        let mut ledger: Vec<String> = scene.ledger().await.iter().filter_map(line).collect();
        ledger.sort();
        let machines = scene.states().await.into_values().collect();
        End { images, snapshots, ledger, told: told(scene, machine).await, machines }
    }

    /// What another end has less (`-`) and what it has more (`+`), a line for each.
    fn to(&self, other: &End) -> String {
        let (mut less, mut more) = (self.lines(), Vec::new());
        for line in other.lines() {
            match less.iter().position(|known| *known == line) {
                Some(index) => drop(less.remove(index)),
                None => more.push(line),
            }
        }
        let less = less.iter().map(|line| format!("  - {line}\n"));
        less.chain(more.iter().map(|line| format!("  + {line}\n"))).collect()
    }

    fn lines(&self) -> Vec<String> {
        let all = [
            ("image", &self.images),
            ("snapshot", &self.snapshots),
            ("item", &self.ledger),
            ("tag", &self.told),
            ("machine", &self.machines),
        ];
        let lines = all.iter().flat_map(|(what, lines)| lines.iter().map(move |line| (what, line)));
        lines.map(|(what, line)| format!("{what} {line}")).collect()
    }
}

/// The request that a machine carries, and the answer, without the time that it begins with.
async fn told(scene: &Scene, machine: &str) -> Vec<String> {
    let tags = scene.tags_of(HOME, machine).await;
    let asked = tags.get(TAG_ASK).map(|value| format!("asks for {value}"));
    let answer = tags.get(TAG_ANSWER).and_then(|text| text.split_once(' '));
    asked.into_iter().chain(answer.map(|(_, what)| format!("answer {what}"))).collect()
}

fn without_attempt(tags: &BTreeMap<String, String>) -> BTreeMap<&String, &String> {
    let differs = |key: &str| key.ends_with(":attempt") || key.ends_with(":requested");
    tags.iter().filter(|(key, _)| !differs(key)).collect()
}

/// Numbers in the order in which names are met.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn of(&mut self, name: &str) -> usize {
        let known = self.0.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.0.push(name.to_string());
            self.0.len() - 1
        })
    }
}

/// An item of the ledger by what matters of it; nothing for those that only coordinate.
fn line(item: &Item) -> Option<String> {
    let key = format!("{} {}", item["pk"], item["sk"]);
    let coordinates = ["lease#", "claim#"].iter().any(|prefix| key.starts_with(prefix));
    if coordinates || item["sk"] == "looked" || item["sk"].starts_with("cursor#") {
        return None;
    }
    if key.ends_with("#downtime") {
        return Some(format!("{key} {:?} {:?}", item.get("status"), item.get("queue")));
    }
    let members = ["status", "grade", "due_at", "queue", "reason", "leftovers"];
    let members = members.map(|name| format!("{name}={:?}", item.get(name)));
    let told = if item["sk"].contains("point#") { members.join(" ") } else { String::new() };
    Some(format!("{key} {told}"))
}

/// Plays one run to its end, with one blow or none.
fn run(policies: &str, blow: Option<Rule>) -> (End, Vec<TracedCall>) {
    scene::play_on(stage(policies), async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(policies).await;
        if let Some(rule) = blow {
            scene.fault(rule);
        }
        scene.pass(14).await;
        match policies {
            ON_STOP => scene.stop(&machine).await,
            ON_TAG | CREATED => scene.ask(HOME, &machine, "gold").await,
            _ => {}
        }
        // Long enough for Lambda's retries, for a lost intent to settle and for a second attempt.
        scene.pass(75).await;
        // A blow that hits nothing would prove nothing.
        assert!(scene.strikes().iter().all(|times| *times == 1), "{:?}", scene.strikes());
        if scene.strikes().is_empty() {
            scene.assert_protected_once(2).await;
        }
        Power::of(&scene).check();
        let calls = scene.cloud.with(|model| {
            calls_of(&model.trace, |entry| entry.principal.contains(":assumed-role/afterimage"))
        });
        (End::of(&scene, &machine).await, calls)
    })
}

fn stage(policies: &str) -> Stage {
    let mut stage = Stage::default();
    if policies == STOP_START {
        stage.options = stage.options.allowing_stop_start();
    }
    stage
}

/// The calls of a run at which something can go wrong in its own way: all that write or create, and
/// of the questions that are asked again and again the first few.
fn cells(calls: Vec<TracedCall>) -> Vec<TracedCall> {
    const SAME_MAX: u64 = 3;
    let writes = ["PutItem", "TransactWriteItems", "UpdateItem", "PutEvents"];
    let matters = |call: &TracedCall| {
        let creates = [
            "CreateSnapshots",
            "CreateImage",
            "RegisterImage",
            "CopyImage",
            "DeleteTags",
            "CreateTags",
        ];
        let powers = ["StopInstances", "StartInstances"];
        let action = call.action.as_str();
        let changes = [&writes[..], &creates, &powers].concat();
        changes.contains(&action) || call.nth <= SAME_MAX
    };
    calls.into_iter().filter(matters).collect()
}

/// The part of the cells that is tried unless the variable `AFTERIMAGE_LONG` is set: one in so
/// many.
const PART: usize = 4;

/// Tries every blow at every call, on as many threads as there are processors.
fn every_call(policies: &'static str, creates: &[&str]) {
    let (whole, calls) = run(policies, None);
    assert_eq!(whole.images.len(), 3, "the run without a blow: {whole:#?}");
    let calls = cells(calls);
    let told: BTreeSet<&str> = calls.iter().map(|call| call.action.as_str()).collect();
    for action in creates.iter().chain(&["CopyImage", "TransactWriteItems"]) {
        assert!(told.contains(action), "no call of {action} among {told:?}");
    }
    let mut cells: Vec<(&TracedCall, &str)> =
        calls.iter().flat_map(|call| BLOWS.map(|blow| (call, blow))).collect();
    assert!(cells.len() >= CELLS_MIN, "only {} cells", cells.len());
    let number = scene::commit_number();
    if !scene::is_long() {
        // Another part for each commit.
        fastrand::Rng::with_seed(number).shuffle(&mut cells);
        cells.truncate(cells.len() / PART);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some((call, name)) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (end, _) = run(policies, Some(blow(name).at(call)));
            if end != whole {
                let TracedCall { principal, action, region, nth, .. } = call;
                let at = format!("{action} {nth} in {region} of {principal}");
                wrong.push(format!("{name} {at}:\n{}", whole.to(&end)));
            }
        }
        wrong
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no run panics")).collect()
    });
    println!("{} cells at {} calls", cells.len(), calls.len());
    let (count, told) = (wrong.len(), wrong.join("\n"));
    let of = cells.len();
    assert!(wrong.is_empty(), "{count} of {of} of commit {number:x} ended otherwise\n{told}");
}

#[test]
fn killed_and_failed_at_every_call_of_a_schedule() {
    every_call(NIGHTLY, &["CreateSnapshots", "RegisterImage"]);
}

#[test]
fn killed_and_failed_at_every_call_after_a_request_by_tag() {
    every_call(ON_TAG, &["CreateSnapshots", "RegisterImage"]);
}

#[test]
fn killed_and_failed_at_every_call_after_a_stop() {
    every_call(ON_STOP, &["CreateSnapshots", "RegisterImage"]);
}

#[test]
fn killed_and_failed_at_every_call_where_ec2_creates_the_image() {
    every_call(CREATED, &["CreateImage"]);
}

#[test]
fn killed_and_failed_at_every_call_of_a_stop_and_start() {
    every_call(STOP_START, &["CreateSnapshots", "RegisterImage"]);
}
