//! The network of a region, as EC2 remembers it.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::access::Tags;
use crate::kernel::time::Time;

/// The furniture of one account in one region.
#[derive(Debug, Default)]
pub struct Furniture {
    pub network: Network,
    /// Key pairs by their names.
    pub key_pairs: BTreeMap<String, KeyPair>,
}

#[derive(Clone, Debug)]
pub struct KeyPair {
    pub id: String,
    pub fingerprint: String,
    /// `rsa` or `ed25519`.
    pub kind: &'static str,
    pub created_at: Time,
}

/// The VPC, the subnets and the security groups of one account in one region.
#[derive(Debug, Default)]
pub struct Network {
    pub vpc_id: String,
    pub vpc_tags: Tags,
    pub subnets: Vec<Subnet>,
    pub groups: BTreeMap<String, SecurityGroup>,
}

/// The default subnet of a zone.
#[derive(Debug)]
pub struct Subnet {
    pub id: String,
    pub zone: String,
    pub tags: Tags,
    /// The third part of its addresses begins here: 0, 16 or 32.
    pub block: u16,
    pub used: BTreeSet<u16>,
    /// The last address that was given out: one that is free again is not given out at once.
    pub last: u16,
}

#[derive(Clone, Debug)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    pub vpc_id: String,
    pub rules: Vec<Rule>,
    pub tags: Tags,
    pub visible_at: Time,
}

/// One rule: a permission for one peer.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub egress: bool,
    pub permission: Permission,
    pub description: Option<String>,
}

/// What two rules must not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    pub protocol: String,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub peer: Peer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Cidr(String),
    Cidr6(String),
    Group(String),
    PrefixList(String),
}
