//! Events, creations and invocations, and everything at once.

use afterimage_cloud::Time;
use afterimage_cloud::faults::{Chaos, Creation, Rule};
use afterimage_cloud::trace::What;
use serde_json::json;

use crate::faults::{broken, event, fate, home, run, told};

#[test]
fn an_event_that_no_rule_fits_arrives_once_and_in_time() {
    run(vec![broken()], async |cloud| {
        assert_eq!(fate(&cloud, &event("available")), [0]);
        assert_eq!(fate(&cloud, &json!({})), [0]);
        assert_eq!(fate(&cloud, &json!("no event")), [0]);
        assert!(told(&cloud).is_empty());
    });
}

#[test]
fn a_lost_event_has_no_copy_and_a_line_in_the_trace() {
    run(vec![Rule::lose().nth(2).named("best effort")], async |cloud| {
        assert_eq!(fate(&cloud, &event("pending")), [0]);
        assert!(fate(&cloud, &event("available")).is_empty());
        assert_eq!(fate(&cloud, &event("available")), [0]);
        let lines = cloud.with(|model| model.trace.entries().to_vec());
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].what, What::Fault);
        assert_eq!(lines[0].at, Time::START);
        assert_eq!(lines[0].service, "aws.ec2");
        assert_eq!(lines[0].action, "EC2 AMI State Change");
        assert_eq!(lines[0].region, "us-east-1");
        assert_eq!(lines[0].id, "6a7e8feb-b491-4cf7-a9f1-bf3703467718");
        assert_eq!(lines[0].outcome, "lost, by rule 1 'best effort'");
    });
}

#[test]
fn a_duplicated_event_arrives_in_time_and_again() {
    run(vec![Rule::duplicate(2, 1000..=5000)], async |cloud| {
        let late = fate(&cloud, &event("available"));
        assert_eq!(late.len(), 3);
        assert_eq!(late[0], 0);
        assert!(late[1..].iter().all(|late| (1000..=5000).contains(late)), "{late:?}");
    });
}

#[test]
fn a_delayed_event_is_late_within_the_range() {
    run(vec![Rule::delay(2000..=2500)], async |cloud| {
        let all: Vec<u128> = (0..50).flat_map(|_| fate(&cloud, &event("available"))).collect();
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|late| (2000..=2500).contains(late)), "{all:?}");
        assert!(all.iter().any(|late| *late != all[0]), "all are late by {}", all[0]);
    });
}

#[test]
fn reordered_events_overtake_one_another() {
    run(vec![Rule::reorder(10_000)], async |cloud| {
        let all: Vec<u128> = (0..50).flat_map(|_| fate(&cloud, &event("available"))).collect();
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|late| *late <= 10_000), "{all:?}");
        assert!(all.windows(2).any(|pair| pair[0] > pair[1]), "none overtakes another: {all:?}");
    });
}

#[test]
fn a_copy_may_be_late_as_well_and_a_lost_event_is_lost() {
    let rules = vec![Rule::duplicate(1, 0..=0), Rule::delay(500..=500), Rule::lose().nth(2)];
    run(rules, async |cloud| {
        assert_eq!(fate(&cloud, &event("available")), [500, 500]);
        assert!(fate(&cloud, &event("available")).is_empty());
        assert_eq!(cloud.with(|model| model.faults.strikes()), [1, 1, 1]);
    });
}

#[test]
fn a_rule_picks_events_by_source_type_region_and_detail() {
    let cases = [
        (Rule::lose().source("aws.ec2"), true),
        (Rule::lose().source("aws.*"), true),
        (Rule::lose().source("aws.tag"), false),
        (Rule::lose().detail_type("EC2 AMI State Change"), true),
        (Rule::lose().detail_type("EBS *"), false),
        (Rule::lose().region("us-east-1").account("123456789012"), true),
        (Rule::lose().region("eu-west-1"), false),
        (Rule::lose().detail(json!({ "State": "available" })), true),
        (Rule::lose().detail(json!({ "State": "avail*" })), true),
        (Rule::lose().detail(json!({ "State": "failed" })), false),
        (Rule::lose().detail(json!({ "state": "available" })), false),
        (Rule::lose().detail(json!({ "Who": { "Age": 5 } })), true),
        (Rule::lose().detail(json!({ "Who": { "Age": 6 } })), false),
        (Rule::lose().detail(json!({})), true),
        (Rule::lose().action("*"), false),
    ];
    for (rule, strikes) in cases {
        let shown = format!("{:?}", rule.which);
        run(vec![rule], async |cloud| {
            assert_eq!(fate(&cloud, &event("available")).is_empty(), strikes, "{shown}");
        });
    }
}

#[test]
fn a_creation_fails_with_the_message_of_the_first_rule_for_its_kind() {
    let copies = [Creation::SnapshotCopy, Creation::ImageCopy];
    let rules = vec![
        Rule::fail_creation(&copies, "no copy").region("us-east-1"),
        Rule::fail_creation(&[Creation::Image], "no image").nth(2),
    ];
    run(rules, async |cloud| {
        let ask = |kind, region: &str| {
            let scope = home().in_region(region);
            cloud.with(|model| model.faults.creation_failure(kind, &scope))
        };
        assert_eq!(ask(Creation::SnapshotCopy, "us-east-1"), Some("no copy".to_string()));
        assert_eq!(ask(Creation::ImageCopy, "us-east-1"), Some("no copy".to_string()));
        assert_eq!(ask(Creation::ImageCopy, "eu-west-1"), None);
        assert_eq!(ask(Creation::Snapshot, "us-east-1"), None);
        assert_eq!(ask(Creation::SnapshotSet, "us-east-1"), None);
        assert_eq!(ask(Creation::ImageRegistration, "us-east-1"), None);
        assert_eq!(ask(Creation::Image, "us-east-1"), None);
        assert_eq!(ask(Creation::Image, "eu-west-1"), Some("no image".to_string()));
        let (what, action, outcome) = told(&cloud).pop().expect("a line");
        assert_eq!((what, action.as_str()), (What::Fault, "image"));
        assert_eq!(outcome, "is to fail: no image, by rule 2");
    });
}

#[test]
fn an_invocation_runs_twice_if_a_rule_says_so() {
    run(vec![Rule::duplicate_invocation().function("backup").nth(2)], async |cloud| {
        let copies = |name: &str| cloud.with(|model| model.faults.invocation_copies(name));
        assert_eq!(copies("backup"), 1);
        assert_eq!(copies("restore"), 1);
        assert_eq!(copies("backup"), 2);
        assert_eq!(copies("backup"), 1);
        let outcome = "invoked twice, by rule 1".to_string();
        assert_eq!(told(&cloud), [(What::Fault, "backup".to_string(), outcome)]);
    });
}

#[test]
fn chaos_as_observed_does_a_little_of_everything() {
    let rules = Chaos::as_observed().rules();
    assert_eq!(rules.len(), 9, "all ten but the killing");
    run(rules, async |cloud| {
        let fates: Vec<_> = (0..10_000).map(|_| fate(&cloud, &event("available"))).collect();
        let lost = fates.iter().filter(|late| late.is_empty()).count();
        let twice = fates.iter().filter(|late| late.len() == 2).count();
        let late = fates.iter().filter(|late| late.first().is_some_and(|ms| *ms > 0)).count();
        assert!((50..=150).contains(&lost), "{lost} of 10,000 are lost");
        assert!((120..=280).contains(&twice), "{twice} of 10,000 came twice");
        assert!((800..=1200).contains(&late), "{late} of 10,000 are late");
    });
}
