//! `afterimage cloud`: serves the embedded cloud on a port until a signal ends it.

mod system;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use afterimage_cloud::Config;
use afterimage_cloud::config::Lag;
use afterimage_cloud::door::port::{Options, Server, World};
use afterimage_cloud::time::Time;
use afterimage_cloud::trace::{Entry, What};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Failure, clock, text};

/// Serves an embedded AWS: EC2 images and snapshots, EventBridge, DynamoDB, KMS, SSM, STS, SQS.
///
/// Point any client at it with AWS_ENDPOINT_URL and any credentials. Nothing leaves this machine,
/// and nothing is kept when the command ends.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address and port to listen on, or a port of this machine alone; port 0 picks a free one.
    #[arg(
        long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566",
        value_parser = address, allow_hyphen_values = true
    )]
    listen: SocketAddr,
    /// Virtual seconds per real second; 0 holds the clock until POST /_cloud/clock moves it.
    #[arg(
        long, value_name = "N", default_value_t = 1, value_parser = speed,
        allow_hyphen_values = true
    )]
    speed: u32,
    /// Seed of ids, delays and faults: the same seed gives the same ones.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Time on the clock at the start: `now`, or an instant or a date in UTC.
    #[arg(long, value_name = "TIME", default_value = "2026-01-01", value_parser = start)]
    start: Time,
    /// Show new resources late and free snapshots late, as AWS does.
    #[arg(long)]
    lag: bool,
    /// Days for which the Recycle Bin keeps every deregistered image and deleted snapshot, so that
    /// a client can restore them; 0: there is no rule, and nothing is kept.
    #[arg(
        long, value_name = "N", default_value_t = 0, value_parser = recycle_bin_days,
        allow_hyphen_values = true
    )]
    recycle_bin_days: u32,
    /// Write each call, event and delivery to stderr.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    system: system::Arguments,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    let here = port.parse::<u16>().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    here.or_else(|_| text.parse()).map_err(|_| {
        "expected an IP address and a port, such as 127.0.0.1:4566, or a port; port 0 picks a free \
         one"
        .to_string()
    })
}

fn start(text: &str) -> Result<Time, String> {
    let instant = match text {
        "now" => clock::now(),
        text => text::date_or_instant(text).map_err(|wrong| format!("{wrong}, or now"))?,
    };
    let millis = u64::try_from(instant.as_millisecond());
    millis.map(Time::from_millis).map_err(|_| "no clock goes back to before 1970".to_string())
}

/// Largest number of virtual seconds per real second.
const SPEED_MAX: u32 = 100_000;

fn speed(text: &str) -> Result<u32, String> {
    let speed = text.parse().ok().filter(|speed| *speed <= SPEED_MAX);
    speed.ok_or_else(|| format!("expected a whole number from 0 to {SPEED_MAX}"))
}

/// Longest time for which a rule of the Recycle Bin keeps anything, in days.
const RECYCLE_BIN_DAYS_MAX: u32 = 365;

fn recycle_bin_days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| *days <= RECYCLE_BIN_DAYS_MAX);
    days.ok_or_else(|| format!("expected a whole number from 0 to {RECYCLE_BIN_DAYS_MAX}"))
}

/// Time between two writes of the trace.
const LOG_EVERY: Duration = Duration::from_millis(200);

/// # Errors
/// The port cannot be listened on, or a policy is wrong.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.system.plan()?;
    let seeded = Config::seeded(arguments.seed);
    let Arguments { start, recycle_bin_days, .. } = *arguments;
    let mut config = Config { open_roles: true, start, recycle_bin_days, ..seeded };
    if arguments.lag {
        config.lag = Lag::as_observed();
    }
    let listen = arguments.listen;
    let options = Options { listen, speed: arguments.speed, config };
    let server = Server::start(options).map_err(|error| cannot_listen(listen, &error))?;
    if !server.address().ip().is_loopback() {
        eprintln!(
            "warning: {} can be reached from other machines; anybody who reaches it is the \
             administrator of this cloud",
            server.address()
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::Ours(format!("cannot start the async runtime: {error}")))?;
    if let Some(plan) = plan {
        runtime.block_on(plan.carry_out(&server))?;
    }
    println!("ready {}", server.url());
    io::stdout()
        .flush()
        .map_err(|error| Failure::Ours(format!("cannot write to stdout: {error}")))?;
    let world = arguments.verbose.then(|| server.world().clone());
    runtime.block_on(until_signal(world))?;
    server.stop();
    Ok(())
}

fn cannot_listen(listen: SocketAddr, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program uses the port; --listen 127.0.0.1:0 picks a free one"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 are reserved; choose a higher port",
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
        _ => "choose another address with --listen ADDRESS:PORT",
    };
    Failure::Input(format!("cannot listen on {listen}: {error}\n  {hint}"))
}

/// Waits for SIGINT or SIGTERM, and writes the trace meanwhile.
async fn until_signal(log: Option<World>) -> Result<(), Failure> {
    let watch =
        |kind| signal(kind).map_err(|e| Failure::Ours(format!("cannot wait for signals: {e}")));
    let mut interrupt = watch(SignalKind::interrupt())?;
    let mut terminate = watch(SignalKind::terminate())?;
    let mut written = 0;
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            () = tokio::time::sleep(LOG_EVERY), if log.is_some() => {
                if let Some(world) = &log {
                    written = write_log(world, written).await;
                }
            }
        }
    }
}

async fn write_log(world: &World, written: usize) -> usize {
    let fresh = world.with(move |model| {
        let entries = model.trace.entries().get(written..).unwrap_or_default();
        entries.iter().map(line).collect::<Vec<_>>()
    });
    let Ok(lines) = fresh.await else { return written };
    for line in &lines {
        eprintln!("{line}");
    }
    written + lines.len()
}

fn line(entry: &Entry) -> String {
    let Entry { at, what, service, action, account, region, outcome, .. } = entry;
    let who = match what {
        What::Call | What::Fault => format!(" by {}", entry.principal),
        What::Event | What::Delivery | What::Invocation => String::new(),
    };
    let what = what.name();
    format!("{at} {what:<10} {region:<14} {account} {service} {action}: {outcome}{who}")
}
