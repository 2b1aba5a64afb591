//! Plays a world on the virtual time of an embedded cloud, in steps of half an hour, with a look of
//! all checkers after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_cloud::config::Lag;
use afterimage_cloud::time::Time;
use afterimage_cloud::{Cloud, Config};
use afterimage_core::ids::Region;
use aws_sdk_dynamodb::types::AttributeValue;

use super::checks::{Case, Checkers, QUIET_MAX, QUIET_MIN, Violation};
use super::history::History;
use super::people::People;
use super::seen::{Row, Seen};
use super::troubles;
use super::world::{Mishap, REGIONS, SEAT, World, moment};
use crate::Failure;
use crate::stack::Stack;
use crate::{status, system};

/// Time between two looks of the checkers.
const STEP: Duration = Duration::from_secs(30 * 60);
/// Days for which the Recycle Bin keeps what is deleted.
const BIN_DAYS: u32 = 30;

/// A world that was played.
#[derive(Clone, Debug, Default)]
pub struct Played {
    pub violation: Option<Violation>,
    /// Hash of the trace: two plays of one world have the same.
    pub hash: String,
    /// Virtual time, in minutes.
    pub minutes: u64,
    pub steps: u64,
    /// Calls of the functions.
    pub calls: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Acts that EC2 did not refuse.
    pub acts: u64,
    /// Last changes in EC2, and what status said in the end.
    pub last_lines: Vec<String>,
}

/// Plays a world to its end, or to the first broken promise.
///
/// # Errors
/// The world cannot be set up, or the policies or the ledger cannot be read or written.
pub fn play(world: &World) -> Result<Played, Failure> {
    let lag = Lag::as_observed();
    let config = Config { lag, recycle_bin_days: BIN_DAYS, ..Config::seeded(world.seed) };
    Cloud::run(config, async |cloud| Run::begin(&cloud, world).await?.live().await)
}

/// World that is being played.
struct Run<'w> {
    world: &'w World,
    cloud: Cloud,
    stack: Stack,
    start: Time,
    end: Time,
    people: People,
    history: History,
    checkers: Checkers,
    disturbed: BTreeSet<&'static str>,
    played: Played,
    status: Vec<String>,
}

/// Template with other times between two ticks and between two sweeps.
fn template(world: &World) -> String {
    let rate = |minutes: u32| match minutes {
        1 => "rate(1 minute)".to_string(),
        minutes => format!("rate({minutes} minutes)"),
    };
    // The sweep first, or else it would be taken for the tick.
    let swept = system::TEMPLATE.replace(&rate(5), &rate(world.sweep));
    swept.replace(&rate(1), &rate(world.tick))
}

impl<'w> Run<'w> {
    async fn begin(cloud: &Cloud, world: &'w World) -> Result<Run<'w>, Failure> {
        let options = system::Options { template: template(world), ..Default::default() };
        let system = system::deploy(cloud, &options.allowing_stop_start())
            .map_err(|refused| Failure::Ours(refused.to_string()))?;
        let region = Region::parse(SEAT).map_err(Failure::unexpected)?;
        let stack = Stack { table: system.table.clone(), region, config: cloud.sdk_config(SEAT) };
        let start = cloud.now();
        let people = People::begin(cloud, system, world).await?;
        let end = start + Duration::from_secs(60 * u64::from(world.span));
        cloud.with(|model| model.faults.set(troubles::rules(world, end)));
        Ok(Run {
            world,
            cloud: cloud.clone(),
            stack,
            start,
            end,
            people,
            history: History::default(),
            checkers: Checkers::default(),
            disturbed: BTreeSet::new(),
            played: Played::default(),
            status: Vec::new(),
        })
    }

    async fn live(mut self) -> Result<Played, Failure> {
        let mut next_step = self.start + STEP;
        let mut acts = self.world.acts.iter().peekable();
        let mut is_quiet = false;
        loop {
            let next_act = acts.peek().map(|act| self.at(act.minute)).filter(|at| *at < next_step);
            let next = next_act.unwrap_or(next_step);
            self.pass(next).await;
            if next_act.is_some()
                && let Some(act) = acts.next()
            {
                let refused = self.people.act(&act.deed).await?;
                self.played.acts += u64::from(refused.is_none());
                let why = refused.map(|why| format!(": not done: {why}")).unwrap_or_default();
                let line = format!("day {} act: {}{why}", moment(act.minute), act.deed);
                self.history.line(line);
                continue;
            }
            if next >= self.end && !is_quiet {
                is_quiet = true;
                self.cloud.with(|model| model.faults.set(Vec::new()));
                self.people.enable_keys().await;
                self.history.line(format!("{next} faults stop"));
            }
            let quiet = is_quiet.then(|| next.since(self.end));
            self.played.violation = self.look(quiet).await?;
            let is_over = quiet.is_some_and(|quiet| {
                quiet >= QUIET_MAX || quiet >= QUIET_MIN && self.checkers.is_at_rest()
            });
            if is_over || self.played.violation.is_some() {
                return Ok(self.finish());
            }
            next_step = next_step + STEP;
        }
    }

    fn at(&self, minute: u32) -> Time {
        self.start + Duration::from_secs(60 * u64::from(minute))
    }

    /// Lets time pass, while regions become dark and come back.
    async fn pass(&mut self, until: Time) {
        loop {
            let now = self.cloud.now();
            let dark = self.dark(now);
            self.disturbed.extend(dark.iter().copied());
            let names = dark.iter().map(|region| (*region).to_string()).collect();
            self.cloud.with(|model| model.dark_regions = names);
            let changes = self.spells().into_iter().flat_map(|(_, from, to)| [from, to]);
            let next = changes.filter(|at| *at > now).min().unwrap_or(until).min(until);
            if now >= until {
                return;
            }
            self.cloud.advance(next.since(now)).await;
        }
    }

    /// Lists the times in which regions are dark.
    fn spells(&self) -> Vec<(&'static str, Time, Time)> {
        let spells = self.world.mishaps.iter().filter_map(|mishap| match mishap {
            Mishap::Dark { region, minute, minutes } => {
                let until = self.at(minute + minutes).min(self.end);
                Some((*region, self.at(*minute), until))
            }
            Mishap::Often { .. } => None,
        });
        spells.collect()
    }

    fn dark(&self, now: Time) -> BTreeSet<&'static str> {
        let spells = self.spells().into_iter();
        let dark = spells.filter(|(_, from, until)| *from <= now && now < *until);
        dark.map(|(region, ..)| region).collect()
    }

    /// Lets the checkers look. Returns the first broken promise.
    async fn look(&mut self, quiet: Option<Duration>) -> Result<Option<Violation>, Failure> {
        let is_dark = self.cloud.with(|model| model.dark_regions.contains(SEAT));
        let status = match is_dark {
            true => None,
            false => Some(status::overview(&self.stack).await?.0.to_json()),
        };
        let leases = if quiet.is_some() { self.leases().await? } else { BTreeMap::new() };
        let (history, record) = (&mut self.history, &self.people.record);
        let mut seen = self.cloud.with(|model| {
            history.read(model.trace.entries());
            model.trace.forget_before(Time::from_millis(u64::MAX));
            Seen::read(model, record, history)
        });
        seen.status = status;
        seen.leases = leases;
        seen.disturbed = std::mem::take(&mut self.disturbed);
        self.disturbed.extend(
            REGIONS
                .into_iter()
                .filter(|region| self.cloud.with(|model| model.dark_regions.contains(*region))),
        );
        self.played.steps += 1;
        self.status = seen.rows().map(Row::text).collect();
        let case = Case { seen: &seen, record, history, quiet };
        let violation = self.checkers.check(&case);
        if violation.is_some() {
            self.status.extend(seen.images.iter().map(|image| {
                let (id, label, state) = (&image.id, &image.label, image.state);
                let useful = if image.is_usable { "usable" } else { "of no use" };
                format!("{id} in {}: {state:?}, {useful}, of {}", image.region, label.point)
            }));
        }
        Ok(violation)
    }

    /// Reads who holds the leases of the queues.
    async fn leases(&self) -> Result<BTreeMap<String, String>, Failure> {
        let client = aws_sdk_dynamodb::Client::new(&self.stack.config);
        let prefix = AttributeValue::S("lease#".to_string());
        let pages = client
            .scan()
            .table_name(&self.stack.table)
            .consistent_read(true)
            .filter_expression("begins_with(pk, :lease)")
            .expression_attribute_values(":lease", prefix)
            .into_paginator();
        let items = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        let now = self.cloud.now().millis();
        let held = items.map_err(Failure::unexpected)?.into_iter().filter_map(|item| {
            let until: u64 = item.get("until")?.as_n().ok()?.parse().ok()?;
            let text = |name: &str| item.get(name)?.as_s().ok().cloned();
            (until > now).then_some((text("pk")?, text("holder")?))
        });
        Ok(held.collect())
    }

    fn finish(mut self) -> Played {
        self.played.hash = self.cloud.with(|model| model.trace.hash());
        self.played.minutes = self.cloud.now().since(self.start).as_secs() / 60;
        self.played.calls = self.history.calls;
        self.played.faults = self.history.faults;
        self.played.last_lines = self.history.lines.drain(..).chain(self.status).collect();
        self.played
    }
}
