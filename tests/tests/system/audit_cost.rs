//! The cost of the hourly audit of a large ledger in which nothing is amiss: calls of EC2, read
//! units of the ledger, and writes.
//!
//! A protected point is made by the functions, and its records and artefacts are repeated under
//! other ids: in the ledger by writing items, and in the cloud's own state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::Request;
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::Entry;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use serde_json::{Value, json};

use crate::scene::{self, ACCOUNT, FRANKFURT, HOME, IRELAND, Item, ON_STOP, Scene};

/// The most that one request may write.
const BATCH: usize = 25;

const REGIONS: [&str; 3] = [HOME, IRELAND, FRANKFURT];

/// The sweeps of an hour, and one more.
const SWEEPS: usize = 13;

/// The read units that an hour without a point costs: the ticks and the sweeps.
const BASE_UNITS: f64 = 150.0;

type Raw = HashMap<String, AttributeValue>;

/// New ids for the ids of the first point, and of its machine.
struct Renamed(Vec<(String, String)>);

impl Renamed {
    /// The ids of a copy of the first point: each keeps its kind.
    fn of(ids: &[String], number: usize) -> Renamed {
        // Ids end at random: the last digit of these differs as much.
        let renamed = |(index, id): (usize, &String)| {
            let (_, digits) = id.split_once('-').expect("an id has a kind");
            (digits.to_string(), format!("{index:02x}{number:015x}"))
        };
        Renamed(ids.iter().enumerate().map(renamed).collect())
    }

    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
    }

    fn value(&self, value: &AttributeValue) -> AttributeValue {
        match value {
            AttributeValue::S(text) => AttributeValue::S(self.text(text)),
            AttributeValue::L(values) => {
                AttributeValue::L(values.iter().map(|value| self.value(value)).collect())
            }
            AttributeValue::M(members) => AttributeValue::M(self.item(members)),
            other => other.clone(),
        }
    }

    fn item(&self, item: &Raw) -> Raw {
        item.iter().map(|(name, value)| (self.text(name), self.value(value))).collect()
    }

    /// A record in the ledger, in the partition of the index to which its artefact belongs.
    fn record(&self, item: &Raw) -> Raw {
        let mut record = self.item(item);
        let artefact = record.get("artefact").and_then(|value| value.as_s().ok().cloned());
        if let (Some(artefact), Some(AttributeValue::S(place))) =
            (artefact, record.get_mut("place"))
        {
            place.pop();
            place.extend(artefact.chars().next_back());
        }
        record
    }
}

/// Every id in these texts, other than those that stand for nothing.
fn ids(texts: &[String]) -> Vec<String> {
    let is_id = |word: &&str| {
        let kinds = ["i-", "ami-", "snap-", "vol-"];
        let digits = kinds.iter().find_map(|kind| word.strip_prefix(kind));
        digits.is_some_and(|digits| digits.len() == 17)
    };
    let words = |text: &'_ String| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words.filter(is_id).map(str::to_string).collect()
    };
    let ids: BTreeSet<String> = texts.iter().flat_map(words).collect();
    ids.into_iter().collect()
}

impl Scene {
    async fn raw_records(&self) -> Vec<Raw> {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let items = client.scan().table_name(&self.system.table).send().await.expect("it is read");
        let is_record = |item: &&Raw| {
            let pk = item.get("pk").and_then(|value| value.as_s().ok());
            pk.is_some_and(|pk| pk.starts_with("machine#"))
        };
        items.items().iter().filter(is_record).cloned().collect()
    }

    /// Every id of the point in the ledger and of its artefacts.
    async fn ids_of_all(&self) -> Vec<String> {
        let ledger = self.ledger().await.into_iter().filter(|item| item["pk"] != "policies");
        let mut texts: Vec<String> = ledger.flat_map(BTreeMap::into_values).collect();
        for region in REGIONS {
            let images = self.images(region).await.into_iter();
            texts.extend(images.flat_map(|image| image.snapshots.into_iter().chain([image.id])));
        }
        ids(&texts)
    }

    async fn write(&self, items: Vec<Raw>) {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        for items in items.chunks(BATCH) {
            let put = |item: &Raw| {
                let put = PutRequest::builder().set_item(Some(item.clone())).build();
                WriteRequest::builder().put_request(put.expect("it has an item")).build()
            };
            let requests = items.iter().map(put).collect();
            let call = client.batch_write_item().request_items(&self.system.table, requests);
            let answer = call.send().await.expect("items are written");
            assert!(answer.unprocessed_items().is_none_or(HashMap::is_empty));
        }
    }

    /// Repeats the images and the snapshots of every region.
    fn repeat_artefacts(&self, renamed: &[Renamed]) {
        self.cloud.with(|model| {
            for region in REGIONS {
                let scope = Scope::new(ACCOUNT, region);
                let state = model.ec2.get_mut(&scope).expect("the region is in use");
                let own = state.images.values().filter(|image| image.owner == ACCOUNT);
                let images: Vec<_> = own.cloned().collect();
                let snapshots: Vec<_> = state.snapshots.values().cloned().collect();
                for renamed in renamed {
                    for image in &images {
                        let mut image = image.clone();
                        image.id = renamed.text(&image.id);
                        image.name = renamed.text(&image.name);
                        image.source_image_id =
                            image.source_image_id.map(|source| renamed.text(&source));
                        for device in image.devices.iter_mut().filter_map(|it| it.ebs.as_mut()) {
                            let snapshot = device.snapshot_id.take();
                            device.snapshot_id = snapshot.map(|id| renamed.text(&id));
                        }
                        for value in image.tags.values_mut() {
                            *value = renamed.text(value);
                        }
                        state.images.insert(image.id.clone(), image);
                    }
                    for snapshot in &snapshots {
                        let mut snapshot = snapshot.clone();
                        snapshot.id = renamed.text(&snapshot.id);
                        snapshot.volume_id = renamed.text(&snapshot.volume_id);
                        for value in snapshot.tags.values_mut() {
                            *value = renamed.text(value);
                        }
                        state.snapshots.insert(snapshot.id.clone(), snapshot);
                    }
                }
            }
        });
    }

    /// The read units of a call, by what it costs to make it again.
    fn read_units(&self, call: &Entry) -> f64 {
        let mut body = call.detail.clone();
        body["ReturnConsumedCapacity"] = json!("TOTAL");
        let scope = format!("AKIAIOSFODNN7EXAMPLE/20260101/{}/dynamodb/aws4_request", call.region);
        let signed =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00");
        let request = Request {
            method: "POST".into(),
            path: "/".into(),
            headers: vec![
                ("authorization".into(), signed),
                ("x-amz-target".into(), format!("DynamoDB_20120810.{}", call.action)),
            ],
            body: body.to_string().into_bytes(),
            ..Request::default()
        };
        let Answer::Reply(response) = self.cloud.answer(&request) else { panic!("no answer") };
        let answer: Value = serde_json::from_slice(&response.body).expect("JSON");
        let used = &answer["ConsumedCapacity"];
        let used = used.as_array().cloned().unwrap_or_else(|| vec![used.clone()]);
        used.iter().map(|used| used["CapacityUnits"].as_f64().expect("units")).sum()
    }
}

/// What an hour with one audit costs.
#[derive(Debug, Default)]
struct Cost {
    describes: BTreeMap<String, usize>,
    reads: BTreeMap<String, usize>,
    units: f64,
    writes: BTreeMap<String, usize>,
}

fn cost(scene: &Scene, calls: &[Entry]) -> Cost {
    let mut cost = Cost::default();
    for call in calls.iter().filter(|call| call.principal.contains("reconcile-tick")) {
        match (call.service.as_str(), call.action.as_str()) {
            ("dynamodb", "Query" | "GetItem" | "BatchGetItem" | "Scan") => {
                *cost.reads.entry(call.action.clone()).or_default() += 1;
                cost.units += scene.read_units(call);
            }
            ("dynamodb", action) => *cost.writes.entry(action.to_string()).or_default() += 1,
            ("ec2", action) => *cost.describes.entry(action.to_string()).or_default() += 1,
            _ => {}
        }
    }
    cost
}

/// Plays an hour with one audit of so many points, each in three places.
fn audit_of(points: usize) {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_STOP).await;
        scene.stop(&machine).await;
        scene.pass(50).await;
        scene.assert_protected_once(2).await;
        let records = scene.raw_records().await;
        let ids = scene.ids_of_all().await;
        let renamed: Vec<Renamed> = (1..points).map(|number| Renamed::of(&ids, number)).collect();
        scene.repeat_artefacts(&renamed);
        let copies = |renamed: &Renamed| records.iter().map(|it| renamed.record(it)).collect();
        scene.write(renamed.iter().flat_map(|it| -> Vec<Raw> { copies(it) }).collect()).await;
        assert_eq!(scene.images(IRELAND).await.len(), points);
        assert_eq!(scene.points().await.len(), points);
        // The audit after that has everything in its listings and in the index.
        scene.pass(90).await;
        let before = (scene.calls().len(), scene.ledger().await);
        scene.cloud.advance(Duration::from_secs(3600)).await;
        let calls = scene.calls().split_off(before.0);
        let cost = cost(&scene, &calls);
        println!("{points} points in three places, an hour of the sweep: {cost:?}");
        let after = scene.ledger().await;
        let of_points = |items: &[Item]| -> Vec<Item> {
            let is_of_point = |item: &&Item| item["pk"].starts_with("machine#");
            items.iter().filter(is_of_point).cloned().collect()
        };
        assert!(of_points(&before.1) == of_points(&after), "the records are as they were");
        let findings = after.iter().filter(|item| item["pk"] == "findings").count();
        assert_eq!(findings, 0, "there is nothing to report");
        // The time of the audit.
        assert_eq!(cost.writes, BTreeMap::from([("PutItem".to_string(), 1)]));
        let pages = points.div_ceil(1_000) * REGIONS.len();
        assert!(cost.describes["DescribeImages"] <= pages, "{cost:?}");
        assert!(cost.describes["DescribeSnapshots"] <= 2 * pages, "{cost:?}");
        // Each sweep reads the summary of the machine that is stopped.
        assert!(cost.reads["BatchGetItem"] <= SWEEPS, "{cost:?}");
        let places = f64::from(u32::try_from(3 * points).expect("not so many"));
        assert!(cost.units <= places / 10.0 + BASE_UNITS, "{cost:?}");
    });
}

#[test]
fn an_audit_that_finds_no_difference_reads_a_lean_item_for_each_place_and_writes_nothing() {
    audit_of(if scene::is_long() { 10_000 } else { 500 });
}
