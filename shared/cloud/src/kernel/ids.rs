//! Ids of new resources: as AWS shapes them, and the same for the same seed.

use crate::kernel::error::Kind;
use crate::kernel::hash;

/// `ami-0` and sixteen hex digits.
pub fn resource(rng: &mut fastrand::Rng, kind: Kind) -> String {
    numbered(rng, kind.prefix())
}

/// An id with a prefix that is not among the taggable kinds, such as `r-`.
pub fn numbered(rng: &mut fastrand::Rng, prefix: &str) -> String {
    format!("{prefix}-0{:016x}", rng.u64(..))
}

/// A UUID of version 4, for request ids, event ids and key ids.
pub fn uuid(rng: &mut fastrand::Rng) -> String {
    let bits = rng.u128(..);
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let cuts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts = cuts.into_iter().filter_map(|cut| hex.get(cut));
    parts.collect::<Vec<_>>().join("-")
}

/// An id that is the same in every world.
pub fn fixed(prefix: &str, parts: &[&str]) -> String {
    format!("{prefix}-0{:016x}", hash::of_texts(parts))
}
