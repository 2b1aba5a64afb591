//! Truth. What `status` calls the newest good point of a machine has, at home and in every region
//! that it names, an image of ours that is available and whose keys can be used; a point of
//! snapshots has its snapshots. And no usable image of ours is passed over: if a point that was
//! requested after the newest good one was taken has a usable image, status names that point or one
//! as new. Both within two hours: what changed later need not be known yet. Nothing is asked of a
//! region while it is dark, or of anything while the seat is.

use serde_json::Value;

use super::super::seen::{Image, Row, Seen};
use super::case::{Case, Wrong};

/// Lists what status says and EC2 does not have, and what EC2 has and status passes over.
pub fn wrong(case: &Case<'_>) -> Vec<Wrong> {
    let seen = case.seen;
    if seen.status.is_none() {
        return Vec::new();
    }
    let mut wrong: Vec<Wrong> = seen.rows().flat_map(|row| claims(seen, row)).collect();
    wrong.extend(seen.usable().filter_map(|image| passed_over(seen, image)));
    wrong
}

fn claims(seen: &Seen, row: Row<'_>) -> Vec<Wrong> {
    let Some(good) = row.good() else { return Vec::new() };
    let point = good["point"].as_str().unwrap_or_default();
    let home = row.region();
    let mut wrong = Vec::new();
    let mut say = |region: &str, what: &str| {
        let key = format!("claim {} {} {point} {region}", row.machine(), row.policy());
        let text = format!("status calls {point} good in {region}, {what}; {}", row.text());
        wrong.push(Wrong { key, region: region.to_string(), text });
    };
    let replicas = good["replicas"].as_array().map(Vec::as_slice).unwrap_or_default();
    match good["image"].as_str() {
        Some(id) => match seen.images.iter().find(|image| image.id == id) {
            Some(image) if image.is_usable && image.region == home => {}
            Some(image) => {
                say(home, &format!("and its image {id} is {:?}, or of no use", image.state))
            }
            None => say(home, &format!("and its image {id} is gone")),
        },
        None if replicas.is_empty() && good["home_lost"] != true => {
            let is_there = seen.snapshots.iter().any(|snapshot| {
                snapshot.label.point == point && snapshot.region == home && snapshot.is_usable
            });
            if !is_there {
                say(home, "and its snapshots are gone");
            }
        }
        None => {}
    }
    for region in replicas.iter().filter_map(Value::as_str) {
        if !seen.has_usable(point, region) {
            say(region, "and no usable image of it is there");
        }
    }
    wrong
}

fn passed_over(seen: &Seen, image: &Image) -> Option<Wrong> {
    let label = &image.label;
    let is_of = |row: &Row<'_>| row.machine() == label.machine && row.policy() == label.policy;
    let row = seen.rows().find(is_of);
    let requested = label.requested?;
    if row.and_then(Row::taken_at).is_some_and(|taken| taken >= requested) {
        return None;
    }
    let shown = row.map_or_else(|| "no row".to_string(), Row::text);
    Some(Wrong {
        key: format!("passed over {}", image.id),
        region: image.region.to_string(),
        text: format!(
            "{} of point {} in {} can be used, and status passes it over: {shown}",
            image.id, label.point, image.region
        ),
    })
}
