//! The same small program of boto3 against our port and against moto, side by side.

use std::path::Path;
use std::process::Command;

use afterimage_tests::python;
use serde_json::{Value, json};

use crate::port::serve;

const IMAGES: &str = "1000";

pub fn measure() -> Value {
    eprintln!("boto3, against us and against moto");
    match both() {
        Ok((ours, moto)) => json!({ "ours": ours, "moto": moto }),
        Err(text) => json!({ "ours": null, "moto": null, "reason": text }),
    }
}

fn both() -> Result<(Value, Value), String> {
    // Cargo gives benchmarks a folder of their own in the target folder.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let interpreter = python::interpreter(scratch.parent().unwrap_or(scratch))?;
    let server = serve();
    let ours = run(&interpreter, &["--endpoint", &server.url()])?;
    server.stop();
    let moto = run(&interpreter, &["--moto"])?;
    Ok((ours, moto))
}

fn run(interpreter: &Path, against: &[&str]) -> Result<Value, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut command = Command::new(interpreter);
    command.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["bench_boto3.py", "--images", IMAGES]).args(against);
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed\n{said}"));
    }
    let read = serde_json::from_slice(&output.stdout);
    read.map_err(|error| format!("{command:?} did not print JSON: {error}"))
}
