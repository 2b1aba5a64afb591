//! `afterimage explain`, for machines that are covered, nearly covered, gone, and unknown.

use serde_json::Value;

use crate::served::{Served, text};

const POLICIES: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped, min_interval: 2h}, {schedule: cron(0 2 * * ? *)}]
  silver:
    select: {regions: [us-west-2], tags: {backup: silver}}
    triggers: [{schedule: rate(6 hours)}]
    consistency: at-rest
";

fn explained(served: &Served, machine: &str) -> Value {
    let told = served.says(&["explain", machine, "--json"], "");
    serde_json::from_str(&told).expect("JSON")
}

#[test]
fn a_machine_is_explained_before_and_after_it_was_imaged() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    let told = served.says(&["explain", &machine], "");
    let lines: Vec<&str> = told.lines().collect();
    let head = format!("{machine} (web-1) in us-east-1: running, t3.micro, launched");
    assert!(lines[0] == head && lines[1].starts_with("  2026-01-01 "), "{told}");
    let expected = [
        "gold applies",
        "  selects     backup=gold, in us-east-1",
        "  on stopped  a stop now makes a point at rest",
        "  then        the machine is imaged while it runs, with grade crash",
        "  image       snapshot-register: nothing is lost by it",
        "  good        none yet",
        "silver does not apply",
        "  because     policy silver covers us-west-2; this machine is in us-east-1",
        "  because     policy silver requires tag `backup` = `silver`; this machine has",
        "              `backup=gold`",
    ];
    for line in expected {
        assert!(lines.contains(&line), "no {line} in\n{told}");
    }
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{told}");

    served.stop(&machine);
    served.pass(1800);
    let json = explained(&served, &machine);
    let gold = &json["policies"][0];
    assert_eq!((&gold["policy"], &gold["applies"]), (&"gold".into(), &true.into()));
    assert_eq!(gold["last"]["status"], "protected");
    assert_eq!(gold["good"]["grade"], "at-rest");
    assert_eq!(gold["triggers"][1]["next"]["at"], "2026-01-01T02:00:00Z");
    let would = gold["triggers"][0]["would"].as_str().expect("a text");
    assert!(would.ends_with("(already-requested)"), "{would}");
}

#[test]
fn a_near_miss_is_told_with_what_to_write() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "Gold");
    let json = explained(&served, &machine);
    let gold = &json["policies"][0];
    assert_eq!((&gold["policy"], &gold["applies"]), (&"gold".into(), &false.into()));
    let miss = gold["near_miss"].as_str().expect("a text");
    assert!(miss.contains("tag `backup` is `Gold`, not `gold`"), "{miss}");
    // The hourly look has found it as well, by then.
    served.pass(2 * 3600);
    let json = explained(&served, &machine);
    assert_eq!(json["findings"][0]["reason"]["code"], "looks-uncovered");
    let status = served.says(&["status"], "");
    assert!(status.contains(&format!("{machine} in us-east-1, seen ")), "{status}");
}

#[test]
fn a_machine_that_is_gone_is_explained_from_the_ledger_and_one_unheard_of_is_not_there() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.stop(&machine);
    served.pass(1800);
    served.terminate(&machine);
    served.pass(2 * 3600);
    let told = served.says(&["explain", &machine], "");
    let head = format!("{machine} (web-1): not found in EC2; last seen in us-east-1\n");
    assert!(told.starts_with(&head), "{told}");
    assert!(told.contains("at-rest: ami-"), "its newest good point: {told}");

    let output = served.run(&["explain", "i-0123456789abcdef0"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("machine i-0123456789abcdef0 was not found in us-east-1"), "{said}");
    let by_name = served.says(&["explain", "web-1"], "");
    assert_eq!(by_name, told, "the ledger knows its name");
}

#[test]
fn a_machine_is_named_by_its_id_or_by_a_name_that_only_it_has() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let web = served.machine("al2023-ami-*-x86_64", "web", "gold");
    let twins = [1, 2].map(|_| served.machine("al2023-ami-*-x86_64", "twin", "gold"));
    served.pass(120);
    assert_eq!(served.says(&["explain", "web"], ""), served.says(&["explain", &web], ""));
    let captured = served.says(&["capture", "web", "--policy", "gold"], "");
    assert!(captured.starts_with(&format!("gold-{}-", web.trim_start_matches("i-"))), "{captured}");
    for command in ["explain", "capture"] {
        let output = served.run(&[command, "twin"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("2 machines are named `twin`; name one by its id\n"), "{said}");
        assert!(twins.iter().all(|id| said.contains(&format!("\n  {id} (us-east-1, "))), "{said}");
        let output = served.run(&[command, "w*b"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("no machine is named `w*b` in "), "{said}");
    }
}

const STOPPING: &str = "\
policies:
  night:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(0 2 * * ? *)}]
    consistency: stop-start
";

#[test]
fn a_machine_that_will_not_be_stopped_is_told_before_its_slot() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], STOPPING);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    let would = || {
        let told = explained(&served, &machine);
        told["policies"][0]["triggers"][0]["would"].as_str().expect("a text").to_string()
    };
    assert!(would().starts_with("the machine is stopped for its snapshots"), "{}", would());
    served.protect_from_stopping(&machine);
    let told = would();
    assert!(told.starts_with(&format!("refused: cannot stop {machine}: ")), "{told}");
    assert!(told.ends_with("(stop-protected)"), "{told}");
}
