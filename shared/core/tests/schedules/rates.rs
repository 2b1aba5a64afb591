//! `rate(...)`: counts from the Unix epoch, whatever the clocks do.

use crate::check;

#[test]
fn a_rate_counts_from_the_epoch() {
    // 1 January 1970 was a Thursday, so that seven days come to Thursdays.
    let table: [(&str, &str, &[&str]); 8] = [
        (
            "rate(1 minute)",
            "2026-01-01T00:00:30Z",
            &["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"],
        ),
        ("rate(5 minutes)", "2026-01-01T00:05:00Z", &["2026-01-01T00:10:00Z"]),
        ("rate(1 hour)", "2026-01-01T00:59:59Z", &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]),
        (
            "rate(6 hours)",
            "2026-01-01T06:00:00Z",
            &["2026-01-01T12:00:00Z", "2026-01-01T18:00:00Z"],
        ),
        ("rate(1 day)", "2026-01-01T00:00:00Z", &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]),
        ("rate(7 days)", "2026-01-01T00:00:00Z", &["2026-01-08T00:00:00Z", "2026-01-15T00:00:00Z"]),
        ("rate(1 day)", "1969-12-30T12:00:00Z", &["1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"]),
        ("rate(05 minutes)", "2026-01-01T00:05:00Z", &["2026-01-01T00:10:00Z"]),
    ];
    for (rate, after, expected) in table {
        for zone in ["UTC", "Europe/Berlin", "Australia/Lord_Howe"] {
            check(rate, zone, after, expected);
        }
    }
}

#[test]
fn a_day_of_a_rate_has_twenty_four_hours_on_the_nights_on_which_clocks_change() {
    check(
        "rate(1 day)",
        "America/New_York",
        "2026-03-07T12:00:00Z",
        &["2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z"],
    );
}
