//! Regions that have places of ours, and of which somebody deleted the record.

use jiff::Timestamp;

use super::InForce;
use super::artefact_audit::Tagged;
use crate::command::{Command, Decision};
use crate::finding::Finding;
use crate::reason::{Code, Reason};
use crate::subject::Subject;

/// Records that they are watched from now on, and tells it.
pub fn look(tagged: &Tagged, in_force: &InForce, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    for region in tagged.held.iter().filter(|(_, held)| !held.is_empty()).map(|(it, _)| it) {
        if in_force.regions.contains(region) {
            continue;
        }
        decision.command(Command::Watch(region.clone()));
        let text = format!(
            "the record of the region {region} was missing in the ledger: nobody looked at the \
             images in it. It is written again"
        );
        decision.command(Command::Report(Finding {
            region: region.clone(),
            artefact: Subject::Other(format!("region {region}")),
            reason: Reason::new(Code::LedgerIncomplete, text),
            seen_at: now,
        }));
    }
    decision
}
