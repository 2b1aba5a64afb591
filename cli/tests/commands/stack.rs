//! The stack that a command finds, and what the command says when it finds none.

use std::process::Output;

use crate::served::{Served, run, text};

fn fails(output: &Output, status: i32, told: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    assert!(said.starts_with("error: "), "{said}");
    for part in told {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn what_is_missing_is_told_and_is_the_users_to_say() {
    let no_region = run(&[("AWS_REGION", "")], &["status"], "");
    fails(&no_region, 1, &["no region is given", "--region", "AWS_REGION"]);
    let nobody = run(&[("AWS_ACCESS_KEY_ID", "")], &["status"], "");
    fails(&nobody, 1, &["no AWS credentials were found", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"]);
    let nowhere = run(&[], &["status", "--region", "moon-1"], "");
    fails(&nowhere, 1, &["`moon-1` is not a region of AWS"]);
}

#[test]
fn a_table_that_is_not_there_is_the_users_to_name() {
    let served = Served::start();
    let output = served.run(&["status", "--table", "nothing"]);
    fails(&output, 1, &["table `nothing` does not exist in us-east-1", "--table", "--region"]);
    let elsewhere = served.run(&["status", "--region", "eu-west-1"]);
    fails(&elsewhere, 1, &["table `afterimage` does not exist in eu-west-1"]);
}

#[test]
fn an_aws_that_cannot_be_reached_is_told_with_all_that_led_to_it() {
    let silent = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let output = run(&silent, &["status"], "");
    fails(
        &output,
        2,
        &["the ledger (afterimage) could not be read", "\n  because ", "at http://127.0.0.1:9,"],
    );
}

#[test]
fn the_region_and_the_table_may_come_from_the_environment() {
    let served = Served::start();
    let nothing = "no policy is in force; run `afterimage policy apply FILE`\n";
    assert_eq!(served.says(&["status"], ""), nothing);
    assert_eq!(served.says(&["status", "--table", "afterimage"], ""), nothing);
    assert_eq!(served.says(&["status", "--region", "us-east-1"], ""), nothing);
}
