//! Any policy that a file could hold.

use std::collections::BTreeMap;

use afterimage_core::ids::{AccountId, PolicyName, REGIONS, Region};
use afterimage_core::machine::State;
use afterimage_core::policy::select::Select;
use afterimage_core::policy::{
    Artefact, CatchUp, Consistency, ExcludeVolumes, ImageOptions, Method, OnStopped, Policy,
    Replicate, Retain, StopStart, Timed, Trigger,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// What YAML, in one version or another, takes for something else, and what it has trouble with.
const TRICKY: [&str; 40] = [
    "",
    " ",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "true",
    "null",
    "~",
    "1.10",
    "007",
    "0x1F",
    "1e3",
    "-1",
    ".5",
    "2026-01-05",
    "12:30:45",
    "- a",
    "a: b",
    "a #b",
    "#",
    "*",
    "?",
    "!x",
    "&x",
    "{}",
    "[a]",
    "a, b",
    "\"",
    "'",
    "\\",
    "\\n",
    "|",
    ">",
    "%",
    "@",
    "`",
    " lead",
    "trail ",
];

/// A text of a tag, of at most so many characters.
fn text(least: usize, most: usize) -> impl Strategy<Value = String> {
    let fits = move |text: &String| (least..=most).contains(&text.chars().count());
    let tricky = select(TRICKY.to_vec()).prop_map(str::to_string);
    let words = "[a-zA-Z0-9_./@+ -]{0,20}";
    let any = vec(any::<char>(), least..=most.min(12)).prop_map(String::from_iter);
    prop_oneof![tricky, words, any].prop_filter("too short or too long", fits)
}

fn patterns() -> impl Strategy<Value = BTreeMap<String, Vec<String>>> {
    btree_map(text(1, 128), vec(text(0, 256), 1..4), 1..4)
}

/// A few regions, in any order.
pub fn regions() -> impl Strategy<Value = Vec<Region>> {
    let names = subsequence(REGIONS.to_vec(), 1..4).prop_shuffle();
    names.prop_map(|names| names.into_iter().map(|name| Region::parse(name).unwrap()).collect())
}

fn schedule() -> impl Strategy<Value = Trigger> {
    let expressions = [
        "cron(0 2 * * ? *)",
        "cron(*/15 * ? * MON-FRI *)",
        "cron(0 18 L * ? 2026-2030)",
        "cron(0 8 ? * 6#3 *)",
        "cron(5,35 14 3W JAN,JUL ? *)",
        "cron(0  4  1/7 * ? *)",
        "cron(0\t3 * * ? *)",
        "rate(1 minute)",
        "rate(6 hours)",
    ];
    let zones = ["UTC", "Asia/Ho_Chi_Minh", "America/New_York", "Etc/GMT+7", "Europe/Dublin"];
    let window = option::of(60..=604_800_u64);
    let catch_up = select(vec![CatchUp::Latest, CatchUp::None]);
    let parts = (select(expressions.to_vec()), select(zones.to_vec()), window, catch_up);
    parts.prop_map(|(expression, zone, window, catch_up)| {
        let timed = Timed::new(expression, zone).expect("they are right");
        let timed = window.map_or(timed.clone(), |secs| timed.with_window(secs));
        Trigger::Schedule(timed.with_catch_up(catch_up))
    })
}

fn triggers() -> impl Strategy<Value = Vec<Trigger>> {
    let stopped = (1..10_000_000_u64)
        .prop_map(|min_interval_secs| Trigger::Stopped(OnStopped { min_interval_secs }));
    let one = prop_oneof![schedule(), stopped, Just(Trigger::Tag)];
    // One of each kind: the same trigger twice is an error.
    vec(one, 1..4).prop_map(|mut all| {
        let mut seen = Vec::new();
        all.retain(|trigger| {
            let kind = std::mem::discriminant(trigger);
            let is_new = !seen.contains(&kind);
            seen.push(kind);
            is_new
        });
        all
    })
}

fn retain() -> impl Strategy<Value = Retain> {
    let count = || option::of(1..100_000_u32);
    let counts = (count(), count(), count(), count(), count(), count());
    (counts, option::of(1..1_000_000_000_u64)).prop_map(|(counts, within_secs)| {
        let (last, hourly, daily, weekly, monthly, yearly) = counts;
        let retain = Retain { last, hourly, daily, weekly, monthly, yearly, within_secs };
        if retain == Retain::default() { Retain { last: Some(1), ..retain } } else { retain }
    })
}

fn image() -> impl Strategy<Value = ImageOptions> {
    let method = select(vec![Method::Auto, Method::CreateImage, Method::SnapshotRegister]);
    let kind = select(vec![Artefact::Image, Artefact::Snapshots]);
    let devices = btree_set("/dev/sd[b-z][0-9]?|xvd[b-z]", 0..3);
    let volumes = (prop_oneof![Just(BTreeMap::new()), patterns()], devices);
    let key = text(1, 128).prop_filter("reserved", |key| {
        let key = key.to_ascii_lowercase();
        !key.starts_with("aws:") && !key.starts_with("afterimage:")
    });
    let accounts = btree_set("[0-9]{12}", 0..3);
    let tags = btree_map(key, text(0, 256), 0..4);
    (method, kind, volumes, any::<bool>(), tags, accounts).prop_map(
        |(method, kind, (excluded, devices), copy_tags, tags, accounts)| ImageOptions {
            method,
            kind,
            exclude_volumes: ExcludeVolumes {
                tags: excluded,
                devices: devices.into_iter().collect(),
            },
            copy_tags,
            tags,
            share: accounts.iter().map(|id| AccountId::parse(id).unwrap()).collect(),
        },
    )
}

fn replicate() -> impl Strategy<Value = Vec<Replicate>> {
    let key = option::of(select(vec![
        "alias/dr",
        "alias/team_a/ebs-key",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
    ]));
    let one = (key, option::of(1..10_000_000_u64), option::of(retain()));
    (regions(), vec(one, 0..4)).prop_map(|(regions, all)| {
        let pairs = regions.into_iter().zip(all);
        pairs
            .map(|(region, (key, deadline_secs, retain))| {
                let kms_key = key.map(str::to_string);
                Replicate { region, kms_key, deadline_secs, retain }
            })
            .collect()
    })
}

fn consistency() -> impl Strategy<Value = (Consistency, StopStart)> {
    let modes =
        vec![Consistency::AtRest, Consistency::StopStart, Consistency::Reboot, Consistency::Crash];
    (select(modes), 1..1000_u32, 60..=7200_u64)
        .prop_map(|(mode, at_once, timeout_secs)| (mode, StopStart { at_once, timeout_secs }))
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let states = subsequence(vec![State::Running, State::Stopped, State::Stopping], 0..3);
    let select = (regions(), patterns(), prop_oneof![Just(BTreeMap::new()), patterns()], states);
    let select = select.prop_map(|(regions, tags, exclude_tags, states)| Select {
        regions,
        tags,
        exclude_tags,
        states,
    });
    let rest = (replicate(), any::<bool>(), option::of(retain()), option::of(1..10_000_000_u64));
    let name = "[a-z][a-z0-9-]{0,39}".prop_map(|name| PolicyName::parse(&name).unwrap());
    (name, select, triggers(), consistency(), image(), rest).prop_map(
        |(name, select, triggers, (consistency, stop_start), image, rest)| {
            let (replicate, heal, retain, rpo_secs) = rest;
            Policy {
                name,
                select,
                triggers,
                consistency,
                stop_start,
                image,
                replicate,
                heal,
                retain,
                rpo_secs,
            }
        },
    )
}

/// Takes out of a policy what cannot stand together in it.
fn agreed(mut policy: Policy) -> Policy {
    if policy.image.kind == Artefact::Snapshots {
        policy.replicate.clear();
        policy.image.share.clear();
        policy.image.method = Method::Auto;
        policy.consistency = Consistency::StopStart;
    }
    if policy.image.method == Method::SnapshotRegister && policy.consistency == Consistency::Reboot
    {
        policy.consistency = Consistency::AtRest;
    }
    if let [replica] = &policy.replicate[..]
        && policy.select.regions.contains(&replica.region)
    {
        policy.replicate.clear();
    }
    let on_stopped = |trigger: &Trigger| matches!(trigger, Trigger::Stopped(_));
    if policy.triggers.iter().any(on_stopped) {
        policy.select.states.clear();
    }
    policy
}

/// Policies of different names, such as the reader accepts.
pub fn policies() -> impl Strategy<Value = Vec<Policy>> {
    vec(any_policy().prop_map(agreed), 0..3).prop_map(|mut policies| {
        policies.dedup_by(|one, other| one.name == other.name);
        policies
    })
}
