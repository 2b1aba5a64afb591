//! What a right file means.

use afterimage_core::machine::State;
use afterimage_core::policy::{
    Artefact, CatchUp, Consistency, DEFAULT_WINDOW_SECS, Method, Retain, StopStart, Trigger,
};

use crate::good;

const GOLD: &str = r#"
policies:
  gold:
    select:
      regions: [us-east-1, ap-southeast-1]
      tags: {backup: gold, env: [prod, stag*]}
      exclude_tags: {backup-pause: "*"}
    triggers:
      - schedule: cron(0 2 * * ? *)
        timezone: Asia/Ho_Chi_Minh
      - on: stopped
        min_interval: 12h
    image:
      tags: {team: platform, version: 1.10, empty: ""}
      share: {accounts: ["000000000000"]}
    replicate:
      - region: eu-west-1
        kms_key: alias/dr
        deadline: 4h
      - region: us-east-1
"#;

#[test]
fn a_policy_means_what_it_says() {
    let policies = good(GOLD);
    let [gold] = &policies[..] else { panic!("{policies:#?}") };
    assert_eq!(gold.name.as_str(), "gold");
    assert_eq!(gold.image.tags["version"], "1.10", "a scalar is its source text");
    assert_eq!(gold.image.tags["empty"], "");
    assert_eq!(gold.image.share[0].as_str(), "000000000000");
    assert_eq!(gold.replicate[0].deadline_secs, Some(4 * 3600));
    let [Trigger::Schedule(timed), Trigger::Stopped(stopped)] = &gold.triggers[..] else {
        panic!("{:#?}", gold.triggers)
    };
    assert_eq!((timed.expression(), timed.timezone()), ("cron(0 2 * * ? *)", "Asia/Ho_Chi_Minh"));
    assert_eq!(stopped.min_interval_secs, 12 * 3600);
    let homes = |home: &str| {
        let home = home.to_string().try_into().expect("a region");
        gold.replicas_for(&home).iter().map(|r| r.region.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(homes("us-east-1"), ["eu-west-1"], "its own region is skipped");
    assert_eq!(homes("ap-southeast-1"), ["eu-west-1", "us-east-1"]);
}

const ALL: &str = r#"
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}, states: [running, stopped]}
    triggers:
      - {schedule: rate(6 hours), window: 90m, catch_up: none}
      - {schedule: rate(1 day), catch_up: latest}
      - on: tag
    consistency: stop-start
    stop_start: {at_once: 3, timeout: 15m}
    image:
      method: create-image
      exclude_volumes: {tags: {scratch: "*", tier: [tmp, cache]}, devices: [/dev/sdh]}
      copy_tags: false
    replicate:
      - {region: eu-west-1, retain: {daily: 7, weekly: 4}}
    heal: false
    retain: {last: 3, hourly: 24, daily: 7, weekly: 5, monthly: 12, yearly: 2, within: 2d}
    rpo: 26h
"#;

#[test]
fn every_key_is_heard() {
    let gold = good(ALL).remove(0);
    assert_eq!(gold.select.states, [State::Running, State::Stopped]);
    let [Trigger::Schedule(first), Trigger::Schedule(second), Trigger::Tag] = &gold.triggers[..]
    else {
        panic!("{:#?}", gold.triggers)
    };
    assert_eq!((first.window_secs, first.catch_up), (90 * 60, CatchUp::None));
    assert_eq!((second.window_secs, second.catch_up), (DEFAULT_WINDOW_SECS, CatchUp::Latest));
    assert_eq!((first.timezone(), second.timezone()), ("UTC", "UTC"));
    assert_eq!(gold.consistency, Consistency::StopStart);
    assert_eq!(gold.stop_start, StopStart { at_once: 3, timeout_secs: 15 * 60 });
    assert_eq!(gold.image.method, Method::CreateImage);
    assert_eq!(gold.image.exclude_volumes.tags["tier"], ["tmp", "cache"]);
    assert_eq!(gold.image.exclude_volumes.devices, ["/dev/sdh"]);
    assert!(!gold.image.copy_tags);
    let there = Retain { daily: Some(7), weekly: Some(4), ..Retain::default() };
    assert_eq!(gold.replicate[0].retain, Some(there));
    let here = Retain {
        last: Some(3),
        hourly: Some(24),
        daily: Some(7),
        weekly: Some(5),
        monthly: Some(12),
        yearly: Some(2),
        within_secs: Some(2 * 86_400),
    };
    assert!(!gold.heal);
    assert_eq!(gold.retain, Some(here));
    assert_eq!(gold.rpo_secs, Some(26 * 3600));
}

#[test]
fn what_is_not_said_has_its_default() {
    let gold = good(
        "policies: {gold: {select: {regions: [us-east-1], tags: {a: b}}, \
         triggers: [{on: stopped}, {schedule: rate(1 hour)}]}}",
    )
    .remove(0);
    let [Trigger::Stopped(stopped), Trigger::Schedule(timed)] = &gold.triggers[..] else {
        panic!("{:#?}", gold.triggers)
    };
    assert_eq!(stopped.min_interval_secs, 12 * 3600);
    assert_eq!((timed.timezone(), timed.window_secs), ("UTC", 4 * 3600));
    assert_eq!(timed.catch_up, CatchUp::Latest);
    assert_eq!(gold.consistency, Consistency::Crash);
    assert_eq!(gold.stop_start, StopStart { at_once: 1, timeout_secs: 600 });
    assert_eq!((gold.image.method, gold.image.kind), (Method::Auto, Artefact::Image));
    assert!(gold.image.copy_tags);
    assert!(gold.heal);
    assert_eq!((gold.retain, gold.rpo_secs), (None, None));
}

#[test]
fn words_that_yaml_takes_for_something_else_are_words() {
    let gold = good(
        "policies: {gold: {select: {regions: [us-east-1], tags: {on: yes, off: [no, ~, 007]}}, \
         triggers: [{on: tag}], image: {tags: {y: 1e3, null: true}}}}",
    )
    .remove(0);
    assert_eq!(gold.select.tags["on"], ["yes"]);
    assert_eq!(gold.select.tags["off"], ["no", "~", "007"]);
    assert_eq!((&*gold.image.tags["y"], &*gold.image.tags["null"]), ("1e3", "true"));
}
