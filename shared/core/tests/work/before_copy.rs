//! The look before a copy: what the region has already is not made again.

use std::collections::BTreeMap;

use afterimage_core::command::{Command, Decision};
use afterimage_core::flow::work_requested::Input as Work;
use afterimage_core::flow::work_requested::before_copy::{There, to_read};
use afterimage_core::flow::work_requested::confirm;
use afterimage_core::flow::work_requested::copy::{self, Input};
use afterimage_core::flow::work_requested::images::Healing;
use afterimage_core::ids::AmiId;
use afterimage_core::limits::PROBE_EVERY;
use afterimage_core::observed::{Complete, ImageState, ObservedImage};
use afterimage_core::point::{Place, Point, Replica, ReplicaStatus, Step};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::Status;

use crate::scene::{
    HOME, IRELAND, NAME, ami, at, code, confirm_input, gold, hours, imaged, no_obstacles, our_tags,
    point_in, region, replica_in, seen_image, snap,
};

/// A replica in Ireland of which a rebuild could not tell whether it exists.
fn undecided() -> (Point, Replica) {
    let (point, replicas) = imaged();
    let replica = replicas.into_iter().find(|it| it.region == region(IRELAND)).expect("a replica");
    let step = Step { begun_at: Some(at(0)), due_at: Some(at(0)), ..Step::default() };
    let reason = Some(Reason::new(Code::NotListed, "eu-west-1 was not listed"));
    (point, Replica { status: ReplicaStatus::Copying, step, reason, ..replica })
}

fn input(replica: &Replica, point: &Point, there: Option<There>) -> Input {
    Input {
        now: at(hours(1)),
        replicas: vec![replica.clone()],
        points: BTreeMap::from([(point.id.clone(), point.clone())]),
        in_force: gold(),
        named: BTreeMap::new(),
        obstacles: no_obstacles(IRELAND),
        keys: BTreeMap::new(),
        summaries: BTreeMap::new(),
        there,
    }
}

/// The decision once Ireland was listed.
fn decided(images: Vec<ObservedImage>) -> Decision {
    let (point, replica) = undecided();
    let tagged = BTreeMap::from([(point.id.clone(), Complete(images))]);
    copy::decide(&input(&replica, &point, Some(There { tagged, ..There::default() })))
}

/// An image in Ireland that an attempt has copied.
fn copied(number: u32, attempt: u32, state: ImageState) -> ObservedImage {
    ObservedImage {
        name: format!("{NAME}-{attempt}"),
        source: Some((region(HOME), ami(1))),
        tags: our_tags(&[("afterimage:attempt", &attempt.to_string())]),
        ..seen_image(number, state)
    }
}

fn is_called(decision: &Decision) -> bool {
    decision.commands.iter().any(|command| matches!(command, Command::Call(_)))
}

#[test]
fn a_copy_that_the_region_has_is_the_replica() {
    let images = vec![
        copied(7, 0, ImageState::Failed),
        copied(8, 2, ImageState::Available),
        copied(9, 1, ImageState::Pending),
    ];
    let decision = decided(images);
    let replica = replica_in(&decision);
    assert!(!is_called(&decision), "{decision:?}");
    assert_eq!((replica.status, &replica.image), (ReplicaStatus::Pending, &Some(ami(8))));
    assert_eq!((replica.step.attempt, replica.step.due_at), (2, Some(at(hours(1)))));
    assert_eq!(replica.leftovers, [ami(7).into(), ami(9).into()]);
}

#[test]
fn a_replica_that_a_complete_listing_does_not_show_waits_for_a_name_that_nothing_has() {
    let other = ObservedImage {
        source: Some((region(HOME), ami(2))),
        ..copied(7, 0, ImageState::Available)
    };
    for (images, attempt) in
        [(Vec::new(), 0), (vec![other], 0), (vec![copied(7, 1, ImageState::Failed)], 2)]
    {
        let decision = decided(images);
        let replica = replica_in(&decision);
        assert!(!is_called(&decision), "it is wanted or not, like any other: {decision:?}");
        assert_eq!((replica.status, &replica.image), (ReplicaStatus::Waiting, &None));
        assert_eq!(replica.step.attempt, attempt);
        assert_eq!(replica.reason.map(|reason| reason.code), Some(Code::NotRebuilt));
    }
}

#[test]
fn while_the_region_cannot_be_read_nothing_is_decided_and_the_next_look_is_claimed() {
    let (point, replica) = undecided();
    let unread = input(&replica, &point, None);
    assert_eq!(copy::decide(&unread), Decision::default());
    assert_eq!(Work::Copy(unread).again().look_after, Some(PROBE_EVERY));
    // So it is of one that was lost and waits: it may have been restored.
    let lost = Replica { lost: Some(ami(5)), ..imaged().1.remove(0) };
    let points = BTreeMap::from([(point.id.clone(), point.clone())]);
    assert_eq!(to_read(std::slice::from_ref(&lost), &points).images, [ami(5)]);
    assert_eq!(copy::decide(&input(&lost, &point, None)), Decision::default());
    let nothing = Some(There::default());
    assert!(is_called(&copy::decide(&input(&lost, &point, nothing))));
}

/// A replica in Ireland that was lost, and waits to be copied again.
fn again() -> (Point, Replica) {
    let (point, replicas) = imaged();
    let replica = replicas.into_iter().find(|it| it.region == region(IRELAND)).expect("a replica");
    let step = Step { attempt: 1, first: 1, due_at: Some(at(0)), ..Step::default() };
    (point, Replica { step, lost: Some(ami(5)), ..replica })
}

/// The image of a point at home, as it was registered again.
fn registered_again(point: &Point) -> ObservedImage {
    ObservedImage {
        name: format!("{NAME}-1"),
        tags: our_tags(&[("afterimage:attempt", "1")]),
        source: None,
        snapshots: point.snapshots.values().cloned().collect(),
        ..seen_image(2, ImageState::Available)
    }
}

/// The image that a place gets that is made again; none if it is copied. `sources` are the images
/// at home.
fn image_again(image: &ObservedImage, sources: Vec<ObservedImage>) -> Option<AmiId> {
    let (point, replica) = again();
    let tagged = BTreeMap::from([(point.id.clone(), Complete(vec![image.clone()]))]);
    let sources = sources.into_iter().map(|source| (region(HOME), source)).collect();
    let there = There { tagged, sources, ..There::default() };
    let decision = copy::decide(&input(&replica, &point, Some(there)));
    let after = replica_in(&decision);
    match is_called(&decision) {
        true => assert_eq!((after.status, &after.image), (ReplicaStatus::Copying, &None)),
        false => assert_eq!(after.status, ReplicaStatus::Pending),
    }
    after.image
}

#[test]
fn a_copy_that_the_facts_vouch_for_is_the_image_of_a_place_that_is_made_again() {
    let (point, _) = again();
    let home = registered_again(&point);
    for attempt in [0, 1, 4] {
        let copy = copied(7, attempt, ImageState::Available);
        assert_eq!(image_again(&copy, Vec::new()), Some(ami(7)), "{attempt}");
        let source = Some((region(HOME), ami(2)));
        let of_home = ObservedImage { source, ..copy };
        assert_eq!(image_again(&of_home, vec![home.clone()]), Some(ami(7)), "{attempt}");
    }
}

#[test]
fn a_copy_that_the_facts_do_not_vouch_for_is_not_the_image_of_a_place() {
    let (point, _) = again();
    let home = registered_again(&point);
    let copy = copied(7, 1, ImageState::Available);
    let of_home = ObservedImage { source: Some((region(HOME), ami(2))), ..copy.clone() };
    let other_disk = ObservedImage { snapshots: vec![snap(99)], ..home.clone() };
    let renamed = ObservedImage { name: "golden".into(), ..home.clone() };
    for sources in [vec![], vec![other_disk], vec![renamed]] {
        assert_eq!(image_again(&of_home, sources.clone()), None, "{sources:#?}");
    }
    let registered = ObservedImage { source: None, ..copy.clone() };
    let misnamed = ObservedImage { name: format!("{NAME}-2"), ..copy.clone() };
    let lost = ObservedImage { id: ami(5), state: ImageState::Disabled, ..copy.clone() };
    let failed = ObservedImage { state: ImageState::Failed, ..copy.clone() };
    for image in [registered, misnamed, lost, failed] {
        assert_eq!(image_again(&image, vec![home.clone()]), None, "{image:#?}");
    }
}

/// A copy that the ledger does not know takes the place of one that is gone, while all others are
/// lost for longer: the point says why it is not protected.
#[test]
fn a_copy_that_is_all_that_is_left_is_taken_and_the_point_says_what_is_missing() {
    let (mut point, replicas) = imaged();
    let mut replica = replicas.into_iter().find(|it| it.region == region(IRELAND)).expect("one");
    point.lost = point.image.take();
    point.home_place = Place::Lost;
    point.reason = Some(Reason::new(Code::Lost, "the image in us-east-1 is gone"));
    point.replicas.values_mut().for_each(|place| *place = Place::Lost);
    point.replicas.insert(region(IRELAND), Place::Available);
    replica.status = ReplicaStatus::Available;
    replica.image = Some(ami(5));
    replica.missing_since = Some(at(0));
    let replica = replica.due_now(at(hours(9)));
    let copy = copied(7, 1, ImageState::Available);
    let tagged = BTreeMap::from([(point.id.clone(), Complete(vec![copy]))]);
    let mut input = confirm_input(at(hours(9)), Vec::new(), &[]);
    input.replicas.push(replica.clone());
    input.points_of_replicas.insert(point.id.clone(), point.clone());
    let there = Some(There { tagged, ..There::default() });
    input.healing = Healing { in_force: gold(), there, ..Healing::default() };
    let decision = confirm::decide(&input);
    assert_eq!(replica_in(&decision).image, Some(ami(7)), "{decision:#?}");
    let point = point_in(&decision);
    assert_eq!((point.status, code(&point)), (Status::Imaged, Some(Code::Healing)));
    assert_eq!(point.check(), Ok(()));
}
