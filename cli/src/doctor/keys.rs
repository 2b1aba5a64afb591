//! The keys that policies name for copies: there, enabled, and of this account.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_aws::Kms;
use afterimage_core::flow::InForce;
use afterimage_core::flow::work_requested::power::{
    KEY_GONE, KeyAccess, PENDING_DELETION, is_usable,
};
use afterimage_core::ids::{AccountId, Region};

use super::line::{Line, answer, or_ok};
use crate::stack::Stack;
use crate::text::count;

const KEYS: &str = "keys";

/// Looks at each key in the region of its copies.
pub async fn lines(stack: &Stack, in_force: &InForce, account: Option<&AccountId>) -> Vec<Line> {
    let mut named: BTreeMap<(&Region, &str), BTreeSet<&str>> = BTreeMap::new();
    for policy in &in_force.policies {
        for replica in &policy.replicate {
            let Some(key) = &replica.kms_key else { continue };
            named.entry((&replica.region, key)).or_default().insert(policy.name.as_str());
        }
    }
    if named.is_empty() {
        return vec![Line::ok(KEYS, "no policy names a key")];
    }
    let kms = Kms::new(&stack.config, account);
    let mut lines = Vec::new();
    for ((region, key), policies) in &named {
        let policies: Vec<&str> = policies.iter().copied().collect();
        let which = format!("key {key} in {region}, which policy {} names", policies.join(", "));
        match answer(kms.disk_keys(region, [(*key).to_string()])).await {
            Ok(keys) => {
                let access = keys.into_iter().next().map(|key| key.access);
                lines.extend(access.and_then(|access| line(&which, region, &access)));
            }
            Err(why) => {
                let found = format!("cannot describe {which}: {why}");
                let to_do = why.to_do("allow these credentials kms:DescribeKey on the key");
                lines.push(Line::not_made(KEYS, found, to_do));
            }
        }
    }
    let count = count(named.len(), "key");
    or_ok(lines, KEYS, format!("{count} that policies name: there and enabled"))
}

/// Returns the line about a key that cannot be used, or of which nothing is known.
fn line(which: &str, region: &Region, access: &KeyAccess) -> Option<Line> {
    let line = match access {
        KeyAccess::State(state) if is_usable(state) => return None,
        KeyAccess::State(state) if state == PENDING_DELETION => {
            let to_do = "call its deletion off and enable it, or name another key in the policy; \
                         once it is deleted, its copies can never be used again";
            Line::fail(KEYS, format!("{which}, is to be deleted"), to_do)
        }
        KeyAccess::State(state) => {
            let to_do = "enable the key; until then nothing is copied under it, and its copies \
                         cannot be used";
            Line::fail(KEYS, format!("{which}, is {state}"), to_do)
        }
        KeyAccess::ForeignAccount => {
            let to_do = "name a key of this account: the functions may use no other";
            Line::fail(KEYS, format!("{which}, belongs to another account"), to_do)
        }
        KeyAccess::Refused(code) if code == KEY_GONE => {
            let to_do = format!("make the key or its alias in {region}, or change the policy");
            Line::fail(KEYS, format!("{which}, does not exist there"), to_do)
        }
        KeyAccess::Refused(code) => {
            let to_do = "allow these credentials kms:DescribeKey on the key; the policy of the key \
                         must let the account do that";
            Line::not_made(KEYS, format!("cannot describe {which}: KMS answers {code}"), to_do)
        }
    };
    Some(line)
}
