//! In which order the resources of a template are made: whatever another refers to comes first.
//!
//! What SAM makes of a function are resources of their own: its role, the function itself, and a
//! rule with its permission for each event. Others may refer to them by the ids that SAM gives them
//! (`TickRole`, `TickMinute`), and a key whose policy names the role of a function that has the
//! key's id in its environment is no circle.

use std::collections::{BTreeMap, BTreeSet};

use super::errors::Errors;
use super::sub::references;
use super::template::{FUNCTION, Resource, Template};
use super::yaml::Node;

/// One thing to make.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub id: String,
    pub resource: &'a Resource,
    pub part: Part<'a>,
}

#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// All of a resource that is no function.
    Whole,
    /// The role that SAM makes for a function.
    Role,
    Function,
    /// An event of a function, by its name.
    Event(&'a str),
}

/// The properties of a function that only concern its role.
pub const ROLE_PROPERTIES: [&str; 1] = ["Policies"];
/// Those that concern its role as well, since SAM grants it what they take.
const SHARED_PROPERTIES: [&str; 2] = ["DeadLetterQueue", "EventInvokeConfig"];

/// Every step, in the order of the template.
pub fn steps(template: &Template) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for resource in &template.resources {
        let step = |id: String, part| Step { id, resource, part };
        if resource.kind != FUNCTION {
            steps.push(step(resource.id.clone(), Part::Whole));
            continue;
        }
        if resource.properties.get("Role").is_none() {
            steps.push(step(format!("{}Role", resource.id), Part::Role));
        }
        steps.push(step(resource.id.clone(), Part::Function));
        let events = resource.properties.get("Events").and_then(Node::map).unwrap_or_default();
        for (key, _) in events {
            steps.push(step(format!("{}{}", resource.id, key.text), Part::Event(&key.text)));
        }
    }
    steps
}

impl Step<'_> {
    /// The ids of what else the step makes.
    pub fn also(&self) -> Vec<String> {
        let Part::Event(name) = self.part else { return Vec::new() };
        let mut ids = vec![format!("{}Permission", self.id)];
        let events = self.resource.properties.get("Events");
        let config = events
            .and_then(|events| events.get(name))
            .and_then(|event| event.get("Properties"))
            .and_then(|properties| properties.get("DeadLetterConfig"));
        if let Some(config) = config.filter(|config| config.get("Type").is_some()) {
            let queue = config.get("QueueLogicalId").and_then(Node::text);
            ids.push(queue.map_or_else(|| format!("{}Queue", self.id), str::to_string));
        }
        ids
    }

    fn references(&self) -> Vec<String> {
        let mut found = Vec::new();
        let properties = self.resource.properties.map().unwrap_or_default();
        let of_role = |name: &str| ROLE_PROPERTIES.contains(&name);
        for (key, node) in properties {
            let name = key.text.as_str();
            let concerned = match self.part {
                Part::Whole => true,
                Part::Role => of_role(name) || SHARED_PROPERTIES.contains(&name),
                Part::Function => !of_role(name) && name != "Events",
                Part::Event(_) => false,
            };
            if concerned {
                references(node, &mut found);
            }
        }
        match self.part {
            Part::Event(event) => {
                let events = self.resource.properties.get("Events");
                if let Some(node) = events.and_then(|events| events.get(event)) {
                    references(node, &mut found);
                }
                found.push(self.resource.id.clone());
            }
            Part::Function if self.resource.properties.get("Role").is_none() => {
                found.push(format!("{}Role", self.resource.id));
            }
            Part::Whole | Part::Role | Part::Function => {}
        }
        let depends_on = self.resource.depends_on.iter().filter_map(Node::text);
        found.extend(depends_on.map(str::to_string));
        found
    }
}

/// Every id, with the number of the step that makes it.
pub fn ids(steps: &[Step<'_>], unusable: &[String], errors: &Errors) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        for id in std::iter::once(step.id.clone()).chain(step.also()) {
            if ids.insert(id.clone(), number).is_some() {
                let what = format!("SAM gives the id {id} to what it makes for a function");
                errors.add(step.resource.at, &step.resource.path(), what);
            }
        }
    }
    for step in steps {
        for node in &step.resource.depends_on {
            let is_there = |id: &str| ids.contains_key(id) || unusable.iter().any(|one| one == id);
            if !node.text().is_some_and(is_there) {
                let path = format!("{}.DependsOn", step.resource.path());
                errors.add(node.at, &path, "not a resource of the template");
            }
        }
    }
    ids
}

/// The steps that `wanted` lets through, in an order in which they can be done. Nothing if there is
/// none, which is reported.
pub fn sorted<'a>(
    steps: &[Step<'a>],
    ids: &BTreeMap<String, usize>,
    wanted: impl Fn(&Step<'a>) -> bool,
    errors: &Errors,
) -> Option<Vec<Step<'a>>> {
    let mut sorter = Sorter { steps, ids, done: BTreeSet::new(), order: Vec::new() };
    for number in 0..steps.len() {
        if let Err(circle) = sorter.visit(number, &mut Vec::new()) {
            let step = circle.first().and_then(|number| steps.get(*number));
            let names: Vec<_> = circle.iter().filter_map(|number| steps.get(*number)).collect();
            let names: Vec<_> = names.into_iter().map(|step| step.id.as_str()).collect();
            if let Some(step) = step {
                let what = format!("depends on itself: {} -> {}", names.join(" -> "), step.id);
                errors.add(step.resource.at, &step.resource.path(), what);
            }
            return None;
        }
    }
    let order = sorter.order.into_iter().filter_map(|number| steps.get(number));
    Some(order.filter(|step| wanted(step)).cloned().collect())
}

struct Sorter<'s, 'a> {
    steps: &'s [Step<'a>],
    ids: &'s BTreeMap<String, usize>,
    done: BTreeSet<usize>,
    order: Vec<usize>,
}

impl Sorter<'_, '_> {
    /// Does what a step needs, and then the step. The error is the circle that it stands in.
    fn visit(&mut self, number: usize, open: &mut Vec<usize>) -> Result<(), Vec<usize>> {
        if self.done.contains(&number) {
            return Ok(());
        }
        if let Some(start) = open.iter().position(|other| *other == number) {
            return Err(open.iter().skip(start).copied().collect());
        }
        let Some(step) = self.steps.get(number) else { return Ok(()) };
        open.push(number);
        for id in step.references() {
            // The queue that an event makes may be named within the event itself.
            match self.ids.get(&id).copied() {
                Some(other) if other == number && id != step.id => {}
                Some(other) => self.visit(other, open)?,
                None => {}
            }
        }
        open.pop();
        self.done.insert(number);
        self.order.push(number);
        Ok(())
    }
}
