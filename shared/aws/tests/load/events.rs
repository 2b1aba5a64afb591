//! An event says where to look, and nothing else.

use std::collections::BTreeMap;

use afterimage_aws::load;
use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::{ImageStateChanged, InstanceStateChanged};
use afterimage_core::hint::{Hint, Hinted};
use afterimage_core::ids::{AmiId, InstanceId, PolicyName};
use afterimage_core::machine::State;
use afterimage_core::observed::ImageState;
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::work::{Kind, Queue};

use jiff::Timestamp;

use super::{SEAT, instance, region, waits_for_stop, world};

fn event(instance: &InstanceId, state: State) -> InstanceStateChanged {
    InstanceStateChanged { region: region(SEAT), instance: instance.clone(), state }
}

fn hint(id: &InstanceId, hinted: Hinted, at: Timestamp) -> Hint {
    Hint { region: region(SEAT), instance: id.clone(), hinted, at }
}

#[test]
fn a_machine_that_did_not_stop_is_not_looked_at() {
    world(async |world| {
        let context = world.context();
        for state in [State::Pending, State::Running, State::Stopping, State::Terminated] {
            let load =
                load::instance_state_changed(&world.aws, event(&instance(1), state), &context);
            let (input, requests) = world.requests(load).await;
            assert!(input.expect("nobody is asked").in_flight.is_empty());
            assert_eq!(requests, BTreeMap::new(), "{state:?}");
        }
    });
}

#[test]
fn a_machine_that_stopped_is_not_described_and_costs_two_reads_of_the_ledger() {
    world(async |world| {
        let context = world.context();
        let stopped = event(&instance(1), State::Stopped);
        let load = load::instance_state_changed(&world.aws, stopped, &context);
        let (input, requests) = world.requests(load).await;
        input.expect("the ledger answers");
        assert_eq!(requests, BTreeMap::from([("Query".to_string(), 2)]));
    });
}

#[test]
fn machines_that_stopped_are_described_together_with_the_points_that_wait_for_them() {
    world(async |world| {
        let (id, other) =
            (world.machine(SEAT, "Backup").await, world.machine(SEAT, "Backup").await);
        let waits = world.point(&id, waits_for_stop).await;
        world.point(&other, waits_for_stop).await;
        world.later(60).await;
        // Requested of the same machine, and not waiting.
        world.point(&id, |_| ()).await;
        world.later(60).await;
        let queue = Queue { region: region(SEAT), kind: Kind::Snapshot };
        let at = world.context().now;
        let hints = vec![hint(&id, Hinted::Stopped, at), hint(&instance(1), Hinted::Stopped, at)];
        let (loaded, requests) = world.requests(load::hinted(&world.aws, &queue, hints)).await;
        let Input::Hinted(input) = loaded.expect("all answer").input else { panic!("hints") };
        let points: Vec<_> = input.waiting.iter().map(|point| &point.id).collect();
        assert_eq!(points, [&waits.id]);
        // It runs: the event is older than that. The other machine is gone.
        let seen: Vec<_> = input.machines.values().map(|seen| (&seen.id, seen.state)).collect();
        assert_eq!(seen, [(&id, State::Running)]);
        // Of what is in force, and of the queue.
        assert_eq!(requests["Query"], 2, "{requests:?}");
        assert_eq!(requests["DescribeInstances"], 1, "{requests:?}");
    });
}

#[test]
fn machines_that_may_ask_are_described_together_and_each_is_held_against_its_own_record() {
    world(async |world| {
        let (id, other) =
            (world.machine(SEAT, "Backup").await, world.machine(SEAT, "Backup").await);
        // It waits for its stop, which no event has told of.
        world.point(&other, waits_for_stop).await;
        world.ask(&id, "gold").await;
        let policy = PolicyName::parse("gold").expect("it is a name");
        let never = RequestCounter::never(&id, &region(SEAT), &policy);
        let asked = world.asked(never.once_more().0).await;
        world.later(60).await;
        let queue = Queue { region: region(SEAT), kind: Kind::Snapshot };
        let at = world.context().now;
        let hints = [&id, &other, &instance(1)].map(|id| hint(id, Hinted::Tagged, at)).to_vec();
        let (loaded, requests) = world.requests(load::hinted(&world.aws, &queue, hints)).await;
        let Input::Hinted(input) = loaded.expect("all answer").input else { panic!("hints") };
        assert_eq!(input.counters, BTreeMap::from([((id, policy), asked)]));
        assert_eq!((input.machines.len(), &input.waiting[..]), (2, &[][..]));
        let expected = [("BatchGetItem", 1), ("DescribeInstances", 1), ("Query", 1)];
        assert_eq!(requests, expected.map(|(name, times)| (name.to_string(), times)).into());
    });
}

#[test]
fn an_image_that_changed_is_held_against_the_index_alone() {
    world(async |world| {
        let image = AmiId::parse("ami-0123456789abcdef0").expect("it is an id");
        let state = ImageState::Available;
        let event = ImageStateChanged { region: region(SEAT), image, state };
        let context = world.context();
        let load = load::image_state_changed(&world.aws, event, &context);
        let (input, requests) = world.requests(load).await;
        assert!(input.expect("the ledger answers").in_flight.is_empty());
        assert_eq!(requests, BTreeMap::from([("Query".to_string(), 1)]));
    });
}
