//! What changes between two policies, in the words of the file.

use afterimage_core::policy::difference::between;
use afterimage_core::policy::{Policy, file};

const GOLD: &str = r#"policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold, env: [prod, staging]}}
    triggers:
      - schedule: cron(0 2 * * ? *)
        timezone: Asia/Ho_Chi_Minh
      - on: stopped
        min_interval: 1h
    consistency: at-rest
    replicate:
      - region: eu-west-1
        kms_key: alias/dr
      - region: eu-central-1
    rpo: 26h
"#;

fn policy(yaml: &str) -> Policy {
    let policies = file::read(yaml).unwrap_or_else(|problems| panic!("{problems:#?}"));
    policies.into_iter().next().expect("a policy")
}

/// What is told of a change of the text.
#[track_caller]
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(GOLD.contains(from), "{from}");
    let differences = between(Some(&policy(GOLD)), &policy(&GOLD.replace(from, to)));
    let told = differences.iter().map(|difference| {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "unsaid".into());
        format!("{}: {} -> {}", difference.key, value(&difference.was), value(&difference.is))
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn each_key_is_told_as_it_is_written() {
    check("gold:", "gold:", &[]);
    check(
        "[us-east-1]",
        "[us-east-1, us-west-2]",
        &["select.regions: us-east-1 -> us-east-1, us-west-2"],
    );
    check("backup: gold", "backup: silver", &["select.tags.backup: gold -> silver"]);
    check(", env: [prod, staging]", "", &["select.tags.env: prod, staging -> unsaid"]);
    check("1h", "90m", &["triggers(on stopped).min_interval: 1h -> 90m"]);
    check("    rpo: 26h\n", "", &["rpo: 26h -> unsaid"]);
    check("at-rest", "crash", &["consistency: at-rest -> unsaid"]);
    check("at-rest", "stop-start", &["consistency: at-rest -> stop-start"]);
    check("        kms_key: alias/dr\n", "", &["replicate(eu-west-1).kms_key: alias/dr -> unsaid"]);
}

#[test]
fn what_stands_in_a_list_is_known_by_its_name_and_not_by_its_place() {
    check(
        "eu-central-1",
        "eu-north-1",
        &["replicate(eu-north-1): unsaid -> ", "replicate(eu-central-1):  -> unsaid"],
    );
    check(
        "cron(0 2",
        "cron(0 3",
        &[
            "triggers(cron(0 3 * * ? *)): unsaid -> ",
            "triggers(cron(0 3 * * ? *)).timezone: unsaid -> Asia/Ho_Chi_Minh",
            "triggers(cron(0 2 * * ? *)):  -> unsaid",
            "triggers(cron(0 2 * * ? *)).timezone: Asia/Ho_Chi_Minh -> unsaid",
        ],
    );
    let swapped = GOLD.replace("eu-central-1", "x").replace("eu-west-1", "eu-central-1");
    let swapped = swapped.replace("        kms_key: alias/dr\n", "");
    let swapped = swapped.replace("region: x", "region: eu-west-1\n        kms_key: alias/dr");
    assert_eq!(between(Some(&policy(GOLD)), &policy(&swapped)), []);
}

#[test]
fn of_a_new_policy_everything_is_new() {
    let differences = between(None, &policy(GOLD));
    let keys: Vec<&str> = differences.iter().map(|difference| difference.key.as_str()).collect();
    let expected = [
        "select.regions",
        "select.tags.backup",
        "select.tags.env",
        "triggers(cron(0 2 * * ? *))",
        "triggers(cron(0 2 * * ? *)).timezone",
        "triggers(on stopped)",
        "triggers(on stopped).min_interval",
        "consistency",
        "replicate(eu-west-1)",
        "replicate(eu-west-1).kms_key",
        "replicate(eu-central-1)",
        "rpo",
    ];
    assert_eq!(keys, expected);
    assert!(differences.iter().all(|difference| difference.was.is_none()));
}
