//! Gaps in the coverage of a policy: machines that it should select and does not, which nobody
//! would notice until it is too late.
//!
//! - A policy that selects no machine at all.
//! - A machine that no policy selects, and that looks as if one should: its tags are those of a
//!   policy but for case, blanks or one letter; its tags match, and its region is not among the
//!   policy's; it has the one key that a policy goes by, with a value that no policy has.
//!
//! A machine that simply has other tags is left alone, and so is one that a policy excludes: that
//! was meant. Machines that are alike are reported as one, under the first of their ids, since one
//! mistake of a template makes hundreds of them. What was found and is no longer so is resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::InForce;
use crate::command::{Command, Decision, Finding, Resolved};
use crate::ids::{InstanceId, PolicyName, Region};
use crate::limits::GAP_REPORTS_MAX;
use crate::machine::Instance;
use crate::observed::Complete;
use crate::policy::Policy;
use crate::policy::select::{Select, glob, matches_any};
use crate::reason::{Code, Reason};
use crate::subject::Subject;

/// Shorter texts are all one letter from each other.
const LETTERS_MIN: usize = 4;

/// Values of a tag that say that a machine is not meant: nobody wrote them by mistake.
const MEANS_NO: [&str; 12] =
    ["", "-", "0", "disabled", "exclude", "false", "ignore", "n/a", "never", "no", "none", "off"];

/// Reason why a policy does not select a machine, and how little is missing. Machines with the same
/// reason are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearMiss {
    pub policy: PolicyName,
    pub slips: Vec<Slip>,
}

/// Difference that keeps a policy from selecting a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slip {
    /// The key is right, and its value nearly is.
    Value { key: String, is: String, wanted: String },
    /// The value is right, and its key nearly is.
    Key { is: String, wanted: String, value: String },
    /// The region is not the policy's, and everything else is right.
    Region(Region),
    /// The policy goes by this key alone, and no policy has this value of it.
    Unheard { key: String, is: String, known: Vec<String> },
}

/// Machines of some regions, all of them.
pub type Fleet = BTreeMap<Region, Complete<Instance>>;

/// Decides what to report, and which findings no longer hold.
pub fn look(in_force: &InForce, fleet: &Fleet, known: &[Finding], now: Timestamp) -> Decision {
    let mut found: BTreeMap<(Region, Subject), Reason> = BTreeMap::new();
    for policy in &in_force.policies {
        if let (Some(home), Some(reason)) = (policy.select.regions.first(), nothing(policy, fleet))
        {
            found.insert((home.clone(), subject(policy)), reason);
        }
    }
    // What a policy selects that cannot be read is not known: it may be just these machines.
    let is_judged = in_force.unreadable.is_empty();
    if is_judged {
        found.extend(uncovered(&in_force.policies, fleet));
    }
    let mut decision = Decision::default();
    let mut open = BTreeSet::new();
    for finding in known.iter().filter(|finding| is_ours(finding)) {
        let key = (finding.region.clone(), finding.artefact.clone());
        let is_known = match finding.reason.code {
            Code::LooksUncovered => is_judged && fleet.contains_key(&finding.region),
            _ => is_settled(finding, in_force, fleet),
        };
        if found.get(&key) == Some(&finding.reason) || !is_known {
            open.insert(key);
        } else {
            let Finding { region, artefact, reason, .. } = finding.clone();
            let code = reason.code;
            decision.command(Command::Resolve(Resolved { region, artefact, code, at: now }));
        }
    }
    let new = found.into_iter().filter(|(key, _)| !open.contains(key));
    for ((region, artefact), reason) in new.take(GAP_REPORTS_MAX) {
        decision.command(Command::Report(Finding { region, artefact, reason, seen_at: now }));
    }
    decision
}

/// Tells whether a finding is one of those that are made here.
fn is_ours(finding: &Finding) -> bool {
    matches!(finding.reason.code, Code::LooksUncovered | Code::PolicyMatchesNothing)
}

/// Subject of a finding about a policy.
fn subject(policy: &Policy) -> Subject {
    Subject::Policy(policy.name.to_string())
}

/// Tells whether enough was seen to say that a finding about a policy no longer holds: all the
/// regions of the policy, if it is still in force and can be read.
fn is_settled(finding: &Finding, in_force: &InForce, fleet: &Fleet) -> bool {
    let Subject::Policy(name) = &finding.artefact else { return true };
    if in_force.unreadable.iter().any(|other| other.name == *name) {
        return false;
    }
    let policy = in_force.policies.iter().find(|policy| policy.name.as_str() == name);
    policy.is_none_or(|policy| all_seen(&policy.select, fleet))
}

fn all_seen(select: &Select, fleet: &Fleet) -> bool {
    select.regions.iter().all(|region| fleet.contains_key(region))
}

/// The machines that are there.
fn machines(fleet: &Fleet) -> impl Iterator<Item = &Instance> {
    let all = fleet.values().flat_map(|Complete(instances)| instances);
    all.filter(|instance| !instance.state.is_gone())
}

/// Tells why a policy selects no machine in any of its regions; none if it selects one.
pub fn nothing(policy: &Policy, fleet: &Fleet) -> Option<Reason> {
    let select = &policy.select;
    if !all_seen(select, fleet) {
        return None;
    }
    let mut excluding: Option<&str> = None;
    for instance in machines(fleet) {
        if select.regions.contains(&instance.region) && select.lacking(&instance.tags).is_empty() {
            // One that is not excluded is selected: it may be in a state that is not, for now.
            let (key, _) = select.excluded_by(&instance.tags)?;
            excluding = Some(key);
        }
    }
    let regions: Vec<&str> = select.regions.iter().map(Region::as_str).collect();
    let (regions, tags) = (regions.join(", "), tags(select));
    let text = match excluding {
        None => format!("no machine in {regions} has {tags}"),
        Some(key) => format!("every machine in {regions} with {tags} is excluded by tag `{key}`"),
    };
    Some(Reason::new(Code::PolicyMatchesNothing, text))
}

/// The tags that a policy selects by, as people write them.
pub fn tags(select: &Select) -> String {
    let tags = select.tags.iter().map(|(key, values)| format!("{key}={}", values.join("|")));
    tags.collect::<Vec<_>>().join(" and ")
}

/// The machines that look as if they should be covered: the first of those that are alike, and how
/// it misses the policy that it misses by least.
fn uncovered(policies: &[Policy], fleet: &Fleet) -> Vec<((Region, Subject), Reason)> {
    let mut alike: BTreeMap<(&Region, NearMiss), BTreeSet<&InstanceId>> = BTreeMap::new();
    for instance in machines(fleet) {
        if let Some(miss) = near_misses(policies, instance).into_iter().next() {
            alike.entry((&instance.region, miss)).or_default().insert(&instance.id);
        }
    }
    let found = alike.into_iter().filter_map(|((region, miss), instances)| {
        // How many they are changes all the time, and would make another finding of it each time.
        let others = if instances.len() > 1 { "; other machines look the same" } else { "" };
        let reason = Reason::new(Code::LooksUncovered, format!("{miss}{others}"));
        let first: &InstanceId = instances.first()?;
        Some(((region.clone(), first.into()), reason))
    });
    found.collect()
}

/// The policies that a machine misses by little, the one that it misses by least first; none if it
/// is covered, or excluded on purpose.
pub fn near_misses(policies: &[Policy], instance: &Instance) -> Vec<NearMiss> {
    let is_meant = |policy: &Policy| {
        policy.select.regions.contains(&instance.region)
            && policy.select.lacking(&instance.tags).is_empty()
    };
    if instance.state.is_gone() || policies.iter().any(is_meant) {
        return Vec::new();
    }
    let miss = |policy: &Policy| {
        let slips = slips(policy, policies, instance)?;
        Some(NearMiss { policy: policy.name.clone(), slips })
    };
    let mut misses: Vec<NearMiss> = policies.iter().filter_map(miss).collect();
    misses.sort_by(|a, b| (rank(a), &a.policy).cmp(&(rank(b), &b.policy)));
    misses
}

fn rank(miss: &NearMiss) -> (u8, usize) {
    let worst = miss.slips.iter().map(|slip| match slip {
        Slip::Value { .. } | Slip::Key { .. } => 0,
        Slip::Region(_) => 1,
        Slip::Unheard { .. } => 2,
    });
    (worst.max().unwrap_or(0), miss.slips.len())
}

/// Lists the differences that keep a policy from selecting a machine, if they are small.
fn slips(policy: &Policy, policies: &[Policy], instance: &Instance) -> Option<Vec<Slip>> {
    let select = &policy.select;
    if select.excluded_by(&instance.tags).is_some() {
        return None;
    }
    let lacking = select.lacking(&instance.tags);
    if !select.regions.contains(&instance.region) {
        // A policy for everything that has a name, say, does not mean those of other regions.
        let is_specific = select.tags.values().flatten().any(|pattern| pattern != "*");
        let is_near = lacking.is_empty() && is_specific;
        return is_near.then(|| vec![Slip::Region(instance.region.clone())]);
    }
    let near = lacking.iter().map(|(key, wanted)| slip(key, wanted, policies, instance));
    let near: Option<Vec<Slip>> = near.collect();
    let unheard = || Some(vec![unheard(select, policies, instance)?]);
    near.filter(|slips| !slips.is_empty()).or_else(unheard)
}

/// Finds the tag of a machine that nearly is the one that a policy wants.
fn slip(key: &str, patterns: &[String], policies: &[Policy], instance: &Instance) -> Option<Slip> {
    let close_to = |value: &str| patterns.iter().find(|pattern| is_close(value, pattern));
    if let Some(value) = instance.tags.get(key) {
        // What another policy means by it is no slip.
        if values_of(key, policies).any(|pattern| glob(pattern, value)) {
            return None;
        }
        let wanted = close_to(value)?.clone();
        return Some(Slip::Value { key: key.to_string(), is: value.clone(), wanted });
    }
    let is_used =
        |other: &str| policies.iter().any(|policy| policy.select.tags.contains_key(other));
    let mut others = instance.tags.iter();
    let (is, value) = others.find(|(other, value)| {
        let fits = matches_any(patterns, value) || close_to(value).is_some();
        is_close(other, key) && !is_used(other) && fits
    })?;
    Some(Slip::Key { is: is.clone(), wanted: key.to_string(), value: value.clone() })
}

/// The value that no policy has, of the key by which the policy goes.
fn unheard(select: &Select, policies: &[Policy], instance: &Instance) -> Option<Slip> {
    let mut keys = select.tags.keys();
    let (Some(key), None) = (keys.next(), keys.next()) else { return None };
    let is = instance.tags.get(key)?;
    let excluded = policies.iter().filter_map(|policy| policy.select.exclude_tags.get(key));
    let known: BTreeSet<&String> = values_of(key, policies).collect();
    // A key of which policies take a part by a pattern has other values for other reasons.
    let is_pattern = |value: &&String| value.contains(['*', '?']);
    let is_meant = MEANS_NO.contains(&is.trim().to_lowercase().as_str())
        || excluded.flatten().any(|pattern| glob(pattern, is))
        || known.contains(is)
        || known.iter().any(is_pattern);
    if is_meant {
        return None;
    }
    let known = known.into_iter().cloned().collect();
    Some(Slip::Unheard { key: key.clone(), is: is.clone(), known })
}

/// Values of a key that policies select by.
fn values_of<'a>(key: &'a str, policies: &'a [Policy]) -> impl Iterator<Item = &'a String> {
    policies.iter().filter_map(move |policy| policy.select.tags.get(key)).flatten()
}

/// Tells whether a text is what was wanted but for case, blanks and hyphens, or one letter.
pub fn is_close(is: &str, wanted: &str) -> bool {
    let (is, wanted) = (plain(is), plain(wanted));
    if is.is_empty() || is == wanted {
        return is == wanted;
    }
    if wanted.iter().any(|c| matches!(c, '*' | '?')) {
        let text = |chars: &[char]| chars.iter().collect::<String>();
        return wanted.iter().any(|c| c.is_alphanumeric()) && glob(&text(&wanted), &text(&is));
    }
    wanted.len() >= LETTERS_MIN && is.first() == wanted.first() && is_one_letter_off(&is, &wanted)
}

fn plain(text: &str) -> Vec<char> {
    let kept = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_'));
    kept.flat_map(char::to_lowercase).collect()
}

/// Tells whether two words differ by one letter more, less or another, or by two that changed
/// places. Digits count things: `web1` is not meant to be `web2`.
fn is_one_letter_off(is: &[char], wanted: &[char]) -> bool {
    let same = is.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let (_, is) = is.split_at(same);
    let (_, wanted) = wanted.split_at(same);
    let is_letter = |c: &char| c.is_alphabetic();
    match (is, wanted) {
        ([a, rest @ ..], wanted) if rest == wanted => is_letter(a),
        (is, [b, rest @ ..]) if is == rest => is_letter(b),
        ([a, is @ ..], [b, wanted @ ..]) if is == wanted => is_letter(a) && is_letter(b),
        ([a, b, is @ ..], [c, d, wanted @ ..]) => {
            (a, b) == (d, c) && is == wanted && is_letter(a) && is_letter(b)
        }
        _ => false,
    }
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slip::Value { key, is, wanted } => {
                write!(f, "tag `{key}` is `{is}`, not `{wanted}`")
            }
            Slip::Key { is, wanted, value } => {
                write!(f, "tag `{is}` (`{value}`) is not called `{wanted}`")
            }
            Slip::Region(region) => write!(f, "{region} is not among its regions"),
            Slip::Unheard { key, is, known } => {
                write!(f, "tag `{key}` is `{is}`, not {}", known.join(" or "))
            }
        }
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.policy;
        if let [Slip::Unheard { key, is, known }] = self.slips.as_slice() {
            let known = known.join(", ");
            return write!(
                f,
                "no policy selects tag `{key}` = `{is}`, only {known}; write one of these on the \
                 machine, or exclude the value with exclude_tags in policy {policy}"
            );
        }
        let slips: Vec<String> = self.slips.iter().map(ToString::to_string).collect();
        let slips = slips.join(", and ");
        let instead = match self.slips.as_slice() {
            [Slip::Region(region)] => format!("add {region} to `regions`"),
            _ => "correct the tag or the policy".to_string(),
        };
        write!(f, "policy {policy} nearly selects this machine: {slips}; {instead}")
    }
}
