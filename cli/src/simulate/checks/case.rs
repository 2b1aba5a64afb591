//! What a checker may look at, and since when things are wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::Time;

use super::super::history::History;
use super::super::record::Record;
use super::super::seen::Seen;

/// Everything that a checker may look at.
pub struct Case<'a> {
    pub seen: &'a Seen,
    pub record: &'a Record,
    pub history: &'a History,
    /// Time since the faults stopped; none before.
    pub quiet: Option<Duration>,
}

/// Something that is not as it should be: what, where, and in words.
pub struct Wrong {
    pub key: String,
    pub region: String,
    pub text: String,
}

/// Since when things are wrong.
#[derive(Default)]
pub struct Since(pub BTreeMap<String, Time>);

impl Since {
    /// Takes in what is wrong now. Returns the first that is so for a time. A time in which the
    /// region or the seat was dark does not count.
    pub fn longer_than(
        &mut self,
        bound: Duration,
        seen: &Seen,
        wrong: Vec<Wrong>,
    ) -> Option<String> {
        let mut since = BTreeMap::new();
        let mut late = None;
        for Wrong { key, region, text } in wrong {
            let known = self.0.get(&key).copied().filter(|_| !seen.is_disturbed(&region));
            let first = known.unwrap_or(seen.now);
            if seen.now.since(first) > bound && late.is_none() {
                late = Some(format!("{text}; seen first at {}", first.to_seconds_text()));
            }
            since.insert(key, first);
        }
        self.0 = since;
        late
    }
}
