//! Snapshots through the SDK: sets, copies, locks, sharing.

use std::time::Duration;

use afterimage_cloud::access::Identity;
use afterimage_cloud::faults::{Creation, Rule};
use aws_sdk_ec2::client::Waiters;
use aws_sdk_ec2::types::{
    CopyTagsFromSource, CreateVolumePermission, CreateVolumePermissionModifications,
    InstanceSpecification, LockMode, LockState, OperationType, ResourceType, SnapshotAttributeName,
    SnapshotState,
};

use super::{
    AWAY, HOME, disk, ec2, ec2_of, fault, filter, machine, own_snapshots, refused, snapshot, tag,
    tags_for, tags_of, volume, volumes_of, world,
};

const LATER: Duration = Duration::from_secs(3_600);

#[test]
fn a_set_has_one_snapshot_for_each_volume_all_begun_at_one_moment() {
    // API reference, CreateSnapshots: a coordinated point in time.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let disks = [disk("/dev/sdb", 1), disk("/dev/sdc", 2)];
        let machine = machine(&cloud, &ec2, &disks).await;
        let what = InstanceSpecification::builder().instance_id(&machine).build();
        let call = ec2.create_snapshots().instance_specification(what).description("a <set>");
        let made = call.send().await.expect("a set is begun");
        let set = made.snapshots();
        assert_eq!(set.len(), 3);
        let mut volumes: Vec<_> = set.iter().filter_map(|one| one.volume_id()).collect();
        volumes.sort_unstable();
        let mut attached = volumes_of(&ec2, &machine).await;
        attached.sort_unstable();
        assert_eq!(volumes, attached);
        for one in set {
            assert_eq!(one.state(), Some(&SnapshotState::Pending));
            assert_eq!(one.start_time(), set[0].start_time());
            assert_eq!(one.description(), Some("a <set>"));
        }
        cloud.advance(LATER).await;
        for one in own_snapshots(&ec2).await {
            assert_eq!(one.state(), Some(&SnapshotState::Completed));
            assert_eq!(one.progress(), Some("100%"));
        }
    });
}

#[test]
fn a_set_leaves_out_the_volumes_that_it_is_told_to() {
    // API reference, InstanceSpecification: ExcludeBootVolume and ExcludeDataVolumeIds.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let disks = [disk("/dev/sdb", 1), disk("/dev/sdc", 2)];
        let machine = machine(&cloud, &ec2, &disks).await;
        let volumes = volumes_of(&ec2, &machine).await;
        let root_there = InstanceSpecification::builder().instance_id(&machine);
        let root_there = root_there.exclude_data_volume_ids(&volumes[0]).build();
        let call = ec2.create_snapshots().instance_specification(root_there);
        assert_eq!(refused(call.send().await).status, 400, "the root is no data volume");
        let what = InstanceSpecification::builder().instance_id(&machine).exclude_boot_volume(true);
        let what = what.exclude_data_volume_ids(&volumes[1]).build();
        let made = ec2.create_snapshots().instance_specification(what).send().await;
        let made = made.expect("a set is begun");
        assert_eq!(made.snapshots().len(), 1);
        assert_eq!(made.snapshots()[0].volume_id(), Some(volumes[2].as_str()));
    });
}

#[test]
fn a_set_takes_the_tags_of_each_volume_when_told_and_those_given() {
    // API reference, CreateSnapshots: CopyTagsFromSource.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[disk("/dev/sdb", 1)]).await;
        let volumes = volumes_of(&ec2, &machine).await;
        for (volume, name) in volumes.iter().zip(["root", "data"]) {
            let call = ec2.create_tags().resources(volume).tags(tag("name", name));
            call.send().await.expect("a volume is tagged");
        }
        let what = InstanceSpecification::builder().instance_id(&machine).build();
        let call = ec2.create_snapshots().instance_specification(what);
        let call = call.copy_tags_from_source(CopyTagsFromSource::Volume);
        let call = call.tag_specifications(tags_for(ResourceType::Snapshot, &[("set", "1")]));
        let made = call.send().await.expect("a set is begun");
        for one in made.snapshots() {
            let tags = tags_of(&ec2, one.snapshot_id().expect("an id")).await;
            let name = if one.volume_id() == Some(&volumes[0]) { "root" } else { "data" };
            assert_eq!(tags.len(), 2, "{tags:?}");
            assert_eq!(tags["name"], name);
            assert_eq!(tags["set"], "1");
        }
    });
}

#[test]
fn when_one_of_a_set_fails_all_of_it_fails() {
    // EBS guide, events: every snapshot of a failed set goes to error.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[disk("/dev/sdb", 1)]).await;
        fault(&cloud, Rule::fail_creation(&[Creation::SnapshotSet], "Internal error"));
        let what = InstanceSpecification::builder().instance_id(&machine).build();
        let made = ec2.create_snapshots().instance_specification(what).send().await;
        assert_eq!(made.expect("a set is begun").snapshots().len(), 2);
        cloud.advance(LATER).await;
        let snapshots = own_snapshots(&ec2).await;
        assert_eq!(snapshots.len(), 2);
        assert!(snapshots.iter().all(|one| one.state() == Some(&SnapshotState::Error)));
    });
}

#[test]
fn a_copy_has_an_odd_volume_and_no_tags_but_its_own() {
    // API reference, CopySnapshot: the volume id is arbitrary, tags are not copied.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let volume = volume(&cloud, &home, 1).await;
        let source = snapshot(&cloud, &home, &volume).await;
        let call = home.create_tags().resources(&source).tags(tag("from", "source"));
        call.send().await.expect("the source is tagged");
        let away = ec2(&cloud, AWAY);
        let call = away.copy_snapshot().source_region(HOME).source_snapshot_id(&source);
        let call = call.description("a copy, 100% <safe> & sound");
        let call = call.tag_specifications(tags_for(ResourceType::Snapshot, &[("to", "copy")]));
        let made = call.send().await.expect("a copy is begun");
        assert_eq!(made.tags(), [tag("to", "copy")]);
        let id = made.snapshot_id().expect("an id");
        let waiter = away.wait_until_snapshot_completed().snapshot_ids(id);
        waiter.wait(LATER).await.expect("it completes");
        let copies = own_snapshots(&away).await;
        assert_eq!(copies[0].description(), Some("a copy, 100% <safe> & sound"));
        assert_eq!(copies[0].volume_size(), Some(1));
        let odd = copies[0].volume_id().expect("it has one");
        assert_ne!(odd, volume);
        assert!(odd.starts_with("vol-ffff"), "{odd}");
        assert_eq!(copies[0].tags(), [tag("to", "copy")]);
    });
}

#[test]
fn a_copy_under_a_key_that_is_not_there_ends_in_error_with_a_message() {
    // EBS guide, copying a snapshot: it fails silently, with a status message.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let volume = volume(&cloud, &home, 1).await;
        let source = snapshot(&cloud, &home, &volume).await;
        let away = ec2(&cloud, AWAY);
        let call = away.copy_snapshot().source_region(HOME).source_snapshot_id(&source);
        let call = call.encrypted(true).kms_key_id("alias/nobody");
        call.send().await.expect("the call itself succeeds");
        cloud.advance(LATER).await;
        let copies = own_snapshots(&away).await;
        assert_eq!(copies[0].state(), Some(&SnapshotState::Error));
        assert_eq!(copies[0].state_message(), Some("Given key ID is not accessible"));
    });
}

#[test]
fn a_pending_snapshot_cannot_be_copied() {
    // EBS guide, copying a snapshot: the source must be completed.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let volume = volume(&cloud, &home, 1).await;
        let made = home.create_snapshot().volume_id(&volume).send().await.expect("begun");
        let away = ec2(&cloud, AWAY);
        let call = away.copy_snapshot().source_region(HOME);
        let call = call.source_snapshot_id(made.snapshot_id().expect("an id"));
        assert_eq!(refused(call.clone().send().await).status, 400);
        assert!(own_snapshots(&away).await.is_empty());
        cloud.advance(LATER).await;
        call.send().await.expect("now it is completed");
    });
}

#[test]
fn a_locked_snapshot_cannot_be_deleted_until_it_is_unlocked() {
    // EBS guide, snapshot lock: governance mode can be lifted.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let id = snapshot(&cloud, &ec2, &volume).await;
        let lock = ec2.lock_snapshot().snapshot_id(&id).lock_mode(LockMode::Governance);
        let locked = lock.lock_duration(3).send().await.expect("it is locked");
        assert_eq!(locked.lock_state(), Some(&LockState::Governance));
        assert_eq!(locked.lock_duration(), Some(3));
        let (from, to) = (locked.lock_created_on(), locked.lock_expires_on());
        let days = to.expect("it expires").secs() - from.expect("it began").secs();
        assert_eq!(days, 3 * 86_400);
        assert_eq!(refused(ec2.delete_snapshot().snapshot_id(&id).send().await).status, 400);
        ec2.unlock_snapshot().snapshot_id(&id).send().await.expect("it is unlocked");
        ec2.delete_snapshot().snapshot_id(&id).send().await.expect("it goes");
    });
}

#[test]
fn a_shared_snapshot_can_be_used_by_the_other_account() {
    // EBS guide, sharing a snapshot: create-volume permissions.
    world(async |cloud| {
        let ours = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ours, 1).await;
        let id = snapshot(&cloud, &ours, &volume).await;
        let identity = Identity::administrator("111122223333");
        cloud.with(|model| model.principals.declare_key("AKIAOTHEREXAMPLE", identity));
        let theirs = ec2_of(&cloud, "AKIAOTHEREXAMPLE", HOME);
        let make = theirs.create_volume().availability_zone("us-east-1a").snapshot_id(&id);
        assert_eq!(refused(make.clone().send().await).code, "InvalidSnapshot.NotFound");
        let who = CreateVolumePermission::builder().user_id("111122223333").build();
        let add = CreateVolumePermissionModifications::builder().add(who).build();
        let share = ours.modify_snapshot_attribute().snapshot_id(&id);
        let share = share.create_volume_permission(add).operation_type(OperationType::Add);
        share.send().await.expect("it is shared");
        let listed = ours.describe_snapshot_attribute().snapshot_id(&id);
        let listed = listed.attribute(SnapshotAttributeName::CreateVolumePermission).send().await;
        let listed = listed.expect("the permissions are described");
        assert_eq!(listed.create_volume_permissions()[0].user_id(), Some("111122223333"));
        make.send().await.expect("they may make a volume of it");
        let deleted = theirs.delete_snapshot().snapshot_id(&id).send().await;
        assert!(deleted.is_err(), "only the owner may delete it");
    });
}

#[test]
fn everybodys_public_snapshots_are_listed_unless_an_owner_is_named() {
    // API reference, DescribeSnapshots: without owner, all that one may use.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let id = snapshot(&cloud, &ec2, &volume).await;
        let all = ec2.describe_snapshots().into_paginator().page_size(100).items().send();
        let all = all.try_collect().await.expect("snapshots are described");
        assert!(all.len() > 1);
        assert!(all.iter().any(|one| one.snapshot_id() == Some(&id)));
        assert_eq!(own_snapshots(&ec2).await.len(), 1);
        let by_volume = ec2.describe_snapshots().filters(filter("volume-id", &[&volume]));
        let by_volume = by_volume.send().await.expect("snapshots are described");
        assert_eq!(by_volume.snapshots().len(), 1);
    });
}

#[test]
fn a_volume_has_five_snapshots_under_way_at_most() {
    // EBS quotas: five concurrent snapshots of a volume of type gp3.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        // So large that none completes while the others are begun.
        let volume = volume(&cloud, &ec2, 1_000).await;
        let call = ec2.create_snapshot().volume_id(&volume);
        for _ in 0..5 {
            call.clone().send().await.expect("five are begun");
            cloud.advance(Duration::from_secs(20)).await;
        }
        let refused = refused(call.send().await);
        assert_eq!(refused.code, "ConcurrentSnapshotLimitExceeded");
        assert_eq!(refused.status, 400);
    });
}

#[test]
fn deleting_a_pending_snapshot_takes_effect_when_it_completes() {
    // EBS guide, deleting snapshots: one in progress is deleted only after it completed.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let made = ec2.create_snapshot().volume_id(&volume).send().await.expect("begun");
        let id = made.snapshot_id().expect("an id");
        ec2.delete_snapshot().snapshot_id(id).send().await.expect("the call succeeds");
        cloud.advance(LATER).await;
        assert!(own_snapshots(&ec2).await.is_empty());
        let gone = ec2.describe_snapshots().snapshot_ids(id).send().await;
        if let Ok(found) = gone {
            assert!(found.snapshots().is_empty());
        }
    });
}
