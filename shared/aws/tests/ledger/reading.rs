//! Queues, batches and partitions: all of what was asked for, as it is now.

use std::time::Duration;

use afterimage_aws::Ledger;
use afterimage_core::command::Change;
use afterimage_core::flow::InFlight;
use afterimage_core::ids::ResourceId;
use afterimage_core::point::Point;
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::Event;
use afterimage_core::work::{Kind, Queue};

use super::records::{
    all_new, new, pending, protected, registered, requested, snapshotted, waiting,
};
use super::stand_in::{self, Answer};
use super::{AWAY, SEAT, TABLE, World, instance, queue, region, second, world, world_with};

async fn in_flight(world: &World, of: &Queue, until: Option<i64>) -> Vec<InFlight> {
    world.ledger.queue(of, until.map(second)).await.expect("the ledger can be read")
}

fn resource(text: &str) -> ResourceId {
    ResourceId::try_from(text.to_string()).expect("an id")
}

fn missed(point: &Point) -> Change {
    let mut missed = point.after(Event::Miss).expect("it may be");
    missed.reason = Some(Reason::new(Code::TooLong, "its window closed"));
    Change::point(missed)
}

#[test]
fn a_queue_has_what_stands_in_it_the_longest_due_first() {
    world(async |world| {
        for (number, at) in [(1, 30), (2, 10), (3, 20)] {
            world.write(&new(&requested(instance(number), at)), "a").await;
        }
        let snapshots = queue(Kind::Snapshot, SEAT);
        let due = |found: Vec<InFlight>| -> Vec<_> {
            found.into_iter().map(|record| (record.point, record.due_at)).collect()
        };
        let expected = [(2, 10), (3, 20), (1, 30)]
            .map(|(number, at)| (requested(instance(number), at).id, second(at)));
        assert_eq!(due(in_flight(&world, &snapshots, None).await), expected);
        assert_eq!(due(in_flight(&world, &snapshots, Some(20)).await), expected[..2]);
        assert_eq!(due(in_flight(&world, &snapshots, Some(9)).await), []);
        assert_eq!(due(in_flight(&world, &queue(Kind::Snapshot, AWAY), None).await), []);
        assert_eq!(due(in_flight(&world, &queue(Kind::Register, SEAT), None).await), []);
    });
}

#[test]
fn a_queue_tells_what_is_awaited_and_forgets_what_is_settled() {
    world(async |world| {
        let point = snapshotted(instance(1), 0);
        world.write(&new(&point), "a").await;
        let register = queue(Kind::Register, SEAT);
        let found = in_flight(&world, &register, None).await;
        assert_eq!(found[0].awaits, [resource("snap-00000001"), resource("snap-00000002")]);
        let mut settled = protected(instance(1), 0);
        settled.step = point.step.settled();
        world.write(&Change::point(settled), "b").await;
        assert!(in_flight(&world, &register, None).await.is_empty());
        assert!(in_flight(&world, &queue(Kind::Confirm, SEAT), None).await.is_empty());
    });
}

#[test]
fn each_kind_of_queue_finds_its_records() {
    world(async |world| {
        let points = [registered(instance(1), 5), protected(instance(2), 0)];
        let copies = [waiting(&points[1], 7)];
        world.write(&all_new(&points, &copies), "a").await;
        let other = protected(instance(3), 0);
        world.write(&all_new(std::slice::from_ref(&other), &[pending(&other, 9)]), "a").await;
        let records = async |of: &Queue| {
            let found = in_flight(&world, of, None).await;
            world.ledger.records(&found, of).await.expect("the ledger can be read")
        };
        let [home, away] = [SEAT, AWAY].map(|name| queue(Kind::Confirm, name));
        assert_eq!(records(&home).await, (vec![points[0].clone()], vec![]));
        assert_eq!(records(&away).await, (vec![], vec![pending(&other, 9)]));
        assert_eq!(records(&queue(Kind::Copy, AWAY)).await, (vec![], copies.to_vec()));
        assert_eq!(in_flight(&world, &away, None).await[0].awaits, [resource("ami-00000002")]);
    });
}

#[test]
fn what_has_left_a_queue_is_nominated_for_a_while_and_not_handed_out() {
    world_with(
        |config| config.lag.index_reads = Some(Duration::from_secs(5)),
        async |world| {
            let points = [requested(instance(1), 0), requested(instance(2), 1)];
            for point in &points {
                world.write(&new(point), "a").await;
            }
            let snapshots = queue(Kind::Snapshot, SEAT);
            assert!(in_flight(&world, &snapshots, None).await.is_empty());
            world.later(6).await;
            world.write(&missed(&points[0]), "b").await;
            let nominated = in_flight(&world, &snapshots, None).await;
            assert_eq!(nominated.len(), 2);
            let found = world.ledger.records(&nominated, &snapshots).await;
            let (found, replicas) = found.expect("the ledger can be read");
            assert_eq!((found, replicas.len()), (vec![points[1].clone()], 0));
        },
    );
}

#[test]
fn two_hundred_records_are_read_in_batches_and_keep_their_order() {
    world(async |world| {
        // The longest due has the highest number, so that no order of keys looks like theirs.
        let points: Vec<Point> =
            (0..210).map(|nth| requested(instance(1000 - nth), nth as i64)).collect();
        for some in points.chunks(100) {
            world.write(&all_new(some, &[]), "a").await;
        }
        let snapshots = queue(Kind::Snapshot, SEAT);
        let nominated = in_flight(&world, &snapshots, None).await;
        // An index that moves between two pages may nominate twice.
        let twice: Vec<InFlight> = nominated.iter().chain(&nominated[..3]).cloned().collect();
        let (found, made) = world.requests(world.ledger.records(&twice, &snapshots)).await;
        assert_eq!(found.expect("the ledger can be read").0, points);
        assert_eq!(made, ["BatchGetItem"; 3]);
    });
}

#[test]
fn what_a_batch_left_over_is_asked_for_again() {
    // DynamoDB API reference, BatchGetItem: at most 16 MB, the rest are UnprocessedKeys.
    world(async |world| {
        let points: Vec<Point> = (0..70)
            .map(|nth| {
                let mut point = requested(instance(nth), 0);
                point.leftovers = vec![resource(&format!("snap-{}", "a".repeat(300_000)))];
                point
            })
            .collect();
        for some in points.chunks(10) {
            world.write(&all_new(some, &[]), "a").await;
        }
        let ids: Vec<_> = points.iter().map(|point| point.id.clone()).collect();
        let (found, made) = world.requests(world.ledger.points(&ids)).await;
        assert_eq!(found.expect("the ledger can be read").len(), 70);
        assert_eq!(made, ["BatchGetItem"; 2]);
    });
}

/// Reads three points of which a batch brings none, so many times.
async fn idle(world: &World, times: u64) -> Result<usize, &'static str> {
    let answer = Answer {
        operation: "BatchGetItem",
        status: 200,
        body: r#"{"Responses": {}, "UnprocessedKeys": {"afterimage": {"Keys": [
            {"pk": {"S": "machine#i-00000000000000001"},
             "sk": {"S": "point#gold-00000000000000001-at-20260101T000000Z"}}]}}}"#,
        times,
    };
    let config = stand_in::config(&world.cloud.sdk_config(SEAT), answer);
    let ledger = Ledger::new(&config, TABLE, "second");
    let point = requested(instance(1), 0);
    world.write(&new(&point), "a").await;
    let found = ledger.points(&[point.id]).await;
    found.map(|found| found.len()).map_err(|failure| failure.code())
}

#[test]
fn a_batch_that_brings_nothing_is_repeated_but_not_for_ever() {
    world(async |world| assert_eq!(idle(&world, 7).await, Ok(1)));
    world(async |world| assert_eq!(idle(&world, 1000).await, Err("ledger-unavailable")));
}

#[test]
fn what_is_not_there_is_missing() {
    world(async |world| {
        let (there, not) = (registered(instance(1), 0), registered(instance(2), 0));
        world.write(&all_new(std::slice::from_ref(&there), &[waiting(&there, 0)]), "a").await;
        let (ids, away) = ([there.id.clone(), not.id.clone()], region(AWAY));
        let points = world.ledger.points(&ids).await.expect("the ledger can be read");
        assert_eq!(points.into_values().collect::<Vec<_>>(), std::slice::from_ref(&there));
        let names = ids.clone().map(|id| (id, away.clone()));
        let replicas = world.ledger.replicas_of(&names).await.expect("the ledger can be read");
        let expected = [((there.id.clone(), away), waiting(&there, 0))];
        assert_eq!(replicas.into_iter().collect::<Vec<_>>(), expected);
        let (none, made) = world.requests(world.ledger.points(&[])).await;
        assert!(none.expect("nothing is asked").is_empty() && made.is_empty());
    });
}

#[test]
fn a_machine_has_all_its_points_each_with_its_replicas() {
    world(async |world| {
        let (first, second) = (protected(instance(1), 0), protected(instance(1), 60));
        let other = protected(instance(2), 0);
        let mut elsewhere = waiting(&first, 0);
        elsewhere.region = region("eu-central-1");
        let replicas = [elsewhere.clone(), waiting(&first, 0), waiting(&other, 0)];
        let points = [second.clone(), first.clone(), other];
        world.write(&all_new(&points, &replicas), "a").await;
        let (found, made) = world.requests(world.ledger.points_of(&instance(1))).await;
        let replicas = vec![elsewhere, waiting(&first, 0)];
        assert_eq!(found.expect("the ledger can be read"), [(first, replicas), (second, vec![])]);
        assert_eq!(made, ["Query"]);
    });
}
