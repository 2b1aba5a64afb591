//! EventBridge: buses, rules, targets and the events that AWS services send.
//!
//! Events of AWS services reach a bus on the best effort: [`crate::kernel::faults`] may lose them,
//! double them or hold them up. Those of `PutEvents` and schedules arrive at least once. Nothing is
//! in order beyond what delays happen to make of it.

pub mod answer;
mod buses;
mod deliver;
mod errors;
mod input;
pub mod pattern;
mod pattern_parts;
pub mod put;
mod rules;
pub mod schedule;
pub(crate) mod state;
mod targets;
mod throttle;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::kernel::access::Call;
use crate::kernel::arn::Arn;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::kernel::page::Page;
use crate::kernel::permit::OnResource;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::trace::What;
use crate::model::{Line, Model};

use errors::{invalid, no_such_bus};
use state::{Bus, Region};

/// The bus that every account has in every region, where AWS services send their events.
pub const DEFAULT_BUS: &str = "default";

impl Region {
    fn new(now: Time) -> Region {
        let buses = BTreeMap::from([(DEFAULT_BUS.to_string(), Bus::new(now))]);
        Region { buses, generations: 0 }
    }
}

impl Bus {
    fn new(now: Time) -> Bus {
        Bus { created: now, modified: now, description: None, policy: None, rules: BTreeMap::new() }
    }
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

/// Writes into the trace what became of an event.
fn note(model: &mut Model, scope: &Scope, envelope: &Value, outcome: &str, detail: Value) {
    let text = |name: &str| envelope[name].as_str().unwrap_or_default();
    let line = Line {
        principal: "events.amazonaws.com",
        service: "events",
        action: text("detail-type"),
        outcome,
        id: text("id"),
        detail,
    };
    model.note(What::Delivery, scope, line);
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
