//! Record of what the people of a world did: some promises end where a person acted.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_cloud::Time;

use super::world::Policy;

/// What people did, as far as a checker has to know it.
#[derive(Debug, Default)]
pub struct Record {
    /// Ids of machines, by their numbers.
    pub machines: BTreeMap<u32, (&'static str, String)>,
    /// Ids of keys that cannot be used now.
    pub disabled_keys: BTreeSet<String>,
    /// Number of images of a point in a region that somebody deregistered or disabled.
    pub harmed: BTreeMap<(String, &'static str), u32>,
    /// Images that somebody restored or enabled.
    pub brought_back: BTreeSet<String>,
    /// Points whose item somebody deleted from the ledger.
    pub deleted: BTreeSet<String>,
    /// Policies in force, each with the time from which it is.
    pub in_force: BTreeMap<&'static str, (Policy, Time)>,
    /// Policies that were removed, each with the time.
    pub removed: BTreeMap<&'static str, Time>,
    /// Policies that said `heal: false` at any time.
    pub left_to_people: BTreeSet<&'static str>,
}
