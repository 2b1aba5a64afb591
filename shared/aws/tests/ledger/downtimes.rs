//! Downtimes and the roster: together or not at all, and never two machines on one place.

use afterimage_aws::ledger::Written;
use afterimage_core::command::{Change, Write};
use afterimage_core::downtime::{Downtime, DowntimeEvent, Roster};
use afterimage_core::point::Step;
use afterimage_core::work::Kind;

use super::records::{requested, snapshotted};
use super::{SEAT, instance, queue, region, second, world};

fn wanted(number: usize) -> Downtime {
    Downtime::wanted(&requested(instance(number), 0), second(0))
}

fn asked_for(downtime: &Downtime) -> Change {
    Change { writes: vec![Write::new_downtime(downtime.clone())], summary: None }
}

/// It is its turn: the intent to stop, with its place.
fn stopping(downtime: &Downtime, roster: &Roster) -> Change {
    let stopping = Downtime {
        step: Step { begun_at: Some(second(9)), due_at: Some(second(39)), ..Step::default() },
        launched: Some(second(-3600)),
        begun_at: Some(second(9)),
        ..downtime.after(DowntimeEvent::Stop).expect("it waits")
    };
    let roster = roster.clone().with(&stopping);
    let writes = vec![Write::downtime(stopping), Write::roster(roster)];
    Change { writes, summary: None }
}

#[test]
fn a_downtime_is_read_as_it_was_written() {
    world(async |world| {
        let downtime = wanted(1);
        assert_eq!(world.write(&asked_for(&downtime), "one").await, Written::Done);
        assert_eq!(world.write(&asked_for(&downtime), "two").await, Written::Lost, "once");
        let read = world
            .ledger
            .downtimes(std::slice::from_ref(&downtime.point))
            .await
            .expect("it is read");
        assert_eq!(read.into_values().collect::<Vec<_>>(), [downtime]);
    });
}

#[test]
fn it_stands_in_the_queue_of_its_kind_and_no_other() {
    world(async |world| {
        let downtime = wanted(1);
        world.write(&asked_for(&downtime), "one").await;
        for kind in Kind::ALL {
            let found = world.ledger.queue(&queue(kind, SEAT), None).await.expect("it is asked");
            let points: Vec<_> = found.into_iter().map(|found| found.point).collect();
            let expected = if kind == Kind::Power { vec![downtime.point.clone()] } else { vec![] };
            assert_eq!(points, expected, "{kind}");
        }
    });
}

#[test]
fn it_is_not_taken_for_a_point_or_a_replica_of_its_machine() {
    world(async |world| {
        let point = snapshotted(instance(1), 0);
        let new = super::records::new(&point);
        assert_eq!(world.write(&new, "one").await, Written::Done);
        world.write(&asked_for(&Downtime::wanted(&point, second(0))), "two").await;
        let read = world.ledger.points_of(&instance(1)).await.expect("they are read");
        assert_eq!(read.len(), 1);
        assert!(read[0].1.is_empty(), "it has no replica");
    });
}

#[test]
fn two_that_saw_the_same_roster_do_not_both_get_a_place() {
    world(async |world| {
        let (one, other) = (wanted(1), wanted(2));
        world.write(&asked_for(&one), "one").await;
        world.write(&asked_for(&other), "one").await;
        let roster = world.ledger.roster().await.expect("there is none yet");
        assert_eq!(roster, Roster::default());
        assert_eq!(world.write(&stopping(&one, &roster), "one").await, Written::Done);
        assert_eq!(world.write(&stopping(&other, &roster), "two").await, Written::Lost);
        let roster = world.ledger.roster().await.expect("it is read");
        assert_eq!(roster.points_in(&region(SEAT)), std::slice::from_ref(&one.point));
        let read =
            world.ledger.downtimes(std::slice::from_ref(&other.point)).await.expect("it is read");
        assert_eq!(read[&other.point], other, "nothing of it was written");
        // Whoever reads again gets the next one.
        assert_eq!(world.write(&stopping(&other, &roster), "two").await, Written::Done);
    });
}

#[test]
fn the_roster_is_part_of_what_is_in_force() {
    world(async |world| {
        let downtime = wanted(1);
        world.write(&asked_for(&downtime), "one").await;
        world.write(&stopping(&downtime, &Roster::default()), "one").await;
        let in_force = world.ledger.in_force().await.expect("it is read");
        assert!(in_force.roster.has(&instance(1)));
        // Whatever became of its policy, its region is looked at.
        assert!(in_force.queues().contains(&queue(Kind::Power, SEAT)));
    });
}
