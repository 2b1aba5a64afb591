//! A program that is measured, and the life of one of its processes: an event that finds it not yet
//! started, many that find it warm, and SIGTERM.

use std::path::{Path, PathBuf};
use std::time::Duration;

use afterimage_cloud::lambda::enqueue;
use afterimage_cloud::trace::{Entry, What};
use afterimage_core::command::Cursor;
use afterimage_core::ids::InstanceId;
use afterimage_core::names::TAG_ASK;
use afterimage_core::policy::{Trigger, file};
pub use afterimage_support::FUNCTIONS;
use afterimage_support::{ACCOUNT, SEAT, World, now as instant, records, sample, with_binary};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::process::{LOOK, Place, now};

/// The name of the Python function among the figures.
pub const PYTHON: &str = "python-boto3";

/// Events to a process that is warm. The worker looks again after some seconds, by intention.
fn warm(function: &str) -> usize {
    if function == "work-requested" { 3 } else { 10 }
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Covers the machines of all functions.
const POLICY: &str = "
policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
    triggers:
      - schedule: cron(* * * * ? *)
        timezone: UTC
      - on: stopped
        min_interval: 12h
      - on: tag
";

/// The ids in the samples of `events/`.
const MACHINE: &str = "i-0123456789abcdef0";
const SNAPSHOTS: [&str; 2] = ["snap-0123456789abcdef0", "snap-0123456789abcdef1"];
const IMAGE: &str = "ami-0123456789abcdef0";

pub struct Subject {
    pub name: &'static str,
    /// The function of the template in whose place it is.
    pub function: &'static str,
    /// The program and its arguments.
    pub program: Vec<PathBuf>,
    pub zip_bytes: Option<u64>,
}

type Figures = Vec<(&'static str, f64)>;

/// Lives one life of the program.
pub fn measure(subject: &Subject, target: &Path) -> Result<Figures, String> {
    let folder = target.join("bench-functions");
    let place = Place::new(&folder, subject.name, &subject.program)?;
    let mut figures = Err("the world has not begun".to_string());
    with_binary(subject.function, &place.program(), async |world| {
        figures = live(world, subject, &place).await;
    });
    figures.map_err(|text| format!("{}: {text}", subject.name))
}

async fn live(world: &World, subject: &Subject, place: &Place) -> Result<Figures, String> {
    let function = subject.function;
    // The sweep waits between its looks at a region, by intention: its first finds no policy.
    let is_sweep = function == "reconcile-tick";
    if !is_sweep {
        world.policies(POLICY).await;
    }
    let machine = first_event(world, function).await;
    let first = ended(world, function, 1).await?;
    let process = place.process()?;
    let start = process.ms_until(first);
    if is_sweep {
        world.policies(POLICY).await;
    }

    let event = sample_of(function, &machine);
    let (mut own, mut all) = (Vec::new(), Vec::new());
    for number in 0..warm(function) {
        let (own_before, before) = (process.own_ms()?, now());
        invoke(world, function, event.clone()).await;
        let after = ended(world, function, number + 2).await?;
        own.push(process.own_ms()? - own_before);
        all.push(after.saturating_sub(before).as_secs_f64() * 1e3);
    }
    if function == "work-requested" {
        take_snapshots(world, &machine).await?;
    }
    check(world, function).await?;
    let figures = vec![
        ("start_ms", start),
        ("warm_own_ms", super::median(own)),
        ("warm_all_ms", super::median(all)),
        ("peak_mb", process.peak_mb()?),
        ("sigterm_ms", process.terminate()?),
    ];
    Ok(figures)
}

/// Prepares what the function finds, and has its first event come; the machine it is about.
async fn first_event(world: &World, function: &str) -> InstanceId {
    let sampled = InstanceId::parse(MACHINE).expect("it is an instance");
    let point = |id: &InstanceId| {
        let at = instant() - SignedDuration::from_mins(10);
        records::snapshotted(records::requested("gold", id, at), &SNAPSHOTS)
    };
    match function {
        "image-state-changed" => {
            records::put(&world.ledger, records::registered(point(&sampled), IMAGE)).await;
        }
        "snapshots-completed" => records::put(&world.ledger, point(&sampled)).await,
        _ => {
            let machine = world.machine("backup", "gold").await;
            match function {
                "backup-tick" => {
                    world.ledger.advance(&cursor()).await.expect("the ledger is written");
                }
                // The rules of the template send the events of these very acts.
                "instance-state-changed" => world.stop(&machine).await,
                "instance-tagged" => world.tag(&machine, TAG_ASK, "gold").await,
                "reconcile-tick" => {
                    records::put(&world.ledger, point(&machine)).await;
                    world.stop(&machine).await;
                }
                _ => {}
            }
            if !matches!(function, "instance-state-changed" | "instance-tagged") {
                let mut event = sample_of(function, &machine);
                if function == "work-requested" {
                    // The event of `afterimage doctor`, which is answered without a look at EC2.
                    event["detail"]["test"] = json!("benchmark");
                }
                invoke(world, function, event).await;
            }
            return machine;
        }
    }
    invoke(world, function, sample_of(function, &sampled)).await;
    sampled
}

/// The schedule of the policy as one that was last looked after some minutes ago.
fn cursor() -> Cursor {
    let policies = file::read(POLICY).expect("the policy is right");
    let mut triggers = policies.iter().flat_map(|policy| &policy.triggers);
    let Some(Trigger::Schedule(timed)) = triggers.next() else { panic!("{policies:?}") };
    let schedule = format!("{} {}", timed.expression(), timed.timezone());
    let policy = policies.first().expect("it is there").name.clone();
    let done_until = instant() - SignedDuration::from_mins(5);
    Cursor { policy, schedule, region: None, done_until }
}

fn sample_of(function: &str, machine: &InstanceId) -> Value {
    let path = format!("{}/../events/{function}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("every function has its sample");
    let ids: &[(&str, &str)] =
        if text.contains(MACHINE) { &[(MACHINE, machine.as_str())] } else { &[] };
    sample(&text, ids)
}

/// Has Lambda take an event for the function.
async fn invoke(world: &World, function: &str, event: Value) {
    let arn = format!("arn:aws:lambda:{SEAT}:{ACCOUNT}:function:afterimage-{function}");
    let queued = world.server.world().with(move |model| enqueue(model, &arn, event)).await;
    queued.expect("the world is there").expect("the function is there");
}

/// The moment at which the function has answered so many events, the last of them well.
async fn ended(world: &World, function: &str, number: usize) -> Result<Duration, String> {
    let begun = now();
    loop {
        let name = format!("afterimage-{function}");
        let tries = world.server.world().with(move |model| {
            let of_function =
                |entry: &&Entry| entry.what == What::Invocation && entry.action == name;
            model.trace.entries().iter().filter(of_function).nth(number - 1).cloned()
        });
        let seen = now();
        match tries.await.map_err(|error| error.to_string())? {
            Some(entry) if entry.outcome == "ok" => return Ok(seen),
            Some(entry) => return Err(format!("event {number} failed: {entry:#?}")),
            None if seen.saturating_sub(begun) > PATIENCE => {
                return Err(format!("event {number} is not answered"));
            }
            // Tokio's own sleep has milliseconds only, and the world lives on other threads.
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Gives the worker a point to make: what it then needs counts as memory. The answer takes as long
/// as the worker waits for EC2, by intention, and is not measured.
async fn take_snapshots(world: &World, machine: &InstanceId) -> Result<(), String> {
    records::put(&world.ledger, records::requested("gold", machine, instant())).await;
    invoke(world, "work-requested", sample_of("work-requested", machine)).await;
    ended(world, "work-requested", warm("work-requested") + 2).await?;
    let points = world.ledger.points_of(machine).await.map_err(|error| error.to_string())?;
    match &points[..] {
        [(point, _)] if !point.snapshots.is_empty() => Ok(()),
        other => Err(format!("the worker took no snapshots: {other:#?}")),
    }
}

/// An event that did nothing would be quick. The stopped machine has its worker woken every time.
async fn check(world: &World, function: &str) -> Result<(), String> {
    let (wakes, events) = (world.wakes().await.len(), warm(function) + 1);
    if function == "instance-state-changed" && wakes != events {
        return Err(format!("{wakes} wakes of {events} events"));
    }
    Ok(())
}
