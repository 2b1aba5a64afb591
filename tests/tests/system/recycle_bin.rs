//! Images that were lost and are restored from the Recycle Bin: their places are good again, and
//! nothing is made for them.

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{
    self, EVERY_SIX_HOURS, FRANKFURT, HOME, INTO_IRELAND, IRELAND, Image, Launch, ON_STOP,
    SNAPSHOTS, Scene, Stage, TWICE_A_YEAR, disk, left_to_person,
};

const TWO_HOURS: u64 = 120;
const A_DAY: u64 = 24 * 60;

const PLACES: [&str; 3] = [HOME, IRELAND, FRANKFURT];

pub fn play(scene: impl AsyncFnOnce(Scene)) {
    let mut stage = Stage::default();
    stage.config.recycle_bin_days = 30;
    scene::play_on(stage, scene);
}

impl Scene {
    /// Restores an image, its snapshots first, as the advice in the finding has it.
    pub async fn restore(&self, region: &str, image: &Image) {
        let client = self.ec2(region);
        for snapshot in &image.snapshots {
            self.restore_snapshot(region, snapshot).await;
        }
        let call = client.restore_image_from_recycle_bin().image_id(&image.id);
        call.send().await.expect("an image is restored");
    }

    /// Restores these images, and waits until that was noticed.
    async fn restore_all(&self, lost: &[(&str, Image)]) {
        for (region, image) in lost {
            self.restore(region, image).await;
        }
        self.pass(TWO_HOURS).await;
    }

    async fn restore_snapshot(&self, region: &str, snapshot: &str) {
        let call = self.ec2(region).restore_snapshot_from_recycle_bin().snapshot_id(snapshot);
        call.send().await.expect("a snapshot is restored");
    }

    /// The image that the only point has in a region, or that is being made there, as the ledger
    /// tells.
    pub async fn image_in(&self, region: &str) -> Option<String> {
        if region == HOME {
            return self.the_point().await.get("image").cloned();
        }
        let items = self.ledger().await.into_iter();
        let mut replicas = items.filter(|item| item["sk"].ends_with(&format!("replica#{region}")));
        replicas.next()?.get("image").cloned()
    }

    pub async fn point_image(&self, region: &str) -> String {
        self.image_in(region).await.expect("it has an image there")
    }

    /// The number of calls that have made something, by us, everywhere.
    fn made(&self) -> usize {
        let makes = ["CopyImage", "RegisterImage", "CreateImage", "CreateSnapshots"];
        self.calls().iter().filter(|call| makes.contains(&call.action.as_str())).count()
    }
}

#[test]
fn images_that_are_restored_are_good_again_and_nothing_is_made() {
    play(async |scene| {
        scene.protect_one(&left_to_person(ON_STOP)).await;
        let lost = [
            (HOME, scene.available(HOME).await.remove(0)),
            (IRELAND, scene.available(IRELAND).await.remove(0)),
        ];
        for (region, image) in &lost {
            scene.deregister(region, image, true).await;
        }
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.open_codes().await, ["lost", "lost"]);
        let made = scene.made();
        scene.restore_all(&lost).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert!(!point.contains_key("lost"), "{point:#?}");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
        assert_eq!(scene.good().await.expect("it is good")["image"], lost[0].1.id);
        scene.assert_true().await;
        scene.pass(A_DAY).await;
        assert_eq!(scene.made(), made, "nothing is made");
        scene.assert_protected_once(2).await;
        // It is watched as before.
        scene.deregister(IRELAND, &lost[1].1, true).await;
        scene.pass(20).await;
        assert_eq!(scene.open_codes().await, ["lost"]);
    });
}

/// The image of a place is lost and made again; then the first one is restored, and the other is
/// lost.
async fn restored_before_the_other_is_lost(scene: &Scene, region: &str, policies: &str) -> Image {
    scene.protect_one(ON_STOP).await;
    let first = scene.available(region).await.remove(0);
    scene.deregister(region, &first, true).await;
    scene.pass(TWO_HOURS).await;
    let other = scene.available(region).await.remove(0);
    assert_ne!(other.id, first.id);
    scene.restore(region, &first).await;
    scene.pass(TWO_HOURS).await;
    assert_eq!(scene.open_codes().await, ["surplus"], "{region}");
    scene.policies(policies).await;
    let made = scene.made();
    scene.deregister(region, &other, true).await;
    scene.pass(TWO_HOURS).await;
    assert_eq!(scene.made(), made, "{region}: it is there");
    first
}

#[test]
fn an_image_that_was_restored_before_takes_the_place_of_the_one_that_is_lost() {
    for region in [HOME, IRELAND] {
        for policies in [ON_STOP.to_string(), left_to_person(ON_STOP)] {
            play(async |scene| {
                let first = restored_before_the_other_is_lost(&scene, region, &policies).await;
                assert_eq!(scene.the_point().await["status"], "protected", "{region}");
                assert_eq!(scene.point_image(region).await, first.id, "{region}");
                assert_eq!(scene.open_codes().await, Vec::<String>::new(), "{region}");
                scene.assert_true().await;
            });
        }
    }
}

#[test]
fn an_image_that_is_restored_after_its_place_was_given_up_is_good_once_that_is_wanted_again() {
    play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let lost = scene.available(FRANKFURT).await.remove(0);
        scene.policies(INTO_IRELAND).await;
        scene.deregister(FRANKFURT, &lost, true).await;
        scene.pass(TWO_HOURS).await;
        scene.restore(FRANKFURT, &lost).await;
        scene.pass(TWO_HOURS).await;
        let made = scene.made();
        scene.policies(ON_STOP).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.made(), made, "it is there");
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.point_image(FRANKFURT).await, lost.id);
        assert!(!scene.open_codes().await.contains(&"lost".to_string()));
    });
}

#[test]
fn everything_that_was_lost_for_good_can_be_restored() {
    play(async |scene| {
        let machine = scene.protect_one(ON_STOP).await;
        let call = scene.ec2(HOME).terminate_instances().instance_ids(&machine);
        call.send().await.expect("the machine is terminated");
        let mut lost = Vec::new();
        for region in PLACES {
            lost.push((region, scene.available(region).await.remove(0)));
        }
        for (region, image) in &lost {
            scene.deregister(region, image, true).await;
        }
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "lost");
        let made = scene.made();
        scene.restore_all(&lost).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        // Its machine is gone.
        assert_eq!(scene.open_codes().await, ["policy-matches-nothing"]);
        assert_eq!(scene.made(), made, "nothing is made");
        assert!(scene.good().await.is_some(), "it can be recovered from");
    });
}

impl Scene {
    /// Deletes all images of a point, which begins again and may make no snapshots. Returns the
    /// images.
    async fn lose_all(&self) -> Vec<(&'static str, Image)> {
        let denied = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        self.fault(denied.action("CreateSnapshots"));
        let mut lost = Vec::new();
        for region in PLACES {
            let image = self.available(region).await.remove(0);
            self.deregister(region, &image, true).await;
            lost.push((region, image));
        }
        self.pass(30).await;
        assert_eq!(self.the_point().await["status"], "requested", "it begins again");
        lost
    }
}

#[test]
fn images_that_are_restored_after_their_point_could_not_begin_again_are_good() {
    play(async |scene| {
        let at_rest = ON_STOP.replace("    triggers", "    consistency: at-rest\n    triggers");
        let machine = scene.protect_one(&at_rest).await;
        let before = scene.the_point().await;
        let lost = scene.lose_all().await;
        scene.start(&machine).await;
        scene.no_more_faults();
        scene.pass(TWO_HOURS).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "lost", "{point:#?}");
        let told = scene.open_findings().await;
        assert_eq!(told.len(), PLACES.len(), "{told:#?}");
        for finding in &told {
            let text = &finding["reason"];
            assert!(text.contains("It is not made again"), "{text}");
        }
        let made = scene.made();
        scene.restore_all(&lost).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        for same in ["taken_at", "grade", "image", "snapshots"] {
            assert_eq!(point[same], before[same], "{same}");
        }
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
        assert_eq!(scene.good().await.expect("it is good")["image"], lost[0].1.id);
        assert_eq!(scene.made(), made, "nothing is made");
        scene.assert_true().await;
    });
}

#[test]
fn an_image_that_is_restored_while_its_point_begins_again_is_good() {
    play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let lost = scene.lose_all().await;
        let (region, image) = &lost[1];
        scene.restore(region, image).await;
        scene.pass(75).await;
        let good = scene.good().await.expect("it is good");
        let replicas = good["replicas"].as_array().expect("a list");
        assert!(replicas.iter().any(|known| known == region), "{good:#}");
        scene.no_more_faults();
        scene.pass(2 * TWO_HOURS).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(scene.point_image(region).await, image.id);
        assert_eq!(scene.count("CreateSnapshots", HOME), 1, "its data is that of the restored one");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
        scene.assert_true().await;
    });
}

/// Nothing can be made for a day, because the key of the disks is disabled.
#[test]
fn a_point_that_cannot_begin_again_for_a_day_is_made_once_it_can() {
    play(async |scene| {
        let key = scene.make_key_in(HOME);
        let arn = format!("arn:aws:kms:{HOME}:{}:key/{key}", scene.system.account);
        let disks = vec![disk("/dev/sdf", Some(&arn))];
        let machine = scene.launch_one(Launch { disks, ..Launch::default() }).await;
        scene.policies(ON_STOP).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        scene.disable(HOME, &key).await;
        for region in PLACES {
            scene.delete_images(region, true).await;
        }
        scene.pass(A_DAY).await;
        let told = scene.open_codes().await;
        assert!(!told.contains(&"lost-again".to_string()), "{told:?}");
        assert!(scene.count("CreateSnapshots", HOME) <= 2, "it is tried once at most");
        scene.enable(HOME, &key).await;
        scene.pass(TWO_HOURS + 60).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
        scene.assert_true().await;
    });
}

/// The place of a replica is given up after its image was lost.
#[test]
fn an_image_that_is_restored_in_a_place_that_was_given_up_is_good() {
    play(async |scene| {
        let policies = left_to_person(ON_STOP);
        scene.protect_one(&policies).await;
        let lost = scene.available(IRELAND).await.remove(0);
        scene.deregister(IRELAND, &lost, true).await;
        scene.pass(TWO_HOURS).await;
        scene.policies(&policies.replace("{region: eu-west-1}, ", "")).await;
        scene.pass(8 * 60).await;
        let made = scene.made();
        scene.restore(IRELAND, &lost).await;
        scene.pass(TWO_HOURS).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        assert_eq!(scene.point_image(IRELAND).await, lost.id, "{point:#?}");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
        assert_eq!(scene.made(), made, "nothing is made");
        scene.assert_true().await;
    });
}

/// The place in Ireland was not made again before a newer point was good.
#[test]
fn an_image_with_other_data_than_its_point_has_by_now_is_not_called_gone() {
    play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let refused = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        scene.fault(refused.action("CopyImage").region(IRELAND));
        let first = &scene.available(IRELAND).await[0];
        for region in PLACES {
            scene.delete_images(region, true).await;
        }
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 2, "it has other data");
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(7 * 60).await;
        scene.no_more_faults();
        scene.pass(TWO_HOURS).await;
        scene.restore(IRELAND, first).await;
        scene.pass(TWO_HOURS).await;
        let told = scene.open_findings().await;
        let of_image: Vec<_> = told.iter().filter(|it| it["artefact"] == first.id).collect();
        assert_eq!(of_image.len(), 1, "{told:#?}");
        assert!(of_image[0]["reason"].contains("EC2 lists it as available"), "{told:#?}");
        assert!(of_image[0]["reason"].contains("surplus"), "{told:#?}");
    });
}

/// All tries to make an image again fail, so that the next is made a day later.
#[test]
fn an_image_that_is_restored_while_its_place_waits_a_day_is_good() {
    for (region, action) in [(HOME, "RegisterImage"), (IRELAND, "CopyImage")] {
        play(async |scene| {
            scene.protect_one(ON_STOP).await;
            let lost = scene.available(region).await.remove(0);
            let fails = Rule::fail(When::Before, 400, "InvalidRequest").action(action);
            scene.fault(fails.region(region));
            scene.deregister(region, &lost, region != HOME).await;
            scene.pass(6 * 60).await;
            let good = scene.good().await;
            let call = scene.ec2(region).restore_image_from_recycle_bin();
            match region == HOME {
                true => drop(call.image_id(&lost.id).send().await.expect("it is restored")),
                false => scene.restore(region, &lost).await,
            }
            scene.pass(75).await;
            let point = scene.the_point().await;
            assert_eq!(point["status"], "protected", "{region}: before {good:#?}: {point:#?}");
            assert_eq!(scene.point_image(region).await, lost.id);
            scene.assert_true().await;
        });
    }
}

/// What is disabled before it is deregistered comes back disabled.
#[test]
fn an_image_that_is_restored_and_disabled_is_told_as_disabled() {
    for region in [HOME, IRELAND] {
        play(async |scene| {
            scene.protect_one(&left_to_person(ON_STOP)).await;
            let lost = scene.available(region).await.remove(0);
            let call = scene.ec2(region).disable_image().image_id(&lost.id);
            call.send().await.expect("it is disabled");
            scene.deregister(region, &lost, true).await;
            scene.pass(TWO_HOURS).await;
            assert_eq!(scene.open_codes().await, ["lost"], "{region}");
            scene.restore(region, &lost).await;
            scene.pass(75).await;
            let told = scene.the_point().await;
            assert_eq!(scene.open_codes().await, ["image-disabled"], "{region}: {told:#?}");
            let call = scene.ec2(region).enable_image().image_id(&lost.id);
            call.send().await.expect("it is enabled");
            scene.pass(75).await;
            assert_eq!(scene.the_point().await["status"], "protected", "{region}");
            assert_eq!(scene.open_codes().await, Vec::<String>::new(), "{region}");
            scene.assert_true().await;
        });
    }
}

#[test]
fn the_images_of_an_older_point_are_good_again() {
    play(async |scene| {
        scene.machine(1).await;
        scene.policies(EVERY_SIX_HOURS).await;
        scene.pass(13 * 60).await;
        scene.policies(TWICE_A_YEAR).await;
        let mut lost = Vec::new();
        for region in [HOME, IRELAND] {
            let images = scene.available(region).await;
            assert_eq!(images.len(), 2, "two points");
            let oldest = images.into_iter().min_by_key(|image| image.name.clone());
            lost.push((region, oldest.expect("an image")));
        }
        for (region, image) in &lost {
            scene.deregister(region, image, true).await;
        }
        scene.pass(A_DAY).await;
        let told = scene.points().await;
        assert!(told.iter().any(|point| point["status"] == "lost"), "{told:#?}");
        let made = scene.made();
        scene.restore_all(&lost).await;
        let points = scene.points().await;
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
        let newest = points.iter().max_by_key(|point| point["requested_at"].clone());
        let newest = &newest.expect("a point")["id"];
        assert_eq!(scene.good().await.expect("one is good")["point"], **newest);
        assert_eq!(scene.made(), made, "nothing is made");
    });
}

#[test]
fn images_that_are_restored_after_others_were_made_are_ours_and_change_nothing() {
    for policies in [ON_STOP, scene::CREATED] {
        play(async |scene| {
            scene.protect_one(policies).await;
            let mut lost = Vec::new();
            for region in PLACES {
                lost.push((region, scene.available(region).await.remove(0)));
            }
            // The home image is copied back, and then one replica is made of another place.
            for (region, image) in &lost[..2] {
                scene.deregister(region, image, true).await;
                scene.pass(2 * TWO_HOURS).await;
                assert_eq!(scene.the_point().await["status"], "protected");
            }
            let (made, before) = (scene.made(), scene.the_point().await);
            for (region, image) in &lost[..2] {
                for snapshot in &image.snapshots {
                    scene.restore_snapshot(region, snapshot).await;
                }
            }
            scene.pass(TWO_HOURS).await;
            for (region, image) in &lost[..2] {
                let call = scene.ec2(region).restore_image_from_recycle_bin();
                call.image_id(&image.id).send().await.expect("an image is restored");
            }
            scene.pass(A_DAY).await;
            let told = scene.open_findings().await;
            assert_eq!(scene.open_codes().await, ["surplus", "surplus"]);
            for (region, image) in &lost[..2] {
                let of_image = told.iter().find(|finding| finding["artefact"] == image.id);
                let text = &of_image.expect("it is told")["reason"];
                let now = &scene.point_image(region).await;
                let says = [*region, now, "EC2 lists it", "made at 2026-01-01", "deregister"];
                assert!(says.iter().all(|word| text.contains(word)), "{says:?}: {text}");
                assert!(!text.contains("restored"), "nothing tells who did it: {text}");
            }
            let after = scene.the_point().await;
            for member in ["status", "image", "replicas", "home_place"] {
                assert_eq!(after.get(member), before.get(member), "{member}");
            }
            assert_eq!(scene.made(), made, "nothing is made");
            for (region, image) in &lost[..2] {
                let there = scene.available(region).await;
                assert!(there.iter().any(|there| there.id == image.id), "nothing is deleted");
                scene.deregister(region, image, true).await;
            }
            scene.pass(TWO_HOURS).await;
            assert_eq!(scene.open_codes().await, Vec::<String>::new(), "a person did it");
        });
    }
}

#[test]
fn an_image_that_is_restored_while_it_is_made_again_is_not_foreign() {
    play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let home = scene.available(HOME).await.remove(0);
        let ireland = scene.available(IRELAND).await.remove(0);
        for (region, image) in [(HOME, &home), (IRELAND, &ireland)] {
            scene.deregister(region, image, true).await;
        }
        let is_begun = async |scene: &Scene| {
            scene.count("CopyImage", HOME) == 1 && scene.count("CopyImage", IRELAND) == 2
        };
        let step = std::time::Duration::from_secs(10);
        scene.pass_until(step, step * 360, is_begun).await;
        for (region, image) in [(HOME, &home), (IRELAND, &ireland)] {
            scene.restore(region, image).await;
        }
        for _ in 0..24 {
            scene.pass(60).await;
            let codes = scene.open_codes().await;
            assert!(!codes.contains(&"foreign".to_string()), "{codes:?}");
        }
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, ["surplus", "surplus"], "each place has another");
        assert_eq!((scene.count("CopyImage", HOME), scene.count("CopyImage", IRELAND)), (1, 2));
    });
}

#[test]
fn snapshots_that_are_restored_are_the_point_again() {
    play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(&left_to_person(SNAPSHOTS)).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        let snapshots = scene.snapshots(HOME).await;
        for snapshot in &snapshots {
            let call = scene.ec2(HOME).delete_snapshot().snapshot_id(&snapshot.id);
            call.send().await.expect("a snapshot is deleted");
        }
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "lost");
        for snapshot in &snapshots {
            scene.restore_snapshot(HOME, &snapshot.id).await;
        }
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
        assert_eq!(scene.count("CreateSnapshots", HOME), 1);
    });
}

/// An image is lost while its region makes none, and is restored before it is made again.
fn restored_before_the_call(region: &str, action: &str) {
    play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let refused = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        scene.fault(refused.action(action).region(region));
        let image = scene.available(region).await.remove(0);
        scene.deregister(region, &image, region != HOME).await;
        scene.pass(TWO_HOURS).await;
        assert!(scene.strikes()[0] > 0, "it is to be made again");
        match region {
            HOME => {
                let call = scene.ec2(HOME).restore_image_from_recycle_bin().image_id(&image.id);
                call.send().await.expect("an image is restored");
            }
            _ => scene.restore(region, &image).await,
        }
        scene.no_more_faults();
        scene.pass(A_DAY).await;
        let there = scene.available(region).await;
        assert_eq!(there.len(), 1, "{there:#?}");
        assert_eq!(there[0].id, image.id);
        scene.assert_protected_once(2).await;
        let codes = scene.open_codes().await;
        // An obstacle ends with a call that passes it, and none is made.
        assert!(codes.iter().all(|code| code.ends_with("-held-up")), "{codes:?}");
        scene.assert_true().await;
    });
}

#[test]
fn an_image_that_is_restored_before_its_copy_is_begun_is_not_copied() {
    restored_before_the_call(IRELAND, "CopyImage");
}

#[test]
fn an_image_that_is_restored_before_it_is_registered_again_is_not_registered() {
    restored_before_the_call(HOME, "RegisterImage");
}

#[test]
fn an_image_that_is_not_needed_is_told_again_by_a_ledger_that_was_put_back() {
    play(async |scene| {
        let saved = scene.save().await;
        scene.protect_one(ON_STOP).await;
        let home = scene.available(HOME).await.remove(0);
        for region in PLACES {
            scene.delete_images(region, true).await;
        }
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.count("CreateSnapshots", HOME), 2, "the point began again");
        scene.restore(HOME, &home).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.open_codes().await, ["surplus"]);
        scene.put_back(&saved).await;
        scene.policies(ON_STOP).await;
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        let now = scene.point_image(HOME).await;
        let other = scene.available(HOME).await.into_iter().find(|image| image.id != now);
        let other = other.expect("there are two images at home").id;
        let told = scene.open_findings().await;
        let of_image = told.iter().find(|finding| finding["artefact"] == other);
        let text = &of_image.unwrap_or_else(|| panic!("{other} is not told: {told:#?}"))["reason"];
        assert!(text.contains("surplus") && text.contains(&now), "{text}");
        scene.deregister(HOME, &Image { id: other.clone(), ..home }, true).await;
        scene.pass(TWO_HOURS).await;
        let told = scene.open_findings().await;
        assert!(told.iter().all(|finding| finding["artefact"] != other), "{told:#?}");
    });
}
