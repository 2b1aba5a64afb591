//! The `afterimage` command, as functions of plain arguments. `main.rs` only parses them.
//!
//! Data goes to stdout, everything else to stderr.

pub mod capture;
#[cfg(feature = "simulator")]
pub mod cloud;
#[cfg(feature = "simulator")]
pub mod demo;
pub mod explain;
pub mod failure;
#[cfg(not(feature = "simulator"))]
pub mod no_simulator;
pub mod place;
pub mod policy;
pub mod rebuild;
pub mod status;
#[cfg(feature = "simulator")]
pub mod system;
pub mod text;

pub use failure::Failure;

use std::io::{self, Write as _};

/// Writes what was asked for, and ends the line.
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    // Whoever reads no further has seen enough.
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Ours(format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}
