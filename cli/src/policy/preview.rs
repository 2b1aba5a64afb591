//! What applying a file would do, before it is done: what becomes of each policy, key by key, and
//! what that sets going.

use std::collections::BTreeMap;

use afterimage_core::flow::InForce;
use afterimage_core::policy::Policy;
use afterimage_core::policy::difference::{Difference, between};
use serde::Serialize;

use super::apply::Applied;
use super::effects::Effect;
use super::summary::notes;
use crate::text::{columns, count, local, weekday, wrapped};

/// Near misses that are told one by one; the rest are counted.
const NEAR_MISSES_MAX: usize = 5;

#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    pub changes: Applied,
    /// Whether the policies that are missing from the file go.
    pub prune: bool,
    /// Of every policy that is new or changes.
    pub differences: BTreeMap<String, Vec<Difference>>,
    /// Of the same policies; none if it could not be looked at.
    pub effects: Option<Vec<Effect>>,
    /// What the file says in vain.
    pub notes: Vec<String>,
}

impl Preview {
    pub fn of(before: &InForce, policies: &[Policy], changes: Applied, prune: bool) -> Preview {
        let new = || changing(policies, &changes);
        let difference = |policy: &&Policy| {
            let was = before.policy(&policy.name);
            (policy.name.to_string(), between(was, policy))
        };
        Preview {
            differences: new().iter().map(difference).collect(),
            effects: None,
            notes: notes(policies),
            prune,
            changes,
        }
    }

    /// Whether anything would be otherwise.
    pub fn is_change(&self) -> bool {
        let Applied { added, replaced, missing, .. } = &self.changes;
        !added.is_empty() || !replaced.is_empty() || (self.prune && !missing.is_empty())
    }

    pub fn tell(&self) -> String {
        let mut text = self.policies();
        for effect in self.effects.iter().flatten() {
            text.push('\n');
            text.push_str(&tell_effect(effect));
        }
        text
    }

    /// A line for each policy, and its differences.
    fn policies(&self) -> String {
        let Applied { added, replaced, unchanged, missing, .. } = &self.changes;
        let (gone, kept) =
            if self.prune { (missing.as_slice(), &[][..]) } else { (&[][..], missing.as_slice()) };
        let lists: [(char, &[String], &str); 5] = [
            ('+', added.as_slice(), "new"),
            ('~', replaced.as_slice(), "changed"),
            ('=', unchanged.as_slice(), "unchanged"),
            ('-', gone, "removed"),
            ('!', kept, "in force, but not in the file; --prune removes it"),
        ];
        let row = |sign: char, name: &String, what: &str| {
            (name.clone(), [format!("{sign} {name}"), what.to_string()])
        };
        let (names, rows): (Vec<String>, Vec<[String; 2]>) = lists
            .into_iter()
            .flat_map(|(sign, names, what)| names.iter().map(move |name| row(sign, name, what)))
            .unzip();
        let mut text = String::new();
        for (name, line) in names.iter().zip(columns(&rows)) {
            text.push_str(&format!("{line}\n"));
            let differences = self.differences.get(name).into_iter().flatten();
            differences.for_each(|difference| text.push_str(&tell_difference(difference)));
        }
        if text.is_empty() {
            text.push_str("no policies, in the file or in force\n");
        }
        text
    }
}

/// The policies of the file that are new or change.
pub fn changing<'a>(policies: &'a [Policy], changes: &Applied) -> Vec<&'a Policy> {
    let is_changing = |policy: &&Policy| {
        let mut names = changes.added.iter().chain(&changes.replaced);
        names.any(|name| name == policy.name.as_str())
    };
    policies.iter().filter(is_changing).collect()
}

fn tell_difference(difference: &Difference) -> String {
    let Difference { key, was, is } = difference;
    let with = |sign: char, value: &str| match value {
        "" => format!("    {sign} {key}\n"),
        value => format!("    {sign} {key}: {value}\n"),
    };
    match (was, is) {
        (Some(was), Some(is)) => format!("    ~ {key}: {was} -> {is}\n"),
        (None, Some(is)) => with('+', is),
        (Some(was), None) => with('-', was),
        (None, None) => String::new(),
    }
}

fn tell_effect(effect: &Effect) -> String {
    let mut text = format!("{}\n", effect.policy);
    let machines = effect.machines.iter();
    let machines: Vec<String> = machines
        .map(|(region, number)| format!("{} in {region}", count(*number, "machine")))
        .collect();
    text.push_str(&format!("  selects   {}\n", machines.join(", ")));
    if let Some(run) = &effect.next_run {
        let utc = format!("{} UTC", weekday(run.at));
        let at = match run.timezone.as_str() {
            "UTC" => utc,
            zone => format!("{} {zone} ({utc})", local(run.local)),
        };
        text.push_str(&format!("  next run  {at}\n"));
    }
    match effect.images_of_stopped {
        0 => {}
        1 => text.push_str("  at once   1 machine is stopped already, and is imaged once\n"),
        more => {
            let told =
                format!("  at once   {more} machines are stopped already, and are imaged once\n");
            text.push_str(&told);
        }
    }
    if let Some(reason) = &effect.nothing {
        text.push_str(&format!("{}\n", wrapped(&format!("! {reason}"), "  ")));
    }
    for (instance, miss) in effect.near_misses.iter().take(NEAR_MISSES_MAX) {
        text.push_str(&format!("{}\n", wrapped(&format!("! {instance}: {miss}"), "  ")));
    }
    let more = effect.near_misses.len().saturating_sub(NEAR_MISSES_MAX);
    if more > 0 {
        text.push_str(&format!("  ! and {more} more that look as if they should be selected\n"));
    }
    text
}
