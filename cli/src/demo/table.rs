//! The end of the demo: the state of every machine, the totals, and what would have been lost.

use std::collections::BTreeMap;

use afterimage_core::ids::{InstanceId, PolicyName};
use afterimage_core::point::{Point, Replica, ReplicaStatus};
use afterimage_core::policy::{Policy, Trigger};
use afterimage_core::slot::Occasion;
use afterimage_core::status::{Phase, Status};
use afterimage_core::summary::{Good, MachineSummary};
use jiff::{SignedDuration, Timestamp};

use crate::demo::fleet::Machine;
use crate::demo::format::{self, elapsed};
use crate::demo::story::Story;
use crate::demo::trace_reader::Counts;
use crate::text::{blanks, columns, large_count, padded, thousands};

const HEADS: [&str; 6] =
    ["MACHINE", "REGION", "NEWEST POINT", "GRADE", "REPLICAS", "RECOVERABLE TO"];

/// Lays out the table of machines: the newest point of each, and the time it can be recovered to.
pub fn machines(
    machines: &[Machine],
    fleet: &[MachineSummary],
    story: &Story,
    policies: &[Policy],
    now: Timestamp,
) -> String {
    let known: BTreeMap<&str, &MachineSummary> =
        fleet.iter().map(|summary| (summary.instance.as_str(), summary)).collect();
    let mut rows = vec![HEADS.map(str::to_string)];
    rows.extend(machines.iter().map(|machine| {
        let summary = known.get(machine.id.as_str()).copied();
        row(machine, summary, story, policies, now)
    }));
    columns(&rows).iter().map(|line| format!("{line}\n")).collect()
}

fn row(
    machine: &Machine,
    summary: Option<&MachineSummary>,
    story: &Story,
    policies: &[Policy],
    now: Timestamp,
) -> [String; 6] {
    let order = &machine.order;
    let newest =
        summary.and_then(|summary| summary.good.iter().max_by_key(|(_, good)| good.taken_at));
    let [point, grade, replicas, until] = match newest {
        Some((policy, good)) => good_cells(policy, good, story, policies, now),
        None => {
            let refused = summary.and_then(|summary| {
                let reasons = summary.latest.values().filter_map(|latest| latest.reason.as_ref());
                reasons.map(|reason| format!("never: {}", reason.code)).next()
            });
            let why = match (refused, order.backup) {
                (Some(why), _) => why,
                (None, Some(_)) => "never: no point requested yet".to_string(),
                (None, None) => "never: no policy selects it".to_string(),
            };
            ["none".to_string(), "-".to_string(), "-".to_string(), why]
        }
    };
    [order.name.to_string(), order.region.to_string(), point, grade, replicas, until]
}

fn good_cells(
    policy: &PolicyName,
    good: &Good,
    story: &Story,
    policies: &[Policy],
    now: Timestamp,
) -> [String; 4] {
    let found = story.points().find(|point| point.id == good.point);
    let occasion = match found.map(|point| &point.slot.occasion) {
        Some(Occasion::Scheduled(slot)) => short(*slot),
        Some(Occasion::Stopped { .. }) => "its stop".to_string(),
        Some(Occasion::OnDemand { ordinal }) => format!("request {ordinal}"),
        None => good.point.to_string(),
    };
    let age = elapsed(good.taken_at, now);
    let interval = policies.iter().find(|it| it.name == *policy).and_then(|it| interval(it, now));
    let until = match interval {
        Some(interval) => {
            let late = now.duration_since(good.taken_at) > interval;
            let judged = if late { " LATE" } else { "" };
            format!("{}, {age} of {} h ago{judged}", short(good.taken_at), interval.as_hours())
        }
        None => format!("{}, {age} ago", short(good.taken_at)),
    };
    [
        format!("{policy}, {occasion}"),
        good.grade.as_str().to_string(),
        format!("{} of {}", good.replicas.len(), good.replicas_wanted),
        until,
    ]
}

fn short(at: Timestamp) -> String {
    at.strftime("%d %b %H:%M").to_string()
}

/// Finds the time between two slots of a policy's schedule.
pub fn interval(policy: &Policy, now: Timestamp) -> Option<SignedDuration> {
    let timed = policy.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Schedule(timed) => Some(timed),
        Trigger::Stopped(_) | Trigger::Tag => None,
    })?;
    let next = timed.schedule.next_after(now, &timed.zone)?;
    let after = timed.schedule.next_after(next, &timed.zone)?;
    Some(after.duration_since(next))
}

/// Explanation of the grades.
pub const GRADES: &str = "crash: the machine was running, its disks are as after a power cut; \
                          at-rest: it was stopped";

/// Formats the totals: artefacts, events, calls, faults, and what would have been lost.
pub fn totals(story: &Story, counts: &Counts) -> String {
    let images = story.points().filter(|point| is_imaged(point)).count();
    let is_there = |replica: &&Replica| replica.status == ReplicaStatus::Available;
    let replicas = story.replicas().filter(is_there).count();
    let told = [
        ("points", points(story)),
        (
            "images",
            format!("{} at home, {}", thousands(of(images)), large_count(replicas, "replica")),
        ),
        ("events", events(counts)),
        ("calls", calls(counts)),
        ("faults", faults(counts)),
        ("prevented", prevented(counts)),
    ];
    told.map(|(head, told)| entry(head, &told)).concat()
}

/// Formats a head and the text beside it.
pub fn entry(head: &str, text: &str) -> String {
    let first = padded(head, HEAD_WIDTH);
    format!("{}\n", format::wrapped_below(text, &first, &blanks(&first)))
}

/// Width of the heads of the totals.
const HEAD_WIDTH: usize = 12;

fn is_imaged(point: &Point) -> bool {
    point.status.phase() == Phase::Good
}

fn points(story: &Story) -> String {
    let mut by_status: BTreeMap<Status, usize> = BTreeMap::new();
    for point in story.points() {
        *by_status.entry(point.status).or_default() += 1;
    }
    let parts: Vec<String> =
        by_status.iter().map(|(status, number)| format!("{number} {status}")).collect();
    format!("{}: {}", thousands(of(by_status.values().sum())), parts.join(", "))
}

fn events(counts: &Counts) -> String {
    format!(
        "{} from EC2, {} lost, {} doubled, {} late; {} delivered twice",
        thousands(counts.events),
        counts.lost(),
        counts.doubled,
        counts.late,
        large_count(counts.invoked_twice, "invocation"),
    )
}

fn calls(counts: &Counts) -> String {
    let named = |service: &str| match service {
        "dynamodb" => "DynamoDB".to_string(),
        "ec2" => "EC2".to_string(),
        "events" => "EventBridge".to_string(),
        "kms" => "KMS".to_string(),
        other => other.to_string(),
    };
    let parts: Vec<String> = counts
        .calls
        .iter()
        .map(|(service, number)| format!("{} to {}", thousands(*number), named(service)))
        .collect();
    format!(
        "{} in {}: {}",
        thousands(counts.calls_in_all()),
        large_count(counts.invocations, "invocation"),
        parts.join(", "),
    )
}

fn faults(counts: &Counts) -> String {
    format!(
        "{} throttled, {} failed, {} took effect but lost their answers; {} killed while working; \
         {} that EC2 began and could not finish",
        large_count(counts.throttled, "call"),
        counts.failed,
        counts.unanswered,
        large_count(counts.killed, "function"),
        large_count(counts.creations_failed, "artefact"),
    )
}

/// Formats what would have been lost, as far as the trace shows it: how often only the sweep, the
/// intent in the ledger, or another attempt helped.
fn prevented(counts: &Counts) -> String {
    let finished = counts.lost_sets + counts.lost_images;
    format!(
        "without the sweep, {} would have no image and {} would wait for a lost event; without the \
         intents, {} would have been made twice; without another attempt, {} would be missing",
        large_count(counts.lost_stops, "stop"),
        large_count(finished, "finished artefact"),
        large_count(counts.unanswered_creates, "artefact"),
        counts.creations_failed,
    )
}

fn of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Lists the machines that were refused, each with the reason and how often.
pub fn refused(story: &Story, names: &BTreeMap<InstanceId, String>) -> String {
    let mut reasons: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for point in story.points().filter(|point| point.status == Status::Refused) {
        let name = names.get(point.instance()).map_or("", String::as_str);
        let reason = point.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        *reasons.entry((name, reason)).or_default() += 1;
    }
    let mut text = String::new();
    for ((name, reason), times) in reasons {
        let told = format!("{name}, {}: {reason}", large_count(times, "time"));
        text.push_str(&entry("refused", &told));
    }
    text
}
