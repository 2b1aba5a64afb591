//! The table "Who moves it on" in ARCHITECTURE.md, held to the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use afterimage_core::downtime::{self, Downtime, DowntimeEvent, DowntimeStatus};
use afterimage_core::ids::{AmiId, Region, ResourceId, SnapshotId, VolumeId};
use afterimage_core::machine::Grade;
use afterimage_core::point::{Plan, Point, Replica, ReplicaEvent, ReplicaStatus, next_of_replica};
use afterimage_core::policy::Consistency;
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::status::{Event, Status, next};
use jiff::Timestamp;

/// A row: the cells after the status.
struct Row {
    queue: String,
    waits_for: String,
    moved_by: String,
    next: BTreeSet<String>,
}

/// The rows of the table that follows on a heading.
fn table(heading: &str) -> BTreeMap<String, Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let (_, after) = text.split_once(heading).unwrap_or_else(|| panic!("no `{heading}`"));
    let lines = after.lines().skip_while(|line| !line.starts_with('|'));
    let lines: Vec<&str> = lines.take_while(|line| line.starts_with('|')).collect();
    assert!(lines[0].contains("| status | queue | waits for | moved by | next |"), "{heading}");
    let row = |line: &&str| {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect();
        let [status, queue, waits_for, moved_by, next] = &cells[..] else { panic!("{line}") };
        let next = next.split(", ").filter(|word| *word != "none").map(String::from).collect();
        let (queue, waits_for) = (queue.clone(), waits_for.clone());
        (status.clone(), Row { queue, waits_for, moved_by: moved_by.clone(), next })
    };
    lines[2..].iter().map(row).collect()
}

fn names<T: std::fmt::Debug>(all: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    all.into_iter().map(|one| format!("{one:?}")).collect()
}

/// The kinds of work that a cell names.
fn kinds(cell: &str) -> BTreeSet<String> {
    let kinds = ["snapshot", "register", "confirm", "copy", "power"];
    let words = cell.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| kinds.contains(word)).map(String::from).collect()
}

fn check_mover(status: &str, row: &Row, is_over: bool) {
    if is_over {
        assert_eq!(
            (row.waits_for.as_str(), row.moved_by.as_str()),
            ("nothing", "nobody"),
            "{status}"
        );
        return;
    }
    let files: Vec<&str> = row.moved_by.split('`').skip(1).step_by(2).collect();
    assert!(!files.is_empty(), "{status}: nobody moves it on");
    for file in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
        let code =
            std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{status}: {file}: {why}"));
        assert!(code.contains("fn "), "{status}: {file} decides nothing");
    }
}

fn now() -> Timestamp {
    "2026-03-01T02:00:00Z".parse().expect("an instant")
}

fn point() -> Point {
    let slot = Slot {
        policy: "gold".to_string().try_into().expect("a name"),
        instance: "i-0123456789abcdef0".to_string().try_into().expect("an id"),
        occasion: Occasion::Scheduled(now()),
    };
    let plan = Plan { consistency: Consistency::AtRest, ..Plan::default() };
    let mut point = Point::requested(slot, region("us-east-1"), plan, now());
    // It waits for a stop, and has everything that EC2 could tell of.
    point.until = point.step.due_at;
    let volume = VolumeId::parse("vol-00000000000000001").expect("an id");
    let snapshot = SnapshotId::parse("snap-00000000000000001").expect("an id");
    point.snapshots.insert(volume, snapshot);
    point.image = Some(image());
    point
}

fn image() -> AmiId {
    AmiId::parse("ami-00000000000000001").expect("an id")
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

/// The sample of the event that tells of an artefact.
fn event_of(awaited: &ResourceId) -> &'static str {
    match awaited {
        ResourceId::Machine(_) => "`instance-state-changed`",
        ResourceId::Snapshot(_) => "`snapshots-completed`",
        ResourceId::Image(_) => "`image-state-changed`",
    }
}

#[test]
fn points() {
    let table = table("**A point**");
    assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), names(Status::ALL));
    for status in Status::ALL {
        let row = &table[&format!("{status:?}")];
        let nexts = Event::ALL.into_iter().filter_map(|event| next(status, event).ok());
        assert_eq!(row.next, names(nexts), "{status}");
        let ungraded = Point { status, ..point() };
        let graded = Point { grade: Some(Grade::AtRest), ..ungraded.clone() };
        let queues = [&ungraded, &graded].into_iter().filter_map(|point| point.queue());
        let queues: BTreeSet<String> = queues.map(|queue| queue.kind.to_string()).collect();
        assert_eq!(kinds(&row.queue), queues, "{status}");
        let events: BTreeSet<&str> = graded.awaits().iter().map(event_of).collect();
        for event in ["`instance-state-changed`", "`snapshots-completed`", "`image-state-changed`"]
        {
            let (told, waits) = (row.waits_for.contains(event), events.contains(event));
            assert_eq!(told, waits, "{status} {event}");
        }
        check_mover(&status.to_string(), row, row.next.is_empty());
    }
}

#[test]
fn replicas() {
    let table = table("**A replica**");
    assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), names(ReplicaStatus::ALL));
    for status in ReplicaStatus::ALL {
        let row = &table[&format!("{status:?}")];
        let nexts = ReplicaEvent::ALL.into_iter();
        let nexts = nexts.filter_map(|event| next_of_replica(status, event).ok());
        assert_eq!(row.next, names(nexts), "{status:?}");
        let wanted = Replica::wanted(&point(), &image(), &region("eu-west-1"), now());
        let replica = Replica { status, image: Some(image()), ..wanted };
        let queue = replica.queue().map(|queue| queue.kind.to_string());
        assert_eq!(kinds(&row.queue), queue.into_iter().collect(), "{status:?}");
        let waits = !replica.awaits().is_empty();
        assert_eq!(row.waits_for.contains("`image-state-changed`"), waits, "{status:?}");
        check_mover(&format!("{status:?}"), row, row.next.is_empty());
    }
}

#[test]
fn downtimes() {
    let table = table("**A downtime**");
    assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), names(DowntimeStatus::ALL));
    for status in DowntimeStatus::ALL {
        let row = &table[&format!("{status:?}")];
        let nexts = DowntimeEvent::ALL.into_iter();
        let nexts = nexts.filter_map(|event| downtime::next(status, event).ok());
        assert_eq!(row.next, names(nexts), "{status:?}");
        let downtime = Downtime { status, ..Downtime::wanted(&point(), now()) };
        let queue = downtime.queue().map(|queue| queue.kind.to_string());
        assert_eq!(kinds(&row.queue), queue.into_iter().collect(), "{status:?}");
        check_mover(&format!("{status:?}"), row, row.next.is_empty());
    }
}
