//! Somebody asks for a point: by a tag on the machine, or on the command line.
//!
//! # A request by tag
//! The value of the tag names a policy that selects the machine anyway and takes requests by tag:
//! whoever may set that tag can have a point made a little earlier, and nothing else.
//!
//! 1. The point is requested, and with it the request is counted. Of all that see the tag, one can
//!    write that; the others leave the rest to it.
//! 2. The tag goes, if it still has this value: another request that was put meanwhile stays. The
//!    ledger records that it went.
//! 3. Another tag, which triggers nothing, says what came of it.
//! 4. The ledger records that the request is complete.
//!
//! A policy that stops or reboots the machine hears one request an hour ([`ASKED_AGAIN`]), so that
//! a tag cannot take a machine down again and again. The others are refused, with the time from
//! which on a tag is heard again.
//!
//! A request that is refused is written nowhere: it is answered before its tag goes, so that it is
//! there to be answered again for as long as it was not.
//!
//! If a function dies in between, the sweep removes the tag after [`SETTLE`], if it is still there,
//! and requests nothing more; it tries less and less often if the tag cannot be removed. A tag that
//! is seen right after it went may be what EC2 showed before.
//! The answer tells: it is set after the tag went, so that a tag which is seen beside the answer to
//! the last request is another request, and is heard at once. Without that answer it is left to the
//! sweep, and is another request once [`SETTLE`] has passed.
//!
//! # Caveats
//! If a function dies after a tag went, and before the ledger records that, and somebody puts the
//! same tag again before the sweep comes by, the two are taken for one request: they are one point.
//! Between the two steps there is nothing but the answer of EC2.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{InForce, request};
use crate::command::{Change, Command, Consume, Decision, Write};
use crate::duration::seconds;
use crate::ids::{InstanceId, PolicyName};
use crate::limits::{A_DAY, ASKED_AGAIN, SETTLE, later};
use crate::machine::Instance;
use crate::names::{TAG_ANSWER, TAG_ASK};
use crate::point::Point;
use crate::policy::select::Obstacle;
use crate::policy::{Consistency, DEFAULT_WINDOW_SECS, Policy, Trigger};
use crate::reason::{Code, Reason};
use crate::request_counter::{Pending, RequestCounter};
use crate::slot::Occasion;
use crate::tags::VALUE_MAX;

/// Request counters that were read, by machine and policy.
pub type RequestCounters = BTreeMap<(InstanceId, PolicyName), RequestCounter>;

/// Requests by tag, as the sweep sees them.
#[derive(Clone, Debug, Default)]
pub struct TagRequests {
    /// The machines that carry one, in every region that answered.
    pub machines: Vec<Instance>,
    pub counters: RequestCounters,
    /// Requests in the same regions that were taken so long ago that nobody is at them any more.
    pub abandoned: Vec<RequestCounter>,
}

/// Returns the value of the request tag; none if the machine has no such tag.
fn value(instance: &Instance) -> Option<&str> {
    instance.tags.get(TAG_ASK).map(String::as_str)
}

/// Tells whether a machine carries a request.
pub fn carries_request(instance: &Instance) -> bool {
    value(instance).is_some()
}

/// Returns the key of the request counter that must be read to interpret the tag of a machine; none
/// if the tag cannot name a policy.
pub fn record_of(instance: &Instance) -> Option<(InstanceId, PolicyName)> {
    let policy = PolicyName::parse(value(instance)?).ok()?;
    Some((instance.id.clone(), policy))
}

/// Decides what follows from the tag of one machine.
pub fn by_tag(
    instance: &Instance,
    in_force: &InForce,
    counters: &RequestCounters,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    let Some(value) = value(instance) else {
        let text = "EC2 shows no request tag on this machine; it was answered, or is not shown yet";
        decision.say(&instance.id, Reason::new(Code::NotAsked, text));
        return decision;
    };
    if instance.state.is_gone() {
        let text = format!("EC2 shows this machine as {}", instance.state.as_str());
        decision.say(&instance.id, Reason::new(Code::MachineGone, text));
        return decision;
    }
    let policy = match meant(value, instance, in_force) {
        Ok(policy) => policy,
        Err(why) => return refuse(value, instance, &why, now),
    };
    let record = counters.get(&(instance.id.clone(), policy.name.clone()));
    match record.map(|record| (record, standing(record, instance, now))) {
        None => {
            let never = RequestCounter::never(&instance.id, &instance.region, &policy.name);
            take(policy, instance, &never, now)
        }
        Some((record, Standing::Over)) => match too_soon(policy, record, now) {
            Some(why) => refuse(value, instance, &why, now),
            None => take(policy, instance, record, now),
        },
        Some((_, Standing::Taken(text))) => {
            decision.say(&instance.id, Reason::new(Code::AlreadyRequested, text));
            decision
        }
        Some((record, Standing::Left(pending))) => take_off(instance, record, pending, now),
    }
}

/// Decides about all requests by tag. Nothing is said of those that others are at.
pub fn sweep(requests: &TagRequests, in_force: &InForce, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let mut wakes = BTreeSet::new();
    let machines = &requests.machines;
    let decisions =
        machines.iter().map(|machine| by_tag(machine, in_force, &requests.counters, now));
    let gone =
        requests.abandoned.iter().filter(|asked| !machines.iter().any(|at| carries(at, asked)));
    for one in decisions.chain(gone.map(end)) {
        for command in one.commands {
            match command {
                Command::Wake(wake) => drop(wakes.insert(wake)),
                other => decision.command(other),
            }
        }
        let news = [Code::AskedFor, Code::RequestRefused, Code::RequestLeft];
        decision
            .explanations
            .extend(one.explanations.into_iter().filter(|said| news.contains(&said.reason.code)));
    }
    decision.commands.extend(wakes.into_iter().map(Command::Wake));
    decision
}

/// The point that a person asks for on the command line, and how it is asked for.
pub fn by_hand(
    policy: &Policy,
    instance: &Instance,
    asked: Option<&RequestCounter>,
    now: Timestamp,
) -> (Point, Change) {
    let never = RequestCounter::never(&instance.id, &instance.region, &policy.name);
    let (record, occasion) = asked.unwrap_or(&never).once_more();
    let point = point(policy, instance, occasion, now);
    let change =
        request::change(point.clone(), instance, None).with(Write::request_counter(record));
    (point, change)
}

/// Returns the reason why a policy does not select a machine; none if it does. An exclusion goes
/// before a tag that is missing: somebody put it there on purpose.
pub fn why_not_selected(policy: &Policy, instance: &Instance) -> Option<String> {
    let Instance { region, state, tags, .. } = instance;
    let obstacles = policy.select.obstacles(region, *state, tags);
    let first = obstacles.iter().min_by_key(|one| matches!(one, Obstacle::Tag { .. }))?;
    Some(first.text(&policy.name))
}

/// The policy that a request means, if it may mean it; or why not.
fn meant<'a>(
    value: &str,
    instance: &Instance,
    in_force: &'a InForce,
) -> Result<&'a Policy, String> {
    if in_force.unreadable.iter().any(|policy| policy.name == value) {
        return Err(format!("policy {value} cannot be read"));
    }
    let named = in_force.policies.iter().find(|policy| policy.name.as_str() == value);
    let policy = named.ok_or_else(|| format!("no policy is called {value}"))?;
    if let Some(why) = why_not_selected(policy, instance) {
        return Err(why);
    }
    match policy.triggers.contains(&Trigger::Tag) {
        true => Ok(policy),
        false => {
            Err(format!("policy {value} accepts no requests by tag; add `on: tag` to its triggers"))
        }
    }
}

/// State of a request of which there is a record.
enum Standing<'a> {
    /// Every request so far was answered: the tag that is seen is another request.
    Over,
    /// Another function is dealing with it, or the tag went a moment ago.
    Taken(String),
    /// The function that took it has stopped before the end.
    Left(&'a Pending),
}

fn standing<'a>(record: &'a RequestCounter, instance: &Instance, now: Timestamp) -> Standing<'a> {
    if shows_answer(record, instance) {
        return Standing::Over;
    }
    let went_at = match &record.pending {
        Some(pending) => match record.unanswered_since() {
            None if pending.due_at <= now => return Standing::Left(pending),
            None => {
                let text = format!("this request has its point already: {}", pending.point);
                return Standing::Taken(text);
            }
            went_at => went_at,
        },
        None => record.consumed_at,
    };
    match went_at {
        Some(at) if now.duration_since(at) < SETTLE => {
            let last = record.last();
            Standing::Taken(format!(
                "the tag was removed at {at}, for {last}; EC2 may still show it"
            ))
        }
        _ => Standing::Over,
    }
}

/// Returns what a policy does to a running machine and the shortest time between two requests by
/// tag for that; none if every request is heard.
pub fn tag_limit(policy: &Policy) -> Option<(&'static str, SignedDuration)> {
    match policy.consistency {
        Consistency::StopStart => Some(("stops", ASKED_AGAIN)),
        Consistency::Reboot => Some(("reboots", ASKED_AGAIN)),
        Consistency::AtRest | Consistency::Crash => None,
    }
}

/// Returns why a request comes too soon after the last one; none if it may be heard.
fn too_soon(policy: &Policy, record: &RequestCounter, now: Timestamp) -> Option<String> {
    let (what, limit) = tag_limit(policy)?;
    let again = later(record.consumed_at?, limit);
    (now < again).then(|| {
        format!(
            "policy {} {what} this machine at most once in {limit:#} by tag; set the tag \
             again from {} on",
            policy.name,
            to_the_second(again)
        )
    })
}

/// Tells whether EC2 shows a machine as it was after its last request was answered. The tag of that
/// request had gone by then. The answer names the point of the request, or is one to a request that
/// came after the tag was seen to go.
fn shows_answer(record: &RequestCounter, instance: &Instance) -> bool {
    let Some(answer) = instance.tags.get(TAG_ANSWER) else { return false };
    let last = match &record.pending {
        Some(pending) => pending.point.clone(),
        None => record.last(),
    };
    let at = answer.split(' ').next().and_then(|at| at.parse::<Timestamp>().ok());
    let is_later = record.pending.is_none()
        && at.zip(record.consumed_at).is_some_and(|(at, consumed_at)| at >= consumed_at);
    is_later || answer.ends_with(&format!(": {last}"))
}

/// A new request.
fn take(policy: &Policy, instance: &Instance, record: &RequestCounter, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let (record, occasion) = record.once_more();
    let point = point(policy, instance, occasion, now);
    let pending =
        Pending { point: point.id.clone(), requested_at: now, due_at: later(now, SETTLE) };
    let answer = answer_of(&pending, &policy.name);
    let text = format!("requested by a tag on {}", instance.id);
    decision.say(&point.id, Reason::new(Code::AskedFor, text));
    let write = Write::request_counter(RequestCounter { pending: Some(pending), ..record });
    let record = write.as_request_counter().cloned();
    let taken = Some(request::change(point, instance, None).with(write));
    let value = Some(policy.name.to_string());
    decision.command(consume(instance, taken, value, record, Some(answer)));
    decision.command(request::wake(&instance.region));
    decision
}

/// A request whose tag is still there, long after its point was requested.
fn take_off(
    instance: &Instance,
    record: &RequestCounter,
    pending: &Pending,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    let text = format!("the tag that requested {} is still there", pending.point);
    decision.say(&instance.id, Reason::new(Code::RequestLeft, text));
    let answer = answer_of(pending, &record.policy);
    // Somebody may have denied the removal for good. Each wait is as long as all before it.
    let waited = now.duration_since(pending.requested_at);
    let due_at = later(now, waited.clamp(SETTLE, A_DAY));
    let pending = Pending { due_at, ..pending.clone() };
    let write = Write::request_counter(RequestCounter { pending: Some(pending), ..record.clone() });
    let taken = write.as_request_counter().cloned();
    let change = Some(Change { writes: vec![write], summary: None });
    let value = Some(record.policy.to_string());
    decision.command(consume(instance, change, value, taken, Some(answer)));
    decision
}

/// A request whose tag has gone, and of which nobody wrote that it has.
fn end(record: &RequestCounter) -> Decision {
    let mut decision = Decision::default();
    let Some(pending) = &record.pending else { return decision };
    let text = format!("the tag that requested {} is gone", pending.point);
    decision.say(&record.instance, Reason::new(Code::RequestLeft, text));
    decision.command(Command::Consume(Box::new(Consume {
        region: record.home.clone(),
        instance: record.instance.clone(),
        taken: None,
        value: None,
        record: Some(record.clone()),
        answer: Some(answer_of(pending, &record.policy)),
    })));
    decision
}

fn refuse(value: &str, instance: &Instance, why: &str, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    decision.say(&instance.id, Reason::new(Code::RequestRefused, why));
    let answer = tag_text(&format!("{} refused: {why}", to_the_second(now)));
    decision.command(consume(instance, None, Some(value.to_string()), None, Some(answer)));
    decision
}

fn consume(
    instance: &Instance,
    taken: Option<Change>,
    value: Option<String>,
    record: Option<RequestCounter>,
    answer: Option<String>,
) -> Command {
    let (region, instance) = (instance.region.clone(), instance.id.clone());
    Command::Consume(Box::new(Consume { region, instance, taken, value, record, answer }))
}

/// Tells whether a machine carries the tag of this request.
fn carries(instance: &Instance, asked: &RequestCounter) -> bool {
    instance.id == asked.instance && value(instance) == Some(asked.policy.as_str())
}

fn point(policy: &Policy, instance: &Instance, occasion: Occasion, now: Timestamp) -> Point {
    let until = Some(later(now, seconds(DEFAULT_WINDOW_SECS)));
    Point { until, ..request::point(policy, instance, occasion, now) }
}

fn answer_of(pending: &Pending, policy: &PolicyName) -> String {
    tag_text(&format!("{} {policy}: {}", to_the_second(pending.requested_at), pending.point))
}

/// A text as the value of a tag: as much of it as there is room for, in characters that every
/// service takes, and without commas and the quotes around names.
fn tag_text(text: &str) -> String {
    let plain = |c: char| match c {
        ';' => ':',
        c if c.is_alphanumeric() || " +-=._:/@".contains(c) => c,
        _ => '-',
    };
    text.chars().filter(|c| !matches!(c, '`' | ',')).take(VALUE_MAX).map(plain).collect()
}

fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
