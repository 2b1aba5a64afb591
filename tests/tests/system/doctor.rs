//! `afterimage doctor` on the deployed system: a healthy one has only lines that are ok. Where one
//! thing is spoilt, the line about it says so, and all others stay as they are.

use std::time::{Duration, SystemTime};

use afterimage::doctor::{self, Level, Line};
use afterimage::stack::Stack;
use afterimage::system::REGION_TEMPLATE;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::trace::{Entry, What};
use afterimage_core::ids::Region;
use aws_sdk_dynamodb::types as dynamodb;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use serde_json::json;

use crate::scene::{self, FUNCTIONS, HOME, IRELAND, Scene, Stage};

/// Machines at a quarter past midnight, into two regions, into one of them under a key.
const POLICY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    replicate: [{region: eu-west-1, kms_key: alias/dr}, {region: eu-central-1}]
";

/// The partition of heartbeats and of the answer to a test event. Only these scenarios read it.
pub const HEARTBEATS: &str = "functions";

/// The item with the number of the ledger's format.
pub const FORMAT: &str = "format";

/// Tells whether a call writes what a function writes when it begins, and at every hour: its
/// heartbeat and the number of the format; or the answer to a test event.
pub fn is_heartbeat(call: &Entry) -> bool {
    let item = &call.detail["Item"];
    call.action == "PutItem" && (item["pk"]["S"] == HEARTBEATS || item["sk"]["S"] == FORMAT)
}

impl Scene {
    async fn doctor(&self) -> Vec<Line> {
        self.doctor_of(&self.system.table).await
    }

    pub async fn doctor_of(&self, table: &str) -> Vec<Line> {
        let region = Region::parse(HOME).expect("a region");
        let config = self.cloud.sdk_config(HOME);
        doctor::look(&Stack { table: table.to_string(), region, config }, true).await
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME))
    }

    fn events(&self, region: &str) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.cloud.sdk_config(region))
    }

    /// The rules of a bus whose names contain a text.
    async fn rules_of(&self, region: &str, bus: &str, part: &str) -> Vec<String> {
        let rules = self.events(region).list_rules().event_bus_name(bus).send().await;
        let rules = rules.expect("rules are listed");
        let names = rules.rules().iter().filter_map(|rule| rule.name());
        let names = names.filter(|name| name.contains(part)).map(str::to_string);
        let names: Vec<String> = names.collect();
        assert!(!names.is_empty(), "no rule has {part} in its name");
        names
    }

    async fn disable_rules(&self, region: &str, bus: &str, part: &str) {
        for name in self.rules_of(region, bus, part).await {
            let disabled = self.events(region).disable_rule().event_bus_name(bus).name(name);
            disabled.send().await.expect("a rule is disabled");
        }
    }

    /// Writes the heartbeat of a function.
    async fn forge_heartbeat(&self, function: &str, version: &str, at: &str) {
        self.forge_heartbeat_of(function, version, at, None).await;
    }

    /// Writes the heartbeat of a function that was deployed with a template of some version.
    async fn forge_heartbeat_of(
        &self,
        function: &str,
        version: &str,
        at: &str,
        template: Option<&str>,
    ) {
        let function = format!("afterimage-{function}");
        let attributes = [
            ("pk", "functions"),
            ("sk", &format!("function#{function}")),
            ("function", &function),
            ("version", version),
            ("bus", &self.system.bus),
            ("at", at),
        ];
        let mut call = self.dynamodb().put_item().table_name(&self.system.table);
        for (name, value) in attributes.into_iter().chain(template.map(|it| ("template", it))) {
            call = call.item(name, AttributeValue::S(value.to_string()));
        }
        call.send().await.expect("an item is written");
    }

    /// Puts an event on our bus as anybody of the account can who may put events.
    async fn forge_work(&self, detail: &serde_json::Value) {
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
            .event_bus_name(&self.system.bus)
            .source("afterimage")
            .detail_type("Work Requested")
            .detail(detail.to_string());
        let call = self.events(HOME).put_events().entries(entry.build());
        call.send().await.expect("events are taken");
    }
}

/// The lines that are not ok.
fn wrong(lines: &[Line]) -> Vec<(&'static str, Level)> {
    let wrong = lines.iter().filter(|line| line.level != Level::Ok);
    wrong.map(|line| (line.check, line.level)).collect()
}

/// A world in which a machine is protected since two hours, and a key that copies are under.
fn healthy(scenario: impl AsyncFnOnce(&Scene, &str)) {
    let mut stage = Stage::default();
    stage.options.regions.push("us-west-2".to_string());
    scene::play_on(stage, async |scene| {
        let key = scene.make_key();
        scene.machine(0).await;
        scene.policies(POLICY).await;
        scene.pass(130).await;
        scene.assert_protected_once(1).await;
        scenario(&scene, &key).await;
    });
}

/// Spoils one thing of a healthy world. Exactly these lines change, and each says what to do.
fn check(expected: &[(&'static str, Level)], spoil: impl AsyncFnOnce(&Scene, &str)) {
    healthy(async |scene, key| {
        let before = scene.doctor().await;
        assert_eq!(wrong(&before), [], "{before:#?}");
        spoil(scene, key).await;
        let after = scene.doctor().await;
        assert_eq!(wrong(&after), expected, "{after:#?}");
        let names = |check: &str| expected.iter().any(|(name, _)| *name == check);
        // Only a test event that comes back tells the time.
        let is_expected =
            |line: &&Line| names(line.check) || (line.check == "clock" && names("bus"));
        let others = |lines: &[Line]| -> Vec<&'static str> {
            lines.iter().filter(|line| !is_expected(line)).map(|line| line.check).collect()
        };
        assert_eq!(others(&after), others(&before), "a line is missing");
        let told = after.iter().filter(|line| names(line.check));
        assert!(told.clone().all(|line| line.to_do.is_some()), "{after:#?}");
        told.for_each(|line| println!("{}: {}\n  {:?}", line.check, line.found, line.to_do));
    });
}

/// Lets a function fail, because its role may not read the ledger.
fn failing(function: &str) -> Rule {
    let rule = Rule::fail(When::Before, 400, "AccessDeniedException").service("dynamodb");
    rule.action("Query").principal(&format!("*{function}*"))
}

#[test]
fn a_tick_that_fails_leaves_a_slot_overdue() {
    check(&[("schedules", Level::Fail)], async |scene, _| {
        scene.pass(22 * 60).await;
        scene.fault(failing("BackupTick"));
        scene.pass(20).await;
    });
}

#[test]
fn a_sweep_that_fails_leaves_the_audit_too_old() {
    check(&[("audit", Level::Warn)], async |scene, _| {
        scene.fault(failing("ReconcileTick"));
        scene.pass(95).await;
    });
    check(&[("audit", Level::Fail)], async |scene, _| {
        scene.fault(failing("ReconcileTick"));
        scene.pass(185).await;
    });
}

#[test]
fn a_ledger_that_was_put_back_is_told_by_its_witness() {
    check(&[("identity", Level::Fail)], async |scene, _| {
        let key = [("pk", "policies"), ("sk", "identity#us-east-1")];
        let mut call = scene.dynamodb().delete_item().table_name(&scene.system.table);
        for (name, value) in key {
            call = call.key(name, AttributeValue::S(value.to_string()));
        }
        call.send().await.expect("the count is deleted");
    });
}

#[test]
fn a_witness_that_is_not_there_is_told() {
    check(&[("identity", Level::Warn)], async |scene, _| {
        let witness = format!("{}-witness", scene.system.table);
        scene.dynamodb().delete_table().table_name(witness).send().await.expect("it is deleted");
    });
}

#[test]
fn a_policy_that_cannot_be_read_is_told() {
    check(&[("policies", Level::Fail)], async |scene, _| {
        let text = |text: &str| AttributeValue::S(text.to_string());
        let call = scene.dynamodb().put_item().table_name(&scene.system.table);
        let call = call.item("pk", text("policies")).item("sk", text("policy#silver"));
        call.item("policy", text("nothing")).send().await.expect("an item is put");
    });
}

#[test]
fn a_region_that_the_account_may_not_use_is_told_with_its_policy() {
    check(&[("regions", Level::Fail)], async |scene, _| {
        scene.policies(&POLICY.replace("eu-central-1", "nz-west-1")).await;
    });
}

#[test]
fn copies_that_stay_in_one_part_of_the_world_are_told() {
    for replicas in ["", "    replicate: [{region: us-west-2}]\n"] {
        check(&[("replicas", Level::Warn)], async |scene, _| {
            let (begin, _) = POLICY.split_once("gold:\n").expect("it has a policy");
            let select = "    select: {regions: [us-east-1], tags: {backup: gold}}\n";
            let silver = format!("{begin}silver:\n{select}    triggers: [{{on: tag}}]\n{replicas}");
            scene.policies(&silver).await;
        });
    }
}

#[test]
fn a_key_that_copies_cannot_be_made_under_is_told() {
    check(&[("keys", Level::Fail)], async |scene, key| scene.disable(IRELAND, key).await);
    check(&[("keys", Level::Fail)], async |scene, key| {
        let deleted = scene.kms(IRELAND).schedule_key_deletion().key_id(key).send().await;
        deleted.expect("the key is to be deleted");
    });
    check(&[("keys", Level::Fail)], async |scene, _| {
        let deleted = scene.kms(IRELAND).delete_alias().alias_name("alias/dr").send().await;
        deleted.expect("the alias is deleted");
    });
    check(&[("keys", Level::Fail)], async |scene, _| {
        let foreign = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        scene.policies(&POLICY.replace("alias/dr", &format!("'{foreign}'"))).await;
    });
}

#[test]
fn a_finding_that_is_open_is_told() {
    check(&[("findings", Level::Warn)], async |scene, _| {
        scene.policies(&POLICY.replace("gold", "silver")).await;
        scene.pass(80).await;
    });
}

#[test]
fn what_may_not_be_looked_at_is_a_line_and_ends_no_other() {
    let denied = || Rule::fail(When::Before, 400, "AccessDeniedException");
    // Without the account, the rules cannot be asked for by their targets.
    let without_account = ["table", "rules", "forwarding"].map(|check| (check, Level::Warn));
    check(&without_account, async |scene, _| scene.fault(denied().action("DescribeTable")));
    check(&[("keys", Level::Warn)], async |scene, _| scene.fault(denied().action("DescribeKey")));
    check(&[("regions", Level::Warn)], async |scene, _| {
        let denied = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        scene.fault(denied.action("DescribeRegions"));
    });
}

#[test]
fn nothing_is_known_without_the_ledger() {
    healthy(async |scene, _| {
        let lines = scene.doctor_of("nothing").await;
        assert_eq!(wrong(&lines), [("table", Level::Fail)], "{lines:#?}");
        assert!(lines.iter().all(|line| !line.not_made), "{lines:#?}");
        scene.fault(Rule::fail(When::Before, 400, "AccessDeniedException").action("Query"));
        let lines = scene.doctor().await;
        assert_eq!(wrong(&lines), [("table", Level::Fail)], "{lines:#?}");
        assert!(lines.last().is_some_and(|line| line.not_made), "{lines:#?}");
    });
}

#[test]
fn a_table_without_its_indexes_is_told() {
    healthy(async |scene, _| {
        let name = |name, of| {
            let key = dynamodb::KeySchemaElement::builder().attribute_name(name).key_type(of);
            key.build().expect("it is whole")
        };
        let attribute = |name| {
            let text = dynamodb::ScalarAttributeType::S;
            let attribute = dynamodb::AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(text).build().expect("it is whole")
        };
        let table = scene.dynamodb().create_table().table_name("bare");
        let table = table.attribute_definitions(attribute("pk"));
        let table = table.attribute_definitions(attribute("sk"));
        let table = table.key_schema(name("pk", dynamodb::KeyType::Hash));
        let table = table.key_schema(name("sk", dynamodb::KeyType::Range));
        let table = table.billing_mode(dynamodb::BillingMode::PayPerRequest).send().await;
        table.expect("a table is made");
        scene.pass(1).await;
        let lines = scene.doctor_of("bare").await;
        assert_eq!((lines[0].check, lines[0].level), ("table", Level::Fail), "{lines:#?}");
        assert!(lines[0].found.ends_with("due (missing), fleet (missing), places (missing)"));
    });
}

/// A time of the last hour of the healthy world.
const OF_LATE: &str = "2026-01-01T02:05:00Z";

#[test]
fn functions_of_another_version_are_told() {
    check(&[("functions", Level::Warn)], async |scene, _| {
        for function in FUNCTIONS {
            scene.forge_heartbeat(function, "0.0.1", OF_LATE).await;
        }
        let lines = scene.doctor().await;
        let told = lines.iter().find(|line| line.check == "functions").expect("there is one");
        assert!(FUNCTIONS.iter().all(|name| told.found.contains(name)), "{told:#?}");
    });
}

#[test]
fn a_tick_that_is_not_heard_of_is_told() {
    check(&[("functions", Level::Fail)], async |scene, _| {
        let version = env!("CARGO_PKG_VERSION");
        scene.forge_heartbeat("reconcile-tick", version, "2025-12-31T23:30:00Z").await;
    });
    check(&[("functions", Level::Warn)], async |scene, _| {
        let text = |text: &str| AttributeValue::S(text.to_string());
        let call = scene.dynamodb().delete_item().table_name(&scene.system.table);
        let call = call.key("pk", text("functions"));
        let call = call.key("sk", text("function#afterimage-backup-tick"));
        call.send().await.expect("an item is deleted");
    });
}

#[test]
fn a_rule_that_is_disabled_is_told_and_so_is_a_test_event_that_does_not_come_back() {
    check(&[("rules", Level::Fail)], async |scene, _| {
        scene.disable_rules(HOME, "default", "SnapshotsCompleted").await;
    });
    check(&[("rules", Level::Fail), ("bus", Level::Fail)], async |scene, _| {
        scene.disable_rules(HOME, &scene.system.bus, "WorkRequested").await;
    });
    check(&[("bus", Level::Fail)], async |scene, _| {
        let refused = Rule::fail(When::Before, 400, "AccessDeniedException").action("PutItem");
        scene.fault(refused.principal("*WorkRequested*"));
    });
}

#[test]
fn a_rule_with_another_pattern_is_told() {
    check(&[("rules", Level::Fail)], async |scene, _| {
        for name in scene.rules_of(HOME, "default", "ImageStateChanged").await {
            let pattern = json!({"source": ["aws.ec2"], "detail-type": ["EC2 Spot Interruption"]});
            let put = scene.events(HOME).put_rule().event_bus_name("default").name(name);
            put.event_pattern(pattern.to_string()).send().await.expect("a rule is changed");
        }
    });
}

#[test]
fn a_bus_that_was_deleted_is_told() {
    check(&[("rules", Level::Fail), ("bus", Level::Fail)], async |scene, _| {
        let (events, bus) = (scene.events(HOME), &scene.system.bus);
        for rule in scene.rules_of(HOME, bus, "").await {
            let targets = events.list_targets_by_rule().event_bus_name(bus).rule(&rule);
            let targets = targets.send().await.expect("targets are listed").targets.into_iter();
            let ids = targets.flatten().map(|target| target.id).collect();
            let removed = events.remove_targets().event_bus_name(bus).rule(&rule);
            removed.set_ids(Some(ids)).send().await.expect("targets are removed");
            let deleted = events.delete_rule().event_bus_name(bus).name(rule);
            deleted.send().await.expect("a rule is deleted");
        }
        events.delete_event_bus().name(bus).send().await.expect("the bus is deleted");
        let lines = scene.doctor().await;
        let line = lines.iter().find(|line| line.check == "rules").expect("a line of the rules");
        assert!(line.found.contains("there is no bus"), "{line:#?}");
    });
}

#[test]
fn a_region_in_trouble_is_not_taken_for_one_that_refuses() {
    check(&[("forwarding", Level::Warn)], async |scene, _| {
        let fails = Rule::fail(When::Before, 503, "ServiceUnavailable").service("events");
        scene.fault(fails.region(IRELAND));
        let lines = scene.doctor().await;
        let line = lines.iter().find(|line| line.check == "forwarding").expect("a line");
        let to_do = line.to_do.as_deref().unwrap_or_default();
        assert!(to_do.contains("Health") && !to_do.contains("credentials"), "{line:#?}");
    });
}

#[test]
fn a_region_that_does_not_forward_its_events_is_told() {
    check(&[("forwarding", Level::Fail)], async |scene, _| {
        scene.disable_rules(IRELAND, "default", "InstanceTagged").await;
    });
    check(&[("forwarding", Level::Fail)], async |scene, _| {
        scene.policies(&POLICY.replace("eu-central-1", "eu-west-2")).await;
    });
}

#[test]
fn a_stack_of_another_version_in_a_region_is_told() {
    for (description, version) in [
        (Some("Forwards stops of machines to the seat. Afterimage 0.0.9"), "0.0.9"),
        (Some("by hand"), "unknown"),
    ] {
        check(&[("forwarding", Level::Warn)], async |scene, _| {
            let name = scene.rules_of(IRELAND, "default", "InstanceStateChanged").await.remove(0);
            let rule = scene.events(IRELAND).describe_rule().name(&name).send().await;
            let rule = rule.expect("it is there");
            let call = scene.events(IRELAND).put_rule().name(name);
            let call = call.set_event_pattern(rule.event_pattern().map(str::to_string));
            call.set_description(description.map(str::to_string)).send().await.expect("it is put");
            let lines = scene.doctor().await;
            let line = lines.iter().find(|line| line.check == "forwarding").expect("a line");
            let own = env!("CARGO_PKG_VERSION");
            assert_eq!(
                line.found,
                format!(
                    "the stack in eu-west-1 is of version {version}, and this command of {own}"
                )
            );
        });
    }
}

#[test]
fn a_template_of_another_version_than_its_functions_is_told() {
    check(&[("functions", Level::Warn)], async |scene, _| {
        let version = env!("CARGO_PKG_VERSION");
        scene.forge_heartbeat_of("backup-tick", version, OF_LATE, Some("0.0.9")).await;
        let lines = scene.doctor().await;
        let told = lines.iter().find(|line| line.check == "functions").expect("there is one");
        let of = format!(
            "afterimage-backup-tick is of version {version}, and its template of version 0.0.9"
        );
        assert_eq!(told.found, of);
    });
}

#[test]
fn what_is_to_do_about_such_a_region_names_the_parameters_of_its_template() {
    healthy(async |scene, _| {
        scene.policies(&POLICY.replace("eu-central-1", "eu-west-2")).await;
        let lines = scene.doctor().await;
        let line = lines.iter().find(|line| line.check == "forwarding").expect("a line");
        let to_do = line.to_do.as_deref().unwrap_or_default();
        let named = to_do.split([' ', ';']).filter_map(|word| word.split_once('='));
        let named: Vec<(&str, &str)> = named.collect();
        assert_eq!(named, [("SeatRegion", HOME), ("BusName", &scene.system.bus)], "{to_do}");
        for (name, _) in named {
            assert!(REGION_TEMPLATE.contains(&format!("\n  {name}:\n")), "{name}");
        }
    });
}

#[test]
fn rules_and_the_bus_that_may_not_be_looked_at_are_told() {
    let denied = || Rule::fail(When::Before, 400, "AccessDeniedException");
    let each = ("forwarding", Level::Warn);
    check(&[("rules", Level::Warn), each, each], async |scene, _| {
        scene.fault(denied().action("ListRuleNamesByTarget"));
    });
    check(&[("bus", Level::Warn)], async |scene, _| scene.fault(denied().action("PutEvents")));
}

/// Test events that anybody sends cost a write each and nothing else, whatever their ids.
#[test]
fn test_events_that_are_forged_cost_one_write_each() {
    const FORGED: usize = 50;
    healthy(async |scene, _| {
        let before = scene.cloud.with(|model| model.trace.entries().len());
        for number in 0..FORGED {
            let id = format!("{number}{}", "x".repeat(5_000));
            let detail = json!({"region": HOME, "kind": "snapshot", "hop": 0, "test": id});
            scene.forge_work(&detail).await;
        }
        scene.cloud.advance(Duration::from_secs(30)).await;
        let calls = scene.cloud.with(|model| model.trace.entries()[before..].to_vec());
        let by_worker = calls.iter().filter(|call| call.what == What::Call);
        let by_worker = by_worker.filter(|call| call.principal.contains("WorkRequested"));
        let beats = |call: &&Entry| call.detail["Item"]["sk"]["S"] == "test";
        let (answers, others): (Vec<&Entry>, Vec<&Entry>) = by_worker.partition(|it| beats(it));
        assert_eq!(answers.len(), FORGED);
        // The heartbeats of the environments that were started for so many at once.
        assert!(others.iter().all(|call| is_heartbeat(call)), "{others:#?}");
        let long =
            |call: &&&Entry| call.detail["Item"]["id"]["S"].as_str().map_or(0, str::len) > 64;
        assert_eq!(answers.iter().filter(long).count(), 0);
    });
}

#[test]
fn a_heartbeat_that_cannot_be_written_makes_no_event_fail() {
    scene::play(async |scene| {
        let refused = Rule::fail(When::Before, 400, "AccessDeniedException").action("PutItem");
        scene.fault(refused.principal("*BackupTick*"));
        scene.policies(POLICY).await;
        scene.pass(10).await;
        let ends = scene.ends("backup-tick");
        assert!(ends.len() >= 9 && ends.iter().all(|end| end.outcome == "ok"), "{ends:#?}");
        // The heartbeat and the number of the format.
        assert_eq!(scene.strikes(), [2], "they are not tried again at each tick");
    });
}

#[test]
fn an_idle_hour_costs_one_heartbeat_of_each_tick_and_one_number() {
    const HOURS: usize = 5;
    scene::play(async |scene| {
        scene.policies(POLICY).await;
        // The first events are those that start the environments.
        scene.pass(90).await;
        let before = scene.cloud.with(|model| model.trace.entries().len());
        scene.pass(60 * u64::try_from(HOURS).expect("small")).await;
        let calls = scene.cloud.with(|model| model.trace.entries()[before..].to_vec());
        let beats: Vec<&Entry> = calls.iter().filter(|call| is_heartbeat(call)).collect();
        for tick in ["BackupTick", "ReconcileTick"] {
            let of_tick = beats.iter().filter(|call| call.principal.contains(tick));
            let (heartbeats, numbers): (Vec<&Entry>, Vec<&Entry>) =
                of_tick.copied().partition(|call| call.detail["Item"]["pk"]["S"] == HEARTBEATS);
            let hours = HOURS - 1..=HOURS + 1;
            assert!(hours.contains(&heartbeats.len()), "{tick}: {heartbeats:#?}");
            assert_eq!(numbers.len(), heartbeats.len(), "{tick}");
        }
        assert!(beats.len() <= 4 * (HOURS + 1), "{beats:#?}");
    });
}

/// The clock of a machine that is two minutes ahead.
#[derive(Debug)]
struct Ahead(SharedTimeSource);

impl TimeSource for Ahead {
    fn now(&self) -> SystemTime {
        self.0.now() + Duration::from_secs(120)
    }
}

#[test]
fn a_clock_that_is_off_is_told() {
    healthy(async |scene, _| {
        let region = Region::parse(HOME).expect("a region");
        let config = scene.cloud.sdk_config(HOME);
        let clock = SharedTimeSource::new(Ahead(config.time_source().expect("it has a clock")));
        let config = config.into_builder().time_source(clock).build();
        let table = scene.system.table.clone();
        let lines = doctor::look(&Stack { table, region, config }, true).await;
        assert_eq!(wrong(&lines), [("clock", Level::Warn)], "{lines:#?}");
        let told = lines.iter().find(|line| line.check == "clock").expect("there is one");
        assert!(told.found.starts_with("the clock of this machine is off by "), "{told:#?}");
    });
}
