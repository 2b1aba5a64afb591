//! The brakes of one decision. Each loss, and everything that is made again under a brake, is
//! written together with the brake of its region, one version after the other.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::decision_builder::DecisionBuilder;
use super::images::Input;
use crate::brake::{self, Brake};
use crate::change::Write;
use crate::command::Resolved;
use crate::ids::Region;
use crate::limits::PROBE_EVERY;
use crate::reason::Reason;

pub(super) struct Braking {
    now: Timestamp,
    gib_per_day: u32,
    good: Option<usize>,
    brakes: BTreeMap<Region, Brake>,
    /// The regions in which too many images are lost, with the losses of this decision, or were
    /// lost so lately that their brake is still engaged.
    mass: BTreeSet<Region>,
    /// The regions about which a person is told.
    told: BTreeSet<Region>,
    /// The ends of findings that tell only of what is left of an earlier loss.
    over: BTreeMap<Region, Resolved>,
}

/// The leave to make something again.
pub(super) enum Leave {
    /// With the write of the budget, if there is one.
    Given(Option<Write>),
    /// The budget of the day is spent.
    Waits { until: Timestamp, reason: Reason, write: Option<Write> },
}

impl Braking {
    /// Takes the brakes as they were read. `gone` are the regions of the places that this decision
    /// finds lost, one for each.
    pub fn new<'a>(input: &Input, gone: impl Iterator<Item = &'a Region>) -> Braking {
        let mut braking = Braking {
            now: input.now,
            gib_per_day: input.healing.gib_per_day,
            good: input.healing.good,
            brakes: input.healing.in_force.brakes.clone(),
            mass: BTreeSet::new(),
            told: BTreeSet::new(),
            over: BTreeMap::new(),
        };
        let over = braking.brakes.values().filter_map(|brake| brake.released(input.now));
        braking.over = over.map(|(brake, resolved)| (brake.region, resolved)).collect();
        let mut after: BTreeMap<&Region, Brake> = BTreeMap::new();
        for region in gone {
            let brake = after.remove(region).unwrap_or_else(|| braking.of(region));
            after.insert(region, brake.with_loss(braking.good, braking.now));
        }
        let mass = after.into_iter().filter(|(_, brake)| brake.is_engaged(input.now));
        braking.mass = mass.map(|(region, _)| region.clone()).collect();
        braking
    }

    /// Tells whether a person is told of the region instead of each loss.
    pub fn is_mass(&self, region: &Region) -> bool {
        self.mass.contains(region)
    }

    /// Counts a loss, and returns the write that belongs to it.
    pub fn lose(&mut self, region: &Region) -> Write {
        let mut after = self.of(region).with_loss(self.good, self.now);
        if self.is_mass(region) {
            after = after.holding(self.now);
            self.told.insert(region.clone());
        }
        self.write(after)
    }

    /// Asks for the leave to make something of this size again. A person who asks for it is not
    /// held up.
    pub fn leave(&mut self, region: &Region, gib: u32, is_asked: bool) -> Leave {
        let brake = self.of(region);
        if is_asked || !brake.is_engaged(self.now) {
            return Leave::Given(None);
        }
        if let Some(after) = brake.spend(gib, self.gib_per_day, self.now) {
            return Leave::Given(Some(self.write(after)));
        }
        let until = brake.next_day(self.now);
        let reason = brake::waits(region, self.gib_per_day, until);
        self.told.insert(region.clone());
        let is_recent = |at| self.now.duration_since(at) < PROBE_EVERY;
        let write = match brake.engaged_at.is_some_and(is_recent) {
            true => None,
            false => Some(self.write(brake.holding(self.now))),
        };
        Leave::Waits { until, reason, write }
    }

    /// Tells a person of the regions in which too many images are lost. Each finding is kept once,
    /// and takes the place of one about an earlier loss.
    pub fn tell(&self, builder: &mut DecisionBuilder) {
        for region in &self.told {
            if let Some(over) = self.over.get(region) {
                builder.resolve(over.clone());
            }
            builder.report(self.of(region).finding(self.gib_per_day, self.now));
        }
    }

    fn of(&self, region: &Region) -> Brake {
        let known = self.brakes.get(region).cloned();
        known.unwrap_or_else(|| Brake::new(region.clone(), self.now))
    }

    fn write(&mut self, after: Brake) -> Write {
        let written = Brake { version: after.version + 1, ..after.clone() };
        self.brakes.insert(after.region.clone(), written);
        Write::brake(after)
    }
}
