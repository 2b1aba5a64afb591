//! Schedules: expected times by hand, with the nights on which clocks change.

use afterimage_core::policy::schedule::Schedule;
use jiff::tz::TimeZone;

/// The slots after an instant, as UTC texts.
fn check(expression: &str, zone: &str, after: &str, expected: &[&str]) {
    let schedule = Schedule::parse(expression).unwrap_or_else(|why| panic!("{expression}: {why}"));
    let zone = TimeZone::get(zone).expect("a time zone");
    let after = after.parse().expect("an instant");
    let end = "2100-01-01T00:00:00Z".parse().expect("an instant");
    let slots = schedule.between(after, end, &zone, expected.len());
    let slots: Vec<String> = slots.iter().map(ToString::to_string).collect();
    assert_eq!(slots, expected, "{expression} in {zone:?} after {after}");
}

#[test]
fn a_daily_time_follows_its_zone() {
    check(
        "cron(0 2 * * ? *)",
        "Asia/Ho_Chi_Minh",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T19:00:00Z", "2026-01-02T19:00:00Z"],
    );
}

#[test]
fn a_time_that_is_skipped_runs_at_the_jump_and_several_collapse() {
    // New York, 8 March 2026: 02:00 becomes 03:00, at 07:00 UTC.
    check(
        "cron(30 2 * * ? *)",
        "America/New_York",
        "2026-03-07T12:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
    );
    check(
        "cron(0,15,30,45 2 * * ? *)",
        "America/New_York",
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"],
    );
    // The slot at the jump and a regular one at the same instant are one slot.
    check(
        "cron(0 2,3 * * ? *)",
        "America/New_York",
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z", "2026-03-09T07:00:00Z"],
    );
}

#[test]
fn a_time_that_comes_twice_runs_once_the_first_time() {
    // New York, 1 November 2026: 02:00 becomes 01:00 again, at 06:00 UTC.
    check(
        "cron(30 1 * * ? *)",
        "America/New_York",
        "2026-10-31T12:00:00Z",
        &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
    );
}

#[test]
fn every_hour_follows_elapsed_time_through_both_changes() {
    check(
        "cron(0 * * * ? *)",
        "America/New_York",
        "2026-11-01T04:30:00Z",
        &["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
    );
    check(
        "cron(0 * * * ? *)",
        "America/New_York",
        "2026-03-08T06:30:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"],
    );
}

#[test]
fn a_change_of_half_an_hour_loses_and_doubles_nothing() {
    // Lord Howe, 5 April 2026: 02:00 (+11) becomes 01:30 (+10:30), at 4 April 15:00 UTC.
    check(
        "cron(0,30 * * * ? *)",
        "Australia/Lord_Howe",
        "2026-04-04T14:00:00Z",
        &["2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"],
    );
    check(
        "cron(45 1 * * ? *)",
        "Australia/Lord_Howe",
        "2026-04-04T00:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    );
}

#[test]
fn days_of_months_and_weeks_are_counted_as_in_eventbridge() {
    let utc =
        |expression, expected: &[&str]| check(expression, "UTC", "2026-01-01T00:00:00Z", expected);
    utc("cron(0 9 L * ? *)", &["2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"]);
    utc("cron(0 9 LW * ? *)", &["2026-01-30T09:00:00Z", "2026-02-27T09:00:00Z"]);
    // The 3rd of January 2026 is a Saturday, the 1st of February a Sunday.
    utc("cron(0 9 3W * ? *)", &["2026-01-02T09:00:00Z", "2026-02-03T09:00:00Z"]);
    utc("cron(0 9 1W 2 ? *)", &["2026-02-02T09:00:00Z", "2027-02-01T09:00:00Z"]);
    utc("cron(0 9 ? * 6L *)", &["2026-01-30T09:00:00Z", "2026-02-27T09:00:00Z"]);
    utc("cron(0 9 ? * TUE#2 *)", &["2026-01-13T09:00:00Z", "2026-02-10T09:00:00Z"]);
    utc("cron(0/20 8 ? * MON-FRI *)", &["2026-01-01T08:00:00Z", "2026-01-01T08:20:00Z"]);
    utc("cron(0 0 29 2 ? *)", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    utc("cron(0 22 ? * FRI-MON 2030)", &["2030-01-04T22:00:00Z", "2030-01-05T22:00:00Z"]);
}

#[test]
fn a_rate_counts_from_the_epoch() {
    check(
        "rate(6 hours)",
        "Europe/Paris",
        "2026-01-01T06:00:00Z",
        &["2026-01-01T12:00:00Z", "2026-01-01T18:00:00Z"],
    );
}

#[test]
fn what_is_no_schedule_is_told_with_what_would_be_one() {
    let refused = [
        ("every day", "neither cron(...) nor rate(...)"),
        ("cron(0 2 * * ?)", "6 fields"),
        ("cron(0 2 * * * *)", "must be `?`"),
        ("cron(0 2 ? * ? *)", "both `?`"),
        ("cron(60 2 * * ? *)", "minutes: `60` is not between 0 and 59"),
        ("cron(0 2 * FOO ? *)", "month: `FOO`"),
        ("cron(0 2 * * ? 2030-2020)", "ends before it begins"),
        ("cron(0/0 2 * * ? *)", "no step"),
        ("rate(1 hours)", "write rate(1 hour)"),
        ("rate(2 hour)", "write rate(2 hours)"),
        ("rate(0 minutes)", "at least 1"),
        ("rate(5 fortnights)", "not a unit"),
    ];
    for (expression, why) in refused {
        let said = Schedule::parse(expression).expect_err(expression);
        assert!(said.contains(why), "{expression}: {said}");
    }
}
