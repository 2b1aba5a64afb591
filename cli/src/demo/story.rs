//! The story: what happened to the points, a line for each thing that matters.
//!
//! The story tells only facts: times of writes and failures come from the trace, the states of
//! points from the ledger.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::ids::{InstanceId, PolicyName};
use afterimage_core::machine::Grade;
use afterimage_core::point::{Place, Point, Replica};
use afterimage_core::slot::{Occasion, PointId};
use afterimage_core::status::{Phase, Status};
use jiff::Timestamp;

use crate::demo::format::elapsed;
use crate::demo::mishaps::{self, Records};
use crate::demo::trace_reader::{Counts, Observed};
use crate::text::large_count;

/// Line of the story, and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub at: Timestamp,
    pub text: String,
    /// True for one of many lines of its kind. It is left out on a day that has enough of them.
    pub minor: bool,
}

impl Line {
    pub fn new(at: Timestamp, text: String) -> Line {
        Line { at, text, minor: false }
    }
}

/// Point in the state that was read last.
#[derive(Debug)]
struct KnownPoint {
    point: Point,
    replicas: Vec<Replica>,
}

/// Points of one slot of a schedule.
#[derive(Debug)]
struct DueSlot {
    /// Time at which the first of its points was requested.
    begun: Timestamp,
    points: BTreeSet<PointId>,
    /// Counts before the slot.
    before: Counts,
    /// True once the story told that the slot is due.
    told: bool,
}

/// State of the story: everything that it knows, and what it has told.
#[derive(Debug, Default)]
pub struct Story {
    names: BTreeMap<InstanceId, String>,
    points: BTreeMap<PointId, KnownPoint>,
    /// Records of each point in the trace.
    records: BTreeMap<PointId, Records>,
    /// Finished points that the story has told.
    told: BTreeSet<PointId>,
    due: BTreeMap<(Timestamp, PolicyName), DueSlot>,
    /// Time at which people last stopped each machine.
    stopped: BTreeMap<InstanceId, Timestamp>,
    /// Stops whose event was lost.
    lost_stops: BTreeSet<(InstanceId, Timestamp)>,
    refused: BTreeSet<InstanceId>,
}

impl Story {
    pub fn new(names: BTreeMap<InstanceId, String>) -> Story {
        Story { names, ..Story::default() }
    }

    /// Takes in that a person stopped a machine.
    pub fn add_stop(&mut self, machine: &InstanceId, at: Timestamp) {
        self.stopped.insert(machine.clone(), at);
    }

    /// Takes in observations from the trace.
    pub fn add_observed(&mut self, observed: &Observed) {
        for machine in &observed.lost_stops {
            if let Some(at) = self.stopped.get(machine) {
                self.lost_stops.insert((machine.clone(), *at));
            }
        }
        for written in &observed.written {
            self.records.entry(written.point.clone()).or_default().write(written);
        }
        for made in &observed.made {
            self.records.entry(made.point.clone()).or_default().make(made);
        }
    }

    /// Takes in the state of a point.
    pub fn add_point(&mut self, point: Point, replicas: Vec<Replica>, counts: &Counts) {
        if self.told.contains(&point.id) {
            self.points.insert(point.id.clone(), KnownPoint { point, replicas });
            return;
        }
        if let Occasion::Scheduled(slot) = point.slot.occasion {
            let key = (slot, point.slot.policy.clone());
            let due = self.due.entry(key).or_insert_with(|| DueSlot {
                begun: point.requested_at,
                points: BTreeSet::new(),
                before: counts.clone(),
                told: false,
            });
            due.begun = due.begun.min(point.requested_at);
            due.points.insert(point.id.clone());
        }
        self.points.insert(point.id.clone(), KnownPoint { point, replicas });
    }

    /// Counts the points that are not finished.
    pub fn under_way(&self) -> usize {
        self.points.values().filter(|seen| is_under_way(&seen.point)).count()
    }

    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.values().map(|seen| &seen.point)
    }

    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.points.values().flat_map(|seen| &seen.replicas)
    }

    /// Makes the new lines, in the order of their times.
    pub fn new_lines(&mut self, counts: &Counts) -> Vec<Line> {
        let mut lines = self.finished_points();
        lines.extend(self.slots(counts));
        lines.sort_by_key(|line| line.at);
        lines
    }

    fn name<'a>(&'a self, machine: &'a InstanceId) -> &'a str {
        self.names.get(machine).map_or(machine.as_str(), String::as_str)
    }

    /// Finds the time of the last write of a point.
    pub fn last_write(&self, point: &Point) -> Timestamp {
        let written = self.records.get(&point.id).and_then(Records::last);
        written.unwrap_or(point.requested_at)
    }

    /// Makes the lines of points that are finished.
    fn finished_points(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut refused = Vec::new();
        for seen in self.points.values() {
            let KnownPoint { point, replicas } = seen;
            if !point.status.is_settled() || self.told.contains(&point.id) {
                continue;
            }
            let at = self.last_write(point);
            let name = self.name(point.instance());
            let reason = point.reason.as_ref().map(|reason| format!(": {reason}"));
            let reason = reason.unwrap_or_default();
            match point.status {
                Status::Refused if self.refused.contains(point.instance()) => {}
                Status::Refused => {
                    refused.push(point.instance().clone());
                    lines.push(Line::new(at, format!("{name}: refused{reason}")));
                }
                Status::Missed | Status::Failed => {
                    let text = format!("{name}: {} {}{reason}", point.slot.policy, point.status);
                    lines.push(Line::new(at, text));
                }
                _ => lines.extend(self.stop_imaged(point, at)),
            }
            if let Some(records) = self.records.get(&point.id) {
                let texts = mishaps::lines(name, point, replicas, records);
                lines.extend(texts.into_iter().map(|text| Line { at, text, minor: true }));
            }
        }
        let ended = self.points.values().filter(|seen| seen.point.status.is_settled());
        self.told.extend(ended.map(|seen| seen.point.id.clone()));
        self.refused.extend(refused);
        lines
    }

    /// Makes the line of a machine that somebody stopped and that has its image now.
    fn stop_imaged(&self, point: &Point, at: Timestamp) -> Option<Line> {
        let Occasion::Stopped { .. } = point.slot.occasion else { return None };
        let stopped = *self.stopped.get(point.instance())?;
        let name = self.name(point.instance());
        let grade = match point.grade {
            Some(Grade::AtRest) => "at rest",
            Some(Grade::Reboot | Grade::Crash) => "but not at rest",
            None => "of unknown grade",
        };
        let word = if self.lost_stops.contains(&(point.instance().clone(), stopped)) {
            let found = elapsed(stopped, point.requested_at);
            format!("; its event was lost, and the sweep found the stop after {found}")
        } else {
            String::new()
        };
        let text = format!(
            "{name}: stopped at {}; imaged {grade}, {} after {}{word}",
            stopped.strftime("%H:%M"),
            replicas_of([point].into_iter()),
            elapsed(stopped, at),
        );
        Some(Line::new(at, text))
    }

    /// Makes the lines of slots that have begun and slots that are done.
    fn slots(&mut self, counts: &Counts) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut done = Vec::new();
        for ((slot, policy), due) in &self.due {
            if !due.told {
                let machines = large_count(due.points.len(), "machine");
                let are = if due.points.len() == 1 { "is" } else { "are" };
                lines.push(Line::new(due.begun, format!("{policy}: {machines} {are} due")));
            }
            let points: Vec<&Point> =
                due.points.iter().filter_map(|id| Some(&self.points.get(id)?.point)).collect();
            if points.iter().all(|point| point.status.is_settled()) {
                let last = points.iter().map(|point| self.last_write(point)).max();
                let at = last.unwrap_or(*slot);
                let meanwhile = mishaps::meanwhile(&due.before, counts);
                let text = format!(
                    "{policy}: {}, {}, after {}{meanwhile}",
                    imaged(&points),
                    replicas_of(points.iter().copied()),
                    elapsed(*slot, at)
                );
                lines.push(Line::new(at, text));
                done.push((*slot, policy.clone()));
            }
        }
        for due in self.due.values_mut() {
            due.told = true;
        }
        for key in done {
            self.due.remove(&key);
        }
        lines
    }
}

/// Tells whether anything is left to be done for a point. A point that lost a place and is not to
/// be healed, because a newer one is good, stays imaged.
fn is_under_way(point: &Point) -> bool {
    let is_copied = point.replicas.values().any(|place| *place == Place::Underway);
    !point.status.is_settled() && (point.queue().is_some() || is_copied)
}

fn is_good(point: &Point) -> bool {
    point.status.phase() == Phase::Good
}

/// Counts the points of a slot by their end: `14 of 15 imaged, 1 refused`.
fn imaged(points: &[&Point]) -> String {
    let good = points.iter().filter(|point| is_good(point)).count();
    let mut text = format!("{good} of {} imaged", points.len());
    for status in [Status::Refused, Status::Missed, Status::Failed] {
        let of_it = points.iter().filter(|point| point.status == status).count();
        if of_it > 0 {
            text.push_str(&format!(", {of_it} {status}"));
        }
    }
    text
}

/// Counts the replicas of points that have an image: `28 of 28 replicas`.
fn replicas_of<'a>(points: impl Iterator<Item = &'a Point>) -> String {
    let (mut wanted, mut available) = (0, 0);
    for point in points.filter(|point| point.image.is_some()) {
        wanted += point.plan.replicate.len();
        let there = |place: &&Place| **place == Place::Available;
        available += point.replicas.values().filter(there).count();
    }
    format!("{available} of {}", large_count(wanted, "replica"))
}
