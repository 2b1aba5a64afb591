//! The schema by an implementation that is not ours (jsonschema), on files as another reader of
//! YAML reads them (PyYAML).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use afterimage_tests::python;
use serde_json::Value as Json;

/// What became of a file.
pub struct Verdict {
    /// What the schema has against it.
    pub errors: Vec<String>,
    /// What the other reader found in it.
    pub data: Json,
}

/// Asks for each file whether the schema accepts it.
pub fn judge(files: &[String]) -> Vec<Verdict> {
    // Cargo gives tests a folder of their own in the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target");
    let interpreter = python::interpreter(target).unwrap_or_else(|text| panic!("{text}"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(interpreter)
        .arg(here.join("python/policy_schema.py"))
        .arg(here.join("../cli/src/policy/schema.json"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let lines: String = files.iter().map(|file| format!("{}\n", Json::from(&**file))).collect();
    // It answers while it reads: nobody may wait for the other with a full pipe.
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("it writes").expect("python reads");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it writes text");
    let verdict = |line: &str| -> Verdict {
        let told: Json = serde_json::from_str(line).expect("a verdict is JSON");
        let errors = told["errors"].as_array().expect("there is a list");
        let errors = errors.iter().map(ToString::to_string).collect();
        Verdict { errors, data: told["data"].clone() }
    };
    let verdicts: Vec<Verdict> = text.lines().map(verdict).collect();
    assert_eq!(verdicts.len(), files.len());
    verdicts
}
