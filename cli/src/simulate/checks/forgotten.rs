//! Not forgotten. No finding says that an artefact is foreign that one of our own calls made.

use std::collections::BTreeSet;

use super::case::Case;

pub fn wrong(case: &Case<'_>) -> Option<String> {
    let seen = case.seen;
    let images = seen.images.iter().filter(|image| image.is_ours).map(|image| &image.id);
    let snapshots = seen.snapshots.iter().filter(|snapshot| snapshot.is_ours);
    let ours: BTreeSet<&str> =
        images.chain(snapshots.map(|snapshot| &snapshot.id)).map(String::as_str).collect();
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
