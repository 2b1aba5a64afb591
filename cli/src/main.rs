//! The `afterimage` command. Data goes to stdout, everything else to stderr.
//! Exit status: 0 done, 1 the user's input, 2 ours.

mod cloud;
mod policy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Images EC2 instances when their disks are at rest, copies the images where they must survive,
/// and brings machines back.
#[derive(Debug, Parser)]
#[command(name = "afterimage", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Cloud(cloud::Arguments),
    Policy(policy::Arguments),
}

/// Why a command ended early.
#[derive(Debug)]
enum Failure {
    /// Something the user can put right.
    Input(String),
    /// Something that should not happen.
    Ours(String),
}

fn main() -> ExitCode {
    // Asking for help or the version is no mistake; everything else that clap reports is.
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let done = match arguments.command {
        Command::Cloud(arguments) => cloud::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
    };
    let (status, text) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Input(text)) => (1, text),
        Err(Failure::Ours(text)) => (2, text),
    };
    eprintln!("afterimage: {text}");
    ExitCode::from(status)
}
