//! Schedule expressions: when they fire next, and which are refused. Days of the week were taken
//! from a calendar: 2026-01-01 was a Thursday.

use std::time::Instant;

use afterimage_cloud::Time;
use afterimage_cloud::eventbridge::schedule::Schedule;

/// An expression, an instant as `date time`, and the next occurrences after it.
const CRON: &[(&str, &str, &[&str])] = &[
    // The examples of the EventBridge user guide.
    ("0 10 * * ? *", "2026-01-01 09:59", &["2026-01-01 10:00", "2026-01-02 10:00"]),
    ("15 12 * * ? *", "2026-01-31 12:15", &["2026-02-01 12:15"]),
    ("0 18 ? * MON-FRI *", "2026-01-02 17:00", &["2026-01-02 18:00", "2026-01-05 18:00"]),
    ("0 8 1 * ? *", "2026-01-01 08:00", &["2026-02-01 08:00", "2026-03-01 08:00"]),
    ("0/15 * * * ? *", "2026-01-01 00:44", &["2026-01-01 00:45", "2026-01-01 01:00"]),
    ("0/10 * ? * MON-FRI *", "2026-01-02 23:45", &["2026-01-02 23:50", "2026-01-05 00:00"]),
    ("0/5 8-17 ? * MON-FRI *", "2026-01-02 17:50", &["2026-01-02 17:55", "2026-01-05 08:00"]),
    ("0/30 20-2 ? * MON-FRI *", "2026-01-05 00:00", &["2026-01-05 00:30", "2026-01-05 01:00"]),
    ("0/30 20-2 ? * MON-FRI *", "2026-01-05 02:30", &["2026-01-05 20:00", "2026-01-05 20:30"]),
    ("0/30 20-2 ? * MON-FRI *", "2026-01-02 23:30", &["2026-01-05 00:00"]),
    ("0 12 * * ? *", "2026-01-01 00:00", &["2026-01-01 12:00"]),
    ("5,35 14 * * ? *", "2026-01-01 14:05", &["2026-01-01 14:35", "2026-01-02 14:05"]),
    ("15 10 ? * 6L 2019-2022", "2022-10-01 00:00", &["2022-10-28 10:15", "2022-11-25 10:15"]),
    ("15 10 ? * 6L 2019-2022", "2022-12-01 00:00", &["2022-12-30 10:15"]),
    ("15 10 ? * 6L 2019-2022", "2022-12-30 10:15", &[]),
    ("1/10 * * * ? *", "2026-01-01 00:00", &["2026-01-01 00:01", "2026-01-01 00:11"]),
    ("0 0 ? * 3#2 *", "2026-01-01 00:00", &["2026-01-13 00:00", "2026-02-10 00:00"]),
    ("0 0 3W * ? *", "2026-01-01 00:00", &["2026-01-02 00:00", "2026-02-03 00:00"]),
    // The simplest one fires each minute, seconds within the minute notwithstanding.
    ("* * * * ? *", "2026-01-01 00:00", &["2026-01-01 00:01", "2026-01-01 00:02"]),
    ("* * * * ? *", "2026-12-31 23:59", &["2027-01-01 00:00"]),
    ("* * ? * * *", "2026-01-01 00:00", &["2026-01-01 00:01"]),
    // Lists, ranges and increments.
    ("0 0,12 * * ? *", "2026-01-01 00:00", &["2026-01-01 12:00", "2026-01-02 00:00"]),
    ("*/20 9-10 * * ? *", "2026-01-01 10:20", &["2026-01-01 10:40", "2026-01-02 09:00"]),
    ("10-30/10 0 * * ? *", "2026-01-01 00:10", &["2026-01-01 00:20", "2026-01-01 00:30"]),
    ("0-10/5,58 0 * * ? *", "2026-01-01 00:05", &["2026-01-01 00:10", "2026-01-01 00:58"]),
    ("0 0 1 JAN,JUL ? *", "2026-01-01 00:00", &["2026-07-01 00:00", "2027-01-01 00:00"]),
    ("0 0 1 1/4 ? *", "2026-01-01 00:00", &["2026-05-01 00:00", "2026-09-01 00:00"]),
    ("0 0 1 nov-feb ? *", "2026-01-01 00:00", &["2026-02-01 00:00", "2026-11-01 00:00"]),
    ("0 0 30-2 * ? *", "2026-01-02 00:00", &["2026-01-30 00:00", "2026-01-31 00:00"]),
    ("01 06 ? * MON-FRI *", "2026-01-01 00:00", &["2026-01-01 06:01"]),
    // Days of the week, Sunday being 1.
    ("0 0 ? * 1 *", "2026-01-01 00:00", &["2026-01-04 00:00", "2026-01-11 00:00"]),
    ("0 0 ? * SAT,SUN *", "2026-01-01 00:00", &["2026-01-03 00:00", "2026-01-04 00:00"]),
    ("30 23 ? * SAT-THU *", "2026-01-01 23:30", &["2026-01-03 23:30"]),
    ("0 0 ? * L *", "2026-01-01 00:00", &["2026-01-03 00:00", "2026-01-10 00:00"]),
    ("0 0 ? * sunL *", "2026-01-01 00:00", &["2026-01-25 00:00", "2026-02-22 00:00"]),
    // A Friday that is the last day of its month, and a Wednesday a week into its month.
    ("0 0 ? * 6L *", "2026-07-01 00:00", &["2026-07-31 00:00", "2026-08-28 00:00"]),
    ("0 0 ? * 4#1 *", "2026-01-01 00:00", &["2026-01-07 00:00", "2026-02-04 00:00"]),
    ("0 0 ? * MON#1 *", "2026-01-05 00:00", &["2026-02-02 00:00"]),
    ("0 0 ? * 5#5 *", "2026-01-01 00:00", &["2026-01-29 00:00", "2026-04-30 00:00"]),
    // Days of the month.
    ("0 0 L * ? *", "2026-01-31 00:00", &["2026-02-28 00:00", "2026-03-31 00:00"]),
    ("0 0 L 2 ? *", "2027-03-01 00:00", &["2028-02-29 00:00", "2029-02-28 00:00"]),
    ("0 0 LW * ? *", "2026-01-01 00:00", &["2026-01-30 00:00", "2026-02-27 00:00"]),
    ("0 0 31 * ? *", "2026-01-31 00:00", &["2026-03-31 00:00", "2026-05-31 00:00"]),
    ("0 0 29 2 ? *", "2026-01-01 00:00", &["2028-02-29 00:00", "2032-02-29 00:00"]),
    ("0 0 29 2 ? *", "2096-03-01 00:00", &["2104-02-29 00:00"]),
    // The 1st is a Saturday, and the nearest workday of that month is the 3rd.
    ("0 0 1W * ? *", "2026-07-31 00:00", &["2026-08-03 00:00", "2026-09-01 00:00"]),
    // The 15th is a Saturday, then a Sunday.
    ("0 0 15W 8 ? *", "2026-01-01 00:00", &["2026-08-14 00:00", "2027-08-16 00:00"]),
    // The 31st is a Sunday, and the nearest workday of that month is the 29th.
    ("0 0 31W * ? *", "2026-05-01 00:00", &["2026-05-29 00:00", "2026-07-31 00:00"]),
    // Years.
    ("0 0 1 1 ? 2030/5", "2026-01-01 00:00", &["2030-01-01 00:00", "2035-01-01 00:00"]),
    ("0 0 1 1 ? 2028,2026", "2026-01-01 00:00", &["2028-01-01 00:00"]),
    ("0 0 1 1 ? 1970", "2026-01-01 00:00", &[]),
    ("59 23 31 12 ? *", "2199-12-31 23:58", &["2199-12-31 23:59"]),
    ("59 23 31 12 ? *", "2199-12-31 23:59", &[]),
    ("0 0 30 2 ? *", "2026-01-01 00:00", &[]),
    ("0  0\t1 1 ? *", "2026-01-01 00:00", &["2027-01-01 00:00"]),
];

fn at(text: &str) -> Time {
    Time::parse(&format!("{}:00Z", text.replace(' ', "T"))).expect("an instant")
}

#[test]
fn cron_fires_at_the_minutes_that_match() {
    for (fields, after, expected) in CRON {
        let text = format!("cron({fields})");
        let schedule = Schedule::parse(&text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        let mut now = at(after);
        for wanted in *expected {
            let next = schedule.next_after(now, Time::START);
            assert_eq!(next, Some(at(wanted)), "{text} after {now}");
            now = at(wanted);
        }
        if expected.is_empty() {
            assert_eq!(schedule.next_after(now, Time::START), None, "{text} after {now}");
        }
    }
}

#[test]
fn cron_fires_on_whole_minutes_whatever_the_milliseconds() {
    let schedule = Schedule::parse("cron(30 12 * * ? *)").unwrap();
    let noon = at("2026-01-01 12:30");
    let before = Time::from_millis(noon.millis() - 1);
    let later = Time::from_millis(noon.millis() + 59_999);
    assert_eq!(schedule.next_after(before, Time::START), Some(noon));
    assert_eq!(schedule.next_after(later, Time::START), Some(at("2026-01-02 12:30")));
}

/// A rate, the anchor, an instant, and the next occurrence after it.
const RATE: &[(&str, &str, &str, &str)] = &[
    ("1 minute", "2026-01-01 00:00", "2026-01-01 00:00", "2026-01-01 00:01"),
    ("5 minutes", "2026-01-01 00:02", "2026-01-01 00:02", "2026-01-01 00:07"),
    ("5 minutes", "2026-01-01 00:02", "2026-01-01 00:06", "2026-01-01 00:07"),
    ("5 minutes", "2026-01-01 00:02", "2026-01-01 00:07", "2026-01-01 00:12"),
    ("1 hour", "2026-01-01 00:30", "2026-01-03 11:29", "2026-01-03 11:30"),
    ("12 hours", "2026-01-01 06:00", "2026-01-01 17:59", "2026-01-01 18:00"),
    ("1 day", "2026-01-31 09:00", "2026-02-28 09:00", "2026-03-01 09:00"),
    ("7 days", "2026-01-01 00:00", "2026-01-01 00:01", "2026-01-08 00:00"),
    // Nothing happens before the rule exists, and the first occurrence is a period later.
    ("1 hour", "2026-01-02 00:00", "2026-01-01 00:00", "2026-01-02 01:00"),
    ("05 minutes", "2026-01-01 00:00", "2026-01-01 00:00", "2026-01-01 00:05"),
];

#[test]
fn a_rate_counts_from_its_anchor() {
    for (rate, anchor, after, expected) in RATE {
        let schedule = Schedule::parse(&format!("rate({rate})")).expect(rate);
        let next = schedule.next_after(at(after), at(anchor));
        assert_eq!(next, Some(at(expected)), "rate({rate}) from {anchor} after {after}");
    }
}

const REFUSED: &[&str] = &[
    "",
    "every day",
    "rate(5 minutes",
    "Rate(5 minutes)",
    "rate(5 minutes) ",
    // The guide: singular with 1, plural with more; a positive number.
    "rate(1 hours)",
    "rate(5 hour)",
    "rate(1 minutes)",
    "rate(2 day)",
    "rate(0 minutes)",
    "rate(-1 minutes)",
    "rate(+5 minutes)",
    "rate(1.5 hours)",
    "rate(5)",
    "rate(5minutes)",
    "rate(5 weeks)",
    "rate(30 seconds)",
    "rate(18446744073709551615 days)",
    // Six fields, one of the two day fields `?`, and no other.
    "cron(* * * * ?)",
    "cron(0 12 * * ? * *)",
    "cron(0 12 * * * *)",
    "cron(0 12 1 * MON *)",
    "cron(0 12 ? * ? *)",
    "cron(? 12 * * ? *)",
    "cron(0 12 * ? ? *)",
    "cron(0 12 * * ? ?)",
    // Values out of range.
    "cron(60 * * * ? *)",
    "cron(0 24 * * ? *)",
    "cron(0 0 0 * ? *)",
    "cron(0 0 32 * ? *)",
    "cron(0 0 1 0 ? *)",
    "cron(0 0 1 13 ? *)",
    "cron(0 0 ? * 0 *)",
    "cron(0 0 ? * 8 *)",
    "cron(15 12 ? * -1 *)",
    "cron(0 0 1 1 ? 1969)",
    "cron(0 0 1 1 ? 2200)",
    "cron(0 0 1 JANUARY ? *)",
    "cron(0 0 ? * JAN *)",
    "cron(0 0 1 MON ? *)",
    // The guide: `3#1,6#3` is two expressions.
    "cron(0 0 ? * 3#1,6#3 *)",
    "cron(0 0 ? * 3#6 *)",
    "cron(0 0 ? * 3#0 *)",
    "cron(0 0 ? * #2 *)",
    "cron(0 0 1W,15W * ? *)",
    "cron(0 0 W * ? *)",
    "cron(0 0 32W * ? *)",
    "cron(0 0 L,15 * ? *)",
    "cron(0 0 ? * 8L *)",
    "cron(0 0 ? * 3W *)",
    "cron(L 0 * * ? *)",
    // Broken lists, ranges and increments.
    "cron(0/0 * * * ? *)",
    "cron(0/ * * * ? *)",
    "cron(/5 * * * ? *)",
    "cron(0/5/5 * * * ? *)",
    "cron(0, 12 * * ? *)",
    "cron(1--2 12 * * ? *)",
    "cron(1-2-3 12 * * ? *)",
    "cron(5- 12 * * ? *)",
    "cron(0 0 1 1 ? 2022-2019)",
    "cron(0 12 ** * ? *)",
];

#[test]
fn expressions_that_eventbridge_refuses_are_refused() {
    for text in REFUSED {
        let reason = Schedule::parse(text).expect_err(text);
        assert!(!reason.is_empty(), "{text}");
    }
}

/// A schedule that never fires must not be found out minute by minute: a year has half a million.
#[test]
fn a_schedule_without_occurrences_is_found_out_quickly() {
    let schedule = Schedule::parse("cron(* * 30 2 ? *)").unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let start = Instant::now();
    assert_eq!(schedule.next_after(Time::START, Time::START), None);
    assert!(start.elapsed().as_secs() < 1, "took {:?}", start.elapsed());
}

#[test]
fn the_end_of_time_is_no_overflow() {
    let end = Time::from_millis(u64::MAX);
    for text in ["cron(* * * * ? *)", "rate(1 minute)"] {
        let schedule = Schedule::parse(text).unwrap();
        assert_eq!(schedule.next_after(end, Time::START), None, "{text}");
    }
}
