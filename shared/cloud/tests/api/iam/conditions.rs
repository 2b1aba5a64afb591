//! Condition operators, set operators and absent keys.

use afterimage_cloud::iam::{Verdict, evaluate};
use serde_json::{Value, json};

use super::{SESSION, ask, document};

/// A row: its name, the condition, the keys, whether it holds.
type ConditionRow<'a> = (&'a str, Value, &'a [(&'a str, &'a str)], bool);

fn holds(name: &str, condition: &Value, pairs: &[(&str, &str)]) -> bool {
    let statement =
        json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
    match evaluate(&[document(statement)], &ask("ec2:X", "*", pairs)) {
        Verdict::Allowed => true,
        Verdict::ImplicitDeny => false,
        Verdict::ExplicitDeny => panic!("{name}: nothing here denies"),
    }
}

fn check_conditions(rows: &[ConditionRow]) {
    for (name, condition, pairs, expected) in rows {
        assert_eq!(holds(name, condition, pairs), *expected, "{name}: {condition} {pairs:?}");
    }
}

#[test]
fn text_conditions() {
    let team = |operator: &str, wanted: Value| json!({operator: {"aws:RequestTag/Team": wanted}});
    let red = [("aws:RequestTag/Team", "red")];
    let equals = team("StringEquals", json!("red"));
    let two_keys = json!({"StringEquals": {"aws:RequestTag/Team": "red", "ec2:Owner": "self"}});
    let two_operators =
        json!({"StringEquals": {"ec2:Owner": "self"}, "Bool": {"ec2:Encrypted": true}});
    let own = ("ec2:Owner", "self");
    #[rustfmt::skip]
    check_conditions(&[
        ("equal", equals.clone(), &red, true),
        ("values mind case", equals.clone(), &[("aws:RequestTag/Team", "Red")], false),
        ("keys do not mind case", equals.clone(), &[("AWS:requesttag/TEAM", "red")], true),
        ("an absent key equals nothing", equals, &[], false),
        ("a star is only a star", team("StringEquals", json!("r*")), &red, false),
        ("values are alternatives", team("StringEquals", json!(["blue", "red"])), &red, true),
        ("keys go together", two_keys.clone(), &[red[0], own], true),
        ("one of two keys is too little", two_keys, &red, false),
        ("operators go together", two_operators.clone(), &[own, ("ec2:Encrypted", "true")], true),
        ("one of two operators is too little", two_operators, &[own], false),
        ("not equal", team("StringNotEquals", json!("blue")), &red, true),
        ("not equal fails if equal", team("StringNotEquals", json!("red")), &red, false),
        ("not equal to any", team("StringNotEquals", json!(["blue", "red"])), &red, false),
        ("an absent key is not equal", team("StringNotEquals", json!("red")), &[], true),
        ("ignoring case", team("StringEqualsIgnoreCase", json!("RED")), &red, true),
        ("not, ignoring case", team("StringNotEqualsIgnoreCase", json!("RED")), &red, false),
        ("like", team("StringLike", json!("r*d")), &red, true),
        ("like with one character", team("StringLike", json!("r?d")), &red, true),
        ("like minds case", team("StringLike", json!("R*")), &red, false),
        ("not like", team("StringNotLike", json!("b*")), &red, true),
        ("not like fails if like", team("StringNotLike", json!("r*")), &red, false),
        ("an absent key is not like", team("StringNotLike", json!("*")), &[], true),
        ("if it exists, and does", team("StringEqualsIfExists", json!("blue")), &red, false),
        ("if it exists, and does not", team("StringEqualsIfExists", json!("blue")), &[], true),
        ("absent", json!({"Null": {"aws:RequestTag/Team": "true"}}), &[], true),
        ("absent, but there", json!({"Null": {"aws:RequestTag/Team": true}}), &red, false),
        ("present", json!({"Null": {"aws:RequestTag/Team": "false"}}), &red, true),
        ("present, but absent", json!({"Null": {"aws:RequestTag/Team": false}}), &[], false),
        ("one of several values is enough", team("StringEquals", json!("red")),
         &[("aws:RequestTag/Team", "blue"), red[0]], true),
        ("one of several values is too much", team("StringNotEquals", json!("red")),
         &[("aws:RequestTag/Team", "blue"), red[0]], false),
    ]);
}

/// The tables of the guide's page on multivalued context keys.
#[test]
fn set_conditions() {
    let tag = |operator: &str| json!({operator: {"aws:TagKeys": ["environment", "cost-center"]}});
    let all = tag("ForAllValues:StringEquals");
    let all_and_present = json!({"ForAllValues:StringEquals": {"aws:TagKeys": "environment"},
        "Null": {"aws:TagKeys": "false"}});
    let any = tag("ForAnyValue:StringEquals");
    let environment = ("aws:TagKeys", "environment");
    let center = ("aws:TagKeys", "cost-center");
    let dept = ("aws:TagKeys", "dept");
    #[rustfmt::skip]
    check_conditions(&[
        ("all: one listed", all.clone(), &[environment], true),
        ("all: both listed", all.clone(), &[environment, center], true),
        ("all: one is not listed", all.clone(), &[environment, dept], false),
        ("all: an absent key satisfies", all.clone(), &[], true),
        ("all: an empty value satisfies", all, &[("aws:TagKeys", "")], true),
        ("all and present: present", all_and_present.clone(), &[environment], true),
        ("all and present: absent", all_and_present, &[], false),
        ("any: one of them", any.clone(), &[environment, dept], true),
        ("any: none of them", any.clone(), &[dept], false),
        ("any: an absent key does not satisfy", any, &[], false),
        ("all not: none listed", tag("ForAllValues:StringNotEquals"), &[dept], true),
        ("all not: one listed", tag("ForAllValues:StringNotEquals"), &[dept, center], false),
        ("any not: one is not listed", tag("ForAnyValue:StringNotEquals"), &[dept, center], true),
        ("any not: all listed", tag("ForAnyValue:StringNotEquals"), &[center], false),
        ("any not: an absent key", tag("ForAnyValue:StringNotEquals"), &[], false),
        ("any like", json!({"ForAnyValue:StringLike": {"aws:TagKeys": "cost-*"}}), &[center], true),
        ("any, if it exists, and does not", tag("ForAnyValue:StringEqualsIfExists"), &[], true),
    ]);
}

#[test]
fn number_date_and_truth_conditions() {
    let size = |operator: &str, wanted: Value| json!({operator: {"ec2:VolumeSize": wanted}});
    let hundred = [("ec2:VolumeSize", "100")];
    let when = |operator: &str, wanted: &str| json!({operator: {"aws:CurrentTime": wanted}});
    let noon = [("aws:CurrentTime", "2026-01-01T12:00:00Z")];
    #[rustfmt::skip]
    check_conditions(&[
        ("numbers, not texts", size("NumericEquals", json!("100.0")), &hundred, true),
        ("not that number", size("NumericNotEquals", json!(100)), &hundred, false),
        ("no number is not that number", size("NumericNotEquals", json!(100)), &[], true),
        ("less", size("NumericLessThan", json!(100)), &hundred, false),
        ("less or equal", size("NumericLessThanEquals", json!("100")), &hundred, true),
        ("greater, by number", size("NumericGreaterThan", json!("99")), &hundred, true),
        ("greater or equal", size("NumericGreaterThanEquals", json!(101)), &hundred, false),
        ("a word is no number", size("NumericLessThan", json!(9)), &[("ec2:VolumeSize", "x")],
         false),
        ("the same instant", when("DateEquals", "2026-01-01T13:00:00+01:00"), &noon, true),
        ("seconds since the epoch", when("DateEquals", "1767268800"), &noon, true),
        ("another instant", when("DateNotEquals", "2026-01-01T12:00:01Z"), &noon, true),
        ("before", when("DateLessThan", "2026-01-01T12:00:00Z"), &noon, false),
        ("before or at", when("DateLessThanEquals", "2026-01-01T12:00Z"), &noon, true),
        ("after a year began", when("DateGreaterThan", "2026"), &noon, true),
        ("before a year began", when("DateLessThan", "2027"), &noon, true),
        ("not before a day", when("DateGreaterThanEquals", "2026-01-02"), &noon, false),
        ("true", json!({"Bool": {"kms:GrantIsForAWSResource": true}}),
         &[("kms:GrantIsForAWSResource", "true")], true),
        ("not true", json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}),
         &[("kms:GrantIsForAWSResource", "false")], false),
        ("absent is not false", json!({"Bool": {"aws:SecureTransport": "false"}}), &[], false),
    ]);
}

#[test]
fn address_and_arn_conditions() {
    let from = |operator: &str, wanted: Value| json!({operator: {"aws:SourceIp": wanted}});
    let source = |operator: &str, wanted: &str| json!({operator: {"aws:SourceArn": wanted}});
    let rule = [("aws:SourceArn", "arn:aws:events:eu-central-1:123456789012:rule/bus/nightly")];
    let colons = [("aws:SourceArn", "arn:aws:logs:eu-central-1:123456789012:log-group:a:b")];
    let v4 = [("aws:SourceIp", "203.0.113.7")];
    let v6 = [("aws:SourceIp", "2001:db8:1234:5678::1")];
    #[rustfmt::skip]
    check_conditions(&[
        ("in a range", from("IpAddress", json!("203.0.113.0/24")), &v4, true),
        ("outside a range", from("IpAddress", json!("203.0.113.0/30")), &v4, false),
        ("not in a range", from("NotIpAddress", json!("203.0.113.0/24")), &v4, false),
        ("a single address", from("IpAddress", json!("203.0.113.7")), &v4, true),
        ("every address", from("IpAddress", json!("0.0.0.0/0")), &v4, true),
        ("both families", from("IpAddress", json!(["203.0.113.0/24", "2001:DB8:1234:5678::/64"])),
         &v6, true),
        ("one family is not the other", from("IpAddress", json!("0.0.0.0/0")), &v6, false),
        ("an ARN", source("ArnEquals", rule[0].1), &rule, true),
        ("an ARN's parts", source("ArnLike", "arn:aws:events:*:123456789012:rule/*"), &rule, true),
        ("ArnEquals is ArnLike", source("ArnEquals", "arn:*:events:*:*:rule/?us/*"), &rule, true),
        ("no star passes a colon", source("ArnLike", "arn:aws:logs:*:log-group:*"), &colons, false),
        ("the last part keeps its colons", source("ArnLike", "arn:aws:logs:*:*:*:b"), &colons,
         true),
        ("not that ARN", source("ArnNotLike", "arn:aws:sns:*:*:*"), &rule, true),
        ("not that ARN, but it is", source("ArnNotEquals", "arn:aws:events:*:*:*"), &rule, false),
        ("no ARN is not that ARN", source("ArnNotEquals", "arn:aws:events:*:*:*"), &[], true),
    ]);
}

#[test]
fn variables_in_conditions() {
    let same =
        |operator: &str| json!({operator: {"aws:ResourceTag/Account": "${aws:PrincipalAccount}"}});
    let mine =
        [("aws:PrincipalAccount", "123456789012"), ("aws:ResourceTag/Account", "123456789012")];
    let arn = json!({"ArnLike": {"aws:SourceArn": "${aws:PrincipalArn}"}});
    let arns = [("aws:PrincipalArn", SESSION), ("aws:SourceArn", SESSION)];
    #[rustfmt::skip]
    check_conditions(&[
        ("a variable in a condition", same("StringEquals"), &mine, true),
        ("a variable without a value equals nothing", same("StringEquals"), &mine[1..], false),
        ("a variable without a value is not equal", same("StringNotEquals"), &mine[1..], true),
        ("a variable may hold a whole ARN", arn, &arns, true),
        ("a literal star in StringLike", json!({"StringLike": {"a:b": "x${*}"}}), &[("a:b", "xy")],
         false),
    ]);
}
