//! The Python packages that tests need, in a virtual environment under `target/`.
//!
//! Clients that we did not write (boto3) and second opinions (moto) come from PyPI, pinned in
//! `tests/requirements.txt`. The environment is made at the first use, and anew when the pins
//! change.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const NEEDED: &str = "these tests need python3 with its venv module (on Debian: apt-get install \
                      python3 python3-venv) and the Python package index";

/// The interpreter of the virtual environment below `target`, which is made if it must be.
///
/// # Errors
/// Says what is missing on this machine, or what pip said.
pub fn interpreter(target: &Path) -> Result<PathBuf, String> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements.txt");
    let pins = fs::read_to_string(&requirements)
        .map_err(|error| format!("cannot read {}: {error}", requirements.display()))?;
    let home = target.join("python");
    let python = home.join("bin").join("python");
    let stamp = home.join("requirements.stamp");
    let _lock =
        lock(target).map_err(|error| format!("cannot lock {}: {error}", target.display()))?;
    if fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == pins) {
        return Ok(python);
    }
    eprintln!("setting up the Python packages of tests/requirements.txt under target/ (once)");
    if home.exists() {
        let removed = fs::remove_dir_all(&home);
        removed.map_err(|error| format!("cannot remove {}: {error}", home.display()))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(&python).args(pip).arg(&requirements))?;
    // Written last: an environment that was interrupted is made again.
    fs::write(&stamp, pins).map_err(|error| format!("cannot write the stamp: {error}"))?;
    Ok(python)
}

/// A command that runs Python with those packages, in `tests/python`. What else is installed on
/// this machine, such as another time zone database, is not looked at.
///
/// # Errors
/// As for [`interpreter`].
pub fn command(target: &Path, arguments: &[&str]) -> Result<Command, String> {
    let mut command = Command::new(interpreter(target)?);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    command.current_dir(folder).args(arguments);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONTZPATH", "");
    Ok(command)
}

/// Held while the environment is looked at or made, by one test process at a time.
fn lock(target: &Path) -> io::Result<File> {
    let file = File::create(target.join("python.lock"))?;
    file.lock()?;
    Ok(file)
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}\n{NEEDED}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let also = String::from_utf8_lossy(&output.stdout);
    Err(format!("{shown} failed\n{also}{said}\n{NEEDED}"))
}
