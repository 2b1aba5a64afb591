//! Snapshots as their callers see them: how they come to be, are copied, shared, locked and go.

use std::time::Duration;

use crate::common::{ec2, leaf, leaves, query, query_as, refused};
use crate::machine::{
    DATA, HOME, INSTANCE, OTHER_ACCOUNT, OTHER_KEY, ROOT, declare_other, events, home, run,
    run_with, seconds,
};
use afterimage_cloud::ec2::state::InstanceState;
use afterimage_cloud::faults::{Creation, Rule};
use afterimage_cloud::{Cloud, Config};

const ONE: &str = "EBS Snapshot Notification";
const SET: &str = "EBS Multi-Volume Snapshots Completion Status";
/// Longer than any snapshot or copy of these tests takes.
const LONG: u64 = 3600;

fn create(cloud: &Cloud, volume: &str) -> String {
    leaf(&ec2(cloud, &format!("Action=CreateSnapshot&VolumeId={volume}")), "snapshotId")
}

fn describe(cloud: &Cloud, id: &str) -> String {
    ec2(cloud, &format!("Action=DescribeSnapshots&SnapshotId.1={id}"))
}

async fn completed(cloud: &Cloud, volume: &str) -> String {
    let id = create(cloud, volume);
    seconds(cloud, LONG).await;
    assert_eq!(leaf(&describe(cloud, &id), "status"), "completed");
    id
}

#[test]
fn a_snapshot_is_pending_makes_progress_and_is_completed() {
    run(async |cloud| {
        let body = ec2(&cloud, &format!("Action=CreateSnapshot&VolumeId={ROOT}&Description=d"));
        assert_eq!(leaf(&body, "status"), "pending");
        assert_eq!(leaf(&body, "progress"), "0%");
        assert_eq!(leaf(&body, "volumeSize"), "8");
        let id = leaf(&body, "snapshotId");
        // 60 s and 4 s for each of 8 GiB, give or take a fifth.
        seconds(&cloud, 70).await;
        let body = describe(&cloud, &id);
        let progress: u32 = leaf(&body, "progress").trim_end_matches('%').parse().unwrap();
        assert_eq!(leaf(&body, "status"), "pending");
        assert!((60..100).contains(&progress), "{progress}");
        seconds(&cloud, 45).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "status"), "completed");
        assert_eq!(leaf(&body, "progress"), "100%");
        assert_eq!(leaf(&body, "volumeId"), ROOT);
        assert_eq!(leaf(&body, "description"), "d");
    });
}

#[test]
fn its_event_has_the_region_in_the_place_of_the_account_and_three_styles_of_names() {
    run(async |cloud| {
        let id = completed(&cloud, ROOT).await;
        let events = events(&cloud, ONE).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        let arn = format!("arn:aws:ec2::us-east-1:snapshot/{id}");
        assert_eq!(event["resources"], serde_json::json!([arn]));
        assert_eq!(event["source"], "aws.ec2");
        let detail = &event["detail"];
        assert_eq!(detail["event"], "createSnapshot");
        assert_eq!(detail["result"], "succeeded");
        assert_eq!(detail["cause"], "");
        assert_eq!(detail["request-id"], "");
        assert_eq!(detail["snapshot_id"], arn);
        assert_eq!(detail["source"], format!("arn:aws:ec2::us-east-1:volume/{ROOT}"));
        assert_eq!(detail["startTime"], "2026-01-01T00:00:00Z");
        assert!(detail["endTime"].as_str().unwrap() > "2026-01-01T00:01:00Z");
    });
}

#[test]
fn a_later_snapshot_of_a_volume_has_only_the_changes_to_upload() {
    run(async |cloud| {
        let first = create(&cloud, DATA);
        // 60 s and 400 s at least less a fifth.
        seconds(&cloud, 360).await;
        assert_eq!(leaf(&describe(&cloud, &first), "status"), "pending");
        seconds(&cloud, LONG).await;
        let second = create(&cloud, DATA);
        // 60 s and 40 s and a fifth.
        seconds(&cloud, 121).await;
        assert_eq!(leaf(&describe(&cloud, &second), "status"), "completed");
        for id in [&first, &second] {
            ec2(&cloud, &format!("Action=DeleteSnapshot&SnapshotId={id}"));
        }
        let third = create(&cloud, DATA);
        seconds(&cloud, 360).await;
        assert_eq!(leaf(&describe(&cloud, &third), "status"), "pending", "it is full again");
    });
}

#[test]
fn between_two_snapshots_of_a_volume_are_fifteen_seconds() {
    run(async |cloud| {
        create(&cloud, ROOT);
        seconds(&cloud, 14).await;
        let form = format!("Action=CreateSnapshot&VolumeId={ROOT}");
        let (status, body) = query(&cloud, HOME, "ec2", &form);
        assert_eq!(status, 400);
        assert_eq!(leaf(&body, "Code"), "SnapshotCreationPerVolumeRateExceeded");
        create(&cloud, DATA);
        seconds(&cloud, 2).await;
        create(&cloud, ROOT);
    });
}

#[test]
fn five_snapshots_of_a_volume_at_a_time_and_one_of_a_cold_one() {
    let mut config = Config::seeded(1);
    config.limits.snapshot_spacing = Duration::ZERO;
    run_with(config, async |cloud| {
        for _ in 0..5 {
            create(&cloud, ROOT);
        }
        let form = format!("Action=CreateSnapshot&VolumeId={ROOT}");
        assert_eq!(refused(&cloud, &form), "ConcurrentSnapshotLimitExceeded");
        cloud.with(|model| {
            let volume = model.ec2_region(&home()).volumes.get_mut(DATA).unwrap();
            volume.volume_type = "st1".into();
        });
        create(&cloud, DATA);
        let form = format!("Action=CreateSnapshot&VolumeId={DATA}");
        assert_eq!(refused(&cloud, &form), "ConcurrentSnapshotLimitExceeded");
        seconds(&cloud, LONG).await;
        create(&cloud, ROOT);
    });
}

#[test]
fn pending_and_all_snapshots_of_a_region_have_limits() {
    let mut config = Config::seeded(1);
    config.limits.pending_snapshots_per_region = 1;
    config.limits.snapshots_per_region = 2;
    run_with(config, async |cloud| {
        create(&cloud, ROOT);
        let form = format!("Action=CreateSnapshot&VolumeId={DATA}");
        assert_eq!(refused(&cloud, &form), "PendingSnapshotLimitExceeded");
        seconds(&cloud, LONG).await;
        completed(&cloud, DATA).await;
        assert_eq!(refused(&cloud, &form), "SnapshotLimitExceeded");
    });
}

fn set(extra: &str) -> String {
    format!("Action=CreateSnapshots&InstanceSpecification.InstanceId={INSTANCE}{extra}")
}

#[test]
fn a_set_is_one_moment_of_all_volumes_and_one_event_with_a_name_of_its_own() {
    run(async |cloud| {
        let body = ec2(&cloud, &set("&CopyTagsFromSource=volume"));
        assert_eq!(leaves(&body, "volumeId"), [ROOT, DATA]);
        assert_eq!(leaves(&body, "state"), ["pending", "pending"]);
        let starts = leaves(&body, "startTime");
        assert_eq!(starts[0], starts[1]);
        assert_eq!(leaves(&body, "value"), ["/dev/xvda", "/dev/sdf"]);
        let ids = leaves(&body, "snapshotId");
        seconds(&cloud, LONG).await;
        assert!(events(&cloud, ONE).await.is_empty());
        let events = events(&cloud, SET).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(event["resources"].as_array().unwrap().len(), 2);
        assert_eq!(event["detail"]["event"], "createSnapshots");
        assert_eq!(event["detail"]["result"], "succeeded");
        let members = event["detail"]["snapshots"].as_array().unwrap();
        for (member, (id, volume)) in members.iter().zip(ids.iter().zip([ROOT, DATA])) {
            assert_eq!(member["snapshot_id"], format!("arn:aws:ec2::us-east-1:snapshot/{id}"));
            assert_eq!(member["source"], format!("arn:aws:ec2::us-east-1:volume/{volume}"));
            assert_eq!(member["status"], "completed");
        }
    });
}

#[test]
fn volumes_can_be_left_out_of_a_set_but_the_root_only_by_its_own_switch() {
    run(async |cloud| {
        let without_boot = ec2(&cloud, &set("&InstanceSpecification.ExcludeBootVolume=true"));
        assert_eq!(leaves(&without_boot, "volumeId"), [DATA]);
        let exclude = "&InstanceSpecification.ExcludeDataVolumeId.1=";
        let without_data = ec2(&cloud, &set(&format!("{exclude}{DATA}")));
        assert_eq!(leaves(&without_data, "volumeId"), [ROOT]);
        assert_eq!(refused(&cloud, &set(&format!("{exclude}{ROOT}"))), "InvalidParameterValue");
        let nothing = format!("{exclude}{DATA}&InstanceSpecification.ExcludeBootVolume=true");
        let (status, body) = query(&cloud, HOME, "ec2", &set(&nothing));
        assert_eq!((status, leaf(&body, "Code").as_str()), (400, "InvalidParameterValue"));
        let text =
            format!("There are no attached EBS-backed volumes on the instance id ({INSTANCE})");
        assert_eq!(leaf(&body, "Message"), text);
    });
}

#[test]
fn a_set_is_refused_while_the_machine_starts() {
    run(async |cloud| {
        cloud.with(|model| {
            let instance = model.ec2_region(&home()).instances.get_mut(INSTANCE).unwrap();
            instance.state = InstanceState::Pending;
        });
        assert_eq!(refused(&cloud, &set("")), "InvalidParameterValue");
    });
}

#[test]
fn when_one_of_a_set_fails_all_of_it_fails() {
    run(async |cloud| {
        let rule = Rule::fail_creation(&[Creation::SnapshotSet], "Internal error");
        cloud.with(|model| model.faults.add(rule));
        let ids = leaves(&ec2(&cloud, &set("")), "snapshotId");
        seconds(&cloud, LONG).await;
        for id in &ids {
            assert_eq!(leaf(&describe(&cloud, id), "status"), "error");
        }
        let events = events(&cloud, SET).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        let detail = &event["detail"];
        assert_eq!(detail["result"], "failed");
        assert_eq!(detail["cause"], format!("Snapshot {} is in status error", ids[0]));
        assert_eq!(detail["snapshots"][0]["status"], "error");
        assert_eq!(detail["snapshots"][1]["status"], "error");
    });
}

#[test]
fn a_snapshot_that_cannot_be_made_is_in_error_and_its_event_says_why() {
    run(async |cloud| {
        let rule = Rule::fail_creation(&[Creation::Snapshot], "disk on fire");
        cloud.with(|model| model.faults.add(rule));
        let id = create(&cloud, ROOT);
        seconds(&cloud, LONG).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "status"), "error");
        assert_eq!(leaf(&body, "statusMessage"), "disk on fire");
        let event = events(&cloud, ONE).await.pop().unwrap();
        assert_eq!(event["detail"]["result"], "failed");
        assert_eq!(event["detail"]["cause"], "disk on fire");
        ec2(&cloud, &format!("Action=DeleteSnapshot&SnapshotId={id}"));
    });
}

fn copy_form(source: &str, extra: &str) -> String {
    format!("Action=CopySnapshot&SourceRegion={HOME}&SourceSnapshotId={source}{extra}")
}

fn describe_in(cloud: &Cloud, region: &str, id: &str) -> String {
    let form = format!("Action=DescribeSnapshots&SnapshotId.1={id}");
    let (status, body) = query(cloud, region, "ec2", &form);
    assert_eq!(status, 200, "{body}");
    body
}

fn copy(cloud: &Cloud, region: &str, source: &str, extra: &str) -> String {
    let (status, body) = query(cloud, region, "ec2", &copy_form(source, extra));
    assert_eq!(status, 200, "{body}");
    leaf(&body, "snapshotId")
}

#[test]
fn a_copy_belongs_to_no_volume_and_tells_of_itself_in_its_own_region() {
    run(async |cloud| {
        let source = completed(&cloud, ROOT).await;
        let tags = "&TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=a\
                    &PresignedUrl=http://example.com&DestinationRegion=eu-west-1";
        let id = copy(&cloud, "eu-west-1", &source, tags);
        assert_eq!(leaf(&describe_in(&cloud, "eu-west-1", &id), "status"), "pending");
        seconds(&cloud, LONG).await;
        let body = describe_in(&cloud, "eu-west-1", &id);
        assert_eq!(leaf(&body, "status"), "completed");
        assert!(leaf(&body, "volumeId").starts_with("vol-ffff"), "{body}");
        assert_eq!(leaves(&body, "key"), ["a"]);
        assert_eq!(leaf(&body, "encrypted"), "false");
        let events = events(&cloud, ONE).await;
        let event = events.last().unwrap();
        assert_eq!(event["region"], "eu-west-1");
        assert_eq!(event["detail"]["event"], "copySnapshot");
        let arn = format!("arn:aws:ec2::us-east-1:snapshot/{source}");
        assert_eq!(event["detail"]["source"], arn);
        assert_eq!(event["detail"]["incremental"], "false");
        assert_eq!(event["detail"]["transferType"], "standard");
        assert_eq!(events.len(), 2, "the source region tells nothing of the copy");
    });
}

#[test]
fn the_next_copy_is_incremental_if_the_last_one_is_still_there() {
    run(async |cloud| {
        let mut incremental = Vec::new();
        for round in 0..3 {
            let source = completed(&cloud, ROOT).await;
            let id = copy(&cloud, "eu-west-1", &source, "");
            seconds(&cloud, LONG).await;
            if round == 1 {
                let form = format!("Action=DeleteSnapshot&SnapshotId={id}");
                assert_eq!(query(&cloud, "eu-west-1", "ec2", &form).0, 200);
            }
        }
        for event in events(&cloud, ONE).await {
            if event["detail"]["event"] == "copySnapshot" {
                incremental.push(event["detail"]["incremental"].clone());
            }
        }
        assert_eq!(incremental, ["false", "true", "false"]);
    });
}

#[test]
fn a_copy_can_be_encrypted_and_what_is_encrypted_stays_so() {
    run(async |cloud| {
        let source = completed(&cloud, ROOT).await;
        let form = copy_form(&source, "&Encrypted=false");
        assert_eq!(refused(&cloud, &form), "InvalidParameterValue");
        let form = copy_form(&source, "&KmsKeyId=alias/mine");
        assert_eq!(refused(&cloud, &form), "InvalidParameterDependency");
        let encrypted = copy(&cloud, HOME, &source, "&Encrypted=true");
        seconds(&cloud, LONG).await;
        let key = leaf(&describe(&cloud, &encrypted), "kmsKeyId");
        assert!(key.starts_with("arn:aws:kms:us-east-1:123456789012:key/"), "{key}");
        let abroad = copy_form(&encrypted, "");
        let (_, body) = query(&cloud, "eu-west-1", "ec2", &abroad);
        let abroad = leaf(&body, "snapshotId");
        seconds(&cloud, LONG).await;
        let body = describe_in(&cloud, "eu-west-1", &abroad);
        assert_eq!(leaf(&body, "status"), "completed", "each key is used in its own region");
        let key = leaf(&body, "kmsKeyId");
        assert!(key.starts_with("arn:aws:kms:eu-west-1:123456789012:key/"), "{key}");
    });
}

#[test]
fn a_copy_under_a_key_that_is_not_there_fails_afterwards() {
    run(async |cloud| {
        let source = completed(&cloud, ROOT).await;
        let id = copy(&cloud, HOME, &source, "&Encrypted=true&KmsKeyId=alias/nobody");
        assert_eq!(leaf(&describe(&cloud, &id), "status"), "pending");
        seconds(&cloud, LONG).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "status"), "error");
        assert_eq!(leaf(&body, "statusMessage"), "Given key ID is not accessible");
        let event = events(&cloud, ONE).await.pop().unwrap();
        assert_eq!(event["detail"]["result"], "failed");
        assert_eq!(event["detail"]["cause"], "Given key ID is not accessible");
        assert!(event["detail"].get("incremental").is_none());
    });
}

#[test]
fn only_completed_snapshots_can_be_copied_and_twenty_at_a_time() {
    run(async |cloud| {
        let pending = create(&cloud, ROOT);
        assert_eq!(refused(&cloud, &copy_form(&pending, "")), "IncorrectState");
        seconds(&cloud, LONG).await;
        for _ in 0..20 {
            copy(&cloud, HOME, &pending, "");
        }
        let (status, body) = query(&cloud, HOME, "ec2", &copy_form(&pending, ""));
        assert_eq!((status, leaf(&body, "Code").as_str()), (400, "ResourceLimitExceeded"));
        let text = "Too many snapshot copies in progress. The limit is 20 for this destination \
                    region.";
        assert_eq!(leaf(&body, "Message"), text);
        copy(&cloud, "eu-west-1", &pending, "");
    });
}

#[test]
fn a_time_based_copy_is_done_by_its_time_which_comes_in_quarters_of_an_hour() {
    run(async |cloud| {
        let source = completed(&cloud, DATA).await;
        for minutes in [0, 10, 2895] {
            let form = copy_form(&source, &format!("&CompletionDurationMinutes={minutes}"));
            assert_eq!(refused(&cloud, &form), "InvalidParameterValue", "{minutes}");
        }
        let id = copy(&cloud, "eu-west-1", &source, "&CompletionDurationMinutes=15");
        seconds(&cloud, 15 * 60).await;
        let body = describe_in(&cloud, "eu-west-1", &id);
        assert_eq!(leaf(&body, "status"), "completed");
        assert_eq!(leaf(&body, "transferType"), "time-based");
        assert_eq!(leaf(&body, "completionDurationMinutes"), "15");
    });
}

#[test]
fn a_pending_snapshot_that_is_deleted_goes_when_it_is_complete() {
    let mut config = Config::seeded(1);
    config.limits.pending_snapshots_per_region = 1;
    run_with(config, async |cloud| {
        let id = create(&cloud, ROOT);
        ec2(&cloud, &format!("Action=DeleteSnapshot&SnapshotId={id}"));
        let form = format!("Action=CreateSnapshot&VolumeId={DATA}");
        assert_eq!(refused(&cloud, &form), "PendingSnapshotLimitExceeded", "it still counts");
        seconds(&cloud, LONG).await;
        let form = format!("Action=DeleteSnapshot&SnapshotId={id}");
        let (status, body) = query(&cloud, HOME, "ec2", &form);
        assert_eq!((status, leaf(&body, "Code").as_str()), (400, "InvalidSnapshot.NotFound"));
        assert_eq!(leaf(&body, "Message"), format!("The snapshot '{id}' does not exist."));
    });
}

#[test]
fn snapshots_are_listed_by_owner_filter_and_page() {
    run(async |cloud| {
        let mut ids = Vec::new();
        for _ in 0..7 {
            ids.push(completed(&cloud, ROOT).await);
        }
        ids.sort();
        let first = ec2(&cloud, "Action=DescribeSnapshots&Owner.1=self&MaxResults=5");
        let token = leaf(&first, "nextToken");
        let second =
            format!("Action=DescribeSnapshots&Owner.1=self&MaxResults=5&NextToken={token}");
        let second = ec2(&cloud, &second);
        let listed = [leaves(&first, "snapshotId"), leaves(&second, "snapshotId")].concat();
        assert_eq!(listed, ids);
        assert_eq!(leaf(&second, "nextToken"), "");
        let everybodys = leaves(&ec2(&cloud, "Action=DescribeSnapshots"), "snapshotId");
        assert!(everybodys.len() > ids.len(), "public ones are listed too");
        let filter = "Action=DescribeSnapshots&Filter.1.Name=volume-id&Filter.1.Value.1=";
        assert_eq!(leaves(&ec2(&cloud, &format!("{filter}{ROOT}")), "snapshotId"), ids);
        assert!(leaves(&ec2(&cloud, &format!("{filter}{DATA}")), "snapshotId").is_empty());
        let with_ids = format!("Action=DescribeSnapshots&SnapshotId.1={}&MaxResults=5", ids[0]);
        assert_eq!(refused(&cloud, &with_ids), "InvalidParameterCombination");
        let nobody = "Action=DescribeSnapshots&SnapshotId.1=snap-00000000000000000";
        assert_eq!(refused(&cloud, nobody), "InvalidSnapshot.NotFound");
        let malformed = "Action=DescribeSnapshots&SnapshotId.1=snap-x";
        assert_eq!(refused(&cloud, malformed), "InvalidSnapshotID.Malformed");
    });
}

#[test]
fn what_is_shared_is_seen_by_whom_it_is_shared_with_and_an_event_tells_them() {
    run(async |cloud| {
        declare_other(&cloud);
        let id = completed(&cloud, ROOT).await;
        let look = format!("Action=DescribeSnapshots&SnapshotId.1={id}");
        let seen = || query_as(&cloud, OTHER_KEY, HOME, "ec2", &look);
        assert_eq!(seen().0, 200, "what exists but is not shared is left out in silence");
        assert!(leaves(&seen().1, "snapshotId").is_empty());
        let modify = format!("Action=ModifySnapshotAttribute&SnapshotId={id}");
        let add = format!("{modify}&CreateVolumePermission.Add.1.UserId={OTHER_ACCOUNT}");
        ec2(&cloud, &add);
        ec2(&cloud, &add);
        assert_eq!(leaves(&seen().1, "snapshotId"), [id.as_str()]);
        let theirs = "Action=DescribeSnapshots&RestorableBy.1=self&Owner.1=123456789012";
        let body = query_as(&cloud, OTHER_KEY, HOME, "ec2", theirs).1;
        assert_eq!(leaves(&body, "snapshotId"), [id.as_str()]);
        let shared: Vec<_> = events(&cloud, ONE).await;
        let shared: Vec<_> =
            shared.iter().filter(|e| e["detail"]["event"] == "shareSnapshot").collect();
        assert_eq!(shared.len(), 1, "what is shared already is not shared again");
        assert_eq!(shared[0]["account"], OTHER_ACCOUNT);
        assert_eq!(shared[0]["detail"]["source"], "123456789012");
        let attribute = format!(
            "Action=DescribeSnapshotAttribute&SnapshotId={id}&Attribute=createVolumePermission"
        );
        assert_eq!(leaves(&ec2(&cloud, &attribute), "userId"), [OTHER_ACCOUNT]);
        let flat = format!("{modify}&OperationType=remove&UserId.1={OTHER_ACCOUNT}");
        ec2(&cloud, &flat);
        assert!(leaves(&seen().1, "snapshotId").is_empty());
    });
}

#[test]
fn sharing_has_rules() {
    run(async |cloud| {
        let id = completed(&cloud, ROOT).await;
        let modify = |id: &str, rest: &str| {
            format!("Action=ModifySnapshotAttribute&SnapshotId={id}&CreateVolumePermission.{rest}")
        };
        let both = format!(
            "Add.1.UserId={OTHER_ACCOUNT}&CreateVolumePermission.Remove.1.UserId={OTHER_ACCOUNT}"
        );
        assert_eq!(refused(&cloud, &modify(&id, &both)), "InvalidParameterCombination");
        let short = modify(&id, "Add.1.UserId=1234");
        assert_eq!(refused(&cloud, &short), "InvalidUserID.Malformed");
        let many: Vec<String> = (1..=501).map(|n| format!("Add.{n}.UserId={n:012}")).collect();
        let many = many.join("&CreateVolumePermission.");
        assert_eq!(refused(&cloud, &modify(&id, &many)), "InvalidParameterValue");
        let encrypted = copy(&cloud, HOME, &id, "&Encrypted=true");
        let form = modify(&encrypted, &format!("Add.1.UserId={OTHER_ACCOUNT}"));
        assert_eq!(refused(&cloud, &form), "OperationNotPermitted", "it is under aws/ebs");
    });
}

#[test]
fn a_governance_lock_keeps_a_snapshot_until_it_is_taken_off() {
    run(async |cloud| {
        let id = completed(&cloud, ROOT).await;
        let lock = |rest: &str| format!("Action=LockSnapshot&SnapshotId={id}&LockMode={rest}");
        let wrong = lock("governance&LockDuration=1&CoolOffPeriod=1");
        assert_eq!(refused(&cloud, &wrong), "InvalidParameterCombination");
        assert_eq!(refused(&cloud, &lock("governance")), "InvalidParameterCombination");
        let endless = lock("governance&LockDuration=36501");
        assert_eq!(refused(&cloud, &endless), "InvalidParameterValue");
        let body = ec2(&cloud, &lock("governance&LockDuration=1"));
        assert_eq!(leaf(&body, "lockState"), "governance");
        let delete = format!("Action=DeleteSnapshot&SnapshotId={id}");
        assert_eq!(refused(&cloud, &delete), "OperationNotPermitted");
        let locked = ec2(&cloud, "Action=DescribeLockedSnapshots");
        assert_eq!(leaves(&locked, "snapshotId"), [id.as_str()]);
        ec2(&cloud, &format!("Action=UnlockSnapshot&SnapshotId={id}"));
        ec2(&cloud, &delete);
    });
}

#[test]
fn a_compliance_lock_can_be_taken_off_only_while_it_cools_off() {
    run(async |cloud| {
        let id = completed(&cloud, ROOT).await;
        let lock = format!("Action=LockSnapshot&SnapshotId={id}&LockMode=compliance");
        let body = ec2(&cloud, &format!("{lock}&LockDuration=2&CoolOffPeriod=1"));
        assert_eq!(leaf(&body, "lockState"), "compliance-cooloff");
        seconds(&cloud, 3601).await;
        let unlock = format!("Action=UnlockSnapshot&SnapshotId={id}");
        assert_eq!(refused(&cloud, &unlock), "OperationNotPermitted");
        assert_eq!(refused(&cloud, &format!("{lock}&LockDuration=1")), "OperationNotPermitted");
        ec2(&cloud, &format!("{lock}&LockDuration=3"));
        seconds(&cloud, 3 * 24 * 3600).await;
        let locked = ec2(&cloud, "Action=DescribeLockedSnapshots");
        assert_eq!(leaf(&locked, "lockState"), "expired");
        ec2(&cloud, &format!("Action=DeleteSnapshot&SnapshotId={id}"));
        let kinds: Vec<_> = events(&cloud, ONE).await;
        let kinds: Vec<_> = kinds.iter().map(|e| e["detail"]["event"].clone()).collect();
        let expected = [
            "createSnapshot",
            "lockSnapshot",
            "cooloffperiodExpiry",
            "lockSnapshot",
            "lockDurationExpiry",
        ];
        assert_eq!(kinds, expected);
    });
}

#[test]
fn a_dry_run_makes_nothing() {
    run(async |cloud| {
        let form = format!("Action=CreateSnapshot&VolumeId={ROOT}&DryRun=true");
        let (status, body) = query(&cloud, HOME, "ec2", &form);
        assert_eq!((status, leaf(&body, "Code").as_str()), (412, "DryRunOperation"));
        let own = ec2(&cloud, "Action=DescribeSnapshots&Owner.1=self");
        assert!(leaves(&own, "snapshotId").is_empty());
    });
}

#[test]
fn a_parameter_that_is_not_known_is_refused() {
    run(async |cloud| {
        let form = format!("Action=CreateSnapshot&VolumeId={ROOT}&ClientToken=x");
        assert_eq!(refused(&cloud, &form), "UnknownParameter");
    });
}
