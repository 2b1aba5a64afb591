//! What the functions cost, as one JSON object on stdout: the size of the zip, the time from the
//! start of the process to the first answer, the peak of its memory, and the time of its own that
//! an event takes once it is warm. Beside them, in the same run, a Python function with boto3 that
//! does for a machine that stopped what `instance-state-changed` does.
//!
//! ```text
//! infra/deploy build Architecture=x86_64
//! cargo bench --workspace --profile dev --bench functions -- \
//!     [--functions FOLDER] [--only NAME] [--runs N]
//! ```
//!
//! The start is that of the function's own program, until the answer to its first event. The own
//! time is that of the processor: what a function waits for, AWS or its turn, is not in it. The
//! functions are those that are deployed. With `--profile dev`, the embedded cloud around them is
//! that of `cargo test`, and nothing is built but this. Every run is a new process in a new world,
//! in turns: the first run of each, the second of each, and so on. The figures are medians. They
//! are of this machine at this moment: no test hangs on them.

mod process;
mod subject;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use afterimage_tests::python;
use serde_json::{Map, Value, json};

use crate::subject::{FUNCTIONS, PYTHON, Subject, measure};

/// What each function is held to, beside the Python function of the same run.
const ZIP_MB_MAX: f64 = 4.0;
const WARM_OWN_MS_MAX: f64 = 5.0;
/// So many times less than the Python function.
const PEAK_TIMES_MIN: f64 = 6.0;
const START_TIMES_MIN: f64 = 25.0;

struct Asked {
    functions: PathBuf,
    only: Option<String>,
    runs: usize,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
        let target = target();
        let mut asked = Asked { functions: target.join("deploy/x86_64"), only: None, runs: 7 };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo says this to everything that it runs as a benchmark.
                "--bench" => {}
                "--functions" => asked.functions = value()?.into(),
                "--only" => asked.only = Some(value()?),
                "--runs" => {
                    let number = value()?.parse().ok().filter(|number| *number > 0);
                    asked.runs = number.ok_or("--runs needs a number")?;
                }
                other => return Err(format!("what is {other}? See the head of main.rs")),
            }
        }
        Ok(asked)
    }
}

/// Cargo gives benchmarks a folder of their own in the target folder.
fn target() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).to_path_buf()
}

/// Everything that is to be measured: the programs and where their zips are.
fn subjects(asked: &Asked) -> Result<Vec<Subject>, String> {
    let interpreter = python::interpreter(&target())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/bench_function.py");
    let mut subjects = vec![Subject {
        name: PYTHON,
        function: "instance-state-changed",
        program: vec![interpreter, script],
        zip_bytes: None,
    }];
    for name in FUNCTIONS {
        let program = asked.functions.join(name).join("bootstrap");
        let zip = asked.functions.join(format!("{name}.zip"));
        let told = "build them: infra/deploy build Architecture=x86_64";
        let bytes = fs::metadata(&zip).map_err(|error| format!("{zip:?}: {error}; {told}"))?.len();
        let program = program.canonicalize().map_err(|error| format!("{program:?}: {error}"))?;
        subjects.push(Subject {
            name,
            function: name,
            program: vec![program],
            zip_bytes: Some(bytes),
        });
    }
    if let Some(only) = &asked.only {
        subjects.retain(|subject| subject.name == only);
        if subjects.is_empty() {
            return Err(format!("--only needs {PYTHON}, or one of {}", FUNCTIONS.join(", ")));
        }
    }
    Ok(subjects)
}

/// Measures all subjects in turns; the medians of each, by name.
fn all(asked: &Asked) -> Result<Map<String, Value>, String> {
    let subjects = subjects(asked)?;
    let mut figures: BTreeMap<&str, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
    for run in 1..=asked.runs {
        for subject in &subjects {
            eprintln!("run {run} of {}: {}", asked.runs, subject.name);
            let measured = measure(subject, &target())?;
            for (figure, value) in measured {
                let of_subject = figures.entry(subject.name).or_default();
                of_subject.entry(figure).or_default().push(value);
            }
        }
    }
    let mut shown = Map::new();
    for subject in &subjects {
        let mut of_subject = Map::new();
        if let Some(bytes) = subject.zip_bytes {
            let megabytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6;
            of_subject.insert("zip_mb".into(), json!(hundredths(megabytes)));
        }
        for (figure, values) in figures.remove(subject.name).unwrap_or_default() {
            of_subject.insert(figure.into(), json!(hundredths(median(values))));
        }
        shown.insert(subject.name.into(), Value::Object(of_subject));
    }
    Ok(shown)
}

/// What is beyond its bar, in words.
fn missed(figures: &Map<String, Value>) -> Vec<String> {
    let number = |of: &str, figure: &str| figures.get(of)?.get(figure)?.as_f64();
    let mut missed = Vec::new();
    for name in FUNCTIONS {
        let mut at_most = |figure: &str, most: Option<f64>| {
            let (Some(value), Some(most)) = (number(name, figure), most) else { return };
            if value > most {
                missed.push(format!("{name}: {figure} is {value}, more than {most:.2}"));
            }
        };
        let part = |figure: &str, times: f64| Some(number(PYTHON, figure)? / times);
        at_most("zip_mb", Some(ZIP_MB_MAX));
        at_most("warm_own_ms", Some(WARM_OWN_MS_MAX));
        at_most("peak_mb", part("peak_mb", PEAK_TIMES_MIN));
        at_most("start_ms", part("start_ms", START_TIMES_MIN));
    }
    missed
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn main() -> ExitCode {
    // This program also stands in the place of each function, to note when it starts.
    process::start_in_place();
    let figures = Asked::read(std::env::args().skip(1)).and_then(|asked| {
        let figures = all(&asked)?;
        let cores = std::thread::available_parallelism().map(usize::from).ok();
        let machine = json!({ "cores": cores, "load": process::load() });
        let missed = missed(&figures);
        Ok(json!({
            "machine": machine,
            "runs": asked.runs,
            "medians": figures,
            "bars_missed": missed,
        }))
    });
    match figures {
        Ok(figures) => {
            println!("{figures:#}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
