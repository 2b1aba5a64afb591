//! `afterimage policy`: the policy file.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use afterimage_core::policy::{Policy, Trigger, file};
use afterimage_core::yaml::Problem;
use serde_json::{Value, json};

use crate::Failure;

/// Works with the policies of a file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(Check),
}

/// Reads a policy file and says everything that is wrong with it, or what it means.
#[derive(Debug, clap::Args)]
struct Check {
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Check(check) => run_check(check),
    }
}

fn run_check(check: &Check) -> Result<(), Failure> {
    let name = shown(&check.file);
    let text = read(&check.file)?;
    match file::read(&text) {
        Ok(policies) if check.json => {
            print(&json!({ "file": name, "policies": policies, "problems": [] }).to_string())
        }
        Ok(policies) => print(policies.iter().map(summary).collect::<String>().trim_end()),
        Err(problems) => {
            if check.json {
                let list: Vec<Value> = problems.iter().map(to_json).collect();
                print(&json!({ "file": name, "problems": list }).to_string())?;
            }
            let told: String = problems.iter().map(|problem| tell(&name, &text, problem)).collect();
            let count = match problems.len() {
                1 => "1 problem".to_string(),
                more => format!("{more} problems"),
            };
            Err(Failure::Input(format!("{count} in {name}\n\n{told}").trim_end().to_string()))
        }
    }
}

fn shown(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_string() } else { path.display().to_string() }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// A policy file of this size says more than anyone can have meant.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

fn read(path: &Path) -> Result<String, Failure> {
    let name = shown(path);
    let failed = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "\n  check the path; it is looked up from this folder",
            io::ErrorKind::InvalidData => "\n  a policy file is text in UTF-8",
            _ => "",
        };
        Failure::Input(format!("cannot read {name}: {error}{hint}"))
    };
    let mut text = String::new();
    let source: Box<dyn Read> = if is_stdin(path) {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    source.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        let text = format!("{name} is larger than {FILE_BYTES_MAX} bytes: is it a policy file?");
        return Err(Failure::Input(text));
    }
    Ok(text)
}

fn print(text: &str) -> Result<(), Failure> {
    let written = writeln!(io::stdout(), "{text}");
    // Whoever reads no further has seen enough.
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Ours(format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

fn to_json(problem: &Problem) -> Value {
    json!({
        "line": problem.at.line,
        "column": problem.at.column,
        "what": problem.what,
        "instead": problem.instead,
    })
}

/// A problem with the line it stands in.
fn tell(name: &str, text: &str, problem: &Problem) -> String {
    let Problem { at, what, instead } = problem;
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let indent: String =
        line.chars().take(at.column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
    format!(
        "{name}:{at}: {what}\n {margin} |\n {number} | {line}\n {margin} | {indent}^\n \
         {margin} = {instead}\n\n"
    )
}

/// A policy in a few lines.
fn summary(policy: &Policy) -> String {
    let mut text = format!("{}\n", policy.name);
    let regions: Vec<&str> = policy.select.regions.iter().map(|region| region.as_str()).collect();
    let tags = policy.select.tags.iter().map(|(key, values)| format!("{key}={}", values.join("|")));
    let tags: Vec<String> = tags.collect();
    // Writing to a String cannot fail.
    let _infallible = writeln!(text, "  selects    {} in {}", tags.join(", "), regions.join(", "));
    for trigger in &policy.triggers {
        let when = match trigger {
            Trigger::Schedule(timed) => format!("{} in {}", timed.expression(), timed.timezone()),
            Trigger::Stopped(stopped) => {
                format!("on stopped, at most every {}", span(stopped.min_interval_secs))
            }
        };
        let _infallible = writeln!(text, "  triggers   {when}");
    }
    for replica in &policy.replicate {
        let key = replica.kms_key.as_deref().unwrap_or("the region's default key, if encrypted");
        let within = replica.deadline_secs.map(|secs| format!(", within {}", span(secs)));
        let within = within.unwrap_or_default();
        let _infallible = writeln!(text, "  replicates to {} under {key}{within}", replica.region);
    }
    text
}

/// `90s`, `10m`, `4h`, `2d`: the largest unit that is exact.
fn span(secs: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let exact = units.iter().find(|(unit, _)| secs >= *unit && secs.is_multiple_of(*unit));
    match exact {
        Some((unit, letter)) => format!("{}{letter}", secs / unit),
        None => format!("{secs}s"),
    }
}
