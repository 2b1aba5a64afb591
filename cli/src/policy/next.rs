//! `afterimage policy next`: the next runs of the policies, in their time zones and in UTC.

use std::path::PathBuf;

use afterimage_aws::Clock;
use afterimage_core::policy::next::{Run, runs};
use afterimage_core::policy::{Policy, Trigger, print};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::policy_file::from_file;
use super::show;
use crate::clock;
use crate::stack::{self, Stack};
use crate::text::{columns, date_or_instant, local, span, weekday};
use crate::{Failure, print as put};

/// Largest number of runs: a week of a schedule that runs every minute.
const COUNT_MAX: u32 = 10_000;

/// Prints the next runs of the policies, in their time zones and in UTC.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Show only this policy.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Number of runs of each policy.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(COUNT_MAX)))]
    count: u32,
    /// Read the policies from this file, not from the stack; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the runs after this date or instant, such as 2026-03-28 or 2026-03-28T06:00:00Z, in
    /// UTC; default: now.
    #[arg(long, value_name = "DATE", value_parser = date_or_instant)]
    after: Option<Timestamp>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (policies, now) = match &arguments.file {
        Some(file) => {
            let policies = from_file(file, "")?;
            let name = arguments.name.as_deref();
            let policies = match name {
                Some(name) => show::named(&policies, name, "in the file")?,
                None => policies,
            };
            (policies, clock::now())
        }
        None => stack::block_on(in_force(arguments))?,
    };
    let after = arguments.after.unwrap_or(now);
    let count = usize::try_from(arguments.count).unwrap_or(usize::MAX);
    let all: Vec<(Policy, Vec<Run>)> = policies
        .into_iter()
        .map(|policy| {
            let runs = runs(&policy, after, count);
            (policy, runs)
        })
        .collect();
    if arguments.json {
        let policies: Vec<Value> = all.iter().map(|(policy, runs)| to_json(policy, runs)).collect();
        return put(&json!({ "after": after, "policies": policies }).to_string());
    }
    if all.is_empty() {
        return put("no policies");
    }
    let texts: Vec<String> =
        all.iter().map(|(policy, runs)| to_text(policy, runs, after)).collect();
    put(texts.join("\n").trim_end())
}

async fn in_force(arguments: &Arguments) -> Result<(Vec<Policy>, Timestamp), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let in_force = stack.ledger().in_force().await.map_err(|failure| stack.failed(&failure))?;
    let policies = show::in_force_named(&in_force, arguments.name.as_deref())?;
    Ok((policies, Clock::of(&stack.config).now()))
}

/// Describes the triggers of a policy that are no schedules.
fn other_triggers(policy: &Policy) -> Vec<String> {
    let other = |trigger: &Trigger| match trigger {
        Trigger::Schedule(_) => None,
        Trigger::Stopped(stopped) => {
            let least = print::span(stopped.min_interval_secs);
            Some(format!("whenever a machine stops, at most every {least}"))
        }
        Trigger::Tag => Some("whenever a machine is tagged `afterimage:now`".to_string()),
    };
    policy.triggers.iter().filter_map(other).collect()
}

fn to_json(policy: &Policy, runs: &[Run]) -> Value {
    json!({ "policy": policy.name, "runs": runs, "also": other_triggers(policy) })
}

fn to_text(policy: &Policy, runs: &[Run], after: Timestamp) -> String {
    let mut text = format!("{}\n", policy.name);
    let lines: Vec<[String; 3]> = runs
        .iter()
        .map(|run| {
            // In the zone UTC, both times would be the same.
            let local = match run.timezone.as_str() {
                "UTC" => String::new(),
                zone => format!("{} {zone}", local(run.local)),
            };
            let ahead = format!("in {}", span(run.at.duration_since(after)));
            [local, format!("{} UTC", weekday(run.at)), ahead]
        })
        .collect();
    for (line, run) in columns(&lines).iter().zip(runs) {
        text.push_str(&format!("  {line}\n"));
        if let Some(clocks) = &run.clocks {
            text.push_str(&format!("      ! {clocks}\n"));
        }
    }
    for other in other_triggers(policy) {
        text.push_str(&format!("  {other}\n"));
    }
    text
}
