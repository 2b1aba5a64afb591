//! The table is lost, and the ledger made new from tags and facts: field by field what it was,
//! apart from what `docs/rebuild.md` lists; and the system goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage::rebuild::{self, Done, Overview};
use afterimage_cloud::faults::{Creation, Rule, When};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::types as ec2;
use serde_json::{Map, Value, json};

use crate::scene::{self, FRANKFURT, HOME, IRELAND, Launch, Scene, json_of, tag};

const DOCUMENT: &str = include_str!("../../../docs/rebuild.md");

/// Nothing is pending any more after so long.
const A_NIGHT: u64 = 9 * 60;

const POLICIES: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    image: {tags: {team: platform}, exclude_volumes: {devices: [/dev/sdi]}}
    replicate: [{region: eu-west-1, kms_key: alias/aws/ebs, deadline: 4h}, {region: eu-central-1}]
  silver:
    select: {regions: [us-east-1], tags: {backup: gold, Name: web}}
    triggers: [{on: stopped}]
    image: {copy_tags: false}
  data:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(45 0 * * ? *), timezone: UTC}, {on: tag}]
    image: {kind: snapshots}
";

/// An item as DynamoDB has it.
type Items = BTreeMap<(String, String), Map<String, Value>>;

impl Scene {
    async fn items(&self) -> Items {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let mut items = Items::new();
        let mut from = None;
        loop {
            let page = client.scan().table_name(&self.system.table).consistent_read(true);
            let page = page.set_exclusive_start_key(from).send().await.expect("it is scanned");
            for item in page.items() {
                let members: Map<String, Value> =
                    item.iter().map(|(name, value)| (name.clone(), json_of(value))).collect();
                let text = |name: &str| members[name].as_str().expect("a key").to_string();
                items.insert((text("pk"), text("sk")), members);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return items;
            }
        }
    }

    /// The table is lost, and an empty one stands in its place.
    async fn lose_the_table(&self) {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(HOME));
        let mut rounds = 0;
        // What a tick has written meanwhile is lost as well.
        while !self.items().await.is_empty() {
            assert!(rounds < 10, "there is always something left");
            rounds += 1;
            self.empty_the_table(&client).await;
        }
    }

    async fn empty_the_table(&self, client: &aws_sdk_dynamodb::Client) {
        for (pk, sk) in self.items().await.into_keys() {
            let delete = client.delete_item().table_name(&self.system.table);
            let delete = delete.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk));
            delete.send().await.expect("it is deleted");
        }
    }

    /// As `afterimage rebuild --yes` does.
    async fn rebuild(&self) -> (Overview, Done) {
        let (config, table) = (self.cloud.sdk_config(HOME), &self.system.table);
        let overview = rebuild::look(&config, table, &[], &|_| {}).await;
        let overview = overview.expect("every region answers");
        let done = rebuild::write(&config, table, &overview, &|_| {}).await;
        (overview, done.expect("the ledger is written"))
    }

    /// What carries our tag and is not ours, by the sweep.
    async fn foreign(&self) -> BTreeSet<String> {
        let items = self.items().await;
        let is_open = |item: &&Map<String, Value>| !item.contains_key("resolved_at");
        let findings = items.iter().filter(|(_, item)| is_open(item)).map(|(key, _)| key);
        let findings = findings.filter(|(pk, _)| pk == "findings");
        let is_about = |(_, sk): &(String, String)| sk.contains("#ami-") || sk.contains("#snap-");
        let findings = findings.filter(|key| is_about(key));
        findings.filter_map(|(_, sk)| Some(sk.rsplit_once('#')?.1.to_string())).collect()
    }

    /// Four machines under three policies, of which everything has been made that can be; some of
    /// it at the second try, and some of it never.
    async fn lived(&self) {
        self.machine(1).await;
        let disk = scene::disk("/dev/sdf", None);
        let gp2 = ec2::EbsBlockDevice::builder()
            .volume_size(100)
            .volume_type(ec2::VolumeType::Gp2)
            .delete_on_termination(false);
        let gp2 = ec2::BlockDeviceMapping::builder().device_name("/dev/sdg").ebs(gp2.build());
        let disks = vec![disk, gp2.build(), scene::disk("/dev/sdi", None)];
        let launch = Launch { disks, ..Launch::default() };
        let stopped = self.launch_one(launch).await;
        // One whose image EC2 has to create, and one with more tags than there is room for.
        self.launch_one(Launch { image: "RHEL-9*", ..Launch::default() }).await;
        let asked = self.machine(0).await;
        let many = (0..45).map(|number| tag(&format!("tag-{number:02}"), "x"));
        let many = self.ec2(HOME).create_tags().resources(&asked).set_tags(Some(many.collect()));
        many.send().await.expect("it is tagged");
        self.policies(POLICIES).await;
        // The first set of snapshots fails, the first image, and the first copies to Ireland and to
        // Frankfurt.
        self.fault(Rule::fail_creation(&[Creation::SnapshotSet], "it failed").times(1));
        self.fault(
            Rule::fail_creation(&[Creation::ImageCopy], "it failed").region(IRELAND).times(2),
        );
        self.fault(
            Rule::fail_creation(&[Creation::ImageCopy], "it failed").region(FRANKFURT).times(2),
        );
        let unregistered = Rule::fail_creation(&[Creation::ImageRegistration], "it failed");
        self.fault(unregistered.times(1));
        self.fault(Rule::fail(When::After, 500, "InternalError").action("RegisterImage").times(1));
        self.pass(5).await;
        self.stop(&stopped).await;
        let ask = self.ec2(HOME).create_tags().resources(asked).tags(tag("afterimage:now", "data"));
        ask.send().await.expect("it is tagged");
        self.pass(A_NIGHT).await;
    }
}

/// The fields that the document says cannot be had back: of what, and which.
fn documented() -> BTreeSet<(String, String)> {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (of, field) = (cells.next()?, cells.next()?);
        let field = field.strip_prefix('`')?.strip_suffix('`')?;
        Some((of.replace('`', ""), field.to_string()))
    });
    rows.collect()
}

/// What an item may be called in the document.
fn kinds(key: &(String, String), item: &Map<String, Value>) -> Vec<&'static str> {
    let failed = item.get("status") == Some(&json!("failed"));
    if key.1 == "machine" {
        return vec!["summary"];
    }
    if key.1.starts_with("region#") {
        return vec!["region"];
    }
    if key.1.starts_with("asked#") {
        return vec!["requests"];
    }
    if key.1.contains("#replica#") {
        return if failed { vec!["replica", "replica that failed"] } else { vec!["replica"] };
    }
    let mut kinds = vec!["point"];
    kinds.extend(failed.then_some("point that failed"));
    let is_snapshots = item["plan"]["kind"] == json!("snapshots");
    kinds.extend(is_snapshots.then_some("point of kind: snapshots"));
    kinds
}

/// The fields in which two values differ, by their paths: those of lists are one.
fn differences(path: &str, one: Option<&Value>, other: Option<&Value>, all: &mut BTreeSet<String>) {
    match (one, other) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                // Of a summary, whichever policy it is of.
                let plain =
                    name.split_once('#').map_or(name.as_str(), |(kind, _)| &name[..=kind.len()]);
                let path = if path.is_empty() { plain.into() } else { format!("{path}.{plain}") };
                differences(&path, one.get(name), other.get(name), all);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.len() == other.len() => {
            for (one, other) in one.iter().zip(other) {
                differences(&format!("{path}[]"), Some(one), Some(other), all);
            }
        }
        (one, other) if one == other => {}
        _ => drop(all.insert(path.to_string())),
    }
}

/// In no order of its own.
fn sorted(item: &Map<String, Value>) -> Value {
    let mut item = item.clone();
    if let Some(Value::Array(leftovers)) = item.get_mut("leftovers") {
        leftovers.sort_by_key(ToString::to_string);
    }
    Value::Object(item)
}

fn is_point(sk: &str) -> bool {
    sk.starts_with("point#") && !sk.contains("#replica#")
}

fn is_rebuilt(key: &(String, String)) -> bool {
    key.0.starts_with("machine#") || key.1.starts_with("region#")
}

fn assert_equal_but_for_what_is_documented(lost: &Items, rebuilt: &Items) {
    let keys = |items: &Items| -> BTreeSet<(String, String)> {
        items.keys().filter(|key| is_rebuilt(key)).cloned().collect()
    };
    assert_eq!(keys(lost), keys(rebuilt));
    let documented = documented();
    assert!(documented.len() > 20, "{documented:?}");
    let (mut met, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for key in keys(lost) {
        let (lost, rebuilt) = (&lost[&key], &rebuilt[&key]);
        let kinds = kinds(&key, lost);
        let mut fields = BTreeSet::new();
        differences("", Some(&sorted(lost)), Some(&sorted(rebuilt)), &mut fields);
        for field in fields {
            let is_of = |(of, documented): &&(String, String)| {
                let is_part = field.strip_prefix(documented.as_str());
                let is_part = is_part.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
                kinds.contains(&of.as_str()) && is_part
            };
            let rows: Vec<_> = documented.iter().filter(is_of).cloned().collect();
            if rows.is_empty() {
                unknown.insert(format!("{field} of {kinds:?}, as in {key:?}"));
            }
            met.extend(rows);
        }
    }
    let never: Vec<_> = documented.difference(&met).collect();
    let told = format!("documented, and had back all the same: {never:#?}");
    assert!(unknown.is_empty(), "not documented, and not had back: {unknown:#?}\n{told}");
    assert!(never.is_empty(), "{told}");
}

#[test]
fn the_ledger_is_made_new_field_by_field_and_the_system_goes_on() {
    scene::play(async |scene| {
        scene.lived().await;
        let lost = scene.items().await;
        let told = |item: &Map<String, Value>| {
            format!(
                "{} {} {}",
                item["id"],
                item["status"],
                item.get("reason").unwrap_or(&json!(""))
            )
        };
        let points = lost.iter().filter(|((_, sk), _)| is_point(sk));
        let points: Vec<String> = points.map(|(_, item)| told(item)).collect();
        assert_eq!(points.len(), 4 + 1 + 5, "{points:#?}");
        let protected = |point: &&String| point.contains("\"protected\"");
        assert_eq!(points.iter().filter(protected).count(), 10, "{points:#?}");
        let images = scene.images(HOME).await.len();
        scene.lose_the_table().await;
        let (overview, done) = scene.rebuild().await;
        assert_eq!(overview.found.unusable, [], "all of it is ours");
        let found: Vec<String> =
            overview.found.points.iter().map(|it| it.point.id.to_string()).collect();
        assert_eq!(found.len(), 4 + 1 + 5, "{found:#?} of {points:#?}");
        assert_eq!((done.points, done.replicas, done.left_alone), (10, 8, 0));
        let rebuilt = scene.items().await;
        assert_equal_but_for_what_is_documented(&lost, &rebuilt);

        // Once more, and nothing is left to do.
        let (again, done) = scene.rebuild().await;
        assert_eq!((again.known.len(), done), (10, Done::default()));
        assert_eq!(scene.items().await, rebuilt);

        for (_, summary) in rebuilt.iter().filter(|((_, sk), _)| sk == "machine") {
            let latest = summary.iter().filter(|(name, _)| name.starts_with("latest#"));
            for (name, latest) in latest {
                assert_eq!(latest["unverified"], json!(true), "{name}");
            }
        }

        // The system goes on: nothing is imaged twice, and nothing of ours is foreign.
        scene.policies(POLICIES).await;
        scene.pass(3 * 60).await;
        assert_eq!(scene.images(HOME).await.len(), images, "every slot had its point");
        assert_eq!(scene.foreign().await, BTreeSet::new());
        scene.pass(24 * 60).await;
        let points = scene.points().await;
        assert_eq!(points.len(), 10 + 8, "the next night of two schedules");
        let unverified = points.iter().filter(|point| point.contains_key("unverified"));
        assert_eq!(unverified.count(), 10);
        assert_eq!(scene.foreign().await, BTreeSet::new());
        let names: BTreeSet<String> =
            scene.available(HOME).await.into_iter().map(|image| image.name).collect();
        assert_eq!(names.len(), 4 + 1 + 4, "the images that were, and those of the next night");
    });
}

impl Scene {
    async fn plant_whole(
        &self,
        name: &str,
        snapshots: &[(&str, &str)],
        tags: &[(String, String)],
    ) -> String {
        let disks = snapshots.iter().map(|(device, snapshot)| {
            let ebs = ec2::EbsBlockDevice::builder().snapshot_id(*snapshot).build();
            ec2::BlockDeviceMapping::builder().device_name(*device).ebs(ebs).build()
        });
        let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let tags = ec2::TagSpecification::builder()
            .resource_type(ec2::ResourceType::Image)
            .set_tags(Some(tags));
        let made = self
            .ec2(HOME)
            .register_image()
            .name(name)
            .root_device_name("/dev/xvda")
            .architecture(ec2::ArchitectureValues::X8664)
            .virtualization_type("hvm")
            .set_block_device_mappings(Some(disks.collect()))
            .tag_specifications(tags.build());
        made.send().await.expect("an image is made").image_id().expect("it has an id").to_string()
    }

    /// A snapshot of another machine's root with these tags.
    async fn plant_stolen(&self, tags: &BTreeMap<String, String>) -> String {
        let other = self.machine(0).await;
        let shown = self.ec2(HOME).describe_instances().instance_ids(&other).send().await;
        let shown = shown.expect("it is described");
        let devices = shown.reservations()[0].instances()[0].block_device_mappings();
        let volume = devices[0].ebs().and_then(|ebs| ebs.volume_id()).expect("a volume");
        let stolen: Vec<ec2::Tag> = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let stolen = ec2::TagSpecification::builder()
            .resource_type(ec2::ResourceType::Snapshot)
            .set_tags(Some(stolen));
        let planted = self.ec2(HOME).create_snapshot().volume_id(volume);
        let planted = planted.tag_specifications(stolen.build()).send().await.expect("it is made");
        planted.snapshot_id().expect("it has an id").to_string()
    }
}

#[test]
fn what_tags_or_facts_do_not_vouch_for_is_told_and_not_rebuilt() {
    scene::play(async |scene| {
        scene.machine(1).await;
        scene.policies(scene::NIGHTLY).await;
        scene.pass(60).await;
        let ours = scene.available(HOME).await.remove(0);
        let snapshots = scene.snapshots(HOME).await;
        let root = snapshots.iter().find(|snap| {
            snap.tags["afterimage:devices-1"].contains(&format!("/dev/xvda={}", snap.volume))
        });
        let root = root.expect("a root").id.clone();
        let data =
            snapshots.iter().find(|snapshot| snapshot.id != root).expect("a disk").id.clone();
        let tags = |attempt: &str| -> Vec<(String, String)> {
            let mut tags = ours.tags.clone();
            tags.insert("afterimage:attempt".into(), attempt.into());
            tags.into_iter().collect()
        };
        let base = ours.name.trim_end_matches("-0").to_string();
        let both = [("/dev/xvda", root.as_str()), ("/dev/sdf", data.as_str())];
        // Our snapshots under another name; half of them; and one on the wrong device.
        let misnamed = scene.plant_whole("golden", &both, &tags("7")).await;
        let half = scene.plant_whole(&format!("{base}-8"), &both[..1], &tags("8")).await;
        let moved = [("/dev/xvda", root.as_str()), ("/dev/sdz", data.as_str())];
        let moved = scene.plant_whole(&format!("{base}-9"), &moved, &tags("9")).await;
        // A snapshot of somebody else's disk, with all the tags of ours.
        let planted = scene.plant_stolen(&snapshots[0].tags).await;
        // A copy that a user made of our image, with all its tags; and one with our tags and no
        // more.
        let copied = scene.ec2(IRELAND).copy_image().name("my own").source_region(HOME);
        let copied = copied.source_image_id(&ours.id).copy_image_tags(true).send().await;
        let copied = copied.expect("it is copied").image_id().expect("it has an id").to_string();
        let bare = vec![("afterimage:point".to_string(), base.clone())];
        let bare = scene.plant_whole("bare", &both, &bare).await;
        scene.pass(60).await;
        scene.lose_the_table().await;
        let (overview, done) = scene.rebuild().await;
        assert_eq!((done.points, done.replicas), (1, 2));
        let rebuilt = &overview.found.points[0];
        assert_eq!(rebuilt.point.image.as_ref().map(ToString::to_string), Some(ours.id));
        assert!(rebuilt.point.leftovers.is_empty(), "{:?}", rebuilt.point.leftovers);
        let whys: BTreeMap<&str, &str> = overview
            .found
            .unusable
            .iter()
            .map(|unusable| (unusable.artefact.as_str(), unusable.why.as_str()))
            .collect();
        let expected = [
            (&misnamed, "its name does not match"),
            (&half, "its block devices differ"),
            (&moved, "its block devices differ"),
            (&planted, "its volume is not among"),
            (&copied, "its name does not match"),
            (&bare, "tag afterimage:format is missing"),
        ];
        for (artefact, why) in expected {
            let told = whys.get(artefact.as_str());
            assert!(told.is_some_and(|told| told.starts_with(why)), "{artefact}: {told:?}");
        }
        // And the snapshot of the user's copy, which no replica is made of.
        assert_eq!(whys.len(), expected.len() + copies_of(&scene, &copied).await, "{whys:#?}");
    });
}

#[test]
fn a_point_whose_snapshots_have_lost_their_tag_is_rebuilt_by_its_image_and_says_so() {
    for all in [false, true] {
        scene::play(async |scene| {
            scene.machine(1).await;
            scene.policies(scene::NIGHTLY).await;
            scene.pass(60).await;
            let ours = scene.available(HOME).await.remove(0);
            let bare = if all { &ours.snapshots[..] } else { &ours.snapshots[..1] };
            for id in bare {
                let tags = aws_sdk_ec2::types::Tag::builder().key("afterimage:point").build();
                let call = scene.ec2(HOME).delete_tags().resources(id);
                // A clean-up may take one of our tags, or all.
                let call = if all { call } else { call.tags(tags) };
                call.send().await.expect("a tag is deleted");
            }
            scene.lose_the_table().await;
            let (overview, done) = scene.rebuild().await;
            let found = &overview.found;
            assert_eq!((done.points, done.replicas), (1, 2), "{:#?}", found.unusable);
            assert_eq!(found.unusable, []);
            let point = &found.points[0].point;
            assert_eq!(point.image.as_ref().map(ToString::to_string), Some(ours.id));
            assert_eq!(point.snapshots.len(), 2, "{point:#?}");
            let said: Vec<String> = point.findings.iter().map(ToString::to_string).collect();
            assert!(said.iter().any(|said| said.contains("(tag-gone)")), "{said:?}");
            let names = |id: &String| said.iter().any(|said| said.contains(id.as_str()));
            assert!(bare.iter().all(names), "{said:?}");
            scene.policies(scene::NIGHTLY).await;
            scene.pass(3 * 60).await;
            assert_eq!(scene.the_point().await["status"], "protected");
            assert_eq!(scene.images(HOME).await.len(), 1);
            assert_eq!(scene.foreign().await.len(), 1, "the tag is still to be put back");
        });
    }
}

#[test]
fn a_snapshot_that_an_image_of_somebody_else_maps_is_not_made_ours_by_it() {
    scene::play(async |scene| {
        scene.machine(1).await;
        scene.policies(scene::NIGHTLY).await;
        scene.pass(60).await;
        let ours = scene.available(HOME).await.remove(0);
        // An image under the next name, with all our tags, of a disk of another machine.
        let stolen = scene.plant_stolen(&BTreeMap::new()).await;
        scene.pass(5).await;
        let base = ours.name.trim_end_matches("-0").to_string();
        let mut tags = ours.tags.clone();
        tags.insert("afterimage:attempt".into(), "1".into());
        let tags: Vec<(String, String)> = tags.into_iter().collect();
        let disks = [("/dev/xvda", stolen.as_str())];
        let planted = scene.plant_whole(&format!("{base}-1"), &disks, &tags).await;
        scene.pass(60).await;
        scene.lose_the_table().await;
        let (overview, _) = scene.rebuild().await;
        let point = &overview.found.points[0].point;
        assert_eq!(point.image.as_ref().map(ToString::to_string), Some(ours.id));
        assert!(point.leftovers.is_empty(), "{:?}", point.leftovers);
        let told = overview.found.unusable.iter().map(|unusable| unusable.artefact.clone());
        assert!(told.collect::<Vec<_>>().contains(&planted), "{:?}", overview.found.unusable);
    });
}

async fn copies_of(scene: &Scene, image: &str) -> usize {
    let images = scene.images(IRELAND).await;
    let image = images.iter().find(|known| known.id == image).expect("it is there");
    let snapshots = scene.snapshots(IRELAND).await.into_iter();
    let tagged = snapshots.filter(|snapshot| snapshot.tags.contains_key("afterimage:point"));
    tagged.filter(|snapshot| image.snapshots.contains(&snapshot.id)).count()
}

#[test]
fn what_is_pending_is_left_for_the_next_run() {
    scene::play(async |scene| {
        scene.machine(0).await;
        scene.policies(scene::NIGHTLY).await;
        // Its image is there, and its copies are on their way.
        scene.pass(15).await;
        let copying = async |scene: &Scene| {
            let images = scene.images(IRELAND).await;
            images.iter().any(|image| image.state == "pending")
        };
        scene.pass_until(Duration::from_secs(60), Duration::from_secs(3600), copying).await;
        let lost = scene.items().await;
        scene.lose_the_table().await;
        let (early, done) = scene.rebuild().await;
        assert_eq!(done, Done::default());
        let whys: Vec<&str> = early.found.unusable.iter().map(|it| it.why.as_str()).collect();
        assert!(whys.iter().any(|why| why.starts_with("it is still pending")), "{whys:?}");
        scene.pass(60).await;
        let (_, done) = scene.rebuild().await;
        assert_eq!(done.points, 1, "{} items were lost", lost.len());
        assert_eq!(scene.the_point().await["unverified"], "true");
    });
}
