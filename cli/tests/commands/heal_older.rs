//! Lost places of points that are not the newest: what `status` says of them stays true, and what a
//! person asks for is made.

use crate::served::{ASKED_FOR, Served, said, squeezed};

const IRELAND: &str = "eu-west-1";

const AN_HOUR: u32 = 3600;

/// The findings that are open, and everything else that the status shows.
fn status(served: &Served) -> String {
    squeezed(&served.says(&["status"], ""))
}

/// The exit code of a command, and what it prints.
fn run(served: &Served, arguments: &[&str]) -> (Option<i32>, String) {
    let output = served.run(arguments);
    (output.status.code(), said(&output))
}

/// A machine, and so many good points of it, the oldest first.
fn points(served: &Served, policies: &str, count: usize) -> (String, Vec<String>) {
    served.says(&["policy", "apply", "-", "--yes"], policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let points = (0..count).map(|_| capture(served, &machine)).collect();
    (machine, points)
}

/// Has a machine imaged, and waits for it.
fn capture(served: &Served, machine: &str) -> String {
    let point = served.says(&["capture", machine], "").trim().to_string();
    served.pass(AN_HOUR);
    point
}

fn image_of(served: &Served, point: &str, region: &str) -> Option<String> {
    served.image_named_in(region, &format!("{point}-*"))
}

fn delete(served: &Served, point: &str, region: &str) {
    served.delete_in(region, &image_of(served, point, region).expect("there is one"));
}

#[test]
fn each_older_point_that_a_person_asks_for_is_made_again() {
    for region in [IRELAND, "us-east-1"] {
        let served = Served::start();
        let (_, points) = points(&served, ASKED_FOR, 3);
        for point in &points[..2] {
            delete(&served, point, region);
        }
        served.pass(2 * AN_HOUR);
        for point in &points[..2] {
            let (code, said) = run(&served, &["heal", point]);
            assert_eq!(code, Some(0), "{said}");
            assert!(said.contains("within minutes"), "{said}");
        }
        served.pass(2 * AN_HOUR);
        for point in &points {
            assert!(image_of(&served, point, region).is_some(), "{point}: {}", status(&served));
        }
        assert!(!status(&served).contains("(lost)"), "{}", status(&served));
    }
}

/// A point whose replica is lost, and whose copy waits for a key of its policy.
fn waits_for_a_key(served: &Served) -> (String, String, String) {
    let key = served.make_key(IRELAND, "alias/dr");
    let under_key =
        ASKED_FOR.replace("{region: eu-west-1}", "{region: eu-west-1, kms_key: alias/dr}");
    let (machine, points) = points(served, &under_key, 1);
    delete(served, &points[0], IRELAND);
    served.disable_key(IRELAND, &key);
    served.pass(2 * AN_HOUR);
    assert!(status(served).contains("It is to be made again: eu-west-1"), "{}", status(served));
    (machine, points[0].clone(), key)
}

#[test]
fn a_lost_copy_that_a_newer_point_takes_the_place_of_is_lost_until_a_person_asks_for_it() {
    let served = Served::start();
    let (machine, older, key) = waits_for_a_key(&served);
    let newer = capture(&served, &machine);
    served.pass(2 * AN_HOUR);
    let told = status(&served);
    assert!(!told.contains("It is to be made again: eu-west-1"), "{told}");
    let why = format!("It is not made again by itself: {newer} is newer and good");
    assert!(told.contains(&why) && told.contains(&format!("afterimage heal {older}")), "{told}");
    served.enable_key(IRELAND, &key);
    served.pass(2 * AN_HOUR);
    assert!(image_of(&served, &newer, IRELAND).is_some(), "{}", status(&served));
    assert_eq!(image_of(&served, &older, IRELAND), None, "only the newest by itself");
    let (code, said) = run(&served, &["heal", &older]);
    assert_eq!(code, Some(0), "{said}");
    served.pass(AN_HOUR);
    assert!(image_of(&served, &older, IRELAND).is_some(), "{}", status(&served));
    assert!(!status(&served).contains("(lost)"), "{}", status(&served));
}

#[test]
fn a_lost_copy_that_a_newer_point_takes_the_place_of_can_be_called_off() {
    let served = Served::start();
    let (machine, older, _) = waits_for_a_key(&served);
    capture(&served, &machine);
    served.pass(2 * AN_HOUR);
    let (code, said) = run(&served, &["cancel", &older, "--place", IRELAND]);
    assert_eq!(code, Some(0), "{said}");
    served.pass(AN_HOUR);
    assert!(!status(&served).contains("(lost)"), "{}", status(&served));
}

#[test]
fn a_lost_copy_that_waits_in_a_region_that_the_policy_leaves_is_said_to_be_given_up() {
    let served = Served::start();
    let (machine, point, key) = waits_for_a_key(&served);
    let left = ASKED_FOR.replace("    replicate: [{region: eu-west-1}]\n", "");
    served.says(&["policy", "apply", "-", "--yes"], &left);
    served.pass(3 * AN_HOUR);
    let told = status(&served);
    assert!(!told.contains("It is to be made again: eu-west-1"), "{told}");
    assert!(told.contains("policy gold did not replicate to eu-west-1"), "{told}");
    let (code, said) = run(&served, &["heal", &point]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("policy gold no longer replicates to eu-west-1"), "{said}");
    // A newer point is good when the policy wants the region again.
    capture(&served, &machine);
    served.enable_key(IRELAND, &key);
    served.says(&["policy", "apply", "-", "--yes"], ASKED_FOR);
    served.pass(3 * AN_HOUR);
    assert_eq!(image_of(&served, &point, IRELAND), None, "only the newest by itself");
    let told = status(&served);
    let why = "taken up again if no newer point is good by then, and a person can ask for it";
    assert!(told.contains(why), "{told}");
    let (code, said) = run(&served, &["heal", &point]);
    assert_eq!(code, Some(0), "{said}");
    served.pass(AN_HOUR);
    assert!(image_of(&served, &point, IRELAND).is_some(), "{}", status(&served));
}

#[test]
fn what_is_said_of_an_older_point_follows_what_is_left_of_it() {
    let served = Served::start();
    let (_, points) = points(&served, ASKED_FOR, 2);
    let older = &points[0];
    delete(&served, older, IRELAND);
    served.pass(2 * AN_HOUR);
    let offer = format!("`afterimage heal {older}` has it made again");
    assert!(status(&served).contains(&offer), "{}", status(&served));
    delete(&served, older, "us-east-1");
    served.pass(7 * AN_HOUR);
    let told = status(&served);
    assert!(!told.contains(&offer), "{told}");
    assert!(told.contains("no image of the point is left to copy it from"), "{told}");
    let (code, said) = run(&served, &["heal", older]);
    assert_eq!(code, Some(1), "{said}");
}
