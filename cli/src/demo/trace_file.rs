//! The trace of the embedded cloud as a file, for comparing the calls of two versions of
//! Afterimage.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use afterimage_cloud::trace::Entry;

use crate::Failure;

/// File that takes the lines of the trace.
#[derive(Debug)]
pub struct TraceFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl TraceFile {
    /// Creates the file, or empties the one that is there.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> Result<TraceFile, Failure> {
        let file = File::create(path).map_err(|error| {
            let hint = "choose another file with --trace FILE";
            Failure::Input(format!("cannot create {}: {error}\n  {hint}", path.display()))
        })?;
        Ok(TraceFile { path: path.to_path_buf(), file: BufWriter::new(file) })
    }

    /// Writes a line of JSON for each entry.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, entries: &[Entry]) -> Result<(), Failure> {
        self.try_write(entries).map_err(|error| {
            Failure::Ours(format!("cannot write {}: {error}", self.path.display()))
        })
    }

    fn try_write(&mut self, entries: &[Entry]) -> io::Result<()> {
        for entry in entries {
            writeln!(self.file, "{}", entry.to_json())?;
        }
        self.file.flush()
    }
}
