//! Time: one clock for the world and everybody in it.

use std::time::Duration;

use afterimage_cloud::door::sdk::Caller;
use afterimage_cloud::faults::{Rule, When};
use aws_sdk_ec2::config::Builder;
use tokio::task::JoinSet;

use super::{
    HOME, Wiretap, ec2, ec2_with, fault, machine, own_partition, timed, volume, world, world_with,
};

#[test]
fn a_call_takes_its_latency_in_virtual_time_and_calls_add_up() {
    world_with(
        |config| config.pace.latency_ms = 20..=20,
        async |cloud| {
            let ec2 = ec2(&cloud, HOME);
            let (_, took) = timed(&cloud, async {
                for _ in 0..50 {
                    ec2.describe_tags().send().await.expect("tags are described");
                }
            })
            .await;
            assert_eq!(took, Duration::from_secs(1));
        },
    );
}

#[test]
fn calls_side_by_side_take_as_long_as_the_slowest() {
    world_with(
        |config| config.pace.latency_ms = 10..=500,
        async |cloud| {
            let ec2 = ec2(&cloud, HOME);
            let (spans, took) = timed(&cloud, async {
                let mut calls = JoinSet::new();
                for _ in 0..10 {
                    let (call, cloud) = (ec2.describe_tags(), cloud.clone());
                    calls.spawn(async move {
                        let (result, took) = timed(&cloud, call.send()).await;
                        result.expect("tags are described");
                        took
                    });
                }
                calls.join_all().await
            })
            .await;
            let slowest = spans.iter().max().copied().expect("there were ten");
            assert_eq!(took, slowest);
            assert!(spans.iter().sum::<Duration>() > slowest);
        },
    );
}

#[test]
fn requests_are_signed_at_the_time_of_the_world() {
    // Signature Version 4: x-amz-date.
    world(async |cloud| {
        let tap = Wiretap::default();
        let ec2 = ec2_with(&cloud, HOME, |builder| builder.interceptor(tap.clone()));
        ec2.describe_tags().send().await.expect("tags are described");
        cloud.advance(Duration::from_secs(86_400)).await;
        ec2.describe_tags().send().await.expect("tags are described");
        let dates = tap.header("x-amz-date");
        assert_eq!(dates[0], "20260101T000000Z");
        assert_eq!(dates[1], "20260102T000000Z");
    });
}

#[test]
fn a_caller_whose_clock_is_ahead_signs_in_the_future_and_changes_no_time_but_its_own() {
    world(async |cloud| {
        let ahead = Caller {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_string(),
            region: HOME.to_string(),
            clock_skew_ms: 90_000,
        };
        let tap = Wiretap::default();
        let builder = Builder::from(&cloud.sdk_config_of(&ahead)).interceptor(tap.clone());
        let skewed =
            aws_sdk_ec2::Client::from_conf(builder.retry_partition(own_partition()).build());
        let begun = cloud.now();
        let made = skewed.create_volume().availability_zone("us-east-1a").size(1).send().await;
        let made = made.expect("90 s are no reason to refuse");
        assert_eq!(tap.header("x-amz-date"), ["20260101T000130Z"]);
        let stamp = made.create_time().expect("a volume has a time of creation");
        let late =
            stamp.to_millis().expect("after 1970") - i64::try_from(begun.millis()).expect("");
        assert!((0..1_000).contains(&late), "{late}");
    });
}

#[test]
fn the_time_of_launch_is_the_last_start_not_the_first() {
    // EC2 guide, stop and start: the launch time is set anew.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let launch_time = async || {
            let found = ec2.describe_instances().instance_ids(&machine).send().await;
            let found = found.expect("the machine is described");
            let instance = &found.reservations()[0].instances()[0];
            instance.launch_time().expect("it was launched").secs()
        };
        let first = launch_time().await;
        ec2.stop_instances().instance_ids(&machine).send().await.expect("it stops");
        cloud.advance(Duration::from_secs(3_600)).await;
        assert_eq!(launch_time().await, first);
        ec2.start_instances().instance_ids(&machine).send().await.expect("it starts");
        cloud.advance(Duration::from_secs(60)).await;
        let second = launch_time().await;
        assert!((3_600..3_700).contains(&(second - first)), "{first} {second}");
        ec2.reboot_instances().instance_ids(&machine).send().await.expect("it reboots");
        cloud.advance(Duration::from_secs(600)).await;
        assert_eq!(launch_time().await, second);
    });
}

#[test]
fn advancing_lets_everything_due_happen_and_nothing_later() {
    world_with(
        |config| {
            config.pace.volume_creates = Duration::from_secs(100);
            config.pace.spread_percent = 0;
        },
        async |cloud| {
            let ec2 = ec2(&cloud, HOME);
            let made = ec2.create_volume().availability_zone("us-east-1a").size(1).send().await;
            made.expect("a volume is made");
            let state = async || {
                let found = ec2.describe_volumes().send().await.expect("volumes are described");
                found.volumes()[0].state().expect("a volume has a state").as_str().to_string()
            };
            cloud.advance(Duration::from_secs(98)).await;
            assert_eq!(state().await, "creating");
            cloud.advance(Duration::from_secs(3)).await;
            assert_eq!(state().await, "available");
        },
    );
}

#[test]
fn two_worlds_of_one_seed_have_one_trace_though_the_sdk_draws_by_chance() {
    let live = |seed: u64| {
        let mut hash = String::new();
        afterimage_cloud::Cloud::run(afterimage_cloud::Config::seeded(seed), async |cloud| {
            let ec2 = ec2(&cloud, HOME);
            let volume = volume(&cloud, &ec2, 1).await;
            fault(&cloud, Rule::throttle().probability(0.3));
            fault(&cloud, Rule::fail(When::After, 500, "InternalError").probability(0.2));
            for number in 0..20 {
                let tag = super::tag("n", &number.to_string());
                ec2.create_tags().resources(&volume).tags(tag).send().await.ok();
                ec2.create_volume().availability_zone("us-east-1a").size(1).send().await.ok();
            }
            hash = cloud.with(|model| model.trace.hash());
        });
        hash
    };
    let first = live(7);
    live(8);
    assert_eq!(live(7), first);
    assert_ne!(live(8), first);
}
