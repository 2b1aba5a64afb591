//! Fault rules in JSON: each form, and what is said of one that is wrong.

use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::faults::{Chaos, Creation, Fault, Rule, When};
use afterimage_cloud::services;
use afterimage_cloud::{Cloud, Config, Time};
use serde_json::{Value, json};

use crate::raw::{ADMINISTRATOR, ec2, ec2_of, json as json_call, reply, text};

/// The rules in force after these were put.
fn put(body: &Value) -> Result<Vec<Rule>, String> {
    Cloud::run(Config::seeded(1), async |cloud| {
        cloud.with(|model| {
            let count = services::replace_faults(model, body)?;
            let rules: Vec<Rule> = model.faults.rules().cloned().collect();
            assert_eq!(rules.len(), count);
            Ok(rules)
        })
    })
}

#[test]
fn every_form_of_a_fault_is_read() {
    let fail = Fault::Fail {
        when: When::After,
        status: 503,
        code: "Unavailable".to_string(),
        message: "Come back later".to_string(),
    };
    let cases = [
        (
            json!({ "fail": { "when": "after", "status": 503, "code": "Unavailable",
                              "message": "Come back later" } }),
            Rule::new(fail),
        ),
        (
            json!({ "fail": { "when": "before", "status": 500, "code": "InternalError" } }),
            Rule::fail(When::Before, 500, "InternalError"),
        ),
        (json!({ "throttle": true }), Rule::throttle()),
        (json!({ "time_out": "before" }), Rule::time_out(When::Before)),
        (json!({ "kill": "after" }), Rule::kill(When::After)),
        (json!({ "lose": true }), Rule::lose()),
        (json!({ "duplicate": {} }), Rule::duplicate(1, 0..=0)),
        (json!({ "duplicate": { "copies": 3, "late_ms": [0, 9] } }), Rule::duplicate(3, 0..=9)),
        (json!({ "delay": { "late_ms": [5, 5] } }), Rule::delay(5..=5)),
        (json!({ "reorder": { "within_ms": 60000 } }), Rule::reorder(60_000)),
        (json!({ "duplicate_invocation": true }), Rule::duplicate_invocation()),
    ];
    for (form, rule) in cases {
        assert_eq!(put(&json!({ "rules": [form] })), Ok(vec![rule]), "{form}");
    }
}

#[test]
fn every_creation_can_be_failed_by_name() {
    let cases: [(&str, &[Creation]); 7] = [
        ("fail_snapshot_set", &[Creation::SnapshotSet]),
        ("fail_snapshot", &[Creation::Snapshot]),
        ("fail_snapshot_copy", &[Creation::SnapshotCopy]),
        ("fail_image", &[Creation::Image]),
        ("fail_image_registration", &[Creation::ImageRegistration]),
        ("fail_image_copy", &[Creation::ImageCopy]),
        ("fail_copy", &[Creation::SnapshotCopy, Creation::ImageCopy]),
    ];
    for (name, kinds) in cases {
        let rules = put(&json!({ "rules": [{ name: "disk on fire" }] }));
        assert_eq!(rules, Ok(vec![Rule::fail_creation(kinds, "disk on fire")]), "{name}");
    }
}

#[test]
fn every_condition_is_read() {
    let call = json!({
        "name": "mine", "service": "ec2", "action": "Create*", "region": "eu-*",
        "account": "123456789012", "principal": "*/backup", "function": "backup",
        "environment": 3, "from": "2026-01-01T00:05:00Z", "until": "2026-01-02T00:00:00.500Z",
        "nth": 2, "probability": 0.5, "times": 4, "throttle": true,
    });
    let rule = Rule::throttle()
        .named("mine")
        .service("ec2")
        .action("Create*")
        .region("eu-*")
        .account("123456789012")
        .principal("*/backup")
        .function("backup")
        .environment(3)
        .from(Time::from_secs(1_767_225_900))
        .until(Time::from_millis(1_767_312_000_500))
        .nth(2)
        .probability(0.5)
        .times(4);
    assert_eq!(put(&json!({ "rules": [call] })), Ok(vec![rule]));
    let event = json!({
        "source": "aws.ec2", "detail-type": "EC2 AMI State Change", "region": "us-east-1",
        "detail": { "State": "available" }, "every": 3, "probability": 1, "lose": true,
    });
    let rule = Rule::lose()
        .source("aws.ec2")
        .detail_type("EC2 AMI State Change")
        .region("us-east-1")
        .detail(json!({ "State": "available" }))
        .every(3)
        .probability(1.0);
    assert_eq!(put(&json!({ "rules": [event] })), Ok(vec![rule]));
}

#[test]
fn chaos_comes_behind_the_rules() {
    let mut expected = vec![Rule::lose()];
    expected.extend(Chaos::as_observed().rules());
    let body = json!({ "rules": [{ "lose": true }], "chaos": "as_observed" });
    assert_eq!(put(&body), Ok(expected));
    assert_eq!(put(&json!({ "chaos": "as_observed" })), Ok(Chaos::as_observed().rules()));
}

/// The error that one rule gets.
fn refused(rule: Value) -> String {
    put(&json!({ "rules": [{ "lose": true }, rule] })).expect_err("a wrong rule")
}

#[test]
fn a_wrong_rule_is_refused_with_its_place() {
    let fail = |member: &str, value: Value| {
        let mut fail = json!({ "when": "after", "status": 500, "code": "InternalError" });
        fail[member] = value;
        json!({ "fail": fail })
    };
    let lose = |member: &str, value: Value| {
        let mut rule = json!({ "lose": true });
        rule[member] = value;
        rule
    };
    let cases = [
        (json!(5), "rules[1] must be an object"),
        (fail("when", json!("during")), "rules[1].fail.when must be \"before\" or \"after\""),
        (fail("status", json!(200)), "rules[1].fail.status must be a whole number from 400 to 599"),
        (fail("code", json!("")), "rules[1].fail.code must be a text that is not empty"),
        (
            fail("mesage", json!("x")),
            "rules[1].fail.mesage is not known there; known: when, status, code, message",
        ),
        (json!({ "fail": { "when": "after", "code": "X" } }), "rules[1].fail.status is missing"),
        (json!({ "fail": { "status": 500, "code": "X" } }), "rules[1].fail.when is missing"),
        (json!({ "fail": "after" }), "rules[1].fail must be an object"),
        (json!({ "throttle": false }), "rules[1].throttle must be true"),
        (json!({ "kill": true }), "rules[1].kill must be \"before\" or \"after\""),
        (json!({ "delay": {} }), "rules[1].delay.late_ms is missing"),
        (
            json!({ "delay": { "late_ms": [9, 5] } }),
            "rules[1].delay.late_ms must be two whole numbers of milliseconds, the lesser first, \
             up to 86400000",
        ),
        (json!({ "reorder": {} }), "rules[1].reorder.within_ms is missing"),
        (
            json!({ "duplicate": { "copies": 0 } }),
            "rules[1].duplicate.copies must be a whole number from 1 to 100",
        ),
        (json!({ "fail_image": 5 }), "rules[1].fail_image must be a text that is not empty"),
        (lose("nth", json!(0)), "rules[1].nth must be a whole number from 1 on"),
        (lose("every", json!(1.5)), "rules[1].every must be a whole number from 1 on"),
        (lose("probability", json!(1.01)), "rules[1].probability must be a number from 0 to 1"),
        (lose("probability", json!(null)), "rules[1].probability must be a number from 0 to 1"),
        (
            lose("from", json!("noon")),
            "rules[1].from must be an instant such as 2026-01-01T00:00:00Z",
        ),
        (lose("detail", json!(["x"])), "rules[1].detail must be an object"),
        (
            json!({ "lose": true, "nth": 1, "every": 2 }),
            "rules[1] must not have both nth and every",
        ),
    ];
    for (rule, error) in cases {
        let shown = rule.to_string();
        assert_eq!(refused(rule), error, "{shown}");
    }
}

#[test]
fn a_rule_that_could_never_strike_is_refused_with_what_is_known() {
    let error = refused(json!({ "throttle": true, "service": "ec3" }));
    assert!(error.starts_with("rules[1].service must be one of: ec2, "), "{error}");
    let error = refused(json!({ "throttle": true, "region": "us-east-9" }));
    assert!(error.starts_with("rules[1].region must be one of: af-south-1, "), "{error}");
    let error = refused(json!({ "lose": true, "action": "CreateImage" }));
    let known = "rules[1].action is not known there; known: lose, source, detail-type, ";
    assert!(error.starts_with(known), "{error}");
    let error = refused(json!({ "throttle": true, "detail": {} }));
    assert!(error.starts_with("rules[1].detail is not known there; known: throttle, "));
    let error = refused(json!({ "fail_image": "x", "function": "backup" }));
    assert!(error.starts_with("rules[1].function is not known there; known: fail_image, "));
}

#[test]
fn a_rule_does_exactly_one_thing() {
    let start = "rules[1] must say what to do with exactly one of: fail, throttle, ";
    for rule in [json!({}), json!({ "nth": 1 }), json!({ "lose": true, "throttle": true })] {
        let error = refused(rule);
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn a_wrong_body_is_refused() {
    let cases = [
        (json!([]), "the body must be an object"),
        (json!({}), "rules is missing: an array, which may be empty"),
        (json!({ "rules": {} }), "rules must be an array"),
        (json!({ "rule": [] }), "rule is not known there; known: rules, chaos"),
        (json!({ "chaos": "total" }), "chaos must be \"as_observed\""),
    ];
    for (body, error) in cases {
        assert_eq!(put(&body), Err(error.to_string()), "{body}");
    }
    let many = vec![json!({ "lose": true }); 1001];
    assert_eq!(put(&json!({ "rules": many })), Err("there are more than 1000 rules".to_string()));
}

#[test]
fn new_rules_replace_the_old_and_wrong_ones_replace_nothing() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let put = |body: Value| cloud.with(|model| services::replace_faults(model, &body));
        let second = json!({ "rules": [
            { "nth": 2, "fail": { "when": "before", "status": 500, "code": "InternalError" } },
        ] });
        assert_eq!(put(second.clone()), Ok(1));
        let look = ec2("DescribeTags", "");
        assert_eq!(reply(&cloud, &look).status, 200);
        put(json!({ "rules": [{}] })).expect_err("a wrong rule");
        assert_eq!(reply(&cloud, &look).status, 500, "the old rule is still in force");
        assert_eq!(put(second), Ok(1));
        assert_eq!(reply(&cloud, &look).status, 200, "the count begins anew");
        assert_eq!(reply(&cloud, &look).status, 500);
        assert_eq!(put(json!({ "rules": [] })), Ok(0));
        assert_eq!(reply(&cloud, &look).status, 200);
    });
}

#[test]
fn rules_from_json_strike_what_they_name() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let body = json!({ "rules": [
            { "region": "eu-*", "time_out": "after" },
            { "service": "k*", "throttle": true },
        ] });
        cloud.with(|model| services::replace_faults(model, &body)).expect("two rules");
        let far = ec2_of(ADMINISTRATOR, "eu-west-1", "DescribeTags", "");
        assert_eq!(cloud.answer(&far), Answer::Silence);
        let response = reply(&cloud, &json_call("us-east-1", "kms", "TrentService.ListKeys", "{}"));
        assert!(text(&response).contains("ThrottlingException"), "{}", text(&response));
        assert_eq!(reply(&cloud, &ec2("DescribeTags", "")).status, 200);
    });
}
