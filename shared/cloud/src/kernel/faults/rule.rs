//! A rule: which occasions it looks at, on which of them it strikes, and what it does then.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::kernel::glob::glob;
use crate::kernel::time::Time;
use crate::kernel::trace::TracedCall;

/// Before the call takes effect, or after it did and before the caller hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

impl When {
    pub const fn name(self) -> &'static str {
        match self {
            When::Before => "before",
            When::After => "after",
        }
    }
}

/// The resources that EC2 makes after it has answered the call, and that may fail then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    SnapshotSet,
    Snapshot,
    SnapshotCopy,
    Image,
    ImageRegistration,
    ImageCopy,
}

impl Creation {
    pub const fn name(self) -> &'static str {
        match self {
            Creation::SnapshotSet => "snapshot set",
            Creation::Snapshot => "snapshot",
            Creation::SnapshotCopy => "snapshot copy",
            Creation::Image => "image",
            Creation::ImageRegistration => "image registration",
            Creation::ImageCopy => "image copy",
        }
    }
}

/// The fault of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A call gets this error. After its effect, that is how one creates twice.
    Fail { when: When, status: u16, code: String, message: String },
    /// A call is refused as the service refuses those that come too fast.
    Throttle,
    /// A call is never answered.
    TimeOut(When),
    /// The execution environment that calls dies.
    Kill(When),
    /// An event of an AWS service never arrives; the events of schedules and of `PutEvents`, which
    /// EventBridge delivers at least once, are no occasion.
    Lose,
    /// Further copies of an event follow it, each late by a time out of this range.
    Duplicate { copies: u32, late_ms: RangeInclusive<u64> },
    /// An event is late by a time out of this range.
    Delay { late_ms: RangeInclusive<u64> },
    /// An event is late by anything up to this, so that later ones may overtake it.
    Reorder { within_ms: u64 },
    /// The resource that EC2 makes ends as failed, with this message.
    FailCreation { of: Vec<Creation>, message: String },
    /// Lambda runs the same asynchronous event twice.
    DuplicateInvocation,
}

/// The longest that a rule may delay an event: EventBridge itself gives up after a day.
pub const LATE_MS_MAX: u64 = 24 * 3600 * 1000;

/// The most copies of one event.
pub const COPIES_MAX: u32 = 100;

/// Which occasions a rule looks at. Every text may hold `*` and `?`; what is absent fits all, and
/// what an occasion does not have fits none: no event has an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Which {
    pub service: Option<String>,
    pub action: Option<String>,
    pub region: Option<String>,
    pub account: Option<String>,
    /// The ARN of the caller.
    pub principal: Option<String>,
    /// The name of the function that calls, or is invoked.
    pub function: Option<String>,
    /// The number of the execution environment that calls.
    pub environment: Option<u64>,
    pub source: Option<String>,
    pub detail_type: Option<String>,
    /// Members that the detail of an event has, with their values; objects may have more.
    pub detail: Option<Value>,
    pub from: Option<Time>,
    pub until: Option<Time>,
}

/// The facts of a call, an event, a creation or an invocation that a rule may look at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Occasion<'a> {
    pub service: Option<&'a str>,
    pub action: Option<&'a str>,
    pub region: Option<&'a str>,
    pub account: Option<&'a str>,
    pub principal: Option<&'a str>,
    pub function: Option<&'a str>,
    pub environment: Option<u64>,
    pub source: Option<&'a str>,
    pub detail_type: Option<&'a str>,
    pub detail: Option<&'a Value>,
}

impl Which {
    pub(super) fn fits(&self, occasion: &Occasion<'_>, now: Time) -> bool {
        fits(self.service.as_ref(), occasion.service)
            && fits(self.action.as_ref(), occasion.action)
            && fits(self.region.as_ref(), occasion.region)
            && fits(self.account.as_ref(), occasion.account)
            && fits(self.principal.as_ref(), occasion.principal)
            && fits(self.function.as_ref(), occasion.function)
            && fits(self.source.as_ref(), occasion.source)
            && fits(self.detail_type.as_ref(), occasion.detail_type)
            && self.environment.is_none_or(|wanted| occasion.environment == Some(wanted))
            && self
                .detail
                .as_ref()
                .is_none_or(|wanted| occasion.detail.is_some_and(|found| holds(wanted, found)))
            && self.from.is_none_or(|from| from <= now)
            && self.until.is_none_or(|until| now < until)
    }
}

fn fits(wanted: Option<&String>, found: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| found.is_some_and(|found| glob(wanted, found)))
}

/// Tells whether a value holds all that is wanted.
fn holds(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|other| holds(value, other))),
        (Value::String(wanted), Value::String(found)) => glob(wanted, found),
        (wanted, found) => wanted == found,
    }
}

/// On which of the occasions that fit a rule strikes: where all that is given here agrees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turns {
    /// The nth alone; the first is 1.
    pub nth: Option<u64>,
    /// The nth, the 2nth, and so on.
    pub every: Option<u64>,
    /// From 0 to 1.
    pub probability: Option<f64>,
    /// At most so often.
    pub times: Option<u64>,
}

/// One rule. Made by the functions named after what it does, narrowed by those named after what it
/// looks at: `Rule::fail(When::After, 500, "InternalError").action("CreateImage").nth(2)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Name in the trace, beside its number.
    pub name: Option<String>,
    pub which: Which,
    pub turns: Turns,
    pub fault: Fault,
}

impl Rule {
    pub fn new(fault: Fault) -> Rule {
        Rule { name: None, which: Which::default(), turns: Turns::default(), fault }
    }

    pub fn fail(when: When, status: u16, code: &str) -> Rule {
        let (code, message) = (code.to_string(), INJECTED.to_string());
        Rule::new(Fault::Fail { when, status, code, message })
    }

    pub fn throttle() -> Rule {
        Rule::new(Fault::Throttle)
    }

    pub fn time_out(when: When) -> Rule {
        Rule::new(Fault::TimeOut(when))
    }

    pub fn kill(when: When) -> Rule {
        Rule::new(Fault::Kill(when))
    }

    pub fn lose() -> Rule {
        Rule::new(Fault::Lose)
    }

    pub fn duplicate(copies: u32, late_ms: RangeInclusive<u64>) -> Rule {
        Rule::new(Fault::Duplicate { copies, late_ms })
    }

    pub fn delay(late_ms: RangeInclusive<u64>) -> Rule {
        Rule::new(Fault::Delay { late_ms })
    }

    pub fn reorder(within_ms: u64) -> Rule {
        Rule::new(Fault::Reorder { within_ms })
    }

    pub fn fail_creation(of: &[Creation], message: &str) -> Rule {
        Rule::new(Fault::FailCreation { of: of.to_vec(), message: message.to_string() })
    }

    pub fn duplicate_invocation() -> Rule {
        Rule::new(Fault::DuplicateInvocation)
    }

    /// This rule for that one call of a run: a test that makes one rule per call of a run without
    /// faults has tried every place where things can go wrong.
    pub fn at(self, call: &TracedCall) -> Rule {
        let principal = self.principal(&call.principal).service(&call.service);
        principal.action(&call.action).region(&call.region).nth(call.nth)
    }

    pub fn named(mut self, name: &str) -> Rule {
        self.name = Some(name.to_string());
        self
    }

    pub fn service(mut self, service: &str) -> Rule {
        self.which.service = Some(service.to_string());
        self
    }

    pub fn action(mut self, action: &str) -> Rule {
        self.which.action = Some(action.to_string());
        self
    }

    pub fn region(mut self, region: &str) -> Rule {
        self.which.region = Some(region.to_string());
        self
    }

    pub fn account(mut self, account: &str) -> Rule {
        self.which.account = Some(account.to_string());
        self
    }

    pub fn principal(mut self, arn: &str) -> Rule {
        self.which.principal = Some(arn.to_string());
        self
    }

    pub fn function(mut self, name: &str) -> Rule {
        self.which.function = Some(name.to_string());
        self
    }

    pub fn environment(mut self, number: u64) -> Rule {
        self.which.environment = Some(number);
        self
    }

    pub fn source(mut self, source: &str) -> Rule {
        self.which.source = Some(source.to_string());
        self
    }

    pub fn detail_type(mut self, detail_type: &str) -> Rule {
        self.which.detail_type = Some(detail_type.to_string());
        self
    }

    pub fn detail(mut self, members: Value) -> Rule {
        self.which.detail = Some(members);
        self
    }

    pub fn from(mut self, from: Time) -> Rule {
        self.which.from = Some(from);
        self
    }

    pub fn until(mut self, until: Time) -> Rule {
        self.which.until = Some(until);
        self
    }

    pub fn nth(mut self, nth: u64) -> Rule {
        self.turns.nth = Some(nth);
        self
    }

    pub fn every(mut self, every: u64) -> Rule {
        self.turns.every = Some(every);
        self
    }

    pub fn probability(mut self, probability: f64) -> Rule {
        self.turns.probability = Some(probability);
        self
    }

    pub fn times(mut self, times: u64) -> Rule {
        self.turns.times = Some(times);
        self
    }
}

/// The message of an injected error that was given none.
pub(super) const INJECTED: &str = "An error that a fault rule injected";

/// All faults that happen now and then, each with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Chaos {
    pub lost_events: f64,
    pub duplicated_events: f64,
    /// The copy of an event follows it within this time.
    pub duplicates_within_ms: u64,
    pub reordered_events: f64,
    pub reordered_within_ms: u64,
    pub failed_before: f64,
    pub failed_after: f64,
    pub throttled: f64,
    pub timed_out_after: f64,
    pub killed: f64,
    pub failed_creations: f64,
    pub duplicated_invocations: f64,
}

impl Chaos {
    /// What AWS documents as possible, far more often than it happens: a simulated day is to meet
    /// what a real account meets in years. Nobody is killed, for not every caller has a life to
    /// lose; a simulation that has functions raises `killed`.
    pub fn as_observed() -> Chaos {
        Chaos {
            lost_events: 0.01,
            duplicated_events: 0.02,
            duplicates_within_ms: 60_000,
            reordered_events: 0.1,
            reordered_within_ms: 120_000,
            failed_before: 0.005,
            failed_after: 0.005,
            throttled: 0.01,
            timed_out_after: 0.001,
            killed: 0.0,
            failed_creations: 0.005,
            duplicated_invocations: 0.01,
        }
    }

    /// One rule for each kind; one whose probability is 0 is left out.
    pub fn rules(&self) -> Vec<Rule> {
        let every_creation = [
            Creation::SnapshotSet,
            Creation::Snapshot,
            Creation::SnapshotCopy,
            Creation::Image,
            Creation::ImageRegistration,
            Creation::ImageCopy,
        ];
        let internal = |when| Rule::fail(when, 500, "InternalError");
        let failed = "An internal error that a fault rule injected";
        let all = [
            (self.lost_events, Rule::lose().named("lost event")),
            (
                self.duplicated_events,
                Rule::duplicate(1, 0..=self.duplicates_within_ms).named("duplicated event"),
            ),
            (
                self.reordered_events,
                Rule::reorder(self.reordered_within_ms).named("reordered event"),
            ),
            (self.failed_before, internal(When::Before).named("failed before")),
            (self.failed_after, internal(When::After).named("failed after")),
            (self.throttled, Rule::throttle().named("throttled")),
            (self.timed_out_after, Rule::time_out(When::After).named("timed out after")),
            (self.killed, Rule::kill(When::After).named("killed")),
            (
                self.failed_creations,
                Rule::fail_creation(&every_creation, failed).named("failed creation"),
            ),
            (
                self.duplicated_invocations,
                Rule::duplicate_invocation().named("duplicated invocation"),
            ),
        ];
        let likely = all.into_iter().filter(|(probability, _)| *probability > 0.0);
        likely.map(|(probability, rule)| rule.probability(probability)).collect()
    }
}
