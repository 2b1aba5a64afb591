//! The ledger goes back in time, or is emptied, while its functions run: no slot is made twice, and
//! what was made since is known again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use afterimage::rebuild::{self, Part};
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::ids::Region;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};

use crate::scene::{
    self, EVERY_SIX_HOURS, FRANKFURT, HOME, IRELAND, Item, NIGHTLY, ON_STOP, Scene, Stage, codes,
};

/// Machines of `backup: gold` every hour, into two regions.
pub const HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 hour)}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

pub type Row = HashMap<String, AttributeValue>;

fn key_of(row: &Row) -> Row {
    row.iter().filter(|(name, _)| *name == "pk" || *name == "sk").map(clone).collect()
}

fn clone((name, value): (&String, &AttributeValue)) -> (String, AttributeValue) {
    (name.clone(), value.clone())
}

/// Every item of a table.
async fn rows(client: &Client, table: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut from = None;
    loop {
        let page = client.scan().table_name(table).consistent_read(true);
        let page = page.set_exclusive_start_key(from).send().await.expect("it is scanned");
        rows.extend(page.items().iter().cloned());
        from = page.last_evaluated_key;
        if from.is_none() {
            return rows;
        }
    }
}

impl Scene {
    fn tables(&self) -> Client {
        Client::new(&self.cloud.sdk_config(HOME))
    }

    /// The items of the ledger, to be put back later.
    pub async fn save(&self) -> Vec<Row> {
        rows(&self.tables(), &self.system.table).await
    }

    /// The ledger has these items and no others: what was written since is lost.
    pub async fn put_back(&self, saved: &[Row]) {
        let (client, table) = (self.tables(), &self.system.table);
        for row in rows(&client, table).await {
            let delete = client.delete_item().table_name(table).set_key(Some(key_of(&row)));
            delete.send().await.expect("an item is deleted");
        }
        for row in saved {
            let put = client.put_item().table_name(table).set_item(Some(row.clone()));
            put.send().await.expect("an item is put");
        }
    }

    /// A table with the keys of the ledger and these items, as a restore makes it.
    async fn new_table(&self, table: &str, rows: &[Row]) {
        let attribute = |name: &str| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            attribute.attribute_type(ScalarAttributeType::S).build().expect("it has a name")
        };
        let key = |name: &str, kind| {
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            key.build().expect("it has a name")
        };
        let client = self.tables();
        let made = client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute("pk"))
            .attribute_definitions(attribute("sk"))
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range));
        made.send().await.expect("a table is made");
        self.pass(1).await;
        for row in rows {
            let put = client.put_item().table_name(table).set_item(Some(row.clone()));
            put.send().await.expect("an item is put");
        }
    }

    /// The slots that have more than one available image in a region.
    pub async fn doubled(&self) -> BTreeSet<String> {
        let mut doubled = BTreeSet::new();
        for region in [HOME, IRELAND, FRANKFURT] {
            let mut slots: BTreeMap<String, usize> = BTreeMap::new();
            for image in self.available(region).await {
                *slots.entry(image.tags["afterimage:point"].clone()).or_default() += 1;
            }
            let twice = slots.into_iter().filter(|(_, count)| *count > 1);
            doubled.extend(twice.map(|(slot, count)| format!("{region} {slot}: {count} images")));
        }
        doubled
    }

    /// The findings that hold, of a code.
    pub async fn findings_of(&self, code: &str) -> Vec<Item> {
        let mut findings = self.open_findings().await;
        findings.retain(|finding| codes(finding, "reason") == [code]);
        findings
    }
}

/// The points of a schedule, by the hour of their slot.
fn by_hour(points: &[Item]) -> BTreeMap<String, &Item> {
    let hour = |point: &Item| {
        let at = point["id"].rsplit_once('T').expect("a slot has an instant").1;
        at[..2].to_string()
    };
    points.iter().map(|point| (hour(point), point)).collect()
}

/// Checks that these hours have one protected point each, known by the ledger's own writes or by
/// what was adopted.
pub fn assert_protected(points: &[Item], hours: &[&str], is_adopted: bool) {
    let all = by_hour(points);
    for hour in hours {
        let point = all.get(*hour).unwrap_or_else(|| panic!("{hour}: {:#?}", all.keys()));
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(point.contains_key("unverified"), is_adopted, "{point:#?}");
    }
}

#[test]
fn a_ledger_that_is_put_back_to_an_earlier_second_makes_no_slot_twice() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(HOURLY).await;
        scene.pass(148).await;
        let saved = scene.save().await;
        scene.pass(180).await;
        scene.put_back(&saved).await;
        scene.pass(95).await;

        assert_eq!(scene.doubled().await, BTreeSet::new());
        let points = scene.points().await;
        assert_protected(&points, &["01", "02"], false);
        assert_protected(&points, &["03", "04", "05"], true);
        // The next slot is made as ever.
        assert_protected(&points, &["06"], false);
        assert_eq!(scene.findings_of("foreign").await, Vec::<Item>::new());
        let told = scene.findings_of("ledger-went-back").await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0]["reason"].contains("did not know 3 points"), "{told:#?}");
    });
}

/// Stopped machines under a template, whose ledger is deleted, made anew, and given its policies
/// before any rebuild. How many sets of snapshots there are before, and three hours after that.
async fn emptied(scene: &Scene) -> (usize, usize) {
    emptied_for(scene, 0).await
}

/// The same, if the ledger has no policies for so many minutes.
async fn emptied_for(scene: &Scene, minutes: u64) -> (usize, usize) {
    for _ in 0..3 {
        let machine = scene.machine(0).await;
        scene.stop(&machine).await;
    }
    scene.policies(ON_STOP).await;
    scene.pass(60).await;
    let before = scene.count("CreateSnapshots", HOME);
    scene.put_back(&[]).await;
    scene.pass(minutes).await;
    // The sweep comes every five minutes.
    let told = scene.findings_of("ledger-empty").await.len();
    assert_eq!(told, usize::from(minutes > 5), "while there are no policies, a person is told");
    scene.policies(ON_STOP).await;
    scene.pass(180).await;
    (before, scene.count("CreateSnapshots", HOME))
}

#[test]
fn an_empty_ledger_makes_no_image_again_for_the_same_stop() {
    scene::play(async |scene| {
        assert_eq!(emptied(&scene).await, (3, 3), "nothing is made twice");
        assert_eq!(scene.count("RegisterImage", HOME), 3);
        assert_eq!([IRELAND, FRANKFURT].map(|region| scene.count("CopyImage", region)), [3, 3]);
        let points = scene.points().await;
        assert_eq!(points.len(), 3, "{points:#?}");
        for point in &points {
            assert_eq!(point["status"], "protected", "{point:#?}");
            assert!(point.contains_key("unverified"), "{point:#?}");
        }
        assert_eq!(scene.findings_of("foreign").await, Vec::<Item>::new());
        // A new stop is a new occasion, once the twelve hours between two images have gone by.
        let machine = points[0]["pk"].trim_start_matches("machine#").to_string();
        scene.start(&machine).await;
        scene.pass(12 * 60).await;
        scene.stop(&machine).await;
        scene.pass(30).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 4);
    });
}

#[test]
fn an_empty_ledger_that_gets_its_policies_hours_later_makes_no_image_again() {
    for minutes in [65, 6 * 60] {
        scene::play(async |scene| {
            assert_eq!(emptied_for(&scene, minutes).await, (3, 3), "after {minutes} minutes");
            assert_eq!([IRELAND, FRANKFURT].map(|region| scene.count("CopyImage", region)), [3, 3]);
            let points = scene.points().await;
            assert_eq!(points.len(), 3, "{points:#?}");
            assert!(points.iter().all(|it| it["status"] == "protected"), "{points:#?}");
            assert_eq!(scene.findings_of("foreign").await, Vec::<Item>::new());
            assert_eq!(scene.findings_of("ledger-went-back").await.len(), 1);
        });
    }
}

/// The image at home and its snapshots are gone, so that nothing at home names the other regions.
#[test]
fn an_empty_ledger_knows_a_point_by_its_copies_whenever_its_policies_come() {
    for minutes in [0, 67, 6 * 60] {
        scene::play(async |scene| {
            scene.protect_one(ON_STOP).await;
            scene.delete_images(HOME, true).await;
            scene.put_back(&[]).await;
            scene.pass(minutes).await;
            scene.policies(ON_STOP).await;
            scene.pass(180).await;
            assert_eq!(scene.count("CreateSnapshots", HOME), 1, "after {minutes} minutes");
            let point = scene.the_point().await;
            assert_eq!(point["status"], "protected", "after {minutes} minutes: {point:#?}");
            assert_eq!(scene.findings_of("foreign").await, Vec::<Item>::new());
            assert_eq!(scene.available(HOME).await.len(), 1, "it is copied back");
        });
    }
}

#[test]
fn without_its_witness_an_empty_ledger_makes_them_again_and_says_what_it_cannot_tell() {
    let mut stage = Stage::default();
    let template = &mut stage.options.template;
    let granted = "Resource: !GetAtt Witness.Arn";
    assert_eq!(template.matches(granted).count(), 2, "the worker's and the sweep's");
    *template = template.replace(granted, "Resource: !GetAtt Ledger.Arn");
    scene::play_on(stage, async |scene| {
        assert_eq!(emptied(&scene).await, (3, 6));
        let told = scene.findings_of("witness-unreadable").await;
        assert_eq!(told.len(), 1, "{told:#?}");
    });
}

#[test]
fn a_ledger_restored_into_a_new_table_is_copied_back_by_the_procedure() {
    const RESTORED: &str = "afterimage-restored";
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(HOURLY).await;
        scene.pass(148).await;
        let saved = scene.save().await;
        scene.pass(60).await;
        // Somebody has deleted the table. A deployment makes it anew, and DynamoDB restores the
        // items into a new table.
        scene.put_back(&[]).await;
        scene.new_table(RESTORED, &saved).await;
        scene.pass(15).await;
        let (config, table) = (scene.cloud.sdk_config(HOME), scene.system.table.clone());
        let copied = rebuild::copy(&config, &table, RESTORED, Part::Machines).await;
        let copied = copied.expect("it is copied");
        assert!(copied.items > 6 && copied.left_alone == 0, "{copied:?}");
        let overview = rebuild::look(&config, &table, &[], &|_| {}).await.expect("regions answer");
        assert_eq!((overview.known.len(), overview.missing().count()), (2, 1), "{overview:#?}");
        rebuild::write(&config, &table, &overview, &|_| {}).await.expect("it is written");
        rebuild::copy(&config, &table, RESTORED, Part::Policies).await.expect("it is copied");
        scene.pass(60).await;

        assert_eq!(scene.doubled().await, BTreeSet::new());
        let points = scene.points().await;
        assert_protected(&points, &["01", "02"], false);
        assert_protected(&points, &["03"], true);
        assert_protected(&points, &["04"], false);
        assert_eq!(scene.findings_of("foreign").await, Vec::<Item>::new());
        // A person has rebuilt what there was: there is nothing left to tell.
        assert_eq!(scene.findings_of("ledger-went-back").await, Vec::<Item>::new());
    });
}

#[test]
fn a_worker_that_dies_after_the_witness_has_counted_its_round_costs_a_look_and_nothing_else() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(10).await;
        let dies = Rule::kill(When::After).action("PutItem").function("afterimage-work-requested");
        scene.fault(dies.times(1));
        scene.pass(50).await;
        assert_eq!(scene.strikes(), [1]);
        scene.assert_protected_once(1).await;
        let doubted = scene.ledger().await.into_iter();
        let doubted: Vec<Item> =
            doubted.filter(|item| item.contains_key("doubted_since")).collect();
        assert_eq!(doubted, Vec::<Item>::new());
        assert_eq!(scene.findings_of("ledger-went-back").await, Vec::<Item>::new());
    });
}

#[test]
fn images_are_made_while_the_witness_is_gone_and_a_person_is_told() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        let witness = scene.tables().delete_table().table_name("afterimage-witness");
        witness.send().await.expect("the table is deleted");
        scene.pass(60).await;
        scene.assert_protected_once(1).await;
        let told = scene.findings_of("witness-unreadable").await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0]["region"], HOME);
        // A deployment makes it anew.
        scene.new_table("afterimage-witness", &[]).await;
        scene.pass(70).await;
        assert_eq!(scene.findings_of("witness-unreadable").await, Vec::<Item>::new());
    });
}

/// The minutes until the first slot of [`EVERY_SIX_HOURS`], less two.
const BEFORE_SLOT: u64 = 6 * 60 - 2;

impl Scene {
    /// The newest point of the only machine, as its summary has it: the status, and the codes.
    async fn newest(&self) -> (String, Vec<String>) {
        let items = self.ledger().await;
        let summary = items.iter().find(|item| item.contains_key("latest#gold"));
        let latest = &summary.expect("the machine has a summary")["latest#gold"];
        let latest: serde_json::Value = serde_json::from_str(latest).expect("an entry is JSON");
        let status = latest["status"].as_str().expect("a status").to_string();
        (status, latest["reason"]["code"].as_str().map(str::to_string).into_iter().collect())
    }

    /// EC2 in Ireland does not answer.
    fn darken_ireland(&self) {
        self.fault(Rule::time_out(When::Before).service("ec2").region(IRELAND));
    }

    /// A machine under [`EVERY_SIX_HOURS`], two minutes before its first slot; and the ledger then.
    async fn before_slot(&self) -> Vec<Row> {
        self.machine(0).await;
        self.policies(EVERY_SIX_HOURS).await;
        self.pass(BEFORE_SLOT).await;
        self.save().await
    }

    /// The only point is protected, with one image in each of its two places, and nothing of ours
    /// was ever called foreign.
    async fn assert_adopted_whole(&self) {
        let point = self.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert!(!point.contains_key("reason"), "{point:#?}");
        assert_eq!(self.newest().await, ("protected".to_string(), Vec::new()));
        for region in [HOME, IRELAND] {
            let images = self.images(region).await;
            assert_eq!(images.len(), 1, "{region}: {images:#?}");
        }
        self.assert_nothing_was_foreign().await;
    }

    pub async fn assert_nothing_was_foreign(&self) {
        let mut findings = self.findings().await;
        findings.retain(|finding| codes(finding, "reason") == ["foreign"]);
        assert_eq!(findings, Vec::<Item>::new());
    }
}

#[test]
fn the_summary_of_a_machine_follows_an_adoption_at_once() {
    scene::play(async |scene| {
        let saved = scene.before_slot().await;
        scene.pass(60).await;
        scene.put_back(&saved).await;
        scene.pass(30).await;
        scene.assert_adopted_whole().await;
    });
}

/// A point loses all images and begins again; then the ledger is put back to a time before that, or
/// to one at which the second attempt was still to come.
async fn began_again(scene: &Scene, is_before_the_loss: bool) {
    scene.protect_one(ON_STOP).await;
    let mut saved = scene.save().await;
    for region in [HOME, IRELAND, FRANKFURT] {
        scene.delete_images(region, true).await;
    }
    if !is_before_the_loss {
        let step = std::time::Duration::from_secs(1);
        let is_requested = async |scene: &Scene| scene.the_point().await["status"] == "requested";
        scene.pass_until(step, step * 3600, is_requested).await;
        saved = scene.save().await;
    }
    scene.pass(90).await;
    assert_eq!(scene.count("CreateSnapshots", HOME), 2, "it began again");
    scene.put_back(&saved).await;
}

/// The second attempt is the one that the ledger knows, and nothing is made or disowned.
async fn assert_the_second_attempt_is_known(scene: &Scene) {
    scene.pass(3 * 60).await;
    let point = scene.the_point().await;
    assert_eq!(point["status"], "protected", "{point:#?}");
    assert_eq!(scene.count("CreateSnapshots", HOME), 2, "it is not made a third time");
    for region in [HOME, IRELAND, FRANKFURT] {
        assert_eq!(scene.available(region).await.len(), 1, "{region}");
    }
    scene.assert_nothing_was_foreign().await;
    scene.assert_true().await;
}

#[test]
fn a_point_that_began_again_since_is_not_made_a_third_time() {
    scene::play(async |scene| {
        began_again(&scene, true).await;
        assert_the_second_attempt_is_known(&scene).await;
        assert_eq!(scene.findings_of("ledger-went-back").await.len(), 1);
    });
}

#[test]
fn a_point_that_was_about_to_begin_again_is_not_made_a_third_time() {
    scene::play(async |scene| {
        began_again(&scene, false).await;
        assert_the_second_attempt_is_known(&scene).await;
        assert_eq!(scene.findings_of("ledger-went-back").await.len(), 1);
    });
}

#[test]
fn a_rebuild_by_hand_knows_the_last_attempt() {
    scene::play(async |scene| {
        began_again(&scene, true).await;
        let (config, table) = (scene.cloud.sdk_config(HOME), scene.system.table.clone());
        let overview = rebuild::look(&config, &table, &[], &|_| {}).await.expect("regions answer");
        let done = rebuild::write(&config, &table, &overview, &|_| {}).await.expect("written");
        assert_eq!((done.points, done.replicas, done.left_alone), (1, 2, 0), "{overview:#?}");
        let image = scene.available(HOME).await;
        assert_eq!(scene.the_point().await["image"], image[0].id.as_str());
        let overview = rebuild::look(&config, &table, &[], &|_| {}).await.expect("regions answer");
        assert_eq!(overview.missing().count(), 0, "a second run finds nothing to write");
        assert_the_second_attempt_is_known(&scene).await;
    });
}

#[test]
fn a_slot_of_which_only_snapshots_were_made_is_made_after_all() {
    scene::play(async |scene| {
        let saved = scene.before_slot().await;
        let is_begun = async |scene: &Scene| scene.count("CreateSnapshots", HOME) == 1;
        let step = std::time::Duration::from_secs(1);
        scene.pass_until(step, step * 600, is_begun).await;
        scene.put_back(&saved).await;
        scene.pass(60).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(scene.newest().await, ("protected".to_string(), Vec::new()));
        assert_eq!(scene.doubled().await, BTreeSet::new());
        scene.assert_nothing_was_foreign().await;
    });
}

#[test]
fn a_replica_in_a_region_that_is_dark_during_the_adoption_is_found_once_it_answers() {
    scene::play(async |scene| {
        let saved = scene.before_slot().await;
        scene.pass(60).await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1);
        scene.darken_ireland();
        scene.put_back(&saved).await;
        for _ in 0..36 {
            scene.pass(5).await;
            scene.assert_nothing_was_foreign().await;
        }
        assert_eq!(scene.newest().await, ("imaged".to_string(), vec!["not-listed".to_string()]));
        scene.no_more_faults();
        scene.pass(60).await;
        scene.assert_adopted_whole().await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1, "it is not copied a second time");
    });
}

#[test]
fn a_replica_that_was_never_made_is_copied_once_its_dark_region_answers() {
    scene::play(async |scene| {
        let saved = scene.before_slot().await;
        scene.darken_ireland();
        scene.pass(60).await;
        scene.put_back(&saved).await;
        scene.pass(2 * 60).await;
        scene.no_more_faults();
        scene.pass(90).await;
        scene.assert_adopted_whole().await;
    });
}

#[test]
fn a_rebuild_that_does_not_look_in_a_region_leaves_its_replicas_undecided() {
    scene::play(async |scene| {
        scene.before_slot().await;
        scene.pass(60).await;
        scene.put_back(&[]).await;
        let (config, table) = (scene.cloud.sdk_config(HOME), scene.system.table.clone());
        let searched = [Region::parse(HOME).expect("a region")];
        let overview = rebuild::look(&config, &table, &searched, &|_| {}).await;
        let overview = overview.expect("the region answers");
        assert!(rebuild::table(&overview).contains("eu-west-1=not-listed"), "{overview:#?}");
        rebuild::write(&config, &table, &overview, &|_| {}).await.expect("it is written");
        scene.pass(30).await;
        scene.assert_adopted_whole().await;
        assert_eq!(scene.count("CopyImage", IRELAND), 1, "it is not copied a second time");
    });
}
