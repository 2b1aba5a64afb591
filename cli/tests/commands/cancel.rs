//! `afterimage cancel`, on a served system.

use serde_json::Value;

use crate::served::{Served, text};

const POLICIES: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    consistency: at-rest
  crash:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
";

fn served() -> (Served, String) {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    (served, machine)
}

/// Requests a point that waits for its machine to stop.
fn waiting(served: &Served, machine: &str) -> String {
    let point = served.says(&["capture", machine, "--policy", "gold"], "");
    served.pass(120);
    point.trim().to_string()
}

#[test]
fn a_point_that_waits_is_called_off_by_its_id_its_machine_or_its_policy() {
    let (served, machine) = served();
    let names = |point: &str| {
        [vec![point.to_string()], vec![machine.clone()], vec!["--policy".into(), "gold".into()]]
    };
    for way in 0..3 {
        let point = waiting(&served, &machine);
        let name = &names(&point)[way];
        let arguments: Vec<&str> =
            ["cancel"].into_iter().chain(name.iter().map(String::as_str)).collect();
        let output = served.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("{point}: called off\n"));
        assert_eq!(text(&output.stderr), "called off: 1\n");
    }
    served.pass(900);
    let told = served.says(&["status"], "");
    assert!(told.contains("withdrawn") && told.contains("called off by a person"), "{told}");
    let output = served.run(&["cancel", &machine]);
    assert_eq!(text(&output.stderr), "nothing waits that could be called off\n");
}

#[test]
fn what_has_begun_goes_on_and_the_command_says_so() {
    let (served, machine) = served();
    let point = served.says(&["capture", &machine, "--policy", "crash"], "");
    served.pass(30);
    let told = served.says(&["cancel", point.trim(), "--json"], "");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let told = &told["points"][0];
    assert_eq!((&told["cancelled"], &told["image_goes_on"]), (&false.into(), &true.into()));
    served.pass(3600);
    let told = served.says(&["status"], "");
    assert!(told.contains("protected"), "{told}");
}

#[test]
fn what_names_nothing_is_refused() {
    let (served, _) = served();
    let refused = [
        (vec!["cancel", "web"], "`web` is not the id of a point or of a machine (i-...)"),
        (vec!["cancel", "gold-0123456789abcdef0-ask-1"], "the ledger has no point gold-"),
        (vec!["cancel", "i-0123456789abcdef0", "--place", "eu-west-1"], "--place needs the id"),
    ];
    for (arguments, said) in refused {
        let output = served.run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}

#[test]
fn the_finding_of_a_lost_replica_ends_when_its_place_is_called_off() {
    let served = Served::start();
    let policies = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    replicate: [{region: eu-west-1}]
    heal: false
";
    served.says(&["policy", "apply", "-", "--yes"], policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(3600);
    served.delete_image_in("eu-west-1");
    served.pass(2 * 3600);
    let told = served.says(&["status"], "");
    assert!(told.contains("(lost)") && told.contains("FINDINGS"), "{told}");
    served.says(&["cancel", &point, "--place", "eu-west-1"], "");
    let told = served.says(&["status"], "");
    assert!(told.contains("0/0") && !told.contains("FINDINGS"), "{told}");
    served.pass(24 * 3600);
    assert_eq!(served.says(&["status", "--failed"], ""), "no machine failed, and none waits\n");
}
