//! Event patterns: the table of verdicts that is also put to a second opinion, and what EventBridge
//! refuses.

use std::fs;
use std::path::Path;

use afterimage_cloud::eventbridge::pattern::{COMBINATIONS_MAX, PATTERN_CHARS_MAX, Pattern};
use serde_json::{Value, json};

fn table() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/event_patterns.json");
    let text = fs::read_to_string(path).expect("the table is readable");
    serde_json::from_str(&text).expect("the table is a JSON array")
}

#[test]
fn every_row_of_the_table_gets_its_verdict() {
    let rows = table();
    assert!(rows.len() >= 60, "the table has lost rows");
    for (number, row) in rows.iter().enumerate() {
        let expected = row["expected"].as_bool().expect("a row says what is expected");
        let pattern = Pattern::parse(&row["pattern"].to_string())
            .unwrap_or_else(|reason| panic!("row {number} is refused: {reason}"));
        assert_eq!(pattern.matches(&row["event"]), expected, "row {number}: {row}");
    }
}

#[test]
fn every_row_gives_a_reason_and_most_rows_await_agreement() {
    let rows = table();
    let undisputed = rows.iter().filter(|row| row.get("moto").is_none()).count();
    assert!(undisputed >= 40, "only {undisputed} rows are held against the second opinion");
    for (number, row) in rows.iter().enumerate() {
        assert!(row["why"].as_str().is_some_and(|why| !why.is_empty()), "row {number}");
        if let Some(mark) = row.get("moto") {
            let mark = mark.as_str().expect("a mark is a sentence");
            let known = mark.starts_with("differs: ") || mark.starts_with("unsupported: ");
            assert!(known, "row {number}: {mark}");
        }
    }
}

/// Reasons as AWS's rule engine words them, without the position in the text.
const REFUSED: &[(&str, &str)] = &[
    (r#"["a"]"#, "Filter is not an object"),
    (r#""a""#, "Filter is not an object"),
    ("{}", "Empty objects are not allowed"),
    (r#"{"a":{}}"#, "Empty objects are not allowed"),
    (r#"{"a":[]}"#, "Empty arrays are not allowed"),
    (r#"{"detail":{"slug":"x"}}"#, "\"slug\" must be an object or an array"),
    (r#"{"a":5}"#, "\"a\" must be an object or an array"),
    (r#"{"a":null}"#, "\"a\" must be an object or an array"),
    (r#"{"a":[["b"]]}"#, "Match value must be String, number, true, false, or null"),
    (r#"{"a":[{}]}"#, "Match expression name not found"),
    (r#"{"a":[{"contains":"b"}]}"#, "Unrecognized match type contains"),
    (r#"{"a":[{"prefix":5}]}"#, "prefix match pattern must be a string"),
    (r#"{"a":[{"prefix":["b"]}]}"#, "prefix match pattern must be a string"),
    (r#"{"a":[{"prefix":"b","suffix":"c"}]}"#, "Only one key allowed in match expression"),
    (r#"{"a":[{"prefix":{}}]}"#, "Prefix expression name not found"),
    (r#"{"a":[{"prefix":{"suffix":"b"}}]}"#, "Unsupported prefix pattern: suffix"),
    (
        r#"{"a":[{"prefix":{"equals-ignore-case":5}}]}"#,
        "equals-ignore-case match pattern must be a string",
    ),
    (r#"{"a":[{"suffix":null}]}"#, "suffix match pattern must be a string"),
    (r#"{"a":[{"suffix":{}}]}"#, "Suffix expression name not found"),
    (r#"{"a":[{"suffix":{"wildcard":"b"}}]}"#, "Unsupported suffix pattern: wildcard"),
    (
        r#"{"a":[{"suffix":{"equals-ignore-case":"b","c":"d"}}]}"#,
        "Only one key allowed in match expression",
    ),
    (
        r#"{"a":[{"equals-ignore-case":["b"]}]}"#,
        "equals-ignore-case match pattern must be a string",
    ),
    (r#"{"a":[{"wildcard":["b*"]}]}"#, "wildcard match pattern must be a string"),
    (r#"{"a":[{"wildcard":"b**"}]}"#, "Consecutive wildcard characters at pos 2"),
    (r#"{"a":[{"wildcard":"b\\n"}]}"#, "Invalid escape character at pos 2"),
    (r#"{"a":[{"wildcard":"b\\"}]}"#, "Invalid escape character at pos 2"),
    (r#"{"a":[{"exists":"true"}]}"#, "exists match pattern must be either true or false."),
    (r#"{"a":[{"cidr":"10.0.0.0"}]}"#, "Malformed CIDR, one '/' required"),
    (r#"{"a":[{"cidr":"10.0.0.0/8/8"}]}"#, "Malformed CIDR, one '/' required"),
    (r#"{"a":[{"cidr":"10.0.0.0/x"}]}"#, "Malformed CIDR, mask bits must be an integer"),
    (r#"{"a":[{"cidr":"10.0.0.0/-1"}]}"#, "Malformed CIDR, mask bits must not be negative"),
    (r#"{"a":[{"cidr":"10.0.0/8"}]}"#, "Nonstandard IP address: 10.0.0"),
    (r#"{"a":[{"cidr":"10.0.0.0/32"}]}"#, "IPv4 mask bits must be < 32"),
    (r#"{"a":[{"cidr":"::/128"}]}"#, "IPv6 mask bits must be < 128"),
    (r#"{"a":[{"cidr":5}]}"#, "prefix match pattern must be a string"),
    (r#"{"a":[{"numeric":5}]}"#, "Value of numeric must be an array."),
    (r#"{"a":[{"numeric":[]}]}"#, "Invalid member in numeric match: ]"),
    (r#"{"a":[{"numeric":[5]}]}"#, "Invalid member in numeric match: 5"),
    (r#"{"a":[{"numeric":["!=",5]}]}"#, "Unrecognized numeric range operator: !="),
    (r#"{"a":[{"numeric":["=","5"]}]}"#, "Value of equals must be numeric"),
    (r#"{"a":[{"numeric":[">"]}]}"#, "Value of > must be numeric"),
    (r#"{"a":[{"numeric":["=",5,6]}]}"#, "Too many elements in numeric expression"),
    (r#"{"a":[{"numeric":["<",5,">",0]}]}"#, "Too many elements in numeric expression"),
    (r#"{"a":[{"numeric":[">",0,5]}]}"#, "Bad value in numeric range: 5"),
    (r#"{"a":[{"numeric":[">",0,">",5]}]}"#, "Bad numeric range operator: >"),
    (r#"{"a":[{"numeric":[">",0,"<","5"]}]}"#, "Value of < must be numeric"),
    (r#"{"a":[{"numeric":[">",0,"<",5,"<",6]}]}"#, "Too many terms in numeric range expression"),
    (r#"{"a":[{"numeric":[">",5,"<",0]}]}"#, "Bottom must be less than top"),
    (r#"{"a":[{"numeric":[">=",5,"<=",5]}]}"#, "Bottom must be less than top"),
    (r#"{"a":[{"numeric":[">",5.1e9]}]}"#, "Value must be between -5.0E9 and 5.0E9, inclusive"),
    (r#"{"a":[{"numeric":["=",5],"prefix":"b"}]}"#, "Too many elements in numeric expression"),
    (
        r#"{"a":[{"anything-but":null}]}"#,
        "Value of anything-but must be an array or single string/number value.",
    ),
    (
        r#"{"a":[{"anything-but":true}]}"#,
        "Value of anything-but must be an array or single string/number value.",
    ),
    (
        r#"{"a":[{"anything-but":[true]}]}"#,
        "Inside anything but list, start|null|boolean is not supported.",
    ),
    (
        r#"{"a":[{"anything-but":["b",5]}]}"#,
        "Inside anything but list, either all values are number or string, \
         mixed type is not supported",
    ),
    (
        r#"{"a":[{"anything-but":[]}]}"#,
        "Inside anything but list, either all values are number or string, \
         mixed type is not supported",
    ),
    (r#"{"a":[{"anything-but":{}}]}"#, "Anything-But expression name not found"),
    (
        r#"{"a":[{"anything-but":{"numeric":["=",5]}}]}"#,
        "Unsupported anything-but pattern: numeric",
    ),
    (r#"{"a":[{"anything-but":{"prefix":""}}]}"#, "Null prefix/suffix not allowed"),
    (r#"{"a":[{"anything-but":{"suffix":["b",""]}}]}"#, "Null prefix/suffix not allowed"),
    (r#"{"a":[{"anything-but":{"prefix":5}}]}"#, "prefix/suffix match pattern must be a string"),
    (r#"{"a":[{"anything-but":{"wildcard":[5]}}]}"#, "wildcard match pattern must be a string"),
    (r#"{"a":[{"anything-but":{"wildcard":"**"}}]}"#, "Consecutive wildcard characters at pos 1"),
    (
        r#"{"a":[{"anything-but":{"equals-ignore-case":[5]}}]}"#,
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not \
         supported.",
    ),
    (r#"{"$or":{"a":["b"]}}"#, "It must be an Array followed with $or."),
    (r#"{"$or":[{"a":["b"]}]}"#, "There must have at least 2 Objects in $or relationship."),
    (r#"{"$or":[{"a":["b"]},"c"]}"#, "Only JSON object is allowed in array of $or relationship."),
    (
        r#"{"$or":[{"a":["b"]},{"prefix":["c"]}]}"#,
        "prefix is Ruler reserved fieldName which cannot be used inside $or.",
    ),
];

#[test]
fn refused_patterns_give_the_reason_of_eventbridge() {
    for (text, reason) in REFUSED {
        assert_eq!(Pattern::parse(text).err().as_deref(), Some(*reason), "{text}");
    }
}

#[test]
fn text_that_is_no_json_is_refused() {
    for text in ["", "source: aws.ec2", r#"{"a":["b"]"#, r#"{"a":["b"]} x"#] {
        assert!(Pattern::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_quota_on_length_is_inclusive_and_counts_characters() {
    let of_length = |chars: usize| {
        let frame = json!({"a": [""]}).to_string().len();
        json!({"a": ["\u{e9}".repeat(chars - frame)]}).to_string()
    };
    assert!(Pattern::parse(&of_length(PATTERN_CHARS_MAX)).is_ok());
    assert!(Pattern::parse(&of_length(PATTERN_CHARS_MAX + 1)).is_err());
}

#[test]
fn more_than_a_thousand_combinations_are_refused() {
    let ten: Vec<Value> = (0..10).map(|n| json!({"a": [n]})).collect();
    let at_limit = json!({"b": {"$or": ten}, "c": {"$or": ten}, "d": {"$or": ten}});
    assert_eq!(COMBINATIONS_MAX, 1000);
    assert!(Pattern::parse(&at_limit.to_string()).is_ok());
    let two = [json!({"a": [1]}), json!({"a": [2]})];
    let over = json!({"b": {"$or": ten}, "c": {"$or": ten}, "d": {"$or": ten}, "e": {"$or": two}});
    assert!(Pattern::parse(&over.to_string()).is_err());
}

/// Only twice as many alternatives with every further `$or`: without the limit, this would take
/// more memory than there is.
#[test]
fn a_pattern_of_many_small_alternatives_is_refused_quickly() {
    let fields: Vec<String> = (10..90).map(|n| format!(r#""{n}":{{"$or":[{{"":[1]}}"#)).collect();
    let pattern = fields
        .iter()
        .map(|field| format!(r#"{field},{{"":[2]}}]}}"#))
        .take(60)
        .collect::<Vec<_>>()
        .join(",");
    let text = format!("{{{pattern}}}");
    assert!(text.len() <= PATTERN_CHARS_MAX, "{}", text.len());
    let reason = Pattern::parse(&text).expect_err("there are too many combinations");
    assert!(reason.contains("1000"), "{reason}");
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let pattern = Pattern::parse(
        r#"{"location":[{"prefix":"us-"}],"location":[{"anything-but":"us-east"}]}"#,
    )
    .expect("the guide allows it");
    assert!(pattern.matches(&json!({"location": "eu-west"})));
    assert!(!pattern.matches(&json!({"location": "us-east"})));
}

#[test]
fn an_element_may_lack_a_field_that_another_element_has() {
    let pattern =
        Pattern::parse(r#"{"disks":{"kind":["ssd"],"snapshot":[{"exists":false}]}}"#).unwrap();
    let lacking = json!({"disks": [{"kind": "hdd", "snapshot": "s"}, {"kind": "ssd"}]});
    let having = json!({"disks": [{"kind": "hdd"}, {"kind": "ssd", "snapshot": "s"}]});
    assert!(pattern.matches(&lacking));
    assert!(!pattern.matches(&having));
}

#[test]
fn one_element_must_satisfy_the_fields_beside_and_within_alternatives() {
    let pattern =
        Pattern::parse(r#"{"tags":{"key":["env"],"$or":[{"value":["prod"]},{"value":["test"]}]}}"#)
            .unwrap();
    let same = json!({"tags": [{"key": "a", "value": "b"}, {"key": "env", "value": "test"}]});
    let mixed = json!({"tags": [{"key": "a", "value": "test"}, {"key": "env", "value": "b"}]});
    assert!(pattern.matches(&same));
    assert!(!pattern.matches(&mixed));
}

/// Were scalars tied to their element as objects are, no element could be both.
#[test]
fn scalars_of_an_array_belong_to_the_field_itself() {
    let pattern = Pattern::parse(r#"{"a":["x"],"a.b":["y"]}"#).unwrap();
    assert!(pattern.matches(&json!({"a": ["x", {"b": "y"}]})));
}

#[test]
fn large_integers_are_told_apart() {
    let pattern = Pattern::parse(r#"{"id":[9007199254740993]}"#).unwrap();
    assert!(pattern.matches(&json!({"id": 9_007_199_254_740_993_u64})));
    assert!(!pattern.matches(&json!({"id": 9_007_199_254_740_992_u64})));
}

/// Ways to combine four arrays of a hundred elements: a hundred million.
#[test]
fn many_elements_that_fit_but_for_one_field_are_not_combined_one_by_one() {
    let text = r#"{"a":{"b":{"k":[1]},"c":{"k":[1]},"d":{"k":[1]},"e":{"k":[1]},"z":[1]}}"#;
    let pattern = Pattern::parse(text).unwrap();
    let many = vec![json!({"k": 1}); 100];
    let most = json!({"b": many, "c": many, "d": many, "e": many});
    let mut all = most.clone();
    all["z"] = json!(1);
    assert!(!pattern.matches(&json!({"a": [most, {"z": 1}]})));
    assert!(pattern.matches(&json!({"a": [most, {"z": 1}, all]})));
}

#[test]
fn a_large_array_is_searched_in_a_time_that_grows_with_its_size() {
    let pattern = Pattern::parse(r#"{"a":{"x":[1],"y":[1],"z":[1]}}"#).unwrap();
    let mut elements = vec![json!({"x": 1, "y": 1}); 10_000];
    elements.push(json!({"z": 1}));
    assert!(!pattern.matches(&json!({"a": elements})));
    elements.push(json!({"x": 1, "y": 1, "z": 1}));
    assert!(pattern.matches(&json!({"a": elements})));
}

#[test]
fn long_names_that_no_pattern_asks_for_cost_nothing() {
    let pattern = Pattern::parse(r#"{"source":["s"],"detail":{"a":[1]}}"#).unwrap();
    let leaves: serde_json::Map<_, _> = (0..20_000).map(|n| (n.to_string(), json!(1))).collect();
    let event = json!({"source": "s", "detail": {"a": 1, "n".repeat(500_000): leaves}});
    assert!(pattern.matches(&event));
}

#[test]
fn an_event_that_is_no_object_matches_nothing() {
    let pattern = Pattern::parse(r#"{"a":[{"exists":false}]}"#).unwrap();
    assert!(pattern.matches(&json!({"b": 1})));
    assert!(!pattern.matches(&json!(["b"])));
}
