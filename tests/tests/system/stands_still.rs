//! Work at which nobody is: a person is told of it once, and it goes on by itself. Work that waits
//! or takes long is not told of.

use std::time::Duration;

use afterimage::system::Options;
use afterimage_cloud::faults::{Rule, When};

use crate::scene::{self, HOME, IRELAND, Item, Launch, STOP_START, Scene, Stage, codes};

const AN_HOUR: u64 = 60;

/// Four times a day, into one region.
const SIX_HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(0 0/6 * * ? *), timezone: UTC}]
    replicate: [{region: eu-west-1}]
";

impl Scene {
    async fn told_still(&self) -> Vec<Item> {
        let mut findings = self.findings().await;
        findings.retain(|finding| codes(finding, "reason") == ["work-stands-still"]);
        findings
    }

    async fn open_still(&self) -> Vec<Item> {
        let mut findings = self.told_still().await;
        findings.retain(|finding| !finding.contains_key("resolved_at"));
        findings
    }
}

/// For thirty hours no worker does anything. Returns the finding that tells of it.
async fn nobody_at_work(scene: &Scene, rule: Rule) -> Item {
    scene.machine(0).await;
    scene.policies(SIX_HOURLY).await;
    scene.pass(7 * AN_HOUR).await;
    let before = scene.available(HOME).await.len();
    assert_eq!(scene.the_point().await["status"], "protected");
    // From a quarter past seven on; the next slot is at noon.
    scene.fault(rule);
    scene.pass(6 * AN_HOUR).await;
    assert_eq!(scene.told_still().await, Vec::<Item>::new(), "it may be over soon");
    scene.pass(2 * AN_HOUR).await;
    let told = scene.open_still().await;
    assert_eq!(told.len(), 1, "{:#?}", scene.open_findings().await);
    assert!(told[0]["sk"].contains(HOME), "{told:#?}");
    assert!(told[0]["reason"].contains("2026-01-01 12:00 UTC"), "{told:#?}");
    scene.pass(22 * AN_HOUR).await;
    assert_eq!(scene.told_still().await, told, "it is told once");
    assert_eq!(scene.available(HOME).await.len(), before, "nothing was made");

    scene.no_more_faults();
    scene.pass(2 * AN_HOUR).await;
    assert_eq!(scene.open_findings().await, Vec::<Item>::new(), "it is over");
    assert!(scene.available(HOME).await.len() > before, "the newest slot was made");
    let (home, ireland) = (scene.available(HOME).await, scene.available(IRELAND).await);
    let points = scene.points().await;
    // Of the copies that waited together only the newest is wanted.
    let replicas = |point: &Item| point.get("replicas").cloned().unwrap_or_default();
    let is_superseded = |point: &&Item| replicas(point).contains("withdrawn");
    let superseded = points.iter().filter(is_superseded).count();
    assert_eq!(home.len(), ireland.len() + superseded, "{points:#?}");
    let newest = points.iter().max_by_key(|point| &point["id"]).expect("there are points");
    assert_eq!(newest["status"], "protected", "{newest:#?}");
    assert!(replicas(newest).contains("available"), "{newest:#?}");
    told[0].clone()
}

#[test]
fn work_whose_workers_cannot_be_woken_is_told_with_the_answer_of_the_bus() {
    scene::play(async |scene| {
        let rule = Rule::fail(When::Before, 403, "AccessDeniedException").action("PutEvents");
        let told = nobody_at_work(&scene, rule).await;
        assert!(told["reason"].contains("AccessDeniedException"), "{told:#?}");
    });
}

#[test]
fn work_whose_workers_may_not_read_is_told_too() {
    scene::play(async |scene| {
        let rule = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        let rule = rule.action("DescribeInstances").principal("*WorkRequested*");
        let told = nobody_at_work(&scene, rule).await;
        assert!(told["reason"].contains("work-requested"), "{told:#?}");
        assert!(!told["reason"].contains("refuses"), "{told:#?}");
    });
}

#[test]
fn slots_that_nobody_requests_are_told_too() {
    scene::play(async |scene| {
        let rule = Rule::fail(When::Before, 400, "AccessDeniedException").service("dynamodb");
        let told = nobody_at_work(&scene, rule.principal("*BackupTick*")).await;
        assert!(told["reason"].contains("backup-tick"), "{told:#?}");
        assert!(!told["reason"].contains("work-requested"), "{told:#?}");
    });
}

#[test]
fn work_that_takes_long_or_waits_for_its_turn_is_not_told_of() {
    let options = Options::default().allowing_stop_start();
    let mut stage = Stage { options, ..Stage::default() };
    // A copy takes nine hours, and the machines of a policy are stopped for three.
    stage.config.pace.copy_base = Duration::from_secs(9 * 3600);
    stage.config.pace.instance_stops = Duration::from_secs(10 * 60);
    scene::play_on(stage, async |scene| {
        let machines = 15;
        scene.launch(Launch { count: 15, ..Launch::default() }).await;
        scene.policies(STOP_START).await;
        for _ in 0..14 {
            scene.pass(AN_HOUR).await;
            assert_eq!(scene.told_still().await, Vec::<Item>::new(), "{}", scene.cloud.now());
        }
        assert_eq!(scene.available(IRELAND).await.len(), machines);
    });
}
