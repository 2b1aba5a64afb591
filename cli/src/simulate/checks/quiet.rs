//! Liveness. Faults stop at the end of a world. Then, within the bounds, no machine that we stopped
//! is down, nobody holds a lease, every place that the policy in force wants of the newest point is
//! good if it can be made, and every machine of a schedule has a point that is as new as the
//! schedule.
//!
//! A place cannot be made if nothing usable of the point is left, if a person disabled the image
//! there or at home (that person can enable it), or if the policy left it to a person at any time
//! and somebody took the image. A place that somebody took more than twice is left to a person.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_cloud::Time;
use afterimage_cloud::ec2::state::{ImageState, InstanceState};
use jiff::{SignedDuration, Timestamp};

use super::super::seen::{Image, Seen};
use super::super::world::{Artefact, Consistency, Policy, Trigger};
use super::bounds::{DOWN_MAX, LEASED_MAX, SLOT_MADE_WITHIN, WHOLE_WITHIN};
use super::case::Case;

/// Losses of a place after which it is left to a person.
const LOSSES_HEALED: u32 = 2;

/// The quiet time so far.
#[derive(Default)]
pub struct Quiet {
    /// What is not as it should be, with the time in which it has to be.
    open: Vec<(Duration, String)>,
    /// Since when each is so.
    since: BTreeMap<String, Time>,
    leases: BTreeMap<String, String>,
}

impl Quiet {
    /// Looks at a step. Returns what is not as it should be, and had the time.
    pub fn wrong(&mut self, case: &Case<'_>, quiet: Duration) -> Option<String> {
        self.open.clear();
        let seen = case.seen;
        for (queue, holder) in &seen.leases {
            if self.leases.get(queue) == Some(holder) {
                self.open.push((LEASED_MAX, format!("{holder} holds {queue} at two steps")));
            }
        }
        self.leases.clone_from(&seen.leases);
        let down = case.record.machines.values().filter(|(_, machine)| {
            let state = seen.machines.get(machine).map(|machine| machine.state);
            state == Some(InstanceState::Stopped) && case.history.was_stopped_by_us(machine)
        });
        self.open
            .extend(down.map(|(_, id)| (DOWN_MAX, format!("we stopped {id}, and it is down"))));
        for (policy, since) in case.record.in_force.values() {
            for (region, machine) in case.record.machines.values() {
                let Some(it) = seen.machines.get(machine) else { continue };
                if !is_alive(it.state) || !policy.selects(region, it.backup.as_deref()) {
                    continue;
                }
                let wants = places(case, policy, machine, region);
                self.open.extend(wants.into_iter().map(|text| (WHOLE_WITHIN, text)));
                let in_force_for = seen.now.since(*since);
                let late = too_old(seen, policy, machine, in_force_for);
                self.open.extend(late.map(|text| (WHOLE_WITHIN, text)));
            }
        }
        let since = std::mem::take(&mut self.since);
        for (_, text) in &self.open {
            let first = since.get(text).copied().unwrap_or(seen.now);
            self.since.insert(text.clone(), first);
        }
        let is_late = |(bound, text): &&(Duration, String)| {
            let open_for = seen.now.since(self.since[text]);
            quiet > *bound && open_for >= SLOT_MADE_WITHIN.min(*bound)
        };
        self.open.iter().find(is_late).map(|(_, text)| text.clone())
    }

    pub fn is_at_rest(&self) -> bool {
        self.open.is_empty()
    }
}

fn is_alive(state: InstanceState) -> bool {
    matches!(state, InstanceState::Running | InstanceState::Stopped)
}

/// Lists the places of the newest point of a machine that could be made and are not there.
fn places(case: &Case<'_>, policy: &Policy, machine: &str, home: &str) -> Vec<String> {
    let seen = case.seen;
    let is_of =
        |image: &&Image| image.label.machine == machine && image.label.policy == policy.name;
    let Some(newest) = seen.usable().filter(is_of).max_by_key(|image| image.label.requested) else {
        return Vec::new();
    };
    let point = newest.label.point.as_str();
    let of_point = || seen.images.iter().filter(|image| image.label.point == point);
    let is_disabled = |region: &str| {
        of_point().any(|image| image.region == region && image.state == ImageState::Disabled)
    };
    if is_disabled(home) {
        return Vec::new();
    }
    let planned = newest.replicas.iter().map(String::as_str);
    let wanted = policy.replicas.iter().map(|replica| replica.region);
    let wanted: BTreeSet<&str> = wanted.collect();
    let places = planned.filter(|region| wanted.contains(region)).chain([home]);
    let missing = places.filter(|region| {
        let mut harmed = case.record.harmed.iter();
        let harm = harmed.find(|((of, place), _)| of == point && place == region);
        let harm = harm.map_or(0, |(_, times)| *times);
        let is_left = case.record.left_to_people.contains(policy.name) && harm > 0;
        !seen.has_usable(point, region) && !is_disabled(region) && harm <= LOSSES_HEALED && !is_left
    });
    missing.map(|region| format!("{point} has no usable image in {region}, and could")).collect()
}

/// Tells that the newest point of a machine is older than the schedule allows.
fn too_old(seen: &Seen, policy: &Policy, machine: &str, in_force: Duration) -> Option<String> {
    let Trigger::Hours(hours) = policy.trigger else { return None };
    let allowed = Duration::from_secs(3600 * u64::from(hours)) + SLOT_MADE_WITHIN;
    if policy.consistency == Consistency::AtRest || in_force < allowed {
        return None;
    }
    let images = seen.usable().map(|image| &image.label);
    let snapshots = seen.snapshots.iter().filter(|it| it.is_usable && it.is_ours);
    let snapshots = snapshots.map(|snapshot| &snapshot.label);
    let of: Vec<_> = match policy.artefact {
        Artefact::Snapshots => snapshots.collect(),
        Artefact::Image | Artefact::Created => images.collect(),
    };
    let of = of.into_iter().filter(|it| it.machine == machine && it.policy == policy.name);
    let newest: Option<Timestamp> = of.filter_map(|label| label.requested).max();
    let allowed = SignedDuration::try_from(allowed).ok()?;
    let is_new = newest.is_some_and(|at| seen.now.stamp().duration_since(at) <= allowed);
    let newest = newest.map_or_else(|| "none".to_string(), |at| at.to_string());
    let name = policy.name;
    (!is_new).then(|| format!("{machine} under {name}: newest point {newest}, every {hours} hours"))
}
