//! What is no schedule, each with what its author is told.

use afterimage_core::policy::schedule::Schedule;

/// An expression, and a part of what is said about it.
const REFUSED: &[(&str, &str)] = &[
    ("", "neither cron(...) nor rate(...)"),
    ("every day", "neither cron(...) nor rate(...)"),
    ("0 2 * * ? *", "neither cron(...) nor rate(...)"),
    ("CRON(0 2 * * ? *)", "neither cron(...) nor rate(...)"),
    ("cron (0 2 * * ? *)", "neither cron(...) nor rate(...)"),
    ("cron(0 2 * * ? *", "neither cron(...) nor rate(...)"),
    ("cron(0 2 * * ? *) ", "neither cron(...) nor rate(...)"),
    ("at(2026-01-01T00:00:00)", "neither cron(...) nor rate(...)"),
    // Six fields; those of other dialects have five or seven.
    ("cron()", "6 fields"),
    ("cron(0 2 * * ?)", "6 fields"),
    ("cron(0 2 * * *)", "6 fields"),
    ("cron(0 0 2 * * ? *)", "6 fields"),
    ("cron(0, 30 2 * * ? *)", "6 fields"),
    // One of the days is `?`, and nothing else is.
    ("cron(0 2 * * * *)", "must be `?`"),
    ("cron(0 2 1 * MON *)", "must be `?`"),
    ("cron(0 2 * * MON-FRI *)", "must be `?`"),
    ("cron(0 2 ? * ? *)", "both `?`"),
    ("cron(? 2 * * ? *)", "minutes: `?`"),
    ("cron(0 ? * * ? *)", "hours: `?`"),
    ("cron(0 2 * ? ? *)", "month: `?`"),
    ("cron(0 2 * * ? ?)", "year: `?`"),
    // Values out of range.
    ("cron(60 2 * * ? *)", "minutes: `60` is not between 0 and 59"),
    ("cron(-1 2 * * ? *)", "minutes: `` is not between 0 and 59"),
    ("cron(+1 2 * * ? *)", "minutes: `+1` is not between 0 and 59"),
    ("cron(1.5 2 * * ? *)", "minutes: `1.5`"),
    ("cron(0 24 * * ? *)", "hours: `24` is not between 0 and 23"),
    ("cron(0 2 0 * ? *)", "day-of-month: `0` is not between 1 and 31"),
    ("cron(0 2 32 * ? *)", "day-of-month: `32`"),
    ("cron(0 2 1 0 ? *)", "month: `0` is not between 1 and 12"),
    ("cron(0 2 1 13 ? *)", "month: `13`"),
    ("cron(0 2 * FOO ? *)", "month: `FOO`"),
    ("cron(0 2 * JANUARY ? *)", "month: `JANUARY`"),
    ("cron(0 2 MON * ? *)", "day-of-month: `MON`"),
    ("cron(0 2 ? * 0 *)", "day-of-week: `0` is not between 1 and 7"),
    ("cron(0 2 ? * 8 *)", "day-of-week: `8`"),
    ("cron(0 2 ? * JAN *)", "day-of-week: `JAN`"),
    ("cron(0 2 * * ? 1969)", "year: `1969` is not between 1970 and 2199"),
    ("cron(0 2 * * ? 2200)", "year: `2200`"),
    ("cron(0 99999999999999999999 * * ? *)", "hours: `99999999999999999999`"),
    // L, W and # stand alone, and each in its own field.
    ("cron(L 2 * * ? *)", "minutes: `L`"),
    ("cron(0 2 * L ? *)", "month: `L`"),
    ("cron(0 2 L,15 * ? *)", "day-of-month: `L`"),
    ("cron(0 2 1-L * ? *)", "day-of-month: `L`"),
    ("cron(0 2 L-0 * ? *)", "day-of-month: `0`"),
    ("cron(0 2 L-31 * ? *)", "day-of-month: `31`"),
    ("cron(0 2 L-3W * ? *)", "day-of-month: `3W`"),
    ("cron(0 2 W * ? *)", "day-of-month: ``"),
    ("cron(0 2 32W * ? *)", "day-of-month: `32`"),
    ("cron(0 2 1W,15W * ? *)", "day-of-month: `1W,15`"),
    ("cron(0 2 1-15W * ? *)", "day-of-month: `1-15`"),
    ("cron(0 2 3#2 * ? *)", "day-of-month: `3#2`"),
    ("cron(0 2 ? * 3W *)", "day-of-week: `3W`"),
    ("cron(0 2 ? * 8L *)", "day-of-week: `8`"),
    ("cron(0 2 ? * MON,FRIL *)", "day-of-week: `MON,FRI`"),
    ("cron(0 2 ? * L-2 *)", "day-of-week: `L`"),
    // The guide's own example of two expressions in one.
    ("cron(0 2 ? * 3#1,6#3 *)", "day-of-week: `1,6#3`"),
    ("cron(0 2 ? * 3#0 *)", "day-of-week: `0`"),
    ("cron(0 2 ? * 3#6 *)", "day-of-week: `6` is not between 1 and 5"),
    ("cron(0 2 ? * #2 *)", "day-of-week: ``"),
    // Lists, ranges and steps that are none.
    ("cron(0,,30 2 * * ? *)", "minutes: ``"),
    ("cron(0- 2 * * ? *)", "minutes: ``"),
    ("cron(0--5 2 * * ? *)", "minutes: `-5`"),
    ("cron(1-2-3 2 * * ? *)", "minutes: `2-3`"),
    ("cron(*-5 2 * * ? *)", "minutes: `*`"),
    ("cron(** 2 * * ? *)", "minutes: `**`"),
    ("cron(0/0 2 * * ? *)", "`0/0` has no step"),
    ("cron(0/ 2 * * ? *)", "`0/` has no step"),
    ("cron(0/+5 2 * * ? *)", "`0/+5` has no step"),
    ("cron(0/5/5 2 * * ? *)", "`0/5/5` has no step"),
    ("cron(/5 2 * * ? *)", "minutes: ``"),
    ("cron(0 2 * * ? 2030-2020)", "ends before it begins"),
    // What it would do is not what it says.
    ("cron(0/90 * * * ? *)", "minutes: the step of `0/90` is longer than 60"),
    ("cron(0 0/36 * * ? *)", "hours: the step of `0/36` is longer than 24"),
    // It never comes.
    ("cron(0 2 30 2 ? *)", "no such day"),
    ("cron(0 2 31 2,4,6,9,11 ? *)", "no such day"),
    ("cron(0 2 29 FEB ? 2025-2027)", "no such day"),
    ("cron(0 2 L-30 FEB,APR ? *)", "no such day"),
    // Rates.
    ("rate()", "is not a rate"),
    ("rate(5)", "is not a rate"),
    ("rate(5minutes)", "is not a rate"),
    ("rate(5 minutes ago)", "is not a rate"),
    ("rate(five minutes)", "is not a rate"),
    ("rate(-5 minutes)", "is not a rate"),
    ("rate(+5 minutes)", "is not a rate"),
    ("rate(1.5 hours)", "is not a rate"),
    ("rate(0 minutes)", "at least 1"),
    ("rate(1 hours)", "write rate(1 hour)"),
    ("rate(2 hour)", "write rate(2 hours)"),
    ("rate(1 minutes)", "write rate(1 minute)"),
    ("rate(2 day)", "write rate(2 days)"),
    ("rate(30 seconds)", "not a unit"),
    ("rate(5 weeks)", "not a unit"),
    ("rate(1 Hour)", "not a unit"),
    ("rate(9223372036854775807 days)", "too large"),
    ("rate(99999999999999999999 days)", "is not a rate"),
];

#[test]
fn what_is_no_schedule_is_told_with_what_is_wrong() {
    for (expression, why) in REFUSED {
        let said = Schedule::parse(expression).expect_err(expression);
        assert!(said.contains(why), "{expression}: {said}");
    }
}
