//! How fast the embedded cloud is and how much memory it takes, as one JSON object on stdout.
//!
//! `cargo bench -p afterimage-tests --bench cloud [-- --images N] [-- --only PART]`. What is being
//! measured at the moment is told on stderr. The figures are of this machine at this moment: no
//! test hangs on them.

mod boto3;
mod in_process;
mod many;
mod memory;
mod mix;
mod port;
mod spans;

use std::process::ExitCode;

use serde_json::{Map, Value, json};

/// The parts of the benchmark, in their order. `many` comes first: what the others leave behind in
/// the allocator would count as its memory.
const PARTS: [&str; 4] = ["many", "in_process", "port", "boto3"];

/// As many as AWS lets an account have in a region.
const IMAGES: usize = 50_000;

struct Asked {
    images: usize,
    only: Option<String>,
}

impl Asked {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut asked = Asked { images: IMAGES, only: None };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says this to everything that it runs as a benchmark.
                "--bench" => {}
                "--images" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    asked.images = number.ok_or("--images needs a number")?;
                }
                "--only" => {
                    let part = arguments.next().unwrap_or_default();
                    if !PARTS.contains(&part.as_str()) {
                        return Err(format!("--only needs one of {}", PARTS.join(", ")));
                    }
                    asked.only = Some(part);
                }
                other => return Err(format!("what is {other}? There are --images and --only")),
            }
        }
        Ok(asked)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }
}

/// What the figures depend on.
fn machine() -> Value {
    let cores = std::thread::available_parallelism().map(usize::from).ok();
    json!({ "cores": cores, "optimised": !cfg!(debug_assertions) })
}

/// Measures what is asked for.
fn measure(asked: &Asked) -> Map<String, Value> {
    let mut figures = Map::new();
    figures.insert("machine".into(), machine());
    if asked.wants("many") {
        figures.extend(many::measure(asked.images));
    }
    if asked.wants("in_process") {
        figures.insert("in_process_calls_per_second".into(), in_process::measure());
    }
    if asked.wants("port") {
        figures.insert("port_calls_per_second".into(), port::measure());
    }
    if asked.wants("boto3") {
        figures.insert("boto3".into(), boto3::measure());
    }
    figures
}

fn main() -> ExitCode {
    match Asked::read(std::env::args().skip(1)) {
        Ok(asked) => {
            println!("{:#}", Value::Object(measure(&asked)));
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
