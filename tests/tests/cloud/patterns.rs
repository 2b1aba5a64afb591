//! Event patterns, with a second opinion: moto's matcher judges the same table.

use std::fs;

use serde_json::Value;

use crate::served;
use afterimage_cloud::eventbridge::pattern::Pattern;

/// Rows in which both matchers must agree.
const AGREED_MIN: usize = 40;

#[test]
fn moto_agrees_on_every_pattern_where_it_follows_the_documentation() {
    let table = served::tests().join("data/event_patterns.json");
    let rows: Value = serde_json::from_slice(&fs::read(&table).expect("the table is there"))
        .expect("the table is JSON");
    let rows = rows.as_array().or_else(|| rows["rows"].as_array()).expect("it has rows").clone();
    let path = table.to_string_lossy();
    let output = served::python(&["patterns_moto.py", &path]).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let verdicts: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a verdict is JSON")).collect();
    assert_eq!(verdicts.len(), rows.len());
    let mut agreed = 0;
    for (number, (row, verdict)) in rows.iter().zip(&verdicts).enumerate() {
        let pattern = Pattern::parse(&row["pattern"].to_string()).expect("a row has a pattern");
        let expected = row["expected"].as_bool().expect("a row says what is expected");
        assert_eq!(pattern.matches(&row["event"]), expected, "row {number}: {row}");
        let same = verdict["matches"].as_bool() == Some(expected);
        match row.get("moto") {
            None => {
                assert!(same, "row {number}: moto says {verdict}: {row}");
                agreed += 1;
            }
            // Should a new release follow the documentation, the mark has to go.
            Some(why) => assert!(!same, "row {number}: moto agrees now, {why}"),
        }
    }
    assert!(agreed >= AGREED_MIN, "only {agreed} rows were agreed on");
    println!("{agreed} rows agreed on, {} marked as different", rows.len() - agreed);
}
