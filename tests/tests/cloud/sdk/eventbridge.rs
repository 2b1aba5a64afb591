//! EventBridge: typed errors, entries that fail inside a call that succeeds, pages without a
//! paginator.

use afterimage_cloud::Cloud;
use aws_sdk_eventbridge::Client as Events;
use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleError;
use aws_sdk_eventbridge::operation::put_rule::PutRuleError;
use aws_sdk_eventbridge::operation::put_targets::PutTargetsError;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, RuleState, Target};

use super::{AWAY, HOME, refused, world};

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
