//! Snapshots that EC2 made for a copy: they are ours for as long as the ledger names the copy,
//! whether EC2 lists it or not.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::flow::artefact_audit::{Doubted, Tagged, look};
use afterimage_core::observed::{Complete, ObservedSnapshot};
use afterimage_core::point::Point;

use crate::tagged::{AWAY, HOME, ID, id, point, replica, snapshot};
use crate::{at, region, render};

/// Looks at a snapshot that was copied for an image which EC2 does not list.
fn look_at(place: &str, copied_for: &str, change: impl FnOnce(&mut Point)) -> String {
    let mut point = point();
    let replica = replica(&point);
    change(&mut point);
    let copied_for = Some(id(copied_for));
    let snapshot = ObservedSnapshot { copied_for, ..snapshot("snap-0000000c", "vol-ffffffff") };
    let tagged = Tagged {
        snapshots: BTreeMap::from([(region(place), Complete(vec![snapshot]))]),
        images: BTreeMap::from([(region(place), Complete(Vec::new()))]),
        points: BTreeMap::from([(id(ID), point)]),
        replicas: BTreeMap::from([((id(ID), region(AWAY)), replica)]),
        ..Tagged::default()
    };
    render(&look(
        &tagged,
        Doubted { homes: &BTreeSet::new(), points: &BTreeSet::new() },
        at("2026-01-07T12:00:00Z"),
    ))
}

#[test]
fn the_snapshots_of_a_copy_that_the_ledger_names_are_ours_though_it_is_not_listed() {
    assert_eq!(look_at(AWAY, "ami-0000000a", |_| ()), "");
    let copied_back = |point: &mut Point| point.image = Some(id("ami-00000007"));
    assert_eq!(look_at(HOME, "ami-00000007", copied_back), "");
    let lost = |point: &mut Point| (point.image, point.lost) = (None, Some(id("ami-00000007")));
    assert_eq!(look_at(HOME, "ami-00000007", lost), "");
}

#[test]
fn the_snapshots_of_another_copy_or_in_another_region_are_foreign() {
    for (place, copied_for) in [(AWAY, "ami-00000009"), (HOME, "ami-0000000a")] {
        let said = look_at(place, copied_for, |_| ());
        assert!(said.contains("snap-0000000c") && said.contains("(foreign)"), "{said}");
    }
}
