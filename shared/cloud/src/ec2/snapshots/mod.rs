//! Snapshots: moments of volumes, and copies of them in other regions and accounts.
//!
//! The data of a snapshot is fixed when the call returns; the upload takes its time after that, and
//! only when it is over can the snapshot be used.

pub mod attributes;
pub mod copy;
pub mod create;
pub mod delete;
pub mod describe;
pub mod events;
pub mod lifecycle;
pub mod lock;

use std::time::Duration;

use super::state::{Billing, Instance, Origin, Region, Snapshot, SnapshotState, Volume};
use super::{lookup, well_formed};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kms;
use crate::model::Model;

const DESCRIPTION_LENGTH_MAX: usize = 255;

impl Snapshot {
    /// A pending snapshot of its own kind, with nothing about it that a call may set.
    pub fn new(id: String, volume_id: &str, size_gib: u32, now: Time) -> Snapshot {
        Snapshot {
            id,
            volume_id: volume_id.to_string(),
            state: SnapshotState::Pending,
            status_message: String::new(),
            started_at: now,
            completes_at: now,
            description: String::new(),
            size_gib,
            kms_key: None,
            tags: Tags::new(),
            tier: "standard".to_string(),
            lineage: volume_id.to_string(),
            incremental: false,
            origin: Origin::Single,
            lock: None,
            volume_permissions: Default::default(),
            public: false,
            product_codes: Vec::new(),
            billing: None,
            transfer_type: None,
            completion_minutes: None,
            visible_at: now,
            in_use_until: None,
            deleted_while_pending: false,
            request_id: String::new(),
        }
    }

    /// `0%` to `99%` while it is uploaded, in step with the time.
    pub fn progress(&self, now: Time) -> String {
        let percent = match self.state {
            SnapshotState::Completed => 100,
            SnapshotState::Error => 0,
            SnapshotState::Pending => {
                let whole = self.completes_at.since(self.started_at).as_millis().max(1);
                let gone = now.since(self.started_at).as_millis();
                (gone * 100 / whole).min(99)
            }
        };
        format!("{percent}%")
    }

    /// Whether an account that does not own it may use it.
    pub fn is_shared_with(&self, account: &str) -> bool {
        self.public || self.volume_permissions.contains(account)
    }

    fn is_copy(&self) -> bool {
        matches!(self.origin, Origin::Copy { .. } | Origin::ImageCopy { .. })
    }

    /// An authorisation of something to be done with this snapshot, which `owner` has.
    pub fn want(&self, call: &Call, owner: &Scope, action: &str) -> Want {
        let want = Want::new(action, arn::of_ec2(owner, Kind::Snapshot, &self.id))
            .key("ec2:Owner", &*owner.account)
            .key("ec2:SnapshotTime", self.started_at.to_seconds_text())
            .key("ec2:Encrypted", if self.kms_key.is_some() { "true" } else { "false" });
        // Nobody sees the tags that another account gave to its resources.
        if owner.account == call.scope.account { want.resource_tags(&self.tags) } else { want }
    }
}

impl Billing {
    /// What a snapshot of the volume keeps of its machine: only root volumes carry a system.
    pub fn of(instance: &Instance, volume_id: &str) -> Option<Billing> {
        let root = instance.platform.root_device_name.as_ref()?;
        let attached = instance.attachments.iter().find(|a| a.volume_id == volume_id)?;
        (attached.device == *root).then(|| Billing {
            platform: instance.platform.platform.clone(),
            platform_details: instance.platform.platform_details.clone(),
            usage_operation: instance.platform.usage_operation.clone(),
        })
    }
}

impl Region {
    pub fn add_snapshot(&mut self, snapshot: Snapshot) {
        if snapshot.state == SnapshotState::Pending {
            self.pending_snapshots.insert(snapshot.id.clone());
        }
        let id = snapshot.id.clone();
        self.snapshots.insert(id.clone(), snapshot);
        self.note_completed(&id);
    }

    /// From now on, incremental snapshots and copies can build on it.
    fn note_completed(&mut self, id: &str) {
        let Some(snapshot) = self.snapshots.get(id) else { return };
        if snapshot.state != SnapshotState::Completed {
            return;
        }
        self.pending_snapshots.remove(id);
        let key = (snapshot.lineage.clone(), snapshot.kms_key.clone());
        let lineage = self.lineages.entry(key).or_default();
        lineage.snapshots.insert(id.to_string());
        if snapshot.is_copy() {
            lineage.latest_copy = Some(id.to_string());
        }
    }

    /// Takes a snapshot away for good.
    pub fn remove_snapshot(&mut self, id: &str) {
        self.pending_snapshots.remove(id);
        self.tag_versions.remove(id);
        let Some(snapshot) = self.snapshots.remove(id) else { return };
        let key = (snapshot.lineage, snapshot.kms_key);
        if let Some(lineage) = self.lineages.get_mut(&key) {
            lineage.snapshots.remove(id);
            if lineage.snapshots.is_empty() {
                self.lineages.remove(&key);
            }
        }
    }

    /// Whether a new snapshot of the volume has only the changes to upload.
    fn has_earlier(&self, volume: &Volume) -> bool {
        let key = (volume.id.clone(), volume.kms_key.clone());
        self.lineages.get(&key).is_some_and(|lineage| !lineage.snapshots.is_empty())
    }

    /// Whether a copy from another region has only the changes to carry: the last completed copy of
    /// the lineage under the same key must still be there.
    fn has_last_copy(&self, lineage: &str, kms_key: Option<&String>) -> bool {
        let lineage = self.lineages.get(&(lineage.to_string(), kms_key.cloned()));
        lineage.is_some_and(|lineage| {
            let last = lineage.latest_copy.as_ref();
            last.is_some_and(|id| lineage.snapshots.contains(id))
        })
    }

    /// The snapshots that are being made and fit.
    fn pending(&self, fits: impl Fn(&Snapshot) -> bool) -> usize {
        let pending = self.pending_snapshots.iter().filter_map(|id| self.snapshots.get(id));
        pending.filter(|snapshot| fits(snapshot)).count()
    }
}

/// How long data takes: all of it the first time, a tenth of it after that.
pub fn duration(base: Duration, per_gib: Duration, size_gib: u32, incremental: bool) -> Duration {
    let data = per_gib.saturating_mul(size_gib);
    base.saturating_add(if incremental { data / 10 } else { data })
}

/// An own snapshot that the caller can see by now.
pub fn own<'a>(
    model: &'a mut Model,
    scope: &Scope,
    id: &str,
) -> Result<&'a mut Snapshot, ApiError> {
    well_formed(Kind::Snapshot, id)?;
    let now = model.now;
    let snapshot = model.ec2_region(scope).snapshots.get_mut(id);
    let visible = snapshot.filter(|snapshot| snapshot.visible_at <= now);
    visible.ok_or_else(|| ApiError::not_found(Kind::Snapshot, &[id]))
}

/// A snapshot that the account may make something of, with whoever owns it.
pub fn usable(model: &mut Model, scope: &Scope, id: &str) -> Result<(Scope, Snapshot), ApiError> {
    well_formed(Kind::Snapshot, id)?;
    let found = lookup::snapshot_for(model, scope, id);
    let found = found.ok_or_else(|| ApiError::not_found(Kind::Snapshot, &[id]))?;
    Ok((scope.in_account(&found.owner), found.snapshot))
}

/// Whether EBS may use a key for the caller, asked in the region that the key is in: the source of
/// a copy is under a key of another region than the call.
pub fn key_failure(model: &mut Model, call: &Call, key_arn: &str) -> Option<String> {
    let region = key_arn.split(':').nth(3).unwrap_or_default();
    let scope = call.scope.in_region(region);
    kms::ebs::usable_for_ebs(model, &Call { scope, ..call.clone() }, key_arn).err()
}

/// `Description`, which may be long but not too long.
pub fn description(text: Option<&str>) -> Result<String, ApiError> {
    let text = text.unwrap_or_default();
    if text.chars().count() > DESCRIPTION_LENGTH_MAX {
        let why = format!("Character sets beyond {DESCRIPTION_LENGTH_MAX} are not supported.");
        return Err(ApiError::invalid_value("Description", text, &why));
    }
    Ok(text.to_string())
}

/// `OutpostArn`, `Location=local` and the like ask for hardware that is not modelled.
pub fn refuse_local(fields: &crate::kernel::query::Fields, names: &[&str]) -> Result<(), ApiError> {
    for name in names {
        match fields.text(name) {
            None | Some("" | "regional") => {}
            Some(_) => {
                let text = format!("The parameter {name} asks for what is not modelled here");
                return Err(ApiError::bad("UnsupportedOperation", text));
            }
        }
    }
    Ok(())
}
