//! A served world for the length of one test, and Python beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use afterimage_cloud::Config;
use afterimage_cloud::door::port::{Options, Server};
use afterimage_tests::python;

/// Serves a world whose clock moves on demand only, on a free port of the loopback.
pub fn world(config: Config) -> Server {
    let listen = ([127, 0, 0, 1], 0).into();
    Server::start(Options { listen, speed: 0, config }).expect("a free port can be had")
}

/// A command that runs Python with the packages of the tests, in `tests/python`.
pub fn python(arguments: &[&str]) -> Command {
    // Cargo gives tests a folder of their own in the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target");
    python::command(target, arguments).unwrap_or_else(|text| panic!("{text}"))
}

/// The folder of this package.
pub fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
