//! Findings about whole regions: a person is told of each once, its text follows what is the case,
//! and its end is told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::command::{Command, Decision};
use crate::finding::{Finding, Resolved};
use crate::ids::Region;
use crate::reason::{Code, Reason};
use crate::subject::Subject;

/// Reports what is the case in regions, once for each, and the end of that. `text` returns what a
/// person is told; none if it is too early for that. The text is changed if the extent differs from
/// that of the last audit; the answers of AWS may differ every time.
pub(super) fn tell<T, E: PartialEq>(
    (all, before): (&BTreeMap<Region, T>, &BTreeMap<Region, T>),
    extent: impl Fn(&T) -> E,
    text: impl Fn(&Region, &T) -> Option<String>,
    (code, subject): (Code, &str),
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    let open = open(code, known);
    for (region, one) in all {
        let Some(text) = text(region, one) else { continue };
        let (artefact, reason) = (Subject::Other(subject.to_string()), Reason::new(code, text));
        let finding = Finding { region: region.clone(), artefact, reason, seen_at: now };
        let differs = before.get(region).is_none_or(|before| extent(before) != extent(one));
        match open.contains_key(region) {
            false => decision.command(Command::Report(finding)),
            true if differs => decision.command(Command::Reword(finding)),
            true => {}
        }
    }
    decision.add(ended(all, (code, subject), known, now));
    decision
}

/// Returns the findings with this code that are open.
pub(super) fn open(code: Code, known: &[Finding]) -> BTreeMap<&Region, &Finding> {
    let open = known.iter().filter(|known| known.reason.code == code);
    open.map(|open| (&open.region, open)).collect()
}

/// Tells of the end of what is not the case any more.
pub(super) fn ended<T>(
    all: &BTreeMap<Region, T>,
    (code, subject): (Code, &str),
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    for region in open(code, known).into_keys().filter(|region| !all.contains_key(region)) {
        let (region, artefact) = (region.clone(), Subject::Other(subject.to_string()));
        decision.command(Command::Resolve(Resolved { region, artefact, code, at: now }));
    }
    decision
}
