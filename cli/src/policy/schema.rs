//! `afterimage policy schema`: a JSON Schema of the policy file, for editors.

use crate::{Failure, print};

/// Prints a JSON Schema of the policy file, for editors that complete and check it.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// JSON Schema of the policy file, draft 2020-12. `policy check` finds what a schema cannot
/// express, such as keys that exclude each other.
pub const SCHEMA: &str = include_str!("schema.json");

pub fn run(Arguments {}: &Arguments) -> Result<(), Failure> {
    print(SCHEMA.trim_end())
}
