//! The format of the ledger: every command refuses a ledger that a newer version has written, and
//! reads the one that this version has written, which `tests/tests/system/format.rs` makes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::served::{ASKED_FOR, Served, text};

impl Served {
    /// Puts an item into the table as it is.
    fn put(&self, item: &Value) {
        let body = json!({ "TableName": "afterimage", "Item": item });
        self.dynamodb("PutItem", &body.to_string());
    }

    fn number(&self, number: u32) {
        let text = |text: &str| json!({ "S": text });
        let (pk, sk) = (text("policies"), text("format"));
        self.put(&json!({ "pk": pk, "sk": sk, "number": { "N": number.to_string() } }));
    }

    /// Everything in the table.
    fn table(&self) -> Value {
        let answer = self.dynamodb("Scan", "{\"TableName\": \"afterimage\"}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("it has a body");
        serde_json::from_str(body).expect("it is JSON")
    }
}

#[test]
fn every_command_refuses_a_ledger_of_a_newer_version_with_one_line() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], ASKED_FOR);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.restore_into("restored");
    served.number(2);
    let before = served.table();
    let point = format!("gold-{}-ask-1", machine.trim_start_matches("i-"));
    let commands: [&[&str]; 10] = [
        &["status"],
        &["explain", &machine],
        &["policy", "show"],
        &["policy", "next"],
        &["policy", "apply", "-", "--yes"],
        &["capture", &machine],
        &["cancel", &point],
        &["heal", &point],
        &["rebuild", "--yes"],
        &["rebuild", "--yes", "--from", "restored"],
    ];
    let line = "error: the ledger (afterimage) has format 2, and this version knows formats up to \
                1\n  use the command of the version that wrote it: nothing was read or written\n";
    for command in commands {
        let output = served.run_with(command, &ASKED_FOR.replace("gold", "silver"));
        assert_eq!(text(&output.stderr), line, "{command:?}");
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert_eq!(text(&output.stdout), "", "{command:?}");
    }
    let output = served.run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let last = told["checks"].as_array().and_then(|checks| checks.last()).expect("a line");
    assert_eq!((&last["check"], &last["level"]), (&json!("format"), &json!("fail")));
    assert_eq!(
        last["found"],
        "the ledger (afterimage) has format 2, and this version knows formats up to 1"
    );
    assert_eq!(served.table(), before, "something was written");
}

#[test]
fn a_restored_table_of_a_newer_version_is_not_copied() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], ASKED_FOR);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.says(&["capture", &machine], "");
    served.pass(3600);
    served.number(2);
    served.restore_into("restored");
    served.number(1);
    served.lose_the_table();
    let output = served.run(&["rebuild", "--yes", "--from", "restored"]);
    assert_eq!(output.status.code(), Some(1));
    let line =
        "error: the ledger (restored) has format 2, and this version knows formats up to 1\n";
    assert!(text(&output.stderr).starts_with(line), "{}", text(&output.stderr));
    assert_eq!(served.table()["Count"], 0, "something was copied");
}

#[test]
fn every_command_reads_the_ledger_of_format_1() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/ledger-1.json");
    let file = std::fs::read_to_string(path).expect("the file is there");
    let ledger: Value = serde_json::from_str(&file).expect("it is JSON");
    let machine = |name: &str| ledger["machines"][name].as_str().expect("it has an id");
    let (web, still) = (machine("web"), machine("still"));
    let served = Served::start();
    let after = ledger["after_seconds"].as_u64().and_then(|it| u32::try_from(it).ok());
    served.pass(after.expect("a number of seconds"));
    for item in ledger["items"].as_array().expect("a list") {
        served.put(item);
    }
    let output = served.run(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "everything can be read");
    let told: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    println!("{told:#}");
    assert_eq!(told["policies"], json!(["asked", "nightly", "still"]));
    assert_eq!(told["unreadable_policies"], json!([]));
    let row = |machine: &str, policy: &str| {
        let mut rows = told["machines"].as_array().expect("a list").iter();
        let row = rows.find(|row| row["instance"] == machine && row["policy"] == policy);
        row.unwrap_or_else(|| panic!("{machine} has no row under {policy}: {told:#}"))
    };
    let id = |machine: &str| machine.trim_start_matches("i-").to_string();
    let nightly = row(web, "nightly");
    let of_night = format!("nightly-{}-at-20260101T001500Z", id(web));
    assert_eq!(nightly["newest_good"]["point"], json!(of_night));
    assert_eq!(nightly["newest_good"]["grade"], "crash");
    assert_eq!(nightly["newest_good"]["replicas"], json!(["eu-central-1"]));
    assert_eq!(nightly["standing"], "lost");
    let asked = row(web, "asked");
    assert_eq!(asked["latest"]["point"], json!(format!("asked-{}-ask-2", id(web))));
    assert_eq!(asked["held_up"].as_array().map(Vec::len), Some(1), "its copy is held up");
    let down = row(still, "still");
    assert_eq!(down["latest"]["point"], json!(format!("still-{}-at-20260101T030000Z", id(still))));
    assert_eq!(down["newest_good"], Value::Null);
    let codes = told["findings"].as_array().expect("a list").iter();
    let codes: BTreeSet<&str> =
        codes.filter_map(|finding| finding["reason"]["code"].as_str()).collect();
    assert_eq!(codes, BTreeSet::from(["copies-held-up", "lost"]));
    for command in [&["policy", "show"][..], &["policy", "next"], &["explain", web]] {
        let output = served.run(command);
        println!("{command:?}: {}", text(&output.stdout));
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("not valid"), "{}", text(&output.stderr));
    }
}
