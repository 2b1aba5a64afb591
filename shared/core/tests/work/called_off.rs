//! Images that are lost and called off by a person: nothing makes them again but a person.

use afterimage_core::change::{Change, Record};
use afterimage_core::flow::cancel::{Cancelled, Scope, Target, decide};
use afterimage_core::limits::later;
use afterimage_core::observed::ImageState;
use afterimage_core::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::{Event, Status};
use afterimage_core::transition::{again, loss, replicas, wanted_again};

use super::scene::{
    FRANKFURT, IRELAND, ami, at, code, confirm_input, hours, imaged, place, region, registered,
    requested, running, seen_image, snapshotted, snapshotting, written,
};

const HOME: &str = "us-east-1";

/// A point that is protected in three regions.
fn protected() -> (Point, Vec<Replica>) {
    let (point, waiting) = imaged();
    let there = waiting.into_iter().map(|replica| Replica {
        status: ReplicaStatus::Available,
        image: Some(ami(7)),
        step: replica.step.settled(),
        ..replica
    });
    let there: Vec<Replica> = there.collect();
    let change = replicas::settled(&point, there.clone()).expect("they are there");
    (change.point_written().expect("the point").clone(), there)
}

fn gone() -> Reason {
    Reason::new(Code::Lost, "it is gone")
}

/// The same point without its image at home.
fn without_home() -> (Point, Vec<Replica>) {
    let (point, replicas) = protected();
    (loss::home(&point, Place::Lost, gone(), at(hours(2))).expect("it is good"), replicas)
}

fn lose(point: &Point, replica: &Replica) -> (Point, Replica) {
    let now = at(hours(3));
    loss::replica(point, replica, ReplicaEvent::Lose, gone(), now).expect("it was there")
}

/// The same point of which nothing is left.
fn without_all() -> (Point, Vec<Replica>) {
    let (mut point, mut replicas) = without_home();
    for replica in &mut replicas {
        (point, *replica) = lose(&point, replica);
    }
    assert_eq!(point.status, Status::Lost);
    (point, replicas)
}

fn cancel((point, replicas): (Point, Vec<Replica>), scope: &Scope) -> Cancelled {
    decide(&Target { point, replicas, made_nothing: Default::default() }, scope, at(hours(4)))
        .expect("it is legal")
}

fn home() -> Scope {
    Scope::Place(region(HOME))
}

fn point_of(change: &Change) -> Point {
    let point = change.point_written().expect("the point is written").clone();
    point.check().expect("it is as it must be");
    point
}

#[test]
fn a_home_image_that_is_called_off_leaves_the_point_protected_in_its_other_places() {
    let lost = without_home().0.lost.expect("it had an image");
    let off = cancel(without_home(), &home());
    let after = point_of(&off.change.expect("a change"));
    assert_eq!((after.status, code(&after)), (Status::Protected, Some(Code::Cancelled)));
    assert_eq!((after.home_place, after.queue()), (Place::Withdrawn, None));
    assert_eq!(off.home, Some(region(HOME)));
    assert_eq!(off.kept, [region(FRANKFURT), region(IRELAND)].into());
    let codes: Vec<(Code, String)> =
        off.over.iter().map(|over| (over.code, over.artefact.to_string())).collect();
    let lost = lost.to_string();
    assert_eq!(codes, [(Code::Lost, lost.clone()), (Code::LostAgain, lost)]);
    // A command that died before the findings ended is run again.
    let again = cancel((after, protected().1), &home());
    assert_eq!((again.change, again.over), (None, off.over));
}

#[test]
fn only_a_person_has_a_home_image_made_again_that_is_called_off() {
    let off = cancel(without_home(), &home()).change.expect("a change");
    let (after, replicas) = (point_of(&off), protected().1);
    // A replica is lost and copied again meanwhile.
    let (lost, gone) = lose(&after, &replicas[0]);
    lost.check().expect("it is as it must be");
    assert_eq!((lost.status, lost.queue()), (Status::Imaged, None));
    let source = (&replicas[1].region, &ami(7));
    let reason = Reason::new(Code::Healing, "copied again");
    let (healing, copied) =
        loss::copied_again(&lost, &gone, source, reason, at(hours(5))).expect("it ended");
    let there = Replica { status: ReplicaStatus::Available, image: Some(ami(8)), ..copied };
    let whole = point_of(&replicas::settled(&healing, vec![there]).expect("it is there"));
    assert_eq!((whole.status, whole.home_place), (Status::Protected, Place::Withdrawn));
    assert!(!loss::has_lost(&whole), "nothing is to be made again");

    let now = at(hours(6));
    let all: Vec<&Replica> = replicas.iter().collect();
    let asked = wanted_again::by_person(&whole, &all, &[&region(HOME)].into(), now);
    let asked = asked.expect("it is legal").expect("a change");
    let asked = point_of(&asked);
    assert_eq!((asked.status, asked.home_place), (Status::Imaged, Place::Lost));
    assert!(asked.heal_asked && loss::has_lost(&asked) && asked.queue().is_some());
}

#[test]
fn a_point_that_has_lost_everything_stays_lost_and_is_not_looked_at() {
    let off = cancel(without_all(), &Scope::All);
    let change = off.change.expect("a change");
    let after = point_of(&change);
    assert_eq!((after.status, code(&after)), (Status::Lost, Some(Code::Cancelled)));
    assert!(!loss::has_lost(&after) && after.queue().is_none());
    assert_eq!(off.places, [region(FRANKFURT), region(IRELAND)].into());
    let replicas = change.writes.iter().filter_map(|write| match &write.record {
        Record::Replica(replica) => Some(replica.status),
        _ => None,
    });
    assert_eq!(replicas.collect::<Vec<_>>(), [ReplicaStatus::Withdrawn; 2]);
    let asked = wanted_again::by_person(&after, &[], &[&region(HOME)].into(), at(hours(6)));
    let asked = asked.expect("it is legal").expect("a change");
    assert_eq!(point_of(&asked).status, Status::Lost);
}

#[test]
fn a_copy_back_that_waits_is_called_off_and_one_that_is_made_goes_on() {
    let (point, mut replicas) = without_home();
    let source = (region(IRELAND), ami(7));
    let source = (&source.0, &source.1);
    let record = loss::home_copy(&point, source, at(hours(3)));
    let (point, record) =
        loss::copied_again(&point, &record, source, gone(), at(hours(3))).expect("it ended");
    replicas.push(record);
    let off = cancel((point.clone(), replicas.clone()), &home());
    let after = point_of(&off.change.expect("a change"));
    assert_eq!((after.status, after.home_place), (Status::Protected, Place::Withdrawn));
    assert!(off.places.is_empty(), "it is no replica");
    replicas.last_mut().expect("one").status = ReplicaStatus::Copying;
    let on = cancel((point, replicas), &home());
    assert_eq!((on.change, on.copies_go_on), (None, [region(HOME)].into()));
    assert!(on.over.is_empty(), "its finding ends once it is made");
}

#[test]
fn a_replica_that_a_person_called_off_is_not_made_when_its_home_image_is_made_again() {
    let (point, replicas) = imaged();
    let off = cancel((point.clone(), replicas.clone()), &Scope::Place(region(IRELAND)));
    let off = off.change.expect("a change");
    let mut off = off.writes.iter().filter_map(|write| match &write.record {
        Record::Replica(replica) => Some((**replica).clone()),
        _ => None,
    });
    let cancelled = off.next().expect("the replica");
    let seen = [seen_image(1, ImageState::Available)];
    let mut input = confirm_input(at(hours(1)), vec![registered()], &seen);
    input.history.insert(point.instance().clone(), vec![(point, vec![cancelled])]);
    let (points, made) = written(&afterimage_core::flow::work_requested::confirm::decide(&input));
    assert_eq!(place(&points[0], IRELAND), Some(Place::Withdrawn));
    assert!(made.iter().all(|replica| replica.region == region(FRANKFURT)), "{made:#?}");
}

#[test]
fn a_point_that_is_refused_and_looked_at_again_is_called_off() {
    let refused = requested().after(Event::Refuse).expect("legal");
    let refused = Point { step: refused.step.settled(), ..refused };
    let with = |code| Point { reason: Some(Reason::new(code, "so")), ..refused.clone() };
    let off = cancel((with(Code::NoVolumes), Vec::new()), &Scope::All);
    let after = point_of(&off.change.expect("a change"));
    assert_eq!((after.status, code(&after)), (Status::Refused, Some(Code::Cancelled)));
    // One that is refused for good does not begin.
    assert_eq!(cancel((with(Code::CallRefused), Vec::new()), &Scope::All).change, None);
}

#[test]
fn what_cannot_be_called_off_is_told_with_its_reason_for_each_place() {
    let not = |point: Point, replicas: &[Replica], scope: &Scope| {
        let off = cancel((point, replicas.to_vec()), scope);
        assert_eq!(off.change, None);
        let not: Vec<String> =
            off.not.iter().map(|(region, why)| format!("{region}: {why}")).collect();
        not.join("\n")
    };
    let made = "us-east-1: its image is being made, and what has begun is finished";
    for point in [snapshotting(&running()), snapshotted(&running()), registered()] {
        assert_eq!(not(point.clone(), &[], &home()), made);
        let later = not(point, &[], &Scope::Place(region(IRELAND)));
        assert!(later.contains("its copy is asked for once its image in us-east-1 is"), "{later}");
    }
    let (point, there) = protected();
    let told = not(point.clone(), &there, &Scope::All);
    assert_eq!(told.matches("its image is there, and Afterimage deletes no image").count(), 3);
    let told = not(point, &there, &Scope::Place(region("eu-north-1")));
    let places = "its places are eu-central-1, eu-west-1, us-east-1";
    assert_eq!(told, format!("eu-north-1: it has no place there; {places}"));
    let missed = requested().after(Event::Miss).expect("legal");
    let step = missed.step.settled();
    let reason = Some(Reason::new(Code::WindowClosed, "its window closed"));
    let told = not(Point { step, reason, ..missed }, &[], &Scope::All);
    assert_eq!(told, "us-east-1: the point is missed, and does not begin: its window closed");
    let off = cancel(without_home(), &home()).change.expect("a change");
    let told = not(point_of(&off), &there, &home());
    assert!(told.contains("called off already; `afterimage heal"), "{told}");
    let off = point_of(&cancel((requested(), Vec::new()), &Scope::All).change.expect("a change"));
    let told = not(off, &[], &Scope::All);
    assert!(told.contains("the point is withdrawn, and does not begin: called off by"), "{told}");
}

#[test]
fn a_point_that_begins_again_after_it_lost_everything_is_called_off_for_good() {
    let (lost, replicas) = without_all();
    let now = at(hours(4));
    let begun = again::point(&lost, gone(), now).expect("it is lost");
    let begun = Point {
        home_place: Place::Underway,
        healed: vec![now],
        until: Some(later(now, afterimage_core::limits::HEAL_WINDOW)),
        ..begun
    };
    let off = cancel((begun, replicas), &home());
    let after = point_of(&off.change.expect("a change"));
    assert_eq!((after.status, after.home_place), (Status::Lost, Place::Withdrawn));
    assert!(!off.over.is_empty());
}
