//! Keys of the disks of machines that cannot be used: a set of snapshots fails minutes after its
//! call. After that nothing is snapshotted under the key until a read shows that it can be used,
//! and of the points that wait only the newest of each machine and policy is made.

use crate::scene::{self, HOME, Item, Launch, Scene, codes, disk};

const HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 hour), timezone: UTC}]
";

const AN_HOUR: u64 = 60;
const A_DAY: u64 = 24 * AN_HOUR;

impl Scene {
    /// Makes a key at home, and returns its ARN.
    async fn key_at_home(&self) -> String {
        let made = self.kms(HOME).create_key().send().await.expect("a key is made");
        made.key_metadata().and_then(|key| key.arn()).expect("it has an ARN").to_string()
    }

    /// Machines with a disk under a key.
    async fn machines_under(&self, key: &str, count: i32) -> Vec<String> {
        let disks = vec![disk("/dev/sdf", Some(key))];
        self.launch(Launch { count, disks, ..Launch::default() }).await
    }

    async fn points_that_wait(&self) -> Vec<Item> {
        let mut points = self.points().await;
        points.retain(|point| point["status"] == "requested");
        points
    }
}

/// The machines are imaged every hour while the key of their disks is disabled for so many days.
fn disabled_for(days: u64) {
    const MACHINES: usize = 3;
    scene::play(async |scene| {
        let key = scene.key_at_home().await;
        let machines = scene.machines_under(&key, 3).await;
        scene.policies(HOURLY).await;
        scene.pass(3 * AN_HOUR + 20).await;
        let good = scene.available(HOME).await.len();
        assert_eq!(good, 3 * MACHINES, "one image an hour of each machine");
        scene.disable(HOME, &key).await;
        let (mut per_day, mut called) = (Vec::new(), scene.called());
        let mut begun = scene.count("CreateSnapshots", HOME);
        for _ in 0..days {
            scene.pass(A_DAY).await;
            let (now, all) = (scene.count("CreateSnapshots", HOME), scene.called());
            per_day.push((now - begun, [0, 1, 2].map(|nth| all[nth] - called[nth])));
            (begun, called) = (now, all);
        }
        println!(
            "{MACHINES} machines, key disabled for {days} days: CreateSnapshots, and calls of EC2, \
             KMS and DynamoDB, per day: {per_day:?}"
        );
        // One try of each machine fails. After that one read an hour tells of all of them.
        assert!(per_day[0].0 <= MACHINES, "{per_day:?}");
        assert!(per_day[1..].iter().all(|(begun, _)| *begun == 0), "{per_day:?}");
        let (second, last) = (per_day[1].1, per_day[per_day.len() - 1].1);
        for nth in 0..3 {
            assert!(last[nth] <= second[nth] + second[nth] / 20 + 2, "it grows: {per_day:?}");
        }
        let failed = scene.snapshots(HOME).await.into_iter().filter(|it| it.state == "error");
        assert!(failed.count() <= 2 * MACHINES, "one set of two disks each");
        let waiting = scene.points_that_wait().await;
        assert!(waiting.len() <= 2 * MACHINES, "{waiting:#?}");
        let told = scene.open_findings().await;
        assert_eq!(told.len(), 2, "{told:#?}");
        let held = told.iter().find(|one| codes(one, "reason") == ["calls-held-up"]);
        let held = held.expect("what waits is told");
        assert!(held["reason"].contains(&format!("key {key} is Disabled")), "{held:#?}");
        let summary = scene.summary(&machines[0]).await;
        assert!(summary["latest#gold"].contains("is Disabled"), "{summary:#?}");
        scene.enable(HOME, &key).await;
        let enabled = scene.cloud.now().to_string();
        scene.pass(2 * AN_HOUR).await;
        let points = scene.points().await;
        for machine in &machines {
            let is_late = |point: &&Item| {
                point["id"].contains(machine.as_str())
                    && point["requested_at"] < enabled
                    && point.get("taken_at").is_some_and(|taken_at| *taken_at >= enabled)
            };
            let late = points.iter().filter(is_late).count();
            assert!(late <= 1, "{machine}: {late} points of earlier slots were made");
        }
        let made = scene.available(HOME).await.len() - good;
        assert!((2 * MACHINES..=3 * MACHINES).contains(&made), "{made}");
        assert!(scene.points_that_wait().await.is_empty());
        assert_eq!(scene.open_findings().await, Vec::<Item>::new());
        // What the first try left is known.
        let first = points.iter().filter(|point| point.get("leftovers").is_some());
        assert_eq!(first.count(), MACHINES, "{points:#?}");
    });
}

#[test]
fn while_the_key_of_the_disks_is_disabled_nothing_is_tried_and_only_the_newest_point_waits() {
    disabled_for(4);
}

/// Takes minutes: it is played when the variable `AFTERIMAGE_LONG` is set.
#[test]
fn a_key_of_disks_that_is_disabled_for_a_month_costs_the_same_every_day() {
    if scene::is_long() {
        disabled_for(30);
    }
}
