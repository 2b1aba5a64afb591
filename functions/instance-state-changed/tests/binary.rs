//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_support::records::region;
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
fn a_machine_that_stopped_gets_a_hint_and_its_worker_is_woken() {
    with_binary(NAME, BINARY, async |world| {
        let machine = world.machine("backup", "gold").await;
        world.stop(&machine).await;
        // The rule of the template has sent the function the event of this very stop, and when
        // that was there was no policy.
        let first = world.ended(1).await;
        assert_eq!(first.outcome, "ok", "{first:#?}");
        let home = region(SEAT);
        assert!(world.ledger.hints(&home).await.expect("the ledger is read").is_empty());
        world.policies(POLICY).await;

        let event = sample(EVENT, &[("i-0123456789abcdef0", machine.as_str())]);
        let ended = world.invoke(event).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");

        let hints = world.ledger.hints(&home).await.expect("the ledger is read");
        let [hint] = &hints[..] else { panic!("{hints:#?}") };
        assert_eq!((&hint.region, &hint.instance), (&home, &machine));
        assert_eq!(world.wakes().await, [("snapshot".to_string(), SEAT.to_string())]);
    });
}
