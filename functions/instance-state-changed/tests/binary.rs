//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_core::slot::Occasion;
use afterimage_core::status::Status;
use afterimage_support::{SEAT, sample, with_binary};

const NAME: &str = "instance-state-changed";
const BINARY: &str = env!("CARGO_BIN_EXE_instance-state-changed");
const EVENT: &str = include_str!("../../../events/instance-state-changed.json");

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
fn a_machine_that_stopped_gets_a_point_of_that_stop() {
    with_binary(NAME, BINARY, async |world| {
        let machine = world.machine("backup", "gold").await;
        world.stop(&machine).await;
        // The rule of the template has sent the function the event of this very stop, and when
        // that was there was no policy.
        let first = world.ended(1).await;
        assert_eq!(first.outcome, "ok", "{first:#?}");
        world.policies(POLICY).await;

        let event = sample(EVENT, &[("i-0123456789abcdef0", machine.as_str())]);
        let ended = world.invoke(event).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");

        let points = world.ledger.points_of(&machine).await.expect("the ledger is read");
        let [(point, _)] = &points[..] else { panic!("{points:#?}") };
        assert_eq!(point.status, Status::Requested);
        assert!(matches!(point.slot.occasion, Occasion::Stopped { .. }), "{point:#?}");
        assert_eq!(world.wakes().await, [("snapshot".to_string(), SEAT.to_string())]);
    });
}
