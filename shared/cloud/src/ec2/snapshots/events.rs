//! The events about snapshots, with their odd names and ARNs.
//!
//! The ARNs here have the region in the place of the account, and nothing in the place of the
//! region. Names are in three styles within one event.

use serde_json::{Map, Value, json};

use crate::ec2::state::{Lock, Origin, Snapshot};
use crate::eventbridge::{self, Event};
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::Model;

const SINGLE: &str = "EBS Snapshot Notification";
const SET: &str = "EBS Multi-Volume Snapshots Completion Status";

/// The odd ARN.
fn odd_arn(region: &str, kind: &str, id: &str) -> String {
    format!("arn:aws:ec2::{region}:{kind}/{id}")
}

/// What all events about one snapshot have, in the order in which they print.
fn detail(event: &str, cause: Option<&str>, id: &str, source: Value) -> Map<String, Value> {
    let mut detail = Map::new();
    detail.insert("event".into(), json!(event));
    let result = if cause.is_some() { "failed" } else { "succeeded" };
    detail.insert("result".into(), json!(result));
    detail.insert("cause".into(), json!(cause.unwrap_or_default()));
    detail.insert("request-id".into(), json!(""));
    detail.insert("snapshot_id".into(), json!(id));
    detail.insert("source".into(), source);
    detail
}

fn send(model: &mut Model, scope: &Scope, id: &str, detail: Map<String, Value>) {
    let arn = vec![odd_arn(&scope.region, "snapshot", id)];
    eventbridge::put::emit(model, scope, Event::new("aws.ec2", SINGLE, arn, Value::Object(detail)));
}

fn add_times(detail: &mut Map<String, Value>, from: Time, to: Time) {
    detail.insert("startTime".into(), json!(from.to_seconds_text()));
    detail.insert("endTime".into(), json!(to.to_seconds_text()));
}

/// The upload of a snapshot, or a copy, is over.
pub fn ended(model: &mut Model, scope: &Scope, snapshot: &Snapshot, cause: Option<&str>) {
    let quirks = &model.config.quirks;
    let sends = match snapshot.origin {
        Origin::Single | Origin::Copy { .. } => true,
        Origin::Set(_) => quirks.sets_send_single_events,
        Origin::Image(_) | Origin::ImageCopy { .. } => quirks.images_send_snapshot_events,
    };
    if !sends {
        return;
    }
    let id = odd_arn(&scope.region, "snapshot", &snapshot.id);
    let mut detail = match &snapshot.origin {
        Origin::Single | Origin::Set(_) | Origin::Image(_) => {
            let source = odd_arn(&scope.region, "volume", &snapshot.volume_id);
            detail("createSnapshot", cause, &id, json!(source))
        }
        Origin::Copy { region, snapshot_id } | Origin::ImageCopy { region, snapshot_id, .. } => {
            let source = odd_arn(region, "snapshot", snapshot_id);
            detail("copySnapshot", cause, &id, json!(source))
        }
    };
    add_times(&mut detail, snapshot.started_at, model.now);
    if let Some(transfer) = &snapshot.transfer_type
        && cause.is_none()
    {
        let incremental = if snapshot.incremental { "true" } else { "false" };
        detail.insert("incremental".into(), json!(incremental));
        detail.insert("transferType".into(), json!(transfer));
        if transfer == "time-based" {
            let start = snapshot.started_at.to_millis_text();
            detail.insert("completionDurationStartTime".into(), json!(start));
        }
    }
    send(model, scope, &snapshot.id, detail);
}

/// One member of a set, as its event names it.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: String,
    pub volume_id: String,
}

/// All uploads of a CreateSnapshots call are over.
pub fn set_ended(
    model: &mut Model,
    scope: &Scope,
    members: &[Member],
    started_at: Time,
    cause: Option<&str>,
) {
    let arn = |member: &Member| odd_arn(&scope.region, "snapshot", &member.id);
    let status = if cause.is_some() { "error" } else { "completed" };
    let snapshots = members.iter().map(|member| {
        let source = odd_arn(&scope.region, "volume", &member.volume_id);
        json!({ "snapshot_id": arn(member), "source": source, "status": status })
    });
    let detail = json!({
        "event": "createSnapshots",
        "result": if cause.is_some() { "failed" } else { "succeeded" },
        "cause": cause.unwrap_or_default(),
        "request-id": "",
        "startTime": started_at.to_seconds_text(),
        "endTime": model.now.to_seconds_text(),
        "snapshots": snapshots.collect::<Vec<_>>(),
    });
    let resources = members.iter().map(arn).collect();
    eventbridge::put::emit(model, scope, Event::new("aws.ec2", SET, resources, detail));
}

/// A snapshot was shared; whom it was shared with is told, in an event of their own account.
pub fn shared(model: &mut Model, owner: &Scope, id: &str, with: &str) {
    let scope = Scope::new(with, &owner.region);
    let number = owner.account.parse::<u64>().ok();
    let source = match number.filter(|_| model.config.quirks.share_event_owner_is_number) {
        Some(number) => json!(number),
        None => json!(&*owner.account),
    };
    let arn = odd_arn(&owner.region, "snapshot", id);
    let mut detail = detail("shareSnapshot", None, &arn, source);
    add_times(&mut detail, model.now, model.now);
    send(model, &scope, id, detail);
}

/// Something happened to a lock: `lockSnapshot`, `lockDurationExpiry`, `cooloffperiodExpiry`.
pub fn lock_changed(model: &mut Model, scope: &Scope, id: &str, event: &str, lock: &Lock) {
    let now = model.now;
    let arn = odd_arn(&scope.region, "snapshot", id);
    let mut detail = detail(event, None, &arn, json!(&*scope.account));
    add_times(&mut detail, now, now);
    detail.insert("lockState".into(), json!(lock.state(now)));
    detail.insert("lockCreatedOn".into(), json!(lock.created_at.to_seconds_text()));
    detail.insert("lockExpiresOn".into(), json!(lock.expires_at.to_seconds_text()));
    if let Some(days) = lock.duration_days {
        detail.insert("lockDuration".into(), json!(days.to_string()));
    }
    let started = lock.started_at.to_seconds_text();
    detail.insert("lockStartDurationTime".into(), json!(started));
    if let (Some(hours), Some(until)) = (lock.cool_off_hours, lock.cool_off_until) {
        detail.insert("cooOffPeriod".into(), json!(hours.to_string()));
        detail.insert("coolOffPeriodExpiresOn".into(), json!(until.to_seconds_text()));
    }
    send(model, scope, id, detail);
}
