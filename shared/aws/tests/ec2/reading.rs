//! What is read is read to its last page, or not at all; and an empty question is not asked.

use std::time::Duration;

use afterimage_aws::ec2::{Find, READ_TIMEOUT};
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::ids::{AmiId, InstanceId, SnapshotId};
use afterimage_core::machine::State;
use afterimage_core::names::TAG_POINT;
use afterimage_core::observed::{ImageState, SnapshotState};
use afterimage_core::slot::PointId;
use aws_sdk_ec2::types::ResourceType;

use super::{
    AMAZON_LINUX, AWAY, HOME, ec2, fault, machine, machine_of, plain, region, sent, tags_for,
    timed, world, world_with,
};

/// A name of a point that there might be.
fn point(number: u32) -> PointId {
    PointId::parse(&format!("nightly-{number:017x}-at-20260115T030000Z")).expect("it is an id")
}

/// An image with its snapshot, which carry the tag of a point, both complete.
async fn tagged_image(
    cloud: &afterimage_cloud::Cloud,
    machine: &InstanceId,
    name: &str,
    point: &PointId,
) -> AmiId {
    let tag = [(TAG_POINT, point.as_str())];
    let made = plain(cloud, HOME)
        .create_image()
        .instance_id(machine.as_str())
        .name(name)
        .no_reboot(true)
        .tag_specifications(tags_for(ResourceType::Image, &tag))
        .tag_specifications(tags_for(ResourceType::Snapshot, &tag))
        .send()
        .await
        .expect("an image is begun");
    cloud.advance(Duration::from_secs(1_800)).await;
    AmiId::parse(made.image_id().expect("it has an id")).expect("its id is one")
}

#[test]
fn an_empty_list_of_ids_is_not_a_question_for_everything() {
    // API reference: a call without ids describes all there is.
    world(async |cloud| {
        machine(&cloud).await;
        let (ec2, home) = (ec2(&cloud), region(HOME));
        assert!(ec2.instances(&home, Find::Ids(&[])).await.expect("no question").is_empty());
        assert!(ec2.instances(&home, Find::Tagged(&[])).await.expect("no question").is_empty());
        assert!(
            ec2.machines(&home, &[], &Default::default(), usize::MAX)
                .await
                .expect("no question")
                .whole
                .is_empty()
        );
        assert!(ec2.snapshots(&home, &[]).await.expect("no question").is_empty());
        assert!(ec2.images(&home, &[]).await.expect("no question").is_empty());
        assert!(ec2.images_named(&home, &[]).await.expect("no question").0.is_empty());
        assert!(ec2.snapshots_tagged(&home, Some(&[])).await.expect("no question").0.is_empty());
        for action in ["DescribeInstances", "DescribeVolumes", "DescribeSnapshots"] {
            assert_eq!(sent(&cloud, action), 0, "{action}");
        }
    });
}

#[test]
fn instances_are_found_by_any_of_the_keys_and_each_once() {
    world(async |cloud| {
        let both = machine_of(&cloud, AMAZON_LINUX, &[], &[("Backup", "gold"), ("Team", "a")]);
        let both = both.await;
        let one = machine_of(&cloud, AMAZON_LINUX, &[], &[("Team", "b")]).await;
        let star = machine_of(&cloud, AMAZON_LINUX, &[], &[("odd*key?", "")]).await;
        machine_of(&cloud, AMAZON_LINUX, &[], &[("odd-key-", "")]).await;
        let (ec2, home) = (ec2(&cloud), region(HOME));
        let find = async |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let found = ec2.instances(&home, Find::Tagged(&keys)).await.expect("EC2 answers");
            found.into_iter().map(|instance| instance.id).collect::<Vec<_>>()
        };
        let mut expected = vec![both.clone(), one];
        expected.sort();
        assert_eq!(find(&["Backup", "Team"]).await, expected);
        assert_eq!(find(&["Backup"]).await, [both]);
        assert_eq!(find(&["odd*key?"]).await, [star], "signs in a key stand for themselves");
        assert!(find(&["none"]).await.is_empty());
    });
}

#[test]
fn an_instance_shows_its_state_and_the_launch_of_its_run() {
    world(async |cloud| {
        let (stays, stops, goes) =
            (machine(&cloud).await, machine(&cloud).await, machine(&cloud).await);
        let plain = plain(&cloud, HOME);
        plain.stop_instances().instance_ids(stops.as_str()).send().await.expect("it stops");
        plain.terminate_instances().instance_ids(goes.as_str()).send().await.expect("it goes");
        cloud.advance(Duration::from_secs(90)).await;
        let (ec2, home) = (ec2(&cloud), region(HOME));
        let all = ec2.instances(&home, Find::All).await.expect("EC2 answers");
        let state = |id: &InstanceId| all.iter().find(|one| one.id == *id).map(|one| one.state);
        assert_eq!(state(&stays), Some(State::Running));
        assert_eq!(state(&stops), Some(State::Stopped));
        assert_eq!(state(&goes), Some(State::Terminated));
        let stopped = ec2.instances(&home, Find::Stopped).await.expect("EC2 answers");
        assert_eq!(stopped.len(), 1);
        assert!(stopped[0].id == stops && stopped[0].is_at_rest());

        let before = stopped[0].launched;
        let started = cloud.now().millis();
        plain.start_instances().instance_ids(stops.as_str()).send().await.expect("it starts");
        cloud.advance(Duration::from_secs(60)).await;
        let ids = [stops];
        let again = ec2.instances(&home, Find::Ids(&ids)).await.expect("EC2 answers");
        assert!(again[0].launched > before, "every start resets it");
        let launched = u64::try_from(again[0].launched.as_millisecond()).expect("after 1970");
        assert!(launched.abs_diff(started) < 1_000, "{launched} {started}");
    });
}

#[test]
fn an_empty_page_is_not_the_end_of_a_listing() {
    // API reference: a page may be empty and still have a token.
    world_with(
        |config| config.quirks.empty_pages = true,
        async |cloud| {
            let id = machine(&cloud).await;
            let image = tagged_image(&cloud, &id, "nightly", &point(1)).await;
            let (ec2, home) = (ec2(&cloud), region(HOME));
            let found = ec2.instances(&home, Find::All).await.expect("EC2 answers");
            assert_eq!(found.len(), 1);
            assert_eq!(sent(&cloud, "DescribeInstances"), 2);
            let machines = ec2
                .machines(&home, &[id], &Default::default(), usize::MAX)
                .await
                .expect("EC2 answers");
            assert_eq!(machines.whole.len(), 1);
            let images = ec2.images_tagged(&home).await.expect("EC2 answers");
            assert_eq!(images.0.len(), 1);
            assert_eq!(images.0[0].id, image);
            let snapshots = ec2.snapshots_tagged(&home, None).await.expect("EC2 answers");
            assert_eq!(snapshots.0.len(), 1);
        },
    );
}

#[test]
fn a_listing_whose_second_page_fails_is_no_listing() {
    world_with(
        |config| config.quirks.empty_pages = true,
        async |cloud| {
            let id = machine(&cloud).await;
            tagged_image(&cloud, &id, "nightly", &point(1)).await;
            let expired = Rule::fail(When::Before, 400, "InvalidNextToken");
            fault(&cloud, expired.action("DescribeSnapshots").nth(2));
            let listing = ec2(&cloud).snapshots_tagged(&region(HOME), None).await;
            let failure = listing.expect_err("half a listing is none");
            assert_eq!(failure.code(), "ec2-unavailable");
            assert!(failure.is_retryable());
        },
    );
}

#[test]
fn more_ids_than_a_filter_takes_are_asked_for_in_more_calls() {
    // API reference, filters: at most 200 values a call.
    world(async |cloud| {
        let id = machine(&cloud).await;
        let image = tagged_image(&cloud, &id, "nightly", &point(1)).await;
        let (ec2, home) = (ec2(&cloud), region(HOME));
        let images = ec2.images(&home, std::slice::from_ref(&image)).await.expect("EC2 answers");
        let own = images[&image].snapshots[0].clone();
        let made_up = |n: u32| SnapshotId::parse(&format!("snap-{n:017x}")).expect("it is an id");
        let ids: Vec<SnapshotId> = (0..450).map(made_up).chain([own.clone()]).collect();
        let before = sent(&cloud, "DescribeSnapshots");
        let found = ec2.snapshots(&home, &ids).await.expect("what is not there is no error");
        assert_eq!(found.keys().collect::<Vec<_>>(), [&own]);
        assert_eq!(sent(&cloud, "DescribeSnapshots") - before, 3);
    });
}

#[test]
fn snapshots_are_found_by_their_points_and_nobody_elses_are_shown() {
    world(async |cloud| {
        let id = machine(&cloud).await;
        tagged_image(&cloud, &id, "one", &point(1)).await;
        tagged_image(&cloud, &id, "two", &point(2)).await;
        let plain = plain(&cloud, HOME);
        plain
            .create_image()
            .instance_id(id.as_str())
            .name("three")
            .no_reboot(true)
            .send()
            .await
            .expect("an image of somebody else is begun");
        cloud.advance(Duration::from_secs(1_800)).await;
        let (ec2, home) = (ec2(&cloud), region(HOME));
        let all = ec2.snapshots_tagged(&home, None).await.expect("EC2 answers").0;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|snapshot| snapshot.state == SnapshotState::Completed));
        let wanted = [point(2), point(3)];
        let found = ec2.snapshots_tagged(&home, Some(&wanted)).await.expect("EC2 answers").0;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].tags[TAG_POINT], point(2).as_str());
        assert!(found[0].volume.is_some());
        let listed = ec2.snapshots(&home, &[found[0].id.clone()]).await.expect("EC2 answers");
        assert_eq!(listed[&found[0].id], found[0]);
    });
}

#[test]
fn an_image_that_is_disabled_is_still_seen() {
    // API reference, DisableImage: hidden from its owner too unless IncludeDisabled is given.
    world(async |cloud| {
        let id = machine(&cloud).await;
        let image = tagged_image(&cloud, &id, "nightly", &point(1)).await;
        let plain = plain(&cloud, HOME);
        plain.disable_image().image_id(image.as_str()).send().await.expect("it is disabled");
        let (ec2, home) = (ec2(&cloud), region(HOME));
        let found = ec2.images(&home, std::slice::from_ref(&image)).await.expect("EC2 answers");
        assert_eq!(found[&image].state, ImageState::Disabled);
        let named = ec2.images_named(&home, &["nightly".to_string()]).await.expect("EC2 answers");
        assert_eq!(named.0.len(), 1);
        let other = ec2.images_named(&home, &["night*".to_string()]).await.expect("EC2 answers");
        assert!(other.0.is_empty(), "a name is no pattern");
    });
}

#[test]
fn a_copy_shows_what_it_is_a_copy_of_and_a_failure_why() {
    world(async |cloud| {
        let id = machine(&cloud).await;
        let image = tagged_image(&cloud, &id, "nightly", &point(1)).await;
        let away = plain(&cloud, AWAY);
        let copy = away.copy_image().source_region(HOME).source_image_id(image.as_str());
        let good = copy.clone().name("good").send().await.expect("a copy is begun");
        let bad = copy.name("bad").encrypted(true).kms_key_id("alias/none").send().await;
        let bad = bad.expect("the key is looked at later");
        cloud.advance(Duration::from_secs(3_600)).await;
        let parse = |id: Option<&str>| AmiId::parse(id.expect("it has an id")).expect("it is one");
        let (good, bad) = (parse(good.image_id()), parse(bad.image_id()));
        let ids = [good.clone(), bad.clone()];
        let found = ec2(&cloud).images(&region(AWAY), &ids).await.expect("EC2 answers");
        assert_eq!(found[&good].state, ImageState::Available);
        assert_eq!(found[&good].source, Some((region(HOME), image)));
        assert_eq!(found[&good].name, "good");
        assert!(found[&good].created_at.is_some());
        assert_eq!(found[&bad].state, ImageState::Failed);
        assert!(found[&bad].message.as_ref().is_some_and(|text| text.contains("keyId")));
    });
}

#[test]
fn a_read_is_tried_again_and_then_given_up_in_time() {
    world(async |cloud| {
        let (ec2, home) = (ec2(&cloud), region(HOME));
        let hiccup = Rule::fail(When::Before, 500, "InternalError").action("DescribeInstances");
        fault(&cloud, hiccup.times(1));
        ec2.instances(&home, Find::All).await.expect("the second try is answered");
        assert_eq!(sent(&cloud, "DescribeInstances"), 2);
        fault(&cloud, Rule::time_out(When::Before).action("DescribeInstances"));
        let (result, took) = timed(&cloud, ec2.instances(&home, Find::All)).await;
        assert_eq!(result.expect_err("nobody answers").code(), "ec2-unavailable");
        assert!(took <= READ_TIMEOUT.unsigned_abs() + Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn a_region_in_the_dark_leaves_the_others_their_tries() {
    world(async |cloud| {
        cloud.with(|model| model.dark_regions.insert(AWAY.to_string()));
        let ec2 = ec2(&cloud);
        for _ in 0..100 {
            ec2.instances(&region(AWAY), Find::All).await.expect_err("nobody is there");
        }
        // After so many, a budget for retries that was shared would be spent.
        let hiccup = Rule::fail(When::Before, 500, "InternalError").action("DescribeInstances");
        fault(&cloud, hiccup.region(HOME).times(1));
        ec2.instances(&region(HOME), Find::All).await.expect("the second try is answered");
    });
}
