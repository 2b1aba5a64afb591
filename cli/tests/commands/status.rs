//! `afterimage status`, on a served system and as a table of every kind of row.

use std::collections::BTreeMap;

use afterimage::held_up::AllHeldUp;
use afterimage::status::{Glance, Overview, Standing, rows, table};
use afterimage_core::command::Finding;
use afterimage_core::flow::Unreadable;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::machine::Grade;
use afterimage_core::reason::{Code, Reason};
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::status::Status;
use afterimage_core::summary::{Good, Latest, MachineSummary};
use jiff::Timestamp;

use crate::served::{Served, squeezed};

const GOLD: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    image: {method: snapshot-register}
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

#[test]
fn a_machine_that_was_stopped_is_protected_and_one_that_may_not_be_imaged_comes_first() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], GOLD);
    assert_eq!(
        served.says(&["status"], ""),
        "no machine has a recovery point yet; policies in force: gold\n"
    );
    assert_eq!(served.says(&["status", "--failed"], ""), "no machine failed, and none waits\n");
    let web = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    let licensed = served.machine("RHEL-9*", "licensed", "gold");
    served.pass(120);
    served.stop(&web);
    served.stop(&licensed);
    served.pass(4 * 3600);

    let told = served.says(&["status"], "");
    let lines: Vec<&str> = told.lines().collect();
    let [glance, "", head, first, reason, code, second] = &lines[..] else { panic!("{told}") };
    assert_eq!(*glance, "2 machines: 1 failed, 1 protected");
    let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    assert!(head.starts_with("MACHINE ") && head.ends_with(" STATE"), "{head}");
    assert_eq!(words(first)[..4], ["licensed", "us-east-1", "gold", "none"]);
    assert!(first.ends_with(" refused"), "{first}");
    assert!(reason.contains("RunInstances:0010"), "{reason}");
    assert_eq!(*code, "    (billed-by-usage)");
    let protected = words(second);
    assert_eq!(protected[..4], ["web-1", "us-east-1", "gold", "2026-01-01"]);
    assert_eq!(protected[6..], ["at-rest", "2/2", "protected"], "{second}");

    let told = served.says(&["status", "--failed"], "");
    assert!(told.contains("licensed") && !told.contains("web-1"), "{told}");
    let told = served.says(&["status", "--json"], "");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["policies"], serde_json::json!(["gold"]));
    assert_eq!((&told["table"], &told["seat"]), (&"afterimage".into(), &"us-east-1".into()));
    assert_eq!(told["machines"][0]["instance"], licensed);
    assert_eq!(told["machines"][0]["standing"], "failed");
    assert_eq!(told["machines"][0]["latest"]["reason"]["code"], "billed-by-usage");
    let good = &told["machines"][1]["newest_good"];
    assert_eq!(good["replicas"], serde_json::json!(["eu-central-1", "eu-west-1"]));
    let age = good["age_seconds"].as_i64().expect("a number");
    assert!((3 * 3600..4 * 3600).contains(&age), "by the clock of the cloud: {age}");
}

#[test]
fn what_is_gone_or_no_longer_in_force_is_marked_and_nobody_writes_rows_but_the_status() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], GOLD);
    served.pass(2 * 3600);
    let told = served.says(&["status"], "");
    assert!(told.contains("policy-matches-nothing"), "{told}");
    let forger = "web%0Adb-1%09%E2%80%AEus-east-1";
    let forger = served.machine("al2023-ami-*-x86_64", forger, "gold");
    let stays = served.machine("al2023-ami-*-x86_64", "stays", "gold");
    served.pass(120);
    served.stop(&forger);
    served.stop(&stays);
    served.pass(20 * 60);
    let told = served.says(&["status"], "");
    assert!(!told.contains("policy-matches-nothing"), "it has requested points: {told}");
    let rows = [3, 4].map(|row| told.lines().nth(row).unwrap_or_default());
    assert_eq!(told.lines().count(), 5, "{told}");
    assert!(rows[1].starts_with("web\u{fffd}db-1\u{fffd}\u{fffd}us-"), "{told}");
    let explained = served.says(&["explain", &forger], "");
    let head = explained.lines().next().expect("a line");
    assert!(head.starts_with(&format!("{forger} (web db-1 \u{fffd}us-east-1) in ")), "{explained}");

    served.terminate(&forger);
    served.pass(60);
    let told = served.says(&["status"], "");
    let notes: Vec<&str> = told.lines().filter(|line| line.starts_with("    ")).collect();
    assert_eq!(notes, ["    gone: EC2 no longer shows this machine"], "{told}");
    assert!(told.trim_end().ends_with(notes[0]), "below the machine that is gone: {told}");
    served.pass(2 * 3600);
    let silver = GOLD.replace("gold", "silver");
    served.says(&["policy", "apply", "-", "--yes", "--prune"], &silver);
    let told = served.says(&["status", "--json"], "");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let machines = told["machines"].as_array().expect("a list");
    let gone =
        |id: &str| machines.iter().find(|row| row["instance"] == id).expect(id)["gone"].clone();
    assert_eq!((gone(&forger), gone(&stays)), (true.into(), false.into()));
    assert!(machines.iter().all(|row| row["policy_in_force"] == false), "{told}");
    let told = served.says(&["status"], "");
    assert_eq!(told.matches("    policy gold is no longer in force\n").count(), 2, "{told}");
}

#[test]
fn a_region_that_was_not_audited_for_hours_is_told_beneath_the_first_line() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], GOLD);
    let web = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.stop(&web);
    served.pass(4 * 3600);
    let json = || -> serde_json::Value {
        serde_json::from_str(&served.says(&["status", "--json"], "")).expect("JSON")
    };
    assert_eq!(json()["not_audited"], serde_json::json!([]));
    served.darken("eu-west-1");
    served.pass(5 * 3600);
    let told = served.says(&["status"], "");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "1 machine: 1 protected; 1 finding", "{told}");
    assert!(lines[1].starts_with("not audited since 2026-01-01 0"), "{told}");
    assert!(lines[1].contains("UTC: eu-west-1; "), "{told}");
    let told = json();
    assert_eq!(told["not_audited"][0]["region"], "eu-west-1", "{told}");
    let since: Timestamp =
        told["not_audited"][0]["since"].as_str().expect("a text").parse().expect("an instant");
    assert!(since < at("2026-01-01T05:00:00Z"), "{told}");
    let told = served.says(&["explain", &web], "");
    assert!(told.contains("not-audited"), "{told}");
}

#[test]
fn a_copy_that_waits_for_a_key_is_among_what_waits_and_says_when_the_key_is_looked_at() {
    let served = Served::start();
    let policies = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1, kms_key: alias/dr}]
";
    served.says(&["policy", "apply", "-", "--yes"], policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.stop(&machine);
    served.pass(3 * 3600);
    let why = "no replica in eu-west-1 yet: key alias/dr does not exist; create it: ";
    for arguments in [&["status", "--failed"], &["explain", machine.as_str()]] {
        let told = served.says(arguments, "");
        let words = squeezed(&told);
        assert!(words.contains(why), "{told}");
        assert!(words.contains("(copies-held-up); next look 2026-01-01 0"), "{told}");
    }
    let told = served.says(&["status", "--json"], "");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["summary"]["waiting"], 1);
    let time = |value: &serde_json::Value| at(value.as_str().expect("an instant"));
    assert!(time(&told["machines"][0]["held_up"][0]["next_look"]) > time(&told["now"]), "{told}");
}

#[test]
fn an_obstacle_that_a_copy_has_met_itself_is_told_once() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], GOLD);
    let machine = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.darken("eu-west-1");
    served.stop(&machine);
    served.pass(3 * 3600);
    for arguments in [&["status"][..], &["explain", machine.as_str()]] {
        let told = served.says(arguments, "");
        let words = squeezed(&told);
        assert_eq!(words.matches("no replica in eu-west-1 yet: ").count(), 1, "{told}");
    }
}

#[test]
fn a_machine_that_a_policy_selects_is_shown_before_its_first_point() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], GOLD);
    let web = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.machine("al2023-ami-*-x86_64", "other", "none");
    served.pass(120);
    let told = served.says(&["status"], "");
    let lines: Vec<&str> = told.lines().collect();
    let [glance, "", _, row, note, ..] = &lines[..] else { panic!("{told}") };
    assert_eq!(*glance, "1 machine: 1 without a point yet");
    assert!(row.starts_with("web-1 ") && row.ends_with(" no point yet"), "{told}");
    assert!(note.contains("no point yet (when the next is due:"), "{told}");
    assert_eq!(served.says(&["status", "--failed"], ""), "no machine failed, and none waits\n");
    served.stop(&web);
    served.pass(4 * 3600);
    let told = served.says(&["status"], "");
    assert_eq!(told.lines().next(), Some("1 machine: 1 protected"), "{told}");
}

#[test]
fn a_next_try_is_never_said_to_be_in_the_past() {
    let machines = rows(&fleet(), &[], &AllHeldUp::new());
    let overview = Overview {
        now: at("2026-01-08T05:46:00Z"),
        only_failed: false,
        policies: vec!["gold".into()],
        glance: Glance::of(&machines),
        unreadable: Vec::new(),
        unaudited: BTreeMap::new(),
        unread_keys: BTreeMap::new(),
        still: BTreeMap::new(),
        machines,
        findings: Vec::new(),
    };
    let told = table(&overview);
    assert!(told.contains("    2 tries failed; the next try is due\n"), "{told}");
    let told = overview.to_json();
    let machines = told["machines"].as_array().expect("a list");
    let tried = machines.iter().find(|row| row["latest"]["failures"] == 2).expect("one");
    assert_eq!(tried["latest"]["next_at"], serde_json::Value::Null, "{tried:#}");
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

/// Machine in a certain state under one policy.
struct Told {
    id: &'static str,
    name: Option<&'static str>,
    good: Option<(&'static str, Grade, &'static [&'static str])>,
    status: Status,
    reason: Option<Reason>,
    failures: u32,
    next_at: Option<Timestamp>,
    findings: Vec<Code>,
}

fn summary(told: Told) -> MachineSummary {
    let instance = InstanceId::parse(told.id).expect("an id");
    let policy: afterimage_core::ids::PolicyName =
        "gold".to_string().try_into().expect("a policy name");
    let point = |taken: Timestamp| {
        let occasion = Occasion::Scheduled(taken);
        PointId::of(&Slot { policy: policy.clone(), instance: instance.clone(), occasion })
    };
    let good = told.good.map(|(taken, grade, replicas)| Good {
        point: point(at(taken)),
        taken_at: at(taken),
        grade,
        image: Some("ami-0123456789abcdef0".to_string().try_into().expect("an id")),
        replicas: replicas.iter().map(|name| region(name)).collect(),
        replicas_wanted: 2,
        home_lost: false,
        lost: Vec::new(),
        withdrawn: Vec::new(),
        unverified: false,
    });
    let requested_at = at("2026-01-08T02:00:00Z");
    let latest = Latest {
        point: point(requested_at),
        requested_at,
        status: told.status,
        unverified: false,
        failures: told.failures,
        next_at: told.next_at,
        reason: told.reason,
        lost: Vec::new(),
        findings: told.findings,
    };
    MachineSummary {
        instance,
        home: region("us-east-1"),
        name: told.name.map(str::to_string),
        latest: BTreeMap::from([(policy.clone(), latest)]),
        stops: BTreeMap::new(),
        good: good.map(|good| (policy, good)).into_iter().collect(),
    }
}

fn fleet() -> Vec<MachineSummary> {
    let both = &["eu-central-1", "eu-west-1"];
    let told = [
        Told {
            id: "i-00000000000000001",
            name: Some("calm"),
            good: Some(("2026-01-08T02:00:05Z", Grade::AtRest, both)),
            status: Status::Protected,
            reason: None,
            failures: 0,
            next_at: None,
            findings: Vec::new(),
        },
        Told {
            id: "i-00000000000000002",
            name: Some("twin"),
            good: Some(("2026-01-08T02:00:07Z", Grade::Crash, &["eu-west-1"])),
            status: Status::Imaged,
            reason: None,
            failures: 0,
            next_at: None,
            findings: vec![Code::TagsLeftOut, Code::SlotsCollapsed],
        },
        Told {
            id: "i-00000000000000003",
            name: Some("twin"),
            good: Some(("2026-01-07T02:00:07Z", Grade::Crash, both)),
            status: Status::Ready,
            reason: Some(Reason::new(Code::Throttled, "RequestLimitExceeded")),
            failures: 2,
            next_at: Some(at("2026-01-08T05:45:00Z")),
            findings: Vec::new(),
        },
        Told {
            id: "i-00000000000000004",
            name: Some("a name that is longer than the column for it"),
            good: None,
            status: Status::Failed,
            reason: Some(Reason::new(
                Code::TriesUsedUp,
                "given up after 5 tries: the key arn:aws:kms:us-east-1:123456789012:key/1 is \
                 disabled (snapshot-failed)",
            )),
            failures: 0,
            next_at: None,
            findings: Vec::new(),
        },
    ];
    told.into_iter().map(summary).collect()
}

#[test]
fn what_failed_comes_first_then_what_waits_and_findings_last() {
    let overview = Overview {
        now: at("2026-01-08T05:30:00Z"),
        only_failed: false,
        policies: vec!["gold".into()],
        unreadable: vec![Unreadable { name: "old".into(), why: "it is empty".into() }],
        unaudited: BTreeMap::new(),
        unread_keys: BTreeMap::new(),
        still: BTreeMap::new(),
        glance: Glance::of(&rows(&fleet(), &[], &AllHeldUp::new())),
        machines: rows(&fleet(), &[], &AllHeldUp::new()),
        findings: vec![Finding {
            region: region("eu-west-1"),
            artefact: "ami-0aaaaaaaaaaaaaaaa".into(),
            reason: Reason::new(Code::Foreign, "the ledger has no such point"),
            seen_at: at("2026-01-07T12:00:00Z"),
        }],
    };
    let expected = "\
4 machines: 1 failed, 1 waiting, 1 under way, 1 protected; 1 finding

MACHINE              REGION     POLICY  NEWEST GOOD, UTC  AGE  GRADE    REPLICAS  STATE
a name that is lon…  us-east-1  gold    none              -    -        -         failed
    given up after 5 tries: the key arn:aws:kms:us-east-1:123456789012:key/1
    is disabled (snapshot-failed) (tries-used-up)
i-00000000000000003  us-east-1  gold    2026-01-07 02:00  27h  crash    2/2       ready, waiting
    RequestLimitExceeded (throttled)
    2 tries failed; next try 2026-01-08 05:45 UTC
i-00000000000000002  us-east-1  gold    2026-01-08 02:00  3h   crash    1/2       imaged
    findings: tags-left-out, slots-collapsed (details: `afterimage explain
    i-00000000000000002`)
calm                 us-east-1  gold    2026-01-08 02:00  3h   at-rest  2/2       protected

policy old is not acted on: it cannot be read: it is empty; apply its file
again (policy-unreadable)

FINDINGS
ami-0aaaaaaaaaaaaaaaa in eu-west-1, seen 2026-01-07 12:00 UTC
    the ledger has no such point (foreign)
";
    assert_eq!(table(&overview), expected);
}

#[test]
fn a_point_stands_by_its_status_and_by_whether_something_is_in_its_way() {
    let reason = || Some(Reason::new(Code::CallFailed, "no"));
    for status in Status::ALL {
        let calm = match status {
            Status::Protected => Standing::Protected,
            Status::Failed | Status::Refused | Status::Missed => Standing::Failed,
            Status::Lost => Standing::Lost,
            Status::Withdrawn => Standing::Withdrawn,
            _ => Standing::UnderWay,
        };
        let hindered = if calm == Standing::UnderWay { Standing::Waiting } else { calm };
        for (reason, expected) in [(None, calm), (reason(), hindered)] {
            let told = Told {
                id: "i-00000000000000001",
                name: None,
                good: None,
                status,
                reason,
                failures: 0,
                next_at: None,
                findings: Vec::new(),
            };
            let rows = rows(&[summary(told)], &[], &AllHeldUp::new());
            assert_eq!(rows[0].standing, expected, "{status}");
        }
    }
}

#[test]
fn a_point_that_waits_for_a_stop_says_until_when_and_one_made_anew_says_so() {
    let waiting = Told {
        id: "i-00000000000000001",
        name: Some("db-1"),
        good: Some(("2026-01-08T02:00:05Z", Grade::AtRest, &["eu-west-1"])),
        status: Status::Requested,
        reason: Some(Reason::new(
            Code::WaitsForStop,
            "i-00000000000000001 is running; it is imaged when it stops, until \
             2026-01-08T06:00:00Z",
        )),
        failures: 0,
        next_at: None,
        findings: Vec::new(),
    };
    let mut fleet = vec![summary(waiting)];
    let anew = fleet[0].good.values_mut().next().expect("it has a good point");
    anew.unverified = true;
    let overview = Overview {
        now: at("2026-01-08T05:30:00Z"),
        only_failed: false,
        policies: vec!["gold".into()],
        unreadable: Vec::new(),
        unaudited: BTreeMap::new(),
        unread_keys: BTreeMap::new(),
        still: BTreeMap::new(),
        glance: Glance::of(&rows(&fleet, &[], &AllHeldUp::new())),
        machines: rows(&fleet, &[], &AllHeldUp::new()),
        findings: Vec::new(),
    };
    let expected = "\
1 machine: 1 waiting

MACHINE  REGION     POLICY  NEWEST GOOD, UTC  AGE  GRADE    REPLICAS  STATE
db-1     us-east-1  gold    2026-01-08 02:00  3h   at-rest  1/2       requested, waiting
    i-00000000000000001 is running; it is imaged when it stops, until
    2026-01-08T06:00:00Z (waits-for-stop)
    unverified: adopted from tags by `afterimage rebuild` or by the hourly
    check, not confirmed by a person
";
    assert_eq!(table(&overview), expected);
}

/// A machine whose newest point is protected, or has come to something else.
fn machine(id: &'static str, name: &'static str, status: Status) -> MachineSummary {
    summary(Told {
        id,
        name: Some(name),
        good: Some(("2026-01-08T02:00:05Z", Grade::AtRest, &["eu-west-1"])),
        status,
        reason: None,
        failures: 0,
        next_at: None,
        findings: Vec::new(),
    })
}

#[test]
fn the_first_line_tells_what_is_lost_before_all_else() {
    let calm = machine("i-00000000000000001", "calm", Status::Protected);
    let mut place = machine("i-00000000000000002", "place", Status::Requested);
    for good in place.good.values_mut() {
        good.lost = vec![region("eu-central-1")];
    }
    let mut nothing = machine("i-00000000000000003", "nothing", Status::Lost);
    nothing.good.clear();
    let waits = machine("i-00000000000000004", "waits", Status::Imaged);
    let held_up = Finding {
        region: region("eu-west-1"),
        artefact: "all copies".into(),
        reason: Reason::new(Code::CopiesHeldUp, "all copies in eu-west-1 wait"),
        seen_at: at("2026-01-07T12:00:00Z"),
    };
    let machines = rows(&[calm, place, nothing, waits], &[], &AllHeldUp::new());
    let overview = Overview {
        now: at("2026-01-08T05:30:00Z"),
        only_failed: false,
        policies: vec!["gold".into()],
        unaudited: BTreeMap::new(),
        unread_keys: BTreeMap::new(),
        still: BTreeMap::new(),
        glance: Glance::of(&machines),
        unreadable: Vec::new(),
        machines,
        findings: vec![held_up],
    };
    let told = table(&overview);
    let glance: Vec<&str> = told.lines().take_while(|line| !line.is_empty()).collect();
    let expected = [
        "4 machines: 1 with nothing left, 1 with an image lost, disabled or without a",
        "usable key, 1 under way, 1 protected; copies into eu-west-1 held up; 1 finding",
    ];
    assert_eq!(glance, expected);
    let labels = told.lines().skip(4).filter(|line| line.contains(" us-east-1 "));
    let labels: Vec<&str> = labels.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(labels, ["nothing", "place", "waits", "calm"], "{told}");
    assert!(
        told.contains("    image lost, disabled or without a usable key in eu-central-1\n"),
        "{told}"
    );
    let summary = &overview.to_json()["summary"];
    assert_eq!((&summary["nothing_left"], &summary["image_lost"]), (&1.into(), &1.into()));
    assert_eq!(summary["copies_held_up_into"], serde_json::json!(["eu-west-1"]));
}

#[test]
fn a_machine_whose_newest_point_has_no_usable_image_is_told_among_the_lost() {
    let mut machine = machine("i-00000000000000001", "db-1", Status::Imaged);
    machine.good.clear();
    for latest in machine.latest.values_mut() {
        latest.reason = Some(Reason::new(Code::ImageDisabled, "ami-1 was disabled"));
        latest.lost = vec![region("us-east-1"), region("eu-west-1")];
    }
    let rows = rows(&[machine], &[], &AllHeldUp::new());
    let glance = Glance::of(&rows);
    assert_eq!(
        glance.line(&[]),
        "1 machine: 1 with an image lost, disabled or without a usable key"
    );
    assert_eq!(rows[0].standing, Standing::Lost);
}

#[test]
fn a_machine_that_lost_all_under_one_policy_and_has_a_point_under_another_has_something_left() {
    let mut machine = machine("i-00000000000000001", "db-1", Status::Protected);
    let lost = machine.latest.values().next().expect("a point").clone();
    let silver = "silver".to_string().try_into().expect("a policy name");
    machine.latest.insert(silver, Latest { status: Status::Lost, ..lost });
    let glance = Glance::of(&rows(&[machine], &[], &AllHeldUp::new()));
    assert_eq!(
        glance.line(&[]),
        "1 machine: 1 with an image lost, disabled or without a usable key"
    );
}

#[test]
fn the_table_fits_into_a_hundred_columns() {
    let long = "a-name-that-is-much-longer-than-its-column";
    let told = Told {
        id: "i-00000000000000001",
        name: Some(long),
        good: Some(("2026-01-08T02:00:05Z", Grade::AtRest, &["eu-west-1"])),
        status: Status::Requested,
        reason: Some(Reason::new(Code::WaitsForStop, "it waits")),
        failures: 0,
        next_at: None,
        findings: Vec::new(),
    };
    let mut fleet = summary(told);
    fleet.home = region("us-east-1");
    let fleet = [fleet];
    let overview = Overview {
        now: at("2026-01-08T05:30:00Z"),
        only_failed: false,
        policies: vec!["gold".into()],
        unreadable: Vec::new(),
        unaudited: BTreeMap::new(),
        unread_keys: BTreeMap::new(),
        still: BTreeMap::new(),
        glance: Glance::of(&rows(&fleet, &[], &AllHeldUp::new())),
        machines: rows(&fleet, &[], &AllHeldUp::new()),
        findings: Vec::new(),
    };
    for line in table(&overview).lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}
