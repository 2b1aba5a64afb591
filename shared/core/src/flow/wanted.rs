//! Points and copies that are still wanted, by the policies in force and by the tags of the
//! machine. Asked right before the first call that creates something, before a stop, and before a
//! copy (the policies only: the image exists, and the tags of its machine no longer matter).
//!
//! Only two things tell that nobody wants a point any more: the policies were read, and the policy
//! of the point is not among them; or EC2 shows the machine with tags that the policy does not
//! select. A policy that cannot be read and a machine that is not shown tell nothing.

use super::InForce;
use crate::ids::{PolicyName, Region};
use crate::machine::Instance;
use crate::point::{Point, Replica};
use crate::policy::select::Obstacle;
use crate::policy::{Policy, Replicate};
use crate::reason::{Code, Reason};

/// Answer to the question if something is still wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wanted,
    /// Not known: it waits.
    Unknown(Reason),
    /// Not wanted any more, for this reason.
    Unwanted(Reason),
}

/// Tells whether a point is still wanted. `shown` is the machine as EC2 shows it.
pub fn point(point: &Point, shown: Option<&Instance>, in_force: &InForce) -> Verdict {
    let policy = match policy(&point.slot.policy, in_force) {
        Ok(policy) => policy,
        Err(verdict) => return verdict,
    };
    // EC2 takes the tags off a machine that is gone, after a while.
    let Some(shown) = shown.filter(|shown| !shown.state.is_gone()) else { return Verdict::Wanted };
    match obstacle(policy, shown) {
        None => Verdict::Wanted,
        Some(obstacle) => unwanted(obstacle.text(&policy.name)),
    }
}

/// Tells whether the copy of a point into a region is still wanted. The image of the point exists,
/// so that the tags of its machine no longer matter.
pub fn copy(point: &Point, region: &Region, in_force: &InForce) -> Verdict {
    let policy = match policy(&point.slot.policy, in_force) {
        Ok(policy) => policy,
        Err(verdict) => return verdict,
    };
    // An image that is copied back to its home.
    if *region == point.home {
        return Verdict::Wanted;
    }
    let named = policy.replicas_for(&point.home);
    match named.iter().any(|place| place.region == *region) {
        true => Verdict::Wanted,
        false => unwanted(format!("policy {} no longer replicates to {region}", policy.name)),
    }
}

/// Tells that the policy of a point leaves lost images to a person, if it does. A policy that was
/// not read tells nothing.
pub fn leaves_lost(point: &Point, in_force: &InForce) -> Option<String> {
    let policy = in_force.policy(&point.slot.policy).filter(|policy| !policy.heal)?;
    Some(format!("policy {} says `heal: false`", policy.name))
}

/// Returns the reason why a copy in the place of one that was lost is left to a person by now; none
/// if it is not, or if a person has asked for it.
pub fn left_to_person(point: &Point, replica: &Replica, in_force: &InForce) -> Option<Reason> {
    let is_again = replica.lost.is_some() || replica.is_copy_back();
    let is_asked = replica.heal_asked || point.heal_asked;
    let text = leaves_lost(point, in_force).filter(|_| is_again && !is_asked)?;
    Some(Reason::new(Code::Withdrawn, text))
}

/// Returns the reason why an image at home is not made again by now: its policy is gone, or leaves
/// it to a person, who has not asked for it. None if it may be wanted.
pub fn not_remade(point: &Point, in_force: &InForce) -> Option<Reason> {
    match copy(point, &point.home, in_force) {
        Verdict::Unwanted(reason) => Some(reason),
        Verdict::Wanted if !point.heal_asked => {
            let text = leaves_lost(point, in_force)?;
            Some(Reason::new(Code::Lost, text))
        }
        Verdict::Wanted | Verdict::Unknown(_) => None,
    }
}

/// Returns the point with the key that the policy in force names for a replica, or with none if the
/// policy names none. None if the point has that already, and if the policy has no such replica.
pub fn with_key_of_policy(point: &Point, replica: &Replica, in_force: &InForce) -> Option<Point> {
    let of_region = |place: &&Replicate| place.region == replica.region;
    let policy = in_force.policy(&point.slot.policy).filter(|_| !replica.is_copy_back())?;
    let named = &policy.replicate.iter().find(of_region)?.kms_key;
    let place = point.plan.replicate.iter().find(of_region)?;
    if place.kms_key == *named {
        return None;
    }
    let mut after = point.clone();
    let places = after.plan.replicate.iter_mut().filter(|place| place.region == replica.region);
    places.for_each(|place| place.kms_key.clone_from(named));
    Some(after)
}

/// Returns the policy of that name, or the verdict that follows from its absence.
fn policy<'a>(name: &PolicyName, in_force: &'a InForce) -> Result<&'a Policy, Verdict> {
    if let Some(policy) = in_force.policy(name) {
        return Ok(policy);
    }
    if let Some(unreadable) = in_force.unreadable.iter().find(|one| one.name == name.as_str()) {
        let text = format!("policy {name} cannot be read: {}", unreadable.why);
        return Err(Verdict::Unknown(Reason::new(Code::PolicyUnreadable, text)));
    }
    Err(unwanted(format!("policy {name} is no longer in force")))
}

/// Returns the first condition that a machine does not meet, its state aside: a machine that was
/// selected while it ran may be stopped by now. An exclusion goes before a tag that is missing,
/// because somebody put it there on purpose.
fn obstacle(policy: &Policy, instance: &Instance) -> Option<Obstacle> {
    let Instance { region, state, tags, .. } = instance;
    let obstacles = policy.select.obstacles(region, *state, tags).into_iter();
    let obstacles = obstacles.filter(|one| !matches!(one, Obstacle::State { .. }));
    obstacles.min_by_key(|one| matches!(one, Obstacle::Tag { .. }))
}

fn unwanted(text: String) -> Verdict {
    Verdict::Unwanted(Reason::new(Code::Withdrawn, text))
}
