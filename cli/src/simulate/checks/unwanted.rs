//! Unwanted. Two hours after a policy was removed, nothing new is begun for it: no snapshots, no
//! image of a machine, no copy. An image of snapshots that exist is still registered. Nor is a
//! machine imaged two hours after it lost the tag that the policy selects.

use super::bounds::WANTED_WITHIN;
use super::case::{Case, Since, Wrong};

pub fn wrong(case: &Case<'_>, since: &mut Since) -> Option<String> {
    let begun = case.history.begun.iter();
    let late = begun.clone().find(|call| {
        let removed = case.record.removed.get(call.policy.as_str());
        let is_late = removed.is_some_and(|removed| call.at.since(*removed) > WANTED_WITHIN);
        is_late && call.action != "RegisterImage"
    });
    let unselected = case.record.machines.values().flat_map(|(region, machine)| {
        let policies = case.record.in_force.values();
        policies.filter_map(move |(policy, _)| {
            let it = case.seen.machines.get(machine)?;
            let is_selected = policy.selects(it.region, it.backup.as_deref());
            let key = format!("{machine} {}", policy.name);
            let wrong = Wrong { key, region: (*region).to_string(), text: String::new() };
            (!is_selected).then_some(wrong)
        })
    });
    let unselected: Vec<Wrong> = unselected.collect();
    // The tags are those of the end of the step. What was so at its start as well counts.
    let before = std::mem::take(&mut since.0);
    for Wrong { key, .. } in unselected {
        let first = before.get(&key).copied().unwrap_or(case.seen.now);
        since.0.insert(key, first);
    }
    let unselected = case.history.begun.iter().find(|call| {
        let first = since.0.get(&format!("{} {}", call.machine, call.policy));
        let is_late = first.is_some_and(|first| call.at.since(*first) > WANTED_WITHIN);
        is_late && matches!(call.action.as_str(), "CreateSnapshots" | "CreateImage")
    });
    let late = late.map(|call| {
        format!("{} at {} for policy {}, which was removed", call.action, call.at, call.policy)
    });
    late.or_else(|| {
        let call = unselected?;
        Some(format!(
            "{} of {} at {} for policy {}, which does not select it any more",
            call.action, call.machine, call.at, call.policy
        ))
    })
}
