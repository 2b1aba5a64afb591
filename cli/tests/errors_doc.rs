//! The codes in `docs/errors.md`: every code has its section, and every section its code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use afterimage_aws::Failure;
use afterimage_aws::decode::Unusable;
use afterimage_core::reason::Code;

const PARTS: [&str; 3] = ["**What happened:** ", "**What the system does:** ", "**What you do:** "];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document() -> String {
    let path = root().join("docs/errors.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads the sections that are named after a code, and their texts.
fn sections(document: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Option<String> = None;
    for line in document.lines() {
        if let Some(head) = line.strip_prefix("### ") {
            let code = head.trim_matches('`').to_string();
            assert_eq!(found.insert(code.clone(), String::new()), None, "{code} stands twice");
            open = Some(code);
        } else if line.starts_with("## ") {
            open = None;
        } else if let Some(text) = open.as_ref().and_then(|code| found.get_mut(code)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

/// Finds the codes that functions log where they stand, as `code = "..."`.
fn logged() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut folders = vec![root().join("shared/aws/src"), root().join("functions")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                codes.extend(logged_in(&path));
            }
        }
    }
    codes
}

fn logged_in(path: &Path) -> Vec<String> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let literals = text.split("code = \"").skip(1).filter_map(|rest| rest.split('"').next());
    literals.map(str::to_string).collect()
}

/// Collects all codes. Two codes of the same name are found by their number.
fn codes() -> Vec<String> {
    let fixed = Failure::CODES.into_iter().chain(Unusable::CODES);
    let fixed = Code::ALL.iter().map(|code| code.as_str()).chain(fixed);
    let mut codes: Vec<String> = fixed.map(str::to_string).collect();
    let others: Vec<String> = logged().into_iter().filter(|code| !codes.contains(code)).collect();
    codes.extend(others);
    codes
}

#[test]
fn codes_that_are_logged_where_they_stand_are_found() {
    assert!(logged().contains("ec2-answer-odd"));
}

#[test]
fn every_code_has_its_section_and_every_section_its_code() {
    let document = document();
    let sections = sections(&document);
    let mut codes = codes();
    for code in &codes {
        assert!(sections.contains_key(code), "docs/errors.md has no section `{code}`");
    }
    for section in sections.keys() {
        assert!(codes.contains(section), "there is no code `{section}`");
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), sections.len(), "two things have one code");
}

#[test]
fn every_section_says_what_happened_what_is_done_and_what_to_do() {
    for (code, text) in sections(&document()) {
        for part in PARTS {
            let lines = text.lines().filter(|line| line.starts_with(part));
            assert_eq!(lines.count(), 1, "{code}: {part}");
        }
    }
}

#[test]
fn what_a_section_leads_to_is_there() {
    let document = document();
    let sections = sections(&document);
    for target in document.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        let is_heading = document.lines().filter_map(|line| line.strip_prefix("## ")).any(|head| {
            let anchor: String = head.to_lowercase().replace(' ', "-");
            anchor.replace(',', "") == target
        });
        assert!(is_heading || sections.contains_key(target), "nothing is called #{target}");
    }
}
