//! The Recycle Bin of one account in one region.

use std::collections::BTreeMap;

use super::{Image, Snapshot};
use crate::kernel::time::Time;

#[derive(Debug, Default)]
pub struct Bin {
    pub images: BTreeMap<String, Kept<Image>>,
    pub snapshots: BTreeMap<String, Kept<Snapshot>>,
}

/// A resource in the bin, as it was when it was deleted.
#[derive(Debug)]
pub struct Kept<T> {
    pub resource: T,
    pub entered_at: Time,
    pub leaves_at: Time,
}

impl Bin {
    /// Forgets what has left the bin.
    pub fn empty(&mut self, now: Time) {
        self.images.retain(|_, kept| now < kept.leaves_at);
        self.snapshots.retain(|_, kept| now < kept.leaves_at);
    }
}
