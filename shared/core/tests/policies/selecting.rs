//! Which machines a policy selects.

use std::collections::BTreeMap;

use afterimage_core::machine::State;
use afterimage_core::policy::select::{Obstacle, Select, glob};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample;

use crate::arbitrary::regions;
use crate::{good, region};

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn select(select: &str) -> Select {
    let text = format!("policies: {{gold: {{select: {select}, triggers: [{{on: tag}}]}}}}");
    good(&text).remove(0).select
}

#[test]
fn a_machine_needs_every_tag_and_no_excluding_one() {
    let gold = select(
        "{regions: [us-east-1, ap-southeast-1], tags: {backup: gold, env: [prod, stag*]}, \
         exclude_tags: {backup-pause: \"*\"}}",
    );
    let judge = |place: &str, pairs: &[(&str, &str)]| {
        gold.obstacles(&region(place), State::Running, &tags(pairs))
    };
    let excluded = |is: &str| Obstacle::Excluded { key: "backup-pause".into(), is: is.into() };
    let both = [("backup", "gold"), ("env", "staging")];
    assert_eq!(judge("us-east-1", &both), []);
    let elsewhere = Obstacle::Region {
        is: region("eu-west-1"),
        wanted: vec![region("us-east-1"), region("ap-southeast-1")],
    };
    assert_eq!(judge("eu-west-1", &both), [elsewhere]);
    let wanted = vec!["prod".to_string(), "stag*".to_string()];
    let missing = Obstacle::Tag { key: "env".into(), is: None, wanted };
    assert_eq!(judge("us-east-1", &both[..1]), [missing]);
    let paused = [both[0], both[1], ("backup-pause", "")];
    assert_eq!(judge("us-east-1", &paused), [excluded("")]);
}

/// Who is selected in which state; `-` stands for one that is not.
#[track_caller]
fn check_states(states: &str, expected: &str) {
    let gold = select(&format!("{{regions: [us-east-1], tags: {{backup: gold}}{states}}}"));
    let all = [
        State::Pending,
        State::Running,
        State::Stopping,
        State::Stopped,
        State::ShuttingDown,
        State::Terminated,
    ];
    let told = all.map(|state| {
        let obstacles = gold.obstacles(&region("us-east-1"), state, &tags(&[("backup", "gold")]));
        match &obstacles[..] {
            [] => state.as_str(),
            [Obstacle::State { is, .. }] if *is == state => "-",
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(told.join(" "), expected, "{states}");
}

#[test]
fn a_machine_is_selected_in_the_states_of_the_policy_and_never_when_it_is_gone() {
    check_states("", "pending running stopping stopped - -");
    check_states(", states: [running]", "- running - - - -");
    check_states(", states: [stopped, stopping]", "- - stopping stopped - -");
    check_states(", states: [pending]", "pending - - - - -");
}

#[test]
fn what_is_not_selected_at_all_is_not_told_by_its_state() {
    let gold = select("{regions: [us-east-1], tags: {backup: gold}, states: [running]}");
    let judge = |pairs| gold.obstacles(&region("us-east-1"), State::Stopped, &tags(pairs));
    let wanted = vec!["gold".to_string()];
    assert_eq!(judge(&[]), [Obstacle::Tag { key: "backup".into(), is: None, wanted }]);
    let wanted = vec![State::Running];
    assert_eq!(judge(&[("backup", "gold")]), [Obstacle::State { is: State::Stopped, wanted }]);
}

#[test]
fn globs_match_as_in_a_shell() {
    let table = [
        ("prod", "prod", true),
        ("prod", "production", false),
        ("prod*", "production", true),
        ("*", "", true),
        ("?", "", false),
        ("a*b*c", "aXXbYYbZc", true),
        ("a*b*c", "aXXbYYbZ", false),
        ("é?", "éa", true),
        ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ];
    for (pattern, text, expected) in table {
        assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
    }
}

/// Selections of a few keys and values, so that they often meet [`machine_tags`].
fn selects() -> impl Strategy<Value = Select> {
    let key = || sample::select(vec!["a", "b", "c"]).prop_map(str::to_string);
    let values =
        || vec(sample::select(vec!["", "*", "x", "x*", "y"]).prop_map(str::to_string), 1..3);
    let tags = btree_map(key(), values(), 1..3);
    (regions(), tags, btree_map(key(), values(), 0..3)).prop_map(|(regions, tags, exclude_tags)| {
        Select { regions, tags, exclude_tags, states: Vec::new() }
    })
}

fn machine_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = sample::select(vec!["", "x", "xx", "y"]).prop_map(str::to_string);
    btree_map(sample::select(vec!["a", "b", "c"]).prop_map(str::to_string), value, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// One exclusion more, or one value more in it, never selects a machine that was not selected.
    #[test]
    fn what_is_excluded_as_well_never_selects_more(
        select in selects(),
        key in sample::select(vec!["a", "b", "c"]),
        pattern in sample::select(vec!["", "*", "?", "x", "x*", "y"]),
        machine in machine_tags(),
    ) {
        let mut narrower = select.clone();
        narrower.exclude_tags.entry(key.to_string()).or_default().push(pattern.to_string());
        for place in &select.regions {
            let is_selected = |select: &Select| select.selects(place, State::Running, &machine);
            let is_unhindered =
                |select: &Select| select.obstacles(place, State::Running, &machine).is_empty();
            prop_assert_eq!(is_selected(&select), is_unhindered(&select));
            prop_assert!(is_selected(&select) || !is_selected(&narrower));
            let hit = machine.get(key).is_some_and(|value| glob(pattern, value));
            prop_assert_eq!(is_selected(&narrower), is_selected(&select) && !hit);
        }
    }
}
