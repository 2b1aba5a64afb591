//! `afterimage policy show` and `afterimage policy next`.

use crate::served::{Served, run, text};

const POLICIES: &str = "\
policies:
  gold:
    select:
      regions: [us-east-1]
      tags:
        backup: gold
    triggers:
      - schedule: cron(30 2 * * ? *)
        timezone: Europe/Berlin
      - on: stopped
        min_interval: 1h
  silver:
    select:
      regions: [us-west-2]
      tags:
        backup: [silver, \"yes\"]
    triggers:
      - schedule: rate(6 hours)
";

#[test]
fn what_is_in_force_is_shown_as_a_file_that_could_be_applied() {
    let served = Served::start();
    assert_eq!(served.says(&["policy", "show"], ""), "policies: {}\n");
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let shown = served.says(&["policy", "show"], "");
    assert_eq!(shown, POLICIES);
    let told = served.says(&["policy", "apply", "-"], &shown);
    assert_eq!(told, "= gold    unchanged\n= silver  unchanged\n");
    let one = served.says(&["policy", "show", "silver"], "");
    assert!(one.contains("  silver:\n") && !one.contains("gold"), "{one}");
    let output = served.run(&["policy", "show", "bronze"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("policy bronze was not found\n  policies in force: gold, silver"),
        "{said}"
    );
    let json = served.says(&["policy", "show", "gold", "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["policies"][0]["name"], "gold");
}

#[test]
fn the_next_runs_are_told_in_their_zones_and_in_utc() {
    let served = Served::start();
    assert_eq!(served.says(&["policy", "next"], ""), "no policies\n");
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let expected = "\
gold
  Thu 2026-01-01 02:30 Europe/Berlin  Thu 2026-01-01 01:30 UTC  in 90m
  Fri 2026-01-02 02:30 Europe/Berlin  Fri 2026-01-02 01:30 UTC  in 25h
  whenever a machine stops, at most every 1h

silver
  Thu 2026-01-01 06:00 UTC  in 6h
  Thu 2026-01-01 12:00 UTC  in 12h
";
    let after = ["policy", "next", "--count", "2", "--after", "2026-01-01T00:00:00Z"];
    assert_eq!(served.says(&after, ""), expected);
    let date = ["policy", "next", "--count", "2", "--after", "2026-01-01"];
    assert_eq!(served.says(&date, ""), expected);
    let wrong = served.run(&["policy", "next", "--after", "yesterday"]);
    let said = crate::served::text(&wrong.stderr);
    assert!(said.contains("write a date or an instant: 2026-03-28"), "{said}");
    let silver = served.says(&["policy", "next", "silver"], "");
    assert_eq!(silver.lines().count(), 6, "five runs: {silver}");
}

#[test]
fn the_runs_of_a_file_are_told_without_aws_and_the_nights_of_the_clocks_are_marked() {
    let nowhere = [("AWS_REGION", ""), ("AWS_ACCESS_KEY_ID", "")];
    let after = ["policy", "next", "gold", "--file", "-", "--after", "2026-03-28T12:00:00Z"];
    let output = run(&nowhere, &[&after[..], &["--count", "2"]].concat(), POLICIES);
    let expected = "\
gold
  Sun 2026-03-29 03:00 Europe/Berlin  Sun 2026-03-29 01:00 UTC  in 13h
      ! clocks went forward by 1h, from UTC+01 to UTC+02; at the jump
  Mon 2026-03-30 02:30 Europe/Berlin  Mon 2026-03-30 00:30 UTC  in 36h
  whenever a machine stops, at most every 1h
";
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    let output = run(&nowhere, &[&after[..], &["--count", "1", "--json"]].concat(), POLICIES);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let run_of_gold = &json["policies"][0]["runs"][0];
    assert_eq!(run_of_gold["at"], "2026-03-29T01:00:00Z");
    assert_eq!(run_of_gold["timezone"], "Europe/Berlin");
    let output = run(&nowhere, &["policy", "next", "bronze", "--file", "-"], POLICIES);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("policies in the file: gold, silver"), "{said}");
}
