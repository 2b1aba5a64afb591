//! What is wanted is never given up: a destination that is dark or refuses, a key that is disabled,
//! a disk that is detached for some hours, artefacts that are deleted on the way. And while it
//! waits, it costs next to nothing.

use afterimage_cloud::Time;
use afterimage_cloud::faults::{Creation, Rule, When};
use afterimage_cloud::trace::{Entry, What};

use crate::economy::is_write;
use crate::scene::{self, FRANKFURT, HOME, IRELAND, Item, Launch, ON_STOP, Scene, codes};

/// The same machines every six hours.
const SIX_HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(6 hours), timezone: UTC}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

const AN_HOUR: u64 = 60;

impl Scene {
    pub fn dark(&self, region: &str) {
        self.fault(Rule::time_out(When::Before).service("ec2").region(region));
    }

    /// What the functions do in the last hours: calls of a region, and writes of the ledger.
    fn cost(&self, hours: u64, region: &str) -> (usize, usize) {
        let since = Time::from_millis(self.cloud.now().millis() - hours * 3_600_000);
        let mut calls = self.attempts();
        calls.retain(|call| call.at >= since);
        let there = calls.iter().filter(|call| call.region == region && call.service == "ec2");
        (there.count(), calls.iter().filter(|call| is_write(call)).count())
    }

    /// What the functions called, answered or not.
    fn attempts(&self) -> Vec<Entry> {
        let is_call = |entry: &&Entry| {
            matches!(entry.what, What::Call | What::Fault) && scene::is_ours(&entry.principal)
        };
        self.cloud.with(|model| model.trace.entries().iter().filter(is_call).cloned().collect())
    }

    pub fn copies_tried(&self, region: &str) -> usize {
        let calls = self.attempts();
        calls.iter().filter(|call| call.action == "CopyImage" && call.region == region).count()
    }

    /// The points of which something is still to be made, or that came to an end without it.
    async fn unprotected(&self) -> Vec<Item> {
        let mut points = self.points().await;
        points.retain(|point| point["status"] != "protected");
        points
    }

    /// The summary of a machine.
    pub async fn summary(&self, machine: &str) -> Item {
        let ledger = self.ledger().await;
        let key = format!("machine#{machine}");
        let mut items = ledger.into_iter();
        items.find(|item| item["pk"] == key && item["sk"] == "machine").expect("a summary")
    }

    async fn delete(&self, snapshots: &[String]) {
        for snapshot in snapshots {
            let call = self.ec2(HOME).delete_snapshot().snapshot_id(snapshot);
            call.send().await.expect("the snapshot is deleted");
        }
    }
}

/// Three machines stop while a destination is dark for so long. What it costs does not grow, and
/// every copy is made afterwards.
fn dark_for(hours: u64) {
    scene::play(async |scene| {
        let machines = scene.launch(Launch { count: 3, ..Launch::default() }).await;
        scene.policies(ON_STOP).await;
        scene.pass(8).await;
        scene.dark(IRELAND);
        for machine in &machines {
            scene.stop(machine).await;
        }
        scene.pass(30).await;
        assert_eq!(scene.available(FRANKFURT).await.len(), 3, "the other place does not wait");
        let told = scene.summary(&machines[0]).await;
        println!("after half an hour: {}", told["latest#gold"]);
        let mut costs = Vec::new();
        let windows = hours.saturating_sub(3) / 12;
        for _ in 0..windows {
            scene.pass(12 * AN_HOUR).await;
            let (calls, writes) = scene.cost(12, IRELAND);
            costs.push((calls, writes, scene.ledger().await.len()));
        }
        println!("dark for {hours} h: calls there, writes and items, each 12 h: {costs:?}");
        // A window may hold one hourly look more than the first.
        let (calls_first, writes_first, items_first) = costs.first().copied().unwrap_or_default();
        for (calls, writes, items) in &costs {
            let grows = *calls > calls_first + calls_first / 12
                || *writes > writes_first + writes_first / 12
                || *items > items_first;
            assert!(!grows, "it grows: {costs:?}");
        }
        let attempts = scene.copies_tried(IRELAND);
        println!("{attempts} calls of CopyImage while it was dark");
        assert!(attempts <= 12 + usize::try_from(hours).expect("small") * 2, "{attempts}");
        // Half an hour has passed before the windows.
        scene.pass(((hours - 12 * windows) * AN_HOUR).saturating_sub(30)).await;
        scene.no_more_faults();
        let light = scene.cloud.now();
        let (minute, bound) =
            (std::time::Duration::from_secs(60), std::time::Duration::from_secs(7200));
        let is_good = async |scene: &Scene| scene.unprotected().await.is_empty();
        scene.pass_until(minute, bound, is_good).await;
        let minutes = scene.cloud.now().since(light).as_secs() / 60;
        println!("{minutes} minutes from the light to the last of 3 replicas");
        for region in [HOME, IRELAND, FRANKFURT] {
            assert_eq!(scene.images(region).await.len(), 3, "{region}");
        }
        let told = scene.summary(&machines[0]).await;
        assert!(!told["latest#gold"].contains("reason"), "{told:#?}");
    });
}

#[test]
fn a_destination_that_is_dark_for_an_hour_gets_its_copies() {
    dark_for(1);
}

#[test]
fn a_destination_that_is_dark_for_thirty_hours_gets_its_copies_and_costs_the_same_every_day() {
    dark_for(30);
}

#[test]
fn a_destination_that_is_dark_for_a_week_gets_its_copies() {
    if scene::is_long() {
        dark_for(7 * 24);
    }
}

#[test]
fn a_destination_that_is_dark_for_two_months_costs_the_same_every_day() {
    if scene::is_long() {
        dark_for(60 * 24);
    }
}

#[test]
fn of_the_copies_that_wait_for_a_dark_destination_only_the_newest_is_made() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(SIX_HOURLY).await;
        scene.dark(IRELAND);
        // Until the image of the last slot is there: before that the one before it is the newest.
        scene.pass(30 * AN_HOUR + 10).await;
        scene.no_more_faults();
        scene.pass(2 * AN_HOUR).await;
        let points = scene.points().await;
        assert_eq!(points.len(), 5, "{points:#?}");
        assert!(scene.unprotected().await.is_empty(), "{:#?}", scene.unprotected().await);
        assert_eq!(scene.available(FRANKFURT).await.len(), 5);
        let mut ids: Vec<&String> = points.iter().map(|point| &point["id"]).collect();
        ids.sort();
        // The first was called for without an answer, and might have been made.
        let ireland = scene.available(IRELAND).await;
        let made = ireland.iter().map(|image| &image.tags["afterimage:point"]);
        assert_eq!(made.collect::<Vec<_>>(), [ids[0], ids[4]]);
        let superseded = points.iter().filter(|point| codes(point, "findings") == ["superseded"]);
        assert_eq!(superseded.count(), 3, "{points:#?}");
    });
}

#[test]
fn copies_that_were_forbidden_for_ten_hours_are_made() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        let forbidden = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("CopyImage");
        scene.fault(forbidden.region(IRELAND));
        scene.stop(&machine).await;
        scene.pass(30).await;
        let told = scene.summary(&machine).await["latest#gold"].clone();
        assert!(told.contains("UnauthorizedOperation") && told.contains("next_at"), "{told}");
        scene.pass(10 * AN_HOUR).await;
        let attempts = scene.copies_tried(IRELAND);
        println!("{attempts} calls of CopyImage in ten hours");
        assert!(attempts <= 18, "{attempts}");
        scene.no_more_faults();
        scene.pass(2 * AN_HOUR).await;
        scene.assert_protected_once(1).await;
    });
}

/// Twenty machines stop while the copies under their key fail for so long. Each has at most one
/// image that failed before the first failure showed; after that there is one more for each try. In
/// the end every copy is made.
fn key_disabled_for(hours: u64, tries: usize, until_next: u64) {
    scene::play(async |scene| {
        let machines = scene.launch(Launch { count: 20, ..Launch::default() }).await;
        scene.policies(ON_STOP).await;
        let broken = Rule::fail_creation(&[Creation::ImageCopy], "Given key ID is not accessible.");
        scene.fault(broken.region(IRELAND));
        for machine in &machines {
            let stopped = scene.ec2(HOME).stop_instances().instance_ids(machine).send().await;
            stopped.expect("the machine stops");
        }
        scene.pass(hours * AN_HOUR).await;
        let failed = scene.images(IRELAND).await;
        println!("{} failed images of 20 machines in {hours} h", failed.len());
        // Copies that were begun before the first failure showed may fail too.
        assert!(failed.len() > tries && failed.len() <= 20 + tries, "{}", failed.len());
        let told = scene.findings().await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0]["reason"].contains("copies-held-up"), "{told:#?}");
        scene.no_more_faults();
        scene.pass(until_next * AN_HOUR).await;
        assert!(scene.unprotected().await.is_empty(), "{:#?}", scene.unprotected().await);
        assert_eq!(scene.available(IRELAND).await.len(), 20);
        let told = scene.findings().await.into_iter().next();
        assert!(told.expect("kept").contains_key("resolved_at"), "it is over");
    });
}

#[test]
fn a_key_that_is_disabled_for_some_hours_leaves_few_failed_images() {
    key_disabled_for(3, 2, 2);
}

#[test]
fn a_key_that_is_disabled_for_thirty_hours_leaves_hardly_more_failed_images() {
    if scene::is_long() {
        key_disabled_for(30, 4, 26);
    }
}

#[test]
fn a_machine_whose_root_was_detached_is_imaged_when_it_has_it_again() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        // Nobody hears of the stop until the disk is detached.
        scene.fault(Rule::lose().detail_type("EC2 Instance State-change Notification"));
        let stopped = scene.ec2(HOME).stop_instances().instance_ids(&machine).send().await;
        stopped.expect("the machine stops");
        scene.cloud.advance(std::time::Duration::from_secs(40)).await;
        let (volume, device) = scene.detach_root(&machine).await;
        scene.pass(3 * AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(codes(&point, "reason"), ["no-volumes"], "{point:#?}");
        let call = scene.ec2(HOME).attach_volume().volume_id(&volume).instance_id(&machine);
        call.device(&device).send().await.expect("the disk is attached");
        scene.pass(2 * AN_HOUR).await;
        scene.assert_protected_once(1).await;
        assert!(scene.the_point().await["version"].parse::<u32>().expect("a number") < 30);
    });
}

#[test]
fn an_image_deleted_with_its_snapshots_before_any_copy_is_made_again() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        scene.stop(&machine).await;
        let second = std::time::Duration::from_secs(1);
        let hour = std::time::Duration::from_secs(3600);
        let available = async |scene: &Scene| !scene.available(HOME).await.is_empty();
        scene.pass_until(second, hour, available).await;
        scene.deregister(HOME, &scene.available(HOME).await[0], true).await;
        scene.pass(2 * AN_HOUR).await;
        scene.assert_protected_once(1).await;
    });
}

#[test]
fn snapshots_deleted_before_the_registration_are_made_again_at_once() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_STOP).await;
        scene.fault(Rule::fail(When::Before, 403, "UnauthorizedOperation").action("RegisterImage"));
        scene.stop(&machine).await;
        scene.pass(20).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "ready", "{point:#?}");
        let told = scene.summary(&machine).await["latest#gold"].clone();
        assert!(told.contains("UnauthorizedOperation") && told.contains("next_at"), "{told}");
        let ids: Vec<String> = scene.snapshots(HOME).await.into_iter().map(|it| it.id).collect();
        scene.delete(&ids).await;
        scene.no_more_faults();
        scene.pass(AN_HOUR + 30).await;
        scene.assert_protected_once(1).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 2);
        let refused = scene.calls().into_iter().filter(|call| call.action == "RegisterImage");
        let gone = refused.filter(|call| call.outcome == "InvalidSnapshot.NotFound").count();
        assert_eq!(gone, 1, "no second try with snapshots that are gone");
    });
}
