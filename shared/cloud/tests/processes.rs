//! Real processes as execution environments: started, logged, killed, and told of when they end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use afterimage_cloud::lambda::{Command, EnvironmentId, Exit, Launch, ProcessKeeper};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// A hang is a failure, after longer than any machine should take to run a script.
const PATIENCE: Duration = Duration::from_secs(30);

struct Kept {
    commands: UnboundedSender<Command>,
    exits: UnboundedReceiver<Exit>,
    keeper: JoinHandle<()>,
}

impl Kept {
    fn new() -> Kept {
        let (commands, inbox) = unbounded_channel();
        let (sender, exits) = unbounded_channel();
        let keeper = tokio::spawn(ProcessKeeper::new(inbox, sender).keep());
        Kept { commands, exits, keeper }
    }

    fn launch(&self, number: u64, program: &Path, variables: &[(&str, &str)]) {
        let set = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let launch = Launch {
            environment: EnvironmentId(number),
            program: program.to_path_buf(),
            variables: variables.iter().map(set).collect::<BTreeMap<_, _>>(),
            log_stream: format!("stream-{number}"),
        };
        self.commands.send(Command::Launch(launch)).expect("the keeper lives");
    }

    async fn exit(&mut self) -> Exit {
        let exit = tokio::time::timeout(PATIENCE, self.exits.recv()).await;
        exit.expect("a process ends in time").expect("the keeper lives")
    }
}

fn exit_of(number: u64, how: &str) -> Exit {
    Exit { environment: EnvironmentId(number), how: how.to_string() }
}

fn script(name: &str, lines: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("the target directory is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

async fn appears(path: &Path) -> String {
    let look = async {
        loop {
            match fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("the script writes its file in time")
}

// One test: were there more, a process that one of them forks could hold a script of another open
// for writing at the moment it is to be run.
#[tokio::test]
async fn processes_are_started_with_their_variables_only_and_their_ends_are_told() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let seen = directory.join("variables.txt");
    fs::remove_file(&seen).ok();
    let fails = script("fails.sh", "echo to stdout\necho to stderr >&2\nexit 3");
    let ends = script("ends.sh", "exit 0");
    let shows = script("shows.sh", "/usr/bin/env > \"$OUT\"\nexec /bin/sleep 600");
    let mut kept = Kept::new();

    kept.launch(1, &fails, &[]);
    assert_eq!(kept.exit().await, exit_of(1, "with error: exit status 3"));
    kept.launch(2, &ends, &[]);
    assert_eq!(kept.exit().await, exit_of(2, "without providing a reason"));
    kept.launch(3, &directory.join("not-there"), &[]);
    let exit = kept.exit().await;
    assert_eq!(exit.environment, EnvironmentId(3));
    assert!(exit.how.contains("cannot be run"), "{exit:?}");

    let out = seen.display().to_string();
    kept.launch(4, &shows, &[("OUT", &out), ("TABLE", "points")]);
    let variables = appears(&seen).await;
    assert!(variables.contains("TABLE=points\n"), "{variables}");
    // Cargo sets this for tests; the program must not inherit it.
    #[expect(clippy::disallowed_methods, reason = "the test is about the environment")]
    let set = std::env::var("CARGO_MANIFEST_DIR");
    assert!(set.is_ok());
    assert!(!variables.contains("CARGO_MANIFEST_DIR"), "{variables}");

    kept.commands.send(Command::Kill(EnvironmentId(99))).expect("the keeper lives");
    kept.commands.send(Command::Kill(EnvironmentId(4))).expect("the keeper lives");
    let exit = kept.exit().await;
    assert_eq!(exit.environment, EnvironmentId(4));
    assert!(exit.how.contains("signal: 9"), "{exit:?}");

    drop(kept.commands);
    let ended = tokio::time::timeout(PATIENCE, kept.keeper).await;
    ended.expect("the keeper ends with its world").expect("it does not panic");
}
