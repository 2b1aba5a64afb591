//! `afterimage cancel`, on a served system.

use serde_json::Value;

use crate::served::{ASKED_FOR, Served, squeezed, text};

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
    let told = served.says(&["cancel", &machine, "--json"], "");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let told = &told["points"][0];
    assert_eq!((&told["cancelled"], &told["image_goes_on"]), (&false.into(), &true.into()));
    let told = refused(&served, &["cancel", point.trim()]);
    assert!(told.contains("its image is being made, and what has begun is finished"), "{told}");
    served.pass(3600);
    let told = served.says(&["status"], "");
    assert!(told.contains("protected"), "{told}");
    let told = refused(&served, &["cancel", point.trim()]);
    assert!(
        told.contains("us-east-1: its image is there, and Afterimage deletes no image"),
        "{told}"
    );
    let told = refused(&served, &["cancel", point.trim(), "--place", "eu-west-1"]);
    assert!(told.contains("it has no place there; its places are us-east-1"), "{told}");
}

/// Runs a command that is refused, and returns what it says, on one line.
fn refused(served: &Served, arguments: &[&str]) -> String {
    let output = served.run(arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    squeezed(&text(&output.stderr))
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
    let (served, _machine, point) = good();
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

/// A policy that leaves it to a person what is lost.
const LEFT_TO_PERSON: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    replicate: [{region: eu-west-1}]
    heal: false
";

/// A good point of a machine under that policy.
fn good() -> (Served, String, String) {
    good_under(LEFT_TO_PERSON)
}

/// A good point of a machine under policies. What is deleted can be restored.
fn good_under(policies: &str) -> (Served, String, String) {
    let served = Served::start_with(&["--recycle-bin-days", "30"]);
    served.says(&["policy", "apply", "-", "--yes"], policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(3600);
    (served, machine, point)
}

/// The policy has everything made again from now on, and a day passes.
fn pass_a_day_that_heals(served: &Served) {
    let heals = LEFT_TO_PERSON.replace("    heal: false\n", "");
    served.says(&["policy", "apply", "-", "--yes"], &heals);
    served.pass(24 * 3600);
}

#[test]
fn a_home_image_that_is_lost_is_called_off_and_the_replicas_are_kept() {
    let (served, machine, point) = good();
    let home = || served.image_named(&format!("{point}-*"));
    served.deregister(&home().expect("there is one"));
    served.pass(2 * 3600);
    let told = served.says(&["status"], "");
    assert!(told.contains("(lost)") && told.contains("FINDINGS"), "{told}");
    let off = format!("`afterimage cancel {point} --place us-east-1` calls the place off");
    assert!(squeezed(&told).contains(&off), "{told}");

    let output = served.run(&["cancel", &point, "--place", "us-east-1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = format!("{point}: image at home called off: us-east-1\n{point}: kept: eu-west-1\n");
    assert_eq!(text(&output.stdout), said);
    pass_a_day_that_heals(&served);
    assert_eq!(home(), None, "nothing is made again");
    let told = squeezed(&served.says(&["status"], ""));
    assert!(told.contains("1 machine: 1 protected") && told.contains("1/1, no home"), "{told}");
    assert!(told.contains("called off by a person") && !told.contains("FINDINGS"), "{told}");
    let told = squeezed(&served.says(&["explain", &machine], ""));
    assert!(told.contains("called off by a person"), "{told}");
    assert!(told.contains("no image at home, 1 of 1 replicas"), "{told}");
    let told = refused(&served, &["cancel", &point, "--place", "us-east-1"]);
    assert!(told.contains("us-east-1: its image was lost and is called off already"), "{told}");
    assert!(told.contains(&format!("`afterimage heal {point}`")), "{told}");

    served.says(&["heal", &point], "");
    served.pass(2 * 3600);
    assert!(home().is_some(), "a person wants it after all");
    let told = served.says(&["status"], "");
    assert!(told.contains("protected") && !told.contains("no home"), "{told}");
}

#[test]
fn a_point_that_has_lost_everything_is_called_off_and_stays_lost() {
    let (served, machine, point) = good();
    let home = || served.image_named(&format!("{point}-*"));
    served.delete_image(&home().expect("there is one"));
    served.delete_image_in("eu-west-1");
    served.pass(3 * 3600);
    assert!(served.says(&["status"], "").contains("FINDINGS"));
    let output = served.run(&["cancel", &point]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("image at home called off: us-east-1"), "{told}");
    assert!(told.contains("copy called off: eu-west-1"), "{told}");
    pass_a_day_that_heals(&served);
    assert_eq!(home(), None, "it does not begin again");
    let told = squeezed(&served.says(&["status"], ""));
    assert!(told.contains("lost") && told.contains("called off by a person"), "{told}");
    assert!(!told.contains("FINDINGS"), "{told}");
    let told = squeezed(&served.says(&["explain", &machine], ""));
    assert!(told.contains("lost") && told.contains("called off by a person"), "{told}");
    let told = refused(&served, &["cancel", &point]);
    assert!(told.contains("us-east-1: its image was lost and is called off already"), "{told}");
    assert!(told.contains("eu-west-1: its copy is not made: called off by a person"), "{told}");
    served.says(&["heal", &point], "");
    served.pass(2 * 3600);
    assert!(home().is_some(), "a person wants it after all");
}

#[test]
fn a_copy_whose_call_was_not_answered_is_called_off_once_ec2_shows_that_it_made_nothing() {
    let served = Served::start();
    let policies = POLICIES.replace("at-rest", "crash\n    replicate: [{region: eu-west-1}]");
    served.says(&["policy", "apply", "-", "--yes"], &policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    served.darken("eu-west-1");
    let point = served.says(&["capture", &machine, "--policy", "gold"], "");
    let point = point.trim();
    served.pass(2 * 3600);
    let told = refused(&served, &["cancel", point, "--place", "eu-west-1"]);
    assert!(told.contains("eu-west-1: the call for its copy was not answered"), "{told}");
    served.lighten();
    let told = served.says(&["cancel", point, "--place", "eu-west-1"], "");
    assert!(told.contains(&format!("{point}: copy called off: eu-west-1")), "{told}");
    served.pass(3 * 3600);
    assert!(!served.has_images_in("eu-west-1"), "{}", served.says(&["status"], ""));
    let told = served.says(&["status"], "");
    assert!(told.contains("protected") && !told.contains("FINDINGS"), "{told}");
}

/// Places are called off after their images were lost, and the images are restored.
#[test]
fn what_is_restored_in_a_place_that_was_called_off_is_there() {
    for regions in [&["us-east-1"][..], &["eu-west-1"], &["us-east-1", "eu-west-1"]] {
        let (served, machine, point) = good();
        served.terminate(&machine);
        let restores: Vec<_> = regions
            .iter()
            .map(|region| served.delete_for_now(region, &format!("{point}-*")))
            .collect();
        served.pass(2 * 3600);
        for region in regions {
            served.says(&["cancel", &point, "--place", region], "");
        }
        served.pass(8 * 3600);
        restores.iter().for_each(|restore| restore(&served));
        served.pass(2 * 3600);
        let told = served.says(&["status"], "");
        assert!(told.contains("1 protected"), "{regions:?}: {told}");
        assert!(told.contains(" 1/1 ") && !told.contains("no home"), "{regions:?}: {told}");
        assert!(!told.contains("(lost)"), "{regions:?}: {told}");
    }
}

/// What restores the image of each region.
type Restores = Vec<(&'static str, Box<dyn Fn(&Served)>)>;

/// A point of a machine that is terminated, with replicas in two regions, all of whose images are
/// deleted. Returns what restores each of them.
fn all_lost() -> (Served, String, Restores) {
    let both = ASKED_FOR.replace("eu-west-1}", "eu-west-1}, {region: eu-central-1}");
    let (served, machine, point) = good_under(&both);
    served.terminate(&machine);
    let regions = ["us-east-1", "eu-west-1", "eu-central-1"].into_iter();
    let restores = regions.map(|region| {
        let restore = served.delete_for_now(region, &format!("{point}-*"));
        (region, Box::new(restore) as Box<dyn Fn(&Served)>)
    });
    let restores = restores.collect();
    served.pass(2 * 3600);
    (served, point, restores)
}

#[test]
fn a_place_that_was_called_off_stays_so_when_another_image_of_its_point_is_restored() {
    for off in ["us-east-1", "eu-central-1"] {
        let (served, point, restores) = all_lost();
        served.says(&["cancel", &point, "--place", off], "");
        served.pass(2 * 3600);
        let ireland = restores.iter().find(|(region, _)| *region == "eu-west-1");
        (ireland.expect("it was there").1)(&served);
        served.pass(24 * 3600);
        let made = served.image_named_in(off, &format!("{point}-*"));
        let told = served.says(&["status"], "");
        assert_eq!(made, None, "{off} was called off: {told}");
        assert!(told.contains("1 protected") && !told.contains("image lost"), "{off}: {told}");
        let (places, no_home) = if off == "us-east-1" { (" 2/2", true) } else { (" 1/1", false) };
        assert!(told.contains(places), "{off}: {told}");
        assert_eq!(told.contains("no home"), no_home, "{off}: {told}");
    }
}

#[test]
fn a_place_that_was_given_up_is_called_off_as_its_finding_says() {
    let (served, _machine, point) = good();
    served.says(&["policy", "apply", "-", "--yes"], &LEFT_TO_PERSON.replace("west", "central"));
    served.delete_image_in("eu-west-1");
    served.pass(3 * 3600);
    let told = squeezed(&served.says(&["status"], ""));
    assert!(told.contains("so that the place was given up"), "{told}");
    assert!(told.contains(&format!("cancel {point} --place eu-west-1`")), "{told}");
    let output = served.run(&["cancel", &point, "--place", "eu-west-1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!served.says(&["status"], "").contains("FINDINGS"));
    pass_a_day_that_heals(&served);
    assert!(!served.has_images_in("eu-west-1"), "the policy wants it, and a person does not");
}

/// The replica cannot be used for some time after the image at home was called off.
#[test]
fn an_image_at_home_that_was_called_off_is_taken_back_whatever_came_between() {
    let (served, _machine, point) = good();
    let restore = served.delete_for_now("us-east-1", &format!("{point}-*"));
    served.pass(3600);
    served.says(&["cancel", &point, "--place", "us-east-1"], "");
    served.pass(3600);
    let replica = served.disable_image_in("eu-west-1");
    served.pass(3600);
    served.enable_image_in("eu-west-1", &replica);
    served.pass(2 * 3600);
    assert!(served.says(&["status"], "").contains("no home"));
    restore(&served);
    served.pass(2 * 3600);
    let told = served.says(&["status"], "");
    assert!(told.contains("1 protected") && !told.contains("no home"), "{told}");
}

/// A good point whose image at home is lost, and cannot be registered again for now.
fn waits_at_home() -> (Served, String) {
    let (served, machine, point) = good_under(ASKED_FOR);
    let image = served.image_named(&format!("{point}-*")).expect("it is there");
    served.fail("RegisterImage");
    served.deregister(&image);
    served.pass(6 * 3600);
    let told = served.says(&["explain", &machine], "");
    assert!(told.contains("InvalidRequest") && told.contains("next try"), "{told}");
    (served, point)
}

#[test]
fn an_image_at_home_that_waits_to_be_registered_again_is_called_off() {
    let (served, point) = waits_at_home();
    let told = served.says(&["cancel", &point, "--place", "us-east-1"], "");
    assert!(told.contains("image at home called off"), "{told}");
    assert!(!told.contains("goes on"), "{told}");
    served.lighten();
    served.pass(48 * 3600);
    assert_eq!(served.image_named(&format!("{point}-*")), None, "it is not made again");
    let told = served.says(&["status"], "");
    assert!(told.contains("1/1") && !told.contains("FINDINGS"), "{told}");
}

#[test]
fn an_image_at_home_that_waits_to_be_registered_again_is_tried_at_once_when_a_person_says_so() {
    let (served, point) = waits_at_home();
    served.lighten();
    let told = served.says(&["heal", &point], "");
    assert!(told.contains("us-east-1: registered again from its snapshots"), "{told}");
    served.pass(1800);
    assert!(served.image_named(&format!("{point}-*")).is_some(), "it is made again");
    let told = served.says(&["status"], "");
    assert!(told.contains("1 protected") && !told.contains("FINDINGS"), "{told}");
}
