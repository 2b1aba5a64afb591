//! The rules of EventBridge: those at the seat invoke the functions, those in the other regions
//! forward their events to our bus.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_aws::Rules;
use afterimage_aws::decode::{DETAIL_TYPE, FORWARDED, detail_type};
use afterimage_aws::rules::Rule;
use afterimage_core::ids::Region;

use super::functions::{self, Heard, VERSION};
use super::ledger::Table;
use super::line::{Line, Unanswered, answer, or_ok};
use crate::stack::Stack;

const RULES: &str = "rules";
const FORWARDING: &str = "forwarding";

/// Name of the bus to which AWS sends its events.
const DEFAULT_BUS: &str = "default";

/// Name of our bus where no heartbeat names it.
const BUS: &str = "afterimage";

/// What it takes to look.
const PERMISSIONS: &str =
    "allow these credentials events:ListRuleNamesByTarget and events:DescribeRule";

/// What makes our bus again.
const BUS_IS_MADE_BY: &str = "delete the stack and deploy infra/template.yaml again: \
                                  CloudFormation does not make the bus by itself, and the ledger \
                                  is kept";

/// Tells that a bus was deleted.
fn no_bus(name: &str) -> String {
    format!("there is no bus {name}, so that no work is handed to a worker")
}

/// Returns the name of our bus.
pub fn bus(heard: &Heard) -> &str {
    functions::newest(heard).map_or(BUS, |(_, beat)| &beat.bus)
}

/// Returns the ARN of something at the seat; none if the account is not known.
fn arn(table: &Table, stack: &Stack, service: &str, resource: &str) -> Option<String> {
    let account = table.account.as_ref()?;
    let (partition, region) = (stack.region.partition(), &stack.region);
    Some(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
}

/// Returns the buses on which a function has a rule.
fn buses<'a>(function: &str, ours: &'a str) -> Vec<&'a str> {
    match function {
        "backup-tick" | "reconcile-tick" => vec![DEFAULT_BUS],
        "work-requested" => vec![ours],
        _ => vec![DEFAULT_BUS, ours],
    }
}

/// Tells whether a rule takes the events that a function is about. A schedule takes none.
fn takes(function: &str, rule: &Rule) -> bool {
    let detail_type = match function {
        "work-requested" => Some(DETAIL_TYPE),
        _ => detail_type(function),
    };
    detail_type.is_none_or(|wanted| rule.detail_types.iter().any(|taken| taken == wanted))
}

/// Looks if each function has its rules, and if they are enabled.
pub async fn at_seat(stack: &Stack, table: &Table, heard: &Heard) -> Vec<Line> {
    let Some(name) = functions::stack_name(heard) else { return Vec::new() };
    let (rules, ours) = (Rules::new(&stack.config, &stack.region), bus(heard));
    let mut lines = Vec::new();
    for function in functions::all() {
        let resource = format!("function:{name}-{function}");
        let Some(target) = arn(table, stack, "lambda", &resource) else {
            return vec![account_unknown(RULES)];
        };
        for bus in buses(function, ours) {
            let found = match answer(rules.with_target(bus, &target)).await {
                Ok(found) => found,
                Err(why) if why.is_missing() => {
                    // Several functions have rules there.
                    if lines.iter().all(|line: &Line| line.found != no_bus(bus)) {
                        lines.push(Line::fail(RULES, no_bus(bus), BUS_IS_MADE_BY));
                    }
                    continue;
                }
                Err(why) => {
                    let found = format!("cannot look at the rules of the functions: {why}");
                    return vec![Line::not_made(RULES, found, why.to_do(PERMISSIONS))];
                }
            };
            if found.iter().any(|rule| rule.is_enabled && takes(function, rule)) {
                continue;
            }
            lines.push(match found.first() {
                Some(rule) if rule.is_enabled => {
                    let found = format!(
                        "rule {} of bus {bus} has another pattern than the template: \
                         {name}-{function} does not get its events",
                        rule.name
                    );
                    Line::fail(RULES, found, "give the rule the pattern of infra/template.yaml")
                }
                Some(rule) => {
                    let found = format!(
                        "rule {} of bus {bus} is disabled: {name}-{function} gets no events of it",
                        rule.name
                    );
                    Line::fail(RULES, found, "enable the rule")
                }
                None => {
                    let found = format!("no rule of bus {bus} invokes {name}-{function}");
                    Line::fail(RULES, found, "deploy infra/template.yaml again")
                }
            });
        }
    }
    or_ok(lines, RULES, "every function has its rules, and they are enabled")
}

fn account_unknown(check: &'static str) -> Line {
    let found = "cannot look at the rules: the account is not known";
    Line::not_made(check, found, "allow these credentials dynamodb:DescribeTable on the table")
}

/// Looks if these regions forward their events to our bus, by a template of this version.
pub async fn elsewhere(
    stack: &Stack,
    table: &Table,
    heard: &Heard,
    mut regions: BTreeSet<&Region>,
) -> Vec<Line> {
    regions.remove(&stack.region);
    if regions.is_empty() {
        return Vec::new();
    }
    let Some(target) = arn(table, stack, "events", &format!("event-bus/{}", bus(heard))) else {
        return vec![account_unknown(FORWARDING)];
    };
    let lines = faults(stack, &target, regions).await.into_iter().map(|(region, fault)| {
        let to_do = format!(
            "deploy infra/region.yaml in {region} with SeatRegion={} and BusName={}; until then \
             the sweep finds within five minutes what happens there",
            stack.region,
            bus(heard)
        );
        match fault {
            Fault::All => {
                let found = format!("no rule in {region} forwards events to our bus at the seat");
                Line::fail(FORWARDING, found, to_do)
            }
            Fault::Some(types) => {
                let found = format!(
                    "{region} does not forward these events, or its rule is disabled: {}",
                    types.join(", ")
                );
                let to_do = format!("enable the rules in {region}, or {to_do}");
                Line::fail(FORWARDING, found, to_do)
            }
            Fault::OtherVersion(version) => {
                let version = version.as_deref().unwrap_or("unknown");
                let found = format!(
                    "the stack in {region} is of version {version}, and this command of {VERSION}"
                );
                let to_do = format!("deploy infra/region.yaml of this version in {region}");
                Line::warn(FORWARDING, found, to_do)
            }
            Fault::Unknown(why) => {
                let found = format!("cannot look at the rules in {region}: {why}");
                Line::not_made(FORWARDING, found, why.to_do(PERMISSIONS))
            }
        }
    });
    let lines = lines.collect();
    or_ok(lines, FORWARDING, "every other region of the policies forwards its events")
}

/// Fault of the rules of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No rule there has our bus as its target.
    All,
    /// No rule that is enabled takes these.
    Some(Vec<&'static str>),
    /// All events are forwarded, by a rule of another version of the template; none if its version
    /// is not known.
    OtherVersion(Option<String>),
    /// The rules cannot be read.
    Unknown(Unanswered),
}

/// Returns the regions that do not forward everything to a bus, or not by rules of this version.
async fn faults<'a>(
    stack: &Stack,
    target: &str,
    regions: BTreeSet<&'a Region>,
) -> BTreeMap<&'a Region, Fault> {
    let mut all = BTreeMap::new();
    for region in regions {
        let rules = Rules::new(&stack.config, region);
        let fault = match answer(rules.with_target(DEFAULT_BUS, target)).await {
            Err(why) => Some(Fault::Unknown(why)),
            Ok(rules) => fault(&rules),
        };
        all.extend(fault.map(|fault| (region, fault)));
    }
    all
}

fn fault(rules: &[Rule]) -> Option<Fault> {
    if rules.is_empty() {
        return Some(Fault::All);
    }
    let enabled = rules.iter().filter(|rule| rule.is_enabled);
    let taken: BTreeSet<&String> = enabled.flat_map(|rule| &rule.detail_types).collect();
    let is_missing = |kind: &&str| !taken.iter().any(|taken| taken == kind);
    let missing: Vec<&str> = FORWARDED.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        return Some(Fault::Some(missing));
    }
    let other = rules.iter().find(|rule| rule.version.as_deref() != Some(VERSION))?;
    Some(Fault::OtherVersion(other.version.clone()))
}

/// Returns the regions of which it is known that no rule forwards their events to our bus: of a
/// system that was heard of, and in which the command may look.
pub async fn without_stack<'a>(stack: &Stack, regions: BTreeSet<&'a Region>) -> Vec<&'a Region> {
    let ledger = stack.ledger();
    let Ok(heard) = functions::heard(&ledger).await else { return Vec::new() };
    if heard.is_empty() {
        return Vec::new();
    }
    let account = answer(ledger.describe()).await.ok().and_then(|table| table.account());
    let table = Table { is_missing: false, account };
    let target = arn(&table, stack, "events", &format!("event-bus/{}", bus(&heard)));
    let Some(target) = target else { return Vec::new() };
    let others = regions.into_iter().filter(|region| **region != stack.region).collect();
    let faults = faults(stack, &target, others).await.into_iter();
    faults.filter(|(_, fault)| *fault == Fault::All).map(|(region, _)| region).collect()
}
