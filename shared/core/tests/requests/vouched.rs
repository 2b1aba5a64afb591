//! Artefacts that the index of places vouches for, so that no point is read for them.

use std::collections::BTreeSet;

use afterimage_core::flow::artefact_audit;
use afterimage_core::flow::held::{Held, keys_in_turn};
use afterimage_core::limits::LOOK_EVERY;
use afterimage_core::observed::Complete;

use crate::tagged::{HOME, ID, id, image, snapshot};
use crate::{region, resource};

/// The place of the point at home, as the index of places has it.
fn held_at_home() -> Vec<Held> {
    vec![Held {
        point: id(ID),
        region: region(HOME),
        is_replica: false,
        artefacts: vec![resource("ami-00000001")],
        is_unusable: false,
        missing_since: None,
    }]
}

#[test]
fn what_the_index_of_places_has_needs_no_point_whatever_its_tag_says() {
    let mut image = image("ami-00000001", &["snap-00000001", "snap-00000002"]);
    let other = "gold-0aaaaaaaaaaaaaaa1-at-20260105T190000Z";
    image.tags.insert("afterimage:point".into(), other.into());
    let images = Complete(vec![image]);
    let snapshots = Complete(vec![snapshot("snap-00000001", "vol-00000001")]);
    let vouched = artefact_audit::vouched(&held_at_home(), &images, false);
    let is_vouched = |artefact: &str| vouched.contains(&resource(artefact));
    assert!(is_vouched("ami-00000001") && is_vouched("snap-00000001"));
    assert!(!is_vouched("snap-00000003"), "it is not of the image");
    assert!(artefact_audit::named(&vouched, &images, &snapshots).is_empty());
    let none = artefact_audit::vouched(&[], &images, false);
    assert_eq!(artefact_audit::named(&none, &images, &snapshots).len(), 2);
}

#[test]
fn every_key_of_a_region_is_read_in_its_turn() {
    for count in [0, 1, 200, 201, 450] {
        let arns: BTreeSet<String> = (0..count).map(|nth| format!("key-{nth:03}")).collect();
        let mut now = "2026-01-01T00:10:00Z".parse().expect("an instant");
        let mut read: BTreeSet<&String> = BTreeSet::new();
        for _ in 0..3 {
            let keys = keys_in_turn(&arns, now);
            assert!(keys.len() <= 200, "{count}: {}", keys.len());
            read.extend(keys);
            now += LOOK_EVERY;
        }
        assert_eq!(read.len(), count, "three audits read them all");
    }
}
