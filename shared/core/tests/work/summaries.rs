//! What the summary of a machine tells of a point: the places without a usable image, in whatever
//! order they were lost, and the next try, if there is one.

use afterimage_core::ids::Region;
use afterimage_core::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::Status;
use afterimage_core::summary::{Good, Latest};
use afterimage_core::transition::{loss, replicas, withdrawn};

use super::scene::{FRANKFURT, HOME, IRELAND, ami, at, hours, imaged, mins, region, requested};

const PLACES: [&str; 3] = [HOME, IRELAND, FRANKFURT];
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// What happens to the image of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Disabled,
    Gone,
}

fn protected() -> (Point, Vec<Replica>) {
    let (mut point, replicas) = imaged();
    point.status = Status::Protected;
    point.replicas.values_mut().for_each(|place| *place = Place::Available);
    let mut number = 10;
    let available = replicas.into_iter().map(|replica| {
        number += 1;
        let image = Some(ami(number));
        Replica { status: ReplicaStatus::Available, image, ..replica }
    });
    (point, available.collect())
}

fn after(point: &Point, replicas: &[Replica], name: &str, fate: Fate) -> Point {
    let reason = Reason::new(Code::Lost, format!("{name}: {fate:?}"));
    let now = at(hours(9));
    let (place, event) = match fate {
        Fate::Stays => return point.clone(),
        Fate::Disabled => (Place::Unusable, ReplicaEvent::Disable),
        Fate::Gone => (Place::Lost, ReplicaEvent::Lose),
    };
    if name == HOME {
        return loss::home(point, place, reason, now).expect("the place was good");
    }
    let replica = replicas.iter().find(|replica| replica.region == region(name));
    let replica = replica.expect("there is one");
    loss::replica(point, replica, event, reason, now).expect("it was good").0
}

#[test]
fn the_same_losses_in_any_order_give_the_same_summary() {
    let fates = [Fate::Stays, Fate::Disabled, Fate::Gone];
    for number in 0..27_usize {
        let of: [Fate; 3] = [0, 1, 2].map(|place| fates[number / 3_usize.pow(place) % 3]);
        let hit = (0..3).filter(|place| of[*place] != Fate::Stays);
        let lost: Vec<Region> = hit.map(|place| region(PLACES[place])).collect();
        for order in ORDERS {
            let (before, replicas) = protected();
            let point = order
                .iter()
                .fold(before, |point, place| after(&point, &replicas, PLACES[*place], of[*place]));
            let latest = Latest::of(&point);
            let mut told = latest.lost.clone();
            let mut expected = lost.clone();
            told.sort();
            expected.sort();
            assert_eq!(told, expected, "{of:?} in order {order:?}");
            let status = match of {
                [Fate::Stays, Fate::Stays, Fate::Stays] => Status::Protected,
                [Fate::Gone, Fate::Gone, Fate::Gone] => Status::Lost,
                _ => Status::Imaged,
            };
            assert_eq!(latest.status, status, "{of:?} in order {order:?}");
            let is_good = of.contains(&Fate::Stays);
            assert_eq!(Good::of(&point).is_some(), is_good, "{of:?} in order {order:?}");
        }
    }
}

#[test]
fn a_point_that_is_withdrawn_has_no_next_try() {
    let mut point = requested();
    point.step.failures = 2;
    point.until = Some(at(hours(2)));
    let reason = Reason::new(Code::Withdrawn, "policy gold is no longer in force");
    let point = withdrawn::point(&point, reason, at(mins(5))).expect("it has not begun");
    assert_eq!(point.step.due_at, point.until, "it is taken up again until its window closes");
    assert_eq!(Latest::of(&point).next_at, None);
}

#[test]
fn a_reason_that_is_over_is_not_told_while_another_place_is_on_its_way() {
    let (before, replicas) = protected();
    let reason = Reason::new(Code::ImageDisabled, "the image in Frankfurt was disabled");
    let mut point = Point { status: Status::Imaged, reason: Some(reason), ..before };
    point.replicas.insert(region(IRELAND), Place::Underway);
    point.replicas.insert(region(FRANKFURT), Place::Unusable);
    let enabled = replicas.into_iter().find(|replica| replica.region == region(FRANKFURT));
    let change = replicas::settled(&point, enabled.into_iter().collect()).expect("it is imaged");
    let point = change.point_written().expect("the point is written");
    let told = Latest::of(point).reason.expect("Ireland is not there yet");
    assert_eq!(told.to_string(), "the image in eu-west-1 is not there yet (healing)");
}
