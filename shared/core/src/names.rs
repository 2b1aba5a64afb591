//! Names, tags and tokens, derived from (point, step, attempt): never random, and in the ledger
//! before the call. Every tag key that we write stands here.

use crate::point::Replica;
use crate::slot::PointId;

/// Prefix of all our tag keys, which are never copied from a machine.
pub const TAG_PREFIX: &str = "afterimage:";
/// Maker of an artefact: always [`MADE_BY`].
pub const TAG_BY: &str = "afterimage:by";
/// The point that an artefact belongs to. It nominates; it never authorises.
pub const TAG_POINT: &str = "afterimage:point";
pub const TAG_POLICY: &str = "afterimage:policy";
/// Occasion of the point: `at INSTANT`, `run LAUNCHED` or `ask ORDINAL`.
pub const TAG_SLOT: &str = "afterimage:slot";
/// The instance that was imaged.
pub const TAG_SOURCE: &str = "afterimage:source";
/// Whose copies follow on each other: `HOME/INSTANCE`.
pub const TAG_LINEAGE: &str = "afterimage:lineage";
/// `at-rest`, `reboot` or `crash`: as it is expected when the call is made, and put right before
/// the next step if it turns out otherwise.
pub const TAG_GRADE: &str = "afterimage:grade";
/// Number of the try that made it.
pub const TAG_ATTEMPT: &str = "afterimage:attempt";
/// Request on a machine for a point of it now. Its value names the policy.
pub const TAG_ASK: &str = "afterimage:now";
/// Answer on a machine to its last request by tag.
pub const TAG_ANSWER: &str = "afterimage:answer";
/// `snapshots` where no image was wanted.
pub const TAG_KIND: &str = "afterimage:kind";
/// Time at which the point was requested.
pub const TAG_REQUESTED: &str = "afterimage:requested";
/// State of the machine when it was imaged: `TYPE STATE LAUNCHED IMAGE`, and `hibernated` or `spot`
/// where it was.
pub const TAG_MACHINE: &str = "afterimage:machine";
/// The version of this set of tags.
pub const TAG_FORMAT: &str = "afterimage:format";
/// Devices of a set of snapshots, `/dev/xvda=vol-0abc`, separated by spaces, so that
/// the set can be put together again without the ledger. More than one tag if one is too short.
pub const TAG_DEVICES: &str = "afterimage:devices-";
/// Regions that are to have a replica of an image, separated by spaces.
pub const TAG_REPLICAS: &str = "afterimage:replicas-";

pub const MADE_BY: &str = "afterimage";
pub const FORMAT: &str = "1";
/// The longest token that EC2 takes, in characters.
const TOKEN_MAX: usize = 64;

/// The name of an image, and of the set of snapshots in its description: unique in its account
/// and region as long as nobody else uses it.
pub fn image_name(point: &PointId, attempt: u32) -> String {
    format!("{}-{attempt}", point.as_str())
}

/// The token of a copy: the same for every time that one attempt is made, and no other's.
pub fn copy_token(replica: &Replica) -> String {
    let name = image_name(&replica.point, replica.step.attempt);
    if name.len() <= TOKEN_MAX {
        return name;
    }
    // The end says the most: machine, instant and attempt. A policy's name may be too long to
    // stand before it, so that a sum of the whole takes the place of what is cut off.
    let sum = format!("{:016x}-", fnv_1a(name.as_bytes()));
    let cut = name.len() - (TOKEN_MAX - sum.len());
    sum + &name.chars().skip(cut).collect::<String>()
}

/// The 64-bit FNV-1a sum: short, well spread, and the same on every machine and in every release.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
