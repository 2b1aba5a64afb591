//! Work at which nobody is, as the status tells it.

use super::served::Served;

const HOURLY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 hour)}]
";

#[test]
fn work_that_nobody_does_is_told_beneath_the_first_line() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], HOURLY);
    served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(2 * 3600);
    let json = || -> serde_json::Value {
        serde_json::from_str(&served.says(&["status", "--json"], "")).expect("JSON")
    };
    assert_eq!(json()["work_stands_still"], serde_json::json!([]));
    served.refuse("PutEvents");
    served.pass(5 * 3600);
    let told = served.says(&["status"], "");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("1 machine: 1 under way"), "{told}");
    assert!(lines[1].starts_with("work in us-east-1 stands still since 2026-01-01 0"), "{told}");
    assert!(lines[1].ends_with(": snapshots"), "{told}");
    assert!(told.contains("(work-stands-still)"), "{told}");
    let told = json();
    assert_eq!(told["work_stands_still"][0]["region"], "us-east-1", "{told}");
    assert_eq!(told["work_stands_still"][0]["kinds"], serde_json::json!(["snapshot"]), "{told}");

    served.lighten();
    served.pass(3 * 3600);
    assert_eq!(json()["work_stands_still"], serde_json::json!([]));
}
