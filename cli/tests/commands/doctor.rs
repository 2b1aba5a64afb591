//! `afterimage doctor` as a user sees it: its lines, its sum and its exit status.

use crate::served::{ASKED_FOR, Served, run, squeezed, text};

/// Columns of a terminal.
const COLUMNS: usize = 80;

#[test]
fn a_new_system_has_no_policy_and_a_system_with_one_is_healthy() {
    let served = Served::start();
    served.pass(15 * 60);
    let told = served.says(&["doctor", "--no-test-event"], "");
    println!("{told}");
    assert!(told.lines().all(|line| line.chars().count() <= COLUMNS), "{told}");
    let of = |told: &str, check: &str| -> String {
        let lines = told.lines().skip_while(|line| line.split_whitespace().nth(1) != Some(check));
        let more = |line: &&str| line.starts_with("      ");
        let lines: Vec<&str> = lines.collect();
        let (first, rest) = lines.split_first().unwrap_or_else(|| panic!("no {check} in {told}"));
        let rest: Vec<&str> = rest.iter().copied().take_while(|line| more(line)).collect();
        squeezed(&format!("{first} {}", rest.join(" ")))
    };
    assert_eq!(
        of(&told, "policies"),
        "warn policies no policy is in force: no machine is protected -> apply a policy file: \
         `afterimage policy apply FILE`"
    );
    assert_eq!(of(&told, "credentials"), "ok credentials found in the environment");
    assert_eq!(
        of(&told, "region"),
        "ok region the seat is us-east-1, from AWS_REGION; AWS_DEFAULT_REGION names none, the \
         profile names none"
    );
    assert_eq!(
        of(&told, "table"),
        "ok table afterimage in account 123456789012 is there, with its indexes"
    );
    let last = told.lines().last().unwrap_or_default();
    assert_eq!(last, "healthy: 1 warn, 10 ok", "{told}");

    served.says(&["policy", "apply", "-", "--yes"], ASKED_FOR);
    let told = served.says(&["doctor", "--json", "--no-test-event"], "");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["table"], &told["seat"]), (&"afterimage".into(), &"us-east-1".into()));
    assert_eq!(told["healthy"], true);
    let checks = told["checks"].as_array().expect("a list");
    assert!(checks.iter().all(|check| check["level"] == "ok"), "{told:#}");
}

#[test]
fn the_exit_status_tells_a_system_that_failed_from_one_that_cannot_be_looked_at() {
    let served = Served::start();
    let missing = served.run(&["doctor", "--table", "nothing"]);
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing.stderr));
    assert!(text(&missing.stdout).contains("table nothing does not exist in us-east-1"));
    assert_eq!(text(&missing.stderr), "error: 1 check failed: table\n");
    served.refuse("Query");
    let refused = served.run(&["doctor"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stdout));
    let nowhere = run(&[("AWS_REGION", "")], &["doctor", "--json"], "");
    assert_eq!(nowhere.status.code(), Some(1), "{}", text(&nowhere.stdout));
    let told: serde_json::Value = serde_json::from_slice(&nowhere.stdout).expect("JSON");
    assert_eq!(told["checks"][0]["level"], "fail");
    assert!(told["checks"][0]["found"] == "no region is given", "{told}");
    let nobody = run(&[("AWS_ACCESS_KEY_ID", "")], &["doctor"], "");
    let told = squeezed(&text(&nobody.stdout));
    assert!(told.contains("-> set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"), "{told}");
}

#[test]
fn two_variables_that_name_two_regions_are_told() {
    let served = Served::start();
    let variables = [("AWS_ENDPOINT_URL", served.url()), ("AWS_DEFAULT_REGION", "eu-west-1")];
    let output = run(&variables, &["doctor", "--no-test-event"], "");
    let told = squeezed(&text(&output.stdout));
    let expected = "warn region the seat is us-east-1, from AWS_REGION; AWS_DEFAULT_REGION names \
                    eu-west-1, the profile names none -> set AWS_DEFAULT_REGION to us-east-1 too";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_test_event_comes_back_while_the_clock_of_the_cloud_moves() {
    let served = Served::start();
    served.pass(15 * 60);
    let output = std::thread::scope(|scope| {
        let doctor = scope.spawn(|| served.run(&["doctor"]));
        while !doctor.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(200));
            served.pass(5);
        }
        doctor.join().expect("the command ends")
    });
    let told = text(&output.stdout);
    println!("{told}");
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(squeezed(&told).contains("ok bus a test event on bus afterimage came back"), "{told}");
}

/// A policy that copies into a region in which infra/region.yaml is not deployed.
const INTO_LONDON: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    replicate: [{region: eu-west-1}, {region: eu-west-2}]
";

#[test]
fn a_policy_for_a_region_whose_events_do_not_reach_the_seat_is_applied_with_a_note() {
    let served = Served::start();
    served.pass(15 * 60);
    let applied = served.run_with(&["policy", "apply", "-", "--yes"], INTO_LONDON);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied.stderr));
    let notes = text(&applied.stderr);
    assert!(notes.contains("no event of eu-west-2 reaches the seat: deploy"), "{notes}");
    let applied = served.run_with(&["policy", "apply", "-", "--yes"], ASKED_FOR);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied.stderr));
    let notes = text(&applied.stderr);
    assert!(!notes.contains("reaches the seat"), "{notes}");
}
