//! What is made is what was asked for, and is made at most once by a call.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::model::Scope;
use afterimage_core::call::register_image::Device;
use afterimage_core::call::{CopyImage, CreateImage, CreateSnapshots, RegisterImage};
use afterimage_core::call::{Outcome, SnapshotSet};
use afterimage_core::ids::{AmiId, InstanceId, VolumeId};
use afterimage_core::limits::EC2_CALL_MAX;
use afterimage_core::observed::{ImageState, ObservedImage};
use aws_sdk_ec2::types::{ArchitectureValues, BootModeValues, Image, ImdsSupportValues};

use super::{
    AMAZON_LINUX, AWAY, HOME, disk, ec2, fault, filter, machine, machine_of, no_faults, plain,
    region, sent, tags, timed, world,
};

fn set_of(instance: &InstanceId) -> CreateSnapshots {
    CreateSnapshots {
        region: region(HOME),
        instance: instance.clone(),
        description: "nightly-1 of web-1".to_string(),
        without: Vec::new(),
        without_root: false,
        tags: tags(&[("afterimage:point", "nightly-1"), ("team", "a & b")]),
    }
}

fn creation(instance: &InstanceId) -> CreateImage {
    CreateImage {
        region: region(HOME),
        instance: instance.clone(),
        name: "nightly-1".to_string(),
        description: "web-1".to_string(),
        reboot: false,
        without: vec!["/dev/sdc".to_string()],
        tags: tags(&[("afterimage:point", "nightly-1"), ("what", "image")]),
        snapshot_tags: tags(&[("afterimage:point", "nightly-1"), ("what", "snapshot")]),
    }
}

/// The volumes of a machine, by their devices.
async fn volumes_of(cloud: &Cloud, id: &InstanceId) -> BTreeMap<String, VolumeId> {
    let machines = ec2(cloud)
        .machines(&region(HOME), std::slice::from_ref(id), &Default::default(), usize::MAX)
        .await;
    let machine = machines.expect("EC2 answers").whole.remove(id).expect("it is there");
    machine.volumes.into_iter().map(|volume| (volume.device, volume.id)).collect()
}

/// Snapshots of all disks of a machine, complete.
async fn snapshots(cloud: &Cloud, instance: &InstanceId) -> SnapshotSet {
    let outcome = ec2(cloud).create_snapshots(&set_of(instance)).await;
    let Outcome::Made(set) = outcome else { panic!("{outcome:?}") };
    cloud.advance(Duration::from_secs(1_800)).await;
    set
}

fn registration(set: &SnapshotSet) -> RegisterImage {
    let devices = ["/dev/xvda", "/dev/sdb"].iter().zip(set);
    let device = |(name, (_, snapshot)): (&&str, &(_, _))| Device {
        name: (*name).to_string(),
        snapshot: Clone::clone(snapshot),
        size_gib: 20,
        volume_type: "gp3".to_string(),
        iops: Some(3_500),
        throughput: Some(150),
        delete_on_termination: *name == "/dev/xvda",
    };
    RegisterImage {
        region: region(HOME),
        name: "nightly-1".to_string(),
        description: "web-1".to_string(),
        architecture: "x86_64".to_string(),
        root_device: "/dev/xvda".to_string(),
        ena: true,
        sriov: Some("simple".to_string()),
        boot_mode: Some("uefi".to_string()),
        tpm: Some("v2.0".to_string()),
        imds: Some("v2.0".to_string()),
        uefi_data: None,
        instance_store: BTreeMap::new(),
        devices: devices.map(device).collect(),
        tags: tags(&[("afterimage:point", "nightly-1")]),
    }
}

/// A registered image, available.
async fn image(cloud: &Cloud) -> AmiId {
    let instance = machine(cloud).await;
    let set = snapshots(cloud, &instance).await;
    let outcome = ec2(cloud).register_image(&registration(&set)).await;
    let Outcome::Made(image) = outcome else { panic!("{outcome:?}") };
    cloud.advance(Duration::from_secs(120)).await;
    image
}

fn copy_of(source: &AmiId) -> CopyImage {
    CopyImage {
        region: region(AWAY),
        source_region: region(HOME),
        source: source.clone(),
        name: "nightly-1".to_string(),
        description: "web-1".to_string(),
        token: "nightly-1-eu-west-1".to_string(),
        kms_key: None,
        tags: tags(&[("afterimage:point", "nightly-1")]),
    }
}

async fn own_images(cloud: &Cloud, region: &str) -> Vec<Image> {
    let found = plain(cloud, region).describe_images().owners("self").send().await;
    found.expect("own images are described").images.unwrap_or_default()
}

async fn own_snapshots(cloud: &Cloud) -> usize {
    let found = plain(cloud, HOME).describe_snapshots().owner_ids("self").send().await;
    found.expect("own snapshots are described").snapshots().len()
}

async fn tags_of(cloud: &Cloud, region: &str, id: &str) -> BTreeMap<String, String> {
    let found = plain(cloud, region).describe_tags().filters(filter("resource-id", id));
    let found = found.send().await.expect("tags are described").tags.unwrap_or_default();
    found.into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect()
}

#[test]
fn a_set_of_snapshots_has_all_disks_and_its_tags_from_the_first() {
    world(async |cloud| {
        let disks = [disk("/dev/sdb", 10, true)];
        let id = machine_of(&cloud, AMAZON_LINUX, &disks, &[]).await;
        let wanted = set_of(&id);
        let outcome = ec2(&cloud).create_snapshots(&wanted).await;
        let Outcome::Made(set) = outcome else { panic!("{outcome:?}") };
        let machines = ec2(&cloud)
            .machines(&region(HOME), std::slice::from_ref(&id), &Default::default(), usize::MAX)
            .await;
        let machines = machines.expect("EC2 answers").whole;
        let mut volumes: Vec<_> = machines[&id].volumes.iter().map(|disk| &disk.id).collect();
        let mut imaged: Vec<_> = set.iter().map(|(volume, _)| volume).collect();
        volumes.sort();
        imaged.sort();
        assert_eq!(imaged, volumes);
        for (_, snapshot) in &set {
            assert_eq!(tags_of(&cloud, HOME, snapshot.as_str()).await, wanted.tags);
        }
        assert_eq!(sent(&cloud, "CreateTags"), 0);
        assert_eq!(sent(&cloud, "CreateSnapshots"), 1);
        let found = plain(&cloud, HOME).describe_snapshots().owner_ids("self").send().await;
        let found = found.expect("own snapshots are described");
        assert!(
            found.snapshots().iter().all(|one| one.description() == Some("nightly-1 of web-1"))
        );
    });
}

#[test]
fn a_set_leaves_out_what_it_is_told_to() {
    world(async |cloud| {
        let disks = [disk("/dev/sdb", 10, true), disk("/dev/sdc", 10, true)];
        let id = machine_of(&cloud, AMAZON_LINUX, &disks, &[]).await;
        let volumes = volumes_of(&cloud, &id).await;
        let wanted = CreateSnapshots {
            without: vec![volumes["/dev/sdb"].clone()],
            without_root: true,
            ..set_of(&id)
        };
        let outcome = ec2(&cloud).create_snapshots(&wanted).await;
        let Outcome::Made(set) = outcome else { panic!("{outcome:?}") };
        let [(volume, _)] = &set[..] else { panic!("{set:?}") };
        assert_eq!(*volume, volumes["/dev/sdc"]);
    });
}

#[test]
fn an_image_is_created_of_a_machine_without_what_is_left_out() {
    world(async |cloud| {
        let disks = [disk("/dev/sdb", 10, false), disk("/dev/sdc", 10, true)];
        let id = machine_of(&cloud, "Windows_Server-2022*", &disks, &[]).await;
        let wanted = creation(&id);
        let outcome = ec2(&cloud).create_image(&wanted).await;
        let Outcome::Made(made) = outcome else { panic!("{outcome:?}") };
        let found = ec2(&cloud).images(&region(HOME), std::slice::from_ref(&made)).await;
        let seen: ObservedImage = found.expect("EC2 answers").remove(&made).expect("it is there");
        assert_eq!((seen.name.as_str(), &seen.tags), ("nightly-1", &wanted.tags));
        assert_eq!(seen.attributes.source_instance, Some(id));
        assert_eq!(seen.attributes.usage_operation, Some("RunInstances:0002".into()));
        let goes = |name: &str| {
            let device = seen.devices.iter().find(|device| device.name == name);
            device.and_then(|device| device.delete_on_termination)
        };
        assert_eq!((goes("/dev/sda1"), goes("/dev/sdb")), (Some(true), Some(false)));
        assert_eq!((goes("/dev/sdc"), seen.devices.len()), (None, 2));
        assert_eq!(seen.snapshots.len(), 2);
        for snapshot in &seen.snapshots {
            assert_eq!(tags_of(&cloud, HOME, snapshot.as_str()).await, wanted.snapshot_tags);
        }
        let second = ec2(&cloud).create_image(&wanted).await;
        assert!(matches!(second, Outcome::NameTaken(_)), "{second:?}");
    });
}

#[test]
fn a_machine_is_taken_down_for_its_image_only_where_that_is_asked_for() {
    world(async |cloud| {
        let id = machine(&cloud).await;
        // No event tells of it; the machine itself does.
        let up_since = || {
            cloud.with(|model| {
                let region = model.ec2_region(&Scope::new("123456789012", HOME));
                region.instances[id.as_str()].running_since
            })
        };
        let before = up_since();
        for (name, reboot) in [("nightly-1", false), ("nightly-2", true)] {
            cloud.advance(Duration::from_secs(60)).await;
            let wanted = CreateImage { name: name.to_string(), reboot, ..creation(&id) };
            let outcome = ec2(&cloud).create_image(&wanted).await;
            assert!(matches!(outcome, Outcome::Made(_)), "{outcome:?}");
            assert_eq!(up_since() != before, reboot, "{name}");
        }
    });
}

#[test]
fn an_image_is_created_once_by_a_call_whatever_comes_of_it() {
    world(async |cloud| {
        let id = machine(&cloud).await;
        for when in [When::Before, When::After] {
            no_faults(&cloud);
            fault(&cloud, Rule::fail(when, 500, "InternalError").action("CreateImage"));
            let before = sent(&cloud, "CreateImage");
            let outcome = ec2(&cloud).create_image(&creation(&id)).await;
            assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
            assert_eq!(sent(&cloud, "CreateImage"), before + 1);
        }
    });
}

#[test]
fn an_image_is_registered_as_it_was_asked_for() {
    world(async |cloud| {
        let disks = [disk("/dev/sdb", 10, true)];
        let id = machine_of(&cloud, AMAZON_LINUX, &disks, &[]).await;
        let set = snapshots(&cloud, &id).await;
        let wanted = registration(&set);
        let outcome = ec2(&cloud).register_image(&wanted).await;
        let Outcome::Made(made) = outcome else { panic!("{outcome:?}") };
        let images = own_images(&cloud, HOME).await;
        let [image] = images.as_slice() else { panic!("{images:?}") };
        assert_eq!(image.image_id(), Some(made.as_str()));
        assert_eq!(image.name(), Some("nightly-1"));
        assert_eq!(image.description(), Some("web-1"));
        assert_eq!(image.architecture(), Some(&ArchitectureValues::X8664));
        assert_eq!(image.virtualization_type().map(|kind| kind.as_str()), Some("hvm"));
        assert_eq!(image.root_device_name(), Some("/dev/xvda"));
        assert_eq!(image.ena_support(), Some(true));
        assert_eq!(image.sriov_net_support(), Some("simple"));
        assert_eq!(image.boot_mode(), Some(&BootModeValues::Uefi));
        assert_eq!(image.tpm_support().map(|tpm| tpm.as_str()), Some("v2.0"));
        assert_eq!(image.imds_support(), Some(&ImdsSupportValues::V20));
        assert_eq!(tags_of(&cloud, HOME, made.as_str()).await, wanted.tags);
        let devices = image.block_device_mappings();
        assert_eq!(devices.len(), 2);
        for (device, wanted) in devices.iter().zip(&wanted.devices) {
            let ebs = device.ebs().expect("it is a disk");
            assert_eq!(device.device_name(), Some(wanted.name.as_str()));
            assert_eq!(ebs.snapshot_id(), Some(wanted.snapshot.as_str()));
            assert_eq!(ebs.volume_size(), Some(20));
            assert_eq!(ebs.volume_type().map(|kind| kind.as_str()), Some("gp3"));
            assert_eq!((ebs.iops(), ebs.throughput()), (Some(3_500), Some(150)));
            assert_eq!(ebs.delete_on_termination(), Some(wanted.delete_on_termination));
        }
    });
}

#[test]
fn a_name_that_is_taken_is_said_so() {
    world(async |cloud| {
        let id = machine(&cloud).await;
        let set = snapshots(&cloud, &id).await;
        let ec2 = ec2(&cloud);
        let first = ec2.register_image(&registration(&set)).await;
        assert!(matches!(first, Outcome::Made(_)), "{first:?}");
        let second = ec2.register_image(&registration(&set)).await;
        assert!(matches!(second, Outcome::NameTaken(_)), "{second:?}");
    });
}

#[test]
fn a_copy_has_its_tags_on_image_and_snapshots_and_the_key_that_was_asked_for() {
    world(async |cloud| {
        let source = image(&cloud).await;
        let key = Some("alias/aws/ebs".to_string());
        let wanted = CopyImage { kms_key: key, ..copy_of(&source) };
        let outcome = ec2(&cloud).copy_image(&wanted).await;
        let Outcome::Made(copy) = outcome else { panic!("{outcome:?}") };
        cloud.advance(Duration::from_secs(3_600)).await;
        let found = ec2(&cloud).images(&region(AWAY), std::slice::from_ref(&copy)).await;
        let seen: ObservedImage = found.expect("EC2 answers").remove(&copy).expect("it is there");
        assert_eq!(seen.state, ImageState::Available);
        assert_eq!(seen.source, Some((region(HOME), source)));
        assert_eq!(seen.tags, wanted.tags);
        for snapshot in &seen.snapshots {
            assert_eq!(tags_of(&cloud, AWAY, snapshot.as_str()).await, wanted.tags);
        }
        let images = own_images(&cloud, AWAY).await;
        let mut disks = images[0].block_device_mappings().iter().filter_map(|one| one.ebs());
        assert!(disks.all(|disk| disk.encrypted() == Some(true)));
    });
}

#[test]
fn a_copy_without_a_key_is_as_plain_as_its_source() {
    world(async |cloud| {
        let source = image(&cloud).await;
        let outcome = ec2(&cloud).copy_image(&copy_of(&source)).await;
        assert!(matches!(outcome, Outcome::Made(_)), "{outcome:?}");
        let images = own_images(&cloud, AWAY).await;
        let mut disks = images[0].block_device_mappings().iter().filter_map(|one| one.ebs());
        assert!(disks.all(|disk| disk.encrypted() == Some(false)));
    });
}

#[test]
fn snapshots_whose_answer_was_an_error_are_made_once_and_not_known() {
    // EC2 guide, idempotency: CreateSnapshots takes no token; the SDK would send it three times.
    world(async |cloud| {
        let id = machine(&cloud).await;
        fault(&cloud, Rule::fail(When::After, 500, "InternalError").action("CreateSnapshots"));
        let outcome = ec2(&cloud).create_snapshots(&set_of(&id)).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        assert_eq!(sent(&cloud, "CreateSnapshots"), 1);
        assert_eq!(own_snapshots(&cloud).await, 1);
    });
}

#[test]
fn snapshots_that_are_never_answered_are_not_known_after_the_time_of_a_call() {
    for when in [When::Before, When::After] {
        world(async |cloud| {
            let id = machine(&cloud).await;
            fault(&cloud, Rule::time_out(when).action("CreateSnapshots"));
            let ec2 = ec2(&cloud);
            let (outcome, took) = timed(&cloud, ec2.create_snapshots(&set_of(&id))).await;
            let Outcome::Unknown(answer) = outcome else { panic!("{outcome:?}") };
            assert_eq!(answer.code, "no-answer");
            assert!(took >= EC2_CALL_MAX.unsigned_abs(), "{took:?}");
            assert!(took < EC2_CALL_MAX.unsigned_abs() + Duration::from_secs(1), "{took:?}");
            assert_eq!(sent(&cloud, "CreateSnapshots"), 1);
            let made = usize::from(when == When::After);
            assert_eq!(own_snapshots(&cloud).await, made);
        });
    }
}

#[test]
fn a_registration_whose_answer_was_an_error_is_sent_once_and_not_known() {
    for when in [When::Before, When::After] {
        world(async |cloud| {
            let id = machine(&cloud).await;
            let set = snapshots(&cloud, &id).await;
            fault(&cloud, Rule::fail(when, 503, "Unavailable").action("RegisterImage"));
            let outcome = ec2(&cloud).register_image(&registration(&set)).await;
            assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
            assert_eq!(sent(&cloud, "RegisterImage"), 1);
            assert_eq!(own_images(&cloud, HOME).await.len(), usize::from(when == When::After));
        });
    }
}

#[test]
fn a_copy_whose_answer_was_an_error_is_sent_again_and_is_one_copy() {
    // API reference, CopyImage: the same token gives the same image.
    world(async |cloud| {
        let source = image(&cloud).await;
        let lost = Rule::fail(When::After, 500, "InternalError").action("CopyImage");
        fault(&cloud, lost.times(1));
        let outcome = ec2(&cloud).copy_image(&copy_of(&source)).await;
        let Outcome::Made(copy) = outcome else { panic!("{outcome:?}") };
        assert_eq!(sent(&cloud, "CopyImage"), 2);
        let again = ec2(&cloud).copy_image(&copy_of(&source)).await;
        assert_eq!(again, Outcome::Made(copy));
        assert_eq!(own_images(&cloud, AWAY).await.len(), 1);
    });
}

#[test]
fn a_copy_is_over_within_the_time_of_a_call_with_all_its_tries() {
    world(async |cloud| {
        let source = image(&cloud).await;
        fault(&cloud, Rule::time_out(When::After).action("CopyImage"));
        let ec2 = ec2(&cloud);
        let (outcome, took) = timed(&cloud, ec2.copy_image(&copy_of(&source))).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        assert!(took < EC2_CALL_MAX.unsigned_abs() + Duration::from_secs(1), "{took:?}");
        assert_eq!(own_images(&cloud, AWAY).await.len(), 1);
    });
}

#[test]
fn a_token_that_was_used_for_something_else_is_a_name_to_look_up() {
    world(async |cloud| {
        let source = image(&cloud).await;
        let ec2 = ec2(&cloud);
        let first = ec2.copy_image(&copy_of(&source)).await;
        assert!(matches!(first, Outcome::Made(_)), "{first:?}");
        let other = CopyImage { description: "another".to_string(), ..copy_of(&source) };
        let second = ec2.copy_image(&other).await;
        let Outcome::NameTaken(answer) = second else { panic!("{second:?}") };
        assert_eq!(answer.code, "IdempotentParameterMismatch");
    });
}
