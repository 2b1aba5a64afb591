//! Keys that KMS does not describe, as the status tells them.

use super::served::Served;

const UNDER_A_KEY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1, kms_key: alias/dr}]
";

#[test]
fn keys_of_which_nothing_is_known_are_told_beneath_the_first_line() {
    let served = Served::start();
    let key = served.make_key("eu-west-1", "alias/dr");
    served.says(&["policy", "apply", "-", "--yes"], UNDER_A_KEY);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.stop(&machine);
    served.pass(3 * 3600);
    let json = || -> serde_json::Value {
        serde_json::from_str(&served.says(&["status", "--json"], "")).expect("JSON")
    };
    assert_eq!(json()["keys_not_read"], serde_json::json!([]));
    served.refuse("DescribeKey");
    served.disable_key("eu-west-1", &key);
    served.pass(5 * 3600);
    let told = served.says(&["status"], "");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "1 machine: 1 protected; 1 finding", "{told}");
    assert!(lines[1].starts_with("keys not read since 2026-01-01 0"), "{told}");
    assert!(lines[1].contains("UTC: 1 key in eu-west-1"), "{told}");
    assert!(told.contains("(keys-not-read)"), "{told}");
    let explained = served.says(&["explain", &machine], "");
    assert!(explained.contains("(keys-not-read)"), "{explained}");
    let told = json();
    assert_eq!(told["keys_not_read"][0]["region"], "eu-west-1", "{told}");
    let arn = told["keys_not_read"][0]["keys"][0].as_str().expect("an ARN");
    assert!(arn.ends_with(&key), "{told}");

    served.lighten();
    served.pass(2 * 3600);
    let told = json();
    assert_eq!(told["keys_not_read"], serde_json::json!([]));
    assert_eq!(told["findings"][0]["reason"]["code"], "key-unusable", "{told}");
    assert_eq!(told["summary"]["image_lost"], 1, "{told}");
}
