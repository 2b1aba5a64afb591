//! `afterimage policy`: the policy file, and the policies in force.

pub mod apply;
mod changes;
mod check;
mod effects;
mod next;
mod policy_file;
mod preview;
mod schema;
mod show;
mod summary;
pub mod unreadable;
mod went_back;

pub use changes::Changes;
pub use policy_file::from_file;
pub use schema::SCHEMA;
pub use summary::{notes, summary};

use crate::Failure;

/// Checks, applies and shows policies.
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
