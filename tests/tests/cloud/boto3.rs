//! Conformance, driven by boto3: each behaviour is a small program in `tests/python/conformance`,
//! named after what it shows and the part of the AWS documentation it comes from.

use serde_json::Value;

use crate::served;
use afterimage_cloud::Config;

/// Fewer would mean that behaviours were lost.
const BEHAVIOURS_MIN: usize = 150;

fn lines(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(output);
    let read =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    text.lines().filter(|line| !line.is_empty()).map(read).collect()
}

#[test]
fn every_behaviour_that_boto3_can_see_is_as_documented() {
    let server = served::world(Config { open_roles: true, ..Config::default() });
    let output = served::python(&["-m", "conformance", "--endpoint", &server.url()])
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let behaviours: Vec<Value> =
        lines(&output.stdout).into_iter().filter(|line| line.get("name").is_some()).collect();
    let failed: Vec<String> = behaviours
        .iter()
        .filter(|line| line["ok"] != Value::Bool(true))
        .map(|line| format!("[{}] {}: {}", line["section"], line["name"], line["message"]))
        .collect();
    assert!(failed.is_empty(), "{said}\n{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(output.status.success(), "{said}");
    assert!(behaviours.len() >= BEHAVIOURS_MIN, "only {} behaviours", behaviours.len());
    println!("{} behaviours hold", behaviours.len());
}

#[test]
fn the_checker_of_responses_catches_what_is_wrong() {
    let output =
        served::python(&["-m", "conformance", "--selftest"]).output().expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}
