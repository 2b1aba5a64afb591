//! Images that come back from the Recycle Bin and cannot be used: they are disabled, or under a key
//! that cannot be used.

use crate::keys::UNDER_A_KEY;
use crate::recycle_bin::play;
use crate::scene::{HOME, IRELAND, ON_STOP, codes};

const TWO_HOURS: u64 = 120;
const A_DAY: u64 = 24 * 60;

#[test]
fn an_image_that_is_restored_and_disabled_after_another_was_made_is_told() {
    for region in [HOME, IRELAND] {
        play(async |scene| {
            scene.protect_one(ON_STOP).await;
            let lost = scene.available(region).await.remove(0);
            let call = scene.ec2(region).disable_image().image_id(&lost.id);
            call.send().await.expect("it is disabled");
            scene.deregister(region, &lost, region != HOME).await;
            scene.pass(2 * TWO_HOURS).await;
            assert_eq!(scene.the_point().await["status"], "protected", "{region}");
            let instead = scene.point_image(region).await;
            match region == HOME {
                true => {
                    let call = scene.ec2(region).restore_image_from_recycle_bin();
                    drop(call.image_id(&lost.id).send().await.expect("it is restored"));
                }
                false => scene.restore(region, &lost).await,
            }
            scene.pass(75).await;
            assert_eq!(scene.open_codes().await, ["surplus"], "{region}");
            let told = &scene.open_findings().await[0]["reason"];
            for word in [&lost.id, &instead, "lists it as disabled", "not needed"] {
                assert!(told.contains(word), "{word}: {told}");
            }
            assert_eq!(scene.point_image(region).await, instead);
            scene.deregister(region, &lost, region != HOME).await;
            scene.pass(75).await;
            assert_eq!(scene.open_codes().await, Vec::<String>::new(), "{region}");
        });
    }
}

#[test]
fn an_image_that_is_not_needed_is_told_also_when_it_has_lost_our_tag() {
    play(async |scene| {
        scene.protect_one(ON_STOP).await;
        let lost = scene.available(IRELAND).await.remove(0);
        scene.deregister(IRELAND, &lost, true).await;
        scene.pass(TWO_HOURS).await;
        scene.restore(IRELAND, &lost).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.open_codes().await, ["surplus"]);
        let tag = aws_sdk_ec2::types::Tag::builder().key("afterimage:point").build();
        let clean_up = scene.ec2(IRELAND).delete_tags().resources(&lost.id).tags(tag);
        clean_up.send().await.expect("the tag is removed");
        scene.pass(2 * TWO_HOURS).await;
        assert_eq!(scene.open_codes().await, ["surplus"], "it is still there");
        scene.deregister(IRELAND, &lost, true).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.open_codes().await, Vec::<String>::new());
    });
}

#[test]
fn an_image_that_is_restored_under_a_disabled_key_is_of_no_use_at_once() {
    play(async |scene| {
        let key = scene.make_key();
        let machine = scene.machine(0).await;
        scene.policies(UNDER_A_KEY).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        scene.disable(IRELAND, &key).await;
        scene.pass(A_DAY).await;
        let lost = scene.available(IRELAND).await.remove(0);
        scene.deregister(IRELAND, &lost, true).await;
        scene.pass(TWO_HOURS + 60).await;
        scene.restore(IRELAND, &lost).await;
        for _ in 0..18 {
            scene.pass(10).await;
            let told = scene.open_codes().await;
            assert!(!told.contains(&"not-audited".to_string()), "{told:?}");
        }
        assert_eq!(codes(&scene.the_point().await, "reason"), ["key-unusable"]);
        scene.enable(IRELAND, &key).await;
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "protected");
        assert_eq!(scene.point_image(IRELAND).await, lost.id);
    });
}
