//! The nights on which clocks change, of which the instants are published: in the north and the
//! south, by an hour, by half of one, by two, by a day, and at midnight; and zones without.
//!
//! A fixed local time that comes twice runs once, the first time; one that is skipped runs at the
//! jump, and several collapse into that. An hour field of `*` follows elapsed time.

use crate::check;

/// Hours that are all there are.
const EVERY_HOUR: [&str; 4] = ["*", "*/1", "0-23", "0/1"];

/// New York. 8 March 2026: 02:00 becomes 03:00 at 07:00 UTC. 1 November: 02:00 becomes 01:00 at
/// 06:00 UTC.
#[test]
fn new_york() {
    let check = |expression: &str, after: &str, expected: &[&str]| {
        check(expression, "America/New_York", after, expected);
    };
    check(
        "cron(30 2 * * ? *)",
        "2026-03-07T00:00:00Z",
        &["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
    );
    check(
        "cron(0,15,30,45 2 * * ? *)",
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z", "2026-03-09T06:15:00Z"],
    );
    // The slot at the jump and a regular one at the same instant are one slot.
    check(
        "cron(0 2,3 * * ? *)",
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z", "2026-03-09T07:00:00Z"],
    );
    // What is due between the jump and a regular slot is not lost either.
    check(
        "cron(30 2,3 * * ? *)",
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"],
    );
    check(
        "cron(30 1 * * ? *)",
        "2026-10-31T12:00:00Z",
        &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
    );
    check(
        "cron(0/20 1 * * ? *)",
        "2026-11-01T00:00:00Z",
        &[
            "2026-11-01T05:00:00Z",
            "2026-11-01T05:20:00Z",
            "2026-11-01T05:40:00Z",
            "2026-11-02T06:00:00Z",
        ],
    );
    check(
        "cron(0 1-2 * * ? *)",
        "2026-11-01T00:00:00Z",
        &["2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z", "2026-11-02T06:00:00Z"],
    );
    for hours in EVERY_HOUR {
        check(
            &format!("cron(0 {hours} * * ? *)"),
            "2026-11-01T04:30:00Z",
            &["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
        );
        check(
            &format!("cron(30 {hours} * * ? *)"),
            "2026-03-08T06:00:00Z",
            &["2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"],
        );
        // The day is that of the clock: the 8th has 23 hours, and the 1st of November 25.
        let days = format!("cron(0 {hours} 8 3 ? *)");
        check(&days, "2026-03-09T02:30:00Z", &["2026-03-09T03:00:00Z", "2027-03-08T05:00:00Z"]);
    }
}

/// Berlin. 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC. 25 October: 03:00 becomes 02:00 at
/// 01:00 UTC.
#[test]
fn berlin() {
    let check = |expression: &str, after: &str, expected: &[&str]| {
        check(expression, "Europe/Berlin", after, expected)
    };
    check(
        "cron(30 2 ? * * *)",
        "2026-03-28T00:00:00Z",
        &["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    );
    // Sundays only: the one on which it is skipped is not lost.
    check(
        "cron(0 2 ? * SUN *)",
        "2026-03-28T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-04-05T00:00:00Z"],
    );
    check(
        "cron(30 2 ? * SUN *)",
        "2026-10-24T00:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-11-01T01:30:00Z"],
    );
    // What lies on either side of the repeated hour.
    check(
        "cron(59 1,2,3 * * ? *)",
        "2026-10-24T23:00:00Z",
        &["2026-10-24T23:59:00Z", "2026-10-25T00:59:00Z", "2026-10-25T02:59:00Z"],
    );
    check(
        "cron(0/30 * * * ? *)",
        "2026-10-25T00:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"],
    );
    check(
        "cron(0/30 * * * ? *)",
        "2026-03-29T00:00:00Z",
        &["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
    );
}

/// Sydney. 5 April 2026: 03:00 becomes 02:00 at 16:00 UTC of the 4th. 4 October: 02:00 becomes
/// 03:00 at 16:00 UTC of the 3rd.
#[test]
fn sydney() {
    let check = |expression: &str, after: &str, expected: &[&str]| {
        check(expression, "Australia/Sydney", after, expected)
    };
    check(
        "cron(30 2 * * ? *)",
        "2026-04-04T00:00:00Z",
        &["2026-04-04T15:30:00Z", "2026-04-05T16:30:00Z"],
    );
    check(
        "cron(30 2 * * ? *)",
        "2026-10-03T00:00:00Z",
        &["2026-10-03T16:00:00Z", "2026-10-04T15:30:00Z"],
    );
    check(
        "cron(15 * * * ? *)",
        "2026-04-04T15:00:00Z",
        &["2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z", "2026-04-04T17:15:00Z"],
    );
    check(
        "cron(15 * * * ? *)",
        "2026-10-03T15:00:00Z",
        &["2026-10-03T15:15:00Z", "2026-10-03T16:15:00Z"],
    );
}

/// Lord Howe, by half an hour. 5 April 2026: 02:00 (+11) becomes 01:30 (+10:30) at 15:00 UTC of the
/// 4th. 4 October: 02:00 (+10:30) becomes 02:30 (+11) at 15:30 UTC of the 3rd.
#[test]
fn lord_howe() {
    let check = |expression: &str, after: &str, expected: &[&str]| {
        check(expression, "Australia/Lord_Howe", after, expected);
    };
    check(
        "cron(45 1 * * ? *)",
        "2026-04-04T00:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    );
    check(
        "cron(15 2 * * ? *)",
        "2026-10-03T00:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
    );
    check(
        "cron(15,30 2 * * ? *)",
        "2026-10-03T00:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z", "2026-10-04T15:30:00Z"],
    );
    check(
        "cron(0,30 * * * ? *)",
        "2026-04-04T14:00:00Z",
        &["2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"],
    );
    // The full hour comes after ninety minutes on both nights: only minutes that exist match.
    check(
        "cron(0 * * * ? *)",
        "2026-04-04T13:30:00Z",
        &["2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"],
    );
    check(
        "cron(0 * * * ? *)",
        "2026-10-03T14:00:00Z",
        &["2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"],
    );
}

/// Havana, at midnight. 8 March 2026: 00:00 becomes 01:00 at 05:00 UTC. 1 November: 01:00 becomes
/// 00:00 at 05:00 UTC.
#[test]
fn havana() {
    let check = |expression: &str, after: &str, expected: &[&str]| {
        check(expression, "America/Havana", after, expected)
    };
    check(
        "cron(0 0 * * ? *)",
        "2026-03-07T00:00:00Z",
        &["2026-03-07T05:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"],
    );
    check(
        "cron(30 0 8 * ? *)",
        "2026-03-01T00:00:00Z",
        &["2026-03-08T05:00:00Z", "2026-04-08T04:30:00Z"],
    );
    check(
        "cron(30 0 * * ? *)",
        "2026-10-31T12:00:00Z",
        &["2026-11-01T04:30:00Z", "2026-11-02T05:30:00Z"],
    );
    check(
        "cron(0 * * * ? *)",
        "2026-03-08T03:30:00Z",
        &["2026-03-08T04:00:00Z", "2026-03-08T05:00:00Z", "2026-03-08T06:00:00Z"],
    );
    check(
        "cron(0 * * * ? *)",
        "2026-11-01T03:30:00Z",
        &["2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"],
    );
}

/// Santiago, where the last hour of a day comes twice. 5 April 2026: 00:00 becomes 23:00 of the day
/// before, at 03:00 UTC. 6 September: 00:00 becomes 01:00 at 04:00 UTC.
#[test]
fn santiago() {
    let check = |expression: &str, after: &str, expected: &[&str]| {
        check(expression, "America/Santiago", after, expected)
    };
    check(
        "cron(30 23 ? * SAT *)",
        "2026-04-04T00:00:00Z",
        &["2026-04-05T02:30:00Z", "2026-04-12T03:30:00Z"],
    );
    check(
        "cron(0 0 ? * SUN *)",
        "2026-04-04T00:00:00Z",
        &["2026-04-05T04:00:00Z", "2026-04-12T04:00:00Z"],
    );
    check(
        "cron(30 0 * * ? *)",
        "2026-09-05T12:00:00Z",
        &["2026-09-06T04:00:00Z", "2026-09-07T03:30:00Z"],
    );
}

/// Troll, by two hours. 29 March 2026: 01:00 becomes 03:00 at 01:00 UTC.
#[test]
fn troll() {
    check(
        "cron(30 1,2 * * ? *)",
        "Antarctica/Troll",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T23:30:00Z", "2026-03-30T00:30:00Z"],
    );
}

/// Apia left out 30 December 2011, by crossing the date line at 10:00 UTC.
#[test]
fn apia() {
    let check = |expression: &str, after: &str, expected: &[&str]| {
        check(expression, "Pacific/Apia", after, expected)
    };
    check(
        "cron(0 9 * * ? *)",
        "2011-12-29T00:00:00Z",
        &["2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"],
    );
    check("cron(0 9 30 12 ? *)", "2011-12-29T00:00:00Z", &["2011-12-30T10:00:00Z"]);
    check(
        "cron(0 * * * ? *)",
        "2011-12-30T08:30:00Z",
        &["2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"],
    );
}

/// Zones whose clocks do not change, one of them by half an hour off the others.
#[test]
fn zones_without_changes() {
    check(
        "cron(0 2 * * ? *)",
        "Asia/Ho_Chi_Minh",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T19:00:00Z", "2026-01-02T19:00:00Z"],
    );
    check(
        "cron(0 2 1 * ? *)",
        "Asia/Kolkata",
        "2026-01-01T00:00:00Z",
        &["2026-01-31T20:30:00Z", "2026-02-28T20:30:00Z"],
    );
    check(
        "cron(0 * * * ? *)",
        "Asia/Kolkata",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T00:30:00Z", "2026-01-01T01:30:00Z"],
    );
}
