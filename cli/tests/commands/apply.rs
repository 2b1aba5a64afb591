//! `afterimage policy apply`.

use crate::served::{Served, text};

const APPLY: [&str; 4] = ["policy", "apply", "-", "--yes"];

const GOLD: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers:
      - schedule: cron(0 2 * * ? *)
      - on: stopped
    replicate: [{region: eu-west-1}]
";

const SILVER: &str = "  silver:
    select: {regions: [us-west-2], tags: {backup: silver}}
    triggers: [{schedule: rate(6 hours)}]
";

fn both() -> String {
    format!("{GOLD}{SILVER}")
}

/// Finds the lines that tell what becomes of each policy.
fn signs(told: &str) -> Vec<&str> {
    told.lines().filter(|line| line.starts_with(['+', '~', '=', '-', '!'])).collect()
}

fn names(served: &Served) -> Vec<String> {
    served.in_force().policies.iter().map(|policy| policy.name.to_string()).collect()
}

/// Lists the schedules in the ledger, each with the time up to which its slots are done.
fn cursors(served: &Served) -> Vec<String> {
    let cursors = served.in_force().cursors;
    let told = cursors.iter().map(|cursor| {
        let until = cursor.done_until.strftime("%F %T");
        format!("{} {} {until}", cursor.policy, cursor.schedule)
    });
    told.collect()
}

#[test]
fn policies_are_put_in_force_with_their_regions_and_from_now_on() {
    let served = Served::start();
    assert_eq!(signs(&served.says(&APPLY, &both())), ["+ gold    new", "+ silver  new"]);
    let in_force = served.in_force();
    let regions: Vec<&str> = in_force.regions.iter().map(|region| region.as_str()).collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1", "us-west-2"]);
    let expected = [
        "gold cron(0 2 * * ? *) UTC 2026-01-01 00:00:00",
        "silver rate(6 hours) UTC 2026-01-01 00:00:00",
    ];
    assert_eq!(cursors(&served), expected);
}

#[test]
fn applying_again_tells_what_changes_and_leaves_schedules_where_they_were() {
    let served = Served::start();
    served.says(&APPLY, &both());
    served.pass(3600);
    let wider = both().replace("eu-west-1", "eu-central-1").replace("rate(6", "rate(12");
    assert_eq!(signs(&served.says(&APPLY, &wider)), ["~ gold    changed", "~ silver  changed"]);
    assert_eq!(served.says(&APPLY, &wider), "= gold    unchanged\n= silver  unchanged\n");
    let cursors = cursors(&served);
    let begin = |start: &str| cursors.iter().any(|cursor| cursor.starts_with(start));
    assert!(begin("gold cron(0 2 * * ? *) UTC 2026-01-01 00:00:00"), "{cursors:?}");
    assert!(begin("silver rate(12 hours) UTC 2026-01-01 01:00:"), "{cursors:?}");
    let regions = served.in_force().regions;
    assert!(regions.iter().any(|region| region.as_str() == "eu-west-1"), "{regions:?}");
}

#[test]
fn what_is_missing_from_the_file_is_told_and_goes_only_with_prune() {
    let served = Served::start();
    served.says(&APPLY, &both());
    let told = served.says(&APPLY, GOLD);
    let kept = "! silver  in force, but not in the file; --prune removes it";
    assert_eq!(told, format!("= gold    unchanged\n{kept}\n"));

    let output = served.run_with(&["policy", "apply", "-", "--prune"], GOLD);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "= gold    unchanged\n- silver  removed\n");
    let said = text(&output.stderr);
    assert!(
        said.contains("error: not applied: stdin is not a terminal") && said.contains("--yes"),
        "{said}"
    );
    assert_eq!(names(&served), ["gold", "silver"]);

    let told = served.says(&["policy", "apply", "-", "--prune", "--yes"], GOLD);
    assert_eq!(told, "= gold    unchanged\n- silver  removed\n\napplied\n");
    assert_eq!(names(&served), ["gold"]);
    assert_eq!(cursors(&served).len(), 1, "its schedule is forgotten with it");
}

#[test]
fn what_changes_and_what_it_sets_going_is_shown_before_anything_is_done() {
    let served = Served::start();
    served.machine("al2023-ami-*-x86_64", "one", "gold");
    served.machine("al2023-ami-*-x86_64", "two", "Gold");
    let expected = "\
+ gold    new
    + select.regions: us-east-1
    + select.tags.backup: gold
    + triggers(cron(0 2 * * ? *))
    + triggers(on stopped)
    + triggers(on stopped).min_interval: 12h
    + replicate(eu-west-1)
+ silver  new
    + select.regions: us-west-2
    + select.tags.backup: silver
    + triggers(rate(6 hours))

gold
  selects   1 machine in us-east-1
  next run  Thu 2026-01-01 02:00 UTC
  ! MACHINE: policy gold nearly selects this machine: tag `backup`

silver
  selects   0 machines in us-west-2
  next run  Thu 2026-01-01 06:00 UTC
  ! no machine in us-west-2 has backup=silver (policy-matches-nothing)
";
    let shown = |told: &str| {
        let line = |line: &str| match line.find("i-") {
            Some(at) => format!("{}MACHINE: {}\n", &line[..at], &line[at + 21..]),
            None => format!("{line}\n"),
        };
        // The rest of the sentence stands in the tests of what looks uncovered.
        let rest = |line: &&str| !line.starts_with("  is `Gold`");
        told.lines().filter(rest).map(line).collect::<String>()
    };
    for words in [&["--dry-run"][..], &[]] {
        let arguments = [&["policy", "apply", "-"], words].concat();
        let output = served.run_with(&arguments, &both());
        assert_eq!(shown(&text(&output.stdout)), expected, "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(if words.is_empty() { 1 } else { 0 }));
        assert_eq!(names(&served), Vec::<String>::new());
    }
    served.says(&APPLY, &both());
    let other = both().replace("[{region: eu-west-1}]", "[{region: eu-west-1, kms_key: alias/x}]");
    let told = served.says(&["policy", "apply", "-", "--dry-run"], &other);
    let expected = "~ gold    changed\n    + replicate(eu-west-1).kms_key: alias/x\n= silver  \
                    unchanged\n\ngold\n";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn where_nothing_changes_nothing_is_asked() {
    let served = Served::start();
    served.says(&APPLY, GOLD);
    let told = served.says(&["policy", "apply", "-"], GOLD);
    assert_eq!(told, "= gold  unchanged\n");
}

#[test]
fn what_is_not_acted_on_yet_is_said_where_it_is_applied() {
    let served = Served::start();
    let output = served.run_with(&APPLY, &format!("{GOLD}    retain: {{daily: 7}}\n"));
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("note: policy gold: `retain` is not acted on yet"), "{said}");
}

#[test]
fn a_policy_that_comes_back_does_not_make_up_for_the_time_between() {
    let served = Served::start();
    served.says(&APPLY, &both());
    served.says(&["policy", "apply", "-", "--prune", "--yes"], GOLD);
    served.pass(13 * 3600);
    served.says(&APPLY, &both());
    let cursors = cursors(&served);
    let silver = cursors.iter().find(|cursor| cursor.starts_with("silver"));
    assert!(silver.is_some_and(|cursor| cursor.contains(" 2026-01-01 13:00:")), "{cursors:?}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_nothing_is_applied() {
    let served = Served::start();
    let wrong = r#"policies:
  gold:
    select: {regions: [us-east-1, us-eats-1], tags: {backup: gold}, tag: x}
    triggers:
      - schedule: cron(0 2 * * *)
        timezone: Asia/Saigon City
      - on: 5m
        min_interval: [12h]
    image: {share: {accounts: [123456789012]}}
    replicate: [{region: us-east-1}]
  gold:
    select: {regions: [eu-west-1], tags: {a: b}}
    triggers: [{on: stopped}]
  fine:
    select: {regions: [us-east-1], tags: {backup: fine}}
    triggers: [{on: stopped}]
"#;
    let output = served.run_with(&APPLY, wrong);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    let expected = [
        ":3:35: `us-eats-1` is not a region",
        ":3:69: unknown key `tag`",
        ":5:19: a cron expression has 6 fields",
        ":6:19: `Asia/Saigon City` is not a time zone",
        ":7:13: `on: 5m` is not a known event",
        ":8:23: `min_interval`",
        ":9:32: the account id 123456789012 is not in quotes",
        ":10:16: no replica region is left for machines in us-east-1",
        ":11:3: policy `gold` is defined twice",
    ];
    let places: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix("standard input")).collect();
    assert_eq!(places.len(), expected.len(), "{said}");
    for (place, expected) in places.iter().zip(expected) {
        assert!(place.starts_with(expected), "expected {expected}\n     got {place}");
    }
    let first = said.lines().next().unwrap_or_default();
    assert_eq!(first, "error: 9 problems in standard input; nothing was applied");
    assert_eq!(said.lines().filter(|line| line.contains(" = ")).count(), 9, "{said}");
    assert!(said.contains("write \"123456789012\""), "{said}");
    let in_force = served.in_force();
    assert!(in_force.policies.is_empty() && in_force.regions.is_empty(), "{in_force:?}");
}

#[test]
fn machines_that_are_stopped_already_are_counted_before_they_are_imaged() {
    let served = Served::start();
    for name in ["one", "two", "three"] {
        let machine = served.machine("al2023-ami-*-x86_64", name, "gold");
        served.pass(120);
        if name != "three" {
            served.stop(&machine);
        }
    }
    served.pass(600);
    let dry = served.says(&["policy", "apply", "-", "--dry-run", "--json"], GOLD);
    let dry: serde_json::Value = serde_json::from_str(&dry).expect("JSON");
    assert_eq!((&dry["applied"], &dry["changes"]["added"][0]), (&false.into(), &"gold".into()));
    assert_eq!(dry["effects"][0]["machines"]["us-east-1"], 3);
    assert_eq!(dry["effects"][0]["images_of_stopped"], 2);
    let told = served.says(&APPLY, GOLD);
    let count = "  at once   2 machines are already stopped and will be imaged once each\n";
    assert!(told.contains(count), "{told}");
    let told = served.says(&["policy", "apply", "-", "--json"], GOLD);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["changes"]["unchanged"], serde_json::json!(["gold"]));
    assert_eq!(told["effects"], serde_json::Value::Null, "it says so once");
}

#[test]
fn the_example_of_the_documents_can_be_applied() {
    let served = Served::start();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/example.yaml");
    let told = served.says(&["policy", "apply", file, "--yes"], "");
    assert_eq!(signs(&told), ["+ gold       new", "+ silver     new", "+ databases  new"]);
}

#[test]
fn a_key_of_another_account_is_refused_at_its_place_in_the_file() {
    let served = Served::start();
    let foreign = GOLD.replace(
        "{region: eu-west-1}",
        "{region: eu-west-1, kms_key: 'arn:aws:kms:eu-west-1:111122223333:alias/dr'}",
    );
    let output = served.run_with(&APPLY, &foreign);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    let expected = "standard input:7:46: this key belongs to account 111122223333, and the \
                    functions may use only keys of 123456789012, the account of the stack\n";
    assert!(told.contains(expected), "{told}");
    assert!(told.contains("= name a key of account 123456789012"), "{told}");
    assert_eq!(names(&served), [""; 0]);
    served.says(&APPLY, &foreign.replace("111122223333", "123456789012"));
    assert_eq!(names(&served), ["gold"]);
}
