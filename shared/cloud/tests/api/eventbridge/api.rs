//! The operations on buses, rules and targets, and `PutEvents`.

use serde_json::{Value, json};

use super::{ACCOUNT, FAR, HOME, any_of, at, world};

#[test]
fn a_bus_from_its_creation_to_its_end() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let arn = format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/own");
        let made = home.events("CreateEventBus", json!({ "Name": "own", "Description": "ours" }));
        assert_eq!(made, json!({ "EventBusArn": arn, "Description": "ours" }));
        home.refused(
            "CreateEventBus",
            json!({ "Name": "own" }),
            "ResourceAlreadyExistsException",
            "Event bus own already exists.",
        );
        let shown = home.events("DescribeEventBus", json!({ "Name": arn }));
        assert_eq!(
            shown,
            json!({
                "Name": "own",
                "Arn": arn,
                "Description": "ours",
                "CreationTime": 1_767_225_600,
                "LastModifiedTime": 1_767_225_600,
            })
        );
        let listed = home.events("ListEventBuses", json!({}));
        let names: Vec<_> = listed["EventBuses"].as_array().expect("buses").iter().collect();
        assert_eq!(names.iter().map(|bus| &bus["Name"]).collect::<Vec<_>>(), ["default", "own"]);
        let far = at(&cloud, FAR).events("ListEventBuses", json!({}));
        assert_eq!(far["EventBuses"].as_array().map(Vec::len), Some(1), "only the default bus");

        home.events("PutRule", {
            let mut rule = any_of("my.app");
            rule["Name"] = json!("r");
            rule["EventBusName"] = json!("own");
            rule
        });
        home.refused(
            "DeleteEventBus",
            json!({ "Name": "own" }),
            "ValidationException",
            "Event bus can't be deleted since it has rules.",
        );
        home.events("DeleteRule", json!({ "Name": "r", "EventBusName": "own" }));
        assert_eq!(home.events("DeleteEventBus", json!({ "Name": "own" })), Value::Null);
        home.events("DeleteEventBus", json!({ "Name": "own" }));
        home.refused(
            "DescribeEventBus",
            json!({ "Name": "own" }),
            "ResourceNotFoundException",
            "Event bus own does not exist.",
        );
        home.refused(
            "DeleteEventBus",
            json!({ "Name": "default" }),
            "ValidationException",
            "Cannot delete event bus default.",
        );
    });
}

#[test]
fn a_rule_from_its_creation_to_its_end() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        home.events("CreateEventBus", json!({ "Name": "own" }));
        let pattern = r#"{"source":["my.app"]}"#;
        let rule = json!({ "Name": "r", "EventBusName": "own", "EventPattern": pattern });
        let arn = format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/own/r");
        assert_eq!(home.events("PutRule", rule), json!({ "RuleArn": arn }));
        let rule = json!({ "Name": "r", "ScheduleExpression": "rate(1 minute)" });
        let default_arn = format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/r");
        assert_eq!(home.events("PutRule", rule), json!({ "RuleArn": default_arn }));
        let mut shown = json!({
            "Name": "r",
            "Arn": arn,
            "EventBusName": "own",
            "EventPattern": pattern,
            "State": "ENABLED",
        });
        let listed = home.events("ListRules", json!({ "EventBusName": "own" }));
        assert_eq!(listed, json!({ "Rules": [shown] }));
        home.events("DisableRule", json!({ "Name": "r", "EventBusName": "own" }));
        shown["State"] = json!("DISABLED");
        shown["CreatedBy"] = json!(ACCOUNT);
        let name = json!({ "Name": "r", "EventBusName": "own" });
        assert_eq!(home.events("DescribeRule", name.clone()), shown);
        home.events("DeleteRule", name.clone());
        home.events("DeleteRule", name.clone());
        let gone = "Rule r does not exist on EventBus own.";
        for action in ["DescribeRule", "EnableRule", "DisableRule"] {
            home.refused(action, name.clone(), "ResourceNotFoundException", gone);
        }
        home.refused(
            "ListRules",
            json!({ "EventBusName": "none" }),
            "ResourceNotFoundException",
            "Event bus none does not exist.",
        );
    });
}

#[test]
fn rules_that_are_refused() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        home.events("CreateEventBus", json!({ "Name": "own" }));
        let rate = "rate(1 minute)";
        let long = json!({ "source": ["x".repeat(2048)] }).to_string();
        let cases = [
            (
                json!({ "Name": "r" }),
                "ValidationException",
                "Parameter(s) EventPattern or ScheduleExpression must be specified.",
            ),
            (
                json!({ "Name": "r", "ScheduleExpression": "rate(1 minutes)" }),
                "ValidationException",
                "Parameter ScheduleExpression is not valid.",
            ),
            (
                json!({ "Name": "r", "ScheduleExpression": rate, "EventBusName": "own" }),
                "ValidationException",
                "ScheduleExpression is supported only on the default event bus.",
            ),
            (
                json!({ "Name": "r", "EventPattern": "[]" }),
                "InvalidEventPatternException",
                "Event pattern is not valid. Reason: Filter is not an object",
            ),
            (
                json!({ "Name": "r", "EventPattern": long }),
                "InvalidEventPatternException",
                "Event pattern is not valid. Reason: Event pattern is longer than 2048 characters",
            ),
            (
                json!({ "Name": "a b", "ScheduleExpression": rate }),
                "ValidationException",
                "1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
            ),
            (
                json!({ "ScheduleExpression": rate }),
                "ValidationException",
                "1 validation error detected: Value null at 'name' failed to satisfy constraint: \
                 Member must not be null",
            ),
            (
                json!({ "Name": "r", "ScheduleExpression": rate, "Colour": "red" }),
                "ValidationException",
                "The member Colour is not recognized (or not modelled here)",
            ),
            (
                json!({ "Name": "r", "ScheduleExpression": 5 }),
                "SerializationException",
                "ScheduleExpression is not a string",
            ),
        ];
        for (body, code, message) in cases {
            home.refused("PutRule", body, code, message);
        }
    });
}

#[test]
fn targets_come_and_go() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q");
        home.rule("r", any_of("my.app"), json!({ "Arn": queue }));
        let second = json!({
            "Id": "second",
            "Arn": queue,
            "RetryPolicy": { "MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60 },
            "DeadLetterConfig": { "Arn": queue },
        });
        home.events("PutTargets", json!({ "Rule": "r", "Targets": [second] }));
        let listed = home.events("ListTargetsByRule", json!({ "Rule": "r" }));
        assert_eq!(listed, json!({ "Targets": [second, { "Arn": queue, "Id": "target" }] }));
        home.refused(
            "DeleteRule",
            json!({ "Name": "r" }),
            "ValidationException",
            "Rule can't be deleted since it has targets.",
        );
        let gone =
            home.events("RemoveTargets", json!({ "Rule": "r", "Ids": ["target", "second"] }));
        assert_eq!(gone, json!({ "FailedEntryCount": 0, "FailedEntries": [] }));
        let again = home.events("RemoveTargets", json!({ "Rule": "r", "Ids": ["second"] }));
        assert_eq!(again["FailedEntryCount"], 1);
        assert_eq!(again["FailedEntries"][0]["TargetId"], "second");
        home.events("DeleteRule", json!({ "Name": "r" }));
        home.refused(
            "ListTargetsByRule",
            json!({ "Rule": "r" }),
            "ResourceNotFoundException",
            "Rule r does not exist on EventBus default.",
        );
    });
}

#[test]
fn targets_that_are_refused() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q");
        home.rule("r", any_of("my.app"), json!({ "Arn": queue }));
        let bus = format!("arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/own");
        let far_queue = format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:q");
        let cases = [
            (
                json!({ "Id": "!@#", "Arn": queue }),
                "1 validation error detected: Value '!@#' at 'targets.1.member.id' failed to \
                 satisfy constraint: Member must satisfy regular expression pattern: \
                 [\\.\\-_A-Za-z0-9]+"
                    .to_string(),
            ),
            (
                json!({ "Id": "t", "Arn": "queue" }),
                "Parameter queue is not valid. Reason: Provided Arn is not in correct format."
                    .to_string(),
            ),
            (json!({ "Id": "t", "Arn": bus }), format!("RoleArn is required for target {bus}.")),
            (
                json!({ "Id": "t", "Arn": far_queue }),
                format!(
                    "Parameter {far_queue} is not valid. Reason: a function or queue has to be in \
                     the account and region of its rule."
                ),
            ),
            (
                json!({ "Id": "t", "Arn": queue, "Input": "{" }),
                "JSON syntax error in input for target t.".to_string(),
            ),
            (
                json!({ "Id": "t", "Arn": queue, "Input": "{}", "InputPath": "$" }),
                "Only one of Input, InputPath, or InputTransformer must be provided for target t."
                    .to_string(),
            ),
            (
                json!({ "Id": "t", "Arn": queue, "RetryPolicy": { "MaximumRetryAttempts": 186 } }),
                "1 validation error detected: Value '186' at \
                 'targets.1.member.retryPolicy.maximumRetryAttempts' failed to satisfy constraint: \
                 Member must have value less than or equal to 185"
                    .to_string(),
            ),
            (
                json!({ "Id": "t", "Arn": queue, "EcsParameters": {} }),
                "The member Targets.1.member.EcsParameters is not recognized (or not modelled here)"
                    .to_string(),
            ),
        ];
        for (target, message) in cases {
            let body = json!({ "Rule": "r", "Targets": [target] });
            home.refused("PutTargets", body, "ValidationException", &message);
        }
    });
}

#[test]
fn quotas() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q");
        let too_many = "The requested resource exceeds the maximum number allowed.";
        home.rule("r", any_of("my.app"), json!({ "Arn": queue }));
        let target = |n: usize| json!({ "Id": n.to_string(), "Arn": queue });
        let four: Vec<_> = (0..4).map(target).collect();
        home.events("PutTargets", json!({ "Rule": "r", "Targets": four }));
        home.events("PutTargets", json!({ "Rule": "r", "Targets": four }));
        let sixth = json!({ "Rule": "r", "Targets": [target(4)] });
        home.refused("PutTargets", sixth, "LimitExceededException", too_many);

        for n in 1..300 {
            let rule = json!({ "Name": format!("r{n}"), "ScheduleExpression": "rate(1 day)" });
            home.events("PutRule", rule);
        }
        let rule = json!({ "Name": "more", "ScheduleExpression": "rate(1 day)" });
        home.refused("PutRule", rule, "LimitExceededException", too_many);
        for n in 1..100 {
            home.events("CreateEventBus", json!({ "Name": format!("b{n}") }));
        }
        let bus = json!({ "Name": "more" });
        home.refused("CreateEventBus", bus, "LimitExceededException", too_many);
    });
}

#[test]
fn listings_come_in_pages() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        for name in ["a", "b", "c", "d", "e"] {
            let rule = json!({ "Name": name, "ScheduleExpression": "rate(1 day)" });
            home.events("PutRule", rule);
        }
        let mut names = Vec::new();
        let mut sizes = Vec::new();
        let mut token = Value::Null;
        loop {
            let page = home.events("ListRules", json!({ "Limit": 2, "NextToken": token }));
            let rules = page["Rules"].as_array().expect("rules");
            sizes.push(rules.len());
            names.extend(
                rules.iter().map(|rule| rule["Name"].as_str().expect("a name").to_string()),
            );
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!((names.join(""), sizes), ("abcde".to_string(), vec![2, 2, 1]));
        home.refused(
            "ListRules",
            json!({ "NextToken": "zz" }),
            "ValidationException",
            "The token provided in NextToken is not valid.",
        );
    });
}

// EventBridge API reference, ListRuleNamesByTarget: EventBusName, Limit, NextToken and TargetArn.
#[test]
fn the_rules_of_a_target_are_listed_by_their_names() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = |name: &str| format!("arn:aws:sqs:{HOME}:{ACCOUNT}:{name}");
        for (name, target) in [("a", "q"), ("b", "other"), ("c", "q"), ("d", "q")] {
            let rule = json!({ "Name": name, "ScheduleExpression": "rate(1 day)" });
            home.events("PutRule", rule);
            let targets = json!([{ "Id": "1", "Arn": queue(target) }]);
            home.events("PutTargets", json!({ "Rule": name, "Targets": targets }));
        }
        home.events("DisableRule", json!({ "Name": "c" }));
        let asked = |more: Value| {
            let mut asked = json!({ "TargetArn": queue("q") });
            more.as_object().expect("members").iter().for_each(|(name, value)| {
                asked[name] = value.clone();
            });
            asked
        };
        let listed = |more| home.events("ListRuleNamesByTarget", asked(more));
        assert_eq!(listed(json!({})), json!({ "RuleNames": ["a", "c", "d"] }));
        let page = listed(json!({ "Limit": 2 }));
        assert_eq!(page["RuleNames"], json!(["a", "c"]));
        let rest = listed(json!({ "NextToken": page["NextToken"] }));
        assert_eq!(rest, json!({ "RuleNames": ["d"] }));
        let nobody = json!({ "TargetArn": queue("nobody") });
        assert_eq!(home.events("ListRuleNamesByTarget", nobody), json!({ "RuleNames": [] }));
        home.refused(
            "ListRuleNamesByTarget",
            asked(json!({ "EventBusName": "none" })),
            "ResourceNotFoundException",
            "Event bus none does not exist.",
        );
    });
}

#[test]
fn each_entry_of_put_events_fails_by_itself() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let entries = json!([
            { "Source": "my.app", "DetailType": "T", "Detail": "{}" },
            { "DetailType": "T", "Detail": "{}" },
            { "Source": "my.app", "Detail": "{}" },
            { "Source": "my.app", "DetailType": "T" },
            { "Source": "my.app", "DetailType": "T", "Detail": "[]" },
            { "Source": "my.app", "DetailType": "T", "Detail": "{" },
            { "Source": "aws.ec2", "DetailType": "T", "Detail": "{}" },
            { "Source": "my.app", "DetailType": "T", "Detail": "{}", "EventBusName": "nowhere" },
        ]);
        let answer = home.events("PutEvents", json!({ "Entries": entries }));
        assert_eq!(answer["FailedEntryCount"], 6);
        let required = |name: &str| {
            let text =
                format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            json!({ "ErrorCode": "InvalidArgument", "ErrorMessage": text })
        };
        let malformed =
            json!({ "ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed." });
        let results = answer["Entries"].as_array().expect("results");
        assert_eq!(results.len(), 8);
        assert!(results[0]["EventId"].is_string());
        assert_eq!(results[1], required("Source"));
        assert_eq!(results[2], required("DetailType"));
        assert_eq!(results[3], required("Detail"));
        assert_eq!(results[4], malformed);
        assert_eq!(results[5], malformed);
        assert_eq!(results[6]["ErrorCode"], "NotAuthorizedForSourceException");
        assert!(results[7]["EventId"].is_string(), "a bus that does not exist loses in silence");
    });
}

#[test]
fn put_events_is_bounded() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let entry = |detail: &str| json!({ "Source": "s", "DetailType": "t", "Detail": detail });
        let eleven: Vec<_> = (0..11).map(|_| entry("{}")).collect();
        let (status, answer) = home.raw("events", "PutEvents", &json!({ "Entries": eleven }));
        assert_eq!((status, &answer["__type"]), (400, &json!("ValidationException")));
        let half = json!({ "x": "y".repeat(524_288) }).to_string();
        home.events("PutEvents", json!({ "Entries": [entry(&half)] }));
        home.refused(
            "PutEvents",
            json!({ "Entries": [entry(&half), entry(&half)] }),
            "ValidationException",
            "Total size of the entries in the request is over the limit.",
        );
    });
}

#[test]
fn a_pattern_is_tested_against_an_event() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let mut event = json!({
            "id": "1", "account": ACCOUNT, "source": "my.app", "time": "2026-01-01T00:00:00Z",
            "region": HOME, "resources": [], "detail-type": "T", "detail": { "state": "stopped" },
        });
        let test = |pattern: &Value, event: &Value| {
            let (pattern, event) = (pattern.to_string(), event.to_string());
            let body = json!({ "EventPattern": pattern, "Event": event });
            home.events("TestEventPattern", body)["Result"].clone()
        };
        assert_eq!(test(&json!({ "detail": { "state": ["stopped"] } }), &event), true);
        assert_eq!(test(&json!({ "detail": { "state": ["running"] } }), &event), false);
        event.as_object_mut().expect("an object").remove("id");
        home.refused(
            "TestEventPattern",
            json!({ "EventPattern": r#"{"source":["x"]}"#, "Event": event.to_string() }),
            "ValidationException",
            "Parameter Event is not valid. Reason: id is a required argument.",
        );
    });
}

#[test]
fn statements_of_the_policy_of_a_bus() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let action = "events:PutEvents";
        let statement =
            |id: &str, who: &str| json!({ "StatementId": id, "Principal": who, "Action": action });
        home.events("PutPermission", statement("one", "111122223333"));
        home.events("PutPermission", statement("all", "*"));
        let policy = || {
            let shown = home.events("DescribeEventBus", json!({}));
            shown["Policy"].as_str().map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
        };
        let bus = format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default");
        let everyone = json!({
            "Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents",
            "Resource": bus,
        });
        let one = json!({
            "Sid": "one", "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
            "Action": "events:PutEvents", "Resource": bus,
        });
        assert_eq!(policy().expect("a policy")["Statement"], json!([one, everyone]));
        home.events("RemovePermission", json!({ "StatementId": "one" }));
        assert_eq!(policy().expect("a policy")["Statement"], json!([everyone]));
        home.refused(
            "RemovePermission",
            json!({ "StatementId": "one" }),
            "ResourceNotFoundException",
            "Statement with the provided id does not exist.",
        );
        home.events("RemovePermission", json!({ "RemoveAllPermissions": true }));
        assert_eq!(policy(), None);
    });
}
