//! `afterimage doctor`: tells whether the deployed system is healthy, and line by line what to do.
//!
//! Each check reads, and makes a line for everything that it finds wrong, or one line that says
//! that all is well. A check that cannot be made is a line of its own. It ends no other check,
//! except that nothing is known of the system without its ledger.

mod access;
mod bus;
mod functions;
mod keys;
mod ledger;
mod line;
mod policies;
mod quotas;
mod report;
pub mod rules;
mod work;

use std::collections::BTreeSet;

use afterimage_aws::Clock;
use serde_json::json;

use crate::stack::{self, Stack};
use crate::{Failure, print};

pub use line::{Level, Line};
pub use report::text;

/// Tells whether the deployed system is healthy, and line by line what to do if not.
///
/// Exit status: 0 if nothing failed, 1 if a check failed, 2 if AWS did not let it look.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Only look: send no test event on the bus.
    #[arg(long)]
    no_test_event: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// # Errors
/// A check failed, or the ledger cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    stack::block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<(), Failure> {
    let (lines, stack) = match Stack::find(&arguments.stack).await {
        Ok(stack) => {
            let mut lines = access::lines(&arguments.stack, &stack).await;
            lines.extend(look(&stack, !arguments.no_test_event).await);
            (lines, Some(stack))
        }
        // A person can put it right, so it is what the doctor is for.
        Err(Failure::Input(missing)) => (vec![access::missing(&missing)], None),
        Err(failure) => return Err(failure),
    };
    if arguments.json {
        let table = stack.as_ref().map(|stack| &stack.table);
        let seat = stack.as_ref().map(|stack| stack.region.as_str());
        let healthy = report::worst(&lines) != Level::Fail;
        print(
            &json!({ "table": table, "seat": seat, "healthy": healthy, "checks": lines })
                .to_string(),
        )?;
    } else {
        print(&text(&lines))?;
    }
    report::outcome(&lines)
}

/// Looks at the deployed system. `may_send` allows the test event.
pub async fn look(stack: &Stack, may_send: bool) -> Vec<Line> {
    let now = Clock::of(&stack.config).now();
    let ledger = stack.ledger();
    let (mut lines, table) = ledger::table(stack, &ledger).await;
    if table.is_missing {
        return lines;
    }
    let in_force = match ledger::in_force(stack, &ledger).await {
        Ok(in_force) => in_force,
        Err(line) => {
            lines.push(line);
            return lines;
        }
    };
    lines.extend(ledger::identity(stack, &ledger, &in_force, now).await);
    let heard = match functions::heard(&ledger).await {
        Ok(heard) => {
            lines.extend(functions::lines(&heard, now));
            heard
        }
        Err(line) => {
            lines.push(line);
            functions::Heard::new()
        }
    };
    lines.extend(rules::at_seat(stack, &table, &heard).await);
    if may_send {
        lines.extend(bus::test(stack, &ledger, rules::bus(&heard)).await);
    }
    lines.extend(policies::policies(&in_force));
    let (of_regions, unusable) = policies::regions(stack, &in_force).await;
    lines.extend(of_regions);
    lines.extend(policies::geography(&in_force));
    let regions = policies::named(&in_force).into_keys();
    let regions: BTreeSet<_> = regions.filter(|region| !unusable.contains(region)).collect();
    lines.extend(quotas::lines(stack, regions.clone()).await);
    lines.extend(rules::elsewhere(stack, &table, &heard, regions).await);
    lines.extend(keys::lines(stack, &in_force, table.account.as_ref()).await);
    lines.extend(work::schedules(&in_force, now));
    lines.extend(work::audit(&in_force, now));
    lines.extend(work::findings(&ledger).await);
    lines
}
