//! Databases and tables, as DynamoDB remembers them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dynoxide::storage_backend::Clock;
use dynoxide::{Item, NativeDatabase};

use super::read;
use super::tokens::Tokens;
use crate::kernel::error::ApiError;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;

/// The key attributes of an item.
pub(super) type Key = Item;

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

    /// What we know of a table.
    pub(super) fn table(&self, scope: &Scope, name: &str) -> Option<&Table> {
        self.regions.get(scope)?.tables.get(name)
    }

    /// The tables of one account in one region, made when they are first asked for. `lag` is the
    /// knob [`crate::kernel::config::Lag::index_reads`], whose value at that moment holds from then
    /// on.
    pub(super) fn region(
        &mut self,
        scope: &Scope,
        lag: Option<Duration>,
    ) -> Result<&mut Region, ApiError> {
        if !self.regions.contains_key(scope) {
            let region = Region::new(&self.now_ms, lag)?;
            self.regions.insert(scope.clone(), region);
        }
        self.regions.get_mut(scope).ok_or_else(|| read::internal("no database for the region"))
    }
}

/// The databases of one account in one region, and what we know about their tables ourselves.
pub(super) struct Region {
    pub(super) primary: NativeDatabase,
    pub(super) shadow: Option<Shadow>,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) tokens: Tokens,
    /// A sweep of expired items is on the agenda.
    pub(super) sweep_planned: bool,
}

impl Region {
    fn new(now_ms: &Arc<AtomicU64>, lag: Option<Duration>) -> Result<Region, ApiError> {
        Ok(Region {
            primary: database(now_ms, Duration::ZERO)?,
            shadow: match lag {
                None => None,
                Some(lag) => Some(Shadow { database: database(now_ms, lag)?, lag }),
            },
            tables: BTreeMap::new(),
            tokens: Tokens::default(),
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

/// The database that lags.
pub struct Shadow {
    pub database: NativeDatabase,
    pub lag: Duration,
}

/// The facts of a table that dynoxide does not know, or takes from the machine it runs on.
#[derive(Debug)]
pub struct Table {
    pub id: String,
    pub(super) created_at: Time,
    /// The key attributes, the partition key first.
    pub key: Vec<String>,
    /// The global indexes, each with its partition key.
    pub global_indexes: BTreeMap<String, String>,
    /// The attribute that says until when an item lives, if there is one.
    pub expiry: Option<String>,
    pub(super) on_demand_since: Option<Time>,
    /// Changes of the provisioned throughput: dynoxide's instants, and the world's.
    pub(super) throughput_changes: BTreeMap<u64, Time>,
    pub(super) recovery: Option<Recovery>,
}

/// Point-in-time recovery that is switched on.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) since: Time,
    pub(super) days: u32,
}
