//! The command without the simulator, as operators build it: `cargo build --no-default-features`.
#![cfg(not(feature = "simulator"))]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
    command.args(arguments).output().expect("the command starts")
}

#[test]
fn what_needs_the_simulator_says_so_in_one_line() {
    let cases = [
        &["demo"][..],
        &["demo", "--help"],
        &["simulate", "--seed", "1"],
        &["cloud", "--system", "--policies", "gold.yaml"],
        &["cloud", "--listen=127.0.0.1:0", "-v"],
    ];
    for arguments in cases {
        let output = run(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        let subcommand = arguments[0];
        let begin = format!("error: `afterimage {subcommand}` needs the simulator");
        assert!(told.starts_with(&begin) && told.contains("`cargo build -p afterimage`"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn the_help_lists_what_there_is_and_says_what_there_is_not() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8_lossy(&output.stdout);
    for subcommand in ["\n  status ", "\n  policy ", "\n  capture "] {
        assert!(help.contains(subcommand), "{help}");
    }
    for subcommand in ["\n  demo", "\n  cloud", "\n  simulate"] {
        assert!(!help.contains(subcommand), "{help}");
    }
    assert!(help.contains("This build has no simulator"), "{help}");
}
