//! Places that a policy had given up, and wants again; and lost places that a person wants again.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::change::{Change, Write};
use crate::ids::Region;
use crate::illegal::Illegal;
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus};
use crate::reason::{Code, Reason};
use crate::status::{Event, Phase};
use crate::transition::{again, loss, summary, withdrawn};

/// Returns the replica that is wanted again, and its point. One that had lost its image is lost
/// again, and is looked at: the image may be there by now. Any other is copied after all.
///
/// # Errors
/// The replica is not withdrawn.
pub fn replica(
    point: &Point,
    replica: &Replica,
    now: Timestamp,
) -> Result<(Point, Replica), Illegal> {
    let region = &replica.region;
    let (after, place, reason) = match &replica.lost {
        Some(lost) => {
            let text = format!("{lost} in {region} is gone, and its place is wanted again");
            let after = replica.due_now(now).after(ReplicaEvent::Lose)?;
            (after, Place::Lost, Reason::new(Code::Lost, text))
        }
        None => {
            let reason = Reason::new(Code::Healing, format!("a copy in {region} is wanted again"));
            (again::replica(replica, reason.clone(), now)?, Place::Underway, reason)
        }
    };
    let after = Replica { reason: Some(reason.clone()), ..after };
    let mut point = match point.status.phase() {
        Phase::Good => Point { reason: Some(reason), ..point.after(Event::Lose)? },
        // It has its places once it has an image again.
        _ => point.clone(),
    };
    point.replicas.insert(region.clone(), place);
    Ok((point, after))
}

/// Returns the change by which a person has the lost places of a point made again that are meant,
/// however often they were before, and whatever the policy says of it; none if none of them is.
///
/// # Errors
/// A place cannot be taken up again in its status.
pub fn by_person(
    point: &Point,
    replicas: &[&Replica],
    meant: &BTreeSet<&Region>,
    now: Timestamp,
) -> Result<Option<Change>, Illegal> {
    let may_be_made = loss::lacks_home(point) || loss::waits_to_be_remade(point);
    let is_home = may_be_made && meant.contains(&point.home);
    let mut after = if is_home { loss::asked_for(point, now) } else { point.clone() };
    let mut writes = Vec::new();
    // The point itself stands for the place at home.
    let elsewhere = replicas.iter().filter(|replica| replica.region != point.home);
    for replica in elsewhere.filter(|replica| meant.contains(&replica.region)) {
        let replica = match replica.status {
            ReplicaStatus::Lost => replica.due_now(now),
            _ if withdrawn::is_unwanted(replica) => {
                let (with_place, replica) = self::replica(&after, replica, now)?;
                after = with_place;
                replica
            }
            _ => continue,
        };
        writes.push(Write::replica(Replica { healed: Vec::new(), heal_asked: true, ..replica }));
    }
    if !writes.is_empty() {
        let no_more = |reason: Reason| match reason.code {
            Code::LostAgain => Reason { code: Code::Lost, ..reason },
            _ => reason,
        };
        after.reason = after.reason.map(no_more);
    }
    let is_told = after.replicas != point.replicas || after.reason != point.reason;
    let summary = is_told.then(|| summary::of(&after)).flatten();
    if after != *point {
        writes.insert(0, Write::point(after));
    }
    Ok((!writes.is_empty()).then_some(Change { writes, summary }))
}
