//! What is held of every source file of the workspace, line by line.
//!
//! What is searched for is put together from parts here, so that this file does not break the rules
//! by naming them.

use crate::tree::Tree;

const FILE_LINES_MAX: usize = 600;
const LINE_CHARS_MAX: usize = 100;

/// A template is one document: what belongs to a stack cannot be moved into another file without
/// becoming another stack. It is data, a list of resources that are read one by one.
const TEMPLATE_LINES_MAX: usize = 1_100;

/// What is left for later, or kept from the compiler where clippy does not look: it knows of no
/// comments, and `allow_attributes` not of an attribute for a whole file.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[", "ignore"), concat!("#![", "allow(")];

/// The lints that hold what no test here holds any more: long functions, `allow`, attributes
/// without their reason, and code that is left for later.
const LINTS: [&str; 5] = [
    "allow_attributes",
    "allow_attributes_without_reason",
    "todo",
    "too_many_lines",
    "unimplemented",
];

/// The number of lines that a function may have, as each `clippy.toml` says it: the nearest stands
/// in the place of all others.
const FUNCTION_LINES: &str = "too-many-lines-threshold = 68\n";

/// Where people and machines keep their files.
const HOMES: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("C:", "\\"),
];

/// Accounts of AWS's documentation, and those that publish the images of the catalogue.
const ACCOUNTS: [&str; 12] = [
    "123456789012",
    "012345678901",
    "111122223333",
    "000000000000",
    "111111111111",
    "333333333333",
    "801119661308",
    "137112412989",
    "099720109477",
    "309956199498",
    "013907871322",
    "679593333241",
];

/// Tests that need many accounts count on from here.
const COUNTED_ACCOUNTS: &str = "2100000";

/// All that is wrong with one file, each with the number of its line.
fn faults(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut faults = Vec::new();
    if lines.len() > FILE_LINES_MAX {
        faults.push((lines.len(), format!("the file has more than {FILE_LINES_MAX} lines")));
    }
    for (number, line) in (1..).zip(&lines) {
        if line.chars().count() > LINE_CHARS_MAX && !is_data(line) {
            faults.push((number, format!("the line has more than {LINE_CHARS_MAX} characters")));
        }
        let words = UNFINISHED.iter().chain(&HOMES).filter(|word| line.contains(*word));
        faults.extend(words.map(|word| (number, format!("it says `{word}`"))));
        let accounts = accounts(line).into_iter().filter(|id| !is_sample(id));
        faults.extend(accounts.map(|id| (number, format!("{id} may be somebody's account"))));
    }
    faults
}

/// Whether a line is one text and nothing else: wire data is as long as it is.
fn is_data(line: &str) -> bool {
    let line = line.trim().trim_end_matches(',');
    let plain = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    let raw = line.starts_with("r#") && line.ends_with("\"#") || line.ends_with("\"##");
    raw || plain.is_some_and(|text| !text.contains(' '))
}

/// Numbers of twelve digits that stand alone.
fn accounts(line: &str) -> Vec<&str> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.len() == 12 && word.bytes().all(|b| b.is_ascii_digit())).collect()
}

fn is_sample(account: &str) -> bool {
    ACCOUNTS.contains(&account) || account.starts_with(COUNTED_ACCOUNTS)
}

#[test]
fn every_source_file_keeps_the_rules() {
    let tree = Tree::read();
    let mut told = String::new();
    for (path, text) in tree.below("", ".rs") {
        for (line, fault) in faults(text) {
            told.push_str(&format!("{path}:{line}: {fault}\n"));
        }
    }
    let count = tree.below("", ".rs").count();
    assert!(count > 200, "only {count} files were found");
    assert!(told.is_empty(), "\n{told}");
}

#[test]
fn every_template_is_read_in_reasonable_time() {
    let tree = Tree::read();
    let templates: Vec<_> = tree.below("infra/", ".yaml").collect();
    assert_eq!(templates.len(), 3, "the seat, the other regions, and the policies of people");
    for (path, text) in templates {
        assert!(text.lines().count() <= TEMPLATE_LINES_MAX, "{path} has too many lines");
        for (number, line) in (1..).zip(text.lines()) {
            assert!(line.chars().count() <= LINE_CHARS_MAX, "{path}:{number} is too long");
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let tree = Tree::read();
    let manifests: Vec<_> = tree.below("", "Cargo.toml").collect();
    assert!(manifests.len() > 3, "only {} manifests were found", manifests.len());
    for (path, text) in manifests {
        let lints = ["[workspace.lints.rust]", "[lints]\nworkspace = true"];
        assert!(lints.iter().any(|lint| text.contains(lint)), "{path}");
    }
}

#[test]
fn every_crate_has_the_lints_that_stand_for_tests() {
    let tree = Tree::read();
    let manifest = tree.text("Cargo.toml");
    let (_, lints) = manifest.split_once("[workspace.lints.clippy]\n").expect("there are some");
    let lints = lints.split("\n[").next().unwrap_or_default();
    for lint in LINTS {
        assert!(lints.contains(&format!("\n{lint} = \"warn\"\n")), "{lint}");
    }
    let configured: Vec<_> = tree.below("", "clippy.toml").collect();
    assert_eq!(configured.len(), 3, "the root's, the core's and the cloud's");
    for (path, text) in configured {
        assert!(text.contains(FUNCTION_LINES), "{path}");
    }
}

/// What is found in a text, without the numbers of its lines.
fn found(text: &str) -> Vec<String> {
    faults(text).into_iter().map(|(_, fault)| fault).collect()
}

#[test]
fn what_keeps_the_rules_is_left_alone() {
    let id = "let id = \"123456789012\"; let counted = 210000012345; let no = x1234567890123;\n";
    let wire = format!("    \"{}\",\n", "Action=A&".repeat(20));
    let lines = "\n".repeat(FILE_LINES_MAX - 2);
    for text in [id, &wire, &lines] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_breaks_a_rule_is_found() {
    let long = "x".repeat(LINE_CHARS_MAX + 1);
    assert_eq!(found(&long), ["the line has more than 100 characters"]);
    assert_eq!(found(&"\n".repeat(601)), ["the file has more than 600 lines"]);
    for word in UNFINISHED.iter().chain(&HOMES) {
        assert_eq!(found(&format!("    {word}x\n")), [format!("it says `{word}`")]);
    }
    let foreign = concat!("arn:aws:iam::", "98765", "4321098:role/r");
    assert_eq!(found(foreign), [concat!("98765", "4321098 may be somebody's account")]);
}
