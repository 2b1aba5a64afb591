//! The model: all state of all accounts and regions, and the agenda of what is due.
//!
//! It is synchronous and knows no clock: the caller says what time it is. Work for the world
//! outside (to start or kill an execution environment) is left in `effects`.
//!
//! The model knows the state of each service, which is plain data in that service's `state` module,
//! and nothing of what the service does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use crate::dynamodb::state as dynamodb;
use crate::ec2::state as ec2;
use crate::eventbridge::state as eventbridge;
use crate::kernel::access::{Call, Principals, Want};
use crate::kernel::agenda::{Agenda, Deed};
use crate::kernel::config::Config;
use crate::kernel::error::ApiError;
use crate::kernel::faults::Faults;
use crate::kernel::permit::{Judge, OnResource};
use crate::kernel::scope::EnvironmentId;
use crate::kernel::throttle::{Kind, Rate, Throttle};
use crate::kernel::time::Time;
use crate::kernel::trace::{Entry, Trace, What};
use crate::kms::state as kms;
use crate::lambda::state as lambda;
use crate::sqs::state as sqs;
use crate::ssm::state as ssm;

pub use crate::kernel::scope::{DEFAULT_ACCOUNT, Scope};

/// A request of the model to the world around it.
#[derive(Debug)]
pub enum Effect {
    /// An execution environment is started.
    Start(lambda::Start),
    /// The execution environment dies on the spot.
    Kill(EnvironmentId),
}

/// All accounts and regions of a world.
#[derive(Debug)]
pub struct Model {
    pub now: Time,
    pub config: Config,
    pub rng: fastrand::Rng,
    pub agenda: Agenda<Model>,
    pub effects: Vec<Effect>,
    pub trace: Trace,
    pub principals: Principals,
    pub throttle: Throttle,
    pub faults: Faults,
    /// Regions that no call reaches.
    pub dark_regions: BTreeSet<String>,
    // The state of each service.
    pub ec2: BTreeMap<Scope, ec2::Region>,
    pub events: BTreeMap<Scope, eventbridge::Region>,
    pub dynamodb: dynamodb::Tables,
    pub lambda: lambda::Functions,
    pub kms: BTreeMap<Scope, kms::Region>,
    pub ssm: BTreeMap<Scope, ssm::Region>,
    pub sqs: BTreeMap<Scope, sqs::Region>,
}

impl Model {
    pub fn new(config: Config) -> Model {
        Model {
            now: config.start,
            rng: fastrand::Rng::with_seed(config.seed),
            agenda: Agenda::default(),
            effects: Vec::new(),
            trace: Trace::new(config.recording),
            principals: Principals::default(),
            throttle: Throttle::default(),
            faults: Faults::new(config.seed, config.faults.clone()),
            dark_regions: BTreeSet::new(),
            ec2: BTreeMap::new(),
            events: BTreeMap::new(),
            dynamodb: dynamodb::Tables::default(),
            lambda: lambda::Functions::default(),
            kms: BTreeMap::new(),
            ssm: BTreeMap::new(),
            sqs: BTreeMap::new(),
            config,
        }
    }

    /// Lets everything happen that is due by `now`, each at its own time.
    pub fn run_until(&mut self, now: Time) {
        while let Some((at, deed)) = self.agenda.take_due(now) {
            self.move_clock(at);
            deed.act(self);
            self.note_faults();
        }
        self.move_clock(now);
        self.note_faults();
    }

    /// Moves the clock forward, and those of the parts that have one of their own.
    fn move_clock(&mut self, at: Time) {
        self.now = self.now.max(at);
        self.faults.now = self.now;
        self.dynamodb.set_clock(self.now);
    }

    /// The rules by which calls are judged now.
    fn judge(&self) -> Judge<'_> {
        let open_roles = self.config.open_roles;
        Judge { principals: &self.principals, open_roles, now: self.now }
    }

    /// Authorises each want by itself; see [`Judge::permit`].
    pub fn permit(&self, call: &Call, wants: &[Want]) -> Result<(), ApiError> {
        self.judge().permit(call, wants)
    }

    /// Authorises one want on a resource that has a policy of its own.
    pub fn permit_on(
        &self,
        call: &Call,
        want: &Want,
        resource: Option<OnResource<'_>>,
    ) -> Result<(), ApiError> {
        self.judge().permit_on(call, want, resource)
    }

    /// Tells whether the caller may, where a refusal does not fail the call.
    pub fn allows(&self, call: &Call, want: &Want) -> bool {
        self.judge().permit_on(call, want, None).is_ok()
    }

    /// Tells whether a service can act in a role at all; see [`Judge::role_trusts`].
    pub fn role_trusts(&self, role_arn: &str, service: &str) -> bool {
        self.judge().role_trusts(role_arn, service)
    }

    /// Tells whether a role may, when a service acts in it (the role of an EventBridge target).
    pub fn role_may(&self, role_arn: &str, scope: &Scope, want: &Want) -> bool {
        self.judge().role_may_on(role_arn, scope, want, None)
    }

    /// Tells whether a role may, on a resource that has a policy of its own.
    pub fn role_may_on(
        &self,
        role_arn: &str,
        scope: &Scope,
        want: &Want,
        resource: Option<OnResource<'_>>,
    ) -> bool {
        self.judge().role_may_on(role_arn, scope, want, resource)
    }

    /// Takes tokens for a call out of one of its buckets, or refuses the call.
    pub fn spend(
        &mut self,
        call: &Call,
        kind: Kind,
        tokens: u64,
        rate: Rate,
    ) -> Result<(), ApiError> {
        let limits = &self.config.limits;
        let rate = rate.after_others(limits.other_users_take);
        if !limits.throttles || self.throttle.take(call, kind, tokens, rate, self.now) {
            return Ok(());
        }
        Err(call.service.throttled())
    }

    /// Writes into the trace what the rules did to events, creations and invocations.
    pub fn note_faults(&mut self) {
        for entry in self.faults.take_told() {
            self.trace.add(entry);
        }
    }

    /// Puts a deed on the agenda. Its name says the service and what happens.
    pub fn at(
        &mut self,
        time: Time,
        name: &'static str,
        act: impl FnOnce(&mut Model) + Send + 'static,
    ) {
        self.agenda.add(time, Deed::new(name, act));
    }

    /// Puts a deed on the agenda that is due after a delay.
    pub fn after(
        &mut self,
        delay: Duration,
        name: &'static str,
        act: impl FnOnce(&mut Model) + Send + 'static,
    ) {
        self.at(self.now + delay, name, act);
    }

    /// A duration spread around `base`, as the knob `spread_percent` says.
    pub fn spread(&mut self, base: Duration) -> Duration {
        let base = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
        let part = base / 100 * self.config.pace.spread_percent.min(100);
        Duration::from_millis(base - part + self.rng.u64(0..=part.saturating_mul(2)))
    }

    pub fn draw_ms(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range))
    }

    /// The time at which a resource made now becomes visible.
    pub fn visible_from(&mut self) -> Time {
        match self.config.lag.visibility_ms.clone() {
            None => self.now,
            Some(range) => self.now + self.draw_ms(range),
        }
    }

    /// Writes a line into the trace that is not a call (those are written by the dispatcher).
    pub fn note(&mut self, what: What, scope: &Scope, line: Line<'_>) {
        let entry = Entry {
            number: 0,
            at: self.now,
            what,
            principal: line.principal.to_string(),
            service: line.service.to_string(),
            action: line.action.to_string(),
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            outcome: line.outcome.to_string(),
            id: line.id.to_string(),
            detail: line.detail,
        };
        self.trace.add(entry);
    }
}

/// The parts of a trace line that differ; see [`Entry`].
#[derive(Debug)]
pub struct Line<'a> {
    pub principal: &'a str,
    pub service: &'a str,
    pub action: &'a str,
    pub outcome: &'a str,
    pub id: &'a str,
    pub detail: Value,
}
