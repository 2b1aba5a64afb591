//! `afterimage policy check` and `afterimage policy schema`, as a user runs them.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use afterimage::text::width;

/// Runs the check on a file given on standard input.
fn check(arguments: &[&str], file: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_afterimage"))
        .args(["policy", "check", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(file.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it writes text")
}

const GOOD: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers:
      - schedule: cron(0 2 * * ? *)
        timezone: Asia/Ho_Chi_Minh
      - on: stopped
    replicate: [{region: eu-west-1, kms_key: alias/dr, deadline: 4h}]
";

#[test]
fn a_right_file_is_told_back_in_a_few_lines() {
    let output = check(&[], GOOD);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = "\
gold
  selects    backup=gold in us-east-1
  triggers   cron(0 2 * * ? *) in Asia/Ho_Chi_Minh; the latest missed run is made up for
  triggers   on stopped, at most every 12h
  disks      crash: machines are imaged as they are, running or stopped
  makes      images, method auto
  tags       those of the machine
  replicates to eu-west-1 with alias/dr, within 4h
  retains    everything
";
    assert_eq!(text(&output.stdout), expected);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

const EVERYTHING: &str = "\
policies:
  gold:
    select:
      regions: [us-east-1, us-west-2]
      tags: {backup: gold, env: [prod, stag*]}
      exclude_tags: {backup-pause: \"*\"}
      states: [running, stopped]
    triggers:
      - {schedule: rate(6 hours), window: 90m, catch_up: none}
      - on: tag
    consistency: stop-start
    stop_start: {at_once: 3, timeout: 15m}
    image:
      method: create-image
      exclude_volumes: {tags: {scratch: \"*\"}, devices: [/dev/sdh]}
      copy_tags: false
      tags: {team: platform}
      share: {accounts: [\"111122223333\"]}
    replicate: [{region: eu-west-1, retain: {daily: 7}}]
    retain: {last: 3, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 2, within: 2d}
    rpo: 26h
  discs:
    select: {regions: [eu-west-1], tags: {backup: silver}}
    triggers: [{schedule: rate(1 day)}]
    consistency: at-rest
    stop_start: {at_once: 2}
    image: {kind: snapshots, copy_tags: false}
";

#[test]
fn everything_that_a_policy_says_is_told_back() {
    let output = check(&[], EVERYTHING);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = "\
gold
  selects    backup=gold, env=prod|stag* in us-east-1, us-west-2, if running or stopped
  leaves out backup-pause=*
  triggers   rate(6 hours) in UTC, waits at most 90m; missed runs are not made up for
  triggers   on tag
  disks      stop-start: machines are stopped, imaged and started again; 3 at once, 15m to stop
  makes      images, method create-image
  without    volumes scratch=*, /dev/sdh
  tags       team=platform
  shares     with 111122223333
  replicates to eu-west-1 with the default key of the region, if encrypted, retains 7 daily
  retains    3 last, 24 hourly, 7 daily, 4 weekly, 12 monthly, 2 yearly, all within 2d
  rpo        newest good point at most 26h old
discs
  selects    backup=silver in eu-west-1
  triggers   rate(1 day) in UTC, waits at most 4h; the latest missed run is made up for
  disks      at-rest: machines are imaged when they are stopped
  makes      snapshots only
  retains    everything
";
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn what_a_policy_says_in_vain_is_noted_on_stderr() {
    let noted = [
        "policy gold: `retain` is not acted on yet; nothing is deleted",
        "policy gold: `rpo` is not acted on yet; nothing is measured",
        "policy gold: `image.share` is not acted on yet; nothing is shared",
        "policy gold: `consistency: stop-start` stops running machines; unless the stack was \
         deployed with AllowStopStart=true, their points are refused",
        "policy discs: `stop_start` has no effect; `consistency: at-rest` stops no machine",
    ];
    let lines = noted.map(|note| format!("note: {note}\n"));
    assert_eq!(text(&check(&[], EVERYTHING).stderr), lines.concat());
    let output = check(&["--json"], EVERYTHING);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["notes"], serde_json::json!(noted));
    let there = GOOD.replace("deadline: 4h", "retain: {daily: 7}");
    assert_eq!(text(&check(&[], &there).stderr), lines[0]);
}

#[test]
fn a_policy_that_reboots_machines_names_the_parameter_that_allows_it() {
    let output = check(&[], &format!("{GOOD}    consistency: reboot\n"));
    let note = "note: policy gold: `consistency: reboot` reboots running machines; unless the \
                stack was deployed with AllowReboot=true, their points are refused\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), note.into()));
}

#[test]
fn the_schema_is_printed_for_editors() {
    let output = Command::new(env!("CARGO_BIN_EXE_afterimage"))
        .args(["policy", "schema"])
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), include_str!("../src/policy/schema.json"));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn a_wrong_file_is_told_with_its_lines_on_stderr_and_exit_1() {
    let wrong = GOOD.replace("us-east-1", "us-eats-1").replace("on: stopped", "on: stoped");
    let output = check(&[], &wrong);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let expected = "\
error: 2 problems in standard input

standard input:3:24: `us-eats-1` is not a region
   |
 3 |     select: {regions: [us-eats-1], tags: {backup: gold}}
   |                        ^
   = did you mean us-east-1?

standard input:7:13: `on: stoped` is not a known event
   |
 7 |       - on: stoped
   |             ^
   = write `on: stopped` or `on: tag`
";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn a_place_is_marked_below_its_column_whatever_stands_before_it() {
    let wrong = "policies:\n  gold: {select: {tags: {主机: x}, regions: [us-eats-1]}}\n";
    let output = check(&[], wrong);
    let told = text(&output.stderr);
    let lines: Vec<&str> = told.lines().collect();
    let [.., line, mark, _] = lines[..] else { panic!("{told}") };
    let (before_word, _) = line.split_once("us-eats-1").expect("the line is shown");
    let before_mark = mark.strip_suffix('^').expect("a mark ends the line below");
    assert_eq!(width(before_mark), width(before_word), "{told}");
}

#[test]
fn a_region_that_is_newer_than_the_release_is_accepted_with_a_note() {
    let newer = GOOD.replacen("us-east-1", "nz-central-1", 1);
    assert_ne!(newer, GOOD);
    let output = check(&[], &newer);
    let note =
        "note: policy gold: this release does not know the region nz-central-1; check its name\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), note.into()));
}

#[test]
fn a_file_without_policies_says_so() {
    let output = check(&[], "policies: {}\n");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "no policies\n".into()));
}

#[test]
fn json_has_the_same_in_data() {
    let good: serde_json::Value =
        serde_json::from_slice(&check(&["--json"], GOOD).stdout).expect("JSON");
    assert_eq!(good["policies"][0]["name"], "gold");
    assert_eq!(good["problems"], serde_json::json!([]));
    assert_eq!(good["notes"], serde_json::json!([]));
    let output = check(&["--json"], "policies: {}\npolices: {}\n");
    assert_eq!(output.status.code(), Some(1));
    let wrong: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(wrong["problems"][0]["line"], 2);
    assert_eq!(wrong["problems"][0]["column"], 1);
}

#[test]
fn a_file_that_cannot_be_read_is_the_users_to_find() {
    let output = Command::new(env!("CARGO_BIN_EXE_afterimage"))
        .args(["policy", "check", "no-such-file.yaml"])
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: cannot read no-such-file.yaml: "), "{said}");
    assert!(said.contains("check the path"), "{said}");
}

#[test]
fn a_schedule_that_is_over_is_refused_with_what_to_write() {
    let over = GOOD.replace("cron(0 2 * * ? *)", "cron(0 3 1 1 ? 1999)");
    let output = check(&[], &over);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let said = text(&output.stderr);
    assert!(said.contains("`cron(0 3 1 1 ? 1999)` never comes again"), "{said}");
    assert!(said.contains(" = write a year that is to come, or `*`"), "{said}");
}

#[test]
fn a_file_with_thousands_of_mistakes_is_told_back_in_time() {
    // Four thousand policies with a mistake each, and one with four thousand keys.
    let mut file = GOOD.to_string();
    for number in 0..4000 {
        let policy = "select: {regions: [us-east-1], tags: {a: b}}\n    triggers: [{on: started}]";
        file.push_str(&format!("  many-{number}:\n    {policy}\n"));
    }
    file.push_str("  odd:\n    select: {regions: [us-east-1], tags: {a: b}}\n");
    file.push_str("    triggers: [{on: stopped}]\n");
    (0..4000).for_each(|number| file.push_str(&format!("    k{number}: 1\n")));
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let began = Instant::now();
    let output = check(&[], &file);
    let took = began.elapsed();
    assert!(text(&output.stderr).starts_with("error: 8000 problems"), "{}", output.status);
    assert!(took < Duration::from_secs(10), "8000 mistakes took {took:?}");
}
