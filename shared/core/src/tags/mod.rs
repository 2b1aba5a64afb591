//! The tags of our artefacts: how they are written, and how they are read back.

pub mod read;
pub mod write;

use crate::names::TAG_PREFIX;

/// The most that EC2 takes on one resource, apart from its own.
pub const TAGS_MAX: usize = 50;
/// The longest key of a tag, in characters.
pub const KEY_MAX: usize = 128;
/// The longest value of a tag, in characters.
pub const VALUE_MAX: usize = 256;
/// Prefix of the keys of AWS.
const RESERVED: &str = "aws:";

/// Tells whether only AWS, or only we, may set a tag of that key.
pub fn is_reserved(key: &str) -> bool {
    [RESERVED, TAG_PREFIX].iter().any(|prefix| {
        key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}
