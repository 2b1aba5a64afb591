//! The templates by an opinion that is not ours: cfn-lint, which knows the types of CloudFormation
//! and their properties.

use std::fs;
use std::path::{Path, PathBuf};

use afterimage::system::{REGION_TEMPLATE, TEMPLATE};
use afterimage_tests::python;

const OPERATORS: &str = include_str!("../../../infra/operators.yaml");

/// What cfn-lint says of a template, in one region of each kind; nothing if it finds nothing.
fn findings(name: &str, template: &str) -> String {
    // Cargo gives tests a folder of their own in the target folder.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file: PathBuf = folder.join(name);
    fs::write(&file, template).expect("the folder can be written to");
    let target = folder.parent().expect("it is in target");
    let regions = ["--regions", "us-east-1", "eu-west-1", "ap-southeast-1"];
    let main = "import sys; from cfnlint.runner import main; sys.exit(main())";
    let command = python::command(target, &["-c", main]);
    let mut command = command.unwrap_or_else(|text| panic!("{text}"));
    let output = command.arg(file).args(regions).output().expect("python starts");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.success(), told.is_empty(), "{output:?}");
    told
}

#[test]
fn cfn_lint_finds_nothing() {
    assert_eq!(findings("template.yaml", TEMPLATE), "");
    assert_eq!(findings("region.yaml", REGION_TEMPLATE), "");
    assert_eq!(findings("operators.yaml", OPERATORS), "");
}

#[test]
fn cfn_lint_finds_a_property_that_there_is_not() {
    let wrong = REGION_TEMPLATE.replace("MessageRetentionPeriod", "MessageRetention");
    assert!(findings("wrong.yaml", &wrong).contains("MessageRetention"));
}
