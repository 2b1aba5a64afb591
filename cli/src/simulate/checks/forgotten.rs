//! Not forgotten. No finding says that an artefact is foreign that one of our own calls made. Of a
//! point whose item somebody deleted from the ledger, only while it is the newest of its machine
//! and policy, and while nobody has harmed its images: tags and facts do not tell all of any other.

use std::collections::BTreeSet;

use super::super::seen::Label;
use super::case::Case;

pub fn wrong(case: &Case<'_>) -> Option<String> {
    let seen = case.seen;
    let images = seen.images.iter().filter(|image| image.is_ours);
    let snapshots = seen.snapshots.iter().filter(|snapshot| snapshot.is_ours);
    let images = images.map(|image| (&image.id, &image.label));
    let all = images.chain(snapshots.map(|snapshot| (&snapshot.id, &snapshot.label)));
    let ours: BTreeSet<&str> =
        all.filter(|(_, label)| is_known(case, label)).map(|(id, _)| id.as_str()).collect();
    let findings = seen.status.as_ref().and_then(|status| status["findings"].as_array());
    let foreign = findings.into_iter().flatten().find(|finding| {
        let is_ours = finding["artefact"].as_str().is_some_and(|id| ours.contains(id));
        finding["reason"]["code"] == "foreign" && is_ours
    })?;
    let (artefact, region) = (&foreign["artefact"], &foreign["region"]);
    let image = seen.images.iter().find(|image| *artefact == image.id.as_str());
    let point = image.map(|image| format!(" of point {}", image.label.point)).unwrap_or_default();
    Some(format!(
        "{artefact}{point} in {region} is called foreign, and a call of ours made it: {}",
        foreign["reason"]["text"]
    ))
}

/// Tells whether the ledger has to know the artefacts of a point.
fn is_known(case: &Case<'_>, label: &Label) -> bool {
    if !case.record.deleted.contains(&label.point) {
        return true;
    }
    let is_newer = |other: &Label| {
        other.machine == label.machine
            && other.policy == label.policy
            && other.requested > label.requested
    };
    let is_newest = !case.seen.images.iter().any(|image| is_newer(&image.label));
    is_newest && case.record.harmed.keys().all(|(point, _)| *point != label.point)
}
