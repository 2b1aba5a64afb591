//! The ledger goes back in time, or is emptied, while its functions run: no slot is made twice, and
//! what was made since is known again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::scene::{self, FRANKFURT, HOME, IRELAND, Item, ON_STOP, Scene};

/// Machines of `backup: gold` every hour, into two regions.
const HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 hour)}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

type Row = HashMap<String, AttributeValue>;

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
    async fn save(&self) -> Vec<Row> {
        rows(&self.tables(), &self.system.table).await
    }

    /// The ledger has these items and no others: what was written since is lost.
    async fn put_back(&self, saved: &[Row]) {
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

    /// The slots that have more than one available image in a region.
    async fn doubled(&self) -> BTreeSet<String> {
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
    async fn findings_of(&self, code: &str) -> Vec<Item> {
        let mut items = self.ledger().await;
        items.retain(|item| {
            item["pk"] == "findings"
                && !item.contains_key("resolved_at")
                && item["reason"].contains(&format!("\"{code}\""))
        });
        items
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

#[test]
fn a_ledger_that_is_put_back_to_an_earlier_second_makes_no_slot_twice() {
    scene::play(async |scene| {
        scene.machine(1).await;
        scene.policies(HOURLY).await;
        scene.cloud.advance(Duration::from_secs(148 * 60)).await;
        let saved = scene.save().await;
        scene.pass(180).await;
        scene.put_back(&saved).await;
        scene.pass(150).await;

        assert_eq!(scene.doubled().await, BTreeSet::new());
        let points = scene.points().await;
        let hours = by_hour(&points);
        for hour in ["03", "04", "05"] {
            let point = hours.get(hour).unwrap_or_else(|| panic!("{hour}: {:#?}", hours.keys()));
            assert_eq!(point["status"], "protected", "{point:#?}");
            assert!(point.contains_key("unverified"), "{point:#?}");
        }
        // The slots after it are made as ever.
        for hour in ["06", "07"] {
            let point = hours.get(hour).unwrap_or_else(|| panic!("{hour}: {:#?}", hours.keys()));
            assert_eq!(point["status"], "protected", "{point:#?}");
            assert!(!point.contains_key("unverified"), "{point:#?}");
        }
        assert_eq!(scene.findings_of("foreign").await, Vec::<Item>::new());
        let told = scene.findings_of("ledger-went-back").await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0]["reason"].contains("did not know 3 points"), "{told:#?}");
        // A week later it is no news any more.
        scene.pass(7 * 24 * 60).await;
        assert_eq!(scene.findings_of("ledger-went-back").await, Vec::<Item>::new());
    });
}

#[test]
fn stopped_machines_are_not_made_again_for_the_same_stop_by_an_empty_ledger() {
    scene::play(async |scene| {
        for _ in 0..3 {
            let machine = scene.machine(1).await;
            scene.stop(&machine).await;
        }
        scene.policies(ON_STOP).await;
        scene.pass(60).await;
        let made = ["CreateSnapshots", "RegisterImage"].map(|action| scene.count(action, HOME));
        let copied = [IRELAND, FRANKFURT].map(|region| scene.count("CopyImage", region));
        assert_eq!((made, copied), ([3, 3], [3, 3]));

        // The table is deleted, and made anew; the policies are applied before any rebuild.
        scene.put_back(&[]).await;
        scene.policies(ON_STOP).await;
        scene.pass(180).await;
        let after = ["CreateSnapshots", "RegisterImage"].map(|action| scene.count(action, HOME));
        let copied_after = [IRELAND, FRANKFURT].map(|region| scene.count("CopyImage", region));
        assert_eq!((after, copied_after), (made, copied), "nothing is made twice");
        let points = scene.points().await;
        assert_eq!(points.len(), 3, "{points:#?}");
        for point in &points {
            assert_eq!(point["status"], "protected", "{point:#?}");
            assert!(point.contains_key("unverified"), "{point:#?}");
        }
        assert_eq!(scene.findings_of("foreign").await, Vec::<Item>::new());

        // A new stop is a new occasion.
        let machine = points[0]["pk"].trim_start_matches("machine#").to_string();
        scene.start(&machine).await;
        scene.pass(10).await;
        scene.stop(&machine).await;
        scene.pass(60).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 4);
    });
}
