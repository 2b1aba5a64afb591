//! Attacks of those who may put events, who have another account, or who may write the table, and
//! what they cost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_cloud::door::sdk::Caller;
use afterimage_cloud::kernel::access::Identity;
use afterimage_cloud::trace::{Entry, What};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::types as ec2;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use serde_json::json;

use crate::bad_events::Log;
use crate::doctor::is_heartbeat;
use crate::scene::{self, ACCOUNT, FRANKFURT, HOME, IRELAND, NIGHTLY, Scene};

const FOREIGN: &str = "111122223333";
const FOREIGN_KEY: &str = "AKIAFOREIGNACCOUNT00";

/// The most calls of the ledger that a wake for which there is nothing to do may cost.
const LEDGER_CALLS_MAX: usize = 6;

impl Scene {
    /// The configuration of the administrator of another account.
    fn of_another_account(&self, region: &str) -> SdkConfig {
        let identity = Identity::administrator(FOREIGN);
        self.cloud.with(|model| model.principals.declare_key(FOREIGN_KEY, identity));
        let (access_key, region) = (FOREIGN_KEY.to_string(), region.to_string());
        self.cloud.sdk_config_of(&Caller { access_key, region, clock_skew_ms: 0 })
    }

    /// Puts wakes of every kind of work on our bus, in three regions, the last of them one without
    /// anything of ours: ten in a call.
    async fn forge_wakes(&self, number: usize) {
        let client = aws_sdk_eventbridge::Client::new(&self.cloud.sdk_config(HOME));
        let kinds = ["snapshot", "register", "confirm", "copy", "power"];
        let regions = [HOME, IRELAND, "ap-southeast-2"];
        let entry = |n: usize| {
            let detail = json!({
                "region": regions[n % regions.len()],
                "kind": kinds[n / regions.len() % kinds.len()],
                "hop": if n.is_multiple_of(2) { 0 } else { 49 },
            });
            let entry = PutEventsRequestEntry::builder().source("afterimage");
            let entry = entry.detail_type("Work Requested").detail(detail.to_string());
            entry.event_bus_name(&self.system.bus).build()
        };
        let all: Vec<PutEventsRequestEntry> = (0..number).map(entry).collect();
        for ten in all.chunks(10) {
            let put = client.put_events().set_entries(Some(ten.to_vec())).send().await;
            assert_eq!(put.expect("they are put").failed_entry_count(), 0);
        }
    }

    fn calls_of_worker(&self) -> Vec<Entry> {
        let is_of = |call: &Entry| call.principal.contains("WorkRequested") && !is_heartbeat(call);
        self.calls().into_iter().filter(is_of).collect()
    }

    /// Puts an item into the table as it is.
    async fn forge(&self, pk: &str, sk: &str, rest: &[(&str, AttributeValue)]) {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let mut call = client.put_item().table_name(&self.system.table);
        call = call.item("pk", text(pk)).item("sk", text(sk));
        for (name, value) in rest {
            call = call.item(*name, value.clone());
        }
        call.send().await.expect("an item is put");
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The calls by their actions, and how many there are of each.
fn counted(calls: &[Entry], service: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls.iter().filter(|call| call.service == service) {
        *counts.entry(format!("{} {}", call.action, call.region)).or_default() += 1;
    }
    counts
}

#[test]
fn forged_wakes_by_the_thousand_cost_one_short_invocation_each() {
    const FORGED: usize = 1000;
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.cloud.advance(Duration::from_secs(30)).await;
        let (before, calls) = (scene.ends("work-requested").len(), scene.calls_of_worker().len());
        scene.forge_wakes(FORGED).await;
        scene.cloud.advance(Duration::from_secs(120)).await;
        let ends = scene.ends("work-requested").split_off(before);
        assert_eq!(ends.len(), FORGED, "one for each, and none of their own");
        assert!(ends.iter().all(|end| end.outcome == "ok"));
        let calls = scene.calls_of_worker().split_off(calls);
        assert_eq!(counted(&calls, "ec2"), BTreeMap::new(), "EC2 is not asked");
        assert_eq!(counted(&calls, "events"), BTreeMap::new(), "nobody else is woken");
        let of_ledger = calls.iter().filter(|call| call.service == "dynamodb").count();
        println!("{of_ledger} calls of the ledger");
        assert!(of_ledger <= LEDGER_CALLS_MAX * FORGED, "{of_ledger}");
        let writes = calls.iter().filter(|call| crate::economy::is_write(call));
        assert_eq!(writes.count(), 0);
        assert_eq!(scene.dead_letters(), 0);
    });
}

/// What a night costs with so many forged wakes at the time of the slot.
fn night(forged: usize) -> BTreeMap<String, usize> {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(14).await;
        for _ in 0..10 {
            scene.forge_wakes(forged / 10).await;
            scene.cloud.advance(Duration::from_secs(30)).await;
        }
        scene.pass(45).await;
        scene.assert_protected_once(1).await;
        counted(&scene.calls_of_worker(), "ec2")
    })
}

/// The most that EC2 is asked because of a thousand forged wakes.
const ASKED_MAX: usize = 150;

#[test]
fn forged_wakes_while_there_is_work_make_nothing_twice_and_ask_ec2_within_our_share() {
    let (quiet, forged) = (night(0), night(1000));
    println!("{quiet:#?}\n{forged:#?}");
    let is_read = |action: &str| action.starts_with("Describe") || action.starts_with("Get");
    let of = |all: &BTreeMap<String, usize>, reads: bool| -> BTreeMap<String, usize> {
        let some = all.iter().filter(|(action, _)| is_read(action) == reads);
        some.map(|(action, count)| (action.clone(), *count)).collect()
    };
    assert_eq!(of(&quiet, false), of(&forged, false));
    // The end of each scene has asserted that it keeps to our share.
    let asked: usize = of(&forged, true).values().sum();
    assert!(asked <= ASKED_MAX, "{asked} reads");
}

#[test]
fn another_account_gets_nothing_onto_our_bus_and_reads_nothing_of_our_table() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(5).await;
        let foreign = scene.of_another_account(HOME);
        let events = aws_sdk_eventbridge::Client::new(&foreign);
        let ours = format!("arn:aws:events:{HOME}:{ACCOUNT}:event-bus/{}", scene.system.bus);
        let before: usize = scene::FUNCTIONS.iter().map(|name| scene.ends(name).len()).sum();
        let ticks =
            |scene: &Scene| scene.ends("backup-tick").len() + scene.ends("reconcile-tick").len();
        let ticks_before = ticks(&scene);
        for bus in [ours.as_str(), "default"] {
            for (source, kind) in
                [("afterimage", "Work Requested"), ("aws.ec2", "EC2 AMI State Change")]
            {
                let detail =
                    json!({"region": HOME, "kind": "snapshot", "ImageId": "ami-0123456789abcdef0"});
                let entry = PutEventsRequestEntry::builder().source(source).detail_type(kind);
                let entry = entry.detail(detail.to_string()).event_bus_name(bus).build();
                let put = events.put_events().entries(entry).send().await;
                let is_taken = put.is_ok_and(|put| put.failed_entry_count() == 0);
                assert!(!is_taken || bus == "default" && source == "afterimage", "{bus}, {source}");
            }
        }
        let table = format!("arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/{}", scene.system.table);
        let tables = aws_sdk_dynamodb::Client::new(&foreign);
        assert!(tables.scan().table_name(&table).send().await.is_err(), "it is not theirs");
        let put = tables.put_item().table_name(&table).item("pk", text("policies"));
        assert!(put.item("sk", text("policy#evil")).send().await.is_err(), "it is not theirs");
        scene.cloud.advance(Duration::from_secs(20)).await;
        let after: usize = scene::FUNCTIONS.iter().map(|name| scene.ends(name).len()).sum();
        assert_eq!(after - before, ticks(&scene) - ticks_before, "no function was invoked");
    });
}

/// An image of another account in Ireland, shared with ours, under this name.
async fn foreign_image(scene: &Scene, name: &str) -> String {
    let client = aws_sdk_ec2::Client::new(&scene.of_another_account(IRELAND));
    let public = client.describe_images().owners("amazon").send().await.expect("they are listed");
    let public = public.images()[0].image_id().expect("it has an id");
    let copied = client.copy_image().name(name).source_region(IRELAND).source_image_id(public);
    let image = copied.send().await.expect("it is copied").image_id.expect("it has an id");
    scene.pass(60).await;
    let us = ec2::LaunchPermission::builder().user_id(ACCOUNT).build();
    let shared = ec2::LaunchPermissionModifications::builder().add(us).build();
    let shared = client.modify_image_attribute().image_id(&image).launch_permission(shared);
    shared.send().await.expect("it is shared");
    let shown = scene.ec2(IRELAND).describe_images().image_ids(&image).send().await;
    assert_eq!(shown.expect("it is shown to us").images().len(), 1);
    image
}

#[test]
fn an_image_of_another_account_under_the_name_of_ours_is_nothing_to_us() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(60).await;
        scene.assert_protected_once(1).await;
        let ours = scene.available(IRELAND).await.remove(0);
        let theirs = foreign_image(&scene, &ours.name).await;
        scene.deregister(IRELAND, &ours, true).await;
        scene.pass(150).await;
        let again = scene.available(IRELAND).await;
        assert_eq!(again.len(), 1, "it is copied again: {again:#?}");
        let home = scene.available(HOME).await.remove(0);
        assert_eq!(again[0].source.as_deref(), Some(&*format!("{HOME}/{}", home.id)));
        assert_eq!(scene.the_point().await["status"], "protected");
        assert!(!format!("{:?}", scene.ledger().await).contains(&theirs), "it was adopted");
    });
}

#[test]
fn a_replica_that_a_hand_has_put_in_the_place_of_ours_is_lost_and_made_again() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(60).await;
        let ours = scene.available(IRELAND).await.remove(0);
        let theirs = foreign_image(&scene, "golden").await;
        let client = aws_sdk_dynamodb::Client::new(&scene.cloud.sdk_config(HOME));
        let is_replica = |item: &scene::Item| item["sk"].ends_with("#replica#eu-west-1");
        let item = scene.ledger().await.into_iter().find(is_replica).expect("there is one");
        let call = client.update_item().table_name(&scene.system.table);
        let call = call.key("pk", text(&item["pk"])).key("sk", text(&item["sk"]));
        let call =
            call.update_expression("SET #image = :theirs, #artefact = :theirs, #holds = :all");
        let call = call.expression_attribute_names("#image", "image");
        let call = call.expression_attribute_names("#artefact", "artefact");
        let call = call.expression_attribute_names("#holds", "holds");
        let all = AttributeValue::L(vec![text(&theirs)]);
        let call = call.expression_attribute_values(":all", all);
        call.expression_attribute_values(":theirs", text(&theirs))
            .send()
            .await
            .expect("it is written");
        scene.pass(240).await;
        let replica = scene.ledger().await.into_iter().find(is_replica).expect("there is one");
        println!("{replica:#?}");
        assert_ne!(replica.get("image"), Some(&theirs), "{replica:#?}");
        assert!(scene.available(IRELAND).await.iter().any(|image| image.id == ours.id));
        let uses = scene
            .calls()
            .into_iter()
            .filter(|call| call.action == "CopyImage" && call.detail.to_string().contains(&theirs));
        assert_eq!(uses.count(), 0, "it is the source of nothing");
    });
}

#[test]
fn a_key_of_another_account_in_a_policy_encrypts_nothing() {
    scene::play(async |scene| {
        let key =
            format!("arn:aws:kms:{IRELAND}:{FOREIGN}:key/0a1b2c3d-0000-1111-2222-33334444555e");
        scene.machine(0).await;
        let under = format!("{{region: eu-west-1, kms_key: '{key}'}}");
        scene.policies(&NIGHTLY.replace("{region: eu-west-1}", &under)).await;
        scene.pass(4 * 60).await;
        assert_eq!(scene.available(IRELAND).await, []);
        assert_eq!(scene.available(HOME).await.len(), 1);
        assert_eq!(scene.available(FRANKFURT).await.len(), 1);
        let told = scene.findings_of("copies-held-up").await;
        assert_eq!((told.len(), scene.open_findings().await.len()), (1, 1), "{told:#?}");
        assert!(told[0]["artefact"].ends_with(&key), "{told:#?}");
        let tried = scene.count("CopyImage", IRELAND);
        assert!(tried <= 5, "it is tried again and again: {tried}");
    });
}

/// A time that no worker writes.
const FAR: i64 = 4_070_908_800_000;

/// Items that nobody has written, under every kind of key.
async fn forge_everywhere(scene: &Scene) {
    let nonsense = [("at", text("soon")), ("places", text("all")), ("count", text("many"))];
    for sk in [
        "policy#evil",
        "cursor#gold#x#us-east-1",
        "region#nowhere",
        "looked",
        "brake#us-east-1",
        "whatever",
    ] {
        scene.forge("policies", sk, &nonsense).await;
    }
    for region in [HOME, IRELAND, FRANKFURT] {
        for kind in ["snapshot", "register", "confirm", "copy", "power"] {
            let evil = [("holder", text("evil")), ("until", number(FAR))];
            scene.forge(&format!("lease#{region}#{kind}"), "lease", &evil).await;
            scene.forge(&format!("claim#{region}#{kind}"), "claim", &evil[1..]).await;
        }
        scene.forge(&format!("hints#{region}"), "stopped#i-nothing", &nonsense).await;
        scene.forge("findings", &format!("finding#{region}#nothing"), &nonsense).await;
    }
    let evil = "machine#i-0123456789abcdef0";
    scene.forge(evil, "machine", &[("fleet", text("fleet#0")), ("home", text(HOME))]).await;
    let point = "point#gold-0123456789abcdef0-20260101T001500Z";
    let queue = [("queue", text("queue#us-east-1#snapshot")), ("due_at", number(0))];
    scene.forge(evil, point, &queue).await;
    scene.forge(evil, &format!("{point}#replica#{IRELAND}"), &queue).await;
    scene.forge(evil, &format!("{point}#downtime"), &queue).await;
    scene.forge(evil, "asked#gold", &queue).await;
    scene.forge("functions", "function#afterimage-backup-tick", &nonsense).await;
    scene.forge("nothing", "nothing", &nonsense).await;
}

#[test]
fn items_that_nobody_has_written_keep_nothing_from_being_made() {
    let (log, _told) = Log::begin();
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        forge_everywhere(&scene).await;
        scene.pass(60).await;
        let points = scene.points().await;
        let made: Vec<_> = points.iter().filter(|point| point.contains_key("status")).collect();
        assert_eq!(made.len(), 1, "{points:#?}");
        assert_eq!(made[0]["status"], "protected", "{made:#?}");
        for region in [HOME, IRELAND, FRANKFURT] {
            assert_eq!(scene.available(region).await.len(), 1, "{region}");
        }
        let codes: BTreeSet<String> =
            log.take().iter().filter_map(|line| Some(line["code"].as_str()?.to_string())).collect();
        assert!(codes.contains("ledger-item-unreadable"), "{codes:?}");
        // What is lost is found as ever.
        let ours = scene.available(IRELAND).await.remove(0);
        scene.deregister(IRELAND, &ours, true).await;
        scene.pass(150).await;
        assert_eq!(scene.available(IRELAND).await.len(), 1, "it is copied again");
        let failed = scene.cloud.with(|model| {
            let is_failed =
                |entry: &&Entry| entry.what == What::Invocation && entry.outcome != "ok";
            model.trace.entries().iter().filter(is_failed).cloned().collect::<Vec<_>>()
        });
        assert!(failed.is_empty(), "{failed:#?}");
    });
}
