//! Images of ours that EC2 lists and no place has: a person is told of each once.

use std::collections::BTreeMap;

use afterimage_core::flow::artefact_audit::Tagged;
use afterimage_core::flow::reconcile_tick::{Input, decide};
use afterimage_core::observed::Complete;
use afterimage_core::point::{Place, Point};
use jiff::Timestamp;

use crate::sweep::quiet;
use crate::tagged::{HOME, ID, id, image, point};
use crate::{at, region, render, resource};

/// Looks at an image that is a leftover of its point, and returns what is told.
fn told(change: impl FnOnce(&mut Point)) -> Vec<String> {
    told_of(change, Some(at("2026-01-07T09:40:00Z")))
}

/// The same, if EC2 made the other image at this time.
fn told_of(change: impl FnOnce(&mut Point), made_at: Option<Timestamp>) -> Vec<String> {
    let mut point = point();
    point.leftovers = vec![resource("ami-0000000e")];
    change(&mut point);
    let mut images = ["ami-00000001", "ami-0000000e"].map(|name| image(name, &[]));
    images[0].created_at = made_at;
    let tagged = Tagged {
        images: BTreeMap::from([(region(HOME), Complete(images.to_vec()))]),
        points: BTreeMap::from([(id(ID), point)]),
        ..Tagged::default()
    };
    let decision = decide(&Input { tagged: Some(tagged), ..quiet() });
    let lines = render(&decision);
    lines.lines().filter(|line| line.contains("(surplus)")).map(str::to_string).collect()
}

#[test]
fn an_image_in_whose_place_another_was_made_is_told_with_the_time_if_that_is_known() {
    let again = told(|point| point.healed = vec![at("2026-01-07T09:36:00Z")]);
    assert_eq!(again.len(), 1, "{again:?}");
    let says = "has ami-00000001 in its place, made at 2026-01-07 09:40 UTC. It is kept;";
    assert!(again[0].contains(says), "the time is that of EC2: {again:?}");
    let adopted = told_of(|point| point.unverified = true, None);
    assert_eq!(adopted.len(), 1, "{adopted:?}");
    assert!(adopted[0].contains("has ami-00000001 in its place. It is kept;"), "{adopted:?}");
}

#[test]
fn an_image_that_a_try_left_is_not_told() {
    assert_eq!(told(|_| ()), Vec::<String>::new());
}

#[test]
fn an_image_whose_place_is_lost_again_is_told_as_one_that_is_there() {
    let lost = told(|point| {
        point.healed = vec![at("2026-01-07T09:36:00Z")];
        point.home_place = Place::Lost;
        point.lost = point.image.take();
    });
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].contains("had another image in its place, which is lost"), "{lost:?}");
    let says = "Machines can be started from it by hand, unless its key is gone";
    assert!(lost[0].contains(says), "{lost:?}");
}
