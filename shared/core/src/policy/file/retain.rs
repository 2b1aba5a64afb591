//! `retain`: for how long.

use super::reader::{self, Group, Problems};
use crate::policy::Retain;
use crate::yaml::Node;

/// Hourly points of eleven years; more is a slip of the finger.
const COUNT_MAX: u32 = 100_000;

pub fn read(node: &Node, problems: &mut Problems) -> Option<Retain> {
    let mut group = Group::of(node, "`retain`", problems)?;
    let mut count = |key: &'static str| {
        let node = group.get(key)?;
        reader::number(node, &format!("`{key}`"), 1..=COUNT_MAX, problems)
    };
    let mut read = Retain {
        last: count("last"),
        hourly: count("hourly"),
        daily: count("daily"),
        weekly: count("weekly"),
        monthly: count("monthly"),
        yearly: count("yearly"),
        within_secs: None,
    };
    let within = group.get("within");
    read.within_secs = within.and_then(|node| reader::duration(node, "`within`", problems));
    if group.is_empty() {
        let instead =
            "write what is kept, like `retain: {daily: 7}`; without it everything is kept";
        problems.add(node.at, "`retain` keeps nothing", instead);
    }
    group.finish(problems);
    Some(read)
}
