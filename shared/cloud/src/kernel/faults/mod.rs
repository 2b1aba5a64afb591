//! Faults, injected by rule: what AWS documents as rare, made to happen when a test wants it.
//!
//! A rule looks at calls, at events, at what EC2 makes, or at invocations; which of the four, that
//! follows from what it does. It counts the occasions that fit it, whatever other rules do, and
//! strikes on those that its turns name. Where several rules would strike one call, the first of
//! them does, and one that strikes before the effect goes before any that strikes after it; the
//! others keep their `times`. Events add up: a copy may be late as well, and a lost one is lost.
//!
//! Each rule draws from a generator of its own, apart from the model's: a rule that never strikes
//! changes nothing else, and neither does one that is added behind.
//!
//! A region that is dark is not a rule but a state of the model (`dark_regions`): calls find no
//! connection, events that come from it wait until it is up again, its functions do not run.

mod json;
mod rule;

pub use rule::{COPIES_MAX, Chaos, Creation, Fault, LATE_MS_MAX, Rule, Turns, When, Which};

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kernel::access::{Call, Identity};
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::trace::{Entry, What};
use rule::Occasion;

/// Tells whether EventBridge may lose events of a source. It delivers those of schedules and
/// `PutEvents` at least once: late, or twice, but never not at all.
fn is_best_effort(source: &str) -> bool {
    source.starts_with("aws.") && source != "aws.events"
}

/// The effect of a rule on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The service answers this error instead.
    Fail { status: u16, code: String, message: String },
    /// No answer ever comes.
    TimeOut,
    /// The execution environment that calls dies.
    Kill,
}

/// A blow, and the rule that deals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struck {
    pub rule: String,
    pub blow: Blow,
}

/// The blow that meets a call before its effect, or after it. Never both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub before: Option<Struck>,
    pub after: Option<Struck>,
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults {
    /// The time that `from` and `until` of a rule are compared with; the model keeps it.
    pub(crate) now: Time,
    rng: fastrand::Rng,
    rules: Vec<Active>,
    told: Vec<Entry>,
}

/// A rule in force, and what it went through.
#[derive(Debug)]
struct Active {
    label: String,
    rule: Rule,
    rng: fastrand::Rng,
    seen: u64,
    struck: u64,
}

impl Active {
    /// Counts an occasion, and says whether the rule would strike. It draws even where another
    /// condition has decided already, so that what it does later does not depend on that.
    fn counts(&mut self, occasion: &Occasion<'_>, now: Time) -> bool {
        if !self.rule.which.fits(occasion, now) {
            return false;
        }
        self.seen += 1;
        let turns = &self.rule.turns;
        let drawn = turns.probability.is_none_or(|probability| self.rng.f64() < probability);
        drawn
            && turns.nth.is_none_or(|nth| self.seen == nth)
            && turns.every.is_none_or(|every| self.seen.checked_rem(every) == Some(0))
            && turns.times.is_none_or(|times| self.struck < times)
    }
}

impl Faults {
    pub fn new(seed: u64, rules: Vec<Rule>) -> Faults {
        let rng = fastrand::Rng::with_seed(seed ^ 0x6661_756c_7473);
        let mut faults = Faults { now: Time::default(), rng, rules: Vec::new(), told: Vec::new() };
        faults.set(rules);
        faults
    }

    /// Puts rules in force instead of those that were, given as the body of `PUT /_cloud/faults`;
    /// the result is their number. A rule may name one of `services`. The error names the place and
    /// what is known there.
    pub fn replace(&mut self, rules: &Value, services: &[&str]) -> Result<usize, String> {
        let rules = json::read(rules, services)?;
        self.set(rules);
        Ok(self.rules.len())
    }

    /// Puts rules in force instead of those that were; what they counted is forgotten.
    pub fn set(&mut self, rules: Vec<Rule>) {
        self.rules.clear();
        for rule in rules {
            self.add(rule);
        }
    }

    /// Puts one more rule in force, behind the others.
    pub fn add(&mut self, rule: Rule) {
        let number = self.rules.len() + 1;
        let label = match &rule.name {
            Some(name) => format!("rule {number} '{name}'"),
            None => format!("rule {number}"),
        };
        let rng = self.rng.fork();
        self.rules.push(Active { label, rule, rng, seen: 0, struck: 0 });
    }

    /// The rules in force, in their order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|active| &active.rule)
    }

    /// Number of strikes of each rule, in their order.
    pub fn strikes(&self) -> Vec<u64> {
        self.rules.iter().map(|active| active.struck).collect()
    }

    /// Asks the rules about a call.
    pub fn fate(&mut self, call: &Call) -> Fate {
        let occasion = Occasion {
            service: Some(call.service.name),
            action: Some(&call.action),
            region: Some(&call.scope.region),
            account: Some(&call.scope.account),
            principal: Some(&call.caller.arn),
            function: function_of(&call.caller),
            environment: call.caller.environment.map(|environment| environment.0),
            ..Occasion::default()
        };
        let mut first = [None, None];
        for (index, active) in self.rules.iter_mut().enumerate() {
            let Some((when, blow)) = blow(&active.rule.fault, call) else { continue };
            let slot = match when {
                When::Before => &mut first[0],
                When::After => &mut first[1],
            };
            if active.counts(&occasion, self.now) && slot.is_none() {
                *slot = Some((index, blow));
            }
        }
        match first {
            [Some((index, blow)), _] => Fate { before: self.deal(index, blow), after: None },
            [None, Some((index, blow))] => Fate { before: None, after: self.deal(index, blow) },
            [None, None] => Fate::default(),
        }
    }

    fn deal(&mut self, index: usize, blow: Blow) -> Option<Struck> {
        let active = self.rules.get_mut(index)?;
        active.struck += 1;
        Some(Struck { rule: active.label.clone(), blow })
    }

    /// By how much later than usual the copies of an event arrive, given the whole event. No copy
    /// at all means that it is lost, and a single one without delay that nothing befell it.
    pub fn event_fate(&mut self, envelope: &Value) -> Vec<Duration> {
        let text = |name: &str| envelope.get(name).and_then(Value::as_str);
        let occasion = Occasion {
            region: text("region"),
            account: text("account"),
            source: text("source"),
            detail_type: text("detail-type"),
            detail: envelope.get("detail"),
            ..Occasion::default()
        };
        let mut strikers = Vec::new();
        for (index, active) in self.rules.iter_mut().enumerate() {
            let about_events = match active.rule.fault {
                Fault::Lose => is_best_effort(occasion.source.unwrap_or_default()),
                Fault::Duplicate { .. } | Fault::Delay { .. } | Fault::Reorder { .. } => true,
                _ => false,
            };
            if about_events && active.counts(&occasion, self.now) {
                strikers.push(index);
            }
        }
        let loses = |index: &&usize| {
            self.rules.get(**index).is_some_and(|active| active.rule.fault == Fault::Lose)
        };
        if let Some(loser) = strikers.iter().find(loses).copied() {
            strikers = vec![loser];
        }
        let mut late = vec![0];
        for index in strikers {
            self.befall(index, envelope, &mut late);
        }
        late.into_iter().map(Duration::from_millis).collect()
    }

    /// Changes when the copies of an event arrive, as a rule says, and tells of it.
    fn befall(&mut self, index: usize, envelope: &Value, late: &mut Vec<u64>) {
        let Some(active) = self.rules.get_mut(index) else { return };
        active.struck += 1;
        let rng = &mut active.rng;
        let fate = match &active.rule.fault {
            Fault::Lose => {
                late.clear();
                "lost".to_string()
            }
            Fault::Duplicate { copies, late_ms } => {
                let copies = (*copies).min(COPIES_MAX);
                late.extend((0..copies).map(|_| draw(rng, late_ms)));
                format!("{copies} times more")
            }
            Fault::Delay { late_ms } => {
                late.iter_mut().for_each(|copy| *copy += draw(rng, late_ms));
                format!("late by {late:?} ms")
            }
            Fault::Reorder { within_ms } => {
                late.iter_mut().for_each(|copy| *copy += draw(rng, &(0..=*within_ms)));
                format!("out of order, late by {late:?} ms")
            }
            _ => return,
        };
        let text = |name: &str| envelope.get(name).and_then(Value::as_str).unwrap_or_default();
        let scope = Scope::new(text("account"), text("region"));
        let line = (text("source"), text("detail-type"), text("id"));
        self.tell(index, &scope, line, &fate);
    }

    /// The message with which a creation is to fail, if it is. Asked once, when it begins.
    pub fn creation_failure(&mut self, kind: Creation, scope: &Scope) -> Option<String> {
        let occasion = Occasion {
            service: Some("ec2"),
            region: Some(&scope.region),
            account: Some(&scope.account),
            ..Occasion::default()
        };
        let mut first = None;
        for (index, active) in self.rules.iter_mut().enumerate() {
            let message = match &active.rule.fault {
                Fault::FailCreation { of, message } if of.contains(&kind) => message.clone(),
                _ => continue,
            };
            if active.counts(&occasion, self.now) && first.is_none() {
                active.struck += 1;
                first = Some((index, message));
            }
        }
        let (index, message) = first?;
        self.tell(index, scope, ("ec2", kind.name(), ""), &format!("is to fail: {message}"));
        Some(message)
    }

    /// Number of times that Lambda runs an asynchronous event of that function.
    pub fn invocation_copies(&mut self, function: &str) -> usize {
        let occasion = Occasion { function: Some(function), ..Occasion::default() };
        let mut first = None;
        for (index, active) in self.rules.iter_mut().enumerate() {
            if active.rule.fault == Fault::DuplicateInvocation
                && active.counts(&occasion, self.now)
                && first.is_none()
            {
                active.struck += 1;
                first = Some(index);
            }
        }
        let Some(index) = first else { return 1 };
        self.tell(index, &Scope::new("", ""), ("lambda", function, ""), "invoked twice");
        2
    }

    /// Keeps a line of the trace until the model fetches it; service, action and id come in `what`.
    fn tell(&mut self, index: usize, scope: &Scope, what: (&str, &str, &str), fate: &str) {
        let Some(active) = self.rules.get(index) else { return };
        let (service, action, id) = what;
        self.told.push(Entry {
            number: 0,
            at: self.now,
            what: What::Fault,
            principal: active.label.clone(),
            service: service.to_string(),
            action: action.to_string(),
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            outcome: format!("{fate}, by {}", active.label),
            id: id.to_string(),
            detail: json!({}),
        });
    }

    /// Takes the lines that are to go into the trace.
    pub(crate) fn take_told(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.told)
    }
}

/// Turns the limits of a range round rather than panic, should they be the wrong way.
fn draw(rng: &mut fastrand::Rng, late_ms: &RangeInclusive<u64>) -> u64 {
    let (low, high) = (*late_ms.start(), *late_ms.end());
    rng.u64(low.min(high)..=low.max(high)).min(LATE_MS_MAX)
}

/// The session of a function's role has the name of the function.
fn function_of(caller: &Identity) -> Option<&str> {
    caller.environment?;
    caller.arn.rsplit_once('/').map(|(_, name)| name)
}

/// The blow of a fault for a call, if it is about calls, and about this one.
fn blow(fault: &Fault, call: &Call) -> Option<(When, Blow)> {
    match fault {
        Fault::Fail { when, status, code, message } => {
            let (code, message) = (code.clone(), message.clone());
            Some((*when, Blow::Fail { status: *status, code, message }))
        }
        Fault::Throttle => {
            let refusal = call.service.throttled();
            let (status, code, message) = (refusal.status, refusal.code, refusal.message);
            Some((When::Before, Blow::Fail { status, code, message }))
        }
        Fault::TimeOut(when) => Some((*when, Blow::TimeOut)),
        // Who has no environment cannot be killed: such calls do not even count.
        Fault::Kill(when) => call.caller.environment.map(|_| (*when, Blow::Kill)),
        Fault::Lose
        | Fault::Duplicate { .. }
        | Fault::Delay { .. }
        | Fault::Reorder { .. }
        | Fault::FailCreation { .. }
        | Fault::DuplicateInvocation => None,
    }
}
