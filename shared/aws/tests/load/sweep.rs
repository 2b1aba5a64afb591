//! The sweep sees what no event told of.

use afterimage_aws::decode::Tick;
use afterimage_aws::load;
use afterimage_core::ids::PolicyName;
use afterimage_core::limits::LOOK_EVERY;
use afterimage_core::machine::State;
use afterimage_core::names::TAG_POINT;
use afterimage_core::request_counter::{Pending, RequestCounter};
use afterimage_core::work::{Kind, Queue};
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use super::{AWAY, SEAT, World, instance, region, secs, waits_for_stop, world};

const POLICIES: &str = "
policies:
  nightly:
    select: { regions: [us-east-1, eu-west-1], tags: { Backup: [gold] } }
    triggers: [{ on: stopped, min_interval: 1h }]
";

/// A snapshot that carries the tag of a point.
async fn tagged_snapshot(world: &World, region: &str, machine: &str, point: &str) {
    let ec2 = aws_sdk_ec2::Client::new(&world.cloud.sdk_config(region));
    let found = ec2.describe_instances().instance_ids(machine).send().await.expect("it is there");
    let disk = found.reservations()[0].instances()[0].block_device_mappings()[0].ebs();
    let volume = disk.and_then(|disk| disk.volume_id()).expect("it has a volume").to_string();
    let tag = Tag::builder().key(TAG_POINT).value(point).build();
    let tags = TagSpecification::builder().resource_type(ResourceType::Snapshot).tags(tag).build();
    let call = ec2.create_snapshot().volume_id(volume).tag_specifications(tags);
    call.send().await.expect("a snapshot is begun");
}

#[test]
fn work_that_is_overdue_is_found_by_its_queue() {
    world(async |world| {
        world.policies(POLICIES).await;
        world.point(&instance(1), |_| ()).await;
        let later = world.now() + secs(600);
        world.point(&instance(2), |point| point.step.due_at = Some(later)).await;
        world.later(1).await;
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        let queue = Queue { region: region(SEAT), kind: Kind::Snapshot };
        assert_eq!(input.overdue, [queue]);
    });
}

#[test]
fn what_a_policy_of_the_past_left_behind_is_found_when_everything_is_looked_through() {
    world(async |world| {
        world.policies(POLICIES).await;
        world.point(&instance(1), |_| ()).await;
        let name = PolicyName::parse("nightly").expect("a name");
        world.aws.ledger.remove_policy(&name, world.now()).await.expect("it is removed");
        world.looked().await;
        world.later(1).await;
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        assert_eq!(input.overdue, [], "no policy leads to work anywhere");
        world.later(LOOK_EVERY.as_secs().unsigned_abs()).await;
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        let queue = Queue { region: region(SEAT), kind: Kind::Snapshot };
        assert_eq!(input.overdue, [queue]);
    });
}

#[test]
fn machines_that_are_stopped_are_seen_where_a_policy_waits_for_stops() {
    world(async |world| {
        let (id, _) = (world.machine(SEAT, "Backup").await, world.machine(SEAT, "Backup").await);
        let ec2 = aws_sdk_ec2::Client::new(&world.cloud.sdk_config(SEAT));
        ec2.stop_instances().instance_ids(id.as_str()).send().await.expect("it stops");
        world.later(60).await;
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        assert!(input.stopped.is_empty(), "no policy waits for it");
        world.policies(POLICIES).await;
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        let stopped: Vec<_> = input.stopped.iter().map(|instance| &instance.id).collect();
        assert_eq!(stopped, [&id]);
    });
}

#[test]
fn machines_that_points_wait_for_are_seen_whatever_their_state() {
    world(async |world| {
        let daily = "schedule: rate(1 day), timezone: UTC";
        world.policies(&POLICIES.replace("on: stopped, min_interval: 1h", daily)).await;
        let (stopped, running) =
            (world.machine(SEAT, "Backup").await, world.machine(SEAT, "Backup").await);
        world.machine(SEAT, "Backup").await;
        let ec2 = aws_sdk_ec2::Client::new(&world.cloud.sdk_config(SEAT));
        ec2.stop_instances().instance_ids(stopped.as_str()).send().await.expect("it stops");
        let first = world.point(&stopped, waits_for_stop).await;
        let second = world.point(&running, waits_for_stop).await;
        // Of a machine that is no longer there.
        let third = world.point(&instance(1), waits_for_stop).await;
        world.later(60).await;
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        assert_eq!(input.overdue, [], "they are due when their windows close");
        let mut points: Vec<_> = input.waiting.points.iter().map(|point| &point.id).collect();
        let mut expected = [&first.id, &second.id, &third.id];
        points.sort();
        expected.sort();
        assert_eq!(points, expected);
        let machines = input.waiting.machines.iter();
        let mut machines: Vec<_> = machines.map(|seen| (&seen.id, seen.state)).collect();
        let mut expected = [(&stopped, State::Stopped), (&running, State::Running)];
        machines.sort();
        expected.sort();
        assert_eq!(machines, expected);
    });
}

#[test]
fn what_carries_our_tag_comes_with_what_the_ledger_has_on_it() {
    world(async |world| {
        world.policies(POLICIES).await;
        let id = world.machine(SEAT, "Backup").await;
        let point = world.point(&id, |_| ()).await;
        tagged_snapshot(&world, SEAT, id.as_str(), point.id.as_str()).await;
        world.later(20).await;
        tagged_snapshot(&world, SEAT, id.as_str(), "nobody's").await;
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        let tagged = input.tagged.expect("it was never looked through");
        assert_eq!(tagged.snapshots[&region(SEAT)].0.len(), 2);
        assert!(tagged.snapshots[&region(AWAY)].0.is_empty());
        assert!(tagged.images[&region(SEAT)].0.is_empty());
        assert_eq!(tagged.points.keys().collect::<Vec<_>>(), [&point.id]);
        assert!(tagged.replicas.is_empty() && tagged.known.is_empty());
        world.looked().await;
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        assert!(input.tagged.is_none(), "it was looked through a moment ago");
    });
}

#[test]
fn a_region_in_the_dark_does_not_keep_the_sweep_from_the_others() {
    world(async |world| {
        world.policies(POLICIES).await;
        world.point(&instance(1), |_| ()).await;
        world.darken(AWAY);
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("one answers");
        assert_eq!(input.overdue.len(), 1);
        let tagged = input.tagged.expect("it was never looked through");
        assert!(tagged.snapshots.contains_key(&region(SEAT)));
        assert!(!tagged.snapshots.contains_key(&region(AWAY)), "nothing is known of it");
    });
}

/// A request of a machine that was taken a while ago, and by whom is not known any more.
async fn left(world: &World, place: &str, number: usize, due_in: i64) -> RequestCounter {
    let policy = PolicyName::parse("nightly").expect("a name");
    let (asked, _) = RequestCounter::never(&instance(number), &region(place), &policy).once_more();
    let pending = Pending {
        point: asked.last(),
        requested_at: world.now(),
        due_at: world.now() + secs(due_in),
    };
    world.asked(RequestCounter { pending: Some(pending), ..asked }).await
}

#[test]
fn requests_are_seen_where_a_policy_takes_them_and_so_is_what_somebody_left() {
    world(async |world| {
        let id = world.machine(SEAT, "Backup").await;
        world.ask(&id, "nightly").await;
        let all = [left(&world, SEAT, 1, 60).await, left(&world, AWAY, 2, 60).await];
        left(&world, SEAT, 3, 3600).await;
        // A request that was ended is in no index.
        let (done, _) = all[0].consumed(world.now()).once_more();
        let other = PolicyName::parse("other").expect("a name");
        world.asked(RequestCounter { policy: other, version: 0, ..done }).await;
        world.looked().await;
        world.policies(POLICIES).await;
        world.later(300).await;
        let context = world.context();
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        assert!(
            input.tag_requests.machines.is_empty() && input.tag_requests.abandoned.is_empty(),
            "nobody asks"
        );

        world.policies(&POLICIES.replace("on: stopped, min_interval: 1h", "on: tag")).await;
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("all answer");
        let machines: Vec<_> =
            input.tag_requests.machines.iter().map(|machine| &machine.id).collect();
        assert_eq!(machines, [&id]);
        assert_eq!(input.tag_requests.abandoned.len(), 2, "somebody may still be at the third");
        assert!(all.iter().all(|one| input.tag_requests.abandoned.contains(one)));
        assert!(input.tag_requests.counters.is_empty());

        // A region that shows nothing is not one in which no tag is left.
        world.darken(AWAY);
        let input = load::reconcile_tick(&world.aws, Tick, &context).await.expect("one answers");
        assert_eq!(input.tag_requests.abandoned, all[..1]);
    });
}
