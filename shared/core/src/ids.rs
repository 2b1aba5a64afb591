//! Names and ids, parsed once at the edge, so that one can never stand in the place of another.

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
    /// A region that AWS has; a name that only looks like one is refused where it is written.
    Region,
    "a region of AWS",
    |text| REGIONS.binary_search(&text).is_ok()
);

/// The regions of the commercial partition, in order.
pub const REGIONS: [&str; 34] = [
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
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];
