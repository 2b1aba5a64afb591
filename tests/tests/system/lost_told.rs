//! A finding of a loss says what is done about it, or why nothing is done.

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{
    self, EVERY_SIX_HOURS, FRANKFURT, HOME, INTO_IRELAND, IRELAND, Item, ON_STOP, Scene, codes,
};

const AN_HOUR: u64 = 60;
const PLACES: [&str; 3] = [HOME, IRELAND, FRANKFURT];

impl Scene {
    /// The open findings of lost images.
    async fn losses(&self) -> Vec<Item> {
        let mut found = self.open_findings().await;
        found.retain(|finding| codes(finding, "reason") == ["lost"]);
        found
    }

    /// The image of this region is lost and is not made again, and its finding says why.
    pub async fn assert_told(&self, region: &str, why: &str) {
        let mut found = self.losses().await;
        found.retain(|finding| finding["region"] == region);
        assert_eq!(found.len(), 1, "{region}: {found:#?}");
        let reason = &found[0]["reason"];
        assert!(!reason.contains("It is to be made again"), "{found:#?}");
        assert!(reason.contains("It is not made again"), "{found:#?}");
        assert!(reason.contains(why), "{why}: {found:#?}");
        assert!(reason.contains("Recycle Bin"), "{found:#?}");
    }

    /// A replica is lost three times, and is left to a person.
    async fn lose_again(&self, region: &str) {
        for _ in 0..3 {
            self.delete_images(region, true).await;
            self.pass(AN_HOUR).await;
        }
        assert_eq!(self.open_codes().await, ["lost-again"]);
    }

    /// The replica in Ireland is lost and may not be copied, and then the image is disabled that it
    /// would be copied from.
    async fn lose_ireland_and_its_source(&self) {
        let refused = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        self.fault(refused.action("CopyImage").region(IRELAND));
        self.delete_images(IRELAND, true).await;
        self.pass(AN_HOUR).await;
        self.disable_image(HOME).await;
    }

    async fn lose_everything(&self) {
        for region in PLACES {
            self.delete_images(region, true).await;
        }
        self.pass(3 * AN_HOUR).await;
    }
}

#[test]
fn what_a_terminated_machine_has_lost_is_not_said_to_be_made_again() {
    scene::play(async |scene| {
        let machine = scene.protect_one(ON_STOP).await;
        let call = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        call.send().await.expect("it is terminated");
        scene.pass(2 * AN_HOUR).await;
        scene.lose_everything().await;
        assert_eq!(scene.the_point().await["status"], "lost");
        scene.assert_told(HOME, &format!("EC2 does not show its machine {machine}")).await;
        for region in [IRELAND, FRANKFURT] {
            let why = "no image of the point is left to copy it from; it is copied again if the \
                       image in us-east-1 is made again";
            scene.assert_told(region, why).await;
        }
    });
}

#[test]
fn what_a_machine_has_lost_that_is_excluded_since_stays_lost_and_says_so() {
    scene::play(async |scene| {
        let machine = scene.protect_one(ON_STOP).await;
        let tags = scene.ec2(HOME).create_tags().resources(&machine);
        tags.tags(scene::tag("backup", "none")).send().await.expect("it is tagged");
        scene.lose_everything().await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "lost", "{point:#?}");
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
        scene.assert_told(HOME, "policy gold requires tag `backup` = `gold`").await;
        // Whoever selects it again has it made again.
        let tags = scene.ec2(HOME).create_tags().resources(&machine);
        tags.tags(scene::tag("backup", "gold")).send().await.expect("it is tagged");
        scene.pass(9 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.losses().await, Vec::<Item>::new());
    });
}

#[test]
fn what_is_lost_in_a_region_that_the_policy_has_given_up_is_not_said_to_be_made_again() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.policies(INTO_IRELAND).await;
        scene.delete_images(FRANKFURT, true).await;
        scene.pass(2 * AN_HOUR).await;
        scene.assert_told(FRANKFURT, "policy gold did not replicate to eu-central-1").await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

#[test]
fn what_a_machine_has_lost_that_was_excluded_is_made_again_within_an_hour_after_that() {
    let pausing = ON_STOP
        .replace("tags: {backup: gold}", "tags: {backup: gold}, exclude_tags: {pause: \"*\"}");
    scene::play(async |scene| {
        let machine = scene.protect_one(&pausing).await;
        let pause = scene.ec2(HOME).create_tags().resources(&machine);
        pause.tags(scene::tag("pause", "1")).send().await.expect("it is tagged");
        scene.lose_everything().await;
        scene.assert_told(HOME, "tag `pause`").await;
        let tag = aws_sdk_ec2::types::Tag::builder().key("pause").build();
        let call = scene.ec2(HOME).delete_tags().resources(&machine).tags(tag);
        call.send().await.expect("the tag is removed");
        scene.pass(AN_HOUR + 10).await;
        let told = scene.losses().await;
        assert!(told.iter().all(|finding| !finding["reason"].contains("pause")), "{told:#?}");
        assert_eq!(scene.count("CreateSnapshots", HOME), 2, "the point begins again");
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

/// Its machine has no root volume any more, so that it can begin again and nothing comes of it.
#[test]
fn a_point_that_can_make_nothing_of_its_machine_says_so_and_is_made_once_it_can() {
    scene::play(async |scene| {
        let machine = scene.protect_one(ON_STOP).await;
        let (volume, device) = scene.detach_root(&machine).await;
        scene.lose_everything().await;
        scene.assert_told(HOME, "began again on its machine, and came to nothing").await;
        scene.assert_told(HOME, "no volume is attached as root device").await;
        scene.pass(24 * AN_HOUR).await;
        assert_eq!(scene.losses().await.len(), 3, "it was lost once");
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "nothing is tried in vain");
        let call = scene.ec2(HOME).attach_volume().volume_id(&volume).instance_id(&machine);
        call.device(&device).send().await.expect("the disk is attached");
        scene.pass(8 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.losses().await, Vec::<Item>::new());
    });
}

/// What can be done about it changes after its finding was written.
#[test]
fn the_finding_of_a_place_that_was_lost_again_follows_what_is_left() {
    scene::play(async |scene| {
        let machine = scene.protect_one(ON_STOP).await;
        scene.lose_again(IRELAND).await;
        let call = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        call.send().await.expect("the machine is terminated");
        for region in [HOME, FRANKFURT] {
            scene.delete_images(region, true).await;
        }
        scene.pass(7 * AN_HOUR).await;
        let found = scene.open_findings().await;
        let told = found.iter().find(|it| it["region"] == IRELAND).expect("it is told");
        assert!(!told["reason"].contains("has it made again"), "heal refuses it: {told:#?}");
        assert!(told["reason"].contains("no image of the point is left"), "{told:#?}");
    });
}

#[test]
fn a_place_that_was_lost_again_is_left_to_a_person_for_as_long_as_it_takes() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.lose_again(IRELAND).await;
        let copies = scene.count("CopyImage", IRELAND);
        scene.pass(8 * 24 * AN_HOUR).await;
        assert_eq!(scene.open_codes().await, ["lost-again"]);
        assert_eq!(scene.count("CopyImage", IRELAND), copies, "nobody asked for it");
    });
}

/// Its copy is refused, the image that it would be copied from is disabled, and a newer point is
/// good.
#[test]
fn a_lost_image_whose_source_is_disabled_is_not_said_to_be_made_again_once_a_newer_is_good() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.lose_ireland_and_its_source().await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(6 * AN_HOUR).await;
        scene.no_more_faults();
        scene.pass(3 * AN_HOUR).await;
        let losses = scene.losses().await;
        assert_eq!(losses.len(), 1, "{losses:#?}");
        assert!(!losses[0]["reason"].contains("It is to be made again"), "{losses:#?}");
    });
}

#[test]
fn a_place_that_was_lost_again_is_given_up_once_its_policy_does_not_want_it() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.lose_again(FRANKFURT).await;
        scene.policies(INTO_IRELAND).await;
        scene.pass(100).await;
        let found = scene.open_findings().await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0]["reason"].contains("so that the place was given up"), "{found:#?}");
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

/// Two places cannot be used, and one of them can again.
#[test]
fn the_reason_of_a_point_is_not_about_a_place_that_can_be_used_again() {
    for first in [HOME, IRELAND] {
        scene::play(async |scene| {
            scene.protect_one(ON_STOP).await;
            for region in [HOME, IRELAND] {
                scene.disable_image(region).await;
                scene.pass(AN_HOUR).await;
            }
            let image = scene.images(first).await.remove(0).id;
            let call = scene.ec2(first).enable_image().image_id(&image);
            call.send().await.expect("it is enabled");
            scene.pass(2 * AN_HOUR).await;
            let point = scene.the_point().await;
            assert!(!point["reason"].contains(first), "{first} can be used: {point:#?}");
            let other = if first == HOME { IRELAND } else { HOME };
            assert!(point["reason"].contains(other), "{other} cannot be used: {point:#?}");
        });
    }
}

/// The image at home cannot be registered again for a day.
#[test]
fn a_replica_that_is_made_again_counts_while_the_image_at_home_waits() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let fails = Rule::fail(When::Before, 400, "InvalidRequest").action("RegisterImage");
        scene.fault(fails.region(HOME));
        scene.delete_images(HOME, false).await;
        scene.delete_images(FRANKFURT, true).await;
        scene.pass(4 * AN_HOUR).await;
        assert_eq!(scene.available(FRANKFURT).await.len(), 1, "it is copied from Ireland");
        let good = scene.good().await.expect("a replica is there");
        let replicas = good["replicas"].as_array().expect("a list");
        assert_eq!(replicas.len(), 2, "{good:#}");
    });
}

/// The only image that a lost one can be copied from is of no use for some time.
#[test]
fn a_lost_image_is_made_again_at_once_when_its_source_can_be_used_again() {
    for source in [HOME, IRELAND] {
        scene::play(async |scene| {
            scene.protect_one(ON_STOP).await;
            let image = scene.disable_image(source).await;
            scene.pass(AN_HOUR).await;
            let others = PLACES.into_iter().filter(|region| *region != source);
            for region in others {
                scene.delete_images(region, true).await;
            }
            scene.pass(AN_HOUR).await;
            let call = scene.ec2(source).enable_image().image_id(&image);
            call.send().await.expect("it is enabled");
            scene.pass(100).await;
            assert_eq!(scene.the_point().await["status"], "protected", "{source}");
        });
    }
}

/// The image that it would be copied from is disabled while the copy waits.
#[test]
fn a_lost_image_is_copied_from_another_place_if_its_source_is_disabled_meanwhile() {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.lose_ireland_and_its_source().await;
        scene.pass(2 * AN_HOUR).await;
        scene.no_more_faults();
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.available(IRELAND).await.len(), 1, "it is copied from Frankfurt");
    });
}
