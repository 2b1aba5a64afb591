//! Client tokens: the SDK's own, one's own, and what they guard against.

use std::time::Duration;

use afterimage_cloud::faults::{Rule, When};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::InstanceType;

use super::{
    AWAY, HOME, amazon_linux, attempts, ec2, fault, image, machine, own_images, refused, world,
};

/// A launch of one small machine.
async fn launch(ec2: &aws_sdk_ec2::Client) -> RunInstancesFluentBuilder {
    let image = amazon_linux(ec2).await;
    let launch = ec2.run_instances().image_id(image).instance_type(InstanceType::T3Micro);
    launch.min_count(1).max_count(1)
}

async fn launched(launch: RunInstancesFluentBuilder) -> String {
    let made = launch.send().await.expect("a machine is launched");
    made.instances()[0].instance_id().expect("an instance has an id").to_string()
}

async fn machines(ec2: &aws_sdk_ec2::Client) -> usize {
    let found = ec2.describe_instances().send().await.expect("machines are described");
    found.reservations().iter().map(|group| group.instances().len()).sum()
}

#[test]
fn the_same_token_launches_the_same_machine() {
    // EC2 guide, idempotency: a repeated request with its token does nothing more.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let launch = launch(&ec2).await.client_token("slot-1");
        let first = launched(launch.clone()).await;
        cloud.advance(Duration::from_secs(600)).await;
        assert_eq!(launched(launch).await, first);
        assert_eq!(machines(&ec2).await, 1);
    });
}

#[test]
fn the_same_token_for_something_else_is_refused() {
    // EC2 guide, idempotency: IdempotentParameterMismatch.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let launch = launch(&ec2).await.client_token("slot-1");
        launched(launch.clone()).await;
        let refused = refused(launch.instance_type(InstanceType::T3Small).send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "IdempotentParameterMismatch"));
        assert_eq!(machines(&ec2).await, 1);
    });
}

#[test]
fn each_call_without_a_token_of_its_own_has_another_one_by_the_sdk() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let launch = launch(&ec2).await;
        let first = launched(launch.clone()).await;
        assert_ne!(launched(launch).await, first);
        let attempts = attempts(&cloud, "RunInstances");
        let token = |n: usize| attempts[n].detail["ClientToken"].as_str().unwrap_or_default();
        assert!(!token(0).is_empty());
        assert_ne!(token(0), token(1));
    });
}

#[test]
fn a_launch_that_succeeded_unheard_is_not_repeated_by_the_next_attempt() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let unheard = Rule::fail(When::After, 500, "InternalError").action("RunInstances");
        fault(&cloud, unheard.times(2));
        launched(launch(&ec2).await).await;
        assert_eq!(attempts(&cloud, "RunInstances").len(), 3);
        assert_eq!(machines(&ec2).await, 1);
    });
}

#[test]
fn a_token_is_known_in_its_own_region_only() {
    // EC2 guide, idempotency: tokens are regional.
    world(async |cloud| {
        let (home, away) = (ec2(&cloud, HOME), ec2(&cloud, AWAY));
        let here = launched(launch(&home).await.client_token("slot-1")).await;
        let there = launched(launch(&away).await.client_token("slot-1")).await;
        assert_ne!(here, there);
        assert_eq!((machines(&home).await, machines(&away).await), (1, 1));
    });
}

#[test]
fn tokens_of_other_case_are_other_tokens() {
    // EC2 guide, idempotency: tokens are case-sensitive.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let lower = launched(launch(&ec2).await.client_token("slot-a")).await;
        let upper = launched(launch(&ec2).await.client_token("SLOT-A")).await;
        assert_ne!(lower, upper);
    });
}

#[test]
fn the_same_token_copies_an_image_once_and_names_the_same_copy() {
    // API reference, CopyImage: ClientToken.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let machine = machine(&cloud, &home, &[]).await;
        let source = image(&cloud, &home, &machine, "source").await;
        let away = ec2(&cloud, AWAY);
        let copy = away.copy_image().source_region(HOME).source_image_id(&source);
        let copy = copy.client_token("copy-1");
        let first = copy.clone().name("copy").send().await.expect("a copy is begun");
        cloud.advance(Duration::from_secs(3_600)).await;
        let second = copy.clone().name("copy").send().await.expect("the token is known");
        assert_eq!(second.image_id(), first.image_id());
        assert_eq!(own_images(&away).await.len(), 1);
        let other = refused(copy.name("other name").send().await);
        assert_eq!(other.code, "IdempotentParameterMismatch");
        let again = away.copy_image().source_region(HOME).source_image_id(&source).name("copy");
        assert_eq!(refused(again.send().await).code, "InvalidAMIName.Duplicate");
    });
}

#[test]
fn the_same_token_makes_a_volume_once() {
    // API reference, CreateVolume: ClientToken.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = ec2.create_volume().availability_zone("us-east-1a").size(2);
        let volume = volume.client_token("volume-1");
        let first = volume.clone().send().await.expect("a volume is made");
        let second = volume.clone().send().await.expect("the token is known");
        assert_eq!(second.volume_id(), first.volume_id());
        let other = refused(volume.size(3).send().await);
        assert_eq!(other.code, "IdempotentParameterMismatch");
        let found = ec2.describe_volumes().send().await.expect("volumes are described");
        assert_eq!(found.volumes().len(), 1);
    });
}
