//! A test event on our bus, which comes back: the function work-requested writes its id, and the
//! time of its clock.

use afterimage_aws::{Bus, Clock, Ledger};
use afterimage_core::limits::{CLOCK_SKEW, TEST_EVENT_MAX};
use jiff::{SignedDuration, Timestamp};

use super::line::{Line, answer};
use crate::clock::CloudClock;
use crate::stack::{STREAM, Stack};
use crate::text::span;

const BUS: &str = "bus";
const CLOCK: &str = "clock";

/// Time between two looks for the answer.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Sends a test event and waits for the answer, which also tells the clock of the functions.
pub async fn test(stack: &Stack, ledger: &Ledger, name: &str) -> Vec<Line> {
    let clock = Clock::of(&stack.config);
    let sent = clock.now();
    let id = format!("{STREAM}-{}-{}", sent.as_millisecond(), std::process::id());
    let bus = Bus::new(&stack.config, name, STREAM);
    if let Err(why) = answer(bus.test(&clock, &stack.region, &id)).await {
        let found = format!("cannot send a test event: {why}");
        let permission = format!("allow these credentials events:PutEvents on bus {name}");
        return vec![Line::not_made(BUS, found, why.to_do(permission))];
    }
    while clock.now().duration_since(sent) < TEST_EVENT_MAX {
        match answer(ledger.test_answer()).await {
            Ok(Some(answer)) if answer.id == id => {
                let mut lines =
                    vec![Line::ok(BUS, format!("a test event on bus {name} came back"))];
                // The command takes its time from an embedded cloud, which may be faster than it.
                if stack.config.endpoint_url().and_then(CloudClock::of).is_none() {
                    lines.push(clock_line(sent, answer.at, clock.now()));
                }
                return lines;
            }
            Ok(_) => clock.sleep(LOOK_EVERY).await,
            Err(why) => {
                let found = format!("cannot look for the answer to a test event: {why}");
                let to_do = why.to_do("allow these credentials dynamodb:BatchGetItem on the table");
                return vec![Line::not_made(BUS, found, to_do)];
            }
        }
    }
    let found = format!(
        "a test event on bus {name} did not come back within {} s",
        TEST_EVENT_MAX.as_secs()
    );
    let to_do = "look if the rule of the function work-requested is enabled, and at the \
                 concurrency, the errors and the log of the function";
    vec![Line::fail(BUS, found, to_do)]
}

/// Compares the clock of this machine with that of the function: it has answered between the time
/// at which the event was sent and the time at which the answer was read.
fn clock_line(sent: Timestamp, answered: Timestamp, read: Timestamp) -> Line {
    let off = sent.duration_since(answered).max(answered.duration_since(read));
    if off <= CLOCK_SKEW {
        return Line::ok(CLOCK, "the clock of this machine agrees with that of the functions");
    }
    let found = format!("the clock of this machine is off by {}", span(off));
    let to_do = "set the clock: times that this command shows are wrong, and AWS refuses the calls \
                 of a clock that is off by five minutes";
    Line::warn(CLOCK, found, to_do)
}
