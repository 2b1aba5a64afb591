//! What is held of every source file of the workspace, line by line.
//!
//! What is searched for is put together from parts here, so that this file does not break the rules
//! by naming them.

use crate::tree::Tree;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;

/// A template is one document: what belongs to a stack cannot be moved into another file without
/// becoming another stack. It is data, a list of resources that are read one by one.
const TEMPLATE_LINES_MAX: usize = 800;

/// What is left for later, or kept from the compiler.
const UNFINISHED: [&str; 7] = [
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("#[", "ignore"),
    concat!("#[", "allow("),
    concat!("#![", "allow("),
];

/// What keeps the compiler from saying something says why.
const EXPECTED: &str = concat!("#[", "expect(");

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
    let expected = text.match_indices(EXPECTED).filter(|(at, _)| !has_reason(&text[*at..]));
    for (at, _) in expected {
        let number = text[..at].lines().count() + 1;
        faults.push((number, "what is expected of the compiler has no reason".to_string()));
    }
    for (number, length) in functions(&lines) {
        if length > FUNCTION_LINES_MAX {
            faults.push((number, format!("the function has {length} lines")));
        }
    }
    faults
}

/// Whether an attribute says why, before it ends.
fn has_reason(attribute: &str) -> bool {
    attribute.split(")]").next().is_some_and(|inside| inside.contains("reason = \""))
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

/// Where each function begins, counted from one, and how many lines it has. It ends at the first
/// brace that stands as far in as its head, which is where rustfmt puts it.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if !is_head(code) || code.ends_with(['}', ';']) {
            continue;
        }
        let indent = line.len() - code.len();
        let end = format!("{:indent$}}}", "");
        if let Some(last) = lines.iter().skip(index).position(|line| *line == end) {
            found.push((index + 1, last + 1));
        }
    }
    found
}

fn is_head(code: &str) -> bool {
    let (before, _) = code.split_once("fn ").unwrap_or(("//", ""));
    let modifier = |word: &str| matches!(word, "pub" | "const" | "async") || word.contains("pub(");
    before.split_whitespace().all(modifier)
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
    assert_eq!(templates.len(), 2, "infra/template.yaml and infra/region.yaml");
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

/// What is found in a text, without the numbers of its lines.
fn found(text: &str) -> Vec<String> {
    faults(text).into_iter().map(|(_, fault)| fault).collect()
}

fn function(indent: &str, lines: usize) -> String {
    let body = format!("{indent}    call();\n").repeat(lines - 2);
    format!("{indent}pub async fn long() {{\n{body}{indent}}}\n")
}

#[test]
fn what_keeps_the_rules_is_left_alone() {
    let id = "let id = \"123456789012\"; let counted = 210000012345; let no = x1234567890123;\n";
    let wire = format!("    \"{}\",\n", "Action=A&".repeat(20));
    let lines = "\n".repeat(FILE_LINES_MAX - 2);
    let module = format!("mod a {{\n{}}}\n", function("    ", FUNCTION_LINES_MAX));
    let said = format!("{EXPECTED}\n    dead_code,\n    reason = \"only here\"\n)]\n");
    for text in [id, &said, &wire, &lines, &module, "fn short() {}\n", "    fn declared(&self);\n"]
    {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_breaks_a_rule_is_found() {
    let long = "x".repeat(LINE_CHARS_MAX + 1);
    assert_eq!(found(&long), ["the line has more than 100 characters"]);
    assert_eq!(found(&"\n".repeat(601)), ["the file has more than 600 lines"]);
    for indent in ["", "    ", "        "] {
        let text = format!("{}{indent}fn next() {{\n", function(indent, 71));
        assert!(found(&text).contains(&"the function has 71 lines".to_string()), "{indent:?}");
    }
    for word in UNFINISHED.iter().chain(&HOMES) {
        assert_eq!(found(&format!("    {word}x\n")), [format!("it says `{word}`")]);
    }
    let silent = format!("{EXPECTED}clippy::disallowed_methods)]\nfn now() {{}}\n");
    assert_eq!(found(&silent), ["what is expected of the compiler has no reason"]);
    let foreign = concat!("arn:aws:iam::", "98765", "4321098:role/r");
    assert_eq!(found(foreign), [concat!("98765", "4321098 may be somebody's account")]);
}
