//! Regions that the audit could not read: nothing is known of what happened there since. So it is
//! of the places that EC2 does not show, or whose keys cannot be used, while the worker that
//! confirms cannot look at them.
//!
//! A place is not lost because nobody could look at it, and no point is written. The record of the
//! audit names these regions, the status says since when they were not read, and once that is
//! longer than [`AUDIT_LATE`](crate::limits::AUDIT_LATE), or
//! [`UNCONFIRMED_LATE`](crate::limits::UNCONFIRMED_LATE), a person is told, once for each region.

use jiff::Timestamp;

use super::artefact_audit::Tagged;
use super::held::{self, Held};
use super::{InForce, by_region};
use crate::command::Decision;
use crate::finding::Finding;
use crate::ids::Region;
use crate::limits::UNCONFIRMED_LATE;
use crate::reason::Code;
use crate::unaudited::{AllUnaudited, Unaudited};

/// Subject of the finding about a region.
const AUDIT: &str = "audit";

/// Returns the regions of which this audit does not know everything.
pub fn after(tagged: &Tagged, in_force: &InForce, now: Timestamp) -> AllUnaudited {
    let since = |region| match in_force.unaudited.get(region) {
        Some(known) => known.since,
        None => in_force.looked_at.unwrap_or(now),
    };
    let unread = tagged.unread.iter().map(|(region, answer)| {
        let answer = answer.clone();
        (region.clone(), Unaudited { since: since(region), answer, unconfirmed: 0 })
    });
    let unconfirmed = tagged.held.iter().filter_map(|(region, held)| {
        let missing = held.iter().filter_map(|held| held.missing_since);
        let since = missing.chain(by_keys(tagged, region, held));
        unconfirmed(since, now).map(|unconfirmed| (region.clone(), unconfirmed))
    });
    unconfirmed.chain(unread).collect()
}

/// Returns since when this is known of the places of a region that are called good, and are under
/// keys that cannot be used. The worker that would look at them cannot.
fn by_keys(tagged: &Tagged, region: &Region, held: &[Held]) -> Vec<Timestamp> {
    let of_region = (tagged.images.get(region), tagged.keys.get(region));
    let (Some(images), Some(keys)) = of_region else { return Vec::new() };
    let shown = tagged.shown(region);
    held::good_under_unusable_keys(held, images, shown, (&keys.described, &tagged.known))
}

/// Counts the places of a region that do not look as the ledger has them, and that nobody has
/// looked at for too long; none if there is no such place.
fn unconfirmed(since: impl Iterator<Item = Timestamp>, now: Timestamp) -> Option<Unaudited> {
    let late = since.filter(|since| now.duration_since(*since) >= UNCONFIRMED_LATE);
    let late: Vec<Timestamp> = late.collect();
    let since = *late.iter().min()?;
    let unconfirmed = late.len();
    let answer = format!("the function work-requested has not looked at {unconfirmed} places");
    Some(Unaudited { since, answer, unconfirmed })
}

/// Returns the regions that were not read for so long that a person should know, with the time of
/// the last audit that read them: all regions, if no audit was made at all.
pub fn late(in_force: &InForce, now: Timestamp) -> AllUnaudited {
    let of = |region: &Region| {
        let known = in_force.unaudited.get(region).cloned();
        let unread = known.or_else(|| {
            let answer = "no audit was completed".to_string();
            Some(Unaudited { since: in_force.looked_at?, answer, unconfirmed: 0 })
        });
        unread.filter(|unread| unread.is_late(now)).map(|unread| (region.clone(), unread))
    };
    in_force.regions.iter().filter_map(of).collect()
}

/// Reports the regions that were not read for too long, and the end of that.
pub(super) fn tell(
    unaudited: &AllUnaudited,
    in_force: &InForce,
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let extent = |unread: &Unaudited| unread.unconfirmed;
    let text =
        |region: &Region, unread: &Unaudited| unread.is_late(now).then(|| text(region, unread));
    by_region::tell(
        (unaudited, &in_force.unaudited),
        extent,
        text,
        (Code::NotAudited, AUDIT),
        known,
        now,
    )
}

fn text(region: &Region, unread: &Unaudited) -> String {
    let (since, answer) = (unread.since.strftime("%Y-%m-%d %H:%M"), &unread.answer);
    match unread.unconfirmed {
        0 => format!(
            "the images and snapshots in {region} were last looked at {since} UTC. Since then the \
             region does not answer: {answer}. What `status` says of {region} was true then; a \
             loss since then is not known. If a policy forbids it, allow the functions \
             ec2:DescribeImages, ec2:DescribeSnapshots and ec2:DescribeInstances there"
        ),
        count => format!(
            "{count} of our images or sets of snapshots in {region} are not as the ledger has them \
             since {since} UTC: EC2 does not list them, or their keys cannot be used. The function \
             work-requested has not looked at them by their ids. What `status` says of them was \
             true then; they may be lost. Look at the log and the errors of the function: EC2 or \
             KMS may refuse its calls (ec2:DescribeImages, ec2:DescribeSnapshots, \
             kms:DescribeKey), or the event bus of the stack does not take the events that wake it"
        ),
    }
}
