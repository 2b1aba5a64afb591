//! EventBridge: buses, rules, targets and the events that AWS services send.
//!
//! What AWS services send reaches a bus on the best effort: [`crate::kernel::faults`] may lose it, double
//! it or hold it up. What `PutEvents` and schedules send arrives at least once. Nothing is in order
//! beyond what delays happen to make of it.

mod buses;
mod deliver;
mod input;
pub mod pattern;
mod pattern_parts;
mod put;
mod rules;
pub mod schedule;
mod targets;
mod throttle;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::kernel::access::Call;
use crate::kernel::arn::Arn;
use crate::kernel::error::ApiError;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::json::Members;
use crate::kernel::page::Page;
use crate::kernel::permit::OnResource;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::Model;

pub use put::emit;

use pattern::Pattern;
use schedule::Schedule;
use targets::Target;

/// The bus that every account has in every region, where AWS services send their events.
pub const DEFAULT_BUS: &str = "default";

/// The buses of one account in one region.
#[derive(Debug)]
pub struct Region {
    buses: BTreeMap<String, Bus>,
    /// Counts the changes of rules, so that what was planned for a rule before its last change can
    /// be told from what is planned for it now.
    generations: u64,
}

impl Region {
    fn new(now: Time) -> Region {
        let buses = BTreeMap::from([(DEFAULT_BUS.to_string(), Bus::new(now))]);
        Region { buses, generations: 0 }
    }
}

#[derive(Debug)]
struct Bus {
    created: Time,
    modified: Time,
    description: Option<String>,
    /// As it is shown, and read; nothing if nobody was ever admitted.
    policy: Option<(Value, PolicyDocument)>,
    rules: BTreeMap<String, Rule>,
}

impl Bus {
    fn new(now: Time) -> Bus {
        Bus { created: now, modified: now, description: None, policy: None, rules: BTreeMap::new() }
    }
}

#[derive(Debug)]
struct Rule {
    arn: String,
    /// As it was given, and read.
    pattern: Option<(String, Pattern)>,
    schedule: Option<(String, Schedule)>,
    enabled: bool,
    description: Option<String>,
    role_arn: Option<String>,
    targets: BTreeMap<String, Target>,
    generation: u64,
    /// When the schedule was put or enabled last: rates count from here.
    anchor: Time,
}

/// An event on its way to a bus; id, time, account and region are added when it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub source: String,
    pub detail_type: String,
    pub resources: Vec<String>,
    pub detail: Value,
}

impl Event {
    pub fn new(source: &str, detail_type: &str, resources: Vec<String>, detail: Value) -> Event {
        let (source, detail_type) = (source.to_string(), detail_type.to_string());
        Event { source, detail_type, resources, detail }
    }
}

/// An event as buses and targets get it. It travels in many copies, and never changes.
pub type Envelope = Arc<Value>;

pub fn answer(model: &mut Model, call: &Call, body: &Value) -> Result<Value, ApiError> {
    let members = Members::of(body)?;
    match call.action.as_str() {
        "CreateEventBus" => buses::create(model, call, &members),
        "DeleteEventBus" => buses::delete(model, call, &members),
        "DescribeEventBus" => buses::describe(model, call, &members),
        "ListEventBuses" => buses::list(model, call, &members),
        "PutPermission" => buses::put_permission(model, call, &members),
        "RemovePermission" => buses::remove_permission(model, call, &members),
        "PutRule" => rules::put(model, call, &members),
        "DeleteRule" => rules::delete(model, call, &members),
        "DescribeRule" => rules::describe(model, call, &members),
        "EnableRule" => rules::switch(model, call, &members, true),
        "DisableRule" => rules::switch(model, call, &members, false),
        "ListRules" => rules::list(model, call, &members),
        "PutTargets" => targets::put(model, call, &members),
        "RemoveTargets" => targets::remove(model, call, &members),
        "ListTargetsByRule" => targets::list(model, call, &members),
        "PutEvents" => {
            throttle::admit(model, call)?;
            put::put(model, call, &members)
        }
        "TestEventPattern" => put::test_pattern(model, call, &members),
        _ => Err(call.unknown_operation()),
    }
}

impl Model {
    /// The buses of a region; a region that nobody used yet has its default bus.
    fn event_region(&mut self, scope: &Scope) -> &mut Region {
        let start = self.config.start;
        self.events.entry(scope.clone()).or_insert_with(|| Region::new(start))
    }

    /// The policy of a bus, as permissions are asked of it.
    fn bus_policy<'a>(&'a self, scope: &'a Scope, name: &str) -> Option<OnResource<'a>> {
        let (_, policy) = self.events.get(scope)?.buses.get(name)?.policy.as_ref()?;
        Some(OnResource { policy, owner: &scope.account, gated: false })
    }

    fn bus(&mut self, scope: &Scope, name: &str) -> Option<&mut Bus> {
        self.event_region(scope).buses.get_mut(name)
    }
}

fn bus_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:events:{}:{}:event-bus/{name}", scope.region, scope.account)
}

fn rule_arn(scope: &Scope, bus: &str, name: &str) -> String {
    let path = if bus == DEFAULT_BUS { name.to_string() } else { format!("{bus}/{name}") };
    format!("arn:aws:events:{}:{}:rule/{path}", scope.region, scope.account)
}

/// The scope and the name of the bus with that ARN.
fn parse_bus_arn(text: &str) -> Option<(Scope, &str)> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "events")?;
    let name = arn.resource.strip_prefix("event-bus/").filter(|name| !name.is_empty())?;
    Some((arn.scope(), name))
}

fn no_such_bus(name: &str) -> ApiError {
    let text = format!("Event bus {name} does not exist.");
    ApiError::bad("ResourceNotFoundException", text)
}

fn no_such_rule(bus: &str, name: &str) -> ApiError {
    let text = format!("Rule {name} does not exist on EventBus {bus}.");
    ApiError::bad("ResourceNotFoundException", text)
}

fn too_many() -> ApiError {
    let text = "The requested resource exceeds the maximum number allowed.";
    ApiError::bad("LimitExceededException", text)
}

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::bad("ValidationException", text)
}

/// The bus of the caller's own that a call means, by name or ARN; the default bus if by neither.
fn own_bus<'a>(call: &Call, members: &Members<'a>, member: &str) -> Result<&'a str, ApiError> {
    let text = members.text(member)?.unwrap_or(DEFAULT_BUS);
    match parse_bus_arn(text) {
        None => Ok(text),
        Some((scope, name)) if scope == call.scope => Ok(name),
        Some((_, name)) => Err(no_such_bus(name)),
    }
}

/// A required name, of limited length and alphabet.
fn name<'a>(members: &Members<'a>, member: &str, chars_max: usize) -> Result<&'a str, ApiError> {
    let text = members.required(member)?;
    check_name(members, member, text, chars_max)?;
    Ok(text)
}

fn check_name(
    members: &Members,
    member: &str,
    text: &str,
    chars_max: usize,
) -> Result<(), ApiError> {
    if text.chars().count() > chars_max {
        let constraint = format!("Member must have length less than or equal to {chars_max}");
        return Err(members.unfit(member, text, &constraint));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.is_empty() || !text.chars().all(plain) {
        let constraint = r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+";
        return Err(members.unfit(member, text, constraint));
    }
    Ok(())
}

/// An optional text of limited length.
fn short_text(
    members: &Members,
    member: &str,
    chars_max: usize,
) -> Result<Option<String>, ApiError> {
    let text = members.text(member)?;
    if let Some(text) = text
        && text.chars().count() > chars_max
    {
        let constraint = format!("Member must have length less than or equal to {chars_max}");
        return Err(members.unfit(member, text, &constraint));
    }
    Ok(text.map(str::to_string))
}

/// `Limit` and `NextToken` of the listings.
fn page(members: &Members) -> Result<Page, ApiError> {
    let limit = members.integer("Limit")?.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        let bound =
            if limit < 1 { "greater than or equal to 1" } else { "less than or equal to 100" };
        let constraint = format!("Member must have value {bound}");
        return Err(members.unfit("Limit", &limit.to_string(), &constraint));
    }
    Page::resume(limit, members.text("NextToken")?)
        .map_err(|_| invalid("The token provided in NextToken is not valid."))
}

const PAGE_MAX: i64 = 100;
