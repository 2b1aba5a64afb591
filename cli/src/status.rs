//! `afterimage status`: how every machine stands, from the summaries of the ledger.
//!
//! What failed or waits comes first, each with its reason; then what is under way; then the rest.

mod rows;
mod show;

use afterimage_aws::Clock;
use serde_json::json;

use crate::place::{self, Place};
use crate::{Failure, print};

pub use rows::{Row, Standing, rows};
pub use show::{Overview, table};

/// Says how every machine stands: its newest good point, its replicas, what failed and why.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only what failed or waits.
    #[arg(long)]
    failed: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: place::Where,
}

/// # Errors
/// The ledger cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    place::block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<(), Failure> {
    let place = Place::find(&arguments.place).await?;
    let ledger = place.ledger();
    let failed = |failure| place.failed(&failure);
    let in_force = ledger.in_force().await.map_err(failed)?;
    let mut machines = rows(&ledger.fleet().await.map_err(failed)?);
    if arguments.failed {
        machines.retain(|row| row.standing <= Standing::Waiting);
    }
    let findings = ledger.findings().await.map_err(failed)?;
    let now = Clock::of(&place.config).now();
    let policies = in_force.policies.iter().map(|policy| policy.name.to_string()).collect();
    let overview = Overview {
        now,
        only_failed: arguments.failed,
        policies,
        unreadable: in_force.unreadable,
        machines,
        findings,
    };
    if arguments.json {
        let mut answer = overview.to_json();
        answer["table"] = json!(place.table);
        answer["seat"] = json!(place.region.as_str());
        return print(&answer.to_string());
    }
    print(table(&overview).trim_end())
}
