//! How the house is laid out: one name in five places, who may depend on whom, and what is named
//! in one place only.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Tree;

/// What the core may be made of: no AWS, no runtime, nothing that asks for the time.
const CORE_MADE_OF: [&str; 6] =
    ["jiff", "saphyr-parser", "serde", "serde_json", "strsim", "thiserror"];

/// What a function is made of beside our own: how it is started, and nothing that calls AWS.
const FUNCTION_MADE_OF: [&str; 4] = ["aws-config", "aws-types", "serde_json", "tokio"];

/// A handler is read without turning a page.
const HANDLER_LINES_MAX: usize = 60;

/// What starts a function says no more than what it starts.
const MAIN_LINES_MAX: usize = 15;

/// The places where what is named in one place only is named.
const ONE_PLACE: [(&str, &str); 2] = [
    (concat!("AFTER", "IMAGE_"), "shared/aws/src/environment.rs"),
    (concat!("after", "image:"), "shared/core/src/names.rs"),
];

/// Shares nothing with what it checks, so that it has names of its own.
const SELF_CHECK: &str = "cli/src/demo/check.rs";

/// Walks from an error to its causes.
const CAUSES: &str = "shared/aws/src/error.rs";

/// All that is wrong with the layout of a tree.
pub fn faults(tree: &Tree) -> Vec<String> {
    let functions = functions(tree);
    let mut faults = Vec::new();
    for name in &functions {
        faults.extend(places(tree, name));
        faults.extend(handler(tree, name));
        faults.extend(main(tree, name));
    }
    for (path, text) in tree.below("", "Cargo.toml") {
        faults.extend(manifest(path, text, &functions));
    }
    for (path, text) in tree.below("", ".rs").filter(|(path, _)| is_product(path)) {
        faults.extend(source(path, text));
    }
    faults.extend(bans(tree));
    faults
}

/// Whatever is called after a function anywhere.
fn functions(tree: &Tree) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = named_in_template(tree);
    for (folder, ending) in [("events/", ".json"), ("functions/", "/Cargo.toml")] {
        let paths = tree.below(folder, ending);
        let name = |path: &str| path[folder.len()..path.len() - ending.len()].to_string();
        names.extend(paths.map(|(path, _)| name(path)));
    }
    names
}

fn named_in_template(tree: &Tree) -> BTreeSet<String> {
    let begin = "FunctionName: !Sub \"${AWS::StackName}-";
    let lines = tree.text("infra/template.yaml").lines();
    let names = lines.filter_map(|line| line.trim().strip_prefix(begin)?.strip_suffix('"'));
    names.map(str::to_string).collect()
}

/// One name in five places.
fn places(tree: &Tree, name: &str) -> Vec<String> {
    let flow = format!("shared/core/src/flow/{}", snake(name));
    let test = format!("functions/{name}/tests/binary.rs");
    let manifest = tree.text(&format!("functions/{name}/Cargo.toml"));
    let tested = tree.text(&test);
    let starts = format!("CARGO_BIN_EXE_{name}");
    let sample = format!("events/{name}.json");
    let found = [
        (tree.has(&sample), format!("no sample {sample}")),
        (
            manifest.starts_with(&format!("[package]\nname = \"{name}\"\n")),
            "no crate of that name".into(),
        ),
        (
            tree.has(&format!("{flow}.rs")) || tree.has(&format!("{flow}/mod.rs")),
            format!("no flow {flow}"),
        ),
        (named_in_template(tree).contains(name), "no function in infra/template.yaml".into()),
        (
            tested.contains(&starts) && tested.contains(&sample) && tested.contains("#[test]"),
            format!("no test in {test} that starts the binary with its sample"),
        ),
    ];
    let missing = found.into_iter().filter(|(is_there, _)| !is_there);
    missing.map(|(_, what)| format!("{name}: {what}")).collect()
}

/// Decode, load, decide, apply: each by its name, in this order, and nothing of the SDK.
fn handler(tree: &Tree, name: &str) -> Vec<String> {
    let path = format!("functions/{name}/src/lib.rs");
    let text = tree.text(&path);
    let name = snake(name);
    let verbs = [
        format!("decode::{name}("),
        format!("load::{name}("),
        format!("{name}::decide("),
        "apply::apply(".to_string(),
    ];
    let mut faults = Vec::new();
    let mut rest = text.split_once("async fn handle(").map_or("", |(_, rest)| rest);
    for verb in verbs {
        match rest.split_once(&verb) {
            Some((_, after)) => rest = after,
            None => faults.push(format!("{path}: `{verb}..)` is not where its turn is")),
        }
    }
    if text.lines().count() > HANDLER_LINES_MAX {
        faults.push(format!("{path}: more than {HANDLER_LINES_MAX} lines"));
    }
    for (path, text) in tree.below(&format!("functions/{}/src/", kebab(&name)), ".rs") {
        if text.contains("aws_sdk") {
            faults.push(format!("{path}: a function calls AWS through shared/aws"));
        }
    }
    faults
}

/// `main.rs` reads the environment and hands it, with its function, to shared/aws, which starts it.
fn main(tree: &Tree, name: &str) -> Vec<String> {
    let path = format!("functions/{name}/src/main.rs");
    let text = tree.text(&path);
    let starts =
        format!("start::main(std::env::vars(), config, {}::start, Function::", snake(name));
    let mut faults = Vec::new();
    if !text.contains(&starts) {
        faults.push(format!("{path}: it does not start its function"));
    }
    if text.lines().count() > MAIN_LINES_MAX {
        faults.push(format!("{path}: more than {MAIN_LINES_MAX} lines"));
    }
    faults
}

/// Functions stand on shared/aws, that on shared/core, which stands on nothing of ours, as does
/// the embedded cloud. What only tests need is not held.
fn manifest(path: &str, text: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let Some(name) = text.lines().find_map(|line| line.strip_prefix("name = \"")) else {
        return Vec::new();
    };
    let name = name.trim_end_matches('"');
    let mut faults = Vec::new();
    let mut needs = Vec::new();
    let mut section = "";
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && section != "[workspace.dependencies]" {
            let need = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let forms = [
                format!("{need}.workspace = true"),
                format!("{need} = {{ workspace = true, optional = true }}"),
            ];
            if forms.iter().all(|form| line != form) {
                faults.push(format!("{path}: {need} is not taken from the workspace"));
            }
            if section != "[dev-dependencies]" {
                needs.push(need);
            }
        }
    }
    let is_ours = |need: &str| need.starts_with("afterimage") || functions.contains(need);
    for need in needs {
        let may = match name {
            "afterimage-core" => CORE_MADE_OF.contains(&need),
            "afterimage-cloud" => !is_ours(need),
            "afterimage-aws" => !is_ours(need) || need == "afterimage-core",
            _ if functions.contains(name) => {
                let stands_on = ["afterimage-aws", "afterimage-core"];
                stands_on.contains(&need) || FUNCTION_MADE_OF.contains(&need)
            }
            // The command, and what only tests.
            _ => name != "afterimage" || need != "afterimage-support",
        };
        if !may {
            faults.push(format!("{path}: {name} may not depend on {need}"));
        }
    }
    faults
}

/// What is the product, and not a test of it or the cloud around it.
pub fn is_product(path: &str) -> bool {
    let folders = ["cli/src/", "shared/aws/src/", "shared/core/src/"];
    let function = path.starts_with("functions/") && path.contains("/src/");
    function || folders.iter().any(|folder| path.starts_with(folder))
}

fn source(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    for (number, line) in (1..).zip(code.lines()) {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (word, place) in ONE_PLACE {
            if path != place && path != SELF_CHECK && names(line, word) {
                faults.push(format!("{path}:{number}: `{word}` is written in {place}"));
            }
        }
        if path != CAUSES && (line.contains(".source()") || line.contains("::source(")) {
            faults.push(format!("{path}:{number}: causes are told by {CAUSES}"));
        }
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let waits = words.any(|word| matches!(word, "async" | "await"));
        if path.starts_with("shared/core/") && waits {
            faults.push(format!("{path}:{number}: the core waits for nothing"));
        }
    }
    faults
}

/// Whether a text begins with this word, and goes on: a message may begin with our name too.
fn names(line: &str, word: &str) -> bool {
    let mut texts = line.split('"').skip(1);
    texts.any(|text| text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(' ')))
}

/// A `clippy.toml` stands in the place of the one at the root: what is banned there of the clock
/// and of the environment has to be banned in each.
fn bans(tree: &Tree) -> Vec<String> {
    let banned = |text: &str| -> BTreeSet<String> {
        let quoted = |line: &str| Some(line.split_once("path = \"")?.1.split('"').next()?.into());
        text.lines().filter_map(quoted).collect()
    };
    let all = banned(tree.text("clippy.toml"));
    let world = |path: &&String| path.starts_with("std::") || path.starts_with("jiff::");
    let mut faults = Vec::new();
    if all.iter().filter(world).count() < 8 {
        faults.push("clippy.toml: it bans neither the clock nor the environment".to_string());
    }
    for (path, text) in tree.below("shared/", "clippy.toml") {
        let here = banned(text);
        let missing = all.iter().filter(world).filter(|ban| !here.contains(*ban));
        faults.extend(missing.map(|ban| format!("{path}: it does not ban {ban}")));
    }
    faults
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

fn kebab(name: &str) -> String {
    name.replace('_', "-")
}

#[test]
fn the_house_is_laid_out_as_it_should_be() {
    let tree = Tree::read();
    assert!(functions(&tree).len() >= 6, "{:?}", functions(&tree));
    let faults = faults(&tree);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What is found in a copy of the tree with one text in one file replaced.
fn found(path: &str, before: &str, after: &str) -> Vec<String> {
    let tree = Tree::read();
    let text = tree.text(path);
    assert!(text.contains(before), "`{before}` is not in {path}");
    let text = text.replacen(before, after, 1);
    faults(&tree.with(path, &text))
}

#[test]
fn what_is_missing_of_a_function_is_found() {
    let name = "image-state-changed";
    let missing = [
        ("events/image-state-changed.json", "no sample events/image-state-changed.json"),
        (
            "shared/core/src/flow/image_state_changed.rs",
            "no flow shared/core/src/flow/image_state_changed",
        ),
        (
            "functions/image-state-changed/tests/binary.rs",
            "no test in functions/image-state-changed/tests/binary.rs that starts the binary with \
             its sample",
        ),
    ];
    for (path, told) in missing {
        assert_eq!(faults(&Tree::read().without(path)), [format!("{name}: {told}")], "{path}");
    }
    let function = "FunctionName: !Sub \"${AWS::StackName}-image-state-changed\"";
    let other = function.replace(name, "images");
    let told = found("infra/template.yaml", function, &other);
    assert!(told.contains(&format!("{name}: no function in infra/template.yaml")), "{told:?}");
    assert!(told.contains(&"images: no sample events/images.json".to_string()), "{told:?}");
    let manifest = format!("functions/{name}/Cargo.toml");
    let told = found(&manifest, "name = \"image-state-changed\"", "name = \"images\"");
    assert!(told.contains(&format!("{name}: no crate of that name")), "{told:?}");
    let tree = Tree::read().with("events/new.json", "{}");
    assert!(faults(&tree).contains(&"new: no crate of that name".to_string()));
}

#[test]
fn a_function_that_does_more_than_a_function_is_found() {
    let path = "functions/backup-tick/src/lib.rs";
    let planted = [
        ("decode::backup_tick(", "read("),
        ("load::backup_tick(", "read("),
        ("backup_tick::decide(", "think("),
        ("apply::apply(", "act("),
    ];
    for (verb, other) in planted {
        let told = format!("{path}: `{verb}..)` is not where its turn is");
        assert_eq!(found(path, verb, other), [told]);
    }
    let sdk = format!("{path}: a function calls AWS through shared/aws");
    assert_eq!(found(path, "use serde_json", "use aws_sdk_ec2::Client;\nuse serde_json"), [sdk]);
    let long = format!("{path}: more than 60 lines");
    assert_eq!(found(path, "/// Handles one event.", &"//\n".repeat(60)), [long]);
    let path = "functions/work-requested/src/main.rs";
    for (before, after) in [("start::main(", "run("), ("work_requested::start", "other::start")] {
        assert_eq!(found(path, before, after), [format!("{path}: it does not start its function")]);
    }
    let long = found(path, "async fn main()", &format!("{}async fn main()", "//\n".repeat(15)));
    assert_eq!(long, [format!("{path}: more than 15 lines")]);
}

#[test]
fn an_arrow_the_wrong_way_is_found() {
    let planted = [
        ("shared/core/Cargo.toml", "afterimage-core", "tokio"),
        ("shared/core/Cargo.toml", "afterimage-core", "afterimage-cloud"),
        ("shared/cloud/Cargo.toml", "afterimage-cloud", "afterimage-core"),
        ("shared/aws/Cargo.toml", "afterimage-aws", "afterimage-cloud"),
        ("shared/aws/Cargo.toml", "afterimage-aws", "backup-tick"),
        ("functions/backup-tick/Cargo.toml", "backup-tick", "afterimage-cloud"),
        ("functions/backup-tick/Cargo.toml", "backup-tick", "aws-sdk-ec2"),
        ("cli/Cargo.toml", "afterimage", "afterimage-support"),
    ];
    for (path, name, need) in planted {
        let with = format!("[dependencies]\n{need}.workspace = true\n");
        let told = found(path, "[dependencies]\n", &with);
        assert_eq!(told, [format!("{path}: {name} may not depend on {need}")]);
    }
    let path = "cli/Cargo.toml";
    let told = found(path, "[dependencies]\n", "[dependencies]\nrand = \"0.9\"\n");
    assert_eq!(told, [format!("{path}: rand is not taken from the workspace")]);
}

#[test]
fn what_is_written_in_two_places_is_found() {
    let planted: BTreeMap<&str, (&str, String)> = BTreeMap::from([
        ("cli/src/place.rs", (CAUSES, "fn f() { e.source(); }".to_string())),
        ("cli/src/main.rs", (ONE_PLACE[0].1, format!("const A: &str = \"{}X\";", ONE_PLACE[0].0))),
        (
            "shared/core/src/slot.rs",
            (ONE_PLACE[1].1, format!("const A: &str = \"{}x\";", ONE_PLACE[1].0)),
        ),
    ]);
    for (path, (place, line)) in planted {
        let tree = Tree::read();
        let told = faults(&tree.with(path, &format!("{line}\n")));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("{path}:1: ")) && told[0].ends_with(place),
            "{told:?}"
        );
        let comment = tree.with(path, &format!("// {line}\n"));
        assert_eq!(faults(&comment), Vec::<String>::new());
    }
    let told = found("shared/core/src/slot.rs", "pub fn ", "pub async fn ");
    assert!(told.len() == 1 && told[0].ends_with("the core waits for nothing"), "{told:?}");
    let path = "shared/core/clippy.toml";
    let told = found(path, "std::env::var_os", "std::env::other");
    assert_eq!(told, [format!("{path}: it does not ban std::env::var_os")]);
}
