//! A policy with machines in two regions, of which one does not answer: what it says of the other.

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{self, FRANKFURT, HOME, IRELAND, Item, Launch, Scene, codes};

const HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1, eu-west-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 hour)}]
";

/// Every point of a machine: the slot that it is named after, its status, and the codes of its
/// reason and findings.
fn told(points: &[Item], machine: &str) -> Vec<String> {
    let of_machine = points.iter().filter(|point| point["pk"].ends_with(machine));
    let line = |point: &Item| {
        let (_, slot) = point["sk"].rsplit_once("-at-").expect("it is of a schedule");
        let codes = [codes(point, "reason"), codes(point, "findings")].concat();
        [vec![slot.to_string(), point["status"].clone()], codes].concat().join(" ")
    };
    of_machine.map(line).collect()
}

async fn two_machines(scene: &Scene) -> (String, String) {
    let here = scene.machine(0).await;
    let there = scene.launch_one(Launch { region: IRELAND, ..Launch::default() }).await;
    (here, there)
}

/// Ireland does not answer from half past midnight until half past two.
async fn two_dark_hours(scene: &Scene, meanwhile: impl AsyncFnOnce(&Scene)) {
    scene.pass_until_minute(30).await;
    scene.fault(Rule::time_out(When::Before).service("ec2").region(IRELAND));
    scene.pass_until_minute(90).await;
    meanwhile(scene).await;
    scene.pass_until_minute(150).await;
    scene.no_more_faults();
    scene.pass_until_minute(175).await;
}

impl Scene {
    /// Lets time pass until so many minutes after midnight.
    async fn pass_until_minute(&self, minute: u64) {
        let midnight = self.cloud.now().millis() / 86_400_000 * 86_400_000;
        let passed = (self.cloud.now().millis() - midnight) / 60_000;
        self.pass(minute.saturating_sub(passed)).await;
    }
}

#[test]
fn a_region_that_does_not_answer_is_made_up_for_alone() {
    scene::play(async |scene| {
        let (here, there) = two_machines(&scene).await;
        scene.policies(HOURLY).await;
        two_dark_hours(&scene, async |_| {}).await;
        let points = scene.points().await;
        let expected = ["20260101T010000Z protected", "20260101T020000Z protected"];
        assert_eq!(told(&points, &here), expected, "nothing was late here");
        let expected = ["20260101T020000Z protected slots-collapsed"];
        assert_eq!(told(&points, &there), expected, "one image stands for both slots");
        let listings = scene.calls().into_iter().filter(|call| {
            call.action == "DescribeInstances"
                && call.region == HOME
                && call.principal.contains("backup-tick")
        });
        // A tick that waits for Ireland is overtaken by the next one.
        assert!((2..=4).contains(&listings.count()), "not every minute");
    });
}

#[test]
fn a_machine_that_is_launched_after_a_slot_has_not_missed_it() {
    let none = HOURLY.replace("rate(1 hour)", "rate(1 hour), catch_up: none");
    scene::play(async |scene| {
        let (here, there) = two_machines(&scene).await;
        scene.policies(&none).await;
        let mut later = None;
        two_dark_hours(&scene, async |scene| later = Some(scene.machine(0).await)).await;
        let points = scene.points().await;
        let expected = ["20260101T010000Z protected", "20260101T020000Z protected"];
        assert_eq!(told(&points, &here), expected);
        let later = later.expect("it was launched at half past one");
        assert_eq!(told(&points, &later), ["20260101T020000Z protected"]);
        assert_eq!(told(&points, &there), ["20260101T020000Z missed slots-missed"]);
    });
}

const INTO_FRANKFURT: &str = "
policies:
  gold:
    select: {regions: [us-east-1, eu-west-1], tags: {backup: gold}}
    triggers: [{schedule: rate(6 hours)}]
    replicate: [{region: eu-central-1}]
";

/// Ireland does not answer, neither us nor another region that would copy from it.
fn ireland_is_dark(scene: &Scene) {
    scene.cloud.with(|model| model.dark_regions.insert(IRELAND.to_string()));
}

#[test]
fn copies_from_a_home_that_cannot_be_reached_do_not_hold_up_those_from_another() {
    scene::play(async |scene| {
        let (here, there) = two_machines(&scene).await;
        scene.policies(INTO_FRANKFURT).await;
        scene.pass(7 * 60).await;
        assert_eq!(scene.available(FRANKFURT).await.len(), 2, "{here}, {there}");
        // One copy of the region in trouble waits to be made again.
        let of_there = scene.available(FRANKFURT).await.into_iter();
        let lost = of_there.filter(|image| image.name.contains(there.trim_start_matches("i-")));
        for image in lost.collect::<Vec<_>>() {
            scene.deregister(FRANKFURT, &image, true).await;
        }
        ireland_is_dark(&scene);
        scene.pass(14 * 60).await;
        let points = scene.points().await.into_iter();
        let of_here = points.filter(|point| point["pk"].ends_with(&here));
        let states: Vec<String> = of_here.map(|point| point["status"].clone()).collect();
        assert_eq!(states, ["protected"; 3], "the other home goes on");
        let found = scene.open_findings().await;
        let told = found.iter().find(|it| codes(it, "reason") == ["copies-held-up"]);
        let told = &told.expect("a person is told")["reason"];
        assert!(told.contains("copies from eu-west-1 in eu-central-1"), "{told}");
        scene.cloud.with(|model| model.dark_regions.clear());
        scene.pass(3 * 60).await;
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
    });
}

const FROM_IRELAND: &str = "
policies:
  gold:
    select: {regions: [eu-west-1], tags: {backup: gold}}
    triggers: [{schedule: rate(12 hours)}]
    replicate: [{region: us-east-1}, {region: eu-central-1}]
";

#[test]
fn a_lost_replica_is_copied_from_another_one_while_its_home_cannot_be_reached() {
    scene::play(async |scene| {
        scene.launch_one(Launch { region: IRELAND, ..Launch::default() }).await;
        scene.policies(FROM_IRELAND).await;
        scene.pass(13 * 60).await;
        let before = scene.available(FRANKFURT).await;
        assert_eq!(before.len(), 1);
        ireland_is_dark(&scene);
        scene.deregister(FRANKFURT, &before[0], true).await;
        scene.pass(4 * 60).await;
        let point = scene.the_point().await;
        let there = scene.available(FRANKFURT).await;
        assert_eq!(there.len(), 1, "it is copied from us-east-1: {point:#?}");
        scene.cloud.with(|model| model.dark_regions.clear());
        scene.pass(3 * 60).await;
        assert_eq!(scene.available(FRANKFURT).await, there, "and not again from its home");
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
    });
}
