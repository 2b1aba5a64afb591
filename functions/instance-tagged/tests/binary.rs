//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_core::names::TAG_ASK;
use afterimage_core::slot::Occasion;
use afterimage_core::status::Status;
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
fn a_machine_that_asks_gets_a_point_and_an_answer() {
    with_binary(NAME, BINARY, async |world| {
        world.policies(POLICY).await;
        let machine = world.machine("backup", "gold").await;
        // The rule of the template sends the function the event of this very tag.
        world.tag(&machine, TAG_ASK, "gold").await;
        let ended = world.ended(1).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");

        let points = world.ledger.points_of(&machine).await.expect("the ledger is read");
        let [(point, _)] = &points[..] else { panic!("{points:#?}") };
        assert_eq!(point.status, Status::Requested);
        assert_eq!(point.slot.occasion, Occasion::OnDemand { ordinal: 1 });
        assert_eq!(world.wakes().await, [("snapshot".to_string(), SEAT.to_string())]);
        let calls = world.calls().await;
        for action in ["DeleteTags", "CreateTags"] {
            let called = (action.to_string(), "ok".to_string());
            assert!(calls.contains(&called), "{calls:#?}");
        }

        // The same event again finds no tag.
        let event = sample(EVENT, &[("i-0123456789abcdef0", machine.as_str())]);
        let ended = world.invoke(event).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");
        let points = world.ledger.points_of(&machine).await.expect("the ledger is read");
        assert_eq!(points.len(), 1, "{points:#?}");
    });
}
