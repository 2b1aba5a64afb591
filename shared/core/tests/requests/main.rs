//! Who asks for points, and when: schedules, stops, and the sweep that makes up for both.
//!
//! What is expected is the plan as an operator would read it.

mod asked;
mod completions;
mod copies;
mod ids;
mod ledger;
mod not_needed;
#[path = "../support/render.rs"]
mod render;
mod stops;
mod sweep;
mod tagged;
mod ten_years;
mod ticks;
mod ticks_at_any_time;
mod vouched;
mod waiting;

use std::collections::BTreeMap;

use crate::render::render;

use afterimage_core::command::Decision;
use afterimage_core::flow::InForce;
use afterimage_core::ids::{Region, ResourceId};
use afterimage_core::machine::{Instance, State};
use afterimage_core::policy::file::read;
use jiff::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}

fn resource(text: &str) -> ResourceId {
    ResourceId::try_from(text.to_string()).expect("an id")
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// What is in force once these policies were applied, and before anything ran.
fn in_force(policies: &str) -> InForce {
    let policies = read(policies).unwrap_or_else(|problems| panic!("{problems:#?}"));
    InForce { policies, ..InForce::default() }
}

/// A machine with the tag `backup: gold` that was launched on 5 January at 08:00.
fn machine(number: u8, place: &str, state: State) -> Instance {
    Instance {
        instance_type: "t3.micro".to_string(),
        spot: false,
        id: format!("i-0aaaaaaaaaaaaaaa{number}").try_into().expect("an instance id"),
        region: region(place),
        state,
        launched: at("2026-01-05T08:00:00Z"),
        hibernated: false,
        tags: tags(&[("backup", "gold")]),
    }
}

/// The plan, line by line.
#[track_caller]
fn check(decision: &Decision, expected: &[&str]) {
    let plan = render(decision);
    let lines: Vec<&str> = plan.lines().collect();
    assert_eq!(lines, expected, "\n{plan}");
}
