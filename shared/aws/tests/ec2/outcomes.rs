//! Every error means one outcome, by its code and status alone.

use std::fmt::Debug;

use afterimage_aws::Ec2;
use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::call::Outcome;
use afterimage_core::call::{CopyImage, CreateSnapshots};
use afterimage_core::ids::{AmiId, InstanceId};

use super::{AWAY, HOME, ec2, fault, no_faults, region, sent, tags, world};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Throttled,
    Failed,
    Refused,
    Gone,
    NameTaken,
    Unknown,
}

fn meaning<T: Debug>(outcome: &Outcome<T>) -> (Means, &str) {
    match outcome {
        Outcome::Made(made) => panic!("it was made: {made:?}"),
        Outcome::Throttled(answer) => (Means::Throttled, &answer.code),
        Outcome::Failed(answer) => (Means::Failed, &answer.code),
        Outcome::Refused(answer) => (Means::Refused, &answer.code),
        Outcome::Gone(answer) => (Means::Gone, &answer.code),
        Outcome::NameTaken(answer) => (Means::NameTaken, &answer.code),
        Outcome::Unknown(answer) => (Means::Unknown, &answer.code),
    }
}

fn any_set() -> CreateSnapshots {
    CreateSnapshots {
        region: region(HOME),
        instance: InstanceId::parse("i-0123456789abcdef0").expect("it is an id"),
        description: "nightly".to_string(),
        without: Vec::new(),
        without_root: false,
        tags: tags(&[("a", "1")]),
    }
}

fn any_copy() -> CopyImage {
    CopyImage {
        region: region(AWAY),
        source_region: region(HOME),
        source: AmiId::parse("ami-0123456789abcdef0").expect("it is an id"),
        name: "nightly".to_string(),
        description: String::new(),
        token: "nightly-1".to_string(),
        kms_key: None,
        tags: tags(&[("a", "1")]),
    }
}

/// Each error is got once, by a call that may be sent only once.
async fn check(cloud: &Cloud, ec2: &Ec2, status: u16, code: &str, expected: Means) {
    no_faults(cloud);
    fault(cloud, Rule::fail(When::Before, status, code).action("CreateSnapshots"));
    let before = sent(cloud, "CreateSnapshots");
    let outcome = ec2.create_snapshots(&any_set()).await;
    assert_eq!(meaning(&outcome), (expected, code), "{status} {code}");
    assert_eq!(sent(cloud, "CreateSnapshots") - before, 1, "{status} {code}");
}

#[test]
fn every_error_means_one_outcome() {
    world(async |cloud| {
        let ec2 = ec2(&cloud);
        for (status, code, expected) in [
            // Asked to wait.
            (503, "RequestLimitExceeded", Means::Throttled),
            (400, "RequestLimitExceeded", Means::Throttled),
            (400, "SnapshotCreationPerVolumeRateExceeded", Means::Throttled),
            (400, "ConcurrentSnapshotLimitExceeded", Means::Throttled),
            (400, "PendingSnapshotLimitExceeded", Means::Throttled),
            (400, "ResourceLimitExceeded", Means::Throttled),
            (400, "ConcurrentCreateImageNoRebootLimitExceeded", Means::Throttled),
            // Whether anything was made is open.
            (500, "InternalError", Means::Unknown),
            (500, "InternalFailure", Means::Unknown),
            (502, "BadGateway", Means::Unknown),
            (503, "Unavailable", Means::Unknown),
            (503, "ServiceUnavailable", Means::Unknown),
            (504, "GatewayTimeout", Means::Unknown),
            // A 5xx leaves it open whatever its code says.
            (500, "InvalidParameter", Means::Unknown),
            // Nothing was made, and it may heal.
            (400, "IncorrectState", Means::Failed),
            (400, "IncorrectInstanceState", Means::Failed),
            (400, "InvalidParameterValue", Means::Failed),
            (400, "InvalidSnapshot.NotFound", Means::Failed),
            (400, "InvalidAMIID.Unavailable", Means::Failed),
            (400, "SnapshotLimitExceeded", Means::Failed),
            (400, "InternalFailure", Means::Failed),
            (403, "UnauthorizedOperation", Means::Failed),
            (401, "AuthFailure", Means::Failed),
            (400, "OptInRequired", Means::Failed),
            (400, "NobodyHasHeardOfThisCode", Means::Failed),
            // Nothing was made, and nothing will be.
            (400, "MissingParameter", Means::Refused),
            (400, "InvalidParameterCombination", Means::Refused),
            (400, "InvalidInstanceID.Malformed", Means::Refused),
            (400, "InvalidBlockDeviceMapping", Means::Refused),
            (400, "UnsupportedOperation", Means::Refused),
            (400, "InvalidRequest", Means::Refused),
            (400, "TagLimitExceeded", Means::Refused),
            // What it is about.
            (400, "InvalidInstanceID.NotFound", Means::Gone),
            (400, "InvalidAMIID.NotFound", Means::Gone),
            (400, "InvalidAMIName.Duplicate", Means::NameTaken),
            (400, "IdempotentParameterMismatch", Means::NameTaken),
        ] {
            check(&cloud, &ec2, status, code, expected).await;
        }
    });
}

#[test]
fn a_connection_that_is_refused_has_made_nothing() {
    world(async |cloud| {
        cloud.with(|model| model.dark_regions.extend([HOME.to_string(), AWAY.to_string()]));
        let ec2 = ec2(&cloud);
        let outcome = ec2.create_snapshots(&any_set()).await;
        assert_eq!(meaning(&outcome), (Means::Failed, "not-connected"));
        // Of the tries before the last it is not known that none arrived.
        let outcome = ec2.copy_image(&any_copy()).await;
        assert_eq!(meaning(&outcome), (Means::Unknown, "not-connected"));
    });
}

#[test]
fn a_refusal_after_an_earlier_try_says_nothing_of_that_try() {
    world(async |cloud| {
        let lost = Rule::fail(When::Before, 500, "InternalError").action("CopyImage");
        fault(&cloud, lost.times(1));
        let outcome = ec2(&cloud).copy_image(&any_copy()).await;
        assert_eq!(meaning(&outcome), (Means::Unknown, "InvalidAMIID.NotFound"));
        assert_eq!(sent(&cloud, "CopyImage"), 2);
        let outcome = ec2(&cloud).copy_image(&any_copy()).await;
        assert_eq!(meaning(&outcome), (Means::Gone, "InvalidAMIID.NotFound"));
    });
}

#[test]
fn what_is_kept_of_an_answer_is_short() {
    world(async |cloud| {
        let long = any_set();
        let set = CreateSnapshots {
            instance: InstanceId::parse(&format!("i-{}", "0".repeat(2_000))).expect("long"),
            ..long
        };
        let Outcome::Refused(answer) = ec2(&cloud).create_snapshots(&set).await else {
            panic!("such an id is malformed");
        };
        assert_eq!(answer.code, "InvalidInstanceID.Malformed");
        assert_eq!(answer.message.chars().count(), 400);
    });
}
