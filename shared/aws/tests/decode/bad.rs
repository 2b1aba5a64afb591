//! Events that are of no use, each with the code that says so; a time is never the reason.

use afterimage_aws::decode::Unusable;
use serde_json::{Value, json};

use super::{SAMPLES, decoded, sample};

/// Changes the sample of a function at a pointer into its JSON, and asks for the code.
fn code(name: &str, pointer: &str, value: Option<Value>) -> Option<&'static str> {
    let mut event = sample(name);
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("it is there");
    match value {
        Some(value) => parent.insert(member.to_string(), value),
        None => parent.remove(member),
    };
    let result = decoded(name, &event);
    if let Err(unusable) = &result {
        assert!(Unusable::CODES.contains(&unusable.code), "{unusable:?}");
        assert!(!unusable.why.is_empty() && unusable.why.chars().count() < 400, "{unusable:?}");
    }
    result.err().map(|unusable| unusable.code)
}

const UNREADABLE: Option<&str> = Some("event-unreadable");
const NOT_OURS: Option<&str> = Some("event-not-ours");
const UNKNOWN_STATE: Option<&str> = Some("event-unknown-state");
const IMPOSSIBLE: Option<&str> = Some("event-impossible");

#[test]
fn what_is_not_ours_is_left_to_others() {
    for (name, _) in SAMPLES {
        let check = |pointer: &str, value: Value| {
            assert_eq!(code(name, pointer, Some(value)), NOT_OURS, "{name} {pointer}");
        };
        check("/account", json!("111122223333"));
        check("/account", json!(""));
        check("/source", json!("aws.s3"));
        check("/source", json!("my.source"));
        check("/detail-type", json!("Object Created"));
        assert_eq!(code(name, "/account", None), NOT_OURS, "{name}");
    }
    // The event of one function is not that of another.
    for (name, _) in SAMPLES {
        for (other, _) in SAMPLES.iter().filter(|(other, _)| *other != name) {
            let tick = "-tick";
            if !(name.ends_with(tick) && other.ends_with(tick)) {
                let unusable = decoded(name, &sample(other)).expect_err("it is another's");
                assert_eq!(unusable.code, "event-not-ours", "{name} {other}");
            }
        }
    }
}

#[test]
fn what_is_no_event_at_all_cannot_be_read() {
    for (name, _) in SAMPLES {
        for event in [json!(null), json!([]), json!("stopped"), json!(7), json!({})] {
            let unusable = decoded(name, &event).expect_err("it is no event");
            assert_eq!(unusable.code, "event-unreadable", "{name} {event}");
        }
        for member in ["/source", "/detail-type", "/detail"] {
            assert_eq!(code(name, member, None), UNREADABLE, "{name} {member}");
        }
        for member in ["/source", "/detail-type", "/account", "/region", "/resources"] {
            assert_eq!(code(name, member, Some(json!(7))), UNREADABLE, "{name} {member}");
        }
    }
}

#[test]
fn a_time_that_cannot_be_is_not_read() {
    for (name, _) in SAMPLES {
        for time in [json!("2021-05-45T15:30:00Z"), json!("yyyy-mm-ddThh:mm:ssZ"), json!(7)] {
            assert_eq!(code(name, "/time", Some(time)), None, "{name}");
        }
        assert_eq!(code(name, "/time", None), None, "{name}");
    }
    let odd = Some(json!("Sun Nov 24 22:32:55 UTC 2024"));
    assert_eq!(code("snapshots-completed", "/detail/startTime", odd.clone()), None);
    assert_eq!(code("snapshots-completed", "/detail/EndTime", odd), None);
}

#[test]
fn a_machine_must_be_one_and_in_a_state_that_there_is() {
    let check = |pointer: &str, value: Option<Value>, expected| {
        let shown = format!("{pointer} {value:?}");
        assert_eq!(code("instance-state-changed", pointer, value), expected, "{shown}");
    };
    check("/detail/state", Some(json!("asleep")), UNKNOWN_STATE);
    check("/detail/state", Some(json!("Stopped")), UNKNOWN_STATE);
    check("/detail/state", Some(json!("x".repeat(100_000))), UNKNOWN_STATE);
    check("/detail/state", Some(json!(80)), UNREADABLE);
    check("/detail/state", None, UNREADABLE);
    check("/detail/instance-id", Some(json!("web-1")), IMPOSSIBLE);
    check("/detail/instance-id", Some(json!(" i-0123456789abcdef0")), IMPOSSIBLE);
    check("/detail/instance-id", Some(json!("i-".repeat(50_000))), IMPOSSIBLE);
    check("/detail/instance-id", Some(json!(["i-0123456789abcdef0"])), UNREADABLE);
    check("/detail/instance-id", None, UNREADABLE);
    check("/region", Some(json!("mars-north")), IMPOSSIBLE);
    check("/region", None, IMPOSSIBLE);
}

#[test]
fn what_carries_a_request_must_be_one_machine() {
    let check = |pointer: &str, value: Option<Value>, expected| {
        let shown = format!("{pointer} {value:?}");
        assert_eq!(code("instance-tagged", pointer, value), expected, "{shown}");
    };
    check("/detail/resource-type", Some(json!("image")), NOT_OURS);
    check("/detail/service", Some(json!("x".repeat(100_000))), NOT_OURS);
    check("/detail/service", None, UNREADABLE);
    check("/resources", Some(json!([])), IMPOSSIBLE);
    check("/resources", None, IMPOSSIBLE);
    let id = "i-0123456789abcdef0";
    check("/resources", Some(json!([id, id])), IMPOSSIBLE);
    check("/resources", Some(json!(["arn:aws:ec2:us-east-1::image/ami-01234567"])), IMPOSSIBLE);
    check("/region", Some(json!("mars-north")), IMPOSSIBLE);
    // What AWS adds to it now and then, and the number that it is not held against.
    check("/detail/version", Some(json!(59.0)), None);
    check("/detail/version", Some(json!("3")), None);
    check("/detail/version-timestamp", Some(json!("1741172723640")), None);
    check("/detail/tags", None, None);
}

#[test]
fn an_image_must_be_one_and_in_a_state_that_there_is() {
    let check = |pointer: &str, value: Option<Value>, expected| {
        let shown = format!("{pointer} {value:?}");
        assert_eq!(code("image-state-changed", pointer, value), expected, "{shown}");
    };
    check("/detail/State", Some(json!("Available")), UNKNOWN_STATE);
    check("/detail/State", Some(json!(null)), UNREADABLE);
    check("/detail/State", None, UNREADABLE);
    check("/detail/ImageId", Some(json!("snap-0123456789abcdef0")), IMPOSSIBLE);
    check("/detail/ImageId", None, UNREADABLE);
    check("/detail", Some(json!("{}")), UNREADABLE);
    check("/region", Some(json!("us-east")), IMPOSSIBLE);
}

#[test]
fn snapshots_must_be_some_and_newly_created() {
    let check = |pointer: &str, value: Option<Value>, expected| {
        let shown = format!("{pointer} {value:?}");
        assert_eq!(code("snapshots-completed", pointer, value), expected, "{shown}");
    };
    for other in ["copySnapshot", "shareSnapshot", "archiveSnapshot", "restoryExpiry"] {
        check("/detail/event", Some(json!(other)), NOT_OURS);
    }
    check("/detail/event", None, UNREADABLE);
    check("/detail/snapshots", Some(json!([])), IMPOSSIBLE);
    check("/detail/snapshots", None, IMPOSSIBLE);
    check("/detail/snapshots", Some(json!({})), UNREADABLE);
    check("/detail/snapshots", Some(json!([{}])), UNREADABLE);
    check("/detail/snapshots", Some(json!([{"snapshot_id": 7}])), UNREADABLE);
    let volume = "arn:aws:ec2::us-east-1:volume/vol-0123456789abcdef0";
    check("/detail/snapshots", Some(json!([{"snapshot_id": volume}])), IMPOSSIBLE);
    check("/detail/snapshots", Some(json!([{"snapshot_id": "/"}])), IMPOSSIBLE);
    check("/region", None, IMPOSSIBLE);
}

#[test]
fn work_must_be_of_a_kind_and_in_a_region_that_there_are() {
    let check = |pointer: &str, value: Option<Value>, expected| {
        let shown = format!("{pointer} {value:?}");
        assert_eq!(code("work-requested", pointer, value), expected, "{shown}");
    };
    check("/detail/kind", Some(json!("delete")), IMPOSSIBLE);
    check("/detail/kind", Some(json!("Snapshot")), IMPOSSIBLE);
    check("/detail/kind", Some(json!(1)), UNREADABLE);
    check("/detail/kind", None, UNREADABLE);
    check("/detail/region", Some(json!("")), IMPOSSIBLE);
    check("/detail/region", Some(json!("us-east-1; drop")), IMPOSSIBLE);
    check("/detail/region", None, UNREADABLE);
    check("/detail/hop", Some(json!(50)), None);
    check("/detail/hop", Some(json!(51)), IMPOSSIBLE);
    check("/detail/hop", Some(json!(u64::MAX)), UNREADABLE);
    check("/detail/hop", Some(json!(-1)), UNREADABLE);
    check("/detail/hop", Some(json!("0")), UNREADABLE);
    // Somebody else's event on our bus, in our words.
    check("/source", Some(json!("aws.ec2")), NOT_OURS);
}

#[test]
fn the_account_must_be_a_text_though_its_digits_are_a_number() {
    assert_eq!(code("backup-tick", "/account", Some(json!(123_456_789_012_u64))), UNREADABLE);
}
