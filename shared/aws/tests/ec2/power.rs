//! Stopping and starting machines, and what is asked before.

use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::call::{Outcome, StartInstance, StopInstance};
use afterimage_core::facts::RootDeviceType;
use afterimage_core::ids::InstanceId;
use afterimage_core::machine::State;
use aws_sdk_ec2::types::AttributeBooleanValue;

use super::{HOME, ec2, fault, machine, plain, region, sent, world};

fn stop(instance: &InstanceId) -> StopInstance {
    StopInstance { region: region(HOME), instance: instance.clone() }
}

fn start(instance: &InstanceId) -> StartInstance {
    StartInstance { region: region(HOME), instance: instance.clone() }
}

async fn settle(cloud: &Cloud) {
    cloud.advance(Duration::from_secs(60)).await;
}

#[test]
fn ec2_tells_what_the_machine_was_before() {
    world(async |cloud| {
        let (ec2, machine) = (ec2(&cloud), machine(&cloud).await);
        assert_eq!(ec2.stop_instance(&stop(&machine)).await, Outcome::Made(State::Running));
        assert_eq!(ec2.stop_instance(&stop(&machine)).await, Outcome::Made(State::Stopping));
        settle(&cloud).await;
        assert_eq!(ec2.stop_instance(&stop(&machine)).await, Outcome::Made(State::Stopped));
        assert_eq!(ec2.start_instance(&start(&machine)).await, Outcome::Made(State::Stopped));
        assert_eq!(ec2.start_instance(&start(&machine)).await, Outcome::Made(State::Pending));
    });
}

#[test]
fn what_the_first_of_two_calls_did_is_not_told_by_the_second() {
    world(async |cloud| {
        let (ec2, machine) = (ec2(&cloud), machine(&cloud).await);
        // The machine is stopped, the answer is lost, and the SDK asks again.
        let lost = Rule::fail(When::After, 500, "InternalError").action("StopInstances").nth(1);
        fault(&cloud, lost);
        let outcome = ec2.stop_instance(&stop(&machine)).await;
        assert_eq!(sent(&cloud, "StopInstances"), 2);
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    });
}

#[test]
fn a_call_that_did_nothing_the_first_time_leaves_nothing_open() {
    world(async |cloud| {
        let (ec2, machine) = (ec2(&cloud), machine(&cloud).await);
        let lost = Rule::fail(When::Before, 500, "InternalError").action("StopInstances").nth(1);
        fault(&cloud, lost);
        let outcome = ec2.stop_instance(&stop(&machine)).await;
        assert_eq!(sent(&cloud, "StopInstances"), 2);
        assert_eq!(outcome, Outcome::Made(State::Running));
    });
}

#[test]
fn a_machine_that_is_still_stopping_is_not_started() {
    world(async |cloud| {
        let (ec2, machine) = (ec2(&cloud), machine(&cloud).await);
        ec2.stop_instance(&stop(&machine)).await;
        let outcome = ec2.start_instance(&start(&machine)).await;
        let Outcome::Failed(answer) = outcome else { panic!("{outcome:?}") };
        assert_eq!(answer.code, "IncorrectInstanceState");
    });
}

#[test]
fn a_machine_shows_who_stopped_it() {
    world(async |cloud| {
        let (ec2, machine) = (ec2(&cloud), machine(&cloud).await);
        let home = region(HOME);
        let ids = [machine.clone()];
        let before = ec2.seen_machines(&home, &ids).await.expect("it is described");
        let before = &before[&machine];
        assert_eq!((before.instance.state, &before.state_reason), (State::Running, &None));
        assert_eq!(before.root_device_type, RootDeviceType::Ebs);
        ec2.stop_instance(&stop(&machine)).await;
        settle(&cloud).await;
        let after = ec2.seen_machines(&home, &ids).await.expect("it is described");
        let after = &after[&machine];
        assert_eq!(after.instance.state, State::Stopped);
        assert!(after.was_stopped_by_somebody(), "{:?}", after.state_reason);
        assert_eq!(after.instance.launched, before.instance.launched, "the same run has ended");
    });
}

#[test]
fn what_forbids_to_stop_a_machine_is_asked() {
    world(async |cloud| {
        let (ec2, machine) = (ec2(&cloud), machine(&cloud).await);
        let home = region(HOME);
        let shown = ec2
            .seen_machines(&home, std::slice::from_ref(&machine))
            .await
            .expect("it is described");
        let mut instance = shown[&machine].instance.clone();
        let guarded = ec2.guarded(&home, &instance).await.expect("it is told");
        assert_eq!((guarded.stop_protected, guarded.instance_store), (false, false));
        assert_eq!(guarded.start_refused, None, "an administrator may start it");
        assert_eq!(shown[&machine].instance.state, State::Running);
        let protected = AttributeBooleanValue::builder().value(true).build();
        let call = plain(&cloud, HOME).modify_instance_attribute().instance_id(machine.as_str());
        call.disable_api_stop(protected).send().await.expect("it is protected");
        instance.instance_type = "m5d.large".to_string();
        let guarded = ec2.guarded(&home, &instance).await.expect("it is told");
        assert_eq!((guarded.stop_protected, guarded.instance_store), (true, true));
        // Of a type that EC2 does not tell of it is not known: an error, and no permission.
        instance.instance_type = "t9.huge".to_string();
        assert!(ec2.guarded(&home, &instance).await.is_err());
    });
}
