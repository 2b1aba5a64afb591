//! What a machine is to the policies, and why.

use std::collections::BTreeMap;

use afterimage_core::facts::RootDeviceType;
use afterimage_core::flow::InForce;
use afterimage_core::flow::explain::{Input, Made, StopFacts, UnderPolicy, explain};
use afterimage_core::flow::work_requested::power::Guarded;
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::machine::{Build, Instance, Machine, State, Volume};
use afterimage_core::observed::ObservedMachine;
use afterimage_core::point::{Plan, Point};
use afterimage_core::policy::Method;
use afterimage_core::policy::file::read;
use afterimage_core::reason::Code;
use afterimage_core::slot::{Occasion, Slot};
use afterimage_core::status::Status;
use afterimage_core::summary::{Latest, MachineSummary, Stop};
use jiff::Timestamp;

/// `TRIGGERS`, and whatever else stands behind them.
const POLICY: &str = r#"policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
      exclude_tags: {pause: "*"}
    triggers: TRIGGERS
"#;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

const NOW: &str = "2026-01-06T12:00:00Z";
const LAUNCHED: &str = "2026-01-05T08:00:00Z";

fn in_force(yaml: &str) -> InForce {
    let policies = read(yaml).unwrap_or_else(|problems| panic!("{problems:#?}"));
    InForce { policies, ..InForce::default() }
}

fn instance(state: State, tags: &[(&str, &str)]) -> Instance {
    Instance {
        id: InstanceId::parse("i-00000001").expect("an id"),
        region: Region::parse("us-east-1").expect("a region"),
        state,
        launched: at(LAUNCHED),
        hibernated: false,
        instance_type: "t3.micro".into(),
        spot: false,
        tags: tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

fn gold(state: State) -> Instance {
    instance(state, &[("backup", "gold")])
}

fn policy_name() -> PolicyName {
    PolicyName::parse("gold").expect("a name")
}

/// The last point of the machine was requested then, for a stop or for a slot.
fn summary(requested_at: &str, stop: bool) -> (MachineSummary, Point) {
    let machine = gold(State::Running);
    let occasion = match stop {
        true => Occasion::Stopped { launched: at(LAUNCHED) },
        false => Occasion::Scheduled(at(requested_at)),
    };
    let slot = Slot { policy: policy_name(), instance: machine.id.clone(), occasion };
    let point = Point::requested(slot, machine.region.clone(), Plan::default(), at(requested_at));
    let stops = Stop { launched: at(LAUNCHED), point: point.id.clone() };
    let summary = MachineSummary {
        instance: machine.id,
        home: machine.region,
        name: None,
        latest: BTreeMap::from([(policy_name(), Latest::of(&point))]),
        stops: stop.then_some((policy_name(), stops)).into_iter().collect(),
        good: BTreeMap::new(),
    };
    (summary, point)
}

fn explained(yaml: &str, instance: &Instance, summary: Option<&MachineSummary>) -> UnderPolicy {
    let in_force = in_force(yaml);
    let input = Input {
        now: at(NOW),
        in_force: &in_force,
        instance: Some(instance),
        machine: None,
        stop: None,
        summary,
        points: &[],
    };
    explain(&input).into_iter().next().expect("one policy")
}

fn with(triggers: &str) -> String {
    POLICY.replace("TRIGGERS", triggers)
}

#[track_caller]
fn because(instance: &Instance, expected: &[&str]) {
    let under = explained(&with("[{on: stopped}]"), instance, None);
    assert!(!under.applies && under.triggers.is_empty());
    assert_eq!(under.why, expected);
}

#[test]
fn everything_that_speaks_against_a_policy_is_told() {
    let running = |tags| instance(State::Running, tags);
    let untagged = "policy gold requires tag `backup` = `gold`; this machine has no tag `backup`";
    because(&running(&[]), &[untagged]);
    because(
        &running(&[("backup", "x")]),
        &["policy gold requires tag `backup` = `gold`; this machine has `backup=x`"],
    );
    because(
        &running(&[("backup", "gold"), ("pause", "May")]),
        &["policy gold excludes tag `pause`; this machine has `pause=May`"],
    );
    let away = Region::parse("eu-west-1").expect("a region");
    because(
        &Instance { region: away, ..running(&[("pause", "")]) },
        &[
            "policy gold covers us-east-1; this machine is in eu-west-1",
            untagged,
            "policy gold excludes tag `pause`; this machine has `pause=`",
        ],
    );
    let stopped = POLICY.replace("exclude_tags: {pause: \"*\"}", "states: [stopped]");
    let stopped = stopped.replace("TRIGGERS", "[{on: stopped}]");
    let under = explained(&stopped, &gold(State::Running), None);
    assert_eq!(
        under.why,
        ["policy gold selects machines that are stopped; this machine is running"]
    );
}

#[test]
fn what_a_policy_selects_by_and_what_it_nearly_selects_are_told() {
    let under = explained(&with("[{on: stopped}]"), &gold(State::Running), None);
    assert!(under.applies && under.in_force && under.near_miss.is_none());
    assert_eq!(under.why, ["backup=gold, in us-east-1"]);
    let slip = instance(State::Running, &[("backup", "Gold")]);
    let under = explained(&with("[{on: stopped}]"), &slip, None);
    assert!(
        under.near_miss.is_some_and(|miss| miss.contains("tag `backup` is `Gold`, not `gold`"))
    );
}

#[test]
fn of_all_policies_that_are_nearly_met_the_nearest_alone_is_told() {
    let silver = "  silver:\n    select: {regions: [us-east-1], tags: {backup: silver}}\n    \
                  triggers: [{on: stopped}]\n";
    let in_force = in_force(&format!("{}{silver}", with("[{on: stopped}]")));
    let slip = instance(State::Running, &[("backup", "Silver")]);
    let input = Input {
        now: at(NOW),
        in_force: &in_force,
        instance: Some(&slip),
        machine: None,
        stop: None,
        summary: None,
        points: &[],
    };
    let told: Vec<(String, bool)> = explain(&input)
        .into_iter()
        .map(|under| (under.policy.to_string(), under.near_miss.is_some()))
        .collect();
    assert_eq!(told, [("gold".to_string(), false), ("silver".to_string(), true)]);
}

/// What the first trigger would do.
#[track_caller]
fn would(yaml: &str, instance: &Instance, expected: &str) {
    let under = explained(yaml, instance, None);
    assert_eq!(under.triggers[0].would, expected);
}

#[test]
fn a_slot_is_told_with_what_becomes_of_it() {
    let daily = "[{schedule: cron(0 2 * * ? *), timezone: Asia/Ho_Chi_Minh, window: 90m}]";
    let next = explained(&with(daily), &gold(State::Running), None).triggers[0].next.clone();
    assert_eq!(next.map(|run| run.at), Some(at("2026-01-06T19:00:00Z")));
    let mode = |consistency: &str| format!("{}    consistency: {consistency}\n", with(daily));
    let running = gold(State::Running);
    would(&with(daily), &running, "the machine is imaged while it runs, with grade crash");
    let told = "EC2 reboots the machine for its image, if the stack was deployed with \
                AllowReboot=true; otherwise the point is refused";
    would(&mode("reboot"), &running, told);
    would(
        &mode("at-rest"),
        &running,
        "the point waits up to 90m for the machine to stop, or is missed",
    );
    let on_tag = format!("{}    consistency: reboot\n", with("[{on: tag}]"));
    let told =
        format!("tag `afterimage:now=gold` requests a point at once, at most once in 1h: {told}");
    would(&on_tag, &running, &told);
    for consistency in ["crash", "reboot", "at-rest", "stop-start"] {
        would(
            &mode(consistency),
            &gold(State::Stopped),
            "the machine is stopped, and imaged at rest",
        );
    }
    let told = "the machine is stopped for its snapshots and started again, if the stack was \
                deployed with AllowStopStart=true and could start it again; otherwise the point is \
                refused";
    would(&mode("stop-start"), &running, told);
    let spot = Instance { spot: true, ..gold(State::Running) };
    for (consistency, what) in [("stop-start", "stop"), ("reboot", "reboot")] {
        let told = format!(
            "refused: cannot {what} i-00000001: it is a Spot instance and may not start again; use \
             `consistency: crash` (spot)"
        );
        would(&mode(consistency), &spot, &told);
    }
}

#[test]
fn what_forbids_a_stop_is_foreseen() {
    let stops = format!("{}    consistency: stop-start\n", with("[{schedule: rate(1 day)}]"));
    let in_force = in_force(&stops);
    let told = |root_device_type: RootDeviceType, stop_protected: bool, instance_store: bool| {
        let instance = gold(State::Running);
        let guarded = Guarded {
            instance: instance.id.clone(),
            stop_protected,
            instance_store,
            start_refused: None,
            keys: Vec::new(),
        };
        let seen =
            ObservedMachine { instance: instance.clone(), root_device_type, state_reason: None };
        let facts = StopFacts { seen, guarded: Some(guarded) };
        let input = Input {
            now: at(NOW),
            in_force: &in_force,
            instance: Some(&instance),
            machine: None,
            stop: Some(&facts),
            summary: None,
            points: &[],
        };
        explain(&input)[0].triggers[0].would.clone()
    };
    let ebs = || RootDeviceType::Ebs;
    assert!(told(ebs(), false, false).starts_with("the machine is stopped for its snapshots"));
    for (told, code) in [
        (told(ebs(), true, false), "(stop-protected)"),
        (told(ebs(), false, true), "(instance-store-volumes)"),
        (told("instance-store".into(), false, false), "(instance-store)"),
    ] {
        assert!(told.starts_with("refused: cannot stop i-00000001: "), "{told}");
        assert!(told.ends_with(code), "{told}");
    }
}

#[test]
fn a_machine_that_cannot_be_imaged_is_told_so_for_every_trigger() {
    let mut machine = machine("RunInstances");
    machine.build.root_device_type = "instance-store".into();
    let in_force = in_force(&format!(
        "{}    consistency: at-rest\n",
        with("[{schedule: rate(1 day)}, {on: stopped}, {on: tag}]")
    ));
    let input = Input {
        now: at(NOW),
        in_force: &in_force,
        instance: Some(&machine.instance),
        machine: Some(&machine),
        stop: None,
        summary: None,
        points: &[],
    };
    for triggered in &explain(&input)[0].triggers {
        let would = &triggered.would;
        assert!(would.contains("refused: root device type is instance-store"), "{would}");
    }
}

#[test]
fn whether_a_stop_makes_a_point_is_told_as_it_would_be_decided() {
    let on_stop = with("[{on: stopped, min_interval: 12h}]");
    let told = |state: State, requested: Option<(&str, bool)>| {
        let summary = requested.map(|(at, stop)| summary(at, stop).0);
        let under = explained(&on_stop, &gold(state), summary.as_ref());
        under.triggers[0].would.clone()
    };
    assert_eq!(told(State::Running, None), "a stop now makes a point at rest");
    let old = Some(("2026-01-06T00:00:00Z", false));
    assert_eq!(told(State::Running, old), "a stop now makes a point at rest");
    let young = Some(("2026-01-06T01:30:00Z", false));
    assert_eq!(
        told(State::Running, young),
        "a stop now makes no point: the last point is less than 12h old; a stop makes one from \
         2026-01-06 13:30 UTC on"
    );
    let (mut refused, _) = summary("2026-01-06T01:30:00Z", false);
    refused.latest.values_mut().for_each(|latest| latest.status = Status::Refused);
    let under = explained(&on_stop, &gold(State::Running), Some(&refused));
    assert_eq!(under.triggers[0].would, "a stop now makes a point at rest", "it made nothing");
    assert_eq!(told(State::Stopped, old), "the machine is stopped, and imaged within minutes");
    let told_young = told(State::Stopped, young);
    assert!(told_young.ends_with("(too-soon)"), "{told_young}");
    let told_same = told(State::Stopped, Some(("2026-01-05T20:00:00Z", true)));
    assert!(told_same.ends_with("(already-requested)"), "{told_same}");
}

#[test]
fn a_machine_that_is_gone_is_explained_from_the_ledger() {
    let (summary, point) = summary("2026-01-06T01:30:00Z", false);
    let explained = |in_force: &InForce| {
        let input = Input {
            now: at(NOW),
            in_force,
            instance: None,
            machine: None,
            stop: None,
            summary: Some(&summary),
            points: std::slice::from_ref(&point),
        };
        explain(&input)
    };
    let under = explained(&in_force(&with("[{on: stopped}]")));
    assert_eq!(under.len(), 1);
    assert!(under[0].in_force && !under[0].applies);
    assert_eq!(under[0].last.as_ref().map(|last| &last.point), Some(&point.id));
    let under = explained(&InForce::default());
    assert_eq!(under.len(), 1, "under a policy that was");
    assert!(!under[0].in_force);
}

fn machine(usage_operation: &str) -> Machine {
    Machine {
        instance: gold(State::Running),
        build: Build {
            platform: None,
            image: "ami-0000ffff".to_string().try_into().expect("an id"),
            architecture: "x86_64".into(),
            virtualization: "hvm".into(),
            root_device_type: "ebs".into(),
            root_device: "/dev/xvda".into(),
            ena: true,
            sriov: None,
            boot_mode: None,
            tpm: None,
            imds: None,
            uefi_data: None,
            instance_store: BTreeMap::new(),
            usage_operation: usage_operation.into(),
            product_codes: Vec::new(),
            image_readable: true,
        },
        volumes: vec![Volume {
            id: "vol-00000001".to_string().try_into().expect("an id"),
            device: "/dev/xvda".into(),
            size_gib: 8,
            volume_type: "gp3".into(),
            iops: None,
            throughput: None,
            delete_on_termination: true,
            encrypted: false,
            kms_key: None,
            shared: false,
            tags: BTreeMap::new(),
        }],
        left_out: Vec::new(),
    }
}

#[test]
fn the_method_is_the_one_that_will_be_chosen_or_the_reason_why_there_is_none() {
    let made = |image: &str, machine: &Machine| {
        let in_force = in_force(&format!("{}    image: {image}\n", with("[{on: stopped}]")));
        let input = Input {
            now: at(NOW),
            in_force: &in_force,
            instance: Some(&machine.instance),
            machine: Some(machine),
            stop: None,
            summary: None,
            points: &[],
        };
        explain(&input)[0].made.clone()
    };
    let method = |made: Option<Made>| match made {
        Some(Made::Image(chosen)) => chosen.method,
        other => panic!("{other:?}"),
    };
    let (free, billed) = (machine("RunInstances"), machine("RunInstances:0002"));
    assert_eq!(method(made("{copy_tags: false}", &free)), Method::SnapshotRegister);
    assert_eq!(method(made("{copy_tags: false}", &billed)), Method::CreateImage);
    assert_eq!(made("{kind: snapshots}", &free), Some(Made::Snapshots));
    match made("{method: snapshot-register}", &billed) {
        Some(Made::Refused(reason)) => assert_eq!(reason.code, Code::BilledByUsage),
        other => panic!("{other:?}"),
    }
}
