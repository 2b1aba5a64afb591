//! A good neighbour: EC2 allows so many calls to an account and region, and half of them are left
//! to its other users. The check is made at the end of every scene.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::trace::{Entry, What};

use crate::scene::{self, HOME, Launch, ON_STOP, Scene, is_ours};

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

/// Asserts that our calls have kept to our part of every bucket.
pub fn assert_shares(entries: &[Entry]) {
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
    refused: BTreeMap<String, usize>,
    /// Minutes from the stop to the last image at home.
    last_image: u64,
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
        let calls = self.calls();
        let mut uefi: BTreeMap<String, usize> = BTreeMap::new();
        let mut refused: BTreeMap<String, usize> = BTreeMap::new();
        let mut describes = 0;
        for call in calls.iter().filter(|call| call.service == "ec2") {
            if call.action == "GetInstanceUefiData" {
                *uefi.entry(call.detail.to_string()).or_default() += 1;
            }
            describes += usize::from(call.action.starts_with("Describe") && call.region == HOME);
            if call.outcome == "RequestLimitExceeded" {
                *refused.entry(call.action.clone()).or_default() += 1;
            }
        }
        Fared {
            uefi_most: uefi.values().copied().max().unwrap_or_default(),
            uefi_total: uefi.values().sum(),
            describes,
            refused,
            last_image,
        }
    }

    async fn stop_all(&self, machines: &[String]) {
        for some in machines.chunks(500) {
            let stop = self.ec2(HOME).stop_instances().set_instance_ids(Some(some.to_vec()));
            stop.send().await.expect("the machines stop");
        }
    }
}

/// So many machines with UEFI firmware stop together.
fn stop_together(count: usize) {
    scene::play(async |scene| {
        let machines = scene.fleet(count).await;
        scene.policies(ON_STOP).await;
        scene.stop_all(&machines).await;
        let fared = scene.fared(count).await;
        let Fared { uefi_total, describes, last_image, .. } = fared.clone();
        println!(
            "{count} stop together: {uefi_total} GetInstanceUefiData, {describes} describes, \
             {last_image} minutes to the last image, {:?} refused",
            fared.refused
        );
        assert_eq!((fared.uefi_most, fared.uefi_total), (1, count), "{fared:?}");
        assert!(fared.refused.is_empty(), "{fared:?}");
        assert!(describes <= 30 + count / 10, "{fared:?}");
        assert!(last_image <= 5 + u64::try_from(count / 40).unwrap_or(0), "{fared:?}");
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
