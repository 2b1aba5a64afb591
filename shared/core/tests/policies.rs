//! Policy files, as people write them, right and wrong.

use afterimage_core::policy::file::read;
use afterimage_core::policy::select::{Selected, glob};
use afterimage_core::policy::{Policy, Trigger};

const GOLD: &str = r#"
policies:
  gold:
    select:
      regions: [us-east-1, ap-southeast-1]
      tags: {backup: gold, env: [prod, stag*]}
      exclude_tags: {backup-pause: "*"}
    triggers:
      - schedule: cron(0 2 * * ? *)
        timezone: Asia/Ho_Chi_Minh
      - on: stopped
        min_interval: 12h
    image:
      tags: {team: platform, version: 1.10, empty: ""}
      share: {accounts: ["000000000000"]}
    replicate:
      - region: eu-west-1
        kms_key: alias/dr
        deadline: 4h
      - region: us-east-1
"#;

/// Reads a file in which everything is right.
fn good(text: &str) -> Vec<Policy> {
    read(text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Every problem of a file, as `line:column: what; instead`.
fn check(text: &str, expected: &[&str]) {
    let problems = read(text).expect_err("the file is wrong");
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "expected {expected}\n     got {said}");
    }
}

#[test]
fn a_policy_means_what_it_says() {
    let policies = good(GOLD);
    let [gold] = &policies[..] else { panic!("{policies:#?}") };
    assert_eq!(gold.name.as_str(), "gold");
    assert_eq!(gold.image.tags["version"], "1.10", "a scalar is its source text");
    assert_eq!(gold.image.tags["empty"], "");
    assert_eq!(gold.image.share[0].as_str(), "000000000000");
    assert_eq!(gold.replicate[0].deadline_secs, Some(4 * 3600));
    let [Trigger::Schedule(timed), Trigger::Stopped(stopped)] = &gold.triggers[..] else {
        panic!("{:#?}", gold.triggers)
    };
    assert_eq!((timed.expression(), timed.timezone()), ("cron(0 2 * * ? *)", "Asia/Ho_Chi_Minh"));
    assert_eq!(stopped.min_interval_secs, 12 * 3600);
    let homes = |home: &str| {
        let home = home.to_string().try_into().expect("a region");
        gold.replicas_for(&home).iter().map(|r| r.region.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(homes("us-east-1"), ["eu-west-1"], "its own region is skipped");
    assert_eq!(homes("ap-southeast-1"), ["eu-west-1", "us-east-1"]);
}

#[test]
fn a_policy_is_the_same_after_the_ledger() {
    for policy in good(GOLD) {
        let kept = serde_json::to_string(&policy).expect("it can be written");
        let back: Policy = serde_json::from_str(&kept).expect("it can be read");
        assert_eq!(back, policy);
    }
}

#[test]
fn a_machine_needs_every_tag_and_no_excluding_one() {
    let gold = &good(GOLD)[0].select;
    let region = |name: &str| name.to_string().try_into().expect("a region");
    let judge = |place: &str, tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        gold.judge(&region(place), &tags.collect())
    };
    let both = [("backup", "gold"), ("env", "staging")];
    assert_eq!(judge("us-east-1", &both), Selected::Yes);
    assert_eq!(judge("eu-west-1", &both), Selected::OtherRegion);
    assert_eq!(judge("us-east-1", &both[..1]), Selected::TagMissing("env".into()));
    let paused = [both[0], both[1], ("backup-pause", "")];
    assert_eq!(judge("us-east-1", &paused), Selected::Excluded("backup-pause".into()));
}

#[test]
fn globs_match_as_in_a_shell() {
    let table = [
        ("prod", "prod", true),
        ("prod", "production", false),
        ("prod*", "production", true),
        ("*", "", true),
        ("?", "", false),
        ("a*b*c", "aXXbYYbZc", true),
        ("a*b*c", "aXXbYYbZ", false),
        ("é?", "éa", true),
        ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ];
    for (pattern, text, expected) in table {
        assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_at_its_place() {
    let text = r#"policies:
  gold:
    select:
      regions: [us-east-9]
      tags: gold
      exclude_tag: {a: b}
    triggers:
      - schedule: cron(0 2 * * *)
        timezone: Asia/Saigon City
      - on: started
    image: {share: {accounts: [123456789012]}}
    replicate:
      - region: eu-west-1
        deadline: soon
  gold:
    select: {regions: [eu-west-1], tags: {a: b}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1}]
"#;
    check(
        text,
        &[
            "4:17: `us-east-9` is not a region; regions are us-east-1, us-east-2, us-west-1",
            "5:13: `tags` must be a group of keys, not a single value",
            "5:13: `tags` selects nothing",
            "6:7: unknown key `exclude_tag`; did you mean `exclude_tags`?",
            "8:19: a cron expression has 6 fields",
            "9:19: `Asia/Saigon City` is not a time zone of the IANA database",
            "10:13: `on: started` is not an event that triggers; write `on: stopped`",
            "11:32: the account id 123456789012 is not in quotes; write \"123456789012\"",
            "14:19: `deadline`: `soon` is not a length of time",
            "15:3: a second policy is called `gold` (the first is at 2:3)",
            "18:16: no replica region is left for machines in eu-west-1",
        ],
    );
}

#[test]
fn one_mistake_in_a_trigger_does_not_hide_another() {
    let text = "policies:
  gold:
    select: {regions: [us-east-1], tags: {a: b}}
    triggers:
      - {on: started, min_interval: soon}
      - {schedule: rate(0 hours), timezone: [UTC]}
";
    check(
        text,
        &[
            "5:14: `on: started` is not an event that triggers",
            "5:37: `min_interval`: `soon` is not a length of time",
            "6:20: ",
            "6:45: `timezone` must be a single value",
        ],
    );
}

#[test]
fn what_is_not_the_yaml_that_is_read_here_is_told_at_its_place() {
    check("", &["1:1: the file is empty"]);
    check("policies: {a: [}", &["1:16: this is not YAML"]);
    check("policies: &x {a: b}", &["1:11: an anchor"]);
    check("policies: !tag {a: b}", &["1:11: a tag"]);
    check("policies: {}\n---\npolicies: {}\n", &["2:1: a second document"]);
    check("- a\n- b\n", &["1:1: the file must be a group of keys, not a list"]);
    check("policy: {}\n", &["1:1: `policies` is missing", "1:1: unknown key `policy`"]);
}
