//! Schedules, with second opinions: random expressions are put to an implementation that we did not
//! write, and the nights on which clocks change are walked through minute by minute in Python.

mod expressions;

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use afterimage_core::policy::schedule::Schedule;
use afterimage_tests::python;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// Instants after which an expression is asked for: before a leap day, at the end of a year, and in
/// the middle of nowhere. In minutes since the epoch.
const AFTER: [i64; 3] = [28_486_078, 29_979_359, 32_328_754];
/// So many slots after each of them, before the end of the year 2065.
const COUNT: usize = 8;
const UNTIL: i64 = 50_492_160;
const EXPRESSIONS: usize = 3000;
const SEED: u64 = 20_260_101;

/// Where aws-croniter does not follow the guide of EventBridge, with what it does.
const DIFFERENT: &[(&str, &str)] = &[
    ("0 0 LW * ? *", "takes the L for a number, although its check lets it pass"),
    ("0 0 ? * L *", "takes it for the last of no day of the week, which never comes"),
    ("0 0 ? * 2/2 *", "allows no steps in the days of the week, and the guide does not name them"),
    ("0 0 1 1 ? 2030/5", "wants steps of years to be years themselves"),
];

/// Zones that change their clocks: in the north and the south, by an hour, by half of one, by two,
/// at midnight, and half an hour off the others.
const ZONES: [&str; 9] = [
    "America/New_York",
    "Europe/Berlin",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "Antarctica/Troll",
    "America/St_Johns",
];
const YEARS: [i32; 2] = [2023, 2025];
/// Expressions that are walked through each night.
const WALKED: usize = 60;

/// What Python answers, a value for each line.
fn ask(question: &str, of: &Value) -> Vec<Value> {
    // Cargo gives tests a folder of their own in the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target");
    let mut command = python::command(target, &["schedules.py", question])
        .unwrap_or_else(|text| panic!("{text}"));
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python runs");
    // It reads all of it before it says anything, and what it says if it does not is of interest.
    let asked = child.stdin.take().map(|mut stdin| stdin.write_all(of.to_string().as_bytes()));
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    asked.expect("it is piped").expect("python reads");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("an answer is JSON")).collect()
}

fn minutes(value: &Value) -> Vec<i64> {
    let all = value.as_array().unwrap_or_else(|| panic!("no minutes: {value}"));
    all.iter().map(|minute| minute.as_i64().expect("a minute is a number")).collect()
}

fn instant(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).expect("it is an instant")
}

fn minute(instant: Timestamp) -> i64 {
    instant.as_second() / 60
}

/// The slots after each of the instants, in minutes; none of an expression that never comes.
fn ours(expression: &str) -> Vec<Vec<i64>> {
    match Schedule::parse(&format!("cron({expression})")) {
        Ok(schedule) => {
            let zone = TimeZone::UTC;
            let next = |after: &i64| {
                let slots = schedule.after(instant(*after), &zone).map(minute);
                slots.take_while(|slot| *slot < UNTIL).take(COUNT).collect()
            };
            AFTER.iter().map(next).collect()
        }
        Err(why) if why.contains("no such day") => vec![Vec::new(); AFTER.len()],
        Err(why) => panic!("cron({expression}): {why}"),
    }
}

fn theirs(expressions: &[String]) -> Vec<Value> {
    let question =
        json!({"expressions": expressions, "after": AFTER, "count": COUNT, "until": UNTIL});
    let answers = ask("next", &question);
    assert_eq!(answers.len(), expressions.len());
    answers
}

#[test]
fn random_expressions_come_when_another_implementation_says_so() {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let expressions: Vec<String> =
        (0..EXPRESSIONS).map(|_| expressions::anything(&mut rng)).collect();
    let mut slots = 0;
    let mut never = 0;
    for (expression, answer) in expressions.iter().zip(theirs(&expressions)) {
        let answer = answer.as_array().unwrap_or_else(|| panic!("cron({expression}): {answer}"));
        let expected: Vec<Vec<i64>> = answer.iter().map(minutes).collect();
        let ours = ours(expression);
        assert_eq!(ours, expected, "cron({expression})");
        let count = ours.iter().map(Vec::len).sum::<usize>();
        slots += count;
        never += usize::from(count == 0);
    }
    // An expression that names days that there are not, or years that are over, shows little.
    assert!(never * 10 < EXPRESSIONS, "{never} of {EXPRESSIONS} never come");
    println!("{EXPRESSIONS} expressions and {slots} slots agreed on");
}

#[test]
fn where_the_other_implementation_is_wrong_it_still_is() {
    let expressions: Vec<String> = DIFFERENT.iter().map(|(text, _)| text.to_string()).collect();
    for ((expression, why), answer) in DIFFERENT.iter().zip(theirs(&expressions)) {
        let ours = ours(expression);
        assert!(ours.iter().any(|slots| !slots.is_empty()), "{expression}");
        // Should a new release follow the guide, the mark has to go.
        assert_ne!(answer, json!(ours), "{expression}: it agrees now, and no longer {why}");
    }
}

/// Holds our slots against those of a walk through the nights on which these zones changed clocks.
fn walk(zones: &[&str], years: [i32; 2], nights_min: usize, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let expressions: Vec<String> = (0..WALKED).map(|_| expressions::nightly(&mut rng)).collect();
    let question = json!({"zones": zones, "years": years, "expressions": expressions});
    let nights = ask("clocks", &question);
    assert!(nights.len() >= nights_min, "only {} nights", nights.len());
    for night in nights {
        let name = night["zone"].as_str().expect("a night is one of a zone");
        let zone = TimeZone::get(name).expect("it is a zone");
        let [first, last] =
            ["first", "last"].map(|end| night[end].as_i64().expect("a night has two ends"));
        let walked = night["slots"].as_array().expect("it was walked through");
        assert_eq!(walked.len(), expressions.len());
        for (expression, expected) in expressions.iter().zip(walked) {
            let schedule = Schedule::parse(&format!("cron({expression})"))
                .unwrap_or_else(|why| panic!("cron({expression}): {why}"));
            let slots = schedule.after(instant(first - 1), &zone).map(minute);
            let slots: Vec<i64> = slots.take_while(|slot| *slot <= last).collect();
            let around = instant(i64::midpoint(first, last));
            assert_eq!(slots, minutes(expected), "cron({expression}) in {name} around {around}");
        }
    }
}

#[test]
fn on_nights_on_which_clocks_change_schedules_run_as_a_clock_on_the_wall_shows() {
    // Two nights a year; Cairo began with it again in 2023.
    walk(&ZONES, YEARS, 9 * 3 * 2, SEED);
}

#[test]
fn a_day_that_is_left_out_is_made_up_for() {
    // Apia crossed the date line at the end of 2011.
    walk(&["Pacific/Apia"], [2011, 2011], 3, SEED + 1);
}

#[test]
fn a_zone_whose_clocks_never_change_has_no_such_nights() {
    let zones = ["Asia/Ho_Chi_Minh", "Asia/Kolkata", "UTC"];
    let question = json!({"zones": zones, "years": YEARS, "expressions": ["0 2 * * ? *"]});
    assert_eq!(ask("clocks", &question), Vec::<Value>::new());
}
