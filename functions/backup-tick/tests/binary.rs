//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_core::command::Cursor;
use afterimage_core::policy::{Trigger, file};
use afterimage_core::status::Status;
use afterimage_support::{SEAT, now, sample, with_binary};
use jiff::SignedDuration;

const NAME: &str = "backup-tick";
const BINARY: &str = env!("CARGO_BIN_EXE_backup-tick");
const EVENT: &str = include_str!("../../../events/backup-tick.json");

const POLICY: &str = "
policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
    triggers:
      - schedule: cron(* * * * ? *)
        timezone: UTC
";

/// The schedule of the policy as one that was last looked after some minutes ago.
fn cursor() -> Cursor {
    let policies = file::read(POLICY).expect("the policy is right");
    let [gold] = &policies[..] else { panic!("{policies:?}") };
    let [Trigger::Schedule(timed)] = &gold.triggers[..] else { panic!("{gold:?}") };
    let schedule = format!("{} {}", timed.expression(), timed.timezone());
    let done_until = now() - SignedDuration::from_mins(5);
    Cursor { policy: gold.name.clone(), schedule, region: None, done_until }
}

#[test]
fn a_slot_that_is_due_asks_for_a_point_and_wakes_the_worker() {
    with_binary(NAME, BINARY, async |world| {
        world.policies(POLICY).await;
        world.ledger.advance(&cursor()).await.expect("the ledger is written");
        let covered = world.machine("backup", "gold").await;
        let other = world.machine("backup", "silver").await;

        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");

        let points = world.ledger.points_of(&covered).await.expect("the ledger is read");
        let [(point, replicas)] = &points[..] else { panic!("{points:#?}") };
        assert_eq!(point.status, Status::Requested);
        assert_eq!(replicas[..], []);
        assert!(world.ledger.points_of(&other).await.expect("the ledger is read").is_empty());
        assert_eq!(world.wakes().await, [("snapshot".to_string(), SEAT.to_string())]);
    });
}

#[test]
fn a_tick_with_nothing_due_costs_one_read() {
    with_binary(NAME, BINARY, async |world| {
        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        assert_eq!(world.calls().await, [("Query".to_string(), "ok".to_string())]);
    });
}
