//! The policy language: its reader, its document and its schema say the same.

// The policies that the properties of the core are tried on.
#[path = "../../../shared/core/tests/policies/arbitrary.rs"]
mod arbitrary;
mod document;
mod keys;
mod schema;
mod validator;

use std::fs;
use std::path::PathBuf;

use afterimage_core::policy::Policy;
use afterimage_core::policy::file::read;

/// A file of the workspace.
fn text(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a file in which everything is right.
#[track_caller]
fn good(text: &str) -> Vec<Policy> {
    read(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}
