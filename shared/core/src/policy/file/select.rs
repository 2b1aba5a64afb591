//! `select`: which machines.

use super::reader::{self, Group, Problems};
use crate::ids::{Region, misspelt_region};
use crate::machine::State;
use crate::policy::select::Select;
use crate::tags::TAGS_MAX;
use crate::yaml::{Node, Value};

pub fn read(node: &Node, problems: &mut Problems) -> Option<Select> {
    let mut group = Group::of(node, "`select`", problems)?;
    let regions = group.need("regions", problems);
    let tagged = group.need("tags", problems);
    let excluded = group.get("exclude_tags");
    let states = group.get("states");
    group.finish(problems);
    let regions = regions.map(|node| {
        let items = reader::list(node, "`regions`", problems);
        let known = items.iter().filter_map(|item| Some((item.at, region(item, problems)?)));
        let known: Vec<_> = known.collect();
        reader::once_each(known, problems)
    });
    let tags = tagged.map(|node| {
        if matches!(&node.value, Value::Map(pairs) if pairs.is_empty()) {
            let what = "`tags` is empty, which would select every machine";
            let instead = "name at least one tag; `Name: \"*\"` means any machine with a name";
            problems.add(node.at, what, instead);
        }
        // A policy that requires more tags than a machine can have selects nothing.
        reader::patterns(node, "`tags`", TAGS_MAX, problems)
    });
    let exclude_tags = excluded
        .map(|node| reader::patterns(node, "`exclude_tags`", reader::ENTRIES_MAX, problems));
    let states = states.map(|node| {
        let items = reader::list(node, "`states`", problems);
        let known = items.iter().filter_map(|item| Some((item.at, state(item, problems)?)));
        let known: Vec<_> = known.collect();
        reader::once_each(known, problems)
    });
    Some(Select {
        regions: regions?,
        tags: tags?,
        exclude_tags: exclude_tags.unwrap_or_default(),
        states: states.unwrap_or_default(),
    })
}

/// Reads a state. A machine that is gone, or going, has nothing left to image.
fn state(node: &Node, problems: &mut Problems) -> Option<State> {
    let states = [State::Running, State::Stopped, State::Pending, State::Stopping];
    let choices = states.map(|state| (state.as_str(), state));
    reader::choice(node, "a state", &choices, problems)
}

/// A region by its name. A name that is not known is taken for a new region, unless it looks like a
/// known one that is misspelt.
pub fn region(node: &Node, problems: &mut Problems) -> Option<Region> {
    let text = reader::text(node, "a region", problems)?;
    let near = misspelt_region(text);
    match Region::parse(text) {
        Ok(region) if near.is_none() => Some(region),
        Ok(_) | Err(_) => {
            let instead = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "write the name of a region, such as us-east-1".to_string(),
            };
            problems.add(node.at, format!("`{text}` is not a region"), instead);
            None
        }
    }
}
