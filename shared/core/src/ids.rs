//! Names and ids, parsed once at the edge, so that one can never stand in the place of another.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is not the id that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct NotAnId {
    pub text: String,
    pub expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// The text is not such an id.
            pub fn parse(text: &str) -> Result<$name, NotAnId> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) {
                    return Ok($name(text.to_string()));
                }
                Err(NotAnId { text: text.to_string(), expected: $expected })
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<$name, NotAnId> {
                $name::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

/// EC2 ids end in 8 or 17 hexadecimal digits; how many is not ours to insist on.
fn is_ec2_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix);
    digits.is_some_and(|digits| {
        digits.len() >= 8
            && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

id!(InstanceId, "an instance id (i-...)", |text| is_ec2_id(text, "i-"));
id!(VolumeId, "a volume id (vol-...)", |text| is_ec2_id(text, "vol-"));
id!(SnapshotId, "a snapshot id (snap-...)", |text| is_ec2_id(text, "snap-"));
id!(AmiId, "an image id (ami-...)", |text| is_ec2_id(text, "ami-"));
id!(
    /// An AWS account: twelve digits, of which the first may be zero.
    AccountId,
    "an account id (12 digits)",
    |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
);
id!(
    /// A policy's name stands in tags, keys and image names, so it is kept plain.
    PolicyName,
    "a policy name (lower-case letters, digits and hyphens, at most 40, beginning with a letter)",
    |text| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        text.len() <= 40
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(plain)
    }
);
id!(
    /// Name of a region, by its shape: a region that is new needs no release of ours.
    Region,
    "a region of AWS",
    is_region
);

/// Id of a resource whose kind its prefix tells. Kept as a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ResourceId {
    Image(AmiId),
    Machine(InstanceId),
    Snapshot(SnapshotId),
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourceId::Image(id) => id.fmt(f),
            ResourceId::Machine(id) => id.fmt(f),
            ResourceId::Snapshot(id) => id.fmt(f),
        }
    }
}

impl TryFrom<String> for ResourceId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<ResourceId, NotAnId> {
        let machine = || InstanceId::parse(&text).map(ResourceId::Machine);
        let image = || AmiId::parse(&text).map(ResourceId::Image);
        let snapshot = || SnapshotId::parse(&text).map(ResourceId::Snapshot);
        let expected = "the id of an instance, an image or a snapshot";
        machine()
            .or_else(|_| image())
            .or_else(|_| snapshot())
            .map_err(|NotAnId { text, .. }| NotAnId { text, expected })
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> String {
        id.to_string()
    }
}

impl From<AmiId> for ResourceId {
    fn from(id: AmiId) -> ResourceId {
        ResourceId::Image(id)
    }
}

impl From<InstanceId> for ResourceId {
    fn from(id: InstanceId) -> ResourceId {
        ResourceId::Machine(id)
    }
}

impl From<SnapshotId> for ResourceId {
    fn from(id: SnapshotId) -> ResourceId {
        ResourceId::Snapshot(id)
    }
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`: words and at last a number.
fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.split_once('-').is_some_and(|(partition, _)| partition.len() >= 2)
        && words.split('-').all(is_word)
        && !number.starts_with('0')
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The partitions of AWS, by the beginnings of the names of their regions. All other regions are in
/// the partition `aws`. Nothing can be copied from one partition to another, and no account is in
/// two of them.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

impl Region {
    /// Returns the partition of AWS that the region is in.
    pub fn partition(&self) -> &'static str {
        let known = PARTITIONS.iter().find(|(begin, _)| self.as_str().starts_with(begin));
        known.map_or("aws", |(_, partition)| partition)
    }
}

/// The region that a text was probably meant to name; none if the text is the name of a region,
/// known or new. Neither a number nor a country is a typo: `us-east-3` and `nz-west-1` may come one
/// day, `us-eats-1` will not.
pub fn misspelt_region(text: &str) -> Option<&'static str> {
    if REGIONS.contains(&text) {
        return None;
    }
    let near = REGIONS.iter().min_by_key(|known| strsim::osa_distance(known, text))?;
    let is_typo = match is_region(text) {
        true => has_misspelt_word(text),
        false => strsim::osa_distance(near, text) <= REGION_TYPOS_MAX,
    };
    is_typo.then_some(near)
}

/// The most letters by which a text that is no region may differ from the one that is suggested.
const REGION_TYPOS_MAX: usize = 2;

/// Tells whether one of the words of a name is in no known region, and is one letter from a word
/// that is. Of two letters, which stand for countries, only those that changed places count.
fn has_misspelt_word(name: &str) -> bool {
    let known: BTreeSet<&str> = REGIONS.iter().flat_map(|region| region.split('-')).collect();
    let is_near = |word: &str, known: &str| match word.len() {
        0 | 1 => false,
        2 => word.chars().rev().eq(known.chars()),
        _ => strsim::osa_distance(word, known) == 1,
    };
    let words = name.split('-').filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    let mut unknown = words.filter(|word| !known.contains(word));
    unknown.any(|word| known.iter().any(|known| is_near(word, known)))
}

/// The regions that we know, for suggestions alone, in order.
pub const REGIONS: [&str; 46] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];
