//! `afterimage heal`, on a served system.

use serde_json::Value;

use crate::served::{Served, said, squeezed, text};

const POLICIES: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
";

/// The image that the status calls good.
fn good_image(served: &Served) -> Option<String> {
    let status: Value =
        serde_json::from_str(&served.says(&["status", "--json"], "")).expect("JSON");
    Some(status["machines"][0]["newest_good"]["image"].as_str()?.to_string())
}

#[test]
fn what_was_deleted_again_and_again_is_made_again_when_a_person_says_so() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(3600);
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), format!("error: nothing of point {point} is lost\n"));
    // It is made again twice, and not a third time.
    for _ in 0..3 {
        served.delete_image(&good_image(&served).expect("there is one"));
        served.pass(2 * 3600);
    }
    assert_eq!(good_image(&served), None);
    let told = served.says(&["status"], "");
    assert!(told.contains("lost-again") && told.contains("FINDINGS"), "{told}");
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    served.pass(2 * 3600);
    assert!(good_image(&served).is_some(), "{}", served.says(&["status"], ""));
    let told = served.says(&["status"], "");
    assert!(told.contains("protected") && !told.contains("FINDINGS"), "{told}");
}

#[test]
fn what_the_policy_leaves_to_a_person_is_made_again_when_they_say_so() {
    let served = Served::start();
    let policies = format!("{POLICIES}    heal: false\n");
    served.says(&["policy", "apply", "-", "--yes"], &policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(3600);
    served.delete_image(&good_image(&served).expect("there is one"));
    served.pass(24 * 3600);
    assert_eq!(good_image(&served), None);
    for told in [served.says(&["status"], ""), served.says(&["explain", &machine], "")] {
        let told = squeezed(&told);
        assert!(told.contains(&format!("afterimage heal {point}")), "{told}");
    }
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    served.pass(2 * 3600);
    assert!(good_image(&served).is_some(), "{}", served.says(&["status"], ""));
}

const UNDER_A_KEY: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    replicate: [{region: eu-west-1, kms_key: alias/dr}]
    heal: false
";

#[test]
fn a_person_is_told_what_the_copy_waits_for_that_they_ask_for() {
    let served = Served::start();
    let key = served.make_key("eu-west-1", "alias/dr");
    served.says(&["policy", "apply", "-", "--yes"], UNDER_A_KEY);
    let machines = ["web", "db"].map(|name| served.machine("al2023-ami-*-x86_64", name, "gold"));
    served.pass(120);
    let point = served.says(&["capture", &machines[0]], "").trim().to_string();
    served.pass(3600);
    served.delete_image_in("eu-west-1");
    served.pass(2 * 3600);
    served.disable_key("eu-west-1", &key);
    served.says(&["capture", &machines[1]], "");
    served.pass(3600);
    let answer = served.says(&["heal", &point], "");
    let says = "eu-west-1: copied again from us-east-1, but not yet: copies under key";
    assert!(answer.contains(says) && answer.contains("is Disabled"), "{answer}");
    served.pass(3600);
    let told = squeezed(&served.says(&["status"], ""));
    assert!(told.contains("copied again from us-east-1, but not yet"), "{told}");
    served.enable_key("eu-west-1", &key);
    served.pass(3 * 3600);
    let told = served.says(&["status"], "");
    assert!(told.contains("protected") && !told.contains("FINDINGS"), "{told}");
}

/// The image of a point, by the names that images have.
fn image_of(served: &Served, point: &str) -> Option<String> {
    served.image_named(&format!("{point}-*"))
}

/// Two good points of one machine, the older first.
fn two_points(served: &Served) -> (String, [String; 2]) {
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let points = [(); 2].map(|()| {
        let point = served.says(&["capture", &machine], "").trim().to_string();
        served.pass(3600);
        point
    });
    (machine, points)
}

#[test]
fn an_older_point_is_made_again_when_a_person_says_so() {
    let served = Served::start();
    let (machine, [older, _]) = two_points(&served);
    // Its snapshots stay.
    served.deregister(&image_of(&served, &older).expect("there is one"));
    served.pass(2 * 3600);
    assert_eq!(image_of(&served, &older), None, "a newer point is good");
    served.terminate(&machine);
    served.pass(600);
    let output = served.run(&["heal", &older]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("us-east-1"), "{}", said(&output));
    served.pass(2 * 3600);
    assert!(image_of(&served, &older).is_some(), "{}", served.says(&["status"], ""));
    let told = served.says(&["status"], "");
    assert!(!told.contains("(lost)"), "it is over: {told}");
}

#[test]
fn an_older_point_of_which_nothing_is_left_is_refused_with_the_newer_one() {
    let served = Served::start();
    let (_, [older, newer]) = two_points(&served);
    served.delete_image(&image_of(&served, &older).expect("there is one"));
    served.pass(2 * 3600);
    let output = served.run(&["heal", &older]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let said = said(&output);
    assert!(said.contains("nothing is left of the point") && said.contains(&newer), "{said}");
}

#[test]
fn a_point_of_which_nothing_is_left_says_what_its_machine_has_to_do() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], &format!("{POLICIES}    heal: false\n"));
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(3600);
    served.delete_image(&good_image(&served).expect("there is one"));
    served.pass(2 * 3600);
    served.terminate(&machine);
    served.pass(600);
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let said = said(&output);
    assert!(said.contains(&format!("its machine {machine} is terminated")), "{said}");
}

/// A machine that was imaged while it was stopped, and whose image is deleted while it runs again;
/// and the point.
fn lost_after_its_stop(served: &Served, policies: &str) -> (String, String) {
    served.says(&["policy", "apply", "-", "--yes"], policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    served.stop(&machine);
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(1800);
    served.power_on(&machine);
    served.pass(600);
    served.delete_image(&good_image(served).expect("there is one"));
    served.pass(2 * 3600);
    (machine, point)
}

#[test]
fn a_point_of_a_stop_that_is_over_is_refused_and_does_not_begin_again() {
    let served = Served::start();
    served.says(&["policy", "apply", "-", "--yes"], &POLICIES.replace("tag}]", "stopped}]"));
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    served.stop(&machine);
    served.pass(1800);
    let status: Value =
        serde_json::from_str(&served.says(&["status", "--json"], "")).expect("JSON");
    let point = status["machines"][0]["latest"]["point"].as_str().expect("a point").to_string();
    served.power_on(&machine);
    served.pass(600);
    served.delete_image(&good_image(&served).expect("there is one"));
    served.pass(2 * 3600);
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains(&format!("its machine {machine} is running")), "{told}");
    assert!(told.contains("no longer in the stop that it is of"), "{told}");
}

#[test]
fn a_point_that_waits_for_its_machine_says_so_and_begins_again_then() {
    let served = Served::start();
    let policies = format!("{POLICIES}    consistency: at-rest\n");
    let (machine, point) = lost_after_its_stop(&served, &policies);
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains(&format!("its machine {machine} is running")), "{told}");
    assert!(told.contains("one every 6 hours") && !told.contains("within minutes"), "{told}");
    served.pass(3600);
    assert_eq!(image_of(&served, &point), None);
    served.stop(&machine);
    served.pass(7 * 3600);
    assert!(image_of(&served, &point).is_some(), "{}", served.says(&["status"], ""));
}

#[test]
fn a_point_whose_policy_is_gone_is_refused_with_what_to_do() {
    let served = Served::start();
    let (_, [older, _]) = two_points(&served);
    served.deregister(&image_of(&served, &older).expect("there is one"));
    served.pass(2 * 3600);
    let other = POLICIES.replace("gold:", "silver:");
    served.says(&["policy", "apply", "-", "--yes", "--prune"], &other);
    let output = served.run(&["heal", &older]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let said = said(&output);
    assert!(said.contains("policy gold is no longer in force"), "{said}");
    assert!(said.contains("afterimage policy apply"), "{said}");
}

#[test]
fn a_place_that_was_given_up_is_refused_until_the_policy_names_it_and_is_made_again_then() {
    let served = Served::start();
    let replicated = format!("{POLICIES}    replicate: [{{region: eu-west-1}}]\n");
    served.says(&["policy", "apply", "-", "--yes"], &replicated);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(3600);
    served.says(&["policy", "apply", "-", "--yes"], POLICIES);
    served.delete_image_in("eu-west-1");
    served.pass(2 * 3600);
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("eu-west-1: policy gold no longer replicates to eu-west-1"), "{told}");
    assert!(told.contains("afterimage policy apply"), "{told}");
    served.says(&["policy", "apply", "-", "--yes"], &replicated);
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("eu-west-1: copied again from us-east-1, within minutes"), "{told}");
    served.pass(1200);
    assert!(served.has_images_in("eu-west-1"), "{}", served.says(&["status"], ""));
    let told = served.says(&["status"], "");
    assert!(told.contains("1/1") && !told.contains("(lost)"), "{told}");
}

#[test]
fn what_names_no_point_is_refused() {
    let served = Served::start();
    for name in ["web", "gold-0123456789abcdef0-ask-1"] {
        let output = served.run(&["heal", name]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(text(&output.stderr).contains(name), "{}", text(&output.stderr));
    }
}
