//! `triggers`: when.

use super::reader::{self, Group, Problems};
use crate::policy::{CatchUp, OnStopped, Timed, Trigger};
use crate::yaml::{Node, Position};

/// Shortest and longest window: nobody waits any more for a slot that waits for longer.
const WINDOW_BOUNDS_SECS: (u64, u64) = (60, 7 * 86_400);

/// A machine that stops and starts all day is imaged once in this time, unless the policy says
/// otherwise.
const DEFAULT_MIN_INTERVAL_SECS: u64 = 12 * 3600;

pub fn read(node: &Node, problems: &mut Problems) -> Vec<(Position, Trigger)> {
    let mut all: Vec<(Position, Trigger)> = Vec::new();
    for item in reader::list(node, "`triggers`", problems) {
        let Some(trigger) = trigger(item, problems) else { continue };
        if let Some((first, _)) = all.iter().find(|(_, other)| is_same(other, &trigger)) {
            let what = format!("this trigger repeats the one at {first}");
            problems.add(item.at, what, "keep one of them");
            continue;
        }
        all.push((item.at, trigger));
    }
    all
}

/// Tells whether two triggers go off at the same moments: a second one adds nothing, and where the
/// two say different things of them, one is not heeded.
fn is_same(one: &Trigger, other: &Trigger) -> bool {
    match (one, other) {
        (Trigger::Schedule(one), Trigger::Schedule(other)) => {
            (one.expression(), one.timezone()) == (other.expression(), other.timezone())
        }
        (Trigger::Stopped(_), Trigger::Stopped(_)) | (Trigger::Tag, Trigger::Tag) => true,
        (Trigger::Schedule(_) | Trigger::Stopped(_) | Trigger::Tag, _) => false,
    }
}

fn trigger(node: &Node, problems: &mut Problems) -> Option<Trigger> {
    let group = Group::of(node, "a trigger", problems)?;
    match (group.peek("schedule"), group.peek("on")) {
        (Some(schedule), None) => timed(schedule, group, problems).map(Trigger::Schedule),
        (None, Some(on)) => event(on, group, problems),
        (Some(_), Some(on)) => {
            let what = "a trigger has either `schedule` or `on`";
            problems.add(on.at, what, "make two triggers of it");
            None
        }
        (None, None) => {
            let instead = "write `schedule: cron(0 2 * * ? *)`, `on: stopped` or `on: tag`";
            problems.add(group.at(), "a trigger needs `schedule` or `on`", instead);
            None
        }
    }
}

fn timed(schedule: &Node, mut group: Group<'_>, problems: &mut Problems) -> Option<Timed> {
    group.get("schedule");
    let zone = group.get("timezone");
    let window = group.get("window");
    let catch_up = group.get("catch_up");
    group.forbid("min_interval", "belongs to `on: stopped`", problems);
    group.finish(problems);
    let mut zone_name = "UTC";
    if let Some(node) = zone {
        zone_name = reader::text(node, "`timezone`", problems).unwrap_or(zone_name);
        if let Err(why) = crate::policy::zone(zone_name) {
            problems.add(node.at, why, "write one like Asia/Ho_Chi_Minh, Europe/Paris or UTC");
            zone_name = "UTC";
        }
    }
    let window = window
        .and_then(|node| reader::duration_within(node, "`window`", WINDOW_BOUNDS_SECS, problems));
    let choices = [("latest", CatchUp::Latest), ("none", CatchUp::None)];
    let catch_up = catch_up.and_then(|node| reader::choice(node, "`catch_up`", &choices, problems));
    let text = reader::text(schedule, "`schedule`", problems)?;
    let mut timed = match Timed::new(text, zone_name) {
        Ok(timed) => {
            if problems.now.is_some_and(|now| timed.schedule.next_after(now, &timed.zone).is_none())
            {
                let what = format!("`{text}` never comes again: the last of its years is past");
                let instead = "write a year that is to come, or `*` for every year";
                problems.add(schedule.at, what, instead);
            }
            timed
        }
        Err(why) => {
            let instead = "write `cron(minutes hours day-of-month month day-of-week year)`, for \
                           instance cron(0 2 * * ? *), or rate(6 hours)";
            problems.add(schedule.at, why, instead);
            return None;
        }
    };
    if let Some(secs) = window {
        timed = timed.with_window(secs);
    }
    Some(timed.with_catch_up(catch_up.unwrap_or_default()))
}

fn event(on: &Node, mut group: Group<'_>, problems: &mut Problems) -> Option<Trigger> {
    group.get("on");
    let event = reader::text(on, "`on`", problems);
    for key in ["timezone", "window", "catch_up"] {
        group.forbid(key, "belongs to a schedule", problems);
    }
    let trigger = match event {
        Some("tag") => {
            group.forbid("min_interval", "belongs to `on: stopped`", problems);
            Some(Trigger::Tag)
        }
        Some("stopped") => {
            let min_interval_secs =
                interval(&mut group, problems).unwrap_or(DEFAULT_MIN_INTERVAL_SECS);
            Some(Trigger::Stopped(OnStopped { min_interval_secs }))
        }
        other => {
            // A word that is misspelt does not hide what is wrong beside it.
            interval(&mut group, problems);
            if let Some(event) = other {
                let what = format!("`on: {event}` is not a known event");
                problems.add(on.at, what, "write `on: stopped` or `on: tag`");
            }
            None
        }
    };
    group.finish(problems);
    trigger
}

fn interval(group: &mut Group<'_>, problems: &mut Problems) -> Option<u64> {
    let node = group.get("min_interval")?;
    reader::duration(node, "`min_interval`", problems)
}
