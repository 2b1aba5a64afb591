//! What is due, and the machines for it.

use std::collections::BTreeMap;

use afterimage_aws::decode::Tick;
use afterimage_aws::load;

use super::{AWAY, SEAT, World, region, world};

const POLICIES: &str = "
policies:
  here:
    select: { regions: [us-east-1], tags: { Backup: [gold] } }
    triggers: [{ schedule: rate(1 hour), timezone: UTC }]
  both:
    select: { regions: [us-east-1, eu-west-1], tags: { Other: [gold] } }
    triggers: [{ schedule: rate(1 hour), timezone: UTC }]
";

/// Both policies, looked after until an hour ago and more.
async fn due_policies(world: &World) {
    world.policies(POLICIES).await;
    let kept = world.now() - super::secs(2 * 3600);
    world.cursor("here", "rate(1 hour) UTC", kept).await;
    world.cursor("both", "rate(1 hour) UTC", kept).await;
}

#[test]
fn an_idle_tick_is_one_read_of_the_ledger() {
    world(async |world| {
        world.policies(POLICIES).await;
        world.cursor("here", "rate(1 hour) UTC", world.now()).await;
        world.cursor("both", "rate(1 hour) UTC", world.now()).await;
        let context = world.context();
        let (input, requests) = world.requests(load::backup_tick(&world.aws, Tick, &context)).await;
        let input = input.expect("the ledger answers");
        assert!(input.due.is_empty() && input.instances.is_empty());
        assert_eq!(requests, BTreeMap::from([("Query".to_string(), 1)]));
    });
}

#[test]
fn what_is_due_brings_one_listing_of_each_region() {
    world(async |world| {
        let (here, other) =
            (world.machine(SEAT, "Backup").await, world.machine(SEAT, "Other").await);
        let away = world.machine(AWAY, "Other").await;
        world.machine(AWAY, "Backup").await;
        world.machine(SEAT, "None").await;
        due_policies(&world).await;
        let context = world.context();
        let (input, requests) = world.requests(load::backup_tick(&world.aws, Tick, &context)).await;
        let input = input.expect("all answer");
        assert_eq!(input.due.len(), 3);
        let mut found: Vec<_> = input.instances.into_iter().map(|found| found.id).collect();
        let mut expected = vec![here, other, away];
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(requests["DescribeInstances"], 2);
    });
}

#[test]
fn a_region_in_the_dark_holds_up_its_own_machines_and_no_others() {
    world(async |world| {
        let here = world.machine(SEAT, "Other").await;
        world.machine(AWAY, "Other").await;
        due_policies(&world).await;
        world.darken(AWAY);
        let context = world.context();
        let input = load::backup_tick(&world.aws, Tick, &context).await.expect("one answers");
        let found: Vec<_> = input.instances.iter().map(|found| found.id.clone()).collect();
        assert_eq!(found, [here]);
        assert_eq!(input.unread, [region(AWAY)].into());
        assert_eq!(input.due.len(), 3);
    });
}

#[test]
fn a_tick_fails_when_no_region_answers() {
    world(async |world| {
        due_policies(&world).await;
        world.darken(AWAY);
        // The ledger is in the seat's region, of which only EC2 is down.
        let down = afterimage_cloud::faults::Rule::fail(
            afterimage_cloud::faults::When::Before,
            503,
            "Unavailable",
        );
        world.cloud.with(|model| model.faults.add(down.service("ec2")));
        let context = world.context();
        let failure = load::backup_tick(&world.aws, Tick, &context).await.expect_err("none does");
        assert_eq!(failure.code(), "ec2-unavailable");
    });
}
