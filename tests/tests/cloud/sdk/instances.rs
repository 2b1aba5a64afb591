//! Machines through the SDK: what they are launched with, how they end, what is left of them.

use std::time::Duration;

use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Instance, InstanceAttributeName, InstanceStateName,
    InstanceType, ResourceType, SummaryStatus, VolumeType,
};

use super::{
    HOME, amazon_linux, disk, ec2, machine, refused, snapshot, tag, tags_for, volume, volumes_of,
    world,
};

async fn described(ec2: &Ec2, id: &str) -> Instance {
    let found = ec2.describe_instances().instance_ids(id).send().await;
    found.expect("the machine is described").reservations()[0].instances()[0].clone()
}

fn state_of(instance: &Instance) -> (InstanceStateName, i32) {
    let state = instance.state().expect("a machine has a state");
    (state.name().expect("with a name").clone(), state.code().expect("and a code"))
}

#[test]
fn states_have_the_codes_of_the_documentation() {
    // API reference, InstanceState: 0, 16, 32, 48, 64 and 80.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let image = amazon_linux(&ec2).await;
        let launch = ec2.run_instances().image_id(image).instance_type(InstanceType::T3Micro);
        let made = launch.min_count(1).max_count(1).send().await.expect("a machine is launched");
        let first = &made.instances()[0];
        assert_eq!(state_of(first), (InstanceStateName::Pending, 0));
        let id = first.instance_id().expect("an id");
        cloud.advance(Duration::from_secs(60)).await;
        assert_eq!(state_of(&described(&ec2, id).await), (InstanceStateName::Running, 16));
        let stopping = ec2.stop_instances().instance_ids(id).send().await.expect("it stops");
        let change = &stopping.stopping_instances()[0];
        let code = |state: Option<&aws_sdk_ec2::types::InstanceState>| {
            state.and_then(|state| state.code())
        };
        assert_eq!(code(change.previous_state()), Some(16));
        assert_eq!(code(change.current_state()), Some(64));
        cloud.advance(Duration::from_secs(120)).await;
        assert_eq!(state_of(&described(&ec2, id).await), (InstanceStateName::Stopped, 80));
        let ending = ec2.terminate_instances().instance_ids(id).send().await.expect("it ends");
        let before = ending.terminating_instances()[0].previous_state();
        assert_eq!(code(before), Some(80));
        cloud.advance(Duration::from_secs(120)).await;
        assert_eq!(state_of(&described(&ec2, id).await), (InstanceStateName::Terminated, 48));
    });
}

#[test]
fn a_stop_by_a_user_says_so_and_a_running_machine_gives_no_reason() {
    // EC2 guide, instance lifecycle: Client.UserInitiatedShutdown.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let code = async || {
            let reason = described(&ec2, &machine).await.state_reason;
            reason.and_then(|reason| reason.code).unwrap_or_default()
        };
        assert_eq!(code().await, "");
        ec2.stop_instances().instance_ids(&machine).send().await.expect("it stops");
        cloud.advance(Duration::from_secs(120)).await;
        assert_eq!(code().await, "Client.UserInitiatedShutdown");
        ec2.start_instances().instance_ids(&machine).send().await.expect("it starts");
        cloud.advance(Duration::from_secs(120)).await;
        assert_eq!(code().await, "");
    });
}

#[test]
fn a_terminated_machine_is_described_for_about_an_hour() {
    // EC2 guide, terminating: visible for a short while, usually an hour.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        ec2.terminate_instances().instance_ids(&machine).send().await.expect("it ends");
        cloud.advance(Duration::from_secs(1_800)).await;
        assert_eq!(state_of(&described(&ec2, &machine).await).1, 48);
        cloud.advance(Duration::from_secs(7_200)).await;
        let found = ec2.describe_instances().instance_ids(&machine).send().await;
        assert_eq!(refused(found).code, "InvalidInstanceID.NotFound");
    });
}

#[test]
fn a_terminated_machine_takes_the_volumes_along_that_it_may() {
    // API reference, EbsBlockDevice: DeleteOnTermination.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let keep = EbsBlockDevice::builder().volume_size(3).volume_type(VolumeType::Gp3);
        let keep = keep.delete_on_termination(false).build();
        let keep = BlockDeviceMapping::builder().device_name("/dev/sdc").ebs(keep).build();
        let machine = machine(&cloud, &ec2, &[disk("/dev/sdb", 2), keep]).await;
        assert_eq!(volumes_of(&ec2, &machine).await.len(), 3);
        ec2.terminate_instances().instance_ids(&machine).send().await.expect("it ends");
        cloud.advance(Duration::from_secs(300)).await;
        let left = ec2.describe_volumes().send().await.expect("volumes are described");
        let left: Vec<_> = left.volumes().iter().map(|one| (one.size(), one.state())).collect();
        assert_eq!(left, [(Some(3), Some(&aws_sdk_ec2::types::VolumeState::Available))]);
    });
}

#[test]
fn tags_at_launch_go_to_the_machine_and_to_its_volumes_apart() {
    // API reference, RunInstances: TagSpecifications for instance and volume.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let image = amazon_linux(&ec2).await;
        let launch = ec2.run_instances().image_id(image).instance_type(InstanceType::T3Micro);
        let launch = launch
            .min_count(2)
            .max_count(2)
            .tag_specifications(tags_for(ResourceType::Instance, &[("Name", "web <1>")]))
            .tag_specifications(tags_for(ResourceType::Volume, &[("disk", "")]));
        let made = launch.send().await.expect("two machines are launched");
        assert_eq!(made.instances().len(), 2);
        cloud.advance(Duration::from_secs(60)).await;
        for one in made.instances() {
            assert_eq!(one.tags(), [tag("Name", "web <1>")]);
            let id = one.instance_id().expect("an id");
            for volume in volumes_of(&ec2, id).await {
                let found = ec2.describe_volumes().volume_ids(volume).send().await;
                assert_eq!(found.expect("described").volumes()[0].tags(), [tag("disk", "")]);
            }
        }
        let filters = super::filter("tag:Name", &["web <1>"]);
        let found = ec2.describe_instances().filters(filters).send().await.expect("described");
        assert_eq!(found.reservations().len(), 1, "one launch is one reservation");
        assert_eq!(found.reservations()[0].instances().len(), 2);
    });
}

#[test]
fn user_data_comes_back_in_base64_as_it_was_given() {
    // API reference, RunInstances: UserData is base64, and the SDK does not encode it.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let image = amazon_linux(&ec2).await;
        // "#!/bin/sh\necho ÿ??>>\n", with all signs of base64 that a form escapes.
        let data = "IyEvYmluL3NoCmVjaG8gw78/Pz4+Cg==";
        let launch = ec2.run_instances().image_id(image).instance_type(InstanceType::T3Micro);
        let launch = launch.min_count(1).max_count(1).user_data(data);
        let made = launch.send().await.expect("a machine is launched");
        let id = made.instances()[0].instance_id().expect("an id");
        let call = ec2.describe_instance_attribute().instance_id(id);
        let read = call.attribute(InstanceAttributeName::UserData).send().await;
        let read = read.expect("the attribute is described");
        assert_eq!(read.user_data().and_then(|data| data.value()), Some(data));
    });
}

#[test]
fn only_running_machines_have_a_status_unless_all_are_asked_for() {
    // API reference, DescribeInstanceStatus: IncludeAllInstances.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let (up, down) = (machine(&cloud, &ec2, &[]).await, machine(&cloud, &ec2, &[]).await);
        ec2.stop_instances().instance_ids(&down).send().await.expect("it stops");
        cloud.advance(Duration::from_secs(600)).await;
        let running = ec2.describe_instance_status().send().await.expect("status");
        let statuses = running.instance_statuses();
        assert_eq!(statuses.len(), 1);
        assert_eq!(statuses[0].instance_id(), Some(up.as_str()));
        let check = statuses[0].instance_status().and_then(|summary| summary.status());
        assert_eq!(check, Some(&SummaryStatus::Ok));
        let all = ec2.describe_instance_status().include_all_instances(true).send().await;
        let all = all.expect("status");
        let stopped = all.instance_statuses().iter().find(|one| one.instance_id() == Some(&down));
        let check = stopped.and_then(|one| one.instance_status()).and_then(|one| one.status());
        assert_eq!(check, Some(&SummaryStatus::NotApplicable));
    });
}

#[test]
fn a_machine_starts_from_its_own_image_with_disks_of_the_same_size() {
    // EC2 guide, launching from an AMI: its mapping, from its snapshots.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let origin = machine(&cloud, &ec2, &[disk("/dev/sdb", 2)]).await;
        let id = super::image(&cloud, &ec2, &origin, "golden").await;
        let launch = ec2.run_instances().image_id(&id).instance_type(InstanceType::T3Micro);
        let made = launch.min_count(1).max_count(1).send().await.expect("it is launched");
        cloud.advance(Duration::from_secs(60)).await;
        let copy = made.instances()[0].instance_id().expect("an id");
        let mut pairs = Vec::new();
        for machine in [origin.as_str(), copy] {
            let ids = volumes_of(&ec2, machine).await;
            let found = ec2.describe_volumes().set_volume_ids(Some(ids)).send().await;
            let found = found.expect("volumes are described");
            let mut sizes: Vec<_> = found.volumes().iter().map(|one| one.size()).collect();
            sizes.sort_unstable();
            pairs.push(sizes);
            if machine == copy {
                assert!(found.volumes().iter().all(|one| one.snapshot_id().is_some()));
            }
        }
        assert_eq!(pairs[0], pairs[1]);
    });
}

#[test]
fn a_volume_cannot_be_smaller_than_its_snapshot() {
    // API reference, CreateVolume: at least the size of the snapshot, which is the default.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 4).await;
        let snapshot = snapshot(&cloud, &ec2, &volume).await;
        let make = ec2.create_volume().availability_zone("us-east-1a").snapshot_id(&snapshot);
        assert_eq!(refused(make.clone().size(3).send().await).status, 400);
        let same = make.clone().send().await.expect("a volume is made");
        assert_eq!(same.size(), Some(4));
        let larger = make.size(5).send().await.expect("a volume is made");
        assert_eq!(larger.size(), Some(5));
    });
}

#[test]
fn a_machine_that_is_gone_cannot_be_started_again() {
    // EC2 API reference, error codes: IncorrectInstanceState.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        ec2.terminate_instances().instance_ids(&machine).send().await.expect("it ends");
        cloud.advance(Duration::from_secs(120)).await;
        let refused = refused(ec2.start_instances().instance_ids(&machine).send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "IncorrectInstanceState"));
    });
}
