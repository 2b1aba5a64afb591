//! The data of a command, on stdout.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Writes a text to stdout, and ends its line.
///
/// # Errors
/// Stdout cannot be written. A reader that has closed its end is no error.
pub fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Ours(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}
