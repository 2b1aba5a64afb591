//! `afterimage status`: the state of every machine, from the summaries in the ledger.
//!
//! The first line counts the machines by their state, the worst first. Machines that have lost
//! something, failed or wait come first, each with its reason; then those without a point, as EC2
//! shows them; then those under way; then the rest.

mod glance;
mod rows;
mod shown;
mod table;

use afterimage_aws::Clock;
use afterimage_core::command::Finding;
use afterimage_core::flow::{InForce, stands_still, unread_keys, unread_regions};
use afterimage_core::reason::Code;
use afterimage_core::subject::Subject;
use afterimage_core::summary::MachineSummary;
use serde_json::json;

use crate::stack::{self, Stack};
use crate::{Failure, held_up, print, right_table};
use shown::Shown;

pub use glance::Glance;
pub use rows::{Row, Standing, WithoutPoint, lost_text, rows};
pub use table::{Overview, table};

/// Shows the state of every machine: its newest good point, its replicas, what failed and why.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Show only machines that have lost something, failed or wait.
    #[arg(long)]
    failed: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// # Errors
/// The ledger cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    stack::block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let (mut overview, in_force, unknown) = overview(&stack).await?;
    if arguments.failed {
        overview.machines.retain(|row| row.standing <= Standing::Waiting);
        overview.only_failed = true;
    }
    unknown.iter().for_each(|note| eprintln!("{note}"));
    let notes = right_table::notes(&stack, &in_force, overview.now).await;
    if arguments.json {
        let mut answer = overview.to_json();
        answer["table"] = json!(stack.table);
        answer["seat"] = json!(stack.region.as_str());
        answer["notes"] = json!(notes);
        return print(&answer.to_string());
    }
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    print(table(&overview).trim_end())
}

/// Reads the state of every machine. Also returns the policies in force, and a note for each region
/// in which EC2 gave no answer.
///
/// # Errors
/// The ledger cannot be read.
pub async fn overview(stack: &Stack) -> Result<(Overview, InForce, Vec<String>), Failure> {
    let ledger = stack.ledger();
    let failed = |failure| stack.failed(&failure);
    let in_force = ledger.in_force().await.map_err(failed)?;
    let fleet = ledger.fleet().await.map_err(failed)?;
    let now = Clock::of(&stack.config).now();
    let held_up = held_up::read(&ledger, &in_force, None, now).await.map_err(failed)?;
    let shown = Shown::read(stack, &in_force, &fleet).await;
    let mut machines = rows(&fleet, &shown.without_point(&in_force, &fleet), &held_up);
    let glance = Glance::of(&machines);
    shown.mark(&mut machines);
    let mut findings = ledger.findings().await.map_err(failed)?;
    findings.retain(|finding| !is_outdated(finding, &fleet));
    let overview = Overview {
        now,
        only_failed: false,
        policies: in_force.policies.iter().map(|policy| policy.name.to_string()).collect(),
        glance,
        unaudited: unread_regions::late(&in_force, now),
        unread_keys: unread_keys::late(&in_force, now),
        still: stands_still::told(&in_force),
        unreadable: in_force.unreadable.clone(),
        machines,
        findings,
    };
    Ok((overview, in_force, shown.unknown))
}

/// Tells whether the ledger contradicts a finding that the next look will resolve: a policy that
/// selected no machine has requested a point since.
fn is_outdated(finding: &Finding, fleet: &[MachineSummary]) -> bool {
    let Subject::Policy(name) = &finding.artefact else { return false };
    let latest = fleet.iter().flat_map(|machine| &machine.latest);
    let mut latest = latest.filter(|(policy, _)| policy.as_str() == name);
    finding.reason.code == Code::PolicyMatchesNothing
        && latest.any(|(_, latest)| latest.requested_at > finding.seen_at)
}
