//! `afterimage capture`, on a served system.

use serde_json::Value;

use crate::served::{Served, text};

const POLICIES: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}, exclude_tags: {Name: paused}}
    triggers: [{schedule: cron(0 2 * * ? *)}]
  silver:
    select: {regions: [us-east-1, eu-west-1], tags: {backup: \"*l*\"}}
    triggers: [{on: stopped}]
    consistency: at-rest
";

fn served() -> Served {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    served
}

/// Checks that a command ends with exit status 1, and what it says.
#[track_caller]
fn refused(served: &Served, arguments: &[&str], said: &[&str]) {
    let output = served.run(arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(output.stdout.is_empty());
    let told = text(&output.stderr);
    for said in said {
        assert!(told.contains(said), "no `{said}` in {told}");
    }
}

#[test]
fn a_machine_is_imaged_when_somebody_asks_and_again_when_they_ask_again() {
    let served = served();
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let digits = machine.trim_start_matches("i-");
    let capture = ["capture", &machine, "--policy", "gold"];
    let output = served.run(&capture);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("gold-{digits}-ask-1\n"));
    assert_eq!(text(&output.stderr), "`afterimage status` shows its progress\n");
    // Long before any sweep: the worker was woken.
    served.pass(120);
    assert!(served.has_snapshots(), "it was begun");
    served.pass(3600);
    let told = served.says(&["status"], "");
    assert!(told.lines().any(|line| line.contains("web") && line.ends_with("protected")), "{told}");

    let told = served.says(&[&capture[..], &["--json"]].concat(), "");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["point"], format!("gold-{digits}-ask-2"));
    assert_eq!((&told["policy"], &told["region"]), (&"gold".into(), &"us-east-1".into()));
    assert_eq!(told["instance"], machine);
    assert!(told["until"].is_string(), "{told}");
}

#[test]
fn a_request_whose_answer_is_lost_is_told_as_requested() {
    let served = served();
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    // As often as the SDK tries.
    served.lose_answers("TransactWriteItems", 3);
    let capture = ["capture", &machine, "--policy", "gold"];
    let output = served.run(&capture);
    let digits = machine.trim_start_matches("i-");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("gold-{digits}-ask-1\n"));
    served.pass(3600);
    assert_eq!(served.says(&capture, ""), format!("gold-{digits}-ask-2\n"));
}

#[test]
fn the_only_policy_that_selects_a_machine_need_not_be_named() {
    let served = served();
    let machine = served.machine("al2023-ami-*-x86_64", "web", "silver");
    served.pass(120);
    let output = served.run(&["capture", &machine]);
    let digits = machine.trim_start_matches("i-");
    assert_eq!(text(&output.stdout), format!("silver-{digits}-ask-1\n"));
    let said = text(&output.stderr);
    let waits = format!("the point waits for {machine} to stop, until 2026-01-01T04:0");
    assert!(said.starts_with(&waits), "{said}");
}

#[test]
fn what_cannot_be_asked_for_is_told_with_what_to_do() {
    let served = served();
    refused(&served, &["capture", "web"], &["no machine is named `web` in ", "by its id"]);
    let nowhere =
        ["machine i-0123456789abcdef0 was not found in eu-west-1, us-east-1, ", "check the id"];
    refused(&served, &["capture", "i-0123456789abcdef0"], &nowhere);
    let both = served.machine("al2023-ami-*-x86_64", "web", "gold");
    let paused = served.machine("al2023-ami-*-x86_64", "paused", "gold");
    let none = served.machine("al2023-ami-*-x86_64", "lab", "no");
    served.pass(120);
    let ambiguous = ["more than one policy selects", "--policy", "gold, silver"];
    refused(&served, &["capture", &both], &ambiguous);
    let unknown = ["policy iron is not in force", "policies in force: gold, silver"];
    refused(&served, &["capture", &both, "--policy", "iron"], &unknown);
    let excluded = ["gold does not select", "excludes tag `Name`"];
    refused(&served, &["capture", &paused, "--policy", "gold"], &excluded);
    let uncovered =
        ["no policy selects", "policy gold requires", "policy silver requires", "tag `backup`"];
    refused(&served, &["capture", &none], &uncovered);
}

#[test]
fn without_a_policy_nothing_can_be_asked_for() {
    let served = Served::start();
    let none = ["no policy is in force; run `afterimage policy apply FILE`"];
    refused(&served, &["capture", "i-0123456789abcdef0"], &none);
}

#[test]
fn on_the_wrong_bus_nobody_is_woken_and_the_sweep_begins_it() {
    let served = served();
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    // EventBridge takes events for a bus that is not there, and drops them.
    served.says(&["capture", &machine, "--policy", "gold", "--bus", "other"], "");
    served.pass(120);
    assert!(served.says(&["status"], "").contains("requested"), "nobody was woken");
    served.pass(3600);
    let told = served.says(&["status"], "");
    assert!(told.lines().any(|line| line.contains("web") && line.ends_with("protected")), "{told}");
}
