//! Conversions from answers of EC2 to the types of the core. An item that cannot be read is left
//! out, with a warning: it is not ours, and must not keep us from the rest.

use std::collections::BTreeMap;

use afterimage_core::ids::NotAnId;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::Tag;
use jiff::Timestamp;

/// The reason why an item of an answer was left out.
#[derive(Debug, thiserror::Error)]
pub enum Odd {
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error(transparent)]
    NotAnId(#[from] NotAnId),
    #[error("its {what} is `{value}`, which we do not know")]
    Unknown { what: &'static str, value: String },
}

/// Returns the items of a listing that can be read, and warns of the others.
pub fn readable<W, T>(
    kind: &str,
    wires: impl IntoIterator<Item = W>,
    read: impl Fn(&W) -> Result<T, Odd>,
) -> Vec<T> {
    let mut all = Vec::new();
    for wire in wires {
        match read(&wire) {
            Ok(seen) => all.push(seen),
            Err(odd) => {
                tracing::warn!(code = "ec2-answer-odd", kind, %odd, "left out of a listing");
            }
        }
    }
    all
}

pub fn need<'a>(text: Option<&'a str>, what: &'static str) -> Result<&'a str, Odd> {
    text.filter(|text| !text.is_empty()).ok_or(Odd::Missing(what))
}

/// Converts a word of EC2; none if EC2 says nothing.
pub fn word<T: for<'a> From<&'a str>>(text: Option<&str>) -> Option<T> {
    text.filter(|text| !text.is_empty()).map(T::from)
}

pub fn moment(at: Option<&DateTime>, what: &'static str) -> Result<Timestamp, Odd> {
    let at = at.ok_or(Odd::Missing(what))?;
    let millis = at.to_millis().ok();
    let moment = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    moment.ok_or_else(|| Odd::Unknown { what, value: format!("{at:?}") })
}

pub fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| {
        let value = tag.value().unwrap_or_default();
        Some((tag.key()?.to_string(), value.to_string()))
    };
    tags.iter().filter_map(pair).collect()
}
