//! A test event on our bus, which comes back: the function work-requested writes its id.

use afterimage_aws::{Bus, Clock, Ledger};
use afterimage_core::limits::TEST_EVENT_MAX;
use jiff::SignedDuration;

use super::line::{Line, answer};
use crate::stack::{STREAM, Stack};

const BUS: &str = "bus";

/// Time between two looks for the answer.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Sends a test event and waits for the answer.
pub async fn test(stack: &Stack, ledger: &Ledger, name: &str) -> Line {
    let clock = Clock::of(&stack.config);
    let sent = clock.now();
    let id = format!("{STREAM}-{}-{}", sent.as_millisecond(), std::process::id());
    let bus = Bus::new(&stack.config, name, STREAM);
    if let Err(why) = answer(bus.test(&clock, &stack.region, &id)).await {
        let found = format!("cannot send a test event: {why}");
        let to_do = format!(
            "allow these credentials events:PutEvents on bus {name}; if the bus is not there, \
             deploy infra/template.yaml again"
        );
        return Line::not_made(BUS, found, to_do);
    }
    while clock.now().duration_since(sent) < TEST_EVENT_MAX {
        match answer(ledger.test_answer()).await {
            Ok(Some(answer)) if answer.id == id => {
                return Line::ok(BUS, format!("a test event on bus {name} came back"));
            }
            Ok(_) => clock.sleep(LOOK_EVERY).await,
            Err(why) => {
                let found = format!("cannot look for the answer to a test event: {why}");
                let to_do = "allow these credentials dynamodb:BatchGetItem on the table";
                return Line::not_made(BUS, found, to_do);
            }
        }
    }
    let found = format!(
        "a test event on bus {name} did not come back within {} s",
        TEST_EVENT_MAX.as_secs()
    );
    let to_do = "look if the rule of the function work-requested is enabled, and at the \
                 concurrency, the errors and the log of the function";
    Line::fail(BUS, found, to_do)
}
