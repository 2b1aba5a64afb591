//! Which machines a policy selects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::Region;
use crate::machine::State;

/// All keys must match, any of the values of a key does; one match of `exclude_tags` excludes, and
/// so does a state that is not among `states`.
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

/// Whether a machine is selected, and by what it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    Yes,
    OtherRegion,
    /// This key is missing or has another value.
    TagMissing(String),
    /// This tag excludes it.
    Excluded(String),
    /// It would be selected, but for the state that it is in.
    OtherState(State),
}

impl Select {
    /// What is gone is in no state that a policy may name, and is never selected.
    pub fn judge(
        &self,
        region: &Region,
        state: State,
        tags: &BTreeMap<String, String>,
    ) -> Selected {
        if !self.regions.contains(region) {
            return Selected::OtherRegion;
        }
        let matches = |(key, patterns): (&String, &Vec<String>)| {
            let value = tags.get(key);
            value.is_some_and(|value| patterns.iter().any(|pattern| glob(pattern, value)))
        };
        if let Some((key, _)) = self.exclude_tags.iter().find(|entry| matches(*entry)) {
            return Selected::Excluded(key.clone());
        }
        if let Some((key, _)) = self.tags.iter().find(|entry| !matches(*entry)) {
            return Selected::TagMissing(key.clone());
        }
        let any = self.states.is_empty() && !state.is_gone();
        if any || self.states.contains(&state) {
            Selected::Yes
        } else {
            Selected::OtherState(state)
        }
    }
}

/// `*` stands for any text, `?` for one character.
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
