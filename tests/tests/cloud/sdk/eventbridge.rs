//! EventBridge: typed errors, entries that fail inside a call that succeeds, pages without a
//! paginator.

use std::time::Duration;

use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Time};
use aws_sdk_eventbridge::Client as Events;
use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleError;
use aws_sdk_eventbridge::operation::put_rule::PutRuleError;
use aws_sdk_eventbridge::operation::put_targets::PutTargetsError;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, RuleState, Target};
use serde_json::{Value, json};

use super::{AWAY, HOME, ec2, machine, refused, tag, volume, world};

fn events(cloud: &Cloud, region: &str) -> Events {
    Events::new(&cloud.sdk_config(region))
}

fn entry(source: &str, detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder().source(source).detail_type("Test").detail(detail).build()
}

#[test]
fn some_entries_fail_while_the_call_and_the_others_succeed() {
    // EventBridge API reference, PutEvents: one result per entry, in order.
    world(async |cloud| {
        let events = events(&cloud, HOME);
        let call = events
            .put_events()
            .entries(entry("my.app", r#"{"n": 1}"#))
            .entries(entry("my.app", "not json"))
            .entries(entry("aws.ec2", r#"{"state": "stopped"}"#))
            .entries(entry("my.app", r#"{"n": 2}"#));
        let done = call.send().await.expect("the call succeeds");
        assert_eq!(done.failed_entry_count(), 2);
        let results = done.entries();
        assert_eq!(results.len(), 4);
        for good in [0, 3] {
            assert!(results[good].event_id().is_some());
            assert!(results[good].error_code().is_none());
        }
        assert_eq!(results[1].error_code(), Some("MalformedDetail"));
        assert!(results[1].event_id().is_none());
        assert!(results[2].error_code().is_some());
        assert!(results[2].event_id().is_none());
        assert_ne!(results[0].event_id(), results[3].event_id());
    });
}

#[test]
fn eleven_entries_are_too_many_for_one_call() {
    // EventBridge quotas: ten entries per request.
    world(async |cloud| {
        let entries = vec![entry("my.app", "{}"); 11];
        let call = events(&cloud, HOME).put_events().set_entries(Some(entries));
        assert_eq!(refused(call.send().await).code, "ValidationException");
    });
}

#[test]
fn a_wrong_pattern_is_refused_with_an_exception_of_its_own_type() {
    // EventBridge API reference, PutRule: InvalidEventPatternException.
    world(async |cloud| {
        let events = events(&cloud, HOME);
        for pattern in ["{\"source\": \"aws.ec2\"}", "{\"source\": [", "{\"a\": [{\"like\": 1}]}"] {
            let call = events.put_rule().name("rule").event_pattern(pattern);
            let error = call.send().await.expect_err("it is no pattern").into_service_error();
            assert!(matches!(error, PutRuleError::InvalidEventPatternException(_)), "{error:?}");
        }
        let listed = events.list_rules().send().await.expect("rules are listed");
        assert!(listed.rules().is_empty());
    });
}

#[test]
fn a_rule_that_is_not_there_is_refused_with_an_exception_of_its_own_type() {
    // EventBridge API reference: ResourceNotFoundException.
    world(async |cloud| {
        let events = events(&cloud, HOME);
        let error = events.describe_rule().name("nobody").send().await.expect_err("no such rule");
        let error = error.into_service_error();
        assert!(matches!(error, DescribeRuleError::ResourceNotFoundException(_)), "{error:?}");
        let target = Target::builder().id("1").arn("arn:aws:sqs:us-east-1:123456789012:q");
        let target = target.build().expect("id and ARN are given");
        let call = events.put_targets().rule("nobody").targets(target);
        let error = call.send().await.expect_err("no such rule").into_service_error();
        assert!(matches!(error, PutTargetsError::ResourceNotFoundException(_)), "{error:?}");
    });
}

#[test]
fn rules_are_listed_in_pages_by_their_token() {
    // EventBridge API reference, ListRules: Limit, NamePrefix and NextToken.
    world(async |cloud| {
        let events = events(&cloud, HOME);
        for number in 0..7 {
            let call = events.put_rule().name(format!("backup-{number}"));
            let call = call.event_pattern(r#"{"source": ["aws.ec2"]}"#);
            call.send().await.expect("a rule is put");
        }
        let call = events.put_rule().name("other").schedule_expression("rate(5 minutes)");
        call.send().await.expect("a rule is put");
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let call = events.list_rules().name_prefix("backup-").limit(3);
            let page = call.set_next_token(token).send().await.expect("a page is listed");
            assert!(page.rules().len() <= 3);
            names.extend(page.rules().iter().filter_map(|rule| rule.name().map(str::to_string)));
            token = page.next_token().map(str::to_string);
            if token.is_none() {
                break;
            }
        }
        names.sort();
        let wanted: Vec<String> = (0..7).map(|number| format!("backup-{number}")).collect();
        assert_eq!(names, wanted);
    });
}

#[test]
fn a_rule_keeps_what_it_was_put_with_and_belongs_to_its_region() {
    world(async |cloud| {
        let home = events(&cloud, HOME);
        let pattern = r#"{"source":["aws.ec2"],"detail":{"state":["stopped"]}}"#;
        let call = home.put_rule().name("stops").event_pattern(pattern).state(RuleState::Disabled);
        let put = call.description("when <machines> & co stop").send().await.expect("it is put");
        assert_eq!(put.rule_arn(), Some("arn:aws:events:us-east-1:123456789012:rule/stops"));
        let found = home.describe_rule().name("stops").send().await.expect("it is described");
        assert_eq!(found.state(), Some(&RuleState::Disabled));
        assert_eq!(found.description(), Some("when <machines> & co stop"));
        assert_eq!(found.event_pattern(), Some(pattern));
        let away = events(&cloud, AWAY).list_rules().send().await.expect("rules are listed");
        assert!(away.rules().is_empty());
    });
}

#[test]
fn a_rule_with_targets_cannot_be_deleted() {
    // EventBridge API reference, DeleteRule: remove its targets first.
    world(async |cloud| {
        let events = events(&cloud, HOME);
        let call = events.put_rule().name("tick").schedule_expression("rate(1 minute)");
        call.send().await.expect("a rule is put");
        let target = Target::builder().id("1").arn("arn:aws:sqs:us-east-1:123456789012:q");
        let target = target.build().expect("id and ARN are given");
        let put = events.put_targets().rule("tick").targets(target).send().await;
        assert_eq!(put.expect("a target is put").failed_entry_count(), 0);
        let refusal = refused(events.delete_rule().name("tick").send().await);
        assert_eq!(refusal.code, "ValidationException");
        events.remove_targets().rule("tick").ids("1").send().await.expect("it is removed");
        events.delete_rule().name("tick").send().await.expect("now it goes");
    });
}

/// What was put on buses under a detail-type, each with its time and its envelope.
fn sent(cloud: &Cloud, detail_type: &str) -> Vec<(Time, Value)> {
    cloud.with(|model| {
        let events = model.trace.entries().iter().filter(|entry| entry.what == What::Event);
        let named = events.filter(|entry| entry.action == detail_type);
        named.map(|entry| (entry.at, entry.detail.clone())).collect()
    })
}

#[test]
fn a_machine_tells_of_each_of_its_states_but_not_of_a_reboot() {
    // EventBridge events of EC2: EC2 Instance State-change Notification.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        ec2.reboot_instances().instance_ids(&machine).send().await.expect("it reboots");
        cloud.advance(Duration::from_secs(300)).await;
        ec2.stop_instances().instance_ids(&machine).send().await.expect("it stops");
        cloud.advance(Duration::from_secs(300)).await;
        ec2.terminate_instances().instance_ids(&machine).send().await.expect("it ends");
        cloud.advance(Duration::from_secs(300)).await;
        let events = sent(&cloud, "EC2 Instance State-change Notification");
        let states: Vec<_> =
            events.iter().map(|(_, event)| event["detail"]["state"].clone()).collect();
        let wanted = ["pending", "running", "stopping", "stopped", "shutting-down", "terminated"];
        // Events are not ordered; a stopped machine may skip shutting-down on its way.
        for state in wanted {
            let count = states.iter().filter(|one| *one == state).count();
            assert!(count == 1 || state == "shutting-down" && count == 0, "{state}: {states:?}");
        }
        for (_, event) in events {
            assert_eq!(event["detail"]["instance-id"], machine);
            assert_eq!(event["source"], "aws.ec2");
            let arn = format!("arn:aws:ec2:us-east-1:123456789012:instance/{machine}");
            assert_eq!(event["resources"], json!([arn]));
        }
    });
}

#[test]
fn an_event_of_ones_own_comes_out_as_it_went_in() {
    // EventBridge API reference, PutEvents: the envelope that rules see.
    world(async |cloud| {
        let detail = json!({ "text": "<&>\"'\u{1f4be}", "n": 1.5, "list": [null, true] });
        let entry = PutEventsRequestEntry::builder()
            .source("my.app")
            .detail_type("Thing Happened")
            .resources("arn:aws:my:::thing/1")
            .detail(detail.to_string())
            .build();
        let done = events(&cloud, AWAY).put_events().entries(entry).send().await;
        let done = done.expect("the call succeeds");
        cloud.advance(Duration::from_secs(60)).await;
        let seen = sent(&cloud, "Thing Happened");
        assert_eq!(seen.len(), 1);
        let event = &seen[0].1;
        assert_eq!(event["id"].as_str(), done.entries()[0].event_id());
        assert_eq!(event["detail"], detail);
        assert_eq!(event["source"], "my.app");
        assert_eq!(event["account"], "123456789012");
        assert_eq!(event["region"], AWAY);
        assert_eq!(event["resources"], json!(["arn:aws:my:::thing/1"]));
        assert_eq!(event["version"], "0");
    });
}

#[test]
fn a_scheduled_rule_ticks_every_minute_of_the_world() {
    // EventBridge guide, scheduled rules: rate(1 minute), Scheduled Event.
    world(async |cloud| {
        let home = events(&cloud, HOME);
        let call = home.put_rule().name("tick").schedule_expression("rate(1 minute)");
        call.send().await.expect("a rule is put");
        cloud.advance(Duration::from_secs(605)).await;
        let ticks = sent(&cloud, "Scheduled Event");
        assert!((9..=11).contains(&ticks.len()), "{}", ticks.len());
        for pair in ticks.windows(2) {
            let apart = pair[1].0.since(pair[0].0);
            assert!(apart >= Duration::from_secs(50), "{apart:?}");
        }
        let arn = "arn:aws:events:us-east-1:123456789012:rule/tick";
        assert_eq!(ticks[0].1["resources"], json!([arn]));
        assert_eq!(ticks[0].1["source"], "aws.events");
        assert_eq!(ticks[0].1["detail"], json!({}));
        home.disable_rule().name("tick").send().await.expect("it is disabled");
        cloud.advance(Duration::from_secs(600)).await;
        assert!(sent(&cloud, "Scheduled Event").len() <= ticks.len() + 1);
    });
}

#[test]
fn a_change_of_tags_is_told_with_all_tags_and_a_rising_version() {
    // Tagging guide: Tag Change on Resource.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let call = ec2.create_tags().resources(&volume).tags(tag("a", "1")).tags(tag("b", ""));
        call.send().await.expect("tags are created");
        cloud.advance(Duration::from_secs(60)).await;
        let call = ec2.delete_tags().resources(&volume);
        let gone = aws_sdk_ec2::types::Tag::builder().key("a").build();
        call.tags(gone).send().await.expect("a tag is deleted");
        cloud.advance(Duration::from_secs(60)).await;
        let changes = sent(&cloud, "Tag Change on Resource");
        assert_eq!(changes.len(), 2);
        let (first, second) = (&changes[0].1["detail"], &changes[1].1["detail"]);
        assert_eq!(first["changed-tag-keys"], json!(["a", "b"]));
        assert_eq!(first["tags"], json!({ "a": "1", "b": "" }));
        assert_eq!(second["changed-tag-keys"], json!(["a"]));
        assert_eq!(second["tags"], json!({ "b": "" }));
        assert_eq!(second["resource-type"], "volume");
        assert!(second["version"].as_f64() > first["version"].as_f64());
        let arn = format!("arn:aws:ec2:us-east-1:123456789012:volume/{volume}");
        assert_eq!(changes[0].1["resources"], json!([arn]));
        assert_eq!(changes[0].1["source"], "aws.tag");
    });
}
