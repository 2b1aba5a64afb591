//! The number of the ledger's format: an earlier version that is deployed again refuses a ledger
//! that a newer one has written. And the ledger of this version, which later versions have to read:
//! `AFTERIMAGE_WRITE_LEDGER=1 cargo test --test system format::the_ledger_for_later` writes it to
//! `tests/data/ledger-1.json`, with an item of every kind. `cli/tests/commands/format.rs` reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use afterimage::doctor;
use afterimage::stack::Stack;
use afterimage::system::{Options, REGION_TEMPLATE, TEMPLATE};
use afterimage_cloud::Time;
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::ids::Region;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

use crate::bad_events::Log;
use crate::doctor::FORMAT;
use crate::scene::{self, FRANKFURT, FUNCTIONS, HOME, IRELAND, Launch, Scene, Stage};
use crate::went_back::Row;

/// Points after a stop and after a request by tag.
const EVENTS: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}, {on: tag}, {schedule: rate(10 minutes)}]
";

impl Scene {
    /// Writes a number of the format, as another version does.
    async fn forge_format(&self, number: u32) {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let text = |text: &str| AttributeValue::S(text.to_string());
        let call = client.put_item().table_name(&self.system.table);
        let call = call.item("pk", text("policies")).item("sk", text(FORMAT));
        let call = call.item("number", AttributeValue::N(number.to_string()));
        call.send().await.expect("an item is written");
    }

    /// The number in the ledger.
    async fn number(&self) -> Option<String> {
        let rows = self.save().await;
        let row = rows.into_iter().find(|row| row["sk"].as_s().is_ok_and(|sk| sk == FORMAT))?;
        row.get("number")?.as_n().ok().cloned()
    }
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_by_every_function_and_nothing_is_written() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(EVENTS).await;
        scene.forge_format(2).await;
        let before = scene.ledger().await;
        scene.ask(HOME, &machine, "gold").await;
        scene.stop(&machine).await;
        for name in FUNCTIONS.into_iter().filter(|name| !name.ends_with("-tick")) {
            let arn =
                format!("arn:aws:lambda:{HOME}:{}:function:afterimage-{name}", scene::ACCOUNT);
            let event = scene::sample(name);
            let queued =
                scene.cloud.with(|model| afterimage_cloud::lambda::enqueue(model, &arn, event));
            queued.unwrap_or_else(|why| panic!("{name}: {why:?}"));
        }
        scene.pass(70).await;
        assert_eq!(scene.ledger().await, before, "something was written");
        assert_eq!(scene.number().await.as_deref(), Some("2"));
        for function in FUNCTIONS {
            let ends = scene.ends(function);
            let late = ends.iter().rev().take(2);
            assert!(late.clone().count() > 0, "{function} had no event");
            assert!(late.clone().all(|end| end.outcome != "ok"), "{function}: {ends:#?}");
        }
        let line = "ledger-format-newer: the ledger (afterimage) has format 2, and this version \
                    knows formats up to 1";
        let told = scene.failures();
        assert!(told.iter().all(|told| told.contains(line)), "{told:#?}");

        // The version that knows the format is deployed again.
        scene.forge_format(1).await;
        scene.pass(30).await;
        assert!(!scene.points().await.is_empty(), "it goes on");
    });
}

#[test]
fn a_ledger_without_a_number_or_with_a_lower_one_is_read_and_gets_ours() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.pass(5).await;
        assert_eq!(scene.number().await.as_deref(), Some("1"), "a function has written it");
        scene.forge_format(0).await;
        scene.policies(EVENTS).await;
        scene.pass(70).await;
        assert!(!scene.points().await.is_empty());
        assert_eq!(scene.number().await.as_deref(), Some("1"));
    });
}

/// The ledger of this version, for later ones.
fn ledger_file() -> PathBuf {
    let file = format!("ledger-{}.json", afterimage::FORMAT);
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file)
}

#[test]
fn template_changelog_and_version_belong_together() {
    let version = env!("CARGO_PKG_VERSION");
    let format = afterimage::FORMAT;
    let output = format!(
        "  LedgerFormat:\n    Description: Number of the format of the ledger.\n    Value: \
         \"{format}\"\n"
    );
    assert!(TEMPLATE.contains(&output), "{output}");
    for template in [TEMPLATE, REGION_TEMPLATE] {
        let (_, outputs) = template.split_once("\nOutputs:\n").expect("it has some");
        let (_, of_version) = outputs.split_once("  Version:\n").expect("it is among them");
        assert_eq!(of_version.lines().nth(1), Some(&*format!("    Value: {version}")));
    }
    assert!(TEMPLATE.contains(&format!("\n        AFTERIMAGE_TEMPLATE: {version}\n")));
    let descriptions = REGION_TEMPLATE.matches("      Description: Forwards ").count();
    let versions =
        REGION_TEMPLATE.matches(&format!(" to the seat. Afterimage {version}\n")).count();
    assert_eq!((descriptions, versions), (4, 4));
    let changes = include_str!("../../../docs/CHANGELOG.md");
    let heading = changes.lines().find(|line| line.starts_with("## ")).expect("it has a heading");
    let expected = format!("## {version}, not released yet; ledger format {format}");
    assert_eq!(heading, expected);
    let path = ledger_file();
    assert!(path.exists(), "{}", path.display());
}

/// The policies of the ledger for later versions.
const POLICIES: &str = "
policies:
  nightly:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
  asked:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}, {on: stopped}]
    replicate: [{region: eu-west-1}]
  still:
    select: {regions: [us-east-1], tags: {backup: still}}
    triggers: [{schedule: cron(0 3 * * ? *), timezone: UTC}]
    consistency: stop-start
    stop_start: {at_once: 1, timeout: 30m}
";

/// Every kind of item, by the beginnings of its keys and, for replicas and downtimes, what follows.
const KINDS: [&str; 21] = [
    "claim#/claim",
    "findings/finding#",
    "functions/function#",
    "functions/test",
    "hints#/stopped#",
    "hints#/tagged#",
    "lease#/lease",
    "lease#/obstacles",
    "machine#/asked#",
    "machine#/machine",
    "machine#/point#",
    "machine#/point#downtime",
    "machine#/point#replica",
    "policies/brake#",
    "policies/cursor#",
    "policies/format",
    "policies/identity#",
    "policies/looked",
    "policies/policy#",
    "policies/region#",
    "policies/roster",
];

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row[name].as_s().expect("a text")
}

fn kind(row: &Row) -> String {
    let begin = |text: &str| text.split_inclusive('#').next().unwrap_or_default().to_string();
    let sk = text(row, "sk");
    let more = match sk {
        sk if sk.contains("#replica#") => "replica",
        sk if sk.ends_with("#downtime") => "downtime",
        _ => "",
    };
    format!("{}/{}{more}", begin(text(row, "pk")), begin(sk))
}

/// The items that live for seconds, as they were seen last: a worker that dies leaves them.
#[derive(Default)]
struct ShortLived(BTreeMap<String, Row>);

impl ShortLived {
    async fn watch(&mut self, scene: &Scene, seconds: u64) {
        for _ in 0..seconds {
            scene.cloud.advance(Duration::from_secs(1)).await;
            for row in scene.save().await {
                let kind = kind(&row);
                if ["claim#", "hints#", "lease#"].iter().any(|begin| kind.starts_with(begin)) {
                    self.0.insert(kind, row);
                }
            }
        }
    }
}

/// A value of DynamoDB in the form of its own JSON.
fn typed(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(value) => json!({ "BOOL": value }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(typed).collect::<Vec<_>>() }),
        AttributeValue::M(members) => json!({ "M": typed_item(members) }),
        other => panic!("{other:?} is never written"),
    }
}

fn typed_item(row: &Row) -> Value {
    let sorted: BTreeMap<&String, &AttributeValue> = row.iter().collect();
    let members = sorted.into_iter().map(|(name, value)| (name.clone(), typed(value)));
    Value::Object(members.collect::<Map<String, Value>>())
}

/// One machine is protected at night and twice by a request: the second copy is held up, because
/// EC2 refuses it. The copy of the night in Ireland was deleted since, and cannot be made again for
/// the same reason. The other machine is down for its image at 03:00.
async fn history(scene: &Scene) -> (ShortLived, BTreeMap<&'static str, String>) {
    let mut short_lived = ShortLived::default();
    let web = scene.machine(1).await;
    let still = scene.launch_one(Launch::default()).await;
    let tags = scene.ec2(HOME).create_tags().resources(&still);
    tags.tags(scene::tag("backup", "still")).send().await.expect("it is tagged");
    scene.policies(POLICIES).await;
    scene.pass(60).await;
    // The first worker dies, and leaves its lease.
    scene.fault(Rule::kill(When::Before).action("CreateSnapshots").times(1));
    scene.ask(HOME, &web, "asked").await;
    short_lived.watch(scene, 60).await;
    scene.pass(40).await;
    let refused = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("CopyImage");
    scene.fault(refused);
    let nightly = |image: &scene::Image| image.tags["afterimage:policy"] == "nightly";
    let lost = scene.available(IRELAND).await.into_iter().find(nightly).expect("it was copied");
    scene.deregister(IRELAND, &lost, true).await;
    scene.pass(10).await;
    scene.ask(HOME, &web, "asked").await;
    scene.pass(45).await;
    let region = Region::parse(HOME).expect("a region");
    let stack =
        Stack { table: scene.system.table.clone(), region, config: scene.cloud.sdk_config(HOME) };
    doctor::look(&stack, true).await;
    let is_down = async |scene: &Scene| scene.powered().0 > 0;
    scene.pass_until(Duration::from_secs(1), Duration::from_secs(3600), is_down).await;
    // Of this stop there is only the hint.
    scene.fault(Rule::kill(When::Before).function("afterimage-work-requested"));
    let stopped = scene.ec2(HOME).stop_instances().instance_ids(&web).send().await;
    stopped.expect("it stops");
    short_lived.watch(scene, 60).await;
    (short_lived, BTreeMap::from([("web", web), ("still", still)]))
}

#[test]
fn the_ledger_for_later_versions_has_an_item_of_every_kind() {
    let options = Options::default().allowing_stop_start();
    let ledger = scene::play_on(Stage { options, ..Stage::default() }, async |scene| {
        let (short_lived, machines) = history(&scene).await;
        let mut rows = scene.save().await;
        let there: BTreeSet<String> = rows.iter().map(kind).collect();
        let missing = short_lived.0.into_iter().filter(|(kind, _)| !there.contains(kind));
        rows.extend(missing.map(|(_, row)| row));
        let kinds: BTreeSet<String> = rows.iter().map(kind).collect();
        assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), KINDS);
        rows.sort_by_key(|row| (text(row, "pk").to_string(), text(row, "sk").to_string()));
        assert_eq!(scene.available(FRANKFURT).await.len(), 1);
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "after_seconds": scene.cloud.now().since(Time::START).as_secs(),
            "machines": machines,
            "items": rows.iter().map(typed_item).collect::<Vec<_>>(),
        })
    });
    #[expect(clippy::disallowed_methods, reason = "a person asks for the file")]
    let is_asked_for = std::env::var_os("AFTERIMAGE_WRITE_LEDGER").is_some();
    if is_asked_for {
        let text = serde_json::to_string_pretty(&ledger).expect("it is JSON");
        std::fs::write(ledger_file(), text + "\n").expect("it can be written");
    }
}

/// The value that is written in DynamoDB's own JSON.
fn value(typed: &Value) -> AttributeValue {
    let (name, value) = typed.as_object().and_then(|it| it.iter().next()).expect("it has a type");
    let text = || value.as_str().expect("a text").to_string();
    match name.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "BOOL" => AttributeValue::Bool(value.as_bool().expect("true or false")),
        "L" => {
            AttributeValue::L(value.as_array().expect("a list").iter().map(self::value).collect())
        }
        "M" => AttributeValue::M(row(value)),
        other => panic!("{other} is never written"),
    }
}

fn row(typed: &Value) -> Row {
    let members = typed.as_object().expect("an item").iter();
    members.map(|(name, typed)| (name.clone(), value(typed))).collect()
}

/// In a world that has nothing of what the ledger of [`history`] names, everything that it calls
/// good is lost: of the night the image and the copy in Frankfurt, of the first request the image
/// and the copy in Ireland, of the second the image. The other copy of the night was lost before.
#[test]
fn the_functions_read_the_ledger_of_format_1() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/ledger-1.json");
    let text = std::fs::read_to_string(path).expect("the file is there");
    let ledger: Value = serde_json::from_str(&text).expect("it is JSON");
    let rows: Vec<Row> = ledger["items"].as_array().expect("a list").iter().map(row).collect();
    let kinds: BTreeSet<String> = rows.iter().map(kind).collect();
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), KINDS);
    let (log, _told) = Log::begin();
    let options = Options::default().allowing_stop_start();
    scene::play_on(Stage { options, ..Stage::default() }, async |scene| {
        let after = ledger["after_seconds"].as_u64().expect("a number");
        scene.cloud.advance(Duration::from_secs(after)).await;
        let told_before = |item: &scene::Item| item["reason"].contains("\"lost\"");
        scene.put_back(&rows).await;
        assert_eq!(scene.open_findings().await.iter().filter(|it| told_before(it)).count(), 1);
        log.take();
        scene.pass(100).await;
        let lines = log.take();
        let unreadable = lines.iter().filter(|line| {
            line["code"] == "ledger-item-unreadable" || line["code"] == "policy-unreadable"
        });
        assert_eq!(unreadable.count(), 0, "{lines:#?}");
        assert_eq!(scene.failures(), BTreeSet::new());
        let lost = scene.findings_of("lost").await;
        let mut regions: Vec<&str> = lost.iter().map(|found| found["region"].as_str()).collect();
        regions.sort_unstable();
        assert_eq!(regions, [FRANKFURT, IRELAND, IRELAND, HOME, HOME, HOME], "{lost:#?}");
        assert_eq!(scene.number().await.as_deref(), Some("1"));
    });
}
