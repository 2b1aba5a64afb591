//! The stack that a command finds, and what the command says when it finds none.

use std::process::{Command, Output};

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
fn an_aws_that_cannot_be_reached_is_told_with_its_cause() {
    let silent = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let output = run(&silent, &["status"], "");
    fails(&output, 2, &["the ledger (afterimage) could not be read", "at http://127.0.0.1:9,"]);
    let said = text(&output.stderr);
    assert_eq!(said.matches("because ").count(), 1, "{said}");
    assert!(said.contains("\n  because Connection refused"), "{said}");
}

/// Runs `status` where these variables are set, be it to nothing.
fn status_where(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
    command.arg("status").env_clear().env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any");
    command.envs(variables.iter().copied()).output().expect("the command starts")
}

#[test]
fn an_endpoint_that_is_empty_is_not_set() {
    let served = Served::start();
    let answers = |variables: &[(&str, &str)]| {
        let output = status_where(variables);
        assert_eq!(output.status.code(), Some(0), "{variables:?}: {}", text(&output.stderr));
    };
    answers(&[("AWS_ENDPOINT_URL", served.url()), ("AWS_ENDPOINT_URL_DYNAMODB", "")]);
    answers(&[("AWS_ENDPOINT_URL", " "), ("AWS_ENDPOINT_URL_DYNAMODB", served.url())]);
    let file = std::env::temp_dir().join(format!("afterimage-profile-{}", std::process::id()));
    let profile = format!("[default]\nendpoint_url = {}\n", served.url());
    std::fs::write(&file, profile).expect("the file is written");
    let path = file.to_str().expect("a path in UTF-8");
    answers(&[("AWS_ENDPOINT_URL", ""), ("AWS_CONFIG_FILE", path)]);
    std::fs::remove_file(file).expect("the file is removed");
}

#[test]
fn an_endpoint_that_cannot_be_called_is_told_in_one_line() {
    let wrong = [
        ("127.0.0.1:4566", "has no http:// or https:// before its host"),
        ("ftp://127.0.0.1", "begins with neither http:// nor https://"),
        ("http://", "is not a URL"),
    ];
    for (endpoint, why) in wrong {
        for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"] {
            let output = status_where(&[(variable, endpoint)]);
            fails(&output, 1, &[&format!("endpoint `{endpoint}` {why}; write one like http://")]);
            assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
        }
    }
}

#[test]
fn the_region_and_the_table_may_come_from_the_environment() {
    let served = Served::start();
    let nothing = "no policy is in force; run `afterimage policy apply FILE`\n";
    assert_eq!(served.says(&["status"], ""), nothing);
    assert_eq!(served.says(&["status", "--table", "afterimage"], ""), nothing);
    assert_eq!(served.says(&["status", "--region", "us-east-1"], ""), nothing);
}
