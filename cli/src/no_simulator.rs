//! The answer to `afterimage cloud`, `demo` and `simulate` in a build without the simulator.

use crate::Failure;

/// End of the help: the subcommands that this build lacks.
pub const HELP: &str = "This build has no simulator: `afterimage cloud`, `afterimage demo` and \
                        `afterimage simulate` are not in it.";

/// Arguments of a subcommand that needs the simulator. They are ignored.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    ignored: Vec<String>,
}

/// Says that a subcommand needs the simulator, and how to get it.
///
/// # Errors
/// Always.
pub fn run(subcommand: &str, Arguments { ignored: _ }: &Arguments) -> Result<(), Failure> {
    Err(Failure::Input(format!(
        "`afterimage {subcommand}` needs the simulator, which this build leaves out; build with \
         the default features: `cargo build -p afterimage`"
    )))
}
