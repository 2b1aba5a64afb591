//! DynamoDB, by dynoxide: one database per account and region, in memory, on the world's clock.
//!
//! dynoxide is DynamoDB's data plane: items, conditions, expressions, transactions, indexes. What
//! it takes from the machine it runs on (the time, random ids, an account of its own in ARNs) is
//! replaced here, so that the same seed gives the same answers:
//!
//! - descriptions of tables carry our own ids, times and ARNs ([`tables`]);
//! - client request tokens are remembered here, on virtual time, and never reach dynoxide
//!   ([`tokens`]);
//! - global secondary indexes can lag behind their table ([`shadow`]);
//! - expired items are deleted by the world, some time after, in sweeps ([`ttl`]).

mod answer;
mod items;
mod read;
mod shadow;
mod tables;
mod tokens;
mod ttl;
mod wants;

pub use answer::answer;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dynoxide::storage_backend::Clock;
use dynoxide::{Item, NativeDatabase};

use crate::kernel::error::ApiError;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::Model;

/// The tables of all accounts and regions.
#[derive(Debug, Default)]
pub struct Tables {
    now_ms: Arc<AtomicU64>,
    regions: BTreeMap<Scope, Region>,
}

impl Tables {
    pub fn set_clock(&mut self, now: Time) {
        self.now_ms.store(now.millis(), Ordering::Relaxed);
    }

    /// The tables of one account in one region, made when they are first asked for. `lag` is the
    /// knob [`crate::kernel::config::Lag::index_reads`]: what it is at that moment holds from then on.
    fn region(&mut self, scope: &Scope, lag: Option<Duration>) -> Result<&mut Region, ApiError> {
        if !self.regions.contains_key(scope) {
            let region = Region::new(&self.now_ms, lag)?;
            self.regions.insert(scope.clone(), region);
        }
        self.regions.get_mut(scope).ok_or_else(|| read::internal("no database for the region"))
    }
}

/// The databases of one account in one region, and what we know about their tables ourselves.
struct Region {
    primary: NativeDatabase,
    shadow: Option<shadow::Shadow>,
    tables: BTreeMap<String, tables::Table>,
    tokens: tokens::Tokens,
    /// A sweep of expired items is on the agenda.
    sweep_planned: bool,
}

impl Region {
    fn new(now_ms: &Arc<AtomicU64>, lag: Option<Duration>) -> Result<Region, ApiError> {
        Ok(Region {
            primary: database(now_ms, Duration::ZERO)?,
            shadow: match lag {
                None => None,
                Some(lag) => Some(shadow::Shadow { database: database(now_ms, lag)?, lag }),
            },
            tables: BTreeMap::new(),
            tokens: tokens::Tokens::default(),
            sweep_planned: false,
        })
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("tables", &self.tables).finish_non_exhaustive()
    }
}

fn database(now_ms: &Arc<AtomicU64>, behind: Duration) -> Result<NativeDatabase, ApiError> {
    let clock = WorldClock { now_ms: now_ms.clone(), behind };
    NativeDatabase::memory_with_clock(Arc::new(clock)).map_err(read::refusal)
}

/// The world's clock as a database reads it.
struct WorldClock {
    now_ms: Arc<AtomicU64>,
    behind: Duration,
}

impl WorldClock {
    fn now(&self) -> Time {
        Time::from_millis(self.now_ms.load(Ordering::Relaxed)) - self.behind
    }
}

impl Clock for WorldClock {
    fn now_unix_secs(&self) -> u64 {
        self.now().secs()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.now().epoch_secs()
    }
}

/// The ARN of a table, or of what belongs to one (`NAME/index/INDEX`).
pub fn table_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:dynamodb:{}:{}:table/{name}", scope.region, scope.account)
}

/// The key attributes of an item.
type Key = Item;
