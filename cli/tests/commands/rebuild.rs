//! `afterimage rebuild`, as a person runs it after the table is lost.

use serde_json::Value;

use crate::served::{Served, text};

const GOLD: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1}, {region: eu-central-1}]
";

#[test]
fn a_lost_ledger_is_shown_asked_about_written_and_told_apart() {
    let served = Served::start();
    served.says(&["policy", "apply", "--yes", "-"], GOLD);
    let web = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.stop(&web);
    served.pass(4 * 3600);

    let told = served.says(&["rebuild"], "");
    assert!(told.contains("\n0 points to write (+), 1 already in the ledger (=)\n"), "{told}");
    served.lose_the_table();

    let point = format!("gold-{}-run-", web.trim_start_matches("i-"));
    let asked = served.run(&["rebuild"]);
    assert_eq!(asked.status.code(), Some(1));
    let (out, err) = (text(&asked.stdout), text(&asked.stderr));
    assert!(out.starts_with(&format!("+ {point}")), "{out}");
    assert!(out.contains(" protected at-rest ami-"), "{out}");
    assert!(err.contains("us-east-1: 1 image, 1 snapshot ("), "{err}");
    assert!(
        err.contains("error: not written: stdin is not a terminal\n  pass --yes to write 1 point"),
        "{err}"
    );

    let told = served.says(&["rebuild", "--regions", "eu-west-1", "--yes"], "");
    assert!(told.contains("NOT USED\n"), "a copy alone is nothing: {told}");
    let told = served.says(&["rebuild", "--yes"], "");
    assert!(told.ends_with("written as unverified: 1 point, 2 replicas\n"), "{told}");
    let told = served.says(&["status"], "");
    assert!(told.contains("protected\n    unverified: adopted from tags"), "{told}");
    let told = served.says(&["rebuild", "--yes", "--json"], "");
    let told: Value = serde_json::from_str(&told).expect("it is JSON");
    assert!(told["in_ledger"][0].as_str().is_some_and(|id| id.starts_with(&point)), "{told}");
    assert_eq!(told["written"]["points"], 0);
    assert_eq!(told["unusable"], serde_json::json!([]));
}

#[test]
fn a_ledger_restored_into_a_new_table_is_copied_back_and_what_came_after_it_is_adopted() {
    let served = Served::start();
    served.says(&["policy", "apply", "--yes", "-"], GOLD);
    let web = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.stop(&web);
    served.pass(4 * 3600);
    served.restore_into("restored");
    let db = served.machine("al2023-ami-*-x86_64", "db-1", "gold");
    served.pass(120);
    served.stop(&db);
    served.pass(4 * 3600);
    served.lose_the_table();

    let warned = served.run_with(&["policy", "apply", "--dry-run", "-"], GOLD);
    let err = text(&warned.stderr);
    assert!(err.contains("is empty; rounds of work that it knows: us-east-1: 0 of 2"), "{err}");
    assert!(err.contains("run `afterimage rebuild` before you apply policies"), "{err}");

    let asked = served.run(&["rebuild", "--from", "restored"]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(text(&asked.stderr).contains("pass --yes to copy them"), "{asked:?}");
    let told = served.says(&["rebuild", "--from", "restored", "--yes"], "");
    let points = [("=", &web), ("+", &db)];
    for (sign, machine) in points {
        let line = format!("{sign} gold-{}-run-", machine.trim_start_matches("i-"));
        assert!(told.contains(&line), "{line}: {told}");
    }
    // A point with two replicas, its machine and the policy; the three regions are noted already.
    assert!(told.contains("restored table: 5 items; already in the ledger: 3\n"), "{told}");
    assert!(told.ends_with("written as unverified: 1 point, 2 replicas\n"), "{told}");
    assert_eq!(served.in_force().policies.len(), 1, "the policies are copied");
    let again = served.says(&["rebuild", "--from", "restored", "--yes"], "");
    assert!(again.contains("copied from the restored table: 0 items; "), "{again}");
}

#[test]
fn a_region_that_is_none_is_told_before_anything_is_asked() {
    let output = crate::served::run(&[], &["rebuild", "--regions", "mars"], "");
    assert_eq!(output.status.code(), Some(1));
}

/// The replica was deleted, and its region was not listed: the token of its copy is known to EC2.
#[test]
fn a_replica_that_a_rebuild_could_not_look_for_is_copied_if_it_is_gone() {
    let served = Served::start();
    let policies = GOLD.replace(", {region: eu-central-1}", "");
    served.says(&["policy", "apply", "--yes", "-"], &policies);
    let web = served.machine("al2023-ami-*-x86_64", "web-1", "gold");
    served.pass(120);
    served.stop(&web);
    served.pass(4 * 3600);
    served.delete_image_in("eu-west-1");
    served.lose_the_table();
    served.says(&["rebuild", "--regions", "us-east-1", "--yes"], "");
    served.says(&["policy", "apply", "--yes", "-"], &policies);
    served.pass(3 * 3600);
    let told = served.says(&["status"], "");
    assert!(served.has_images_in("eu-west-1"), "{told}");
    assert!(told.contains("1/1") && told.contains("protected"), "{told}");
}
