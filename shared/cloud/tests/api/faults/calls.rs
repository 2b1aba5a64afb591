//! Calls: what befalls them, which of them, and when.

use std::time::Duration;

use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config, Time};
use serde_json::{Value, json};

use crate::faults::{
    FUNCTION_ARN, broken, by_function, failing, is_tagged, look, run, tag_volume, told,
};
use crate::raw::{json, reply, text};

#[test]
fn a_call_that_fails_before_its_effect_changes_nothing() {
    run(vec![broken().action("CreateTags")], async |cloud| {
        let response = reply(&cloud, &tag_volume());
        assert_eq!(response.status, 500);
        assert!(text(&response).contains("<Code>InternalError</Code>"), "{}", text(&response));
        assert!(!is_tagged(&cloud));
        let outcome = "failed before its effect: InternalError, by rule 1".to_string();
        assert_eq!(told(&cloud), [(What::Fault, "CreateTags".to_string(), outcome)]);
    });
}

#[test]
fn a_call_that_fails_after_its_effect_has_changed_the_world() {
    let rule = Rule::fail(When::After, 500, "InternalError").named("twin").action("CreateTags");
    run(vec![rule], async |cloud| {
        let response = reply(&cloud, &tag_volume());
        assert_eq!(response.status, 500);
        assert!(text(&response).contains("<Code>InternalError</Code>"), "{}", text(&response));
        assert!(is_tagged(&cloud));
        let lines = told(&cloud);
        assert!(lines.contains(&(What::Call, "CreateTags".to_string(), "ok".to_string())));
        let outcome = "failed after its effect: InternalError, by rule 1 'twin'".to_string();
        assert_eq!(lines.last(), Some(&(What::Fault, "CreateTags".to_string(), outcome)));
    });
}

#[test]
fn an_injected_error_comes_in_the_format_of_the_service() {
    let rule = Rule::fail(When::Before, 500, "KMSInternalException").service("kms");
    run(vec![rule], async |cloud| {
        let response = reply(&cloud, &json("us-east-1", "kms", "TrentService.ListKeys", "{}"));
        assert_eq!(response.status, 500);
        let body: Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!(body["__type"], "KMSInternalException");
    });
}

#[test]
fn a_throttle_speaks_as_each_service_does() {
    run(vec![Rule::throttle()], async |cloud| {
        let response = reply(&cloud, &tag_volume());
        assert_eq!(response.status, 503);
        assert!(text(&response).contains("<Code>RequestLimitExceeded</Code>"));
        assert!(!is_tagged(&cloud));
        let calls = [
            ("kms", "TrentService.ListKeys", "ThrottlingException"),
            ("ssm", "AmazonSSM.GetParameter", "ThrottlingException"),
            ("events", "AWSEvents.PutEvents", "ThrottlingException"),
            ("dynamodb", "DynamoDB_20120810.GetItem", "ProvisionedThroughputExceededException"),
        ];
        for (service, target, code) in calls {
            let response = reply(&cloud, &json("us-east-1", service, target, "{}"));
            assert_eq!(response.status, 400, "{service}");
            let body: Value = serde_json::from_slice(&response.body).expect("JSON");
            let name = body["__type"].as_str().and_then(|name| name.rsplit('#').next());
            assert_eq!(name, Some(code), "{service}");
        }
    });
}

#[test]
fn a_call_that_times_out_is_silent_and_may_have_happened() {
    for (when, effect) in [(When::Before, false), (When::After, true)] {
        run(vec![Rule::time_out(when).action("CreateTags")], async |cloud| {
            assert_eq!(cloud.answer(&tag_volume()), Answer::Silence);
            assert_eq!(is_tagged(&cloud), effect, "{when:?}");
            let last = told(&cloud).pop().map(|(what, _, outcome)| (what, outcome));
            let outcome = format!("no answer, {} its effect, by rule 1", when.name());
            assert_eq!(last, Some((What::Fault, outcome)));
        });
    }
}

#[test]
fn only_a_caller_that_has_an_environment_is_killed() {
    for (when, effect) in [(When::Before, false), (When::After, true)] {
        run(vec![Rule::kill(when).nth(1)], async |cloud| {
            assert_eq!(reply(&cloud, &look()).status, 200);
            let mut tag = tag_volume();
            tag.headers = by_function("CreateTags").headers;
            assert_eq!(cloud.answer(&tag), Answer::Killed);
            assert_eq!(is_tagged(&cloud), effect, "{when:?}");
            assert_eq!(reply(&cloud, &by_function("DescribeTags")).status, 200);
            let outcome = format!("caller killed {} its effect, by rule 1", when.name());
            assert!(told(&cloud).contains(&(What::Fault, "CreateTags".to_string(), outcome)));
        });
    }
}

#[test]
fn a_rule_strikes_the_calls_that_it_names_and_no_others() {
    let administrator = "arn:aws:iam::123456789012:user/administrator";
    let cases = [
        (broken().service("ec2"), true),
        (broken().service("kms"), false),
        (broken().action("DescribeTags"), true),
        (broken().action("Describe*"), true),
        (broken().action("DescribeTag?"), true),
        (broken().action("describetags"), false),
        (broken().action("CreateTags"), false),
        (broken().region("us-east-1"), true),
        (broken().region("us-*"), true),
        (broken().region("eu-west-1"), false),
        (broken().account("123456789012"), true),
        (broken().account("111122223333"), false),
        (broken().principal(administrator), true),
        (broken().principal(FUNCTION_ARN), false),
        (broken().function("*"), false),
        (broken().environment(7), false),
        (broken().source("*"), false),
        (broken().detail_type("*"), false),
        (broken().detail(json!({})), false),
        (broken().service("ec2").action("DescribeTags").region("eu-west-1"), false),
    ];
    for (rule, strikes) in cases {
        let shown = format!("{:?}", rule.which);
        run(vec![rule], async |cloud| {
            assert_eq!(reply(&cloud, &look()).status != 200, strikes, "{shown}");
        });
    }
}

#[test]
fn a_rule_may_name_the_function_or_the_environment_that_calls() {
    let cases = [
        (broken().function("backup"), true),
        (broken().function("back*"), true),
        (broken().function("restore"), false),
        (broken().environment(7), true),
        (broken().environment(8), false),
        (broken().principal(FUNCTION_ARN), true),
    ];
    for (rule, strikes) in cases {
        let shown = format!("{:?}", rule.which);
        run(vec![rule], async |cloud| {
            let response = reply(&cloud, &by_function("DescribeTags"));
            assert_eq!(response.status != 200, strikes, "{shown}");
        });
    }
}

#[test]
fn a_rule_is_in_force_from_one_moment_until_another() {
    let minute = Duration::from_secs(60);
    let rule = broken().from(Time::START + minute).until(Time::START + 2 * minute);
    run(vec![rule], async |cloud| {
        assert_eq!(reply(&cloud, &look()).status, 200);
        cloud.advance(minute - Duration::from_millis(1)).await;
        assert_eq!(reply(&cloud, &look()).status, 200);
        cloud.advance(Duration::from_millis(1)).await;
        assert_eq!(reply(&cloud, &look()).status, 500);
        cloud.advance(minute - Duration::from_millis(1)).await;
        assert_eq!(reply(&cloud, &look()).status, 500);
        cloud.advance(Duration::from_millis(1)).await;
        assert_eq!(reply(&cloud, &look()).status, 200);
    });
}

#[test]
fn nth_every_and_times_count_the_calls_that_fit() {
    let cases: [(Rule, &[u64]); 7] = [
        (broken().nth(3), &[3]),
        (broken().every(3), &[3, 6, 9]),
        (broken().every(3).times(2), &[3, 6]),
        (broken().times(2), &[1, 2]),
        (broken().nth(11), &[]),
        (broken().nth(0), &[]),
        (broken().every(0), &[]),
    ];
    for (rule, expected) in cases {
        let shown = format!("{:?}", rule.turns);
        run(vec![rule.action("DescribeTags")], async |cloud| {
            // A call that does not fit is not counted.
            reply(&cloud, &tag_volume());
            assert_eq!(failing(&cloud, &look(), 10), expected, "{shown}");
        });
    }
}

#[test]
fn a_probability_strikes_its_share() {
    for (probability, least, most) in [(0.0, 0, 0), (1.0, 400, 400), (0.25, 60, 140)] {
        let mut config = Config::seeded(1);
        config.limits.throttles = false;
        config.faults = vec![broken().probability(probability)];
        Cloud::run(config, async |cloud| {
            let struck = failing(&cloud, &look(), 400).len();
            assert!((least..=most).contains(&struck), "{struck} of 400 at {probability}");
        });
    }
}

#[test]
fn the_first_rule_that_strikes_wins_and_the_others_still_count() {
    let rules = vec![
        Rule::fail(When::Before, 500, "First").nth(2),
        Rule::fail(When::Before, 500, "Second").nth(3),
        Rule::fail(When::Before, 500, "Third").times(2),
    ];
    run(rules, async |cloud| {
        let codes: Vec<&str> = (0..5)
            .map(|_| {
                let response = reply(&cloud, &look());
                let codes = ["First", "Second", "Third"];
                let found = codes.into_iter().find(|code| text(&response).contains(code));
                found.unwrap_or("none")
            })
            .collect();
        assert_eq!(codes, ["Third", "First", "Second", "Third", "none"]);
        assert_eq!(cloud.with(|model| model.faults.strikes()), [1, 1, 2]);
    });
}

#[test]
fn a_blow_before_the_effect_goes_before_one_after_it() {
    let rules = vec![Rule::time_out(When::After), broken().times(1)];
    run(rules, async |cloud| {
        assert_eq!(reply(&cloud, &tag_volume()).status, 500);
        assert!(!is_tagged(&cloud));
        assert_eq!(cloud.with(|model| model.faults.strikes()), [0, 1]);
        assert_eq!(cloud.answer(&tag_volume()), Answer::Silence);
        assert!(is_tagged(&cloud));
    });
}
