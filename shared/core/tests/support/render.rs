//! Decisions as text, for tests: one line for each command, then one for each reason.
//!
//! ```text
//! + us-east-1: snapshots of i-...; POINT: snapshotting, attempt 1     something is created
//! * us-east-1: snap-... says afterimage:grade=crash                   what it says is put right
//! ~ POINT: new -> requested, due INSTANT [latest]                     a record changes
//! @ us-east-1 i-...: POINT: new -> requested; ...; takes off POLICY; answers ...   a tag changes
//! > snapshot us-east-1                                                a worker is woken
//! ! us-east-1 ami-...: why (code)                                     a finding is kept
//! = gold cron(...) ZONE until INSTANT                                 something was looked after
//! - about: why (code)                                                 a reason
//! ```

use std::fmt::{self, Display, Write as _};

use afterimage_core::call::{
    Call, CopyImage, CreateImage, CreateSnapshots, CreateTags, RegisterImage, StartInstance,
    StopInstance,
};
use afterimage_core::command::{
    Change, Command, Consume, Correct, Decision, Explanation, Record, Wake,
};
use afterimage_core::downtime::{Downtime, Roster};
use afterimage_core::ids::ResourceId;
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Point, Replica, ReplicaStatus, Step};
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::summary::News;

/// A type of the core, as it is written in a line.
trait Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Anything that has a line, to be put into a format string.
struct Shown<'a, T: ?Sized>(&'a T);

impl<T: Line + ?Sized> Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A decision, line by line.
pub fn render(decision: &Decision) -> String {
    let commands = decision.commands.iter().map(|command| format!("{}\n", Shown(command)));
    let said = decision.explanations.iter().map(|said| format!("- {}\n", Shown(said)));
    commands.chain(said).collect()
}

impl Line for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.reason)
    }
}

impl Line for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Request(change) | Command::Record(change) => {
                write!(f, "~ {}", Shown(&**change))
            }
            Command::Advance(cursor) => {
                write!(f, "= {} {}", cursor.policy, cursor.schedule)?;
                cursor.region.iter().try_for_each(|region| write!(f, " in {region}"))?;
                write!(f, " until {}", cursor.done_until)
            }
            Command::Watch(region) => write!(f, "= {region} is listed"),
            Command::Consume(consume) => write!(f, "@ {}", Shown(&**consume)),
            Command::Call(intent) => {
                write!(f, "+ {}; {}", Shown(&intent.call), Shown(&intent.change))
            }
            Command::Correct(correct) => Line::fmt(&**correct, f),
            Command::Hint(hint) => {
                write!(f, "? {} {} {}", hint.region, hint.instance, hint.hinted.as_str())
            }
            Command::Forget(hint) => write!(f, "= {} {} was looked at", hint.region, hint.instance),
            Command::Wake(wake) => write!(f, "> {}", Shown(wake)),
            Command::TellStill(still) => {
                let (region, work) = (&still.region, &still.work);
                write!(f, "! {region}: {} since {} not done", work.what(), work.since)
            }
            Command::Looked(at, unaudited, unread_keys, still) => {
                write!(f, "= looked at {at}")?;
                unaudited.iter().try_for_each(|(region, unread)| {
                    write!(f, ", but not at {region} since {}", unread.since)
                })?;
                unread_keys.iter().try_for_each(|(region, unread)| {
                    write!(f, ", but not at {} in {region} since {}", unread.count(), unread.since)
                })?;
                still.iter().try_for_each(|(region, work)| {
                    write!(f, ", {region} is still since {}", work.since)
                })
            }
            Command::Report(found) => {
                write!(f, "! {} {}: {}", found.region, found.artefact, found.reason)
            }
            Command::Reword(found) => {
                write!(f, "! {} {}, open: {}", found.region, found.artefact, found.reason)
            }
            Command::Resolve(found) => {
                write!(f, "= {} {}: no longer {}", found.region, found.artefact, found.code)
            }
            Command::Mark(mark) => write!(f, "= {mark:?}"),
        }
    }
}

impl Line for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.queue)?;
        if self.hop > 0 { write!(f, ", hop {}", self.hop) } else { Ok(()) }
    }
}

impl Line for Consume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.region, self.instance)?;
        let mut parts =
            self.taken.iter().map(|change| Shown(change).to_string()).collect::<Vec<_>>();
        parts.extend(self.value.iter().map(|value| format!("takes off {value}")));
        parts.extend(self.answer.iter().map(|answer| format!("answers {answer}")));
        write!(f, ": {}", parts.join("; "))
    }
}

impl Line for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::CreateSnapshots(call) => call.fmt(f),
            Call::CreateImage(call) => call.fmt(f),
            Call::RegisterImage(call) => call.fmt(f),
            Call::CopyImage(call) => call.fmt(f),
            Call::StopInstance(call) => call.fmt(f),
            Call::StartInstance(call) => call.fmt(f),
        }
    }
}

impl Line for CreateSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: snapshots of {}", self.region, self.instance)?;
        f.write_str(if self.without_root { " without its root" } else { "" })?;
        self.without.iter().try_for_each(|volume| write!(f, " without {volume}"))
    }
}

impl Line for CreateImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CreateImage { region, instance, name, .. } = self;
        write!(f, "{region}: image {name} of {instance}")?;
        self.without.iter().try_for_each(|device| write!(f, " without {device}"))?;
        f.write_str(if self.reboot { ", rebooting it" } else { "" })
    }
}

impl Line for RegisterImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: image {} from", self.region, self.name)?;
        self.devices.iter().try_for_each(|device| write!(f, " {}={}", device.name, device.snapshot))
    }
}

impl Line for CopyImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CopyImage { region, source_region, source, name, .. } = self;
        write!(f, "{region}: image {name}, a copy of {source} in {source_region}")?;
        self.kms_key.iter().try_for_each(|key| write!(f, ", encrypted with {key}"))
    }
}

impl Line for StopInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: stop {}", self.region, self.instance)
    }
}

impl Line for StartInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: start {}", self.region, self.instance)
    }
}

impl Line for Correct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Correct { call: CreateTags { region, artefacts, tags }, then, .. } = self;
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        write!(f, "* {region}: {} says {}\n{}", artefacts.join(" "), tags.join(" "), Shown(then))
    }
}

impl Line for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, write) in self.writes.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "; " })?;
            let from = if write.expected == 0 { "new -> " } else { "" };
            match &write.record {
                Record::Point(point) => f.write_str(&point_line(point, from))?,
                Record::Replica(replica) => f.write_str(&replica_line(replica, from))?,
                Record::Downtime(downtime) => f.write_str(&downtime_line(downtime, from))?,
                Record::Roster(roster) => f.write_str(&roster_line(roster, from))?,
                Record::RequestCounter(asked) => f.write_str(&counter_line(asked, from))?,
                Record::Obstacles(obstacles) => f.write_str(&obstacles_line(obstacles, from))?,
                Record::Brake(brake) => {
                    write!(f, "brake of {}: {from}{} lost", brake.region, brake.lost)?;
                }
            }
        }
        let news = self.summary.iter().flat_map(|summary| &summary.news);
        let names: Vec<&str> = news.map(News::name).collect();
        if names.is_empty() { Ok(()) } else { write!(f, " [{}]", names.join(", ")) }
    }
}

fn point_line(point: &Point, from: &str) -> String {
    let mut line = format!("{}: {from}{}", point.id, point.status);
    let grade = point.grade.map(|grade| grade.as_str().to_string());
    let image = point.image.as_ref().map(ToString::to_string);
    add(&mut line, grade.into_iter().chain(image));
    add(&mut line, step_parts(&point.step));
    add_leftovers(&mut line, &point.leftovers);
    if let Some(reason) = &point.reason {
        let _ = write!(line, ": {reason}");
    }
    line
}

fn replica_line(replica: &Replica, from: &str) -> String {
    let status = replica_status(replica.status);
    let mut line = format!("{} in {}: {from}{status}", replica.point, replica.region);
    add(&mut line, replica.image.iter().map(ToString::to_string));
    add(&mut line, step_parts(&replica.step));
    add_leftovers(&mut line, &replica.leftovers);
    if let Some(reason) = &replica.reason {
        let _ = write!(line, ": {reason}");
    }
    line
}

fn downtime_line(downtime: &Downtime, from: &str) -> String {
    let mut line = format!("downtime of {}: {from}{}", downtime.point, downtime.status.as_str());
    add(&mut line, step_parts(&downtime.step));
    if let Some(reason) = &downtime.reason {
        let _ = write!(line, ": {reason}");
    }
    line
}

fn roster_line(roster: &Roster, from: &str) -> String {
    let mut line = format!("roster: {from}{} down", roster.places.len());
    add(&mut line, roster.places.keys().map(ToString::to_string));
    line
}

fn obstacles_line(obstacles: &Obstacles, from: &str) -> String {
    let mut line = format!("obstacles of {}: {from}", obstacles.queue);
    let told = obstacles.causes.iter();
    add(
        &mut line,
        told.map(|(cause, it)| format!("{} until {}", String::from(cause.clone()), it.probe_at)),
    );
    line
}

fn counter_line(asked: &RequestCounter, from: &str) -> String {
    let RequestCounter { policy, instance, ordinal, pending, .. } = asked;
    let mut line = format!("{policy} {instance}: {from}asked {ordinal}");
    add(&mut line, pending.iter().map(|pending| format!("due {}", pending.due_at)));
    line
}

fn add(line: &mut String, parts: impl Iterator<Item = String>) {
    parts.for_each(|part| {
        line.push_str(", ");
        line.push_str(&part);
    });
}

fn add_leftovers(line: &mut String, leftovers: &[ResourceId]) {
    if !leftovers.is_empty() {
        let ids: Vec<String> = leftovers.iter().map(ToString::to_string).collect();
        let _ = write!(line, ", leftovers {}", ids.join(" "));
    }
}

fn step_parts(step: &Step) -> impl Iterator<Item = String> {
    let attempt = (step.attempt > 0).then(|| format!("attempt {}", step.attempt));
    let failures = (step.failures > 0).then(|| format!("failures {}", step.failures));
    let due = step.due_at.map(|due| format!("due {due}"));
    [attempt, failures, due].into_iter().flatten()
}

const fn replica_status(status: ReplicaStatus) -> &'static str {
    match status {
        ReplicaStatus::Waiting => "waiting",
        ReplicaStatus::Copying => "copying",
        ReplicaStatus::Pending => "pending",
        ReplicaStatus::Available => "available",
        ReplicaStatus::Failed => "failed",
        ReplicaStatus::Lost => "lost",
        ReplicaStatus::Unusable => "unusable",
        ReplicaStatus::Withdrawn => "withdrawn",
    }
}
