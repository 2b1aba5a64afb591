//! Changes: what applying a policy file does to the policies in force.

use afterimage_core::flow::InForce;
use afterimage_core::ids::PolicyName;
use afterimage_core::policy::Policy;
use serde::Serialize;

/// Changes to what is in force, as names of policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub added: Vec<String>,
    pub replaced: Vec<String>,
    pub unchanged: Vec<String>,
    /// Policies that are in force and missing from the file.
    pub missing: Vec<String>,
    /// Missing policies that were removed.
    pub removed: Vec<String>,
}

impl Changes {
    /// Compares the policies of a file with those in force.
    pub fn between(before: &InForce, policies: &[Policy]) -> Changes {
        let mut changes = Changes::default();
        let unreadable =
            |name: &PolicyName| before.unreadable.iter().any(|u| u.name == name.as_str());
        for policy in policies {
            let list = match before.policy(&policy.name) {
                Some(old) if old == policy => &mut changes.unchanged,
                Some(_) => &mut changes.replaced,
                None if unreadable(&policy.name) => &mut changes.replaced,
                None => &mut changes.added,
            };
            list.push(policy.name.to_string());
        }
        let names = before.policies.iter().map(|policy| policy.name.to_string());
        let names = names.chain(before.unreadable.iter().map(|policy| policy.name.clone()));
        let is_wanted = |name: &String| policies.iter().any(|policy| policy.name.as_str() == name);
        changes.missing = names.filter(|name| !is_wanted(name)).collect();
        changes
    }

    /// Finds the policies of the file that are added or replaced.
    pub fn changing<'a>(&self, policies: &'a [Policy]) -> Vec<&'a Policy> {
        let is_changing = |policy: &&Policy| {
            let mut names = self.added.iter().chain(&self.replaced);
            names.any(|name| name == policy.name.as_str())
        };
        policies.iter().filter(is_changing).collect()
    }
}
