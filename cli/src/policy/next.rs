//! `afterimage policy next`: when the policies run next, in their zones and in UTC.

use std::path::PathBuf;

use afterimage_aws::Clock;
use afterimage_core::policy::next::{Run, runs};
use afterimage_core::policy::{Policy, Trigger, print};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::show;
use crate::place::{self, Place};
use crate::text::{columns, local, span, weekday};
use crate::{Failure, print as put};

/// More runs than anyone reads; a schedule of every minute has as many in a week.
const COUNT_MAX: u32 = 10_000;

/// Says when the policies run next, in their zones and in UTC.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this policy.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// So many runs of each policy.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(COUNT_MAX)))]
    count: u32,
    /// The policies of this file (- for standard input), and not those in force.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The runs after this instant, such as 2026-03-28T00:00:00Z, and not after now.
    #[arg(long, value_name = "INSTANT")]
    after: Option<Timestamp>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: place::Where,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (policies, now) = match &arguments.file {
        Some(file) => {
            let policies = super::from_file(file, "")?;
            let name = arguments.name.as_deref();
            let policies = match name {
                Some(name) => show::one(&policies, name, "in the file")?,
                None => policies,
            };
            (policies, place::now())
        }
        None => place::block_on(in_force(arguments))?,
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
    let told: Vec<String> = all.iter().map(|(policy, runs)| tell(policy, runs, after)).collect();
    put(told.join("\n").trim_end())
}

async fn in_force(arguments: &Arguments) -> Result<(Vec<Policy>, Timestamp), Failure> {
    let place = Place::find(&arguments.place).await?;
    let in_force = place.ledger().in_force().await.map_err(|failure| place.failed(&failure))?;
    let policies = show::chosen(&in_force, arguments.name.as_deref())?;
    Ok((policies, Clock::of(&place.config).now()))
}

/// What runs a policy beside its schedules.
fn others(policy: &Policy) -> Vec<String> {
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
    json!({ "policy": policy.name, "runs": runs, "also": others(policy) })
}

fn tell(policy: &Policy, runs: &[Run], after: Timestamp) -> String {
    let mut text = format!("{}\n", policy.name);
    let lines: Vec<[String; 3]> = runs
        .iter()
        .map(|run| {
            // Where the zone is UTC, its own clocks say nothing more.
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
    for other in others(policy) {
        text.push_str(&format!("  {other}\n"));
    }
    text
}
