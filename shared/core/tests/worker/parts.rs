//! The parts of what EC2 allows: in sum at most half of it, and a part for whoever calls.

use afterimage_core::part::{Bucket, Work, wait};
use afterimage_core::work::Kind;

/// Calls a second that EC2 allows an account and region, as published in "Request throttling for
/// the Amazon EC2 API".
fn allowed(bucket: Bucket) -> i128 {
    match bucket {
        Bucket::List | Bucket::MachineFirmware | Bucket::ImageFirmware | Bucket::Guard => 20,
        Bucket::Tag => 10,
        Bucket::Snapshot | Bucket::Register | Bucket::Stop => 5,
        Bucket::Start => 2,
        Bucket::Copy => 1,
    }
}

#[test]
fn the_parts_of_a_bucket_are_at_most_half_of_it() {
    for bucket in Bucket::ALL {
        let parts = Work::ALL.into_iter().filter_map(|work| wait(work, bucket));
        // In calls of a thousand seconds.
        let calls: i128 = parts.map(|part| 1_000_000 / part.as_millis()).sum();
        assert!(calls > 0, "{bucket:?}: nobody has a part");
        assert!(calls <= allowed(bucket) * 1_000 / 2, "{bucket:?}: {calls} in 1000 s");
    }
}

#[test]
fn whoever_lists_has_a_part_of_its_own() {
    for work in Work::ALL {
        assert!(wait(work, Bucket::List).is_some(), "{work:?}");
    }
    for kind in [Kind::Snapshot, Kind::Register, Kind::Copy] {
        let of = |bucket| wait(Work::Queue(kind), bucket) == Some(kind.pace());
        let buckets = [Bucket::Snapshot, Bucket::Register, Bucket::Copy];
        assert_eq!(buckets.into_iter().filter(|bucket| of(*bucket)).count(), 1, "{kind}");
    }
}

#[test]
fn every_action_is_in_its_bucket() {
    let actions = [
        ("DescribeInstances", Bucket::List),
        ("DescribeVolumes", Bucket::List),
        ("GetInstanceUefiData", Bucket::MachineFirmware),
        ("DescribeImageAttribute", Bucket::ImageFirmware),
        ("DescribeInstanceTypes", Bucket::Guard),
        ("DeleteTags", Bucket::Tag),
        ("CreateImage", Bucket::Snapshot),
        ("RegisterImage", Bucket::Register),
        ("CopyImage", Bucket::Copy),
        ("StopInstances", Bucket::Stop),
        ("StartInstances", Bucket::Start),
    ];
    for (action, bucket) in actions {
        assert_eq!(Bucket::of(action), bucket, "{action}");
    }
}
