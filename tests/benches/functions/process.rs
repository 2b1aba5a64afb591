//! The process of a function, as the machine sees it: when it started, what it takes, how it ends.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time between two looks at what is waited for; all figures in milliseconds are later by half of
/// it.
pub const LOOK: Duration = Duration::from_micros(200);

/// A link to this program, in the place of a function. It notes its start, and then becomes the
/// function's own program.
pub struct Place {
    link: PathBuf,
}

/// A process that has started.
pub struct Process {
    id: u32,
    started: Duration,
}

impl Place {
    /// Makes the link in a folder, for a program with its arguments.
    pub fn new(folder: &Path, name: &str, program: &[PathBuf]) -> Result<Place, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(failed)?;
        }
        fs::create_dir_all(folder).map_err(failed)?;
        let link = folder.join(name);
        symlink(std::env::current_exe().map_err(failed)?, &link).map_err(failed)?;
        let lines: Vec<String> = program.iter().map(|part| part.display().to_string()).collect();
        fs::write(link.with_extension("real"), lines.join("\n")).map_err(failed)?;
        Ok(Place { link })
    }

    pub fn program(&self) -> String {
        self.link.display().to_string()
    }

    /// The one process that has started here.
    pub fn process(&self) -> Result<Process, String> {
        let path = self.link.with_extension("started");
        let noted = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
        let lines: Vec<&str> = noted.lines().collect();
        let [line] = lines[..] else {
            return Err(format!("{} processes have started: {path:?}", lines.len()));
        };
        let (id, nanos) = line.split_once(' ').unwrap_or_default();
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{line}: {error}"));
        let id = u32::try_from(number(id)?).map_err(|error| error.to_string())?;
        Ok(Process { id, started: Duration::from_nanos(number(nanos)?) })
    }
}

/// Becomes the function's own program, if this program was started in the place of one.
pub fn start_in_place() {
    let link = PathBuf::from(std::env::args().next().unwrap_or_default());
    let Ok(program) = fs::read_to_string(link.with_extension("real")) else { return };
    let mut parts = program.lines();
    let mut command = Command::new(parts.next().unwrap_or_default());
    command.args(parts);
    let noted = OpenOptions::new().create(true).append(true).open(link.with_extension("started"));
    let mut noted = noted.expect("the folder of the link can be written");
    writeln!(noted, "{} {}", std::process::id(), now().as_nanos()).expect("it can be written");
    drop(noted);
    panic!("{command:?} cannot be run: {}", command.exec());
}

/// The machine's time, the same for all its processes.
pub fn now() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a measurement takes real time")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How many programs wanted a core in the last minute.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

impl Process {
    /// Milliseconds from its start until a moment.
    pub fn ms_until(&self, moment: Duration) -> f64 {
        moment.saturating_sub(self.started).as_secs_f64() * 1e3
    }

    /// Milliseconds that its threads have had a core: what it waits for is not in it.
    pub fn own_ms(&self) -> Result<f64, String> {
        let folder = format!("/proc/{}/task", self.id);
        let failed = |error: std::io::Error| format!("{folder}: {error}");
        let mut nanos = 0.0;
        for task in fs::read_dir(&folder).map_err(failed)? {
            let path = task.map_err(failed)?.path().join("schedstat");
            // A thread that has just ended had next to nothing.
            let Ok(text) = fs::read_to_string(path) else { continue };
            let first = text.split(' ').next().unwrap_or_default();
            nanos += first.parse::<f64>().map_err(|error| format!("{text}: {error}"))?;
        }
        Ok(nanos / 1e6)
    }

    /// The most memory that it had at any moment, in MB.
    pub fn peak_mb(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/status", self.id);
        let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        number.map(|kib| kib * 1024.0 / 1e6).ok_or(format!("{path} has no VmHWM"))
    }

    /// Has it end by SIGTERM; the milliseconds until it was gone.
    pub fn terminate(&self) -> Result<f64, String> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let begun = now();
        let id = self.id.to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        if !sent.as_ref().is_ok_and(std::process::ExitStatus::success) {
            return Err(format!("SIGTERM cannot be sent: {sent:?}"));
        }
        let folder = format!("/proc/{id}");
        while Path::new(&folder).exists() {
            if now().saturating_sub(begun) > PATIENCE {
                return Err(format!("process {id} does not end at SIGTERM"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(now().saturating_sub(begun).as_secs_f64() * 1e3)
    }
}
