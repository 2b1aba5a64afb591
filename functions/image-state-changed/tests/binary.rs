//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_core::ids::InstanceId;
use afterimage_support::{SEAT, now, records, sample, with_binary};

const NAME: &str = "image-state-changed";
const BINARY: &str = env!("CARGO_BIN_EXE_image-state-changed");
const EVENT: &str = include_str!("../../../events/image-state-changed.json");

#[test]
fn an_image_that_a_point_waits_for_wakes_whoever_confirms_images() {
    with_binary(NAME, BINARY, async |world| {
        let machine = InstanceId::parse("i-0123456789abcdef0").expect("it is an instance");
        let point = records::requested("gold", &machine, now());
        let point = records::snapshotted(point, &["snap-0123456789abcdef0"]);
        records::put(&world.ledger, records::registered(point, "ami-0123456789abcdef0")).await;

        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        assert_eq!(world.wakes().await, [("confirm".to_string(), SEAT.to_string())]);
    });
}

#[test]
fn an_image_that_nobody_waits_for_wakes_nobody() {
    with_binary(NAME, BINARY, async |world| {
        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        assert_eq!(world.wakes().await, []);
    });
}

#[test]
fn an_event_of_another_account_is_answered_and_does_nothing() {
    with_binary(NAME, BINARY, async |world| {
        let event = sample(EVENT, &[("123456789012", "111122223333")]);
        let ended = world.invoke(event).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        assert_eq!(world.calls().await, []);
    });
}
