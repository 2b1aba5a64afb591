//! The schema against the reader: the same keys at every level, both ways; what the reader accepts
//! the schema accepts; and what only the reader refuses is known.

use std::collections::BTreeSet;

use afterimage::policy::SCHEMA;
use afterimage_core::policy::file::read;
use afterimage_core::policy::print;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

use crate::validator::judge;
use crate::{arbitrary, document, good, keys, text};

/// What no key is called, and no key is like.
const UNKNOWN: &str = "zzzzzzzz";

/// A file with every key. JSON is YAML.
fn every_key() -> Json {
    json!({"policies": {"gold": {
        "select": {
            "regions": ["us-east-1"],
            "tags": {"backup": "gold", "env": ["prod", "staging"]},
            "exclude_tags": {"backup-pause": "*"},
            "states": ["stopped"],
        },
        "triggers": [
            {
                "schedule": "cron(0 2 * * ? *)",
                "timezone": "Asia/Ho_Chi_Minh",
                "window": "4h",
                "catch_up": "none",
            },
            {"on": "stopped", "min_interval": "12h"},
            {"on": "tag"},
        ],
        "consistency": "at-rest",
        "stop_start": {"at_once": 1, "timeout": "10m"},
        "image": {
            "method": "auto",
            "kind": "image",
            "exclude_volumes": {"tags": {"scratch": "*"}, "devices": ["/dev/sdh"]},
            "copy_tags": true,
            "tags": {"team": "platform"},
            "share": {"accounts": ["111122223333"]},
        },
        "replicate": [{
            "region": "eu-west-1",
            "kms_key": "alias/dr",
            "deadline": "4h",
            "retain": retain(),
        }],
        "heal": false,
        "retain": retain(),
        "rpo": "26h",
    }}})
}

fn retain() -> Json {
    json!({
        "last": 3, "hourly": 24, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 3,
        "within": "2d",
    })
}

fn schema() -> Json {
    serde_json::from_str(SCHEMA).expect("it is JSON")
}

/// Every place in a file, as JSON pointers.
fn places(node: &Json, at: &str, places: &mut Vec<String>) {
    places.push(at.to_string());
    for (key, value) in node.as_object().into_iter().flatten() {
        self::places(value, &format!("{at}/{}", key.replace('/', "~1")), places);
    }
    for (number, value) in node.as_array().into_iter().flatten().enumerate() {
        self::places(value, &format!("{at}/{number}"), places);
    }
}

fn all_places() -> Vec<String> {
    let mut all = Vec::new();
    places(&every_key(), "", &mut all);
    all
}

/// The file with something done at one place.
fn changed(at: &str, change: impl FnOnce(&mut Json)) -> String {
    let mut file = every_key();
    change(file.pointer_mut(at).expect("the place is there"));
    file.to_string()
}

#[test]
fn the_file_with_every_key_has_every_key() {
    let known = keys::of_schema(&schema());
    let file = every_key().to_string();
    good(&file);
    assert_eq!(keys::of_file(&file, &known), known);
    assert!(known.len() > 40, "{known:?}");
}

/// What the schema knows at a place: the names of its keys, or None where tags or policies are.
fn known_to_schema(at: &str) -> Option<BTreeSet<String>> {
    let (schema, file) = (schema(), every_key());
    let mut node = schema.clone();
    let mut path = String::new();
    for step in at.split('/').skip(1) {
        path = format!("{path}/{step}");
        node = match step.parse::<usize>() {
            Ok(_) => node["items"].clone(),
            Err(_) if !node["properties"][step].is_null() => node["properties"][step].clone(),
            Err(_) => node["additionalProperties"].clone(),
        };
        node = keys::resolved(&schema, &node).clone();
        // Of several forms it is the one that has all the keys that are here.
        if let Some(forms) = node["oneOf"].as_array() {
            let here = file.pointer(&path).and_then(Json::as_object).cloned().unwrap_or_default();
            let mut forms = forms.iter().map(|form| keys::resolved(&schema, form));
            let fits = |form: &&Json| here.keys().all(|key| !form["properties"][key].is_null());
            node = forms.rfind(fits).cloned().unwrap_or_default();
        }
    }
    let closed = node["additionalProperties"] == json!(false);
    closed.then(|| node["properties"].as_object().expect("keys").keys().cloned().collect())
}

/// What the reader knows there, by what it says of a key that it does not know.
fn known_to_reader(at: &str) -> Option<BTreeSet<String>> {
    let file = changed(at, |node| node[UNKNOWN] = json!("x"));
    let problems = read(&file).err()?;
    let unknown = format!("unknown key `{UNKNOWN}`");
    let problem = problems.iter().find(|problem| problem.what == unknown)?;
    let known = problem.instead.strip_prefix("known here: ").expect("it is like no key");
    Some(known.split(", ").map(str::to_string).collect())
}

#[test]
fn reader_and_schema_know_the_same_keys_at_every_level() {
    let file = every_key();
    let groups =
        all_places().into_iter().filter(|at| file.pointer(at).is_some_and(Json::is_object));
    let mut closed = 0;
    for at in groups {
        let known = known_to_schema(&at);
        assert_eq!(known_to_reader(&at), known, "at {at}");
        closed += usize::from(known.is_some());
    }
    assert_eq!(closed, 13, "the groups in which the names of keys are given");
}

/// Asks both about each file. The schema may be content with what the reader refuses, as told.
#[track_caller]
fn check(files: &[String], only_reader_refuses: &[&str]) {
    let mut told = BTreeSet::new();
    for (file, verdict) in files.iter().zip(judge(files)) {
        match (read(file), verdict.errors.is_empty()) {
            (Ok(_), true) | (Err(_), false) => {}
            (Ok(_), false) => panic!("only the schema refuses {file}\n{:#?}", verdict.errors),
            (Err(problems), true) => {
                told.extend(problems.into_iter().map(|problem| problem.what));
            }
        }
    }
    assert_eq!(told, only_reader_refuses.iter().map(ToString::to_string).collect());
}

#[test]
fn whatever_stands_in_the_place_of_something_else_both_refuse_it_or_both_accept_it() {
    let others = [
        json!(UNKNOWN),
        json!(""),
        json!("5m"),
        json!("*"),
        json!(5),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
        json!(["us-west-2"]),
        json!([UNKNOWN, UNKNOWN]),
        json!([[]]),
        json!([{}]),
        json!({UNKNOWN: UNKNOWN}),
        json!({"": ""}),
        json!({"AWS:a": "b"}),
        json!({"a": []}),
        json!({"a": {}}),
    ];
    let files: Vec<String> = all_places()
        .iter()
        .flat_map(|at| others.iter().map(move |other| changed(at, |node| *node = other.clone())))
        .collect();
    assert!(files.len() > 1000, "{}", files.len());
    check(
        &files,
        &[
            // A zone is looked up.
            "`zzzzzzzz` is not a time zone of the IANA database",
            "`5m` is not a time zone of the IANA database",
            "`*` is not a time zone of the IANA database",
        ],
    );
}

#[test]
fn whichever_key_is_missing_or_new_both_refuse_it_or_both_accept_it() {
    let file = every_key();
    let mut files = Vec::new();
    for at in all_places() {
        let Some(group) = file.pointer(&at).and_then(Json::as_object) else { continue };
        files.push(changed(&at, |node| node[UNKNOWN] = json!("x")));
        files.push(changed(&at, |node| node["retain"] = json!({"daily": 1})));
        for key in group.keys() {
            files.push(changed(&at, |node| {
                node.as_object_mut().expect("it is a group").remove(key);
            }));
        }
    }
    check(&files, &[]);
}

#[test]
fn every_example_is_accepted_by_the_schema() {
    let right = document::examples().into_iter().filter(|example| example.said.is_none());
    let mut files: Vec<String> = right.map(|example| example.file).collect();
    files.push(text("docs/example.yaml"));
    files.push(text("cli/src/demo/policies.yaml"));
    for (file, verdict) in files.iter().zip(judge(&files)) {
        assert_eq!(verdict.errors, [""; 0], "{file}");
    }
}

/// Files that people write by mistake.
#[test]
fn what_is_wrong_is_refused_by_both() {
    let policy = |lines: &str| {
        format!("policies: {{gold: {{select: {{regions: [us-east-1], tags: {{a: b}}}}, {lines}}}}}")
    };
    let files = [
        "policies: []".to_string(),
        "policy: {}".to_string(),
        "policies: {Gold: {select: {regions: [us-east-1], tags: {a: b}}, triggers: [{on: tag}]}}"
            .to_string(),
        "policies: {gold: {select: {tags: {a: b}}, triggers: [{on: tag}]}}".to_string(),
        "policies: {gold: {select: {regions: [us-east-1]}, triggers: [{on: tag}]}}".to_string(),
        policy("triggers: []"),
        policy("triggers: [{on: shutdown}]"),
        policy("triggers: [{on: tag, min_interval: 1h}]"),
        policy("triggers: [{on: stopped, window: 1h}]"),
        policy("triggers: [{schedule: rate(1 day), on: stopped}]"),
        policy("triggers: [{schedule: every night}]"),
        policy("triggers: [{schedule: rate(1 day), window: 4}]"),
        policy("triggers: [{schedule: rate(1 day), window: 4 hours}]"),
        policy("triggers: [{schedule: rate(1 day), catch_up: true}]"),
        policy("triggers: [{on: tag}], consistency: at_rest"),
        policy("triggers: [{on: tag}], stop_start: {at_once: 0}"),
        policy("triggers: [{on: tag}], stop_start: {at_once: \"2\"}"),
        policy("triggers: [{on: tag}], image: {copy_tags: yes}"),
        policy("triggers: [{on: tag}], image: {copy_tags: \"true\"}"),
        policy("triggers: [{on: tag}], image: {share: {accounts: [111122223333]}}"),
        policy("triggers: [{on: tag}], image: {tags: {\"aws:x\": y}}"),
        policy("triggers: [{on: tag}], image: {exclude_volumes: {}}"),
        policy("triggers: [{on: tag}], image: {exclude_volumes: {devices: [sdh]}}"),
        policy("triggers: [{on: tag}], replicate: [{region: europe}]"),
        policy("triggers: [{on: tag}], replicate: [eu-west-1]"),
        policy("triggers: [{on: tag}], replicate: [{region: eu-west-1, kms_key: dr}]"),
        policy("triggers: [{on: tag}], retain: {}"),
        policy("triggers: [{on: tag}], retain: {days: 7}"),
        policy("triggers: [{on: tag}], retain: {daily: all}"),
        policy("triggers: [{on: tag}], rpo: 0h"),
    ];
    let right = policy("triggers: [{on: tag}]");
    good(&right);
    for (file, verdict) in files.iter().zip(judge(&files)) {
        assert!(!verdict.errors.is_empty(), "the schema accepts {file}");
        assert!(read(file).is_err(), "the reader accepts {file}");
    }
    assert_eq!(judge(&[right])[0].errors, [""; 0]);
}

/// Any policies, printed: the schema accepts them, and another reader finds the same tags in them.
#[test]
fn whatever_policies_are_printed_the_schema_accepts_them_and_others_read_the_same() {
    let mut runner = TestRunner::deterministic();
    let mut any = || arbitrary::policies().new_tree(&mut runner).expect("policies").current();
    let all: Vec<_> = (0..200).map(|_| any()).collect();
    let files: Vec<String> = all.iter().map(|policies| print::file(policies)).collect();
    for ((policies, file), verdict) in all.iter().zip(&files).zip(judge(&files)) {
        assert_eq!(verdict.errors, [""; 0], "{file}");
        for policy in policies {
            let other = &verdict.data["policies"][policy.name.as_str()];
            let tags = &other["image"]["tags"];
            let none = policy.image.tags.is_empty() && tags.is_null();
            assert!(none || *tags == json!(policy.image.tags), "{file}\n{tags}");
            for (key, values) in &policy.select.tags {
                let one_or_more = match &values[..] {
                    [value] => json!(value),
                    several => json!(several),
                };
                assert_eq!(other["select"]["tags"][key.as_str()], one_or_more, "{file}");
            }
        }
    }
}
