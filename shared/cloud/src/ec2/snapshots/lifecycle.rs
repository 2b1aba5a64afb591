//! The way of a snapshot: `pending`, then `completed` or `error`.

use super::events::{self, Member};
use crate::ec2::state::{Snapshot, SnapshotState};
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::model::Model;

/// Plans the end of a snapshot: when its data is there, or when EBS finds that it cannot be.
pub fn plan_end(model: &mut Model, scope: &Scope, id: &str, failure: Option<String>) {
    let completes_at = model.ec2_region(scope).snapshots.get(id).map(|s| s.completes_at);
    let at = match &failure {
        None => completes_at.unwrap_or(model.now),
        Some(_) => model.now + model.config.pace.kms_failure,
    };
    let (scope, id) = (scope.clone(), id.to_string());
    model.at(at, "ec2: snapshot ends", move |model| end(model, &scope, &id, failure.as_deref()));
}

/// Plans the end of a set: one by one, and the set with its last; a failure takes all of them.
pub fn plan_set(model: &mut Model, scope: &Scope, members: Vec<Member>, failure: Option<String>) {
    let started_at = model.now;
    let failed = failure.is_some();
    let mut last = started_at;
    for member in &members {
        let snapshots = &model.ec2_region(scope).snapshots;
        last = last.max(snapshots.get(&member.id).map_or(started_at, |s| s.completes_at));
        if !failed {
            plan_end(model, scope, &member.id, None);
        }
    }
    let at = if failed { started_at + model.config.pace.kms_failure } else { last };
    let scope = scope.clone();
    model.at(at, "ec2: set of snapshots ends", move |model| {
        end_set(model, &scope, &members, started_at, failure.as_deref());
    });
}

fn end(model: &mut Model, scope: &Scope, id: &str, failure: Option<&str>) {
    if let Some(snapshot) = settle(model, scope, id, failure) {
        events::ended(model, scope, &snapshot, failure);
    }
}

/// Brings a pending snapshot to its final state; what was deleted meanwhile goes now.
fn settle(model: &mut Model, scope: &Scope, id: &str, failure: Option<&str>) -> Option<Snapshot> {
    let region = model.ec2_region(scope);
    let snapshot = region.snapshots.get_mut(id)?;
    if snapshot.state != SnapshotState::Pending {
        return None;
    }
    match failure {
        None => snapshot.state = SnapshotState::Completed,
        Some(message) => {
            snapshot.state = SnapshotState::Error;
            snapshot.status_message = message.to_string();
        }
    }
    let settled = snapshot.clone();
    region.pending_snapshots.remove(id);
    region.note_completed(id);
    if settled.deleted_while_pending {
        region.remove_snapshot(id);
    }
    Some(settled)
}

fn end_set(
    model: &mut Model,
    scope: &Scope,
    members: &[Member],
    started_at: Time,
    failure: Option<&str>,
) {
    let Some(message) = failure else {
        return events::set_ended(model, scope, members, started_at, None);
    };
    // Which of the set failed first is told by the event; the others fall with it.
    let Some(first) = members.first() else { return };
    let cause = format!("Snapshot {} is in status error", first.id);
    for member in members {
        let message = if member.id == first.id { message } else { cause.as_str() };
        if let Some(snapshot) = settle(model, scope, &member.id, Some(message)) {
            events::ended(model, scope, &snapshot, Some(message));
        }
    }
    events::set_ended(model, scope, members, started_at, Some(&cause));
}
