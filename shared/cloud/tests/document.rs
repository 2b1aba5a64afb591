//! `docs/cloud.md` and the code say the same: operations, knobs and fault rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::Request;
use afterimage_cloud::services;
use afterimage_cloud::{Cloud, Config};
use serde_json::{Value, json};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document() -> String {
    read(&here().join("../../docs/cloud.md"))
}

/// The first cells of the tables below the heading of that name, up to the next heading.
fn first_cells(document: &str, name: &str) -> Vec<String> {
    let heading = format!("### `{name}`");
    let below = document.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    let rows = section.filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split(" | ").next()).map(str::to_string).collect()
}

/// What stands between backticks in them.
fn listed(document: &str, name: &str) -> BTreeSet<String> {
    let cells = first_cells(document, name);
    cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_string).collect()
}

/// Every Rust file of a service, which is a file or a directory of its own.
fn sources(service: &str) -> Vec<PathBuf> {
    let name = if service == "events" { "eventbridge" } else { service };
    let mut open = vec![here().join("src").join(name), here().join(format!("src/{name}.rs"))];
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).expect("the directory can be read");
            open.extend(inside.map(|entry| entry.expect("an entry can be read").path()));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

/// The patterns of every `match` on the name of the action.
fn known_to_the_code(service: &str) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for file in sources(service) {
        for found in read(&file).split("match call.action.as_str() {").skip(1) {
            let arms = found.lines().take_while(|line| !matches!(*line, "    }" | "    })"));
            let patterns = arms
                .filter_map(|line| line.trim_start().trim_start_matches("| ").strip_prefix('"'));
            for pattern in patterns {
                let end = pattern.find(" if ").or_else(|| pattern.find(" => "));
                let pattern = format!("\"{}", &pattern[..end.unwrap_or(pattern.len())]);
                known.extend(pattern.split('"').skip(1).step_by(2).map(str::to_string));
            }
        }
    }
    known
}

/// The answer to a call without parameters.
fn bare_answer(cloud: &Cloud, service: &str, action: &str) -> String {
    let form = format!("Action={action}&Version=2016-11-15");
    let (target, body) = match service {
        "ec2" | "sts" | "autoscaling" => (String::new(), form.as_str()),
        "events" => (format!("AWSEvents.{action}"), "{}"),
        "dynamodb" => (format!("DynamoDB_20120810.{action}"), "{}"),
        "kms" => (format!("TrentService.{action}"), "{}"),
        "ssm" => (format!("AmazonSSM.{action}"), "{}"),
        "sqs" => (format!("AmazonSQS.{action}"), "{}"),
        other => panic!("how {other} is called is not known here"),
    };
    let credential = format!("AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request");
    let request = Request {
        method: "POST".to_string(),
        path: "/".to_string(),
        headers: vec![
            ("authorization".to_string(), format!("Credential={credential}, Signature=0")),
            ("x-amz-target".to_string(), target),
        ],
        body: body.as_bytes().to_vec(),
        ..Request::default()
    };
    match cloud.answer(&request) {
        Answer::Reply(response) => String::from_utf8(response.body).expect("an answer is UTF-8"),
        other => panic!("{service}:{action}: {other:?} instead of a reply"),
    }
}

fn is_unknown(answer: &str) -> bool {
    answer.contains("InvalidAction") || answer.contains("UnknownOperationException")
}

#[test]
fn the_operations_of_each_service_are_those_of_the_code() {
    let document = document();
    for service in services::names() {
        let known = known_to_the_code(service);
        assert!(!known.is_empty(), "no operation of {service} was found in its sources");
        assert_eq!(listed(&document, service), known, "the operations of {service}");
    }
}

#[test]
fn every_operation_that_is_listed_is_answered() {
    let document = document();
    Cloud::run(Config::default(), async |cloud| {
        for service in services::names() {
            assert!(is_unknown(&bare_answer(&cloud, service, "DescribeDreams")), "{service}");
            for action in listed(&document, service) {
                let answer = bare_answer(&cloud, service, &action);
                assert!(!is_unknown(&answer), "{service}:{action}: {answer}");
            }
        }
    });
}

#[test]
fn every_knob_has_its_row_and_every_row_its_knob() {
    let document = document();
    let mut fields = BTreeSet::new();
    let mut name = String::new();
    for line in read(&here().join("src/kernel/config.rs")).lines() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            name = rest.split(' ').next().unwrap_or_default().to_string();
        } else if let Some(rest) = line.strip_prefix("    pub ")
            && let Some((field, _)) = rest.split_once(": ")
            && !field.starts_with("fn ")
        {
            fields.insert((name.clone(), field.to_string()));
        }
    }
    let sections: BTreeSet<&String> = fields.iter().map(|(section, _)| section).collect();
    let rows = sections.into_iter().flat_map(|section| {
        listed(&document, section).into_iter().map(move |row| (section.clone(), row))
    });
    assert!(fields.len() > 60, "only {} knobs were found in the source", fields.len());
    assert_eq!(rows.collect::<BTreeSet<_>>(), fields);
}

#[test]
fn the_fault_rules_are_taken_and_leave_no_fault_out() {
    let document = document();
    let blocks = document.split("```json\n").skip(1);
    let examples: Vec<Value> = blocks
        .filter_map(|block| block.split("```").next())
        .map(|text| serde_json::from_str(text).expect("an example is JSON"))
        .filter(|example: &Value| example["rules"].is_array())
        .collect();
    assert!(!examples.is_empty(), "there is no example of fault rules");
    let used: BTreeSet<&String> = examples
        .iter()
        .flat_map(|example| example["rules"].as_array().into_iter().flatten())
        .flat_map(|rule| rule.as_object().into_iter().flat_map(|rule| rule.keys()))
        .collect();
    Cloud::run(Config::default(), async |cloud| {
        for example in &examples {
            let taken = cloud.with(|model| services::replace_faults(model, example));
            assert_eq!(taken, Ok(example["rules"].as_array().map_or(0, Vec::len)));
        }
        // A rule without a fault is refused with the names of all of them.
        let refused =
            cloud.with(|model| services::replace_faults(model, &json!({ "rules": [{}] })));
        let refused = refused.expect_err("a rule has to do something");
        let (_, names) = refused.rsplit_once(": ").expect("the refusal ends with the names");
        for name in names.split(", ") {
            assert!(used.contains(&name.to_string()), "no example of {name}");
            assert!(document.contains(&format!("\n| `{name}` | ")), "{name} has no row");
        }
    });
}
