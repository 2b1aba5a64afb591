//! `afterimage policy check`: everything that is wrong with a policy file, or what it means.

use std::path::PathBuf;

use afterimage_core::policy::file;
use afterimage_core::yaml::Problem;
use serde_json::{Value, json};

use super::summary::{notes, summary};
use super::{read, shown};
use crate::text::{blanks, count};
use crate::{Failure, print};

/// Reads a policy file and says everything that is wrong with it, or what it means.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = shown(&arguments.file);
    let text = read(&arguments.file)?;
    match file::read(&text) {
        Ok(policies) if arguments.json => {
            let notes = notes(&policies);
            let answer =
                json!({ "file": name, "policies": policies, "problems": [], "notes": notes });
            print(&answer.to_string())
        }
        Ok(policies) if policies.is_empty() => print("no policies"),
        Ok(policies) => {
            notes(&policies).iter().for_each(|note| eprintln!("note: {note}"));
            print(policies.iter().map(summary).collect::<String>().trim_end())
        }
        Err(problems) => {
            if arguments.json {
                let list: Vec<Value> = problems.iter().map(to_json).collect();
                print(&json!({ "file": name, "problems": list }).to_string())?;
            }
            Err(Failure::Input(tell_all(&name, &text, &problems, "")))
        }
    }
}

/// Every problem of a file at its place. `and` is what else there is to say about it.
pub fn tell_all(name: &str, text: &str, problems: &[Problem], and: &str) -> String {
    let told: String = problems.iter().map(|problem| tell(name, text, problem)).collect();
    let problems = count(problems.len(), "problem");
    format!("{problems} in {name}{and}\n\n{told}").trim_end().to_string()
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
    let before: String = line.chars().take(at.column - 1).collect();
    let indent = blanks(&before);
    format!(
        "{name}:{at}: {what}\n {margin} |\n {number} | {line}\n {margin} | {indent}^\n \
         {margin} = {instead}\n\n"
    )
}
