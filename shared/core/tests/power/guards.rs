//! What must not be stopped is not, and its point says why and what to do.

use afterimage_core::downtime::DowntimeStatus;
use afterimage_core::flow::work_requested::power::{DiskKey, KeyAccess};
use afterimage_core::machine::State;
use afterimage_core::reason::Code;
use afterimage_core::status::Status;

use crate::scene::{World, codes_said, id};

/// The first of two machines may not be stopped; the other is not held up by it.
#[track_caller]
fn refused(change: impl FnOnce(&mut World), code: Code, says: &str) {
    let mut world = World::asked(&["gold", "gold"]);
    change(&mut world);
    let mut called = world.round();
    assert_eq!(codes_said(&world.decided)[0], code);
    called.extend(world.round());
    assert_eq!(called, ["stop 2"], "the other is stopped, and nothing else is called");
    assert_eq!((world.point(1).status, world.code(1)), (Status::Refused, Some(code)));
    assert_eq!(world.status(1), DowntimeStatus::Over);
    let text = world.point(1).reason.as_ref().expect("a reason").text.clone();
    assert!(text.contains(says), "{text}");
}

#[test]
fn members_of_an_auto_scaling_group() {
    let member = |world: &mut World| {
        let tags = &mut world.seen(1).instance.tags;
        tags.insert("aws:autoscaling:groupName".to_string(), "web".to_string());
    };
    refused(member, Code::AutoScaling, "its Auto Scaling group web");
}

#[test]
fn spot_instances() {
    refused(|world| world.seen(1).instance.spot = true, Code::Spot, "consistency: crash");
}

#[test]
fn machines_that_are_protected() {
    let protect = |world: &mut World| world.stop_protected.extend([id(1)]);
    refused(protect, Code::StopProtected, "disableApiStop");
}

#[test]
fn machines_that_would_lose_a_disk() {
    let store = |world: &mut World| world.instance_store.extend([id(1)]);
    refused(store, Code::InstanceStoreVolumes, "its type t3.micro");
    let root = |world: &mut World| world.seen(1).root_device_type = "instance-store".into();
    refused(root, Code::InstanceStore, "only EBS-backed machines");
}

#[test]
fn machines_that_ec2_would_refuse_to_start() {
    let refuse = |world: &mut World| {
        world.start_refused.insert(id(1), "UnauthorizedOperation".to_string());
    };
    refused(refuse, Code::NotStartable, "EC2 answered UnauthorizedOperation");
}

#[test]
fn machines_with_a_key_that_could_not_be_used() {
    let cases = [
        (KeyAccess::ForeignAccount, "key KEY of its disks belongs to another account"),
        (KeyAccess::State("Disabled".to_string()), "key KEY of its disks is Disabled"),
        (KeyAccess::State("PendingDeletion".to_string()), "is PendingDeletion; enable the key"),
        (KeyAccess::Refused("AccessDeniedException".to_string()), "(AccessDeniedException)"),
    ];
    for (access, says) in cases {
        let spoil = |world: &mut World| {
            let key = |arn: &str, access| DiskKey { arn: arn.to_string(), access };
            let usable = KeyAccess::State("Enabled".to_string());
            world.keys.insert(id(2), vec![key("OTHER", usable.clone())]);
            world.keys.insert(id(1), vec![key("OTHER", usable), key("KEY", access)]);
        };
        refused(spoil, Code::NotStartable, says);
    }
}

#[test]
fn any_machine_where_the_stack_may_stop_none() {
    let mut world = World::asked(&["gold", "silver"]);
    world.at_once = 0;
    assert!(world.round().is_empty());
    for machine in [1, 2] {
        let point = (world.point(machine).status, world.code(machine));
        assert_eq!(point, (Status::Refused, Some(Code::StopStartNotAllowed)));
    }
}

#[test]
fn a_machine_that_is_not_running_is_not_stopped() {
    let mut world = World::asked(&["gold"]);
    for state in [State::Pending, State::Stopping] {
        world.set(1, state);
        assert!(world.round().is_empty(), "{state:?}");
        assert_eq!(world.status(1), DowntimeStatus::Waiting);
    }
}

#[test]
fn what_was_not_asked_is_not_taken_for_allowed() {
    let world = World::asked(&["gold"]);
    let mut input = world.input();
    input.guarded = None;
    let decision = afterimage_core::flow::work_requested::power::decide(&input);
    assert!(decision.commands.is_empty(), "{decision:?}");
}
