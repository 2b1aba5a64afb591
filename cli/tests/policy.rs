//! `afterimage policy check`, as a user meets it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

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
  triggers   cron(0 2 * * ? *) in Asia/Ho_Chi_Minh
  triggers   on stopped, at most every 12h
  replicates to eu-west-1 under alias/dr, within 4h
";
    assert_eq!(text(&output.stdout), expected);
    assert!(output.stderr.is_empty());
}

#[test]
fn a_wrong_file_is_told_with_its_lines_on_stderr_and_exit_1() {
    let wrong = GOOD.replace("us-east-1", "us-east-9").replace("on: stopped", "on: stoped");
    let output = check(&[], &wrong);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let expected = "\
error: 2 problems in standard input

standard input:3:24: `us-east-9` is not a region
   |
 3 |     select: {regions: [us-east-9], tags: {backup: gold}}
   |                        ^
   = regions are us-east-1, us-east-2, us-west-1, us-west-2

standard input:7:13: `on: stoped` is not an event that triggers
   |
 7 |       - on: stoped
   |             ^
   = write `on: stopped`
";
    assert_eq!(text(&output.stderr), expected);
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
