//! `afterimage policy apply`: puts the policies of a file in force.
//!
//! First it shows what that changes and what it sets going, and asks. Adds and replaces. What is in
//! force and missing from the file stays, is told, and goes only with `--prune`. A schedule that is
//! new counts from now on; one that was there goes on where it was.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;

use afterimage_aws::{Clock, Ledger};
use afterimage_core::command::Cursor;
use afterimage_core::flow::{InForce, backup_tick};
use afterimage_core::ids::{PolicyName, Region};
use afterimage_core::policy::{Policy, Trigger};
use aws_types::SdkConfig;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::effects;
use super::preview::{self, Preview};
use crate::failure::chain;
use crate::place::{self, Place};
use crate::{Failure, print};

/// Shows what a policy file changes and sets going, asks, and puts its policies in force.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Remove the policies that are in force and missing from the file.
    #[arg(long)]
    prune: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Show it, and change nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: place::Where,
}

/// What applying a file does to what is in force: policies by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    pub added: Vec<String>,
    pub replaced: Vec<String>,
    pub unchanged: Vec<String>,
    /// In force, and not in the file.
    pub missing: Vec<String>,
    /// Of those that are missing: what was removed.
    pub removed: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let policies = super::from_file(&arguments.file, "; nothing was applied")?;
    place::block_on(put_in_force(arguments, &policies))
}

async fn put_in_force(arguments: &Arguments, policies: &[Policy]) -> Result<(), Failure> {
    let place = Place::find(&arguments.place).await?;
    let failed = |failure| place.failed(&failure);
    let ledger = place.ledger();
    let before = ledger.in_force().await.map_err(failed)?;
    let now = Clock::of(&place.config).now();
    let changes = changes(&before, policies);
    let mut preview = Preview::of(&before, policies, changes.clone(), arguments.prune);
    let new = preview::changing(policies, &changes);
    if !new.is_empty() {
        let all = together(&before, policies, arguments.prune);
        match effects::look(&place.config, &ledger, &new).await {
            Ok(seen) => preview.effects = Some(effects::effects(&all, &new, &seen, now)),
            Err(error) => {
                eprintln!("cannot tell what this sets going: {}", chain(&error));
            }
        }
    }
    if !arguments.json {
        print(preview.tell().trim_end())?;
        preview.notes.iter().for_each(|note| eprintln!("note: {note}"));
    } else if !arguments.yes && !arguments.dry_run {
        eprint!("{}", preview.tell());
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

/// The policies that are in force once a file is applied.
fn together(before: &InForce, policies: &[Policy], prune: bool) -> Vec<Policy> {
    let is_new = |name: &PolicyName| policies.iter().any(|policy| policy.name == *name);
    let kept = before.policies.iter().filter(|policy| !prune && !is_new(&policy.name));
    policies.iter().chain(kept).cloned().collect()
}

/// Puts policies in force. The rules and the roles of the stack are not touched.
///
/// # Errors
/// The ledger cannot be read or written; what was written until then stays, and applying the same
/// again completes it.
pub async fn apply(
    config: &SdkConfig,
    table: &str,
    policies: &[Policy],
    prune: bool,
) -> Result<Applied, afterimage_aws::Failure> {
    let ledger = Ledger::new(config, table, place::STREAM);
    let before = ledger.in_force().await?;
    let now = Clock::of(config).now();
    carry_out(&ledger, &before, changes(&before, policies), policies, prune, now).await
}

/// What applying these policies would change.
pub fn changes(before: &InForce, policies: &[Policy]) -> Applied {
    let mut changes = Applied::default();
    let unreadable = |name: &PolicyName| before.unreadable.iter().any(|u| u.name == name.as_str());
    for policy in policies {
        let list = match before.policy(&policy.name) {
            Some(old) if old == policy => &mut changes.unchanged,
            Some(_) => &mut changes.replaced,
            None if unreadable(&policy.name) => &mut changes.replaced,
            None => &mut changes.added,
        };
        list.push(policy.name.to_string());
    }
    let names = before.policies.iter().map(|policy| policy.name.to_string());
    let names = names.chain(before.unreadable.iter().map(|policy| policy.name.clone()));
    let is_wanted = |name: &String| policies.iter().any(|policy| policy.name.as_str() == name);
    changes.missing = names.filter(|name| !is_wanted(name)).collect();
    changes
}

/// Regions and cursors come first: a policy is in force only when all that it needs is there.
async fn carry_out(
    ledger: &Ledger,
    before: &InForce,
    mut changes: Applied,
    policies: &[Policy],
    prune: bool,
    now: Timestamp,
) -> Result<Applied, afterimage_aws::Failure> {
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
                ledger.remove_policy(&parsed).await?;
                changes.removed.push(name);
            }
        }
    }
    Ok(changes)
}

/// Every region in which there will be something of ours.
fn regions(policies: &[Policy]) -> BTreeSet<Region> {
    let homes = policies.iter().flat_map(|policy| policy.select.regions.iter());
    let replicas = policies.iter().flat_map(|policy| &policy.replicate).map(|r| &r.region);
    homes.chain(replicas).cloned().collect()
}

/// The schedules that begin to count: those that the policy did not have until now. What is left
/// of a cursor from an earlier time would make up for slots that nobody wanted.
fn new_cursors(before: &InForce, policy: &Policy, now: Timestamp) -> Vec<Cursor> {
    let timed = |policy: &Policy| -> Vec<Cursor> {
        let schedules = policy.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Schedule(timed) => Some(backup_tick::cursor(policy, timed, now)),
            Trigger::Stopped(_) | Trigger::Tag => None,
        });
        schedules.collect()
    };
    let old = before.policy(&policy.name).map(timed).unwrap_or_default();
    timed(policy).into_iter().filter(|cursor| !old.contains(cursor)).collect()
}

/// Whether the user wants it, now that they have seen what it does.
fn may_apply(arguments: &Arguments, preview: &Preview) -> Result<(), Failure> {
    if arguments.yes || !preview.is_change() {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let text = "nothing was applied: there is no terminal to ask at\n  say --yes to apply this \
                    without being asked, or --dry-run to look at it";
        return Err(Failure::Input(text.into()));
    }
    eprint!("\napply this? [y/N] ");
    io::stderr().flush().ok();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::Input("nothing was applied".into())),
    }
}
