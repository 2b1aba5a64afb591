//! Policies printed, and read again.

use afterimage_core::policy::file::read;
use afterimage_core::policy::{Policy, print};
use proptest::prelude::*;

use crate::arbitrary::policies;
use crate::good;

const EVERYTHING: &str = r#"policies:
  gold:
    select:
      regions: [us-east-1]
      tags:
        backup: gold
        env: [prod, "staging*"]
        version: "1.10"
      exclude_tags:
        backup-pause: "*"
      states: [running, stopped]
    triggers:
      - schedule: cron(0 2 * * ? *)
        timezone: Asia/Ho_Chi_Minh
        window: 4h
        catch_up: none
      - on: stopped
        min_interval: 90m
      - on: tag
    consistency: at-rest
    stop_start:
      at_once: 2
      timeout: 5m
    image:
      method: create-image
      exclude_volumes:
        tags:
          scratch: "yes"
        devices: [/dev/sdh, xvdf]
      copy_tags: false
      tags:
        "1": ""
        team: platform
      share:
        accounts: ["111122223333", "000000000000"]
    replicate:
      - region: eu-west-1
        kms_key: alias/dr
        deadline: 4h
        retain:
          daily: 7
      - region: eu-central-1
        kms_key: "arn:aws:kms:eu-central-1:123456789012:alias/dr"
    retain:
      last: 3
      hourly: 24
      daily: 7
      weekly: 4
      monthly: 12
      yearly: 3
      within: 2d
    rpo: 26h
"#;

#[test]
fn a_policy_that_says_everything_is_printed_as_a_person_would_write_it() {
    assert_eq!(print::file(&good(EVERYTHING)), EVERYTHING);
}

#[test]
fn what_nobody_said_is_not_printed() {
    let least = "policies:
  gold:
    select:
      regions: [us-east-1]
      tags:
        backup: gold
    triggers:
      - schedule: rate(6 hours)
";
    assert_eq!(print::file(&good(least)), least);
    let said = least.replace(
        "rate(6 hours)\n",
        "rate(6 hours)\n        timezone: UTC\n        catch_up: latest\n    consistency: crash\n",
    );
    assert_eq!(print::file(&good(&said)), least);
}

#[test]
fn no_policies_are_a_file_as_well() {
    assert_eq!(print::file(&[]), "policies: {}\n");
    assert_eq!(good("policies: {}\n"), []);
}

#[test]
fn a_span_of_time_is_told_in_the_largest_unit_that_is_exact() {
    let table = [(1, "1s"), (59, "59s"), (60, "1m"), (90, "90s"), (5400, "90m"), (93_600, "26h")];
    for (secs, expected) in table {
        assert_eq!(print::span(secs), expected);
    }
    assert_eq!(print::span(14 * 86_400), "14d");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn policies_that_are_printed_and_read_again_are_the_same(policies in policies()) {
        let text = print::file(&policies);
        match read(&text) {
            Ok(back) => prop_assert_eq!(back, policies, "{}", text),
            Err(problems) => prop_assert!(false, "{problems:#?}\n{text}"),
        }
    }

    #[test]
    fn policies_are_the_same_after_the_ledger(policies in policies()) {
        for policy in policies {
            let kept = serde_json::to_string(&policy).expect("it can be written");
            let back: Policy = serde_json::from_str(&kept).expect("it can be read");
            prop_assert_eq!(back, policy);
        }
    }
}
