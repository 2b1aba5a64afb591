//! A machine is described with all that an image of it must carry over, or not at all.

use std::time::Duration;

use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::model::Scope;
use afterimage_core::facts::{
    Architecture, BootMode, ImdsSupport, RootDeviceType, SriovSupport, UsageOperation,
    Virtualization,
};
use afterimage_core::ids::InstanceId;
use afterimage_core::machine::State;
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, InstanceType, VolumeType};

use super::{
    AMAZON_LINUX, HOME, disk, ec2, machine_of, plain, public_image, region, sent, world, world_with,
};

#[test]
fn a_machine_is_described_with_all_that_its_image_needs() {
    world(async |cloud| {
        // Disks in no order, one of which stays when the machine goes.
        let disks = [disk("/dev/sdf", 12, false), disk("/dev/sdb", 10, true)];
        let id = machine_of(&cloud, AMAZON_LINUX, &disks, &[("Name", "web-1")]).await;
        let plain = plain(&cloud, HOME);
        let home = region(HOME);

        let described = ec2(&cloud)
            .machines(&home, std::slice::from_ref(&id), &Default::default(), usize::MAX)
            .await;
        let mut described = described.expect("EC2 answers");
        assert!(described.unsettled.is_empty());
        let machine = described.whole.remove(&id).expect("it is there");

        assert_eq!(machine.instance.region, home);
        assert_eq!(machine.instance.state, State::Running);
        assert!(!machine.instance.hibernated);
        assert_eq!(machine.instance.name(), Some("web-1"));

        let build = machine.build;
        assert_eq!(build.image.as_str(), public_image(&plain, AMAZON_LINUX).await);
        assert_eq!(build.architecture, Architecture::X86);
        assert_eq!(build.virtualization, Virtualization::Hvm);
        assert_eq!(build.root_device_type, RootDeviceType::Ebs);
        assert_eq!(build.root_device, "/dev/xvda");
        assert!(build.ena);
        assert_eq!(build.sriov, Some(SriovSupport::Simple));
        assert_eq!(build.boot_mode, Some(BootMode::UefiPreferred));
        assert_eq!(build.tpm, None);
        assert_eq!(build.imds, Some(ImdsSupport::V2));
        assert_eq!(build.usage_operation, UsageOperation::RunInstances);
        assert!(build.product_codes.is_empty());
        assert!(build.image_readable);
        let variables = plain.get_instance_uefi_data().instance_id(id.as_str()).send().await;
        assert_eq!(build.uefi_data, variables.expect("it boots by UEFI").uefi_data);
        assert!(build.uefi_data.is_some());

        let volumes: Vec<_> = machine
            .volumes
            .iter()
            .map(|volume| {
                let speed = (volume.iops, volume.throughput);
                (volume.device.as_str(), volume.size_gib, speed, volume.delete_on_termination)
            })
            .collect();
        assert_eq!(
            volumes,
            [
                ("/dev/sdb", 10, (Some(4000), Some(200)), true),
                ("/dev/sdf", 12, (Some(4000), Some(200)), false),
                ("/dev/xvda", 8, (Some(3000), Some(125)), true),
            ]
        );
        assert!(machine.volumes.iter().all(|volume| volume.volume_type.as_str() == "gp3"));
        assert!(machine.volumes.iter().all(|volume| !volume.encrypted));
    });
}

#[test]
fn what_is_billed_beside_the_machine_is_seen() {
    world(async |cloud| {
        let windows = machine_of(&cloud, "Windows_Server-2022*", &[], &[]).await;
        let bought = machine_of(&cloud, "acme-firewall*", &[], &[]).await;
        let ids = [windows.clone(), bought.clone()];
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers")
            .whole;
        assert_eq!(machines[&windows].build.usage_operation.as_str(), "RunInstances:0002");
        assert!(machines[&windows].build.product_codes.is_empty());
        assert_eq!(machines[&bought].build.usage_operation, UsageOperation::RunInstances);
        assert_eq!(machines[&bought].build.product_codes, ["4t5jk2pxh1rz9qwm8c7vbn6ad"]);
    });
}

#[test]
fn a_machine_that_boots_the_old_way_is_not_asked_for_variables() {
    world(async |cloud| {
        let id = machine_of(&cloud, "Windows_Server-2022*", &[], &[]).await;
        let ids = [id.clone()];
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers")
            .whole;
        assert_eq!(machines[&id].build.boot_mode, Some(BootMode::LegacyBios));
        assert_eq!(machines[&id].build.uefi_data, None);
        assert_eq!(sent(&cloud, "GetInstanceUefiData"), 0);
    });
}

#[test]
fn a_machine_whose_variables_cannot_be_asked_just_now_is_unsettled() {
    world(async |cloud| {
        let id = machine_of(&cloud, AMAZON_LINUX, &[], &[]).await;
        let other = machine_of(&cloud, "Windows_Server-2022*", &[], &[]).await;
        let stop = plain(&cloud, HOME).stop_instances().instance_ids(id.as_str());
        stop.send().await.expect("it is stopping");
        let ids = [id.clone(), other.clone()];
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers");
        assert!(machines.unsettled.contains(&id), "{machines:?}");
        assert!(machines.whole.contains_key(&other), "the other is not held up by it");
        cloud.advance(Duration::from_secs(60)).await;
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers");
        assert_eq!(machines.whole[&id].instance.state, State::Stopped);
    });
}

#[test]
fn a_machine_whose_variables_are_refused_does_not_hold_up_the_others() {
    world(async |cloud| {
        let one = machine_of(&cloud, AMAZON_LINUX, &[], &[]).await;
        let other = machine_of(&cloud, AMAZON_LINUX, &[], &[]).await;
        let denied = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        let mut denied = denied.action("GetInstanceUefiData");
        denied.turns.nth = Some(1);
        cloud.with(|model| model.faults.add(denied));
        let ids = [one, other];
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers");
        assert_eq!((machines.unsettled.len(), machines.whole.len()), (1, 1), "{machines:?}");
    });
}

#[test]
fn a_machine_that_cannot_be_read_is_there_all_the_same() {
    world(async |cloud| {
        let odd = machine_of(&cloud, AMAZON_LINUX, &[], &[]).await;
        let other = machine_of(&cloud, AMAZON_LINUX, &[], &[]).await;
        cloud.with(|model| {
            let scope = Scope::new("123456789012", HOME);
            let instances = &mut model.ec2_region(&scope).instances;
            let instance = instances.get_mut(odd.as_str()).expect("it is there");
            instance.platform.root_device_type.clear();
        });
        let ids = [odd.clone(), other.clone()];
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers");
        assert_eq!(machines.unsettled.iter().collect::<Vec<_>>(), [&odd], "{machines:?}");
        assert_eq!(machines.whole.keys().collect::<Vec<_>>(), [&other]);
    });
}

#[test]
fn a_machine_that_sleeps_is_not_at_rest() {
    world(async |cloud| {
        let plain = plain(&cloud, HOME);
        let root = EbsBlockDevice::builder().encrypted(true).volume_type(VolumeType::Gp3);
        let root = root.volume_size(20).build();
        let root = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(root).build();
        let hibernates =
            aws_sdk_ec2::types::HibernationOptionsRequest::builder().configured(true).build();
        let launched = plain
            .run_instances()
            .image_id(public_image(&plain, AMAZON_LINUX).await)
            .instance_type(InstanceType::M5Large)
            .min_count(1)
            .max_count(1)
            .block_device_mappings(root)
            .hibernation_options(hibernates)
            .send()
            .await
            .expect("a machine is launched");
        cloud.advance(Duration::from_secs(180)).await;
        let id = launched.instances()[0].instance_id().expect("it has an id");
        let stop = plain.stop_instances().instance_ids(id).hibernate(true);
        stop.send().await.expect("it hibernates");
        cloud.advance(Duration::from_secs(120)).await;
        let ids = [InstanceId::parse(id).expect("it is an id")];
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers")
            .whole;
        let machine = &machines[&ids[0]];
        assert_eq!(machine.instance.state, State::Stopped);
        assert!(machine.instance.hibernated && !machine.instance.is_at_rest());
        assert!(machine.volumes.iter().all(|volume| volume.encrypted));
    });
}

#[test]
fn a_machine_that_was_terminated_is_gone_for_as_long_as_it_is_shown() {
    world(async |cloud| {
        let id = machine_of(&cloud, AMAZON_LINUX, &[], &[]).await;
        let terminate = plain(&cloud, HOME).terminate_instances().instance_ids(id.as_str());
        terminate.send().await.expect("it goes");
        let ids = [id.clone()];
        for minutes in [0, 10] {
            cloud.advance(Duration::from_secs(60 * minutes)).await;
            let machines = ec2(&cloud)
                .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
                .await
                .expect("EC2 answers");
            assert!(machines.unsettled.is_empty(), "{machines:?}");
            assert!(machines.whole[&id].instance.state.is_gone(), "{machines:?}");
        }
    });
}

#[test]
fn a_machine_is_never_shown_without_one_of_its_disks() {
    // EC2 guide, eventual consistency: what was just made may not be described yet.
    world_with(
        |config| config.lag.visibility_ms = Some(0..=30_000),
        async |cloud| {
            let disks: Vec<_> =
                ["b", "c", "d", "e"].map(|c| disk(&format!("/dev/sd{c}"), 10, true)).into();
            let plain = plain(&cloud, HOME);
            let launch = plain
                .run_instances()
                .image_id(public_image(&plain, AMAZON_LINUX).await)
                .instance_type(InstanceType::T3Micro)
                .min_count(1)
                .max_count(1)
                .set_block_device_mappings(Some(disks));
            let launched = launch.send().await.expect("a machine is launched");
            let id = launched.instances()[0].instance_id().expect("it has an id");
            let ids = [InstanceId::parse(id).expect("it is an id")];
            let ec2 = ec2(&cloud);
            let (mut unsettled, mut whole) = (0, 0);
            for _ in 0..40 {
                let seen = ec2
                    .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
                    .await
                    .expect("EC2 answers");
                unsettled += seen.unsettled.len();
                for machine in seen.whole.values() {
                    assert_eq!(machine.volumes.len(), 5);
                    whole += 1;
                }
                cloud.advance(Duration::from_secs(1)).await;
            }
            assert!(unsettled > 0 && whole > 0, "{unsettled} {whole}");
        },
    );
}

#[test]
fn a_machine_that_there_is_not_is_left_out_of_the_answer() {
    world(async |cloud| {
        let id = machine_of(&cloud, AMAZON_LINUX, &[], &[]).await;
        let none = InstanceId::parse("i-0123456789abcdef0").expect("it is an id");
        let ids = [none, id.clone()];
        let machines = ec2(&cloud)
            .machines(&region(HOME), &ids, &Default::default(), usize::MAX)
            .await
            .expect("EC2 answers");
        assert_eq!(machines.whole.keys().collect::<Vec<_>>(), [&id]);
        assert!(machines.unsettled.is_empty());
    });
}
