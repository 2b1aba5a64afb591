//! What `tools/` tells of the crates in what is released, held against `Cargo.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Crates of the tests and of the simulator, which nobody releases.
const NOT_RELEASED: [&str; 3] = ["dynoxide-rs", "libsqlite3-sys", "proptest"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a program of `tools/` prints.
fn told_by(program: &str) -> String {
    let mut python = Command::new("python3");
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(root().join("tools").join(program));
    let output = python.output();
    let output = output.expect("these tests need python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The checksum of each crate in `Cargo.lock`, by `name version`.
fn locked() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("it is there");
    let value = |package: &str, key: &str| {
        let start = format!("{key} = \"");
        let line = package.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('"'));
        line.map(str::to_string)
    };
    let read = |package: &str| {
        let id = format!("{} {}", value(package, "name")?, value(package, "version")?);
        Some((id, value(package, "checksum")?))
    };
    text.split("[[package]]").filter_map(read).collect()
}

fn list<'bom>(bom: &'bom Value, name: &str) -> &'bom [Value] {
    bom[name].as_array().unwrap_or_else(|| panic!("{name} is no list"))
}

fn text<'bom>(node: &'bom Value, name: &str) -> &'bom str {
    node[name].as_str().unwrap_or_else(|| panic!("no {name} in {node}"))
}

#[test]
fn the_bill_of_materials_has_each_crate_with_its_checksum_and_licence() {
    let told = told_by("sbom.py");
    assert_eq!(told, told_by("sbom.py"), "the same twice");
    let bom: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((text(&bom, "bomFormat"), text(&bom, "specVersion")), ("CycloneDX", "1.6"));
    let root = &bom["metadata"]["component"];
    assert_eq!(
        (text(root, "name"), text(root, "version")),
        ("afterimage", env!("CARGO_PKG_VERSION"))
    );
    let locked = locked();
    let mut scopes = BTreeMap::new();
    let mut references = BTreeSet::from([text(root, "bom-ref")]);
    for crate_ in list(&bom, "components") {
        let (name, version) = (text(crate_, "name"), text(crate_, "version"));
        let purl = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"));
        assert_eq!(text(crate_, "purl"), purl);
        let hash = &list(crate_, "hashes")[0];
        assert_eq!(text(hash, "alg"), "SHA-256");
        let checksum = locked.get(&format!("{name} {version}"));
        assert_eq!(Some(text(hash, "content")), checksum.map(String::as_str), "{purl}");
        let licence = text(&list(crate_, "licenses")[0], "expression");
        assert!(!licence.is_empty() && !licence.contains('/'), "{purl}: {licence}");
        scopes.insert(name, text(crate_, "scope"));
        assert!(references.insert(text(crate_, "bom-ref")), "{purl} is there twice");
    }
    // The SDK is in the binaries, and so is the library of ciphers; a macro only builds them.
    let known = [
        ("aws-sdk-ec2", "required"),
        ("aws-lc-sys", "required"),
        ("clap", "required"),
        ("lambda_runtime", "required"),
        ("serde_derive", "excluded"),
        ("cc", "excluded"),
    ];
    for (name, scope) in known {
        assert_eq!(scopes.get(name), Some(&scope), "{name}");
    }
    for name in NOT_RELEASED {
        assert_eq!(scopes.get(name), None, "{name}");
    }
    let mut with_needs = BTreeSet::new();
    for dependency in list(&bom, "dependencies") {
        with_needs.insert(text(dependency, "ref"));
        for need in list(dependency, "dependsOn") {
            assert!(references.contains(need.as_str().expect("text")), "{need}");
        }
    }
    assert_eq!(with_needs, references);
}

#[test]
fn the_notices_have_each_crate_of_the_binaries_and_the_texts_of_its_licences() {
    let told = told_by("notices.py");
    let bom: Value = serde_json::from_str(&told_by("sbom.py")).expect("JSON");
    let texts = told.split_once("====").expect("the texts follow").1;
    for crate_ in list(&bom, "components") {
        let id = format!("{} {}", text(crate_, "name"), text(crate_, "version"));
        let is_in_binary = text(crate_, "scope") == "required";
        assert_eq!(told.contains(&format!("\n- {id}: ")), is_in_binary, "{id}");
        // The names before a text are parted by commas, with a colon after the last.
        let is_named = [",", ":"].iter().any(|end| texts.contains(&format!("{id}{end}")));
        assert_eq!(is_named, is_in_binary, "{id}");
    }
    for known in [
        "Apache License\n                           Version 2.0",
        "UNICODE LICENSE V3",
        "Copyright (c) The Rust Project Developers",
        // The C library in aws-lc-sys has parts of others.
        "the fiat-crypto authors (see",
    ] {
        assert!(texts.contains(known), "{known}");
    }
}
