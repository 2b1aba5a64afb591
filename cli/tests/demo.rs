//! `afterimage demo`, as a first user of Afterimage sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
    command.arg("demo").args(arguments).output().expect("the command starts")
}

fn day(seed: &'static str) -> thread::JoinHandle<Output> {
    thread::spawn(move || demo(&["--days", "1", "--seed", seed]))
}

/// Runs a day with its trace in this file.
fn traced_day(seed: &'static str, file: &Path) -> thread::JoinHandle<Output> {
    let file = file.display().to_string();
    thread::spawn(move || demo(&["--days", "1", "--seed", seed, "--trace", &file]))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it writes UTF-8")
}

#[test]
fn the_same_seed_tells_the_same_story_and_the_check_holds() {
    let trace = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo.jsonl");
    let runs = [day("3"), traced_day("3", &trace), day("4")];
    let [first, again, other] = runs.map(|run| run.join().expect("ran"));
    for run in [&first, &again, &other] {
        let errors = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(0), "{errors}\n{}", text(run));
        assert_eq!(errors, "", "there is no terminal to show progress on");
    }
    assert_eq!(text(&first), text(&again));
    assert_ne!(text(&first), text(&other));
    reads_well(&text(&first));
    names_every_machine(&text(&first));
    has_every_line(&trace);
}

/// Checks that no line is wider than a terminal and no day has too many lines.
fn reads_well(story: &str) {
    let widest = story.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|width| width <= 100), "{story}");
    let told = story.lines().skip_while(|line| !line.starts_with("Thu 01 Jan"));
    let told: Vec<&str> = told.take_while(|line| !line.is_empty()).collect();
    // A line of the story has its time where the lines that go on with it have blanks.
    let begun = |line: &&&str| line.get(12..17).is_some_and(|time| !time.trim().is_empty());
    let lines = told.iter().filter(begun).count();
    assert!((4..=12).contains(&lines), "{lines} lines in a day:\n{story}");
}

/// Checks that every machine has a row, and that all are recoverable but the one of no policy.
fn names_every_machine(story: &str) {
    let table = story.lines().skip_while(|line| !line.starts_with("MACHINE")).skip(1);
    let rows: BTreeMap<&str, &str> =
        table.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(rows.len(), 24, "{story}");
    let row = |machine: &str| *rows.get(machine).unwrap_or_else(|| panic!("{machine}: {story}"));
    assert!(row("win-1").contains("2 of 2"), "EC2 makes the images of Windows: {story}");
    assert!(row("sg-lab-1").contains("never: no policy selects it"), "{story}");
    assert!(row("build-1").contains("at-rest"), "{story}");
    assert!(row("db-2").contains("2 of 2"), "{story}");
    assert_eq!(rows.values().filter(|row| row.contains(" never: ")).count(), 1, "{story}");
}

/// Checks that the trace has the whole day, from the launch of the machines to the last copies.
fn has_every_line(trace: &Path) {
    let lines = fs::read_to_string(trace).expect("the trace was written");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let all = |field: &str| -> BTreeSet<&str> {
        lines.iter().filter_map(|line| line[field].as_str()).collect()
    };
    let whats = ["call", "delivery", "event", "fault", "invocation"];
    assert_eq!(all("what"), BTreeSet::from(whats));
    for action in ["RunInstances", "CreateSnapshots", "RegisterImage", "CopyImage"] {
        assert!(all("action").contains(action), "no {action}");
    }
    let times: Vec<&str> = lines.iter().filter_map(|line| line["at"].as_str()).collect();
    assert_eq!(times.len(), lines.len());
    assert!(times.is_sorted(), "the lines are in the order of their times");
    let (first, last) = (times.first(), times.last());
    assert!(first.is_some_and(|at| at.starts_with("2026-01-01T00:00:")), "{first:?}");
    assert!(last.is_some_and(|at| *at > "2026-01-01T22:00:00"), "{last:?}");
}

#[test]
fn deleted_images_and_a_dark_region_are_noticed_and_made_good_again() {
    let run = demo(&["--days", "6", "--seed", "3"]);
    let story = text(&run);
    assert_eq!(run.status.code(), Some(0), "{}\n{story}", String::from_utf8_lossy(&run.stderr));
    let told = [
        "sabotage: somebody deletes 8 images",
        "db-1: loss of ",
        "wiki-1: loss of ",
        "db-1: healing: the image in us-east-1 is copied back from eu-central-1",
        "wiki-1: healing: nothing of the point is left; it begins again",
        "db-1: healed after",
        "wiki-1: healed after",
        "eu-central-1 does not answer from now on, for 30 h",
        "eu-central-1: noticed: copies from ",
        "eu-central-1 answers again; ",
        "eu-central-1: the last of these replicas is available, ",
        " points, all finished; ",
    ];
    for line in told {
        assert!(story.contains(line), "{line}:\n{story}");
    }
    let widest = story.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|width| width <= 100), "{story}");
}

#[test]
fn a_trace_that_cannot_be_written_is_told_before_the_story_begins() {
    let refused = demo(&["--trace", "no-such-folder/trace.jsonl"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.starts_with("error: cannot create no-such-folder/trace.jsonl: "), "{told}");
    assert!(told.contains("--trace FILE") && refused.stdout.is_empty(), "{told}");
}

#[test]
fn a_number_of_days_that_is_none_or_too_many_is_the_users_mistake() {
    for days in ["0", "32", "week"] {
        let refused = demo(&["--days", days]);
        assert_eq!(refused.status.code(), Some(1), "{days}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--days"), "{days}");
    }
}
