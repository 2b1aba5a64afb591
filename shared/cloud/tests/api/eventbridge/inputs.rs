//! What a target gets of an event.

use serde_json::{Value, json};

use super::{ACCOUNT, HOME, SOON, any_of, at, world};

/// The text that a target with this input gets of one event.
fn sent(input: Value, detail: &Value) -> String {
    let mut found = None;
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let mut target = input.clone();
        target["Arn"] = json!(home.queue("q"));
        home.rule("r", any_of("my.app"), target);
        home.put("default", detail);
        cloud.advance(SOON).await;
        let messages = home.messages("q");
        assert_eq!(messages.len(), 1);
        found = messages[0]["Body"].as_str().map(str::to_string);
    });
    found.expect("a body")
}

fn transformed(paths: Value, template: &str, detail: &Value) -> String {
    let transformer = json!({ "InputPathsMap": paths, "InputTemplate": template });
    sent(json!({ "InputTransformer": transformer }), detail)
}

#[test]
fn a_constant_replaces_the_event() {
    assert_eq!(sent(json!({ "Input": r#"{"a": 1}"# }), &json!({})), r#"{"a": 1}"#);
}

#[test]
fn a_path_picks_a_part() {
    let detail = json!({ "a": { "b-c": [10, { "d": "x" }] } });
    let cases = [
        ("$.detail", detail.to_string()),
        ("$.detail.a.b-c[0]", "10".to_string()),
        ("$.detail.a.b-c[1].d", "\"x\"".to_string()),
        ("$.detail-type", "\"Test\"".to_string()),
        ("$.detail.a.b-c[*].d", "[\"x\"]".to_string()),
        ("$.detail.none", "null".to_string()),
    ];
    for (path, text) in cases {
        assert_eq!(sent(json!({ "InputPath": path }), &detail), text, "by {path}");
    }
}

#[test]
fn a_template_fills_strings() {
    let paths = json!({
        "detail-type": "$.detail-type", "timestamp": "$.time", "command": "$.detail.command",
    });
    let template = "\"Event of <detail-type> type, at time <timestamp>, from detail <command>\"";
    let text = transformed(paths, template, &json!({ "command": "say \"hi\"" }));
    let expected = r#""Event of Test type, at time 2026-01-01T00:00:00Z, from detail say \"hi\"""#;
    assert_eq!(text, expected);
}

#[test]
fn an_escaped_quote_does_not_end_a_string() {
    let text = transformed(json!({ "x": "$.detail.x" }), r#""<\"<x>\">""#, &json!({ "x": "v" }));
    assert_eq!(text, r#""<\"v\">""#);
}

#[test]
fn what_is_not_there_leaves_a_string_without_it() {
    let paths = json!({ "command": "$.detail.nowhere" });
    assert_eq!(transformed(paths, "\"from <command>.\"", &json!({})), "\"from .\"");
}

#[test]
fn a_template_fills_json_by_type() {
    let paths = json!({ "n": "$.detail.n", "s": "$.detail.s", "o": "$.detail.o" });
    let detail = json!({ "n": 3.5, "s": "text", "o": { "a": [true] } });
    let template = r#"{"n": <n>, "s": <s>, "o": <o>, "mixed": "<n> and <s>"}"#;
    let text = transformed(paths, template, &detail);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let expected = json!({ "n": 3.5, "s": "text", "o": { "a": [true] }, "mixed": "3.5 and text" });
    assert_eq!(value, expected);
}

#[test]
fn some_names_are_known_without_a_path() {
    let template = r#"{"rule": <aws.events.rule-arn>, "name": "<aws.events.rule-name>",
        "at": <aws.events.event.ingestion-time>, "head": <aws.events.event>,
        "all": <aws.events.event.json>}"#;
    let text = transformed(json!({}), template, &json!({ "x": 1 }));
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["rule"], format!("arn:aws:events:{HOME}:{ACCOUNT}:rule/r"));
    assert_eq!(value["name"], "r");
    assert_eq!(value["all"]["detail"], json!({ "x": 1 }));
    assert_eq!(value["head"]["id"], value["all"]["id"]);
    assert_eq!(value["head"].get("detail"), None);
    assert!(value["at"].as_str().is_some_and(|text| text.starts_with("2026-01-01T00:00:0")));
}

#[test]
fn transformers_that_are_refused() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = format!("arn:aws:sqs:{HOME}:{ACCOUNT}:q");
        home.rule("r", any_of("my.app"), json!({ "Arn": queue }));
        let cases = [
            json!({ "InputPathsMap": {}, "InputTemplate": "\"<unknown>\"" }),
            json!({ "InputPathsMap": { "a": "detail" }, "InputTemplate": "\"<a>\"" }),
            json!({ "InputPathsMap": { "AWS.x": "$.id" }, "InputTemplate": "\"<AWS.x>\"" }),
            json!({ "InputPathsMap": { "a": "$.id" } }),
        ];
        for transformer in cases {
            let target = json!({ "Id": "t", "Arn": queue, "InputTransformer": transformer });
            let body = json!({ "Rule": "r", "Targets": [target] });
            let (status, answer) = home.raw("events", "PutTargets", &body);
            assert_eq!((status, &answer["__type"]), (400, &json!("ValidationException")), "{body}");
        }
    });
}
