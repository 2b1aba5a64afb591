//! The points that a rebuild finds, as text for people and as JSON for programs.

use afterimage_aws::ledger::Copied;
use afterimage_core::point::ReplicaStatus;
use afterimage_core::rebuild::{Rebuilt, Unusable};
use serde_json::{Value, json};

use super::overview::{Done, Overview};
use crate::text::{count, printable, wrapped};

/// Lists the points by machine and time, then the artefacts that cannot be used.
pub fn table(overview: &Overview) -> String {
    let mut text = String::new();
    for rebuilt in &overview.found.points {
        let known = overview.known.contains(&rebuilt.point.id);
        text.push_str(&format!("{} {}\n", if known { '=' } else { '+' }, line(rebuilt)));
        for finding in &rebuilt.point.findings {
            text.push_str(&format!("{}\n", wrapped(&finding.to_string(), "    ")));
        }
    }
    if overview.found.points.is_empty() {
        let regions = count(overview.regions.len(), "region");
        text.push_str(&format!(
            "no point can be rebuilt from the images and snapshots in {regions}\n"
        ));
    }
    if !overview.found.unusable.is_empty() {
        text.push_str("\nNOT USED\n");
    }
    for Unusable { region, artefact, point, why } in &overview.found.unusable {
        let of = point.as_ref().map(|point| format!(", tagged for {point}")).unwrap_or_default();
        text.push_str(&format!("{artefact} in {region}{of}\n    {}\n", printable(why)));
    }
    let known = overview.known.len();
    let new = count(overview.missing().count(), "point");
    text.push_str(&format!("\n{new} to write (+), {known} already in the ledger (=)\n"));
    text
}

/// Formats the numbers of what was written.
pub fn written_text(done: &Done) -> String {
    let (points, replicas) = (count(done.points, "point"), count(done.replicas, "replica"));
    let mut text = format!("written as unverified: {points}, {replicas}");
    if done.left_alone > 0 {
        let skipped = count(done.left_alone, "point");
        text.push_str(&format!("; skipped, already in the ledger: {skipped}"));
    }
    text
}

/// Formats the numbers of a copy.
pub fn copied_text(copied: &Copied) -> String {
    let items = count(copied.items, "item");
    let left_alone = copied.left_alone;
    format!("copied from the restored table: {items}; already in the ledger: {left_alone}")
}

fn line(rebuilt: &Rebuilt) -> String {
    let point = &rebuilt.point;
    let mut parts = vec![point.id.to_string(), point.status.to_string()];
    parts.extend(point.grade.map(|grade| grade.as_str().to_string()));
    parts.extend(point.image.as_ref().map(ToString::to_string));
    if point.image.is_none() && !point.snapshots.is_empty() {
        parts.push(count(point.snapshots.len(), "snapshot"));
    }
    for replica in &rebuilt.replicas {
        let is_undecided = replica.status == ReplicaStatus::Copying;
        let absent = if is_undecided { "not-listed" } else { "none" };
        let image = replica.image.as_ref().map_or(absent, |image| image.as_str());
        parts.push(format!("{}={image}", replica.region));
    }
    let left = point.leftovers.len();
    parts.extend((left > 0).then(|| count(left, "leftover")));
    parts.join(" ")
}

/// Formats the points and the numbers of what was written for programs.
pub fn to_json(overview: &Overview, done: &Done, copied: Option<Copied>) -> Value {
    let of = |rebuilt: &&Rebuilt| json!({ "point": rebuilt.point, "replicas": rebuilt.replicas });
    let new: Vec<Value> = overview.missing().map(|rebuilt| of(&rebuilt)).collect();
    let unusable = overview.found.unusable.iter().map(|unusable| {
        json!({
            "region": unusable.region,
            "artefact": unusable.artefact,
            "point": unusable.point,
            "why": unusable.why,
        })
    });
    let mut answer = json!({
        "regions": overview.regions,
        "rebuilt": new,
        "in_ledger": overview.known,
        "unusable": unusable.collect::<Vec<_>>(),
        "written": {
            "points": done.points,
            "replicas": done.replicas,
            "left_alone": done.left_alone,
        },
    });
    if let Some(copied) = copied {
        answer["copied"] = json!({ "items": copied.items, "left_alone": copied.left_alone });
    }
    answer
}
