//! Keys of copies that cannot be used: nothing is copied under them, so that no image fails, and
//! one look an hour shows when they can be used again.

use afterimage_cloud::deploy::Deployment;
use afterimage_cloud::faults::{Creation, Rule};

use crate::scene::{self, HOME, IRELAND, Launch, Scene};

/// Into one region, under a key of the account.
pub const UNDER_A_KEY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1, kms_key: alias/dr}]
";

const KEY: &str = "
Resources:
  Key: {Type: AWS::KMS::Key}
  Alias: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/dr, TargetKeyId: !Ref Key}}
";

const AN_HOUR: u64 = 60;
const A_DAY: u64 = 24 * AN_HOUR;

impl Scene {
    /// Makes the key of the copies, and returns its id.
    pub fn make_key(&self) -> String {
        self.make_key_in(IRELAND)
    }

    /// Makes a key that is `alias/dr` of a region, and returns its id.
    pub fn make_key_in(&self, region: &str) -> String {
        let (account, region) = (self.system.account.clone(), region.to_string());
        let stack_name = "keys".to_string();
        let deployment = Deployment { account, region, stack_name, ..Deployment::default() };
        let stack = self.cloud.deploy(KEY, deployment).expect("a key is made");
        stack.resources["Key"].clone()
    }

    pub fn kms(&self, region: &str) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.cloud.sdk_config(region))
    }

    pub async fn disable(&self, region: &str, key: &str) {
        self.kms(region).disable_key().key_id(key).send().await.expect("the key is disabled");
    }

    pub async fn enable(&self, region: &str, key: &str) {
        self.kms(region).enable_key().key_id(key).send().await.expect("the key is enabled");
    }

    async fn failed(&self) -> usize {
        let images = self.images(IRELAND).await;
        images.iter().filter(|image| image.state == "failed").count()
    }

    /// Number of calls of the functions so far: of EC2, of KMS and of the ledger.
    pub fn called(&self) -> [usize; 3] {
        ["ec2", "kms", "dynamodb"].map(|service| self.number_of(|call| call.service == service))
    }
}

/// Machines stop while the key of their copies is disabled, for so many days. No image fails; what
/// it costs does not depend on the days; and an hour after the key can be used, the copies begin.
fn disabled_for(machines: usize, days: u64) {
    scene::play(async |scene| {
        let key = scene.make_key();
        let mut fleet = Vec::new();
        while fleet.len() < machines {
            let count = i32::try_from((machines - fleet.len()).min(50)).expect("small");
            fleet.extend(scene.launch(Launch { count, ..Launch::default() }).await);
        }
        scene.policies(UNDER_A_KEY).await;
        scene.disable(IRELAND, &key).await;
        for some in fleet.chunks(500) {
            let stop = scene.ec2(HOME).stop_instances().set_instance_ids(Some(some.to_vec()));
            stop.send().await.expect("the machines stop");
        }
        let mut per_day = Vec::new();
        let mut before = scene.called();
        for _ in 0..days {
            scene.pass(A_DAY).await;
            let after = scene.called();
            per_day.push([0, 1, 2].map(|nth| after[nth] - before[nth]));
            println!("day {}: EC2, KMS and DynamoDB {:?}", per_day.len(), per_day.last());
            assert_eq!(scene.count("CopyImage", IRELAND), 0);
            scene.forget_calls();
            before = scene.called();
        }
        let failed = scene.failed().await;
        let (first, second, last) = (per_day[0], per_day[1], per_day[per_day.len() - 1]);
        println!(
            "key disabled for {days} days, {machines} machines: {failed} failed images; calls of \
             EC2, KMS and DynamoDB: first day {first:?}, second {second:?}, last {last:?}"
        );
        assert_eq!(scene.available(HOME).await.len(), machines);
        assert_eq!(failed, 0, "the key is read before anything is copied under it");
        for nth in 0..3 {
            assert!(last[nth] <= second[nth] + second[nth] / 20 + 2, "it grows: {per_day:?}");
        }
        let told = scene.findings().await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0]["reason"].contains("key alias/dr is Disabled"), "{told:#?}");
        scene.enable(IRELAND, &key).await;
        let enabled = scene.cloud.now();
        let minute = std::time::Duration::from_secs(60);
        // A look an hour, one copy that is waited for, and then one copy in two seconds.
        let bound = std::time::Duration::from_secs(2 * 3600 + 4 * machines as u64);
        scene
            .pass_until(minute, bound, async |scene| {
                scene.available(IRELAND).await.len() == machines
            })
            .await;
        let minutes = scene.cloud.now().since(enabled).as_secs() / 60;
        println!("{minutes} minutes from the key to the last of {machines} copies");
        scene.pass(15).await;
        let points = scene.points().await;
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        assert!(scene.findings().await[0].contains_key("resolved_at"), "it is over");
    });
}

#[test]
fn while_a_key_is_disabled_no_copy_is_tried_and_no_image_fails() {
    disabled_for(20, 3);
}

/// Takes minutes: it is played when the variable `AFTERIMAGE_LONG` is set.
#[test]
fn a_key_that_is_disabled_for_a_month_under_a_thousand_machines_leaves_no_failed_images() {
    if scene::is_long() {
        disabled_for(1_000, 30);
    }
}

#[test]
fn copies_under_a_key_that_is_still_to_be_made_wait_for_it() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        scene.stop(&machine).await;
        scene.pass(5 * AN_HOUR).await;
        let told = scene.findings().await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0]["reason"].contains("key alias/dr does not exist"), "{told:#?}");
        assert_eq!(scene.count("CopyImage", IRELAND), 0);
        scene.make_key();
        scene.pass(AN_HOUR + 30).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.images(IRELAND).await.len(), 1);
    });
}

/// The first copy waits for a key, or one that was lost does; and the policy names another key.
#[test]
fn copies_that_wait_for_a_key_are_made_under_the_one_that_the_policy_names_by_now() {
    let under_the_old = UNDER_A_KEY.replace("alias/dr", "alias/old");
    for is_lost in [false, true] {
        scene::play(async |scene| {
            let machine = scene.machine(0).await;
            let key = scene.make_key();
            scene.policies(if is_lost { UNDER_A_KEY } else { &under_the_old }).await;
            scene.stop(&machine).await;
            scene.pass(2 * AN_HOUR).await;
            if is_lost {
                let call = scene.kms(IRELAND).delete_alias().alias_name("alias/dr");
                call.send().await.expect("the alias is deleted");
                let image = scene.available(IRELAND).await.remove(0);
                scene.deregister(IRELAND, &image, true).await;
                scene.pass(2 * AN_HOUR).await;
            }
            assert_eq!(scene.available(IRELAND).await.len(), 0, "the copy waits for its key");
            let arn = format!("arn:aws:kms:{IRELAND}:{}:key/{key}", scene.system.account);
            scene.policies(&UNDER_A_KEY.replace("alias/dr", &arn)).await;
            scene.pass(AN_HOUR + 30).await;
            let point = scene.the_point().await;
            assert_eq!(point["status"], "protected", "{is_lost}: {point:#?}");
            let copy = scene.available(IRELAND).await.remove(0);
            let call = scene.ec2(IRELAND).describe_snapshots().snapshot_ids(&copy.snapshots[0]);
            let seen = call.send().await.expect("it is described");
            assert_eq!(seen.snapshots()[0].kms_key_id(), Some(arn.as_str()), "{is_lost}");
            assert_eq!(scene.open_codes().await, Vec::<String>::new(), "{is_lost}");
        });
    }
}

#[test]
fn a_cause_that_no_read_shows_is_tried_once_a_day_in_the_end() {
    scene::play(async |scene| {
        scene.make_key();
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        let broken = Rule::fail_creation(&[Creation::ImageCopy], "Given key ID is not accessible.");
        scene.fault(broken.region(IRELAND));
        scene.stop(&machine).await;
        scene.pass(3 * A_DAY).await;
        let failed = scene.failed().await;
        println!("{failed} failed images in three days");
        assert!((3..=6).contains(&failed), "{failed}");
        scene.no_more_faults();
        scene.pass(A_DAY + AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

/// The key policy of SECURITY.md that lets the roles of the functions in, by name.
fn naming_the_roles() -> serde_json::Value {
    let document = include_str!("../../../SECURITY.md");
    let mut blocks = document.split("```json\n").filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.contains("AfterimageCopies")).expect("it is there");
    let policy = block.replace("role/backup-admin", "user/administrator");
    serde_json::from_str(&policy).expect("it is JSON")
}

/// Stops a machine whose copies are under a key with that policy, and returns the status of its
/// point some hours later.
fn copied_under(policy: &serde_json::Value) -> String {
    scene::play(async |scene| {
        let key = scene.make_key();
        let put = scene.kms(IRELAND).put_key_policy().key_id(key).policy(policy.to_string());
        put.send().await.expect("the policy is put");
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        scene.stop(&machine).await;
        scene.pass(5 * AN_HOUR).await;
        scene.the_point().await["status"].clone()
    })
}

#[test]
fn a_key_policy_that_names_the_roles_lets_them_copy_and_each_part_of_it_is_needed() {
    let policy = naming_the_roles();
    assert_eq!(copied_under(&policy), "protected");
    for part in ["AfterimageLooks", "AfterimageCopies", "AfterimageGrants"] {
        let mut less = policy.clone();
        let statements = less["Statement"].as_array_mut().expect("it has statements");
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != part);
        assert_eq!(statements.len(), before - 1, "{part}");
        assert_eq!(copied_under(&less), "imaged", "without {part}");
    }
}
