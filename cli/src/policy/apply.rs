//! `afterimage policy apply`: puts the policies of a file in force.
//!
//! First the command shows what changes and what that starts, and asks. It adds and replaces
//! policies. Policies that are in force and missing from the file stay and are listed; `--prune`
//! removes them. A new schedule starts now. A schedule that was there goes on where it was.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;

use afterimage_aws::{Clock, Ledger};
use afterimage_core::command::Cursor;
use afterimage_core::flow::{InForce, backup_tick};
use afterimage_core::ids::{AccountId, PolicyName, Region};
use afterimage_core::policy::{Policy, Trigger};
use aws_types::SdkConfig;
use jiff::Timestamp;
use serde_json::json;

use super::changes::Changes;
use super::effects;
use super::policy_file::PolicyFile;
use super::preview::Preview;
use super::went_back;
use crate::doctor::rules;
use crate::failure::chain;
use crate::right_table;
use crate::stack::{self, Stack};
use crate::{Failure, print};

/// Puts the policies of a file in force, after showing what that changes and asking.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Policy file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Remove policies that are in force and missing from the file.
    #[arg(long)]
    prune: bool,
    /// Apply without asking.
    #[arg(long)]
    yes: bool,
    /// Show the changes, and apply nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// Follows the number of problems of a file.
const CONSEQUENCE: &str = "; nothing was applied";

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = PolicyFile::open(&arguments.file)?;
    // What is wrong with the file is told before anything is asked of AWS.
    file.policies(CONSEQUENCE)?;
    stack::block_on(put_in_force(arguments, &file))
}

async fn put_in_force(arguments: &Arguments, file: &PolicyFile) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let failed = |failure| stack.failed(&failure);
    let ledger = stack.ledger();
    let before = ledger.in_force().await.map_err(failed)?;
    let now = Clock::of(&stack.config).now();
    let account = account(&ledger, &file.policies(CONSEQUENCE)?).await;
    let policies = &file.policies_at(now, account.as_ref(), CONSEQUENCE)?;
    let changes = Changes::between(&before, policies);
    let mut preview = Preview::of(&before, policies, changes.clone(), arguments.prune);
    preview.notes.extend(went_back::warning(&stack, &ledger, &before, policies, now).await);
    preview.notes.extend(right_table::silent(&stack, now).await);
    preview.notes.extend(without_stack(&stack, policies).await);
    let new = changes.changing(policies);
    if !new.is_empty() {
        let all = together(&before, policies, arguments.prune);
        match effects::read_fleet(&stack.config, &ledger, &new).await {
            Ok(fleet) => preview.effects = Some(effects::effects(&all, &new, &fleet, now)),
            Err(error) => {
                eprintln!("cannot show what these changes start: {}", chain(&error));
            }
        }
    }
    if !arguments.json {
        print(preview.to_text().trim_end())?;
        preview.notes.iter().for_each(|note| eprintln!("note: {note}"));
    } else if !arguments.yes && !arguments.dry_run {
        eprint!("{}", preview.to_text());
    }
    let is_allowed = if arguments.dry_run { Ok(()) } else { may_apply(arguments, &preview) };
    let is_applied = is_allowed.is_ok() && !arguments.dry_run;
    if is_applied {
        let done = carry_out(&ledger, &before, changes, policies, arguments.prune, now).await;
        preview.changes = done.map_err(failed)?;
    }
    if arguments.json {
        let mut answer = json!(preview);
        answer["applied"] = json!(is_applied);
        print(&answer.to_string())?;
    } else if is_applied && preview.is_change() {
        print("\napplied")?;
    }
    is_allowed
}

/// Returns the account of the stack, which is that of its table, if the policies name keys by their
/// ARNs. Without it, keys of one other account are not noticed.
async fn account(ledger: &Ledger, policies: &[Policy]) -> Option<AccountId> {
    let mut keys = policies.iter().flat_map(|policy| &policy.replicate);
    if !keys.any(|replica| replica.kms_key.as_ref().is_some_and(|key| key.starts_with("arn:"))) {
        return None;
    }
    let table = ledger.describe().await.inspect_err(|failure| {
        let why = chain(failure);
        eprintln!("cannot tell whether the keys belong to the account of the stack: {why}");
    });
    table.ok()?.account()
}

/// Returns a note about the regions of the policies whose events do not reach the seat; none if
/// there are none, or if that cannot be told: `afterimage doctor` says why.
async fn without_stack(stack: &Stack, policies: &[Policy]) -> Option<String> {
    let regions = regions(policies);
    let missing = rules::without_stack(stack, regions.iter().collect()).await;
    let names: Vec<&str> = missing.into_iter().map(Region::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "no event of {} reaches the seat: deploy infra/region.yaml there; until then the sweep \
             finds within five minutes what happens",
            names.join(", ")
        )
    })
}

/// Joins the policies that are in force once the file is applied.
fn together(before: &InForce, policies: &[Policy], prune: bool) -> Vec<Policy> {
    let is_new = |name: &PolicyName| policies.iter().any(|policy| policy.name == *name);
    let kept = before.policies.iter().filter(|policy| !prune && !is_new(&policy.name));
    policies.iter().chain(kept).cloned().collect()
}

/// Puts policies in force. The rules and the roles of the stack stay as they are.
///
/// # Errors
/// The ledger cannot be read or written. What was written until then stays; applying the same
/// policies again completes it.
pub async fn apply(
    config: &SdkConfig,
    table: &str,
    policies: &[Policy],
    prune: bool,
) -> Result<Changes, afterimage_aws::Failure> {
    let ledger = Ledger::new(config, table, stack::STREAM);
    let before = ledger.in_force().await?;
    let now = Clock::of(config).now();
    let changes = Changes::between(&before, policies);
    carry_out(&ledger, &before, changes, policies, prune, now).await
}

/// Writes the changes to the ledger. Regions and cursors come first: a policy is in force only when
/// everything that it needs is there.
async fn carry_out(
    ledger: &Ledger,
    before: &InForce,
    mut changes: Changes,
    policies: &[Policy],
    prune: bool,
    now: Timestamp,
) -> Result<Changes, afterimage_aws::Failure> {
    for region in regions(policies) {
        if !before.regions.contains(&region) {
            ledger.put_region(&region).await?;
        }
    }
    for policy in policies {
        for cursor in new_cursors(before, policy, now) {
            ledger.advance(&cursor).await?;
        }
        if !changes.unchanged.iter().any(|name| name == policy.name.as_str()) {
            ledger.put_policy(policy, now).await?;
        }
    }
    if prune {
        for name in changes.missing.clone() {
            if let Ok(parsed) = PolicyName::parse(&name) {
                ledger.remove_policy(&parsed, now).await?;
                changes.removed.push(name);
            }
        }
    }
    Ok(changes)
}

/// Collects every region in which the policies make artefacts.
fn regions(policies: &[Policy]) -> BTreeSet<Region> {
    let homes = policies.iter().flat_map(|policy| policy.select.regions.iter());
    let replicas = policies.iter().flat_map(|policy| &policy.replicate).map(|r| &r.region);
    homes.chain(replicas).cloned().collect()
}

/// Makes the cursors of schedules, and of regions, that the policy did not have until now. An old
/// cursor of such a schedule would catch up on slots that nobody wanted.
fn new_cursors(before: &InForce, policy: &Policy, now: Timestamp) -> Vec<Cursor> {
    let timed = |policy: &Policy| -> Vec<Cursor> {
        let regions = &policy.select.regions;
        let schedules = policy.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Schedule(timed) => Some(timed),
            Trigger::Stopped(_) | Trigger::Tag => None,
        });
        let cursor = |timed, region| backup_tick::cursor(policy, timed, region, now);
        schedules
            .flat_map(|timed| regions.iter().map(move |region| cursor(timed, region)))
            .collect()
    };
    let old = before.policy(&policy.name).map(timed).unwrap_or_default();
    timed(policy).into_iter().filter(|cursor| !old.contains(cursor)).collect()
}

/// Asks the user, who has seen the changes. `--yes` answers for them.
fn may_apply(arguments: &Arguments, preview: &Preview) -> Result<(), Failure> {
    if arguments.yes || !preview.is_change() {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let text = "not applied: stdin is not a terminal\n  pass --yes to skip the prompt, or \
                    --dry-run to only see the changes";
        return Err(Failure::Input(text.into()));
    }
    eprint!("\napply this? [y/N] ");
    io::stderr().flush().ok();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::Declined("nothing was applied".into())),
    }
}
