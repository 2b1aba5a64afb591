//! `afterimage demo`: a week of Afterimage in an embedded cloud, told as it passes.
//!
//! The cloud is in this process. Afterimage is deployed in it from the templates in `infra/`, and
//! works by itself. The demo plays the people who stop and start machines, sets the faults, and
//! tells what happens.

mod check;
mod fault_rules;
mod fleet;
mod format;
mod mishaps;
mod printer;
mod story;
mod table;
mod trace_file;
mod trace_reader;
mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use afterimage_aws::Ledger;
use afterimage_cloud::config::Lag;
use afterimage_cloud::time::Time;
use afterimage_cloud::{Cloud, Config};
use afterimage_core::ids::InstanceId;
use afterimage_core::policy::{Policy, Trigger, file};
use jiff::Timestamp;

use crate::Failure;
use crate::stack::STREAM;
use crate::system;
use crate::text::{blanks, large_count, padded};
use fleet::{Act, Action, HOMES, Machine, POLICIES, People, REPLICAS, SEAT};
use printer::Printer;
use story::Story;
use trace_file::TraceFile;
use trace_reader::TraceReader;
use trouble::Trouble;

/// Demonstrates Afterimage in an embedded cloud: a week of two dozen machines.
///
/// Nothing leaves this machine, and no account is needed. Events are lost, doubled and late, calls
/// fail, functions die.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Seed of the story: the same seed tells the same story.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number of days, from 1 to 31.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = days())]
    days: u64,
    /// Write every call, event and fault of the embedded cloud to this file, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

fn days() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=31)
}

/// Time that passes between two reads of the trace. Schedules are at whole minutes, and whole
/// minutes are within a step: points that become due together are read together.
const STEP: Duration = Duration::from_secs(300);
/// Offset of the steps from whole minutes.
const OFFSET: Duration = Duration::from_secs(150);
/// Longest time after the last day in which points may finish. No fault happens in it.
const FINISH_MAX: Duration = Duration::from_secs(24 * 3600);

/// # Errors
/// The trace file cannot be written, the demo itself fails, or the self-check finds a fault.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = Config { lag: Lag::as_observed(), ..Config::seeded(arguments.seed) };
    let trace_file = arguments.trace.as_deref().map(TraceFile::create).transpose()?;
    let (seed, days) = (arguments.seed, arguments.days);
    Cloud::run(config, async |cloud| {
        Demo::begin(&cloud, seed, days, trace_file).await?.live().await
    })
}

/// Running demo.
struct Demo {
    cloud: Cloud,
    days: u64,
    end: Time,
    table: String,
    ledger: Ledger,
    policies: Vec<Policy>,
    machines: Vec<Machine>,
    names: BTreeMap<InstanceId, String>,
    people: People,
    acts: Vec<Act>,
    trace_reader: TraceReader,
    story: Story,
    trouble: Trouble,
    printer: Printer,
    trace_file: Option<TraceFile>,
}

impl Demo {
    /// Deploys the system, puts the policies in force, launches the machines.
    async fn begin(
        cloud: &Cloud,
        seed: u64,
        days: u64,
        trace_file: Option<TraceFile>,
    ) -> Result<Demo, Failure> {
        let start = cloud.now();
        let mut regions: Vec<String> =
            HOMES.iter().chain(&REPLICAS).map(ToString::to_string).collect();
        regions.retain(|region| region != SEAT);
        let options = system::Options { seat: SEAT.to_string(), regions, ..Default::default() };
        let system = system::deploy(cloud, &options)
            .map_err(|refused| Failure::Ours(refused.to_string()))?;
        let people = People::new(cloud);
        let machines = people.launch(cloud).await?;
        system.apply_policies(cloud, POLICIES).await.map_err(Failure::Ours)?;
        let policies = file::read(POLICIES)
            .map_err(|_| Failure::Ours("cannot read the policies of the demo".into()))?;
        let named = machines.iter().filter_map(|machine| {
            Some((InstanceId::parse(&machine.id).ok()?, machine.order.name.to_string()))
        });
        let names: BTreeMap<InstanceId, String> = named.collect();
        let end = start + Duration::from_secs(days * 24 * 3600);
        let mut demo = Demo {
            cloud: cloud.clone(),
            days,
            end,
            trouble: Trouble::plan(start, end),
            ledger: Ledger::new(&cloud.sdk_config(SEAT), &system.table, STREAM),
            table: system.table,
            policies,
            acts: fleet::acts(seed, start, days),
            story: Story::new(names.clone()),
            names,
            people,
            machines,
            trace_reader: TraceReader::default(),
            printer: Printer::new(start),
            trace_file,
        };
        demo.preface()?;
        let mut rules = demo.trouble.rules();
        rules.extend(fault_rules::rules(seed, &demo.machines));
        cloud.with(|model| model.faults.set(rules));
        demo.pass(start + OFFSET).await?;
        Ok(demo)
    }

    /// Prints what is going to happen.
    fn preface(&mut self) -> Result<(), Failure> {
        let text = format!(
            "Afterimage runs in an embedded cloud, with its seat in {SEAT}. For {} it protects {} \
             in {} and {}, while events are lost, calls fail and functions die. Times are UTC.",
            large_count(self.days, "day"),
            large_count(self.machines.len(), "machine"),
            HOMES[0],
            HOMES[1],
        );
        self.printer.print(&format::wrapped_below(&text, "", ""))?;
        self.printer.print("")?;
        for policy in &self.policies {
            let text = describe(policy, &self.machines);
            let head = format!("  {}", padded(policy.name.as_str(), 9));
            self.printer.print(&format::wrapped_below(&text, &head, &blanks(&head)))?;
        }
        self.printer.print("")
    }

    /// Lets the days pass, and tells the end.
    async fn live(mut self) -> Result<(), Failure> {
        while self.cloud.now() < self.end {
            self.step().await?;
        }
        self.cloud.with(|model| model.faults.set(Vec::new()));
        let deadline = self.end + FINISH_MAX;
        while self.story.under_way() > 0 && self.cloud.now() < deadline {
            self.step().await?;
        }
        self.finish().await
    }

    /// Lets time pass until the next action of a person, but no longer than a step.
    async fn step(&mut self) -> Result<(), Failure> {
        let now = self.cloud.now();
        let passed = now.since(Time::default() + OFFSET).as_secs() % STEP.as_secs();
        let until = now + Duration::from_secs(STEP.as_secs() - passed);
        if let Some(at) = self.trouble.next_act().filter(|at| *at <= until) {
            return self.sabotage(at).await;
        }
        let next = self.acts.first().filter(|act| act.at <= until).cloned();
        let Some(act) = next else { return self.pass(until).await };
        self.acts.remove(0);
        self.pass(act.at).await?;
        let Some(machine) = self.machines.get(act.machine) else { return Ok(()) };
        if act.action == Action::Stop
            && let Ok(id) = InstanceId::parse(&machine.id)
        {
            self.story.add_stop(&id, self.cloud.now().stamp());
        }
        self.people.act(machine, act.action).await
    }

    /// Lets time pass until somebody deletes images.
    async fn sabotage(&mut self, at: Time) -> Result<(), Failure> {
        self.pass(at).await?;
        let line = self.trouble.act(&self.cloud, &self.machines).await?;
        self.printer.print_line(&line)
    }

    /// Lets time pass until this time, and tells what happened.
    async fn pass(&mut self, until: Time) -> Result<(), Failure> {
        self.cloud.advance(until.since(self.cloud.now())).await;
        let trace = self.cloud.with(|model| std::mem::take(&mut model.trace));
        if let Some(file) = &mut self.trace_file {
            file.write(trace.entries())?;
        }
        let observed = self.trace_reader.read(trace.entries());
        self.story.add_observed(&observed);
        let findings = self.ledger.findings().await.map_err(Failure::unexpected)?;
        let now = self.cloud.now();
        let mut lines = self.trouble.new_lines(&observed, &findings, &self.names, now);
        for machine in &observed.touched {
            for (point, replicas) in
                self.ledger.points_of(machine).await.map_err(Failure::unexpected)?
            {
                let last_write = self.story.last_write(&point);
                lines.extend(self.trouble.add_point(&point, last_write));
                self.story.add_point(point, replicas, &self.trace_reader.counts);
            }
        }
        lines.extend(self.story.new_lines(&self.trace_reader.counts));
        lines.sort_by_key(|line| line.at);
        for line in lines {
            self.printer.print_line(&line)?;
        }
        self.printer.progress(self.cloud.now(), self.days, self.story.under_way());
        Ok(())
    }

    /// Prints the table, the totals and the self-check.
    async fn finish(mut self) -> Result<(), Failure> {
        let now: Timestamp = self.cloud.now().stamp();
        let fleet = self.ledger.fleet().await.map_err(Failure::unexpected)?;
        let regions: Vec<&str> = HOMES.into_iter().chain(REPLICAS).collect();
        let verdict = check::check(&self.cloud, &self.table, &regions).await?;
        let machines = table::machines(&self.machines, &fleet, &self.story, &self.policies, now);
        self.printer.print(&format!("\nState of every machine on {}:\n", format::moment(now)))?;
        self.printer.print(&format!("{machines}\n{}\n", table::GRADES))?;
        let mut totals = table::totals(&self.story, &self.trace_reader.counts);
        totals.push_str(&table::refused(&self.story, &self.names));
        totals.push_str(&table::entry("checked", &verdict.holds.join("; ")));
        self.printer.print(totals.trim_end())?;
        if !verdict.broken.is_empty() {
            let broken = verdict.broken.join("\n  ");
            return Err(Failure::Ours(format!("the self-check failed:\n  {broken}")));
        }
        self.printer.print(NEXT)
    }
}

const NEXT: &str = "
Next: afterimage demo --seed 2           another week with other faults
      afterimage cloud --system          the same cloud, for boto3 and the AWS CLI
      afterimage policy check FILE       what your own policies mean";

/// Describes a policy in a line.
fn describe(policy: &Policy, machines: &[Machine]) -> String {
    let covered = machines.iter().filter(|it| it.order.backup == Some(policy.name.as_str()));
    let when = policy.triggers.iter().map(|trigger| match trigger {
        Trigger::Schedule(timed) => format!("{} {}", timed.expression(), timed.timezone()),
        Trigger::Stopped(_) => "whenever a machine stops".to_string(),
        Trigger::Tag => "whenever a machine is tagged `afterimage:now`".to_string(),
    });
    let where_to: Vec<&str> =
        policy.replicate.iter().map(|replica| replica.region.as_str()).collect();
    format!(
        "{}, {}, with replicas in {}",
        large_count(covered.count(), "machine"),
        when.collect::<Vec<_>>().join(" and "),
        where_to.join(" and ")
    )
}
