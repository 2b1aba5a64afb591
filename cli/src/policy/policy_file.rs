//! The policy file, read from a path or from standard input, and all that is wrong with it.

use std::io::{self, Read};
use std::path::Path;

use afterimage_core::ids::AccountId;
use afterimage_core::policy::{Policy, file};
use afterimage_core::yaml::Problem;
use jiff::Timestamp;

use crate::Failure;
use crate::text::{blanks, count};

/// Largest policy file, in bytes: more than anyone can have meant to write.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A policy file, as it was written.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    name: String,
    text: String,
}

impl PolicyFile {
    /// # Errors
    /// The file cannot be read.
    pub fn open(path: &Path) -> Result<PolicyFile, Failure> {
        Ok(PolicyFile { name: display_name(path), text: read(path)? })
    }

    /// Reads the policies, whenever they were written. `consequence` follows the number of
    /// problems in the failure.
    ///
    /// # Errors
    /// The file is wrong: the failure tells every problem.
    pub fn policies(&self, consequence: &str) -> Result<Vec<Policy>, Failure> {
        file::read(&self.text).map_err(|problems| self.failure(&problems, consequence))
    }

    /// Reads the policies as they are put in force now, by the stack of this account if it is
    /// known.
    ///
    /// # Errors
    /// The file is wrong: the failure tells every problem. A schedule that never comes again is
    /// wrong as well, and so is a key of another account.
    pub fn policies_at(
        &self,
        now: Timestamp,
        stack: Option<&AccountId>,
        consequence: &str,
    ) -> Result<Vec<Policy>, Failure> {
        let read = file::read_at(&self.text, now, stack);
        read.map_err(|problems| self.failure(&problems, consequence))
    }

    fn failure(&self, problems: &[Problem], consequence: &str) -> Failure {
        Failure::Input(problems_text(&self.name, &self.text, problems, consequence))
    }
}

/// Reads the policies of a file. `consequence` follows the number of problems in the failure.
///
/// # Errors
/// The file cannot be read, or is wrong: the failure tells every problem.
pub fn from_file(path: &Path, consequence: &str) -> Result<Vec<Policy>, Failure> {
    PolicyFile::open(path)?.policies(consequence)
}

/// Names a file as the user did.
pub fn display_name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_string() } else { path.display().to_string() }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads the text of a file.
///
/// # Errors
/// The file cannot be read, or is too large.
pub fn read(path: &Path) -> Result<String, Failure> {
    let name = display_name(path);
    let failed = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => {
                "\n  check the path; it is relative to the current directory"
            }
            io::ErrorKind::InvalidData => "\n  a policy file has to be text in UTF-8",
            _ => "",
        };
        Failure::Input(format!("cannot read {name}: {error}{hint}"))
    };
    let mut text = String::new();
    let source: Box<dyn Read> = if is_stdin(path) {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    source.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        let limit = format!("a policy file has at most {FILE_BYTES_MAX} bytes");
        return Err(Failure::Input(format!("cannot read {name}: it is too large\n  {limit}")));
    }
    Ok(text)
}

/// Tells every problem of a file at its place. `consequence` follows their number.
pub fn problems_text(name: &str, text: &str, problems: &[Problem], consequence: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let list: String = problems.iter().map(|problem| problem_text(name, &lines, problem)).collect();
    let number = count(problems.len(), "problem");
    format!("{number} in {name}{consequence}\n\n{list}").trim_end().to_string()
}

/// Tells a problem, below it the line that has it.
fn problem_text(name: &str, lines: &[&str], problem: &Problem) -> String {
    let Problem { at, what, instead } = problem;
    let line = lines.get(at.line.saturating_sub(1)).copied().unwrap_or_default();
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let before: String = line.chars().take(at.column - 1).collect();
    let indent = blanks(&before);
    format!(
        "{name}:{at}: {what}\n {margin} |\n {number} | {line}\n {margin} | {indent}^\n \
         {margin} = {instead}\n\n"
    )
}
