//! The condition keys of one request.

use std::collections::BTreeMap;

/// Condition keys and their values. The names of keys do not mind case, not even the tag's name in
/// `aws:ResourceTag/Name`; values do. A key with several values is one that AWS calls multivalued,
/// such as `aws:TagKeys`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, Vec<String>>);

impl Keys {
    pub fn new() -> Keys {
        Keys::default()
    }

    /// Adds one value beside those that the key has already.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_lowercase()).or_default().push(value.into());
    }

    /// The values in the order they were added; none if the key is absent.
    pub fn get(&self, key: &str) -> &[String] {
        self.0.get(&key.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Every key in lower case, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(key, values)| (key.as_str(), values.as_slice()))
    }
}
