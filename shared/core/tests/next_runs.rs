//! The next runs of a policy, on the clocks of its zone.

use afterimage_core::policy::file::read;
use afterimage_core::policy::next::runs;

/// The next runs of a policy with these triggers, in UTC and on the clocks of its zone.
#[track_caller]
fn check(triggers: &str, after: &str, expected: &[&str]) {
    let yaml = format!(
        "policies: {{gold: {{select: {{regions: [us-east-1], tags: {{a: b}}}}, triggers: \
         [{triggers}]}}}}"
    );
    let policies = read(&yaml).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let after = after.parse().expect("an instant");
    let told = runs(&policies[0], after, expected.len()).into_iter().map(|run| {
        let clocks = run.clocks.map(|clocks| format!(": {clocks}")).unwrap_or_default();
        format!("{} {}{clocks}", run.at, run.local.strftime("%a %H:%M"))
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn runs_are_told_in_the_zone_of_their_schedule() {
    check(
        "{schedule: cron(0 2 * * ? *), timezone: Asia/Ho_Chi_Minh}",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T19:00:00Z Fri 02:00", "2026-01-02T19:00:00Z Sat 02:00"],
    );
    check("{schedule: rate(6 hours)}", "2026-01-01T06:00:00Z", &["2026-01-01T12:00:00Z Thu 12:00"]);
}

#[test]
fn the_schedules_of_a_policy_are_told_together() {
    check(
        "{schedule: rate(12 hours)}, {schedule: \"cron(0 6,12 * * ? *)\"}, {on: stopped}",
        "2026-01-01T00:00:00Z",
        &[
            "2026-01-01T06:00:00Z Thu 06:00",
            "2026-01-01T12:00:00Z Thu 12:00",
            "2026-01-02T00:00:00Z Fri 00:00",
        ],
    );
}

#[test]
fn a_policy_without_a_schedule_has_no_runs() {
    let yaml = "policies: {gold: {select: {regions: [us-east-1], tags: {a: b}}, triggers: [{on: \
                stopped}]}}";
    let policies = read(yaml).expect("it is right");
    assert_eq!(runs(&policies[0], "2026-01-01T00:00:00Z".parse().expect("an instant"), 9), []);
}

/// Berlin's clocks go forward at 02:00 on 29 March 2026, and back at 03:00 on 25 October.
#[test]
fn the_nights_on_which_clocks_change_are_marked() {
    let at = |time: &str| format!("{{schedule: cron({time} * * ? *), timezone: Europe/Berlin}}");
    let forward = "clocks went forward by 1h, from UTC+01 to UTC+02";
    let back = "clocks went back by 1h, from UTC+02 to UTC+01";
    check(
        &at("0 4"),
        "2026-03-27T12:00:00Z",
        &[
            "2026-03-28T03:00:00Z Sat 04:00",
            &format!("2026-03-29T02:00:00Z Sun 04:00: {forward}"),
            "2026-03-30T02:00:00Z Mon 04:00",
        ],
    );
    check(
        &at("30 2"),
        "2026-03-28T12:00:00Z",
        &[
            &format!("2026-03-29T01:00:00Z Sun 03:00: {forward}; at the jump"),
            "2026-03-30T00:30:00Z Mon 02:30",
        ],
    );
    check(
        &at("30 2"),
        "2026-10-24T12:00:00Z",
        &[
            "2026-10-25T00:30:00Z Sun 02:30: this time comes twice that day",
            &format!("2026-10-26T01:30:00Z Mon 02:30: {back}"),
        ],
    );
}
