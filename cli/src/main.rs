//! The `afterimage` command: parses its arguments, and says why it failed.
//! Exit status: 0 done, 1 the user's input, 2 ours.

use std::process::ExitCode;

use afterimage::{capture, cloud, demo, explain, policy, rebuild, status};
use clap::{Parser, Subcommand};

/// Images EC2 instances when their disks are at rest, and copies the images where they must
/// survive.
#[derive(Debug, Parser)]
#[command(name = "afterimage", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Capture(capture::Arguments),
    Cloud(cloud::Arguments),
    Demo(demo::Arguments),
    Explain(explain::Arguments),
    Policy(policy::Arguments),
    Rebuild(rebuild::Arguments),
    Status(status::Arguments),
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
        Command::Capture(arguments) => capture::run(&arguments),
        Command::Cloud(arguments) => cloud::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Rebuild(arguments) => rebuild::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.exit_status())
        }
    }
}
