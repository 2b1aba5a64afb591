//! What a policy should cover and does not: what is reported, and above all what is not.

#[path = "support/render.rs"]
mod render;

use std::collections::BTreeMap;

use afterimage_core::command::{Command, Finding};
use afterimage_core::flow::coverage::{is_close, look, near_misses};
use afterimage_core::flow::{InForce, Unreadable};
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::limits::GAP_REPORTS_MAX;
use afterimage_core::machine::{Instance, State};
use afterimage_core::observed::Complete;
use afterimage_core::policy::file::read;
use jiff::Timestamp;

const HOME: &str = "us-east-1";
const AWAY: &str = "eu-west-1";

/// Gold goes by one key, silver by two; the third by a pattern.
const POLICIES: &str = r#"policies:
  gold:
    select:
      regions: [us-east-1]
      tags: {backup: gold}
      exclude_tags: {backup-pause: "*"}
    triggers: [{on: stopped}]
  silver:
    select:
      regions: [us-east-1]
      tags: {backup: silver, env: [prod, staging]}
    triggers: [{on: stopped}]
  jobs:
    select:
      regions: [us-east-1]
      tags: {role: "batch-*"}
    triggers: [{on: stopped}]
"#;

fn now() -> Timestamp {
    "2026-01-07T12:00:00Z".parse().expect("an instant")
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

fn in_force(yaml: &str) -> InForce {
    let policies = read(yaml).unwrap_or_else(|problems| panic!("{problems:#?}"));
    InForce { policies, ..InForce::default() }
}

fn machine(number: usize, place: &str, tags: &[(&str, &str)]) -> Instance {
    Instance {
        id: InstanceId::parse(&format!("i-{number:08x}")).expect("an id"),
        region: region(place),
        state: State::Running,
        launched: now(),
        hibernated: false,
        instance_type: "t3.micro".into(),
        spot: false,
        tags: tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

/// Listings of both regions.
fn fleet(machines: Vec<Instance>) -> BTreeMap<Region, Complete<Instance>> {
    let mut fleet = BTreeMap::from([HOME, AWAY].map(|name| (region(name), Complete(Vec::new()))));
    for machine in machines {
        fleet.get_mut(&machine.region).expect("it is listed").0.push(machine);
    }
    fleet
}

/// One machine for each policy.
fn covered() -> Vec<Instance> {
    vec![
        machine(1, HOME, &[("backup", "gold"), ("Name", "one")]),
        machine(2, HOME, &[("backup", "silver"), ("env", "prod")]),
        machine(3, HOME, &[("role", "batch-night")]),
    ]
}

/// What a look says of a fleet in which all policies select something, and these machines are too.
fn told(more: Vec<Instance>) -> Vec<String> {
    let machines = covered().into_iter().chain(more).collect();
    let decision = look(&in_force(POLICIES), &fleet(machines), &Vec::new(), now());
    assert!(decision.explanations.is_empty(), "what is reported is told by whoever keeps it");
    render::render(&decision).lines().map(str::to_string).collect()
}

#[track_caller]
fn silent(place: &str, tags: &[(&str, &str)]) {
    assert_eq!(told(vec![machine(9, place, tags)]), Vec::<String>::new(), "{tags:?}");
}

#[track_caller]
fn found(place: &str, tags: &[(&str, &str)], text: &str) {
    let expected = format!("! {place} i-00000009: {text} (looks-uncovered)");
    assert_eq!(told(vec![machine(9, place, tags)]), [expected], "{tags:?}");
}

#[test]
fn machines_that_are_covered_or_have_other_tags_make_no_noise() {
    silent(HOME, &[]);
    silent(HOME, &[("Name", "bold"), ("team", "gold"), ("env", "prod")]);
    silent(HOME, &[("backup", "gold")]);
    silent(HOME, &[("backup", "silver"), ("env", "staging")]);
    silent(HOME, &[("role", "frontend")]);
    silent(AWAY, &[("Name", "two"), ("env", "prod")]);
    // Selected by one policy, whatever it nearly is for another.
    silent(HOME, &[("backup", "gold"), ("role", "Batch-1")]);
    // It is what another policy means, and lacks that one's second key for its own reasons.
    silent(HOME, &[("backup", "silver"), ("env", "dev")]);
    silent(HOME, &[("backup", "silver")]);
}

#[test]
fn what_was_meant_is_left_alone() {
    silent(HOME, &[("backup", "gold"), ("backup-pause", "until May")]);
    silent(HOME, &[("backup", "Gold"), ("backup-pause", "")]);
    for no in ["none", "No", "false", "off", "never", "", "disabled", " none "] {
        silent(HOME, &[("backup", no)]);
    }
}

#[test]
fn a_value_that_nearly_is_the_one_is_found_with_what_to_write() {
    let expected = |is: &str| {
        format!(
            "policy gold nearly selects this machine: tag `backup` is `{is}`, not `gold`; correct \
             the tag or the policy"
        )
    };
    for is in ["Gold", "GOLD", "gold ", " gold", "g old", "golf", "golds", "gld", "gole", "glod"] {
        found(HOME, &[("backup", is)], &expected(is));
    }
    let text = "policy jobs nearly selects this machine: tag `role` is `Batch_7`, not `batch-*`; \
                correct the tag or the policy";
    found(HOME, &[("role", "Batch_7")], text);
}

#[test]
fn a_key_that_nearly_is_the_one_is_found_with_what_to_write() {
    for key in ["Backup", "BACKUP", "backup ", "back-up", "backups", "bakcup"] {
        let text = format!(
            "policy gold nearly selects this machine: tag `{key}` (`gold`) is not called `backup`; \
             correct the tag or the policy"
        );
        found(HOME, &[(key, "gold")], &text);
    }
    // The value is another: the key is about something else.
    silent(HOME, &[("backups", "7")]);
    let text = "policy silver nearly selects this machine: tag `Backup` (`Silver`) is not called \
                `backup`, and tag `env` is `Prod`, not `prod`; correct the tag or the policy";
    found(HOME, &[("Backup", "Silver"), ("env", "Prod")], text);
}

#[test]
fn a_machine_in_a_region_that_a_policy_leaves_out_is_found() {
    let text = "policy gold nearly selects this machine: eu-west-1 is not among its regions; add \
                eu-west-1 to `regions`";
    found(AWAY, &[("backup", "gold")], text);
    silent(AWAY, &[("backup", "Gold")]);
    silent(AWAY, &[("backup", "gold"), ("backup-pause", "yes")]);
    let all = "policies: {all: {select: {regions: [us-east-1], tags: {Name: '*'}}, \
               triggers: [{on: stopped}]}}";
    let machines = vec![machine(1, HOME, &[("Name", "one")]), machine(2, AWAY, &[("Name", "two")])];
    let decision = look(&in_force(all), &fleet(machines), &Vec::new(), now());
    assert_eq!(render::render(&decision), "", "whatever has a name somewhere else has other tags");
}

#[test]
fn a_value_that_no_policy_has_is_found_once_for_all_that_have_it() {
    let one = "no policy selects tag `backup` = `bronze`, only gold, silver; write one of these on \
               the machine, or exclude the value with exclude_tags in policy gold";
    found(HOME, &[("backup", "bronze")], one);
    let many = (9..90).map(|number| machine(number, HOME, &[("backup", "bronze")])).collect();
    let expected =
        format!("! {HOME} i-00000009: {one}; other machines look the same (looks-uncovered)");
    assert_eq!(told(many), [expected]);
}

#[test]
fn machines_that_are_gone_are_not_looked_at() {
    for state in [State::ShuttingDown, State::Terminated] {
        let gone = Instance { state, ..machine(9, HOME, &[("backup", "Gold")]) };
        assert_eq!(told(vec![gone]), Vec::<String>::new());
        let gone = Instance { state, ..machine(1, HOME, &[("backup", "gold")]) };
        let decision = look(&in_force(GOLD), &fleet(vec![gone]), &Vec::new(), now());
        assert_eq!(render::render(&decision), NOTHING);
    }
}

const GOLD: &str = "policies: {gold: {select: {regions: [us-east-1, eu-west-1], tags: {backup: \
                    gold}, exclude_tags: {pause: '*'}}, triggers: [{on: stopped}]}}";
const NOTHING: &str = "! us-east-1 policy gold: no machine in us-east-1, eu-west-1 has backup=gold \
                       (policy-matches-nothing)\n";

#[test]
fn a_policy_that_selects_nothing_is_found() {
    let gold = in_force(GOLD);
    let plan = |machines: Vec<Instance>| {
        render::render(&look(&gold, &fleet(machines), &Vec::new(), now()))
    };
    assert_eq!(plan(Vec::new()), NOTHING);
    assert_eq!(plan(vec![machine(1, HOME, &[("team", "gold")])]), NOTHING);
    assert_eq!(plan(vec![machine(1, AWAY, &[("backup", "gold")])]), "");
    let paused = machine(1, HOME, &[("backup", "gold"), ("pause", "1")]);
    assert_eq!(
        plan(vec![paused.clone()]),
        "! us-east-1 policy gold: every machine in us-east-1, eu-west-1 with backup=gold is \
         excluded by tag `pause` (policy-matches-nothing)\n"
    );
    assert_eq!(plan(vec![paused, machine(2, HOME, &[("backup", "gold")])]), "");
    let mut half = fleet(Vec::new());
    half.remove(&region(AWAY));
    assert_eq!(
        render::render(&look(&gold, &half, &Vec::new(), now())),
        "",
        "who knows what is there"
    );
}

/// What a look finds, as it is known at the next one.
fn known(in_force: &InForce, machines: Vec<Instance>) -> Vec<Finding> {
    let decision = look(in_force, &fleet(machines), &Vec::new(), now());
    let reports = decision.commands.into_iter().map(|command| match command {
        Command::Report(finding) => finding,
        other => panic!("{other:?}"),
    });
    reports.collect()
}

#[test]
fn what_was_found_is_reported_once_and_resolved_when_it_is_no_longer_so() {
    let gold = in_force(GOLD);
    let slip = || machine(2, AWAY, &[("backup", "Gold")]);
    let known = known(&gold, vec![slip()]);
    assert_eq!(known.len(), 2);
    let plan = |machines| render::render(&look(&gold, &fleet(machines), &known, now()));
    assert_eq!(plan(vec![slip()]), "");
    let resolved = "= eu-west-1 i-00000002: no longer looks-uncovered\n\
                    = us-east-1 policy gold: no longer policy-matches-nothing\n";
    assert_eq!(plan(vec![machine(2, AWAY, &[("backup", "gold")])]), resolved);
    // Another mistake of the same machine is another finding.
    let told = plan(vec![machine(2, AWAY, &[("backup", "golds")])]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert_eq!(lines[0], "= eu-west-1 i-00000002: no longer looks-uncovered");
    assert!(lines[1].starts_with("! eu-west-1 i-00000002: ") && lines[1].contains("golds"));
    // A policy that is in force no more selects nothing, and that is right.
    let decision = look(&InForce::default(), &fleet(vec![slip()]), &known, now());
    assert_eq!(render::render(&decision), resolved);
}

#[test]
fn what_was_not_seen_is_not_resolved() {
    let gold = in_force(GOLD);
    let known = known(&gold, vec![machine(2, AWAY, &[("backup", "Gold")])]);
    let mut half = fleet(Vec::new());
    half.remove(&region(AWAY));
    assert_eq!(render::render(&look(&gold, &half, &known, now())), "");
    let unreadable = vec![Unreadable { name: "gold".into(), why: "it is empty".into() }];
    let unreadable = InForce { unreadable, ..InForce::default() };
    assert_eq!(render::render(&look(&unreadable, &fleet(Vec::new()), &known, now())), "");
}

#[test]
fn findings_of_other_kinds_are_left_alone() {
    let foreign = Finding {
        region: region(HOME),
        artefact: "ami-00000001".into(),
        reason: afterimage_core::reason::Reason::new(
            afterimage_core::reason::Code::Foreign,
            "planted",
        ),
        seen_at: now(),
    };
    let decision = look(&InForce::default(), &fleet(Vec::new()), &[foreign], now());
    assert_eq!(render::render(&decision), "");
}

#[test]
fn one_look_reports_so_many_and_the_next_one_the_others() {
    let key = |number: usize| format!("back{}up", " ".repeat(number + 1));
    let machines = |_| {
        let slips = (9..100).map(|number| machine(number, HOME, &[(&key(number), "gold")]));
        covered().into_iter().chain(slips).collect::<Vec<_>>()
    };
    let in_force = in_force(POLICIES);
    let first = known(&in_force, machines(()));
    assert_eq!(first.len(), GAP_REPORTS_MAX);
    let decision = look(&in_force, &fleet(machines(())), &first, now());
    assert_eq!(decision.commands.len(), 91 - GAP_REPORTS_MAX, "{}", render::render(&decision));
}

#[test]
fn the_nearest_policy_comes_first() {
    let yaml = format!(
        "{POLICIES}  away:\n    select: {{regions: [eu-west-1], tags: {{team: red}}}}\n    \
         triggers: [{{on: stopped}}]\n"
    );
    let policies = in_force(&yaml).policies;
    let machine = machine(9, HOME, &[("team", "red"), ("role", "batch 1"), ("backup", "x")]);
    let misses = near_misses(&policies, &machine);
    let names: Vec<&str> = misses.iter().map(|miss| miss.policy.as_str()).collect();
    assert_eq!(names, ["jobs", "away", "gold"]);
}

#[test]
fn close_is_what_a_slip_of_the_hand_makes() {
    let close = [
        ("Prod", "prod"),
        ("pro d", "prod"),
        ("prd", "prod"),
        ("prodd", "prod"),
        ("prof", "prod"),
        ("pord", "prod"),
        ("web1", "web-1"),
        ("batch_X", "Batch-*"),
        ("A", "a"),
    ];
    for (is, wanted) in close {
        assert!(is_close(is, wanted), "{is} {wanted}");
    }
    let apart = [
        ("", "prod"),
        ("prod", ""),
        ("dev", "prod"),
        // Digits count things.
        ("web1", "web2"),
        ("web", "web1"),
        ("gold2", "gold"),
        // Short texts are all alike.
        ("b", "a"),
        ("dev", "dew"),
        // Another first letter makes another word.
        ("cold", "gold"),
        ("bold", "gold"),
        ("golden", "gold"),
        ("west", "east"),
        ("anything", "*"),
        ("", "*"),
    ];
    for (is, wanted) in apart {
        assert!(!is_close(is, wanted), "{is} {wanted}");
    }
}
