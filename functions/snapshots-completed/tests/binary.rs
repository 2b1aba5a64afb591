//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_core::ids::InstanceId;
use afterimage_support::{SEAT, now, records, sample, with_binary};

const NAME: &str = "snapshots-completed";
const BINARY: &str = env!("CARGO_BIN_EXE_snapshots-completed");
const EVENT: &str = include_str!("../../../events/snapshots-completed.json");

const SNAPSHOTS: [&str; 2] = ["snap-0123456789abcdef0", "snap-0123456789abcdef1"];

#[test]
fn a_set_that_a_point_waits_for_wakes_whoever_registers_images() {
    with_binary(NAME, BINARY, async |world| {
        let machine = InstanceId::parse("i-0123456789abcdef0").expect("it is an instance");
        let point = records::requested("gold", &machine, now());
        records::put(&world.ledger, records::snapshotted(point, &SNAPSHOTS)).await;

        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        assert_eq!(world.wakes().await, [("register".to_string(), SEAT.to_string())]);
    });
}

#[test]
fn a_set_that_nobody_waits_for_wakes_nobody() {
    with_binary(NAME, BINARY, async |world| {
        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        assert_eq!(world.wakes().await, []);
    });
}
