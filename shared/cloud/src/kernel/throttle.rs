//! Token buckets, with which services throttle.
//!
//! There is a bucket for each account, region and action. It is full at first; a call takes a
//! token, each second of the clock puts some back, and what would overflow is lost. The figures are
//! with the services that have them.

use std::collections::BTreeMap;

use crate::kernel::access::Call;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;

/// The buckets of every account, region and action.
#[derive(Debug, Default)]
pub struct Throttle {
    buckets: BTreeMap<Scope, BTreeMap<(String, Kind), Bucket>>,
}

/// Meaning of a token of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Request,
    /// A request without filter, ids and page size.
    Sweep,
    /// An instance that a request touches.
    Instance,
}

/// Size of a bucket in tokens, and its refill per second in thousandths of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    max: u64,
    refill: u64,
}

/// A bucket of that size, refilled by that many thousandths of a token in a second.
pub const fn rate(max: u64, refill_thousandths: u64) -> Rate {
    Rate { max, refill: refill_thousandths }
}

impl Rate {
    /// The rate that is left when others take a share of the refill.
    pub fn after_others(self, percent: u32) -> Rate {
        let left = 100_u64.saturating_sub(percent.into());
        Rate { max: self.max, refill: self.refill * left / 100 }
    }
}

/// Thousandths of a token in one.
pub const THOUSAND: u64 = 1000;

/// More actions than any service has. A caller that uses more made their names up, and must not
/// fill the memory with their buckets.
const ACTIONS_MAX: usize = 2_000;

/// The level of a bucket, in thousandths of a token, as of a second of the clock.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u64,
    second: u64,
}

impl Bucket {
    /// Fills up to the present second and takes so many tokens, if they are there.
    fn take(&mut self, tokens: u64, rate: Rate, now: Time) -> bool {
        let seconds = now.secs().saturating_sub(self.second);
        let refill = rate.refill.saturating_mul(seconds);
        self.level = self.level.saturating_add(refill).min(rate.max.saturating_mul(THOUSAND));
        self.second = now.secs();
        let Some(rest) = self.level.checked_sub(tokens.saturating_mul(THOUSAND)) else {
            return false;
        };
        self.level = rest;
        true
    }
}

impl Throttle {
    /// Takes tokens out of the bucket of a call, if they are there.
    pub fn take(&mut self, call: &Call, kind: Kind, tokens: u64, rate: Rate, now: Time) -> bool {
        let buckets = self.buckets.entry(call.scope.clone()).or_default();
        let key = (call.action.clone(), kind);
        if buckets.len() >= ACTIONS_MAX && !buckets.contains_key(&key) {
            return true;
        }
        let full = Bucket { level: rate.max.saturating_mul(THOUSAND), second: now.secs() };
        buckets.entry(key).or_insert(full).take(tokens, rate, now)
    }
}
