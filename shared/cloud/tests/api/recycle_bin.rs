//! The Recycle Bin: what was deleted comes back as it was, as long as it is kept.

use afterimage_cloud::{Cloud, Config};

use crate::common::{ec2, leaf, leaves, refused};
use crate::machine::{INSTANCE, run, run_with, seconds};

const DAY: u64 = 24 * 3600;
/// Longer than an image takes to be made, or a deregistered one is described.
const LONG: u64 = 3600;

fn with_bin<T>(scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
    run_with(Config { recycle_bin_days: 7, ..Config::seeded(1) }, scenario)
}

/// An available image with a tag, and its snapshots.
async fn image(cloud: &Cloud) -> (String, Vec<String>) {
    let form = format!("Action=CreateImage&InstanceId={INSTANCE}&Name=web&NoReboot=true");
    let tag = "TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=team\
               &TagSpecification.1.Tag.1.Value=a";
    let id = leaf(&ec2(cloud, &format!("{form}&{tag}")), "imageId");
    seconds(cloud, LONG).await;
    let snapshots = leaves(&describe(cloud, &id), "snapshotId");
    (id, snapshots)
}

fn describe(cloud: &Cloud, id: &str) -> String {
    ec2(cloud, &format!("Action=DescribeImages&ImageId.1={id}"))
}

fn without_request_id(body: &str) -> String {
    let (_, rest) = body.split_once("</requestId>").expect("an answer has the id of its request");
    rest.to_string()
}

fn delete(cloud: &Cloud, image: &str) {
    let deregister = format!("Action=DeregisterImage&ImageId={image}");
    ec2(cloud, &format!("{deregister}&DeleteAssociatedSnapshots=true"));
}

fn restore_image(id: &str) -> String {
    format!("Action=RestoreImageFromRecycleBin&ImageId={id}")
}

fn restore_snapshot(id: &str) -> String {
    format!("Action=RestoreSnapshotFromRecycleBin&SnapshotId={id}")
}

#[test]
fn a_restored_image_is_as_it_was_once_its_snapshots_are_back() {
    with_bin(async |cloud| {
        let (id, snapshots) = image(&cloud).await;
        let before = without_request_id(&describe(&cloud, &id));
        delete(&cloud, &id);
        seconds(&cloud, LONG).await;
        assert_eq!(leaves(&describe(&cloud, &id), "imageId"), Vec::<String>::new());
        assert_eq!(refused(&cloud, &restore_image(&id)), "InvalidSnapshot.NotFound");
        for snapshot in &snapshots {
            let body = ec2(&cloud, &restore_snapshot(snapshot));
            assert_eq!(leaf(&body, "status"), "completed");
        }
        assert_eq!(leaf(&ec2(&cloud, &restore_image(&id)), "return"), "true");
        assert_eq!(without_request_id(&describe(&cloud, &id)), before);
        assert!(before.contains("<value>a</value>"), "{before}");
        seconds(&cloud, LONG).await;
        assert_eq!(without_request_id(&describe(&cloud, &id)), before);
        let in_use = format!("Action=DeleteSnapshot&SnapshotId={}", snapshots[0]);
        assert_eq!(refused(&cloud, &in_use), "InvalidSnapshot.InUse");
    });
}

#[test]
fn an_image_that_is_restored_at_once_does_not_vanish() {
    with_bin(async |cloud| {
        let (id, _) = image(&cloud).await;
        ec2(&cloud, &format!("Action=DeregisterImage&ImageId={id}"));
        ec2(&cloud, &restore_image(&id));
        seconds(&cloud, LONG).await;
        assert_eq!(leaf(&describe(&cloud, &id), "imageState"), "available");
    });
}

#[test]
fn the_bin_lists_what_it_keeps_until_its_days_are_over() {
    with_bin(async |cloud| {
        let (id, snapshots) = image(&cloud).await;
        delete(&cloud, &id);
        let images = ec2(&cloud, "Action=ListImagesInRecycleBin");
        assert_eq!((leaf(&images, "imageId"), leaf(&images, "name")), (id.clone(), "web".into()));
        let (enter, exit) =
            (leaf(&images, "recycleBinEnterTime"), leaf(&images, "recycleBinExitTime"));
        assert_eq!((&enter[..10], &exit[..10]), ("2026-01-01", "2026-01-08"));
        let listed = ec2(&cloud, "Action=ListSnapshotsInRecycleBin");
        assert_eq!(leaves(&listed, "snapshotId").len(), snapshots.len());
        let one = format!("Action=ListSnapshotsInRecycleBin&SnapshotId.1={}", snapshots[0]);
        assert_eq!(leaves(&ec2(&cloud, &one), "snapshotId"), [snapshots[0].clone()]);
        seconds(&cloud, 7 * DAY).await;
        for action in ["ListImagesInRecycleBin", "ListSnapshotsInRecycleBin"] {
            assert_eq!(leaf(&ec2(&cloud, &format!("Action={action}")), "recycleBinExitTime"), "");
        }
        assert_eq!(refused(&cloud, &restore_snapshot(&snapshots[0])), "InvalidSnapshot.NotFound");
        assert_eq!(refused(&cloud, &restore_image(&id)), "InvalidAMIID.NotFound");
    });
}

#[test]
fn an_image_whose_name_is_taken_meanwhile_is_not_restored() {
    with_bin(async |cloud| {
        let (id, _) = image(&cloud).await;
        ec2(&cloud, &format!("Action=DeregisterImage&ImageId={id}"));
        let form = format!("Action=CreateImage&InstanceId={INSTANCE}&Name=web&NoReboot=true");
        ec2(&cloud, &form);
        assert_eq!(refused(&cloud, &restore_image(&id)), "InvalidAMIName.Duplicate");
    });
}

#[test]
fn without_a_rule_nothing_is_kept() {
    run(async |cloud| {
        let (id, snapshots) = image(&cloud).await;
        delete(&cloud, &id);
        assert_eq!(refused(&cloud, &restore_snapshot(&snapshots[0])), "InvalidSnapshot.NotFound");
        assert_eq!(refused(&cloud, &restore_image(&id)), "InvalidAMIID.NotFound");
    });
}
