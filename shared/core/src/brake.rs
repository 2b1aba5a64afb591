//! The brake on healing: what is made again in a region in a day, once many of its images are lost.
//!
//! A hostile script, or a mistake, can delete all images of a region, again and again. One image
//! that is lost is made again at once. If more than [`MASS_LOSS`] are lost within a day, and more
//! than a tenth of those that are good there, only a budget is made again in a day, and a person is
//! told once for the region. What is spent is written in the same transaction as the intent to make
//! something again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Resolved};
use crate::ids::Region;
use crate::limits::{A_DAY, BRAKE_FOR, MASS_LOSS, MASS_LOSS_TENTHS, later};
use crate::point::{Point, is_zero};
use crate::point_check::versioned;
use crate::reason::{Code, Reason};
use crate::slot::PointId;
use crate::subject::Subject;

/// The most points that the finding about a region names.
const NAMED_MAX: usize = 10;

/// Subject of the finding about a region.
const IMAGES: &str = "images";

/// The losses of one region, and what was made again there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brake {
    pub region: Region,
    /// The number of writes so far; 0 if there was none.
    pub version: u64,
    /// The beginning of the day in which losses are counted.
    pub counted_from: Timestamp,
    pub lost: u32,
    /// The beginning of the day whose budget is spent.
    pub spent_from: Timestamp,
    /// The size of what was made again in that day, in GiB.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spent_gib: u32,
    /// The latest time at which too many images were lost, or one had to wait; none if there is
    /// nothing to tell a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engaged_at: Option<Timestamp>,
}

impl Brake {
    /// Returns the brake of a region that has lost nothing.
    pub fn new(region: Region, now: Timestamp) -> Brake {
        Brake {
            region,
            version: 0,
            counted_from: now,
            lost: 0,
            spent_from: now,
            spent_gib: 0,
            engaged_at: None,
        }
    }

    /// Checks the invariants of the record.
    ///
    /// # Errors
    /// The text of the error names the invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        versioned(self.version)
    }

    /// Returns the brake with one more loss. `good` is the number of places of the region that the
    /// ledger calls good; none if it was not read, because there are only a few losses.
    #[must_use]
    pub fn with_loss(&self, good: Option<usize>, now: Timestamp) -> Brake {
        let mut after = self.clone();
        if is_past(after.counted_from, now) {
            after.counted_from = now;
            after.lost = 0;
        }
        after.lost = after.lost.saturating_add(1);
        if good.is_some_and(|good| is_mass(after.lost, good)) {
            after.engaged_at = Some(now);
        }
        after
    }

    /// Returns the number of losses in the day that is counted.
    pub fn lost_today(&self, now: Timestamp) -> u32 {
        if is_past(self.counted_from, now) { 0 } else { self.lost }
    }

    /// Tells whether only a budget is made again in a day.
    pub fn is_engaged(&self, now: Timestamp) -> bool {
        self.engaged_at.is_some_and(|at| now.duration_since(at) < BRAKE_FOR)
    }

    /// Returns the brake after something of this size is made again. None if the budget of the day
    /// is spent. Something larger than the whole budget is made again alone.
    pub fn spend(&self, gib: u32, gib_per_day: u32, now: Timestamp) -> Option<Brake> {
        let mut after = self.clone();
        if is_past(after.spent_from, now) {
            after.spent_from = now;
            after.spent_gib = 0;
        }
        let is_first = after.spent_gib == 0 && gib_per_day > 0;
        let total = after.spent_gib.saturating_add(gib);
        if total > gib_per_day && !is_first {
            return None;
        }
        after.spent_gib = total;
        Some(after)
    }

    /// Returns the brake after something has to wait for the budget of the next day.
    #[must_use]
    pub fn holding(&self, now: Timestamp) -> Brake {
        Brake { engaged_at: Some(now), ..self.clone() }
    }

    /// Returns the time from which the next budget is spent.
    pub fn next_day(&self, now: Timestamp) -> Timestamp {
        later(if is_past(self.spent_from, now) { now } else { self.spent_from }, A_DAY)
    }

    /// Returns the finding for a person. It stays the same for as long as the brake is engaged.
    pub fn finding(&self, gib_per_day: u32, now: Timestamp) -> Finding {
        let text = format!(
            "more than {MASS_LOSS} images in {region}, and more than a tenth of those there, were \
             lost within a day. Find out who deletes them. The newest of each machine and policy \
             is made again from what is left, at most {gib_per_day} GiB a day (HealGiBPerDay). \
             Those of older points, one that is lost again soon afterwards, and one whose policy \
             says `heal: false` are left to `afterimage heal POINT`. The Recycle Bin may still \
             have those that were lost",
            region = self.region
        );
        self.finding_of(text, now)
    }

    /// Returns the finding once nothing more was lost for long enough, and places are lost still of
    /// which no other finding tells.
    pub fn finding_of_left(&self, left: &[PointId], now: Timestamp) -> Finding {
        let named: Vec<&str> = left.iter().take(NAMED_MAX).map(PointId::as_str).collect();
        let more = left.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text = format!(
            "images in {region} that were lost with many others are lost still, of the points \
             {named}{more}. `afterimage heal POINT` makes again what it can of a point, or says \
             why not; `afterimage cancel POINT --place {region}` calls its image there off",
            region = self.region,
            named = named.join(", ")
        );
        self.finding_of(text, now)
    }

    fn finding_of(&self, text: String, now: Timestamp) -> Finding {
        let reason = Reason::new(Code::MassLoss, text);
        let region = self.region.clone();
        Finding { region, artefact: subject(), reason, seen_at: now }
    }

    /// Returns the brake and the end of its finding, if nothing was lost and nothing had to wait
    /// for long enough.
    pub fn released(&self, now: Timestamp) -> Option<(Brake, Resolved)> {
        let is_over = self.engaged_at.is_some() && !self.is_engaged(now);
        is_over.then(|| {
            let after = Brake { engaged_at: None, ..self.clone() };
            let region = self.region.clone();
            (after, Resolved { region, artefact: subject(), code: Code::MassLoss, at: now })
        })
    }
}

/// Returns the reason of a place that waits for the budget of another day.
pub fn waits(region: &Region, gib_per_day: u32, until: Timestamp) -> Reason {
    let text = format!(
        "the image in {region} is gone, with many others there; at most {gib_per_day} GiB are made \
         again in a day (HealGiBPerDay), and the next are from {} UTC on",
        until.strftime("%Y-%m-%d %H:%M")
    );
    Reason::new(Code::MassLoss, text)
}

/// Returns the size of what is made again of a point, in GiB: that of its volumes.
pub fn size_gib(point: &Point) -> u32 {
    let volumes = point.machine.iter().flat_map(|machine| &machine.volumes);
    let sizes = volumes.map(|volume| u32::try_from(volume.size_gib).unwrap_or_default());
    sizes.fold(0, u32::saturating_add)
}

/// Tells whether so many losses could be too many, so that the good places have to be counted.
pub fn has_to_count(brake: Option<&Brake>, suspects: usize, now: Timestamp) -> bool {
    let before = brake.map_or(0, |brake| brake.lost_today(now));
    let suspects = u32::try_from(suspects).unwrap_or(u32::MAX);
    suspects > 0 && before.saturating_add(suspects) > MASS_LOSS
}

fn is_mass(lost: u32, good: usize) -> bool {
    let good = u64::try_from(good).unwrap_or(u64::MAX);
    lost > MASS_LOSS && u64::from(lost).saturating_mul(MASS_LOSS_TENTHS) > good
}

fn is_past(from: Timestamp, now: Timestamp) -> bool {
    now.duration_since(from) >= A_DAY
}

fn subject() -> Subject {
    Subject::Other(IMAGES.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn brake(lost: u32, good: usize) -> Brake {
        let now = Timestamp::UNIX_EPOCH;
        let region = Region::parse("eu-west-1").unwrap();
        (0..lost).fold(Brake::new(region, now), |brake, _| brake.with_loss(Some(good), now))
    }

    #[test]
    fn many_are_more_than_ten_and_more_than_a_tenth() {
        let now = Timestamp::UNIX_EPOCH;
        for (lost, good, is_engaged) in
            [(10, 10, false), (11, 11, true), (11, 109, true), (11, 110, false), (111, 1100, true)]
        {
            assert_eq!(brake(lost, good).is_engaged(now), is_engaged, "{lost} of {good}");
        }
    }

    #[test]
    fn losses_of_another_day_do_not_count() {
        let tomorrow = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        let after = brake(10, 100).with_loss(Some(20), tomorrow);
        assert_eq!((after.lost, after.engaged_at), (1, None));
    }

    #[test]
    fn a_budget_is_spent_once_a_day_and_one_thing_alone_may_be_larger() {
        let now = Timestamp::UNIX_EPOCH;
        let spent = brake(11, 11).spend(60, 100, now).unwrap();
        assert_eq!(spent.spend(40, 100, now).unwrap().spent_gib, 100);
        assert_eq!(spent.spend(41, 100, now), None);
        let next = spent.next_day(now);
        assert_eq!(spent.spend(500, 100, next).unwrap().spent_gib, 500);
        assert_eq!(brake(11, 11).spend(1, 0, now), None);
    }
}
