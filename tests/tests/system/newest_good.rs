//! The newest point that one can recover from: the summary names it, whatever becomes unusable.
//! And what is said of an image that is enabled while its key cannot be used.

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{self, FRANKFURT, HOME, IRELAND, Launch, Scene, codes, disk, left_to_person};

const AN_HOUR: u64 = 60;

/// Into two regions, one of them under a key of the account.
const ONE_UNDER_A_KEY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped, min_interval: 1h}]
    replicate: [{region: eu-west-1}, {region: eu-central-1, kms_key: alias/dr}]
";

/// Into one region.
const INTO_ONE: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped, min_interval: 1h}]
    replicate: [{region: eu-west-1}]
";

impl Scene {
    /// Launches a machine with a disk under this key.
    async fn machine_under(&self, key: &str) -> String {
        let arn = format!("arn:aws:kms:{HOME}:{}:key/{key}", self.system.account);
        let disks = vec![disk("/dev/sdf", Some(&arn))];
        self.launch_one(Launch { disks, ..Launch::default() }).await
    }

    /// Stops a machine for a point, starts it again, and returns the id of the point.
    async fn make_point(&self, machine: &str) -> String {
        self.stop(machine).await;
        self.pass(2 * AN_HOUR).await;
        self.start(machine).await;
        let points = self.points().await;
        points.last().expect("a point")["id"].clone()
    }

    /// The point that the summary names as the newest good one.
    async fn good_point(&self) -> Option<String> {
        let good = self.good().await?;
        Some(good["point"].as_str().expect("an id").to_string())
    }
}

#[test]
fn an_older_point_is_named_when_a_key_takes_the_only_image_of_the_newest() {
    scene::play(async |scene| {
        let key = scene.make_key_in(HOME);
        let machine = scene.machine_under(&key).await;
        scene.policies(INTO_ONE).await;
        let older = scene.make_point(&machine).await;
        let no_copies = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("CopyImage");
        scene.fault(no_copies);
        let newer = scene.make_point(&machine).await;
        assert_ne!(older, newer);
        assert_eq!(scene.good_point().await, Some(newer.clone()), "it has its image at home");
        scene.disable(HOME, &key).await;
        scene.pass(2 * AN_HOUR).await;
        // Both have an image at home under the key. The older one has its replica as well.
        let good = scene.good().await.expect("the older point has a replica");
        assert_eq!(good["point"], older.as_str(), "{good:#}");
        assert_eq!(good["replicas"], serde_json::json!([IRELAND]), "{good:#}");
        assert_eq!(good["lost"], serde_json::json!([HOME]), "{good:#}");
        scene.enable(HOME, &key).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.good_point().await, Some(newer), "it can be used again");
    });
}

#[test]
fn an_older_point_is_named_when_a_key_takes_the_last_image_that_the_newest_has_left() {
    scene::play(async |scene| {
        let key = scene.make_key_in(FRANKFURT);
        let machine = scene.machine(0).await;
        scene.policies(&left_to_person(ONE_UNDER_A_KEY)).await;
        let older = scene.make_point(&machine).await;
        let newer = scene.make_point(&machine).await;
        for region in [HOME, IRELAND] {
            let images = scene.available(region).await;
            let image = images.iter().find(|image| image.name.starts_with(&newer));
            scene.deregister(region, image.expect("its image"), true).await;
        }
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.good_point().await, Some(newer.clone()), "its replica is left");
        scene.disable(FRANKFURT, &key).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.good_point().await, Some(older), "it has two images left");
        scene.enable(FRANKFURT, &key).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.good_point().await, Some(newer), "it can be used again");
    });
}

/// An image and its key are disabled, in this order, and the image is enabled.
fn enabled_under_a_disabled_key(region: &'static str, is_key_first: bool) {
    scene::play(async |scene| {
        let keys = [HOME, FRANKFURT].map(|region| (region, scene.make_key_in(region)));
        let machine = scene.machine_under(&keys[0].1).await;
        scene.policies(ONE_UNDER_A_KEY).await;
        scene.make_point(&machine).await;
        let key = keys.iter().find(|(of, _)| *of == region).expect("a key").1.clone();
        let image = scene.available(region).await.remove(0);
        let disable_image = async || {
            let call = scene.ec2(region).disable_image().image_id(&image.id);
            call.send().await.expect("it is disabled");
            scene.pass(2 * AN_HOUR).await;
        };
        if !is_key_first {
            disable_image().await;
        }
        scene.disable(region, &key).await;
        scene.pass(2 * AN_HOUR).await;
        if is_key_first {
            disable_image().await;
        }
        let told = scene.open_codes().await;
        assert!(told.contains(&"image-disabled".to_string()), "{told:?}");
        let call = scene.ec2(region).enable_image().image_id(&image.id);
        call.send().await.expect("it is enabled");
        scene.pass(AN_HOUR + 10).await;
        let told = format!("{region}, key first: {is_key_first}");
        assert_eq!(scene.open_codes().await, ["key-unusable"], "{told}");
        assert_eq!(codes(&scene.the_point().await, "reason"), ["key-unusable"], "{told}");
        scene.enable(region, &key).await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected", "{told}");
        assert_eq!(scene.open_codes().await, Vec::<String>::new(), "{told}");
    });
}

#[test]
fn an_image_that_is_enabled_while_its_key_is_disabled_is_not_said_to_be_disabled() {
    for is_key_first in [true, false] {
        enabled_under_a_disabled_key(HOME, is_key_first);
        enabled_under_a_disabled_key(FRANKFURT, is_key_first);
    }
}

/// The key of an image cannot be described, and the image is disabled and enabled again.
#[test]
fn an_image_that_is_enabled_under_a_key_that_nobody_may_describe_is_good_again() {
    scene::play(async |scene| {
        let key = scene.make_key_in(HOME);
        scene.make_key_in(FRANKFURT);
        let machine = scene.machine_under(&key).await;
        scene.policies(ONE_UNDER_A_KEY).await;
        scene.make_point(&machine).await;
        let rule = Rule::fail(When::Before, 400, "AccessDeniedException").action("DescribeKey");
        scene.fault(rule);
        for region in [HOME, FRANKFURT] {
            let image = scene.available(region).await.remove(0);
            let call = scene.ec2(region).disable_image().image_id(&image.id);
            call.send().await.expect("it is disabled");
            scene.pass(2 * AN_HOUR).await;
            assert_eq!(codes(&scene.the_point().await, "reason"), ["image-disabled"]);
            let call = scene.ec2(region).enable_image().image_id(&image.id);
            call.send().await.expect("it is enabled");
            scene.pass(AN_HOUR + 10).await;
            assert_eq!(scene.the_point().await["status"], "protected", "{region}");
            let told = scene.open_codes().await;
            assert!(!told.contains(&"image-disabled".to_string()), "{region}: {told:?}");
        }
    });
}
