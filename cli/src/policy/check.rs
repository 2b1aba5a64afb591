//! `afterimage policy check`: everything that is wrong with a policy file, or what it means.

use std::path::PathBuf;

use afterimage_core::policy::file;
use afterimage_core::yaml::Problem;
use serde_json::{Value, json};

use super::policy_file::{display_name, problems_text, read};
use super::summary::{notes, summary};
use crate::{Failure, clock, print};

/// Checks a policy file: prints everything that is wrong with it, or what it means.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Policy file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = display_name(&arguments.file);
    let text = read(&arguments.file)?;
    // The account of the stack is not known: nothing is asked of AWS.
    match file::read_at(&text, clock::now(), None) {
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
            Err(Failure::Input(problems_text(&name, &text, &problems, "")))
        }
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
