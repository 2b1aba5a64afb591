//! Summary of a policy in a few lines, with its defaults; and notes on keys that have no effect,
//! and on regions that this release does not know.

use std::collections::BTreeMap;

use afterimage_core::ids::REGIONS;
use afterimage_core::policy::print::span;
use afterimage_core::policy::{
    Artefact, CatchUp, Consistency, ImageOptions, Policy, Replicate, Retain, StopStart, Timed,
    Trigger,
};

/// Summarises a policy in a few lines.
pub fn summary(policy: &Policy) -> String {
    let mut lines = vec![("selects", selects(policy))];
    if !policy.select.exclude_tags.is_empty() {
        lines.push(("leaves out", patterns(&policy.select.exclude_tags)));
    }
    lines.extend(policy.triggers.iter().map(|one| ("triggers", trigger(one, policy.consistency))));
    lines.push(("disks", disks(policy.consistency, policy.stop_start)));
    lines.extend(image(&policy.image));
    lines.extend(policy.replicate.iter().map(|place| ("replicates", replicates(place))));
    if !policy.heal {
        lines.push(("heals", "nothing by itself; `afterimage heal POINT` does".to_string()));
    }
    lines.push(("retains", policy.retain.as_ref().map_or("everything".to_string(), counts)));
    if let Some(secs) = policy.rpo_secs {
        lines.push(("rpo", format!("newest good point at most {} old", span(secs))));
    }
    let lines = lines.iter().map(|(what, how)| format!("  {what:<10} {how}\n"));
    format!("{}\n{}", policy.name, lines.collect::<String>())
}

/// Lists what a person should check in policies, a sentence each: keys that are not acted on yet,
/// keys that other keys leave without effect, powers that the stack must have been given, and
/// regions that are newer than this release, or none.
pub fn notes(policies: &[Policy]) -> Vec<String> {
    let mut notes = Vec::new();
    for policy in policies {
        let name = &policy.name;
        let replicas = policy.replicate.iter().any(|place| place.retain.is_some());
        if policy.retain.is_some() || replicas {
            notes.push(format!("policy {name}: `retain` is not acted on yet; nothing is deleted"));
        }
        if policy.rpo_secs.is_some() {
            notes.push(format!("policy {name}: `rpo` is not acted on yet; nothing is measured"));
        }
        if !policy.image.share.is_empty() {
            notes.push(format!(
                "policy {name}: `image.share` is not acted on yet; nothing is shared"
            ));
        }
        if policy.stop_start != StopStart::default() && policy.consistency != Consistency::StopStart
        {
            let mode = policy.consistency.as_str();
            notes.push(format!(
                "policy {name}: `stop_start` has no effect; `consistency: {mode}` stops no machine"
            ));
        }
        notes.extend(power(policy.consistency).map(|(does, parameter)| {
            format!(
                "policy {name}: `consistency: {}` {does} running machines; unless the stack was \
                 deployed with {parameter}=true, their points are refused",
                policy.consistency.as_str()
            )
        }));
        let places = policy.replicate.iter().map(|place| &place.region);
        let regions = policy.select.regions.iter().chain(places);
        let unknown = regions.filter(|region| !REGIONS.contains(&region.as_str()));
        notes.extend(unknown.map(|region| {
            format!("policy {name}: this release does not know the region {region}; check its name")
        }));
    }
    notes
}

/// Returns what is done to running machines, and the parameter of the stack that allows it.
fn power(consistency: Consistency) -> Option<(&'static str, &'static str)> {
    match consistency {
        Consistency::StopStart => Some(("stops", "AllowStopStart")),
        Consistency::Reboot => Some(("reboots", "AllowReboot")),
        Consistency::AtRest | Consistency::Crash => None,
    }
}

fn selects(policy: &Policy) -> String {
    let select = &policy.select;
    let regions: Vec<&str> = select.regions.iter().map(|region| region.as_str()).collect();
    let states: Vec<&str> = select.states.iter().map(|state| state.as_str()).collect();
    let states = match &states[..] {
        [] => String::new(),
        states => format!(", if {}", states.join(" or ")),
    };
    format!("{} in {}{states}", patterns(&select.tags), regions.join(", "))
}

fn patterns(tags: &BTreeMap<String, Vec<String>>) -> String {
    let tags = tags.iter().map(|(key, values)| format!("{key}={}", values.join("|")));
    tags.collect::<Vec<String>>().join(", ")
}

fn trigger(trigger: &Trigger, consistency: Consistency) -> String {
    match trigger {
        Trigger::Schedule(timed) => schedule(timed, consistency),
        Trigger::Stopped(stopped) => {
            format!("on stopped, at most every {}", span(stopped.min_interval_secs))
        }
        Trigger::Tag => "on tag".to_string(),
    }
}

fn schedule(timed: &Timed, consistency: Consistency) -> String {
    let wait = match consistency {
        Consistency::AtRest | Consistency::StopStart => {
            format!(", waits at most {}", span(timed.window_secs))
        }
        Consistency::Reboot | Consistency::Crash => String::new(),
    };
    let missed = match timed.catch_up {
        CatchUp::Latest => "the latest missed run is made up for",
        CatchUp::None => "missed runs are not made up for",
    };
    format!("{} in {}{wait}; {missed}", timed.expression(), timed.timezone())
}

fn disks(consistency: Consistency, stop_start: StopStart) -> String {
    let how = match consistency {
        Consistency::AtRest => "machines are imaged when they are stopped".to_string(),
        Consistency::StopStart => format!(
            "machines are stopped, imaged and started again; {} at once, {} to stop",
            stop_start.at_once,
            span(stop_start.timeout_secs)
        ),
        Consistency::Reboot => "machines are rebooted to be imaged".to_string(),
        Consistency::Crash => "machines are imaged as they are, running or stopped".to_string(),
    };
    format!("{}: {how}", consistency.as_str())
}

fn image(image: &ImageOptions) -> Vec<(&'static str, String)> {
    let made = match image.kind {
        Artefact::Image => format!("images, method {}", image.method.as_str()),
        Artefact::Snapshots => "snapshots only".to_string(),
    };
    let mut lines = vec![("makes", made)];
    let volumes = &image.exclude_volumes;
    let devices = volumes.devices.iter().cloned();
    let excluded: Vec<String> = match volumes.tags.is_empty() {
        true => devices.collect(),
        false => std::iter::once(patterns(&volumes.tags)).chain(devices).collect(),
    };
    if !excluded.is_empty() {
        lines.push(("without", format!("volumes {}", excluded.join(", "))));
    }
    let mut tags: Vec<String> =
        image.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if image.copy_tags {
        tags.push("those of the machine".to_string());
    }
    if !tags.is_empty() {
        lines.push(("tags", tags.join(", ")));
    }
    if !image.share.is_empty() {
        let accounts: Vec<&str> = image.share.iter().map(|account| account.as_str()).collect();
        lines.push(("shares", format!("with {}", accounts.join(", "))));
    }
    lines
}

fn replicates(replicate: &Replicate) -> String {
    let key = replicate.kms_key.as_deref().unwrap_or("the default key of the region, if encrypted");
    let within = replicate.deadline_secs.map(|secs| format!(", within {}", span(secs)));
    let kept = replicate.retain.as_ref().map(|retain| format!(", retains {}", counts(retain)));
    let (within, kept) = (within.unwrap_or_default(), kept.unwrap_or_default());
    format!("to {} with {key}{within}{kept}", replicate.region)
}

/// Lists what a policy retains: `3 last, 7 daily, all within 2d`.
fn counts(retain: &Retain) -> String {
    let Retain { last, hourly, daily, weekly, monthly, yearly, within_secs } = retain;
    let counts = [
        (last, "last"),
        (hourly, "hourly"),
        (daily, "daily"),
        (weekly, "weekly"),
        (monthly, "monthly"),
        (yearly, "yearly"),
    ];
    let counts = counts.iter().filter_map(|(count, what)| count.map(|n| format!("{n} {what}")));
    let within = within_secs.map(|secs| format!("all within {}", span(secs)));
    counts.chain(within).collect::<Vec<String>>().join(", ")
}
