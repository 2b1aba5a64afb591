//! Real programs as execution environments: one process each, fed through the Lambda Runtime API.
//!
//! The world's clock stands still while it waits, so nothing in it may wait for a process. A
//! [`ProcessKeeper`] lives on a runtime with the machine's time, beside the port; the world sends
//! it [`Command`]s, and hears of every process that ended as an [`Exit`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command as Program};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::kernel::scope::EnvironmentId;

/// Path of the Runtime API on the port; the number of the environment follows.
pub const PREFIX: &str = "/_lambda/";

/// A program to be started as an execution environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub environment: EnvironmentId,
    pub program: PathBuf,
    /// All the variables it gets, and no others.
    pub variables: BTreeMap<String, String>,
    pub log_stream: String,
}

/// A command of the world to its keeper.
#[derive(Debug)]
pub enum Command {
    Launch(Launch),
    Kill(EnvironmentId),
}

/// A process that ended, or never came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    pub environment: EnvironmentId,
    /// Such as `with error: exit status 1`.
    pub how: String,
}

/// The world's side: how it reaches its keeper, and how the processes reach the world.
#[derive(Clone, Debug)]
pub struct Processes {
    commands: UnboundedSender<Command>,
    endpoint: String,
}

impl Processes {
    pub fn new(commands: UnboundedSender<Command>, endpoint: &str) -> Processes {
        Processes { commands, endpoint: endpoint.to_string() }
    }

    /// Starts a program, and tells whether there still is a keeper to do so.
    pub fn launch(&self, mut launch: Launch) -> bool {
        // With a scheme, because Rust's runtime does not read a path behind a bare address.
        let api = format!("{}{PREFIX}{}", self.endpoint, launch.environment.0);
        launch.variables.insert("AWS_LAMBDA_RUNTIME_API".to_string(), api);
        launch.variables.insert("AWS_ENDPOINT_URL".to_string(), self.endpoint.clone());
        self.commands.send(Command::Launch(launch)).is_ok()
    }

    /// Kills the process of an environment, if it has one.
    pub fn kill(&self, environment: EnvironmentId) {
        // Without a keeper there is no process either.
        self.commands.send(Command::Kill(environment)).ok();
    }
}

/// Starts processes and watches over them. When it goes, they go.
#[derive(Debug)]
pub struct ProcessKeeper {
    commands: UnboundedReceiver<Command>,
    exits: UnboundedSender<Exit>,
}

impl ProcessKeeper {
    pub fn new(
        commands: UnboundedReceiver<Command>,
        exits: UnboundedSender<Exit>,
    ) -> ProcessKeeper {
        ProcessKeeper { commands, exits }
    }

    /// Keeps processes until nobody can ask for any more.
    pub async fn keep(mut self) {
        let mut running = JoinSet::new();
        let mut leashes: BTreeMap<EnvironmentId, oneshot::Sender<()>> = BTreeMap::new();
        loop {
            tokio::select! {
                biased;
                Some(ended) = running.join_next() => {
                    if let Ok(exit @ Exit { environment, .. }) = ended {
                        leashes.remove(&environment);
                        // A world that has ended needs no word of it.
                        self.exits.send(exit).ok();
                    }
                }
                command = self.commands.recv() => match command {
                    None => return,
                    Some(Command::Launch(launch)) => {
                        let (leash, killed) = oneshot::channel();
                        leashes.insert(launch.environment, leash);
                        running.spawn(run(launch, killed));
                    }
                    Some(Command::Kill(environment)) => {
                        if let Some(leash) = leashes.remove(&environment) {
                            leash.send(()).ok();
                        }
                    }
                },
            }
        }
    }
}

/// One process, from its start to its end.
async fn run(launch: Launch, killed: oneshot::Receiver<()>) -> Exit {
    let environment = launch.environment;
    let how = match spawn(&launch) {
        Ok(child) => watch(child, launch.log_stream, killed).await,
        Err(error) => format!("with error: {} cannot be run: {error}", launch.program.display()),
    };
    Exit { environment, how }
}

fn spawn(launch: &Launch) -> std::io::Result<Child> {
    Program::new(&launch.program)
        .env_clear()
        .envs(&launch.variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn watch(mut child: Child, log_stream: String, killed: oneshot::Receiver<()>) -> String {
    // Not waited for: a process that outlives the child may hold its pipes for ever.
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(log(stdout, log_stream.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(log(stderr, log_stream));
    }
    let status = tokio::select! {
        biased;
        status = child.wait() => status,
        // Its sender is only dropped after a kill, or together with this future.
        _ = killed => match child.kill().await {
            Ok(()) => child.wait().await,
            Err(error) => Err(error),
        },
    };
    match status {
        Ok(status) => describe(status),
        Err(error) => format!("with error: {error}"),
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => "without providing a reason".to_string(),
        Some(code) => format!("with error: exit status {code}"),
        None => format!("with error: {status}"),
    }
}

/// Passes the output of a program on, line by line.
async fn log(output: impl AsyncRead + Unpin, log_stream: String) {
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        eprintln!("{log_stream} {}", String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
