//! `afterimage policy schema`: the language for editors, as a JSON Schema.

use crate::{Failure, print};

/// Prints a JSON Schema of the policy file, for editors that complete and check as one writes.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Draft 2020-12. What it cannot say, such as which keys cannot stand together, `check` does.
pub const SCHEMA: &str = include_str!("schema.json");

pub fn run(Arguments {}: &Arguments) -> Result<(), Failure> {
    print(SCHEMA.trim_end())
}
