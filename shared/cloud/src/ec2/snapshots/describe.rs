//! DescribeSnapshots: one's own, and those that others share.

use std::collections::{BTreeMap, BTreeSet};

use crate::ec2::filter::{self, Filter};
use crate::ec2::merge::Merged;
use crate::ec2::state::{Snapshot, SnapshotState};
use crate::ec2::{catalogue, tags, well_formed};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

const FILTERS: [&str; 12] = [
    "description",
    "encrypted",
    "owner-alias",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "storage-tier",
    "transfer-type",
    "volume-id",
    "volume-size",
];

struct Query {
    ids: BTreeSet<String>,
    owners: Vec<String>,
    restorable_by: Vec<String>,
    filters: Vec<Filter>,
}

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let me = call.scope.account.to_string();
    let me_or = |name: String| if name == "self" { me.clone() } else { name };
    let query = Query {
        ids: filter::ids(fields, "SnapshotId"),
        owners: fields.list("Owner").into_iter().map(me_or).collect(),
        restorable_by: fields.list("RestorableBy").into_iter().map(me_or).collect(),
        filters: filter::read(fields)?,
    };
    filter::check(&query.filters, &FILTERS)?;
    let has_ids = !query.ids.is_empty();
    let page = Page::read(&model.config.quirks, fields, &model.config.quirks.page_size, has_ids)?;
    fields.finish()?;
    for id in &query.ids {
        well_formed(Kind::Snapshot, id)?;
    }
    model.permit(call, &[Want::anywhere("ec2:DescribeSnapshots")])?;
    let public = Public::of(&call.scope);
    check_ids(model, &call.scope, &public, &query.ids)?;

    let now = model.now;
    let maps = model.ec2.iter().filter(|(owner, _)| owner.region == call.scope.region);
    let maps = maps.map(|(owner, region)| (owner, &region.snapshots)).chain(&public.snapshots);
    let maps = maps.filter(|(owner, _)| query.takes_owner(owner, public.alias(owner)));
    let all = Merged::new(maps, page.after.as_deref());
    let fitting = all.filter(|(owner, _, snapshot)| {
        query.takes(call, &Row { snapshot, owner, alias: public.alias(owner), now })
    });
    let (rows, next) = page.take(fitting, |(_, id, _)| id);
    let mut xml = Xml::new();
    xml.list("snapshotSet", rows, |xml, (owner, _, snapshot)| {
        let own = owner.account == call.scope.account;
        write(xml, snapshot, &owner.account, now, own);
        xml.maybe("ownerAlias", public.alias(owner));
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

/// Ids that nobody has are an error; those of others that are not shared are left out silently.
fn check_ids(
    model: &Model,
    scope: &Scope,
    public: &Public,
    ids: &BTreeSet<String>,
) -> Result<(), ApiError> {
    let exists = |id: &str| {
        let mut here = model.ec2.iter().filter(|(owner, _)| owner.region == scope.region);
        here.any(|(_, region)| region.snapshots.get(id).is_some_and(|s| s.visible_at <= model.now))
            || public.snapshots.values().any(|snapshots| snapshots.contains_key(id))
    };
    match ids.iter().find(|id| !exists(id)) {
        None => Ok(()),
        Some(id) => Err(ApiError::not_found(Kind::Snapshot, &[id])),
    }
}

/// The snapshots behind the images of the catalogue, by owner.
struct Public {
    snapshots: BTreeMap<Scope, BTreeMap<String, Snapshot>>,
    aliases: BTreeMap<Scope, String>,
}

impl Public {
    fn of(scope: &Scope) -> Public {
        let mut public = Public { snapshots: BTreeMap::new(), aliases: BTreeMap::new() };
        for found in catalogue::snapshots(&scope.region) {
            let owner = scope.in_account(&found.owner);
            if let Some(alias) = found.owner_alias {
                public.aliases.insert(owner.clone(), alias);
            }
            let snapshots = public.snapshots.entry(owner).or_default();
            snapshots.insert(found.snapshot.id.clone(), found.snapshot);
        }
        public
    }

    fn alias(&self, owner: &Scope) -> Option<&str> {
        self.aliases.get(owner).map(String::as_str)
    }
}

/// A snapshot with what has to be known to filter it.
struct Row<'a> {
    snapshot: &'a Snapshot,
    owner: &'a Scope,
    alias: Option<&'a str>,
    now: Time,
}

impl Query {
    fn takes_owner(&self, owner: &Scope, alias: Option<&str>) -> bool {
        let is_owner =
            |wanted: &String| **wanted == *owner.account || Some(wanted.as_str()) == alias;
        self.owners.is_empty() || self.owners.iter().any(is_owner)
    }

    fn takes(&self, call: &Call, row: &Row<'_>) -> bool {
        let (snapshot, owner) = (row.snapshot, row.owner);
        let own = owner.account == call.scope.account;
        if snapshot.visible_at > row.now || !(own || snapshot.is_shared_with(&call.scope.account)) {
            return false;
        }
        if !self.ids.is_empty() && !self.ids.contains(&snapshot.id) {
            return false;
        }
        let restorable = |account: &String| match account.as_str() {
            "all" => snapshot.public,
            account => *account == *owner.account || snapshot.volume_permissions.contains(account),
        };
        if !self.restorable_by.is_empty() && !self.restorable_by.iter().any(restorable) {
            return false;
        }
        let none = Tags::new();
        let tags = if own { &snapshot.tags } else { &none };
        filter::passes(&self.filters, tags, |name| values(row, name))
    }
}

fn values(row: &Row<'_>, name: &str) -> Vec<String> {
    let snapshot = row.snapshot;
    let value = match name {
        "description" => snapshot.description.clone(),
        "encrypted" => snapshot.kms_key.is_some().to_string(),
        "owner-alias" => return row.alias.map(str::to_string).into_iter().collect(),
        "owner-id" => row.owner.account.to_string(),
        "progress" => snapshot.progress(row.now),
        "snapshot-id" => snapshot.id.clone(),
        "start-time" => snapshot.started_at.to_millis_text(),
        "status" => snapshot.state.name().to_string(),
        "storage-tier" => snapshot.tier.clone(),
        "volume-id" => snapshot.volume_id.clone(),
        "volume-size" => snapshot.size_gib.to_string(),
        "transfer-type" => return snapshot.transfer_type.clone().into_iter().collect(),
        _ => return Vec::new(),
    };
    vec![value]
}

/// A snapshot as CreateSnapshot and DescribeSnapshots show it.
pub fn write(xml: &mut Xml, snapshot: &Snapshot, owner: &str, now: Time, own: bool) {
    const BYTES_PER_GIB: i128 = 1 << 30;
    let completed = snapshot.state == SnapshotState::Completed;
    let message = Some(&snapshot.status_message).filter(|message| !message.is_empty());
    xml.leaf("snapshotId", &snapshot.id)
        .leaf("volumeId", &snapshot.volume_id)
        .leaf("status", snapshot.state.name())
        .maybe("statusMessage", message)
        .leaf("startTime", snapshot.started_at.to_millis_text())
        .leaf("progress", snapshot.progress(now))
        .leaf("ownerId", owner)
        .leaf("description", &snapshot.description)
        .number("volumeSize", snapshot.size_gib)
        .flag("encrypted", snapshot.kms_key.is_some())
        .maybe("kmsKeyId", snapshot.kms_key.as_ref())
        .leaf("storageTier", &snapshot.tier)
        .maybe("transferType", snapshot.transfer_type.as_ref());
    if let Some(minutes) = snapshot.completion_minutes {
        xml.number("completionDurationMinutes", minutes);
    }
    if completed {
        xml.leaf("completionTime", snapshot.completes_at.to_millis_text());
        xml.number("fullSnapshotSizeInBytes", i128::from(snapshot.size_gib) * BYTES_PER_GIB);
    }
    if own {
        tags::write(xml, &snapshot.tags);
    }
}
