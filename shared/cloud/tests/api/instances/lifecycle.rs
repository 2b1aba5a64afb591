//! From launch to the end, and every way of asking for a change of state that is refused.

use afterimage_cloud::Cloud;
use serde_json::json;

use super::world::{
    INSTANCE_STORE, LINUX, calm, described, events, kms, launch, running, secs, state_of,
    told_states,
};
use crate::common::{ec2, leaf, leaves, query, refused};

#[test]
fn a_launched_instance_is_pending_then_running_and_an_event_tells_of_each() {
    Cloud::run(calm(), async |cloud| {
        let id = launch(&cloud, LINUX, "t3.micro", "");
        assert_eq!(state_of(&cloud, &id), "pending");
        cloud.advance(secs(14)).await;
        assert_eq!(state_of(&cloud, &id), "pending");
        cloud.advance(secs(6)).await;
        assert_eq!(state_of(&cloud, &id), "running");
        assert_eq!(told_states(&cloud, &id), ["pending", "running"]);
        let all = events(&cloud, "EC2 Instance State-change Notification");
        let event = all.first().expect("an event was sent");
        let arn = format!("arn:aws:ec2:us-east-1:123456789012:instance/{id}");
        assert_eq!(event["resources"][0], arn.as_str());
        assert_eq!(event["source"], "aws.ec2");
    });
}

#[test]
fn stop_answers_with_both_states_and_leaves_its_reasons() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let body = ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        let state = |name: &str, leaf_name: &str| leaf(&leaf(&body, name), leaf_name);
        assert_eq!(state("previousState", "name"), "running");
        assert_eq!(state("previousState", "code"), "16");
        assert_eq!(state("currentState", "name"), "stopping");
        assert_eq!(state("currentState", "code"), "64");
        cloud.advance(secs(40)).await;
        let body = described(&cloud, &id);
        assert_eq!(leaf(&leaf(&body, "instanceState"), "code"), "80");
        assert_eq!(leaf(&body, "reason"), "User initiated (2026-01-01 00:00:20 GMT)");
        let reason = leaf(&body, "stateReason");
        assert_eq!(leaf(&reason, "code"), "Client.UserInitiatedShutdown");
        let message = "Client.UserInitiatedShutdown: User initiated shutdown";
        assert_eq!(leaf(&reason, "message"), message);
        assert_eq!(told_states(&cloud, &id), ["pending", "running", "stopping", "stopped"]);
    });
}

#[test]
fn every_start_resets_the_launch_time_and_clears_the_reason() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        assert_eq!(leaf(&described(&cloud, &id), "launchTime"), "2026-01-01T00:00:00.000Z");
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        assert_eq!(leaf(&described(&cloud, &id), "launchTime"), "2026-01-01T00:00:00.000Z");
        ec2(&cloud, &format!("Action=StartInstances&InstanceId.1={id}"));
        cloud.advance(secs(20)).await;
        let body = described(&cloud, &id);
        assert_eq!(leaf(&body, "launchTime"), "2026-01-01T00:01:00.000Z");
        assert_eq!(leaf(&leaf(&body, "instanceState"), "name"), "running");
        assert_eq!(leaf(&body, "stateReason"), "");
        assert_eq!(leaf(&body, "reason"), "");
    });
}

#[test]
fn a_hibernated_instance_is_stopped_for_a_reason_of_its_own() {
    Cloud::run(calm(), async |cloud| {
        let rest = "&HibernationOptions.Configured=true\
                    &BlockDeviceMapping.1.DeviceName=/dev/xvda\
                    &BlockDeviceMapping.1.Ebs.Encrypted=true";
        let id = running(&cloud, rest).await;
        assert_eq!(
            leaf(&leaf(&described(&cloud, &id), "hibernationOptions"), "configured"),
            "true"
        );
        ec2(&cloud, &format!("Action=StopInstances&Hibernate=true&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        let body = described(&cloud, &id);
        assert_eq!(leaf(&leaf(&body, "instanceState"), "name"), "stopped");
        assert_eq!(leaf(&leaf(&body, "stateReason"), "code"), "Client.UserInitiatedHibernate");
        let other = running(&cloud, "").await;
        let form = format!("Action=StopInstances&Hibernate=true&InstanceId.1={other}");
        assert_eq!(refused(&cloud, &form), "UnsupportedHibernationConfiguration");
    });
}

#[test]
fn a_reboot_changes_no_state_and_sends_no_event() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let body = ec2(&cloud, &format!("Action=RebootInstances&InstanceId.1={id}"));
        assert_eq!(leaf(&body, "return"), "true");
        cloud.advance(secs(600)).await;
        assert_eq!(told_states(&cloud, &id), ["pending", "running"]);
    });
}

#[test]
fn termination_deletes_marked_volumes_and_frees_the_others() {
    Cloud::run(calm(), async |cloud| {
        let rest = "&BlockDeviceMapping.1.DeviceName=/dev/sdf\
                    &BlockDeviceMapping.1.Ebs.VolumeSize=5\
                    &BlockDeviceMapping.1.Ebs.DeleteOnTermination=false";
        let id = running(&cloud, rest).await;
        let volumes = leaves(&described(&cloud, &id), "volumeId");
        let [root, data] = volumes.as_slice() else { panic!("two volumes, not {volumes:?}") };
        ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={id}"));
        assert_eq!(state_of(&cloud, &id), "shutting-down");
        cloud.advance(secs(40)).await;
        assert_eq!(state_of(&cloud, &id), "terminated");
        let form = format!("Action=DescribeVolumes&VolumeId.1={root}");
        assert_eq!(refused(&cloud, &form), "InvalidVolume.NotFound");
        let body = ec2(&cloud, &format!("Action=DescribeVolumes&VolumeId.1={data}"));
        assert_eq!(leaf(&body, "status"), "available");
        let told = told_states(&cloud, &id);
        assert_eq!(told, ["pending", "running", "shutting-down", "terminated"]);
    });
}

#[test]
fn a_terminated_instance_is_described_for_an_hour() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={id}"));
        cloud.advance(secs(3600)).await;
        assert_eq!(state_of(&cloud, &id), "terminated");
        cloud.advance(secs(60)).await;
        let form = format!("Action=DescribeInstances&InstanceId.1={id}");
        assert_eq!(refused(&cloud, &form), "InvalidInstanceID.NotFound");
        let body = ec2(&cloud, "Action=DescribeInstances");
        assert_eq!(leaves(&body, "instanceId"), Vec::<String>::new());
    });
}

#[test]
fn termination_overtakes_a_stop() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={id}"));
        cloud.advance(secs(60)).await;
        assert_eq!(state_of(&cloud, &id), "terminated");
        assert!(!told_states(&cloud, &id).contains(&"stopped".to_string()));
    });
}

#[test]
fn changes_from_a_state_that_does_not_allow_them_are_refused() {
    Cloud::run(calm(), async |cloud| {
        let id = launch(&cloud, LINUX, "t3.micro", "");
        let code = |action: &str| refused(&cloud, &format!("Action={action}&InstanceId.1={id}"));
        assert_eq!(code("StopInstances"), "IncorrectInstanceState");
        cloud.advance(secs(20)).await;
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        assert_eq!(code("StartInstances"), "IncorrectInstanceState");
        cloud.advance(secs(40)).await;
        assert_eq!(code("RebootInstances"), "IncorrectInstanceState");
        ec2(&cloud, &format!("Action=TerminateInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        assert_eq!(code("StartInstances"), "IncorrectInstanceState");
        assert_eq!(code("StopInstances"), "IncorrectInstanceState");
    });
}

#[test]
fn what_is_so_already_is_no_error_and_does_nothing() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let body = ec2(&cloud, &format!("Action=StartInstances&InstanceId.1={id}"));
        assert_eq!(leaves(&body, "name"), ["running", "running"]);
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        let body = ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        assert_eq!(leaves(&body, "name"), ["stopped", "stopped"]);
        cloud.advance(secs(40)).await;
        assert_eq!(told_states(&cloud, &id), ["pending", "running", "stopping", "stopped"]);
    });
}

#[test]
fn protected_instances_are_neither_stopped_nor_terminated() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "&DisableApiStop=true&DisableApiTermination=true").await;
        for action in ["StopInstances", "TerminateInstances"] {
            let form = format!("Action={action}&InstanceId.1={id}");
            assert_eq!(refused(&cloud, &form), "OperationNotPermitted", "{action}");
        }
        assert_eq!(state_of(&cloud, &id), "running");
    });
}

#[test]
fn spot_instances_and_instance_store_cannot_be_stopped() {
    Cloud::run(calm(), async |cloud| {
        let spot = running(&cloud, "&InstanceMarketOptions.MarketType=spot").await;
        assert_eq!(leaf(&described(&cloud, &spot), "instanceLifecycle"), "spot");
        let store = launch(&cloud, INSTANCE_STORE, "m3.medium", "");
        cloud.advance(secs(20)).await;
        assert_eq!(leaf(&described(&cloud, &store), "rootDeviceType"), "instance-store");
        for id in [spot, store] {
            let form = format!("Action=StopInstances&InstanceId.1={id}");
            assert_eq!(refused(&cloud, &form), "UnsupportedOperation");
        }
    });
}

#[test]
fn a_call_for_several_instances_does_all_or_nothing() {
    Cloud::run(calm(), async |cloud| {
        let one = running(&cloud, "").await;
        let two = running(&cloud, "&DisableApiStop=true").await;
        let form = format!("Action=StopInstances&InstanceId.1={one}&InstanceId.2={two}");
        assert_eq!(refused(&cloud, &form), "OperationNotPermitted");
        assert_eq!(state_of(&cloud, &one), "running");
    });
}

#[test]
fn ids_that_are_malformed_or_name_nothing_are_told_apart() {
    Cloud::run(calm(), async |cloud| {
        for (id, code) in [
            ("i-123", "InvalidInstanceID.Malformed"),
            ("vol-0123456789abcdef0", "InvalidInstanceID.Malformed"),
            ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
        ] {
            for action in ["StartInstances", "TerminateInstances", "DescribeInstances"] {
                let form = format!("Action={action}&InstanceId.1={id}");
                assert_eq!(refused(&cloud, &form), code, "{action} {id}");
            }
        }
        let form = "Action=StopInstances&InstanceId.1=i-0123456789abcdef0\
                    &InstanceId.2=i-0123456789abcdef1";
        let (_, body) = query(&cloud, "us-east-1", "ec2", form);
        let text = "The instance IDs 'i-0123456789abcdef0, i-0123456789abcdef1' do not exist";
        assert_eq!(leaf(&body, "Message"), text);
    });
}

#[test]
fn a_dry_run_does_nothing() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let form = format!("Action=StopInstances&DryRun=true&InstanceId.1={id}");
        let (status, body) = query(&cloud, "us-east-1", "ec2", &form);
        assert_eq!((status, leaf(&body, "Code").as_str()), (412, "DryRunOperation"));
        assert_eq!(state_of(&cloud, &id), "running");
    });
}

#[test]
fn a_start_without_the_key_of_a_disk_ends_where_it_began() {
    Cloud::run(calm(), async |cloud| {
        let made = kms(&cloud, "CreateKey", &json!({}));
        let key = made["KeyMetadata"]["KeyId"].as_str().expect("a key has an id").to_string();
        let rest = format!(
            "&BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.Encrypted=true\
             &BlockDeviceMapping.1.Ebs.KmsKeyId={key}"
        );
        let id = running(&cloud, &rest).await;
        assert_eq!(state_of(&cloud, &id), "running");
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        kms(&cloud, "DisableKey", &json!({ "KeyId": key }));
        let start = format!("Action=StartInstances&InstanceId.1={id}");
        ec2(&cloud, &start);
        assert_eq!(state_of(&cloud, &id), "pending");
        cloud.advance(secs(20)).await;
        let body = described(&cloud, &id);
        assert_eq!(leaf(&leaf(&body, "instanceState"), "name"), "stopped");
        assert_eq!(leaf(&leaf(&body, "stateReason"), "code"), "Client.InternalError");
        kms(&cloud, "EnableKey", &json!({ "KeyId": key }));
        ec2(&cloud, &start);
        cloud.advance(secs(20)).await;
        assert_eq!(state_of(&cloud, &id), "running");
    });
}
