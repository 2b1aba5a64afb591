//! Keys of good images that KMS does not describe: it does not answer, or refuses. Nothing is known
//! of what is encrypted under them.
//!
//! A place is not lost, nor of no use, because nobody could look at its key, and no point is
//! written. The record of the audit names these keys, the status says since when their state is not
//! known, and once that is longer than [`AUDIT_LATE`](crate::limits::AUDIT_LATE), a person is told,
//! once for each region. Keys of other accounts are not among them: our roles may use none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::artefact_audit::Tagged;
use super::held::KeysInUse;
use super::work_requested::disk_keys;
use super::{InForce, by_region};
use crate::command::Decision;
use crate::finding::Finding;
use crate::ids::Region;
use crate::limits::UNREAD_KEYS_MAX;
use crate::reason::Code;
use crate::unaudited::{AllUnreadKeys, UnreadKeys};

/// Subject of the finding about a region.
const KEYS: &str = "keys";

/// Returns the keys of which nothing is known after this audit. What was not known of a region that
/// this audit could not read is not known now either.
pub(super) fn after(tagged: &Tagged, in_force: &InForce, now: Timestamp) -> AllUnreadKeys {
    let mut all = in_force.unread_keys.clone();
    all.retain(|region, _| tagged.unread.contains_key(region));
    for (region, keys) in &tagged.keys {
        let known = in_force.unread_keys.get(region);
        let since = in_force.looked_at.unwrap_or(now);
        all.extend(unread(keys, known, since).map(|unread| (region.clone(), unread)));
    }
    all
}

/// Returns the keys of a region of which nothing is known; none if all are known. A key that was
/// not asked for is as the last audit knew it.
fn unread(keys: &KeysInUse, known: Option<&UnreadKeys>, since: Timestamp) -> Option<UnreadKeys> {
    let refused = keys.described.iter().filter_map(|(arn, access)| {
        disk_keys::refused(access).map(|code| (arn.clone(), format!("KMS answers {code}")))
    });
    let answers: BTreeMap<String, String> =
        keys.unanswered.clone().into_iter().chain(refused).collect();
    let is_known = |arn: &String| keys.described.contains_key(arn) && !answers.contains_key(arn);
    let mut stays: BTreeSet<String> = known.map(|known| known.arns.clone()).unwrap_or_default();
    stays.retain(|arn| keys.arns.contains(arn) && !is_known(arn));
    let known = known.filter(|_| !stays.is_empty());
    let answer = answers.values().next().or(known.map(|known| &known.answer))?.clone();
    let since = known.map_or(since, |known| known.since);
    let arns: BTreeSet<String> = answers.into_keys().chain(stays).collect();
    let arns = arns.into_iter().take(UNREAD_KEYS_MAX).collect();
    Some(UnreadKeys { since, answer, arns })
}

/// Returns the keys of which nothing was known for so long that a person should know.
pub fn late(in_force: &InForce, now: Timestamp) -> AllUnreadKeys {
    let late = in_force.unread_keys.iter().filter(|(_, unread)| unread.is_late(now));
    late.map(|(region, unread)| (region.clone(), unread.clone())).collect()
}

/// Reports the keys of which nothing was known for too long, once for each region, and the end of
/// that.
pub(super) fn tell(
    all: &AllUnreadKeys,
    in_force: &InForce,
    known: &[Finding],
    now: Timestamp,
) -> Decision {
    let extent = |unread: &UnreadKeys| unread.arns.clone();
    let text =
        |region: &Region, unread: &UnreadKeys| unread.is_late(now).then(|| text(region, unread));
    by_region::tell(
        (all, &in_force.unread_keys),
        extent,
        text,
        (Code::KeysNotRead, KEYS),
        known,
        now,
    )
}

fn text(region: &Region, unread: &UnreadKeys) -> String {
    let (since, answer) = (unread.since.strftime("%Y-%m-%d %H:%M"), &unread.answer);
    let (count, first) = (unread.count(), unread.arns.first().map_or("", String::as_str));
    format!(
        "the state of {count} in {region} is not known since {since} UTC: {answer}. {first} is one \
         of them. Images and snapshots are encrypted under them. If such a key was disabled or \
         deleted since then, they cannot be used, and `status` does not say so. If a policy \
         forbids it, or the policy of a key, allow the functions kms:DescribeKey. If KMS has \
         trouble, wait"
    )
}
