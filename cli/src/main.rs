//! The `afterimage` command: parses the arguments, and prints the failure.
//! Exit status: 0 done, 1 the user's input or attention is needed, 2 a fault of ours or of AWS.

use std::process::ExitCode;

#[cfg(not(feature = "simulator"))]
use afterimage::no_simulator;
use afterimage::{Failure, cancel, capture, doctor, explain, heal, policy, rebuild, status};
#[cfg(feature = "simulator")]
use afterimage::{cloud, demo, simulate};
use clap::{Parser, Subcommand};

/// Images EC2 instances when their disks are at rest, and copies the images where they must
/// survive.
#[derive(Debug, Parser)]
#[command(name = "afterimage", version)]
#[cfg_attr(not(feature = "simulator"), command(after_help = no_simulator::HELP))]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Cancel(cancel::Arguments),
    Capture(capture::Arguments),
    #[cfg(feature = "simulator")]
    Cloud(cloud::Arguments),
    #[cfg(not(feature = "simulator"))]
    #[command(hide = true)]
    Cloud(no_simulator::Arguments),
    #[cfg(feature = "simulator")]
    Demo(demo::Arguments),
    #[cfg(not(feature = "simulator"))]
    #[command(hide = true)]
    Demo(no_simulator::Arguments),
    Doctor(doctor::Arguments),
    Explain(explain::Arguments),
    Heal(heal::Arguments),
    Policy(policy::Arguments),
    Rebuild(rebuild::Arguments),
    #[cfg(feature = "simulator")]
    Simulate(simulate::Arguments),
    #[cfg(not(feature = "simulator"))]
    #[command(hide = true)]
    Simulate(no_simulator::Arguments),
    Status(status::Arguments),
}

fn main() -> ExitCode {
    // Help and version are no errors; everything else that clap reports is the user's input.
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            if let Err(failed) = error.print() {
                eprintln!("error: cannot write to stdout: {failed}");
                return ExitCode::from(2);
            }
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let done = match arguments.command {
        Command::Cancel(arguments) => cancel::run(&arguments),
        Command::Capture(arguments) => capture::run(&arguments),
        #[cfg(feature = "simulator")]
        Command::Cloud(arguments) => cloud::run(&arguments),
        #[cfg(not(feature = "simulator"))]
        Command::Cloud(arguments) => no_simulator::run("cloud", &arguments),
        #[cfg(feature = "simulator")]
        Command::Demo(arguments) => demo::run(&arguments),
        #[cfg(not(feature = "simulator"))]
        Command::Demo(arguments) => no_simulator::run("demo", &arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Heal(arguments) => heal::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Rebuild(arguments) => rebuild::run(&arguments),
        #[cfg(feature = "simulator")]
        Command::Simulate(arguments) => simulate::run(&arguments),
        #[cfg(not(feature = "simulator"))]
        Command::Simulate(arguments) => no_simulator::run("simulate", &arguments),
        Command::Status(arguments) => status::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The choice of a user is no error.
            let label = if matches!(failure, Failure::Declined(_)) { "" } else { "error: " };
            eprintln!("{label}{failure}");
            ExitCode::from(failure.exit_status())
        }
    }
}
