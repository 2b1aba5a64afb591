//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_core::names::TAG_ASK;
use afterimage_support::records::region;
use afterimage_support::{SEAT, sample, with_binary};

const NAME: &str = "instance-tagged";
const BINARY: &str = env!("CARGO_BIN_EXE_instance-tagged");
const EVENT: &str = include_str!("../../../events/instance-tagged.json");

const POLICY: &str = "
policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
    triggers:
      - on: tag
";

#[test]
fn a_machine_that_asks_gets_a_hint_and_its_worker_is_woken() {
    with_binary(NAME, BINARY, async |world| {
        world.policies(POLICY).await;
        let machine = world.machine("backup", "gold").await;
        // The rule of the template sends the function the event of this very tag.
        world.tag(&machine, TAG_ASK, "gold").await;
        let ended = world.ended(1).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");

        let home = region(SEAT);
        let hints = world.ledger.hints(&home).await.expect("the ledger is read");
        let [hint] = &hints[..] else { panic!("{hints:#?}") };
        assert_eq!((&hint.region, &hint.instance), (&home, &machine));
        assert_eq!(world.wakes().await, [("snapshot".to_string(), SEAT.to_string())]);
        let calls = world.calls().await;
        let reads = calls.iter().filter(|(action, _)| action.starts_with("Describe"));
        assert_eq!(reads.count(), 0, "the worker describes the machine: {calls:#?}");

        // The same event again leaves the one hint.
        let event = sample(EVENT, &[("i-0123456789abcdef0", machine.as_str())]);
        let ended = world.invoke(event).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        let hints = world.ledger.hints(&home).await.expect("the ledger is read");
        assert_eq!(hints.len(), 1, "{hints:#?}");
    });
}
