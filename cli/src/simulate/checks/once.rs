//! Once. No place ever has two available images of one point that we made within one life of the
//! place. An image that a person restored or enabled is that person's doing, and does not count.
//! And no slot of a policy and a machine ever has two points.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_cloud::ec2::state::ImageState;

use super::case::Case;

pub fn wrong(case: &Case<'_>) -> Option<String> {
    let seen = case.seen;
    let mut places: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut slots: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for image in seen.images.iter().filter(|image| image.is_ours) {
        let label = &image.label;
        let is_counted =
            image.state == ImageState::Available && !case.record.brought_back.contains(&image.id);
        if is_counted {
            places.entry((&label.point, image.region)).or_default().push(&image.id);
        }
        slots.entry((&label.policy, &label.machine, &label.slot)).or_default().insert(&label.point);
    }
    for snapshot in seen.snapshots.iter().filter(|snapshot| snapshot.is_ours) {
        let label = &snapshot.label;
        slots.entry((&label.policy, &label.machine, &label.slot)).or_default().insert(&label.point);
    }
    let twice = places.into_iter().find(|(_, images)| images.len() > 1);
    let twice = twice.map(|((point, region), images)| {
        format!("{point} has {} available images in {region}: {}", images.len(), images.join(", "))
    });
    twice.or_else(|| {
        let ((policy, machine, slot), points) = slots.into_iter().find(|(_, it)| it.len() > 1)?;
        let points = points.into_iter().collect::<Vec<_>>().join(", ");
        Some(format!("slot `{slot}` of {machine} under {policy} has several points: {points}"))
    })
}
