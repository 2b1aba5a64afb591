//! The explanation of a machine: the policies that apply to it, the points that they have made of
//! it, and what would happen next. Nothing is guessed here: the rules are asked that will decide.

use jiff::Timestamp;
use serde::Serialize;

use super::work_requested::power::Guarded;
use super::{InForce, coverage, on_demand, stop, work_requested};
use crate::duration::seconds;
use crate::facts::RootDeviceType;
use crate::ids::PolicyName;
use crate::machine::{Instance, Machine, State};
use crate::names::TAG_ASK;
use crate::observed::ObservedMachine;
use crate::point::{Chosen, Plan, Point, is_false};
use crate::policy::next::{Run, runs_of};
use crate::policy::print::span;
use crate::policy::{Artefact, Consistency, Policy, Trigger};
use crate::reason::Reason;
use crate::slot::{Occasion, Slot};
use crate::summary::{Good, Latest, MachineSummary};

/// Everything that is known of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub now: Timestamp,
    pub in_force: &'a InForce,
    /// The machine as EC2 shows it; none if it is gone.
    pub instance: Option<&'a Instance>,
    /// The machine with its disks, if EC2 shows all of it just now.
    pub machine: Option<&'a Machine>,
    /// What is asked before a machine is stopped; none if no policy stops machines.
    pub stop: Option<&'a StopFacts>,
    pub summary: Option<&'a MachineSummary>,
    /// Points that the summary names, as far as they were read.
    pub points: &'a [Point],
}

/// The facts that decide if a machine may be stopped for its snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopFacts {
    pub seen: ObservedMachine,
    /// None if they could not be read.
    pub guarded: Option<Guarded>,
}

/// A machine under one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnderPolicy {
    pub policy: PolicyName,
    /// True while the policy is in force.
    pub in_force: bool,
    pub applies: bool,
    /// Tags that the policy selects by, or every condition that the machine does not meet.
    pub why: Vec<String>,
    /// Small change that would make the policy apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_miss: Option<String>,
    pub triggers: Vec<Triggered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// The point that was asked for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Latest>,
    /// Findings of that point.
    pub findings: Vec<Reason>,
    /// The newest point that one could recover from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<Good>,
    /// True if the policy leaves what is lost to a person.
    #[serde(skip_serializing_if = "is_false")]
    pub left_to_person: bool,
}

/// Effect of one trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Triggered {
    pub trigger: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Run>,
    pub would: String,
}

/// Artefacts that are made of the machine, and the method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    Image(Chosen),
    Snapshots,
    /// Nothing is made, for this reason.
    Refused(Reason),
}

/// The machine under every policy that is in force, and under those that were.
pub fn explain(input: &Input<'_>) -> Vec<UnderPolicy> {
    let policies = &input.in_force.policies;
    let mut all: Vec<UnderPolicy> = policies.iter().map(|policy| under(policy, input)).collect();
    let named = input.summary.iter().flat_map(|s| s.latest.keys().chain(s.good.keys()));
    for name in named {
        if !all.iter().any(|under| under.policy == *name) {
            all.push(no_longer(name, input));
        }
    }
    all.sort_by(|a, b| (!a.applies, &a.policy).cmp(&(!b.applies, &b.policy)));
    all
}

fn under(policy: &Policy, input: &Input<'_>) -> UnderPolicy {
    let past = no_longer(&policy.name, input);
    let Some(instance) = input.instance else {
        let why = vec!["EC2 no longer shows this machine".to_string()];
        return UnderPolicy { in_force: true, why, ..past };
    };
    let (applies, why) = selected(policy, instance);
    // Whoever is told of the nearest one need not hear of the others.
    let near = coverage::near_misses(&input.in_force.policies, instance).into_iter().next();
    let near = near.filter(|miss| miss.policy == policy.name);
    let triggers = match applies {
        true => policy.triggers.iter().map(|trigger| triggered(policy, trigger, instance, input)),
        false => {
            return UnderPolicy {
                in_force: true,
                why,
                near_miss: near.map(|miss| miss.to_string()),
                ..past
            };
        }
    };
    UnderPolicy {
        in_force: true,
        applies,
        why,
        triggers: triggers.collect(),
        made: input.machine.map(|machine| made(policy, machine, input.now)),
        left_to_person: !policy.heal,
        ..past
    }
}

/// Takes from the ledger what it has of the machine under a policy.
fn no_longer(policy: &PolicyName, input: &Input<'_>) -> UnderPolicy {
    let last = input.summary.and_then(|summary| summary.latest.get(policy));
    let point = last.and_then(|last| input.points.iter().find(|point| point.id == last.point));
    UnderPolicy {
        policy: policy.clone(),
        in_force: false,
        applies: false,
        why: vec!["the policy is no longer in force".to_string()],
        near_miss: None,
        triggers: Vec::new(),
        made: None,
        last: last.cloned(),
        findings: point.map(|point| point.findings.clone()).unwrap_or_default(),
        good: input.summary.and_then(|summary| summary.good.get(policy)).cloned(),
        left_to_person: false,
    }
}

/// Tells whether a policy selects a machine, and why: the tags that it selects by, or every
/// condition that the machine does not meet.
pub fn selected(policy: &Policy, instance: &Instance) -> (bool, Vec<String>) {
    let select = &policy.select;
    let Instance { region, state, tags, .. } = instance;
    let obstacles = select.obstacles(region, *state, tags);
    if obstacles.is_empty() {
        let has = select.tags.keys().filter_map(|key| Some(format!("{key}={}", tags.get(key)?)));
        let has: Vec<String> = has.collect();
        return (true, vec![format!("{}, in {region}", has.join(" and "))]);
    }
    (false, obstacles.iter().map(|obstacle| obstacle.text(&policy.name)).collect())
}

fn triggered(
    policy: &Policy,
    trigger: &Trigger,
    instance: &Instance,
    input: &Input<'_>,
) -> Triggered {
    match trigger {
        Trigger::Schedule(timed) => Triggered {
            trigger: timed.expression().to_string(),
            next: runs_of(timed, input.now, 1).pop(),
            would: on_request(policy, instance, timed.window_secs, input),
        },
        Trigger::Stopped(stopped) => Triggered {
            trigger: "on stopped".to_string(),
            next: None,
            would: on_stop(policy, instance, stopped.min_interval_secs, input),
        },
        Trigger::Tag => {
            let window = crate::policy::DEFAULT_WINDOW_SECS;
            let then = on_request(policy, instance, window, input);
            let limit = on_demand::tag_limit(policy);
            let limit = limit.map(|(_, limit)| format!(", at most once in {limit:#}"));
            let (name, limit) = (&policy.name, limit.unwrap_or_default());
            Triggered {
                trigger: "on tag".to_string(),
                next: None,
                would: format!("tag `{TAG_ASK}={name}` requests a point at once{limit}: {then}"),
            }
        }
    }
}

/// Tells what becomes of a point that is requested while the machine is in its present state.
fn on_request(policy: &Policy, instance: &Instance, window_secs: u64, input: &Input<'_>) -> String {
    let window = span(window_secs);
    if let Some(why) = refused(policy, input) {
        return format!("the point is refused: {why}");
    }
    let shared = input.machine.and_then(Machine::shared_volume);
    if let Some(volume) = shared.filter(|_| instance.is_at_rest()) {
        let id = &volume.id;
        return format!("the machine is stopped, and imaged with grade crash: {id} is shared");
    }
    if instance.is_at_rest() {
        return "the machine is stopped, and imaged at rest".to_string();
    }
    if instance.state == State::Stopped {
        return "the machine is hibernated, and imaged with grade crash: its memory is on its disk"
            .into();
    }
    match policy.consistency {
        Consistency::Crash => "the machine is imaged while it runs, with grade crash".to_string(),
        Consistency::Reboot => match work_requested::foresee_reboot(instance) {
            Err(why) => format!("refused: {why}"),
            Ok(()) => "EC2 reboots the machine for its image, if the stack was deployed with \
                       AllowReboot=true; otherwise the point is refused"
                .to_string(),
        },
        Consistency::AtRest => {
            format!("the point waits up to {window} for the machine to stop, or is missed")
        }
        Consistency::StopStart => match may_stop(instance, input) {
            Err(why) => format!("refused: {why}"),
            Ok(()) => "the machine is stopped for its snapshots and started again, if the stack \
                       was deployed with AllowStopStart=true and could start it again; otherwise \
                       the point is refused"
                .to_string(),
        },
    }
}

/// Tells whether a machine may be stopped, by the guards that will be asked. A machine of which
/// nothing else is known is taken for one with an EBS root.
fn may_stop(instance: &Instance, input: &Input<'_>) -> Result<(), Reason> {
    if let Some(facts) = input.stop {
        return work_requested::foresee_stop(&facts.seen, facts.guarded.as_ref());
    }
    let root_device_type = RootDeviceType::Ebs;
    let instance = instance.clone();
    let seen = ObservedMachine { instance, root_device_type, state_reason: None };
    work_requested::foresee_stop(&seen, None)
}

/// Returns the reason why no image may be made of the machine, if there is one.
fn refused(policy: &Policy, input: &Input<'_>) -> Option<Reason> {
    match made(policy, input.machine?, input.now) {
        Made::Refused(why) => Some(why),
        Made::Image(_) | Made::Snapshots => None,
    }
}

/// Tells what a stop makes, or has made, by asking the flow of stops.
fn on_stop(policy: &Policy, instance: &Instance, least_secs: u64, input: &Input<'_>) -> String {
    if instance.state == State::Stopped {
        let in_force = InForce { policies: vec![policy.clone()], ..InForce::default() };
        let decision = stop::requests(instance, &in_force, input.summary, input.now);
        if !decision.commands.is_empty() {
            return "the machine is stopped, and imaged within minutes".to_string();
        }
        let said = decision.explanations.into_iter().next();
        let said = said.map(|said| said.reason.to_string()).unwrap_or_default();
        return format!("the machine is stopped, and no point is requested: {said}");
    }
    let last = input.summary.and_then(|summary| stop::counts_from(policy, summary));
    let free_at = last.map(|(_, at)| crate::limits::later(at, seconds(least_secs)));
    match free_at {
        Some(free_at) if free_at > input.now => format!(
            "a stop now makes no point: the last point is less than {} old; a stop makes one from \
             {} UTC on",
            span(least_secs),
            free_at.strftime("%Y-%m-%d %H:%M")
        ),
        _ => match refused(policy, input) {
            Some(why) => format!("a stop now requests a point, which is refused: {why}"),
            None => "a stop now makes a point at rest".to_string(),
        },
    }
}

/// Tells what would be made of the machine, by asking the rules that will decide.
fn made(policy: &Policy, machine: &Machine, now: Timestamp) -> Made {
    let instance = &machine.instance;
    let slot = Slot {
        policy: policy.name.clone(),
        instance: instance.id.clone(),
        occasion: Occasion::Scheduled(now),
    };
    let plan = Plan::of(policy, &instance.region);
    let point = Point::requested(slot, instance.region.clone(), plan, now);
    match work_requested::foresee(&point, machine) {
        Err(reason) => Made::Refused(reason),
        Ok(Some(chosen)) if policy.image.kind == Artefact::Image => Made::Image(chosen),
        Ok(_) => Made::Snapshots,
    }
}
