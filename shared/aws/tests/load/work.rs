//! One round of a worker: what is due, what EC2 says of it, and when to look.

use std::collections::BTreeMap;

use afterimage_aws::{Aws, Context};
use afterimage_core::flow::WorkRequested;
use afterimage_core::flow::work_requested::Input;
use afterimage_core::limits::LOOK_AT_ONCE;
use afterimage_core::point::Point;
use afterimage_core::status::Status;
use afterimage_core::work::{Kind, Queue};
use afterimage_core::worker::Worker;
use afterimage_support::records;
use afterimage_support::worker::next_input;
use jiff::Timestamp;

use super::{SEAT, World, instance, region, secs, started, world, world_with};

fn work(kind: Kind) -> WorkRequested {
    WorkRequested { queue: Queue { region: region(SEAT), kind }, hop: 0 }
}

/// What a worker decides on first.
struct Loaded {
    input: Input,
    next_due: Option<Timestamp>,
}

/// None: another worker is at the queue, or has claimed the look, or there is no time to rest.
async fn load_as(aws: &Aws, work: &WorkRequested, context: &Context) -> Option<Loaded> {
    let mut worker = Worker::new(work, aws.clock.now(), context.deadline);
    let input = next_input(aws, &mut worker).await.expect("the ledger and EC2 answer")?;
    Some(Loaded { input, next_due: worker.again().next_due })
}

async fn load(world: &World, kind: Kind) -> Option<Loaded> {
    load_as(&world.aws, &work(kind), &world.context()).await
}

/// The point as it is while its snapshots are filled, and due when it was.
fn snapshotted(point: &mut Point) {
    let due_at = point.step.due_at;
    *point = records::snapshotted(point.clone(), &["snap-0123456789abcdef0"]);
    point.step.due_at = due_at;
}

async fn snapshotted_points(world: &World, count: usize) {
    for number in 0..count {
        world.point(&instance(number), snapshotted).await;
    }
}

#[test]
fn points_that_are_due_come_with_their_machines_and_the_next_is_announced() {
    world(async |world| {
        let id = world.machine(SEAT, "Backup").await;
        let due = world.point(&id, |_| ()).await;
        let gone = world.point(&instance(1), |_| ()).await;
        let in_a_minute = world.now() + secs(60);
        world.point(&instance(2), |point| point.step.due_at = Some(in_a_minute)).await;
        let loaded = load(&world, Kind::Snapshot).await.expect("nobody else is at it");
        let Input::Snapshot(input) = loaded.input else { panic!("it is of another kind") };
        let points: Vec<_> = input.points.iter().map(|point| &point.id).collect();
        assert_eq!(points, [&due.id, &gone.id]);
        assert_eq!(input.machines.keys().collect::<Vec<_>>(), [&id]);
        assert_eq!(input.machines[&id].volumes.len(), 1);
        assert_eq!(loaded.next_due, Some(in_a_minute));
    });
}

#[test]
fn an_empty_queue_is_a_few_reads_of_the_ledger() {
    for kind in Kind::ALL {
        world(async |world| {
            let (loaded, requests) = world.requests(load(&world, kind)).await;
            assert_eq!(loaded.expect("nobody else is at it").next_due, None);
            // The index, and whether another worker is at the queue; and for what is down, whether
            // another looks at it, and the roster. The hints stand in the table.
            let gets = if kind == Kind::Power { 3 } else { 1 };
            let queries = if kind == Kind::Snapshot { 2 } else { 1 };
            let asked = [("BatchGetItem".to_string(), gets), ("Query".to_string(), queries)];
            assert_eq!(requests, BTreeMap::from(asked), "{kind}");
        });
    }
}

#[test]
fn a_machine_that_is_not_shown_as_a_whole_is_left_for_the_next_round() {
    world(async |world| {
        let (settled, other) =
            (world.machine(SEAT, "Backup").await, world.machine(SEAT, "Backup").await);
        let ec2 = aws_sdk_ec2::Client::new(&world.cloud.sdk_config(SEAT));
        // While it stops, EC2 does not tell the variables of its firmware.
        ec2.stop_instances().instance_ids(other.as_str()).send().await.expect("it stops");
        world.point(&settled, |_| ()).await;
        world.point(&other, |_| ()).await;
        let loaded = load(&world, Kind::Snapshot).await.expect("nobody else is at it");
        let Input::Snapshot(input) = &loaded.input else { panic!("it is of another kind") };
        assert_eq!(input.machines.keys().collect::<Vec<_>>(), [&settled]);
        assert_eq!(input.unsettled.iter().collect::<Vec<_>>(), [&other]);
        let wait = loaded.next_due.expect("it is soon").duration_since(world.now());
        assert!(wait > secs(5) && wait <= secs(10), "{wait}");
    });
}

#[test]
fn a_handful_is_looked_at_at_once_and_without_a_claim() {
    world(async |world| {
        snapshotted_points(&world, LOOK_AT_ONCE).await;
        let begun = world.now();
        let loaded = load(&world, Kind::Register).await.expect("nobody else is at it");
        let Input::Register(input) = loaded.input else { panic!("it is of another kind") };
        assert_eq!(input.points.len(), LOOK_AT_ONCE);
        assert!(world.now().duration_since(begun) < secs(2));
        load(&world, Kind::Register).await.expect("no claim is in the way");
    });
}

#[test]
fn a_fleet_is_claimed_and_rested_upon_and_whoever_else_is_woken_goes_away() {
    world(async |world| {
        let many = LOOK_AT_ONCE + 20;
        snapshotted_points(&world, many).await;
        let begun = world.now();
        let (context, work) = (world.context(), work(Kind::Register));
        let first = load_as(&world.aws, &work, &context);
        let second = async {
            world.later(10).await;
            let other = started(&world.cloud, "second");
            let loaded = load_as(&other, &work, &context).await;
            (loaded.is_none(), world.now())
        };
        let (first, (went, when)) = tokio::join!(first, second);
        assert!(went, "the look is claimed");
        assert!(when.duration_since(begun) < secs(12), "at once");
        let loaded = first.expect("the claim is its own");
        let Input::Register(input) = loaded.input else { panic!("it is of another kind") };
        assert_eq!(input.points.len(), many);
        // The shortest rest there is: long enough for several of them.
        assert!(input.now.duration_since(begun) >= secs(60), "{}", input.now);
        assert!(input.now.duration_since(begun) < secs(63), "{}", input.now);
        // Whoever comes after the look claims the next.
        let before: Timestamp = world.now();
        load(&world, Kind::Register).await.expect("the claim is over");
        assert!(world.now().duration_since(before) >= secs(60));
    });
}

#[test]
fn a_rest_that_would_outlast_the_function_is_not_begun() {
    world(async |world| {
        snapshotted_points(&world, LOOK_AT_ONCE + 20).await;
        let short = world.context_for(secs(45));
        let work = work(Kind::Register);
        let (loaded, requests) = world.requests(load_as(&world.aws, &work, &short)).await;
        assert!(loaded.is_none());
        // The lease and the claim are looked at, and the queue; nothing is claimed.
        let asked = [("BatchGetItem".to_string(), 2), ("Query".to_string(), 1)];
        assert_eq!(requests, BTreeMap::from(asked));
    });
}

#[test]
fn no_more_is_taken_up_than_one_round_can_do() {
    world(async |world| {
        for number in 0..280 {
            world.point(&instance(number), |_| ()).await;
        }
        let loaded = load(&world, Kind::Snapshot).await.expect("nobody else is at it");
        let Input::Snapshot(input) = loaded.input else { panic!("it is of another kind") };
        assert_eq!(input.points.len(), 250);
        let first: Vec<_> = input.points.iter().map(|point| point.requested_at).collect();
        assert!(first.is_sorted(), "the longest due first");
        assert_eq!(input.points[0].instance(), &instance(0));
    });
}

#[test]
fn what_an_index_nominates_too_late_is_passed_over() {
    world_with(
        |config| config.lag.index_reads = Some(std::time::Duration::from_secs(5)),
        async |world| {
            let point = world.point(&instance(1), |_| ()).await;
            world.later(6).await;
            let mut done = point.clone();
            done.status = Status::Missed;
            done.step.due_at = None;
            let text = "it is gone";
            let code = afterimage_core::reason::Code::MachineGone;
            done.reason = Some(afterimage_core::reason::Reason::new(code, text));
            let change = afterimage_core::command::Change::point(done);
            let mut writer = afterimage_aws::ledger::Writer::new("other".to_string());
            let lease = afterimage_aws::ledger::LeaseUse::None;
            world.aws.ledger.write(&change, lease, &mut writer).await.expect("it is written");
            let (loaded, requests) = world.requests(load(&world, Kind::Snapshot)).await;
            let loaded = loaded.expect("nobody else is at it");
            let Input::Snapshot(input) = loaded.input else { panic!("it is of another kind") };
            assert!(input.points.is_empty(), "it is settled");
            assert_eq!(requests["BatchGetItem"], 1, "the index had it still");
        },
    );
}
