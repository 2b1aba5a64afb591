//! `afterimage explain`: which policies apply to a machine, and why.
//!
//! The command looks for the machine in EC2, in the regions of the policies, and in the ledger. A
//! machine that EC2 no longer shows is explained from the ledger.

use std::collections::BTreeSet;

use afterimage_aws::ec2::Find;
use afterimage_aws::{Clock, Ec2};
use afterimage_core::command::Finding;
use afterimage_core::flow::InForce;
use afterimage_core::flow::explain::{Input, Made, StopFacts, Triggered, UnderPolicy, explain};
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::machine::{Instance, Machine};
use afterimage_core::point::Point;
use afterimage_core::policy::Consistency;
use afterimage_core::reason::Code;
use afterimage_core::slot::PointId;
use afterimage_core::subject::Subject;
use afterimage_core::summary::{Good, Latest, MachineSummary};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::chain;
use crate::held_up::{self, AllHeldUp};
use crate::policy::unreadable::unreadable_text;
use crate::stack::{self, STREAM, Stack};
use crate::status::lost_text;
use crate::text::{blanks, local, minute, padded, span, tries, weekday, wrapped_below};
use crate::{Failure, machine_name, print};

/// Explains which policies apply to a machine and why, its last point, and its next one.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Id of the machine (i-...), or its Name if no other machine has it.
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// # Errors
/// The machine is unknown, or the ledger or EC2 cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    stack::block_on(show(arguments))
}

/// Everything that EC2 and the ledger know of the machine.
#[derive(Default)]
struct MachineFacts {
    instance: Option<Instance>,
    machine: Option<Machine>,
    stop: Option<StopFacts>,
    summary: Option<MachineSummary>,
    points: Vec<Point>,
    findings: Vec<Finding>,
    held_up: AllHeldUp,
}

async fn show(arguments: &Arguments) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let now = Clock::of(&stack.config).now();
    let in_force = stack.ledger().in_force().await.map_err(|failure| stack.failed(&failure))?;
    let id = &machine_name::find(&stack, &in_force, &arguments.instance).await?;
    let mut known = find(&stack, &in_force, id).await.map_err(|failure| stack.failed(&failure))?;
    let held_up = held_up::read(&stack.ledger(), &in_force, Some(id), now).await;
    known.held_up = held_up.map_err(|failure| stack.failed(&failure))?;
    if known.instance.is_none() && known.summary.is_none() {
        return Err(unknown(&stack, &in_force, id));
    }
    let input = Input {
        now,
        in_force: &in_force,
        instance: known.instance.as_ref(),
        machine: known.machine.as_ref(),
        stop: known.stop.as_ref(),
        summary: known.summary.as_ref(),
        points: &known.points,
    };
    let policies = explain(&input);
    for policy in &in_force.unreadable {
        eprintln!("{}", unreadable_text(policy));
    }
    if arguments.json {
        return print(&to_json(id, &known, &policies, now).to_string());
    }
    print(to_text(id, &known, &policies, now).trim_end())
}

fn unknown(stack: &Stack, in_force: &InForce, id: &InstanceId) -> Failure {
    let regions = machine_name::regions(stack, in_force);
    let regions: Vec<&str> = regions.iter().map(Region::as_str).collect();
    let regions = regions.join(", ");
    Failure::Input(format!(
        "machine {id} was not found in {regions}, and the ledger has no record of it\n  these are \
         the regions of the stack and its policies; check the id and the account"
    ))
}

async fn find(
    stack: &Stack,
    in_force: &InForce,
    id: &InstanceId,
) -> Result<MachineFacts, afterimage_aws::Failure> {
    let ledger = stack.ledger();
    let mut known = MachineFacts {
        summary: ledger.summaries(std::slice::from_ref(id)).await?.remove(id),
        ..MachineFacts::default()
    };
    let home = known.summary.as_ref().map(|summary| summary.home.clone());
    let regions = machine_name::regions(stack, in_force);
    let others = regions.into_iter().filter(|region| Some(region) != home.as_ref());
    let ec2 = Ec2::new(&stack.config, STREAM);
    for region in home.iter().cloned().chain(others) {
        let ids = std::slice::from_ref(id);
        if let Some(instance) = ec2.instances(&region, Find::Ids(ids)).await?.pop() {
            if !instance.state.is_gone() {
                // The variables of its firmware decide nothing, and may hold its secure boot keys.
                let mut machines = ec2.machines(&region, ids, &Default::default(), 0).await?;
                let unasked = machines.unasked.remove(id);
                known.machine = machines.whole.remove(id).or(unasked);
                known.stop = stop_facts(&ec2, in_force, &instance).await?;
            }
            known.instance = Some(instance);
            break;
        }
    }
    let latest = known.summary.iter().flat_map(|summary| summary.latest.values());
    let points: Vec<PointId> = latest.map(|latest| latest.point.clone()).collect();
    known.points = ledger.points(&points).await?.into_values().collect();
    known.findings = ledger.findings().await?;
    let good = known.summary.iter().flat_map(|summary| summary.good.values());
    let places: BTreeSet<&Region> = good.flat_map(|good| &good.replicas).chain(&home).collect();
    known.findings.retain(|finding| {
        let is_unseen = matches!(finding.reason.code, Code::NotAudited | Code::KeysNotRead);
        finding.artefact == Subject::Machine(id.clone())
            || is_unseen && places.contains(&finding.region)
    });
    Ok(known)
}

/// Reads the facts that decide if the machine may be stopped, if a policy in force stops machines.
/// The user may not be allowed to read its protections.
async fn stop_facts(
    ec2: &Ec2,
    in_force: &InForce,
    instance: &Instance,
) -> Result<Option<StopFacts>, afterimage_aws::Failure> {
    let mut policies = in_force.policies.iter();
    if !policies.any(|policy| policy.consistency == Consistency::StopStart) {
        return Ok(None);
    }
    let (region, ids) = (&instance.region, std::slice::from_ref(&instance.id));
    let Some(seen) = ec2.seen_machines(region, ids).await?.remove(&instance.id) else {
        return Ok(None);
    };
    let guarded = ec2.protections(region, instance).await.inspect_err(|failure| {
        eprintln!("{}\n  the forecast does not consider stop protection", chain(failure));
    });
    Ok(Some(StopFacts { seen, guarded: guarded.ok() }))
}

fn to_json(
    id: &InstanceId,
    known: &MachineFacts,
    policies: &[UnderPolicy],
    now: Timestamp,
) -> Value {
    let told = |under: &UnderPolicy| {
        let held_up = |last: &Latest| known.held_up.get(&last.point).cloned().unwrap_or_default();
        let last = under.last.as_ref().map(|last| held_up::told(last, &held_up(last), now));
        UnderPolicy { last, ..under.clone() }
    };
    let policies: Vec<UnderPolicy> = policies.iter().map(told).collect();
    let instance = known.instance.as_ref();
    let region = instance.map(|instance| &instance.region);
    json!({
        "now": now,
        "instance": id,
        "name": name(known),
        "region": region.or(known.summary.as_ref().map(|summary| &summary.home)),
        "state": instance.map(|instance| instance.state.as_str()),
        "launched": instance.map(|instance| instance.launched),
        "tags": instance.map(|instance| &instance.tags),
        "policies": policies,
        "findings": known.findings,
        "held_up": known.held_up,
    })
}

fn name(known: &MachineFacts) -> Option<String> {
    let shown = known.instance.as_ref().and_then(|instance| instance.name());
    let kept = known.summary.as_ref().and_then(|summary| summary.name.clone());
    shown.map(str::to_string).or(kept)
}

fn to_text(
    id: &InstanceId,
    known: &MachineFacts,
    policies: &[UnderPolicy],
    now: Timestamp,
) -> String {
    let name = name(known).map(|name| format!(" ({name})")).unwrap_or_default();
    let home = known.summary.as_ref().map(|summary| summary.home.to_string()).unwrap_or_default();
    let head = match &known.instance {
        None => format!("{id}{name}: not found in EC2; last seen in {home}"),
        Some(instance) => {
            let Instance { region, state, instance_type, launched, .. } = instance;
            let since = minute(*launched);
            let hibernated = if instance.hibernated { ", hibernated" } else { "" };
            let state = format!("{}{hibernated}", state.as_str());
            format!("{id}{name} in {region}: {state}, {instance_type}, launched {since} UTC")
        }
    };
    let mut text = format!("{}\n", wrapped_below(&head, "", "  "));
    for finding in &known.findings {
        let reason = format!("! {}", finding.reason);
        text.push_str(&format!("{}\n", wrapped_below(&reason, "", "  ")));
    }
    if policies.is_empty() {
        text.push_str("\nno policy is in force\n");
    }
    for under in policies {
        text.push('\n');
        text.push_str(&policy_text(under, &known.held_up, now));
    }
    text
}

fn policy_text(under: &UnderPolicy, held_up: &AllHeldUp, now: Timestamp) -> String {
    let head = match (under.applies, under.in_force) {
        (true, _) => "applies",
        (false, true) => "does not apply",
        (false, false) => "is no longer in force",
    };
    let mut text = format!("{} {head}\n", under.policy);
    let mut line = |label: &str, words: &str| {
        let first = format!("  {}  ", padded(label, 10));
        text.push_str(&format!("{}\n", wrapped_below(words, &first, &blanks(&first))));
    };
    if under.in_force {
        let label = if under.applies { "selects" } else { "because" };
        under.why.iter().for_each(|why| line(label, why));
    }
    if let Some(miss) = &under.near_miss {
        line("but", miss);
    }
    for triggered in &under.triggers {
        let Triggered { trigger, next, would } = triggered;
        match next {
            None => line(trigger, would),
            Some(run) => {
                let ahead = span(run.at.duration_since(now));
                let utc = format!("{} UTC", weekday(run.at));
                let at = match run.timezone.as_str() {
                    "UTC" => utc,
                    zone => format!("{} {zone} ({utc})", local(run.local)),
                };
                line("next", &format!("{at}, in {ahead}, by {trigger}"));
                line("then", would);
            }
        }
    }
    match &under.made {
        None => {}
        Some(Made::Image(chosen)) => {
            line("image", &format!("{}: {}", chosen.method.as_str(), chosen.why));
        }
        Some(Made::Snapshots) => line("image", "none; snapshots only"),
        Some(Made::Refused(reason)) => line("image", &format!("refused: {reason}")),
    }
    if under.left_to_person {
        line("heals", "nothing by itself (`heal: false`); `afterimage heal POINT` does");
    }
    if let Some(last) = &under.last {
        let ago = span(now.duration_since(last.requested_at));
        let unverified = if last.unverified { ", unverified" } else { "" };
        line("last", &format!("{}{unverified}, requested {ago} ago: {}", last.status, last.point));
        let held_up = held_up.get(&last.point).map(Vec::as_slice).unwrap_or_default();
        let notes = held_up::notes(last.reason.as_ref(), held_up);
        notes.iter().for_each(|note| line("", note));
        lost_text(Some(last), under.good.as_ref()).iter().for_each(|lost| line("", lost));
        tries(last, !held_up.is_empty(), now).iter().for_each(|tries| line("", tries));
    }
    under.findings.iter().for_each(|finding| line("finding", &finding.to_string()));
    if let Some(good) = &under.good {
        let replicas = places_text(good);
        let ago = span(now.duration_since(good.taken_at));
        let (grade, at) = (good.grade.as_str(), minute(good.taken_at));
        line("good", &format!("{at} UTC, {ago} ago, {grade}: {replicas}"));
    } else if under.applies || under.last.is_some() {
        let has_lost = under.last.as_ref().is_some_and(|last| !last.lost.is_empty());
        line("good", if has_lost { "none" } else { "none yet" });
    }
    text
}

/// Describes the artefacts of a good point.
fn places_text(good: &Good) -> String {
    let (count, wanted) = (good.replicas.len(), good.replicas_wanted);
    match &good.image {
        Some(image) => format!("{image}, {count} of {wanted} replicas"),
        None if good.home_lost => format!("no image at home, {count} of {wanted} replicas"),
        None => "snapshots".to_string(),
    }
}
