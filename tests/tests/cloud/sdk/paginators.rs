//! Pages: the SDK's paginators walk a listing to its end, whatever happens to it meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage_cloud::Cloud;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{InstanceType, ResourceType};

use super::{
    HOME, amazon_linux, attempts, ec2, filter, image, machine, own_images, refused, tag, tags_for,
    volume, volumes_of, world, world_with,
};

/// Launches machines, each by a call and so in a reservation of its own.
async fn fleet(cloud: &Cloud, ec2: &Ec2, count: usize) -> BTreeSet<String> {
    let image = amazon_linux(ec2).await;
    let mut ids = BTreeSet::new();
    for _ in 0..count {
        let launch = ec2.run_instances().image_id(&image).instance_type(InstanceType::T3Micro);
        let made = launch.min_count(1).max_count(1).send().await.expect("a machine is launched");
        ids.extend(made.instances()[0].instance_id().map(str::to_string));
        cloud.advance(Duration::from_secs(1)).await;
    }
    ids
}

#[test]
fn every_machine_is_on_exactly_one_page() {
    // EC2 guide, pagination: follow the token until there is none.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let launched = fleet(&cloud, &ec2, 12).await;
        let mut pages = ec2.describe_instances().into_paginator().page_size(5).send();
        let mut seen = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("a page is described");
            let machines: Vec<_> =
                page.reservations().iter().flat_map(|group| group.instances()).collect();
            assert!(machines.len() <= 5);
            seen.extend(machines.iter().filter_map(|one| one.instance_id().map(str::to_string)));
        }
        assert_eq!(seen.len(), 12);
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), launched);
        assert_eq!(attempts(&cloud, "DescribeInstances").len(), 3);
    });
}

#[test]
fn every_volume_is_on_exactly_one_page() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let mut made = BTreeSet::new();
        for _ in 0..7 {
            made.insert(volume(&cloud, &ec2, 1).await);
        }
        let pages = ec2.describe_volumes().into_paginator().page_size(5).items();
        let seen = pages.send().try_collect().await.expect("all pages are described");
        assert_eq!(seen.len(), 7);
        let ids = seen.iter().filter_map(|one| one.volume_id().map(str::to_string));
        assert_eq!(ids.collect::<BTreeSet<_>>(), made);
    });
}

#[test]
fn every_own_snapshot_is_on_exactly_one_page() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let mut made = BTreeSet::new();
        for _ in 0..11 {
            let volume = volume(&cloud, &ec2, 1).await;
            let snapshot = ec2.create_snapshot().volume_id(volume).send().await;
            let snapshot = snapshot.expect("a snapshot is begun");
            made.insert(snapshot.snapshot_id().expect("a snapshot has an id").to_string());
        }
        let listing = ec2.describe_snapshots().owner_ids("self").into_paginator().page_size(5);
        let seen = listing.items().send().try_collect().await.expect("all pages are described");
        assert_eq!(seen.len(), 11);
        let ids = seen.iter().filter_map(|one| one.snapshot_id().map(str::to_string));
        assert_eq!(ids.collect::<BTreeSet<_>>(), made);
        assert_eq!(attempts(&cloud, "DescribeSnapshots").len(), 3);
    });
}

#[test]
fn images_that_stay_are_listed_once_while_others_come_and_go() {
    // EC2 guide, pagination: a listing is not a moment frozen, but nothing that stays is lost.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        for number in 0..12 {
            image(&cloud, &ec2, &machine, &format!("image {number}")).await;
        }
        let listing = ec2.describe_images().owners("self").into_paginator().page_size(5);
        let mut pages = listing.send();
        let first = pages.next().await.expect("there is a page").expect("it is described");
        let mut seen: Vec<String> = ids_of(first.images());
        assert_eq!(seen.len(), 5);
        let gone_seen = seen[2].clone();
        let unseen: Vec<String> = ids_of(&own_images(&ec2).await);
        let gone_unseen = unseen.iter().find(|id| !seen.contains(id)).expect("seven").clone();
        for id in [&gone_seen, &gone_unseen] {
            ec2.deregister_image().image_id(id).send().await.expect("an image is deregistered");
        }
        image(&cloud, &ec2, &machine, "late").await;
        cloud.advance(Duration::from_secs(600)).await;
        while let Some(page) = pages.next().await {
            seen.extend(ids_of(page.expect("a page is described").images()));
        }
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "an image was listed twice");
        for id in unseen.iter().filter(|id| **id != gone_seen && **id != gone_unseen) {
            assert!(once.contains(id), "{id} stayed and was not listed");
        }
        assert!(!once.contains(&gone_unseen));
    });
}

fn ids_of(images: &[aws_sdk_ec2::types::Image]) -> Vec<String> {
    images.iter().filter_map(|image| image.image_id().map(str::to_string)).collect()
}

#[test]
fn every_tag_is_on_exactly_one_page() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let tags: Vec<_> = (0..12).map(|n| tag(&format!("key {n}"), &n.to_string())).collect();
        let call = ec2.create_tags().resources(&volume).set_tags(Some(tags));
        call.send().await.expect("tags are created");
        let listing = ec2.describe_tags().into_paginator().page_size(5).items();
        let seen = listing.send().try_collect().await.expect("all pages are described");
        assert_eq!(seen.len(), 12);
        let keys: BTreeSet<_> = seen.iter().filter_map(|tag| tag.key()).collect();
        assert_eq!(keys.len(), 12);
    });
}

#[test]
fn a_page_size_beside_ids_is_refused() {
    // EC2 guide, pagination: MaxResults and ids exclude each other.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let call = ec2.describe_instances().instance_ids(machine).max_results(5);
        assert_eq!(refused(call.send().await).code, "InvalidParameterCombination");
    });
}

#[test]
fn a_paginator_over_nothing_makes_one_call() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let listing = ec2.describe_images().owners("self").into_paginator().items();
        let seen = listing.send().try_collect().await.expect("a page is described");
        assert!(seen.is_empty());
        assert_eq!(attempts(&cloud, "DescribeImages").len(), 1);
    });
}

#[test]
fn an_empty_list_of_ids_asks_for_everything() {
    // API reference, DescribeVolumes: without ids, all volumes are described.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        volume(&cloud, &ec2, 1).await;
        volume(&cloud, &ec2, 1).await;
        let found = ec2.describe_volumes().set_volume_ids(Some(Vec::new())).send().await;
        assert_eq!(found.expect("volumes are described").volumes().len(), 2);
    });
}

#[test]
fn a_token_that_nobody_gave_is_refused_and_ends_the_paginator() {
    // EC2 API reference, error codes: InvalidNextToken.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let listing = ec2.describe_volumes().next_token("made-up").into_paginator();
        let mut pages = listing.page_size(5).send();
        let page = pages.next().await.expect("there is an answer");
        let refused = refused(page);
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidNextToken"));
        assert!(pages.next().await.is_none());
    });
}

#[test]
fn a_filtered_listing_keeps_its_filter_on_every_page() {
    world_with(
        |config| config.limits.throttles = false,
        async |cloud| {
            let ec2 = ec2(&cloud, HOME);
            for number in 0..12 {
                let kind = if number % 2 == 0 { "even" } else { "odd" };
                let tags = tags_for(ResourceType::Volume, &[("kind", kind)]);
                let made = ec2.create_volume().availability_zone("us-east-1a").size(1);
                made.tag_specifications(tags).send().await.expect("a volume is made");
            }
            let listing = ec2.describe_volumes().filters(filter("tag:kind", &["even"]));
            let listing = listing.into_paginator().page_size(5).items();
            let seen = listing.send().try_collect().await.expect("all pages are described");
            assert_eq!(seen.len(), 6);
            let even = |tags: &[aws_sdk_ec2::types::Tag]| tags[0].value() == Some("even");
            assert!(seen.iter().all(|volume| even(volume.tags())));
        },
    );
}

#[test]
fn a_machine_and_its_volumes_are_found_from_each_other() {
    // API reference, DescribeVolumes: the filter attachment.instance-id.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let disks = [super::disk("/dev/sdb", 2), super::disk("/dev/sdc", 3)];
        let machine = machine(&cloud, &ec2, &disks).await;
        let listing = ec2.describe_volumes();
        let listing = listing.filters(filter("attachment.instance-id", &[machine.as_str()]));
        let seen = listing.into_paginator().items().send().try_collect().await;
        let seen = seen.expect("volumes are described");
        let found: BTreeSet<_> = seen.iter().filter_map(|one| one.volume_id()).collect();
        let attached = volumes_of(&ec2, &machine).await;
        assert_eq!(attached.len(), 3);
        assert_eq!(found, attached.iter().map(String::as_str).collect());
    });
}
