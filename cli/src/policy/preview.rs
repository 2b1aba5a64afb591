//! Preview of applying a file: the changes of each policy, key by key, and what they start.

use std::collections::BTreeMap;

use afterimage_core::flow::InForce;
use afterimage_core::policy::Policy;
use afterimage_core::policy::difference::{Difference, between};
use serde::Serialize;

use super::changes::Changes;
use super::effects::Effect;
use super::summary::notes;
use crate::text::{columns, count, local, weekday, wrapped};

/// Number of near misses that are listed. The rest are counted.
const NEAR_MISSES_MAX: usize = 5;

/// Everything that `policy apply` shows before it asks.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    pub changes: Changes,
    /// True if policies that are missing from the file are removed.
    pub prune: bool,
    /// Differences of every policy that is new or changes, key by key.
    pub differences: BTreeMap<String, Vec<Difference>>,
    /// Effects of the same policies. Absent if EC2 or the ledger did not answer.
    pub effects: Option<Vec<Effect>>,
    /// Keys of the file that have no effect, a sentence each.
    pub notes: Vec<String>,
}

impl Preview {
    pub fn of(before: &InForce, policies: &[Policy], changes: Changes, prune: bool) -> Preview {
        let difference = |policy: &&Policy| {
            let was = before.policy(&policy.name);
            (policy.name.to_string(), between(was, policy))
        };
        Preview {
            differences: changes.changing(policies).iter().map(difference).collect(),
            effects: None,
            notes: notes(policies),
            prune,
            changes,
        }
    }

    /// True if anything in force would change.
    pub fn is_change(&self) -> bool {
        let Changes { added, replaced, missing, .. } = &self.changes;
        !added.is_empty() || !replaced.is_empty() || (self.prune && !missing.is_empty())
    }

    pub fn to_text(&self) -> String {
        let mut text = self.policies();
        for effect in self.effects.iter().flatten() {
            text.push('\n');
            text.push_str(&effect_text(effect));
        }
        text
    }

    /// Lists the policies, each with its differences below it.
    fn policies(&self) -> String {
        let Changes { added, replaced, unchanged, missing, .. } = &self.changes;
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
            differences.for_each(|difference| text.push_str(&difference_text(difference)));
        }
        if text.is_empty() {
            text.push_str("no policies, in the file or in force\n");
        }
        text
    }
}

fn difference_text(difference: &Difference) -> String {
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

fn effect_text(effect: &Effect) -> String {
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
        1 => text.push_str("  at once   1 machine is already stopped and will be imaged once\n"),
        more => text.push_str(&format!(
            "  at once   {more} machines are already stopped and will be imaged once each\n"
        )),
    }
    if let Some(reason) = &effect.nothing {
        text.push_str(&format!("{}\n", wrapped(&format!("! {reason}"), "  ")));
    }
    for (instance, miss) in effect.near_misses.iter().take(NEAR_MISSES_MAX) {
        text.push_str(&format!("{}\n", wrapped(&format!("! {instance}: {miss}"), "  ")));
    }
    let more = effect.near_misses.len().saturating_sub(NEAR_MISSES_MAX);
    if more > 0 {
        let machines = count(more, "more machine");
        text.push_str(&format!("  ! {machines} nearly selected\n"));
    }
    text
}
