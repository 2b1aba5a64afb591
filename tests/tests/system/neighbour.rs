//! A good neighbour: EC2 allows so many calls to an account and region, and half of them are left
//! to its other users. The check is made at the end of every scene.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_cloud::Config;
use afterimage_cloud::faults::Rule;
use afterimage_cloud::trace::{Entry, What};
use afterimage_core::part::{self, Bucket, Work};

use crate::scene::{
    self, HOME, Launch, ON_STOP, ON_TAG, Scene, Stage, TAG_ANSWER, TAG_ASK, is_ours,
};

/// Size of the bucket of an action in tokens, and its refill per second, as published in "Request
/// throttling for the Amazon EC2 API".
fn bucket(action: &str) -> (i64, i64) {
    match action {
        "CopyImage" => (100, 1),
        "CreateSnapshots" => (100, 5),
        "CreateTags" | "DeleteTags" => (100, 10),
        "StartInstances" => (5, 2),
        read if read.starts_with("Describe") || read.starts_with("Get") => (100, 20),
        _ => (50, 5),
    }
}

/// The part of a bucket that is ours: one of so many.
const OURS: i64 = 2;

/// Units of a token, so that a token is whole after any number of milliseconds.
const TOKEN: i64 = 1_000 * OURS;

/// Our part of a bucket, emptied by our calls.
struct Part {
    level: i64,
    at: i64,
}

/// Lists the calls that are more than our part of their bucket: in every window of so many seconds
/// it allows half of what the bucket holds, and half of what flows into it.
fn excess(entries: &[Entry]) -> Vec<String> {
    let mut parts: BTreeMap<[&str; 3], Part> = BTreeMap::new();
    let mut excess = Vec::new();
    let ours = |entry: &&Entry| {
        entry.what == What::Call && entry.service == "ec2" && is_ours(&entry.principal)
    };
    for call in entries.iter().filter(ours) {
        let (size, refill) = bucket(&call.action);
        let full = size * 1_000;
        let now = i64::try_from(call.at.millis()).expect("it is not the end of time");
        let key = [&call.account, &call.region, &call.action].map(String::as_str);
        let part = parts.entry(key).or_insert(Part { level: full, at: now });
        part.level = full.min(part.level + (now - part.at) * refill) - TOKEN;
        part.at = now;
        if part.level < 0 {
            let Entry { at, principal, action, region, .. } = call;
            let role = principal.rsplit('/').nth(1).unwrap_or_default();
            excess.push(format!("{} {action} {region} by {role}", at.to_millis_text()));
        }
    }
    excess
}

/// Lists our calls of which no work of their function has a part, whatever the pace.
fn without_part(entries: &[Entry]) -> Vec<String> {
    let mut without = BTreeSet::new();
    let calls = entries.iter().filter(|entry| entry.what == What::Call && entry.service == "ec2");
    for call in calls.filter(|call| is_ours(&call.principal)) {
        let has_part = |work: &Work| part::wait(*work, Bucket::of(&call.action)).is_some();
        let is_its = |work: &Work| match work {
            Work::Backup => call.principal.contains("BackupTick"),
            Work::Sweep => call.principal.contains("ReconcileTick"),
            Work::Queue(_) => call.principal.contains("WorkRequested"),
            Work::Command => false,
        };
        if !Work::ALL.iter().any(|work| is_its(work) && has_part(work)) {
            without.insert(format!("{} by {}", call.action, call.principal));
        }
    }
    without.into_iter().collect()
}

/// Asserts that our calls have kept to our part of every bucket.
pub fn assert_shares(entries: &[Entry]) {
    assert_eq!(without_part(entries), [""; 0]);
    let excess = excess(entries);
    let first: Vec<&String> = excess.iter().take(10).collect();
    assert!(excess.is_empty(), "{} calls beyond our share, from {first:#?}", excess.len());
}

#[test]
fn the_check_allows_half_a_bucket_and_half_its_refill() {
    let call = |millis: u64, action: &str| Entry {
        number: 0,
        at: afterimage_cloud::Time::from_millis(millis),
        what: What::Call,
        principal: "arn:aws:sts::1:assumed-role/afterimage-work/name".to_string(),
        service: "ec2".to_string(),
        action: action.to_string(),
        account: "1".to_string(),
        region: HOME.to_string(),
        outcome: "ok".to_string(),
        id: String::new(),
        detail: serde_json::Value::Null,
    };
    let mut calls: Vec<Entry> = (0..50).map(|_| call(1_000, "DescribeImages")).collect();
    calls.extend((0..50).map(|_| call(1_000, "DescribeVolumes")));
    calls.extend((1..=20).map(|nth| call(1_000 + nth * 100, "DescribeImages")));
    assert_eq!(excess(&calls), Vec::<String>::new());
    calls.push(call(3_099, "DescribeImages"));
    assert_eq!(excess(&calls).len(), 1);
}

/// How a fleet fared.
#[derive(Clone, Debug)]
struct Fared {
    /// The most calls of GetInstanceUefiData for one machine.
    uefi_most: usize,
    uefi_total: usize,
    describes: usize,
    /// Our calls of EC2 at home, by action.
    calls: BTreeMap<String, usize>,
    /// Those that came too fast.
    refused: BTreeMap<String, usize>,
    /// Those that failed for another reason, with the reason.
    failed: BTreeMap<String, usize>,
    /// Minutes from the occasion to the last image at home.
    last_image: u64,
}

impl Fared {
    /// No call came too fast, and none failed but for the snapshots that EC2 makes at a time.
    fn assert_nobody_was_in_the_way(&self) {
        let quota = "CreateSnapshots PendingSnapshotLimitExceeded";
        let only_quota = self.failed.keys().all(|what| what == quota);
        assert!(self.refused.is_empty() && only_quota, "{self:?}");
    }
}

impl Scene {
    async fn fleet(&self, count: usize) -> Vec<String> {
        let mut machines = Vec::new();
        while machines.len() < count {
            machines.extend(self.launch(Launch { count: 50, ..Launch::default() }).await);
        }
        machines
    }

    /// Waits for an image of each machine, for a replica of each, and then for the sweep.
    async fn fared(&self, machines: usize) -> Fared {
        let begun = self.cloud.now();
        let minute = Duration::from_secs(60);
        let bound = Duration::from_secs(120 + 30 * u64::try_from(machines).unwrap_or(0));
        self.pass_until(minute, bound, async |scene| scene.available(HOME).await.len() == machines)
            .await;
        let last_image = self.cloud.now().since(begun).as_secs() / 60;
        self.pass_until(minute, bound, async |scene| {
            let points = scene.points().await;
            points.len() == machines && points.iter().all(|point| point["status"] == "protected")
        })
        .await;
        self.pass(6).await;
        let mut uefi: BTreeMap<String, usize> = BTreeMap::new();
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        let mut refused: BTreeMap<String, usize> = BTreeMap::new();
        let mut failed: BTreeMap<String, usize> = BTreeMap::new();
        for call in self.calls().iter().filter(|call| call.service == "ec2") {
            if call.action == "GetInstanceUefiData" {
                *uefi.entry(call.detail.to_string()).or_default() += 1;
            }
            if call.region == HOME {
                *calls.entry(call.action.clone()).or_default() += 1;
            }
            if call.outcome == "RequestLimitExceeded" {
                *refused.entry(call.action.clone()).or_default() += 1;
            } else if call.outcome != "ok" {
                *failed.entry(format!("{} {}", call.action, call.outcome)).or_default() += 1;
            }
        }
        let describes = calls.iter().filter(|(action, _)| action.starts_with("Describe"));
        Fared {
            uefi_most: uefi.values().copied().max().unwrap_or_default(),
            uefi_total: uefi.values().sum(),
            describes: describes.map(|(_, count)| count).sum(),
            calls,
            refused,
            failed,
            last_image,
        }
    }

    /// How often a worker of this kind woke a successor.
    fn handed_over(&self, kind: &str) -> usize {
        let calls = self.calls();
        let puts = calls.iter().filter(|call| call.action == "PutEvents");
        let is_successor = |call: &&Entry| {
            // The detail of an event is text in the text of the call.
            let detail = call.detail.to_string().replace('\\', "");
            detail.contains(kind) && detail.contains("\"hop\":") && !detail.contains("\"hop\":0")
        };
        puts.filter(is_successor).count()
    }

    async fn stop_all(&self, machines: &[String]) {
        for some in machines.chunks(500) {
            let stop = self.ec2(HOME).stop_instances().set_instance_ids(Some(some.to_vec()));
            stop.send().await.expect("the machines stop");
        }
    }

    async fn ask_all(&self, machines: &[String]) {
        for some in machines.chunks(500) {
            let tags = self.ec2(HOME).create_tags().set_resources(Some(some.to_vec()));
            let tags = tags.tags(scene::tag(TAG_ASK, "gold"));
            tags.send().await.expect("the machines are tagged");
        }
    }

    /// Tells whether each of these machines has its answer, and its request no more.
    async fn are_answered(&self, machines: &[String]) -> bool {
        let mut answered = 0;
        for some in machines.chunks(500) {
            let call = self.ec2(HOME).describe_instances();
            let found = call.set_instance_ids(Some(some.to_vec())).send().await;
            let found = found.expect("the machines are described");
            let machines = found.reservations().iter().flat_map(|one| one.instances());
            answered += machines
                .filter(|machine| {
                    let has = |key: &str| machine.tags().iter().any(|tag| tag.key() == Some(key));
                    has(TAG_ANSWER) && !has(TAG_ASK)
                })
                .count();
        }
        answered == machines.len()
    }
}

/// So many machines with UEFI firmware stop together.
fn stop_together(count: usize) {
    scene::play(async |scene| {
        let machines = scene.fleet(count).await;
        scene.policies(ON_STOP).await;
        scene.stop_all(&machines).await;
        let fared = scene.fared(count).await;
        println!("{count} stop together: {fared:#?}");
        assert_eq!((fared.uefi_most, fared.uefi_total), (1, count), "{fared:?}");
        fared.assert_nobody_was_in_the_way();
        // Machines are looked at together: on average at least four with one call. A new ledger is
        // doubted until its first audit, so that each round lists the copies in other regions too.
        assert!(fared.describes <= 20 + count / 4, "{fared:?}");
        assert!(fared.last_image <= 5 + u64::try_from(count / 40).unwrap_or(0), "{fared:?}");
    });
}

/// So many machines are tagged by one script.
fn ask_together(count: usize) {
    scene::play(async |scene| {
        let machines = scene.fleet(count).await;
        scene.policies(ON_TAG).await;
        scene.ask_all(&machines).await;
        let asked = scene.cloud.now();
        // Two tags a second, and a moment until the worker begins.
        let bound = Duration::from_secs(30 + u64::try_from(count).unwrap_or(0) / 2);
        let step = Duration::from_secs(5);
        scene.pass_until(step, bound, async |scene| scene.are_answered(&machines).await).await;
        let answered = scene.cloud.now().since(asked).as_secs();
        let fared = scene.fared(count).await;
        println!("{count} ask together: answered after {answered} s, then {fared:#?}");
        assert_eq!((fared.uefi_most, fared.uefi_total), (1, count), "{fared:?}");
        fared.assert_nobody_was_in_the_way();
        // Machines are looked at together: on average at least four with one call.
        assert!(fared.describes <= 15 + count / 4, "{fared:?}");
        let tags = [fared.calls["DeleteTags"], fared.calls["CreateTags"]];
        assert_eq!(tags, [count, count], "{fared:?}");
        assert_eq!(scene.dead_letters(), 0);
    });
}

#[test]
fn fifty_machines_that_stop_together_are_each_asked_once_and_nobody_is_refused() {
    stop_together(50);
}

#[test]
fn two_hundred_machines_that_stop_together_are_each_asked_once_and_nobody_is_refused() {
    stop_together(200);
}

/// Takes minutes: it is played when the variable `AFTERIMAGE_LONG` is set.
#[test]
fn a_thousand_machines_that_stop_together_are_each_asked_once_and_nobody_is_refused() {
    if scene::is_long() {
        stop_together(1_000);
    }
}

/// Somebody else has so many snapshots made that EC2 asks us to wait every other time. We call so
/// slowly then that one worker cannot begin everything that it has described.
#[test]
fn machines_are_asked_once_even_if_a_worker_has_to_leave_half_of_them_to_the_next() {
    scene::play(async |scene| {
        let count = 100;
        let machines = scene.fleet(count).await;
        scene.policies(ON_STOP).await;
        scene.fault(Rule::throttle().action("CreateSnapshots").every(2));
        scene.stop_all(&machines).await;
        let fared = scene.fared(count).await;
        println!("{count} stop together, with others at it: {fared:#?}");
        assert_eq!((fared.uefi_most, fared.uefi_total), (1, count), "{fared:?}");
        assert!(scene.handed_over("snapshot") > 0, "no worker ran out of time");
    });
}

/// Fewer sets may be pending than machines are described together, so that most wait for their
/// turn, longer than one worker lives.
#[test]
fn machines_that_wait_for_the_snapshots_of_others_are_not_asked_again() {
    let mut stage = Stage { config: Config::seeded(1), ..Stage::default() };
    stage.config.limits.pending_snapshots_per_region = 20;
    stage.config.pace.snapshot_base *= 5;
    scene::play_on(stage, async |scene| {
        let count = 100;
        let machines = scene.fleet(count).await;
        scene.policies(ON_STOP).await;
        scene.stop_all(&machines).await;
        let fared = scene.fared(count).await;
        println!("{count} stop together, 20 at a time: {fared:#?}");
        assert_eq!((fared.uefi_most, fared.uefi_total), (1, count), "{fared:?}");
        fared.assert_nobody_was_in_the_way();
    });
}

#[test]
fn two_hundred_machines_that_are_tagged_together_are_described_together_and_answered_once() {
    ask_together(200);
}

/// Takes minutes: it is played when the variable `AFTERIMAGE_LONG` is set.
#[test]
fn a_thousand_machines_that_are_tagged_together_are_described_together_and_answered_once() {
    if scene::is_long() {
        ask_together(1_000);
    }
}
