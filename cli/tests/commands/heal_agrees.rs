//! `afterimage heal` and the finding of a lost image say the same: if the image is made again, and
//! what it waits for.

use crate::served::{ASKED_FOR, Served, said, squeezed};

/// The findings that are open, and everything else that the status shows.
fn status(served: &Served) -> String {
    squeezed(&served.says(&["status"], ""))
}

/// A machine with a protected point: the machine, and the point.
fn protected(served: &Served, policies: &str) -> (String, String) {
    served.says(&["policy", "apply", "-", "--yes"], policies);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    let point = served.says(&["capture", &machine], "").trim().to_string();
    served.pass(3600);
    assert!(status(served).contains("protected"), "{}", status(served));
    (machine, point)
}

fn delete_home_image(served: &Served, point: &str) {
    let image = served.image_named(&format!("{point}-*")).expect("there is one");
    served.delete_image(&image);
}

#[test]
fn an_image_that_waits_for_a_key_is_not_said_to_be_copied_within_minutes() {
    let served = Served::start();
    let key = served.make_key("eu-west-1", "alias/dr");
    let under_key =
        ASKED_FOR.replace("{region: eu-west-1}", "{region: eu-west-1, kms_key: alias/dr}");
    let (_, point) = protected(&served, &under_key);
    // The hourly check has just read the key.
    served.pass(900);
    served.disable_key("eu-west-1", &key);
    delete_home_image(&served, &point);
    served.pass(1200);
    let why = "key alias/dr is Disabled";
    let told = status(&served);
    assert!(told.contains("is not made again now:") && told.contains(why), "{told}");
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains(why), "{}", said(&output));
    assert!(!said(&output).contains("within minutes"), "{}", said(&output));
    served.enable_key("eu-west-1", &key);
    served.pass(2 * 3600);
    assert!(!status(&served).contains("(lost)"), "{}", status(&served));
}

#[test]
fn what_waits_for_a_disabled_image_is_accepted_and_says_so() {
    let served = Served::start();
    let two =
        ASKED_FOR.replace("[{region: eu-west-1}]", "[{region: eu-west-1}, {region: eu-central-1}]");
    let (_, point) = protected(&served, &two);
    let image = served.disable_image_in("eu-west-1");
    served.pass(2 * 3600);
    served.delete_image_in("eu-central-1");
    delete_home_image(&served, &point);
    served.pass(2 * 3600);
    let told = status(&served);
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for way in ["copied back", "copied again"] {
        let waits = format!("it is {way} once the image in eu-west-1 can be used");
        assert!(told.contains(&waits), "{waits}: {told}");
        assert!(said(&output).contains(&waits), "{waits}: {}", said(&output));
    }
    assert!(!told.contains("is not made again:"), "{told}");
    served.enable_image_in("eu-west-1", &image);
    served.pass(13 * 3600);
    assert!(served.has_images_in("eu-central-1"), "{}", status(&served));
    assert!(!status(&served).contains("(lost)"), "{}", status(&served));
}

#[test]
fn what_a_person_cannot_have_made_again_does_not_tell_them_to_ask_for_it() {
    let served = Served::start();
    let (machine, point) = protected(&served, &format!("{ASKED_FOR}    heal: false\n"));
    served.terminate(&machine);
    served.pass(2 * 3600);
    served.delete_image_in("eu-west-1");
    delete_home_image(&served, &point);
    served.pass(25 * 3600);
    let why = "nothing is left of the point";
    let told = status(&served);
    assert!(told.contains(why), "{told}");
    assert!(!told.contains(&format!("afterimage heal {point}")), "{told}");
    let output = served.run(&["heal", &point]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(why), "{}", said(&output));
}
