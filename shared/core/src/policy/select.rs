//! The machines that a policy selects, and the obstacles to selecting one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{PolicyName, Region};
use crate::machine::State;

/// Conditions that a machine must meet. All keys must match, any of the values of a key does; one
/// match of `exclude_tags` excludes, and so does a state that is not among `states`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {
    pub regions: Vec<Region>,
    pub tags: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub exclude_tags: BTreeMap<String, Vec<String>>,
    /// The states that a machine may be in when it is selected; none means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
}

/// A condition of a policy that a machine does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    Region {
        is: Region,
        wanted: Vec<Region>,
    },
    /// The machine has no tag of that key, or one with another value.
    Tag {
        key: String,
        is: Option<String>,
        wanted: Vec<String>,
    },
    /// A tag of the machine excludes it.
    Excluded {
        key: String,
        is: String,
    },
    /// The machine meets everything else.
    State {
        is: State,
        wanted: Vec<State>,
    },
}

impl Select {
    /// Tells whether a machine meets every condition. A machine that is gone never does.
    pub fn selects(&self, region: &Region, state: State, tags: &BTreeMap<String, String>) -> bool {
        self.regions.contains(region)
            && self.lacking(tags).is_empty()
            && self.excluded_by(tags).is_none()
            && self.is_in_state(state)
    }

    /// Returns the conditions that a machine does not meet; empty if the policy selects the
    /// machine. The state is named only if it is all that is left.
    pub fn obstacles(
        &self,
        region: &Region,
        state: State,
        tags: &BTreeMap<String, String>,
    ) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        if !self.regions.contains(region) {
            let (is, wanted) = (region.clone(), self.regions.clone());
            obstacles.push(Obstacle::Region { is, wanted });
        }
        obstacles.extend(self.lacking(tags).into_iter().map(|(key, wanted)| {
            let is = tags.get(key).cloned();
            Obstacle::Tag { key: key.to_string(), is, wanted: wanted.to_vec() }
        }));
        obstacles.extend(
            self.excluded_by(tags)
                .map(|(key, is)| Obstacle::Excluded { key: key.to_string(), is: is.to_string() }),
        );
        if obstacles.is_empty() && !self.is_in_state(state) {
            obstacles.push(Obstacle::State { is: state, wanted: self.states.clone() });
        }
        obstacles
    }

    /// The required tags that a machine lacks: each key with the values that would do.
    pub fn lacking(&self, tags: &BTreeMap<String, String>) -> Vec<(&str, &[String])> {
        let lacks = |(key, wanted): &(&String, &Vec<String>)| {
            !tags.get(*key).is_some_and(|value| matches_any(wanted, value))
        };
        let lacking = self.tags.iter().filter(lacks);
        lacking.map(|(key, wanted)| (key.as_str(), wanted.as_slice())).collect()
    }

    /// The tag by which the policy excludes a machine: its key and the value that it has.
    pub fn excluded_by<'a>(
        &'a self,
        tags: &'a BTreeMap<String, String>,
    ) -> Option<(&'a str, &'a str)> {
        self.exclude_tags.iter().find_map(|(key, patterns)| {
            let value = tags.get(key).filter(|value| matches_any(patterns, value))?;
            Some((key.as_str(), value.as_str()))
        })
    }

    fn is_in_state(&self, state: State) -> bool {
        let is_any = self.states.is_empty() && !state.is_gone();
        is_any || self.states.contains(&state)
    }
}

impl Obstacle {
    /// The sentence that says so, without its full stop: what the policy requires, and what this
    /// machine has instead.
    pub fn text(&self, policy: &PolicyName) -> String {
        match self {
            Obstacle::Region { is, wanted } => {
                let wanted = joined(wanted.iter().map(Region::as_str), ", ");
                format!("policy {policy} covers {wanted}; this machine is in {is}")
            }
            Obstacle::Tag { key, is, wanted } => {
                let wanted = joined(wanted.iter().map(String::as_str), "` or `");
                let has = match is {
                    Some(is) => format!("`{key}={is}`"),
                    None => format!("no tag `{key}`"),
                };
                format!("policy {policy} requires tag `{key}` = `{wanted}`; this machine has {has}")
            }
            Obstacle::Excluded { key, is } => {
                format!("policy {policy} excludes tag `{key}`; this machine has `{key}={is}`")
            }
            Obstacle::State { is, wanted } if wanted.is_empty() => {
                format!("this machine is {is}, and no policy selects what is {is}")
            }
            Obstacle::State { is, wanted } => {
                let wanted = joined(wanted.iter().map(|state| state.as_str()), " or ");
                format!("policy {policy} selects machines that are {wanted}; this machine is {is}")
            }
        }
    }
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>, with: &str) -> String {
    texts.collect::<Vec<&str>>().join(with)
}

/// Tells whether one of the patterns matches a text.
pub fn matches_any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, text))
}

/// Tells whether a pattern matches a text: `*` stands for any text, `?` for one character.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and how much of the text it covers so far: enough to go back to,
    // since a later star can cover whatever an earlier one could.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                p += 1;
                t += 1;
            }
            _ => match star {
                None => return false,
                Some((at, covered)) => {
                    star = Some((at, covered + 1));
                    p = at + 1;
                    t = covered + 1;
                }
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}
