//! `afterimage policy`: the policy file, and what is in force.

pub mod apply;
mod check;
mod effects;
mod next;
mod preview;
mod schema;
mod show;
mod summary;

use std::io::{self, Read};
use std::path::Path;

use afterimage_core::policy::{Policy, file};

pub use schema::SCHEMA;
pub use summary::{notes, summary};

use crate::Failure;

/// Works with policies: those of a file, and those in force.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(check::Arguments),
    Apply(apply::Arguments),
    Show(show::Arguments),
    Next(next::Arguments),
    Schema(schema::Arguments),
}

/// # Errors
/// The file is wrong, or AWS cannot be worked with.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Check(arguments) => check::run(arguments),
        Command::Apply(arguments) => apply::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Next(arguments) => next::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
    }
}

/// The policies of a file; or all that is wrong with it, and what else there is to say.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn from_file(path: &Path, and: &str) -> Result<Vec<Policy>, Failure> {
    let text = read(path)?;
    let wrong = |problems: Vec<_>| check::tell_all(&shown(path), &text, &problems, and);
    file::read(&text).map_err(|problems| Failure::Input(wrong(problems)))
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
