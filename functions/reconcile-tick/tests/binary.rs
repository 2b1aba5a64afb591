//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_support::{SEAT, now, records, sample, with_binary};
use jiff::SignedDuration;

const NAME: &str = "reconcile-tick";
const BINARY: &str = env!("CARGO_BIN_EXE_reconcile-tick");
const EVENT: &str = include_str!("../../../events/reconcile-tick.json");

const POLICY: &str = "
policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
    triggers:
      - on: stopped
        min_interval: 12h
";

#[test]
fn work_that_is_overdue_has_its_worker_woken_and_a_stop_that_was_missed_gets_its_point() {
    with_binary(NAME, BINARY, async |world| {
        world.policies(POLICY).await;
        let runs = world.machine("backup", "gold").await;
        let overdue = records::requested("gold", &runs, now() - SignedDuration::from_mins(10));
        let overdue = records::snapshotted(overdue, &["snap-0123456789abcdef0"]);
        records::put(&world.ledger, overdue).await;
        let stopped = world.machine("backup", "gold").await;
        world.stop(&stopped).await;

        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");

        let points = world.ledger.points_of(&stopped).await.expect("the ledger is read");
        assert_eq!(points.len(), 1, "{points:#?}");
        let mut wakes = world.wakes().await;
        wakes.sort();
        let wake = |kind: &str| (kind.to_string(), SEAT.to_string());
        assert_eq!(wakes, [wake("register"), wake("snapshot")]);
    });
}
