//! LockSnapshot, UnlockSnapshot, DescribeLockedSnapshots.
//!
//! A governance lock can be changed and taken off by whoever may. A compliance lock can be too
//! while it cools off; after that it can only be made longer, and ends when its time is over.

use std::time::Duration;

use super::{events, own};
use crate::ec2::state::{Lock, SnapshotState};
use crate::ec2::{filter, well_formed};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::glob::glob;
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

const DAYS_MAX: i64 = 36_500;
const COOL_OFF_HOURS_MAX: i64 = 72;
const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

impl Lock {
    pub fn is_in_force(&self, now: Time) -> bool {
        now < self.expires_at
    }

    pub fn state(&self, now: Time) -> &'static str {
        if !self.is_in_force(now) {
            "expired"
        } else if self.mode == "governance" {
            "governance"
        } else if self.cool_off_until.is_some_and(|until| now < until) {
            "compliance-cooloff"
        } else {
            "compliance"
        }
    }

    /// Past its cooling-off period a compliance lock is there to stay.
    fn is_final(&self, now: Time) -> bool {
        self.state(now) == "compliance"
    }
}

/// What LockSnapshot asks for.
struct Asked {
    mode: String,
    cool_off_hours: Option<u32>,
    days: Option<u32>,
    expires_at: Option<Time>,
}

fn read(fields: &Fields) -> Result<Asked, ApiError> {
    let mode = fields.required("LockMode")?.to_string();
    if !matches!(mode.as_str(), "governance" | "compliance") {
        return Err(fields.invalid("LockMode", &mode, "Try governance or compliance."));
    }
    let cool_off_hours = bounded(fields, "CoolOffPeriod", COOL_OFF_HOURS_MAX)?;
    let days = bounded(fields, "LockDuration", DAYS_MAX)?;
    let expires_at = fields.instant("ExpirationDate")?;
    if cool_off_hours.is_some() && mode == "governance" {
        let text = "CoolOffPeriod can only be given with the lock mode compliance";
        return Err(ApiError::combination(text));
    }
    if days.is_some() == expires_at.is_some() {
        let text = "Specify either LockDuration or ExpirationDate";
        return Err(ApiError::combination(text));
    }
    Ok(Asked { mode, cool_off_hours, days, expires_at })
}

fn bounded(fields: &Fields, name: &str, most: i64) -> Result<Option<u32>, ApiError> {
    match fields.integer(name)? {
        None => Ok(None),
        Some(n) if (1..=most).contains(&n) => Ok(u32::try_from(n).ok()),
        Some(n) => {
            let why = format!("It must be between 1 and {most}.");
            Err(fields.invalid(name, &n.to_string(), &why))
        }
    }
}

pub fn lock(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("SnapshotId")?.to_string();
    let asked = read(fields)?;
    fields.finish()?;
    let now = model.now;
    let snapshot = own(model, &call.scope, &id)?;
    let mut want = snapshot.want(call, &call.scope, "ec2:LockSnapshot");
    if let Some(days) = asked.days {
        want = want.key("ec2:SnapshotLockDuration", days.to_string());
    }
    if let Some(hours) = asked.cool_off_hours {
        want = want.key("ec2:SnapshotCoolOffPeriod", hours.to_string());
    }
    model.permit(call, &[want])?;

    let snapshot = own(model, &call.scope, &id)?;
    if snapshot.state == SnapshotState::Error {
        let text = "Snapshot is in invalid state - error";
        return Err(ApiError::bad("IncorrectState", text));
    }
    // The time of a lock on a snapshot that is not complete begins with its completion.
    let from = if snapshot.state == SnapshotState::Pending { snapshot.completes_at } else { now };
    let lasting = asked.days.map(|days| from + DAY * days);
    let expires_at = asked.expires_at.or(lasting).unwrap_or(from);
    if expires_at < now + DAY {
        let text = "The lock must last for at least a day";
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let old = snapshot.lock.clone().filter(|lock| lock.is_in_force(now));
    if let Some(old) = old.as_ref().filter(|old| old.is_final(now)) {
        let changes = asked.mode != old.mode || asked.cool_off_hours.is_some();
        if changes || expires_at < old.expires_at {
            let text = format!("The snapshot '{id}' is locked in compliance mode");
            return Err(ApiError::bad("OperationNotPermitted", text));
        }
    }
    let lock = Lock {
        mode: asked.mode,
        created_at: old.map_or(now, |old| old.created_at),
        duration_days: asked.days,
        started_at: from,
        expires_at,
        cool_off_hours: asked.cool_off_hours,
        cool_off_until: asked.cool_off_hours.map(|hours| now + HOUR * hours),
    };
    snapshot.lock = Some(lock.clone());
    events::lock_changed(model, &call.scope, &id, "lockSnapshot", &lock);
    plan(model, &call.scope, &id, &lock);
    let mut xml = Xml::new();
    write(&mut xml, &id, &lock, now);
    Ok(xml)
}

fn plan(model: &mut Model, scope: &Scope, id: &str, lock: &Lock) {
    let expiry = ("lockDurationExpiry", Some(lock.expires_at));
    let cool_off = ("cooloffperiodExpiry", lock.cool_off_until);
    for (event, at) in [expiry, cool_off] {
        if let Some(at) = at {
            let (scope, id) = (scope.clone(), id.to_string());
            model.at(at, "ec2: lock of a snapshot runs out", move |model| {
                run_out(model, &scope, &id, event, at);
            });
        }
    }
}

/// Tells that a lock, or its cooling-off period, has run out, unless it was changed since this was
/// planned.
fn run_out(model: &mut Model, scope: &Scope, id: &str, event: &str, at: Time) {
    let snapshot = model.ec2_region(scope).snapshots.get(id);
    let Some(lock) = snapshot.and_then(|snapshot| snapshot.lock.clone()) else { return };
    if lock.expires_at == at || lock.cool_off_until == Some(at) {
        events::lock_changed(model, scope, id, event, &lock);
    }
}

pub fn unlock(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("SnapshotId")?.to_string();
    fields.finish()?;
    let want = own(model, &call.scope, &id)?.want(call, &call.scope, "ec2:UnlockSnapshot");
    model.permit(call, &[want])?;
    let now = model.now;
    let snapshot = own(model, &call.scope, &id)?;
    let text = match &snapshot.lock {
        None => format!("The snapshot '{id}' is not locked"),
        Some(lock) if lock.is_final(now) => {
            format!("The snapshot '{id}' is locked in compliance mode")
        }
        Some(_) => {
            snapshot.lock = None;
            let mut xml = Xml::new();
            xml.leaf("snapshotId", &id);
            return Ok(xml);
        }
    };
    Err(ApiError::bad("OperationNotPermitted", text))
}

fn write(xml: &mut Xml, id: &str, lock: &Lock, now: Time) {
    xml.leaf("snapshotId", id).leaf("lockState", lock.state(now));
    if let Some(days) = lock.duration_days {
        xml.number("lockDuration", days);
    }
    if let Some(hours) = lock.cool_off_hours {
        xml.number("coolOffPeriod", hours);
    }
    xml.maybe("coolOffPeriodExpiresOn", lock.cool_off_until.map(Time::to_millis_text))
        .leaf("lockCreatedOn", lock.created_at.to_millis_text())
        .leaf("lockExpiresOn", lock.expires_at.to_millis_text())
        .leaf("lockDurationStartTime", lock.started_at.to_millis_text());
}

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let filters = filter::read(fields)?;
    filter::check(&filters, &["lock-state"])?;
    let ids = filter::ids(fields, "SnapshotId");
    let page =
        Page::read(&model.config.quirks, fields, &model.config.quirks.page_size, !ids.is_empty())?;
    fields.finish()?;
    for id in &ids {
        well_formed(Kind::Snapshot, id)?;
    }
    model.permit(call, &[Want::anywhere("ec2:DescribeLockedSnapshots")])?;
    let now = model.now;
    let region = model.ec2_region(&call.scope);
    let locked = region.snapshots.values().filter_map(|snapshot| {
        let lock = snapshot.lock.as_ref()?;
        let after = page.after.as_ref().is_none_or(|after| *after < snapshot.id);
        let named = ids.is_empty() || ids.contains(&snapshot.id);
        let fits = filters
            .iter()
            .all(|filter| filter.values.iter().any(|value| glob(value, lock.state(now))));
        (snapshot.visible_at <= now && after && named && fits).then_some((snapshot, lock))
    });
    let (rows, next) = page.take(locked, |(snapshot, _)| &snapshot.id);
    let mut xml = Xml::new();
    xml.list("snapshotSet", rows, |xml, (snapshot, lock)| {
        xml.leaf("ownerId", &*call.scope.account);
        write(xml, &snapshot.id, lock, now);
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}
