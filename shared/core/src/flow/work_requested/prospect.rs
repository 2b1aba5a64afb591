//! The prospect of each lost place: made again now, later, when a person asks for it, or never. The
//! finding of the loss tells it, the worker goes by it, and so does `afterimage heal`.
//!
//! - A replica is copied again, from any image of its point that is left.
//! - An image at home is registered again if its snapshots are there, and else copied back from a
//!   replica, under the key of the disks of its machine. An image that EC2 created is only ever
//!   copied back, because registering it would lose something.
//! - If nothing is left, and the machine stands as the policy wants it, the point begins again.
//! - Only the newest good point of a machine and policy is made again, and one that a person asks
//!   for (`afterimage heal`). A place that is lost again and again is left to a person, and so is
//!   everything of a policy that says `heal: false`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::begin_again::{self, Kept};
use super::disk_keys::{self, Keys, KeysByRegion, Use};
use super::sources::{self, Source};
use crate::call::copy_image;
use crate::flow::InForce;
use crate::flow::wanted::{self, Verdict};
use crate::ids::{Region, SnapshotId};
use crate::limits::{A_DAY, HEAL_AGAIN, LOST_AFTER, PROBE_EVERY, look_at_older};
use crate::machine::Instance;
use crate::observed::{ObservedSnapshot, SnapshotState};
use crate::obstacle::{self, Cause, Obstacles};
use crate::point::{Place, Point, Refused, Replica, ReplicaStatus};
use crate::policy::Artefact;
use crate::reason::{Code, Reason};
use crate::summary::Good;
use crate::transition::loss;
use crate::work::Kind;

/// Words about a place that is not made again, whoever asks for it.
pub(super) const NEVER: &str = "It is not made again";

/// What is known of a point that has lost something.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub now: Timestamp,
    pub point: &'a Point,
    pub replicas: Vec<&'a Replica>,
    /// The other points of its machine.
    pub others: Vec<&'a Point>,
    pub in_force: &'a InForce,
    /// What EC2 shows at home; none if that was not read.
    pub shown: Option<Shown<'a>>,
    /// The keys of what the image at home may be made from, as far as they were read.
    pub keys: &'a Keys,
    /// The keys of the images that lost places may be copied from, as far as they were read.
    pub sources: &'a KeysByRegion,
    /// What stands in the way of calls into the regions of the places, as far as it was read.
    pub obstacles: Vec<&'a Obstacles>,
}

/// What EC2 shows of a point in its home region.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub snapshots: &'a BTreeMap<SnapshotId, ObservedSnapshot>,
    pub machine: Option<&'a Instance>,
}

/// What becomes of a lost place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prospect<'a> {
    Now(Way<'a>),
    /// It is made again once that has changed.
    Later(Wait),
    /// It is made again if a person asks for it.
    OnRequest(Wait),
    /// It is not made again, whoever asks for it, as things are.
    Never(Wait),
}

/// The way in which a lost place is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'a> {
    Register,
    Copy(Source<'a>),
    BeginAgain,
}

/// Why a place is not made again now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub reason: Reason,
    /// The time after which that may have changed; none if only a person can change it.
    pub look_after: Option<SignedDuration>,
}

impl Prospect<'_> {
    /// Returns the words that begin the sentence about a place that is not made again now, and why;
    /// none if it is.
    pub fn kept(&self) -> Option<(&'static str, &Wait)> {
        match self {
            Prospect::Now(_) => None,
            Prospect::Later(wait) => Some(("It is not made again now", wait)),
            Prospect::OnRequest(wait) => Some(("It is not made again by itself", wait)),
            Prospect::Never(wait) => Some((NEVER, wait)),
        }
    }
}

/// Returns the prospect of the artefact at home. `is_asked` tells whether a person asks for it.
pub fn home<'a>(facts: &Facts<'a>, is_asked: bool) -> Prospect<'a> {
    let point = facts.point;
    let if_asked = home_if_asked(facts, is_asked);
    match is_asked {
        true => if_asked,
        false => by_itself(facts, &point.home, &point.healed, if_asked),
    }
}

/// Returns the prospect of a replica. `is_asked` tells whether a person asks for it.
pub fn replica<'a>(facts: &Facts<'a>, replica: &Replica, is_asked: bool) -> Prospect<'a> {
    let if_asked = replica_if_asked(facts, &replica.region, is_asked);
    match is_asked {
        true => if_asked,
        false => by_itself(facts, &replica.region, &replica.healed, if_asked),
    }
}

/// Returns the prospect of a place that nobody has asked for, by that of one that a person asks
/// for.
fn by_itself<'a>(
    facts: &Facts<'a>,
    region: &Region,
    healed: &[Timestamp],
    if_asked: Prospect<'a>,
) -> Prospect<'a> {
    let Some(Wait { reason, look_after }) = left_to_person(facts, region, healed) else {
        return if_asked;
    };
    // What was lost again is given up like anything else that nobody wants. A place of an older
    // point is not: a policy that comes back would have all of these made again.
    if let (Prospect::Never(wait), Code::LostAgain) = (&if_asked, reason.code)
        && wait.reason.code == Code::Withdrawn
    {
        return if_asked;
    }
    // What is to be told may change sooner.
    let look_after = match &if_asked {
        Prospect::Later(wait)
            if reason.code == Code::LostAgain || wait.look_after == Some(LOST_AFTER) =>
        {
            look_after.into_iter().chain(wait.look_after).min()
        }
        _ => look_after,
    };
    let Reason { code, text } = reason;
    let by_person = format!("{text}. `afterimage heal {}` has it made again", facts.point.id);
    let text = match if_asked {
        // The code is that of the finding, which somebody has read by now.
        Prospect::Never(wait) if code == Code::LostAgain => {
            return Prospect::Never(Wait { reason: Reason { code, ..wait.reason }, look_after });
        }
        Prospect::Never(wait) => return Prospect::Never(Wait { look_after, ..wait }),
        Prospect::Now(_) => by_person,
        Prospect::Later(wait) | Prospect::OnRequest(wait) => match is_known(facts, region) {
            true => format!("{by_person}, but not now: {}", wait.reason.text),
            false => format!("{text}, and {}", wait.reason.text),
        },
    };
    Prospect::OnRequest(Wait { reason: Reason { code, text }, look_after })
}

/// Tells whether it is known what a place can be made from: an image that is left or on its way, or
/// what EC2 shows at home.
fn is_known(facts: &Facts, region: &Region) -> bool {
    let mut left = sources::survivors(facts.point, facts.replicas.iter().copied(), region);
    facts.shown.is_some() || left.next().is_some() || hope(facts, region).is_some()
}

/// Returns the reason why a place is left to a person, if it is.
fn left_to_person(facts: &Facts, region: &Region, healed: &[Timestamp]) -> Option<Wait> {
    let Facts { point, in_force, now, .. } = facts;
    let lost = |text: String| Reason::new(Code::Lost, text);
    if let Some(newer) = newer_good(facts) {
        let text = format!("{} is newer and good, and only the newest is made again", newer.point);
        let age = now.duration_since(point.taken_at.unwrap_or(point.requested_at));
        return Some(Wait { reason: lost(text), look_after: Some(look_at_older(age)) });
    }
    if *region == point.home && loss::is_called_off(point) {
        let text = format!("a person called off the image in {region}");
        return Some(Wait { reason: lost(text), look_after: None });
    }
    // Once it is left to a person, it is, until that person has it made again or calls it off.
    let known = match *region == point.home {
        true => point.reason.as_ref(),
        false => {
            let mut replicas = facts.replicas.iter();
            let replica = replicas.find(|replica| replica.region == *region);
            replica.and_then(|replica| replica.reason.as_ref())
        }
    };
    let is_left = known.is_some_and(|known| known.code == Code::LostAgain);
    if is_left || loss::is_worn_out(healed, *now) {
        let reason = Reason::new(Code::LostAgain, worn_out(point, region));
        return Some(Wait { reason, look_after: Some(HEAL_AGAIN) });
    }
    let text = wanted::leaves_lost(point, in_force)?;
    Some(Wait { reason: lost(text), look_after: Some(HEAL_AGAIN) })
}

/// Returns the reason for which a place is not made again any more.
fn worn_out(point: &Point, region: &Region) -> String {
    let refused = point.refused.as_ref().filter(|_| *region == point.home);
    match refused {
        Some(refused) => format!(
            "{} began again on its machine as often as it does in a week, and nothing that can be \
             used was made: {}",
            point.id, refused.reason.text
        ),
        None => format!(
            "the image of {} in {region} was lost again soon after it was made again; it is not \
             made a third time. Find out who deletes it",
            point.id
        ),
    }
}

/// Returns a good point of the same machine and policy that is newer than this.
fn newer_good(facts: &Facts) -> Option<Good> {
    let point = facts.point;
    let others = facts.others.iter();
    let others =
        others.filter(|other| other.slot.policy == point.slot.policy && other.id != point.id);
    let good = others.filter_map(|other| Good::of(other));
    let newer = |good: &Good| point.taken_at.is_none_or(|taken_at| good.taken_at > taken_at);
    good.filter(newer).max_by_key(|good| good.taken_at)
}

/// Returns the prospect of a place whose policy does not want it, or cannot be read.
fn unless_wanted<'a>(facts: &Facts<'a>, region: &Region) -> Option<Prospect<'a>> {
    match wanted::copy(facts.point, region, facts.in_force) {
        Verdict::Wanted => None,
        Verdict::Unknown(reason) => Some(later(reason, HEAL_AGAIN)),
        Verdict::Unwanted(reason) => Some(never(reason, A_DAY)),
    }
}

fn later<'a>(reason: Reason, after: SignedDuration) -> Prospect<'a> {
    Prospect::Later(Wait { reason, look_after: Some(after) })
}

fn never<'a>(reason: Reason, after: SignedDuration) -> Prospect<'a> {
    Prospect::Never(Wait { reason, look_after: Some(after) })
}

fn home_if_asked<'a>(facts: &Facts<'a>, is_asked: bool) -> Prospect<'a> {
    let point = facts.point;
    if let Some(unwanted) = unless_wanted(facts, &point.home) {
        return unwanted;
    }
    if can_register(facts) {
        return Prospect::Now(Way::Register);
    }
    let replicas = facts.replicas.iter().copied();
    let failing = failing(facts, &point.home);
    let source = sources::usable(point, replicas, &point.home, (facts.sources, &failing));
    let hope = hope(facts, &point.home);
    let is_left = source != Ok(None) || hope.is_some();
    // A copy would be made under the same key.
    if let Some(deleted) = point.key_deleted.as_ref().filter(|_| is_left) {
        return never(with_images_left(facts, deleted), HEAL_AGAIN);
    }
    match (source, hope) {
        (Ok(Some(source)), _) => copied_back(facts, source),
        (Err(reason), _) => later(reason, PROBE_EVERY),
        (Ok(None), Some(Hope { text, look_after })) => {
            let text = format!(
                "no image of the point can be copied back now; it is copied back once {text}"
            );
            later(Reason::new(Code::Lost, text), look_after)
        }
        (Ok(None), None) => begun_again(facts, is_asked),
    }
}

/// Returns the obstacles of a kind of calls into a region.
fn obstacles<'a>(facts: &Facts<'a>, region: &Region, kind: Kind) -> Option<&'a Obstacles> {
    let mut all = facts.obstacles.iter().copied();
    all.find(|obstacles| obstacles.queue.region == *region && obstacles.queue.kind == kind)
}

/// Returns the regions from which copies into a region fail for now.
fn failing(facts: &Facts, region: &Region) -> BTreeSet<Region> {
    obstacles(facts, region, Kind::Copy).map(Obstacles::failing_sources).unwrap_or_default()
}

/// Returns what the calls wait for by which a place is made again; none if nothing holds them up.
pub fn held_up(facts: &Facts, region: &Region, way: Way) -> Option<String> {
    match way {
        Way::Register => obstacles(facts, region, Kind::Register)?.wait_of(&obstacle::AT_HOME),
        Way::Copy(source) => {
            let key = Cause::Key(copy_image::key(facts.point, region));
            let causes = [Cause::Calls, Cause::From(source.region.clone()), key];
            obstacles(facts, region, Kind::Copy)?.wait_of(&causes)
        }
        Way::BeginAgain => obstacles(facts, region, Kind::Snapshot)?.wait_of(&obstacle::AT_HOME),
    }
}

/// Tells whether the image at home can be registered again: all its snapshots are there, and can be
/// used.
pub fn can_register(facts: &Facts) -> bool {
    let (point, Some(shown)) = (facts.point, facts.shown) else { return false };
    let is_there = |id| {
        let seen = shown.snapshots.get(id);
        seen.is_some_and(|snapshot| snapshot.state == SnapshotState::Completed)
    };
    let keys = disk_keys::of_snapshots(point.snapshots.values(), shown.snapshots);
    // An image of snapshots whose key is gone would be of no use either.
    let may_be_used = match disk_keys::used(facts.keys, keys) {
        Use::Gone(_) => false,
        Use::Usable => true,
        Use::Unusable(_) | Use::Unknown | Use::Unread => point.key_deleted.is_none(),
    };
    let are_there = !point.snapshots.is_empty() && point.snapshots.values().all(is_there);
    point.plan.kind == Artefact::Image && !point.is_created() && are_there && may_be_used
}

/// Returns the reason why nothing is made at home under a key that was deleted.
pub fn with_images_left(facts: &Facts, deleted: &Reason) -> Reason {
    let point = facts.point;
    let left = sources::survivors(point, facts.replicas.iter().copied(), &point.home);
    let left: Vec<&str> = left.map(|(region, _)| region.as_str()).collect();
    let left = match left.is_empty() {
        true => "No image of the point is left that can be used".to_string(),
        false => format!("Images that are left: {}", left.join(", ")),
    };
    let text = format!(
        "{}. It is not made again, because the disks of its machine are under the same key. {left}",
        deleted.text
    );
    Reason::new(deleted.code, text)
}

/// Returns the prospect of an image that can be copied back: the key of the disks decides.
fn copied_back<'a>(facts: &Facts<'a>, source: Source<'a>) -> Prospect<'a> {
    let Some(key) = copy_image::key_at_home(facts.point) else {
        return Prospect::Now(Way::Copy(source));
    };
    match disk_keys::used(facts.keys, [key.as_str()]) {
        Use::Usable => Prospect::Now(Way::Copy(source)),
        Use::Unknown | Use::Unread => {
            Prospect::Now(Way::Copy(Source { is_key_known: false, ..source }))
        }
        Use::Unusable(which) => later(back_under(facts.point, &which), PROBE_EVERY),
        Use::Gone(which) => never(back_under(facts.point, &which), PROBE_EVERY),
    }
}

/// Returns the reason why an image is not copied back under the key of the disks.
pub(super) fn back_under(point: &Point, which: &str) -> Reason {
    let home = &point.home;
    let text = format!(
        "the image in {home} cannot be copied back: {which}. The key is looked at every hour"
    );
    Reason::new(Code::KeyUnusable, text)
}

/// Returns the prospect of a point of which nothing is left. One that came to nothing waits before
/// it begins again, unless a person asks for it.
fn begun_again<'a>(facts: &Facts<'a>, is_asked: bool) -> Prospect<'a> {
    let Some(shown) = facts.shown else {
        let text = "nothing is known yet of its snapshots and its machine";
        return later(Reason::new(Code::Lost, text), HEAL_AGAIN);
    };
    let others = facts.others.iter().copied();
    match begin_again::check(facts.point, shown.machine, others, facts.in_force) {
        Ok(()) => match facts.point.refused.as_ref().filter(|_| !is_asked) {
            Some(refused) => after_refusal(refused, facts.now),
            None => Prospect::Now(Way::BeginAgain),
        },
        Err(Kept { why, may_pass, look_after }) => {
            let text = format!("nothing is left of the point to make it again from, and {why}");
            if !may_pass {
                return never(Reason::new(Code::Lost, text), look_after);
            }
            let text = format!(
                "{text}; it begins again when a look, one every {} hours, finds that changed",
                look_after.as_hours()
            );
            later(Reason::new(Code::Lost, text), look_after)
        }
    }
}

/// Returns the prospect of a point that began again and came to nothing.
fn after_refusal<'a>(refused: &Refused, now: Timestamp) -> Prospect<'a> {
    let wait = HEAL_AGAIN - now.duration_since(refused.at);
    if !wait.is_positive() {
        return Prospect::Now(Way::BeginAgain);
    }
    let text = format!(
        "nothing is left of the point to make it again from; it began again on its machine, and \
         came to nothing at {} UTC: {}. It begins again every {} hours",
        refused.at.strftime("%Y-%m-%d %H:%M"),
        refused.reason.text,
        HEAL_AGAIN.as_hours()
    );
    later(Reason::new(Code::Lost, text), wait)
}

/// What another place of a point may become, so that a lost one can be copied from it.
pub struct Hope {
    text: String,
    /// The time after which that is looked at again.
    look_after: SignedDuration,
}

/// Returns what there is to hope for if no image of a point can be copied now; none if no image is
/// left or on its way. An image that was not shown at its first look comes last: it may be gone.
pub fn hope(facts: &Facts, wanted_in: &Region) -> Option<Hope> {
    let point = facts.point;
    let in_time = |text: String| Some(Hope { text, look_after: HEAL_AGAIN });
    let usable = |region: &Region| in_time(format!("the image in {region} can be used"));
    let there = |region: &Region| in_time(format!("the image in {region} is there"));
    let found = |region: &Region| {
        let text = format!("the image in {region}, which was not shown, is found");
        Some(Hope { text, look_after: LOST_AFTER })
    };
    let home = Some(&point.home).filter(|home| *home != wanted_in);
    let home = home.and_then(|home| match point.home_place {
        Place::Unusable => usable(home).filter(|_| point.key_deleted.is_none()),
        Place::Underway => there(home),
        Place::Available => found(home).filter(|_| point.missing_since.is_some()),
        Place::Failed | Place::Lost | Place::Withdrawn => None,
    });
    let others = facts
        .replicas
        .iter()
        .filter(|replica| !replica.is_copy_back() && replica.region != *wanted_in);
    let others = others.filter_map(|replica| match replica.status {
        ReplicaStatus::Unusable => usable(&replica.region),
        ReplicaStatus::Copying | ReplicaStatus::Pending => there(&replica.region),
        ReplicaStatus::Available => {
            found(&replica.region).filter(|_| replica.missing_since.is_some())
        }
        // One that was not begun has nothing to be copied from.
        ReplicaStatus::Waiting
        | ReplicaStatus::Failed
        | ReplicaStatus::Lost
        | ReplicaStatus::Withdrawn => None,
    });
    home.into_iter().chain(others).max_by_key(|hope| hope.look_after)
}

fn replica_if_asked<'a>(facts: &Facts<'a>, region: &Region, is_asked: bool) -> Prospect<'a> {
    if let Some(unwanted) = unless_wanted(facts, region) {
        return unwanted;
    }
    let replicas = facts.replicas.iter().copied();
    let failing = failing(facts, region);
    match sources::usable(facts.point, replicas, region, (facts.sources, &failing)) {
        Ok(Some(source)) => Prospect::Now(Way::Copy(source)),
        Ok(None) => without_source(facts, region, is_asked),
        Err(reason) => later(reason, PROBE_EVERY),
    }
}

/// Returns the prospect of a replica that no image is left for to copy it from.
fn without_source<'a>(facts: &Facts<'a>, region: &Region, is_asked: bool) -> Prospect<'a> {
    let (point, home) = (facts.point, &facts.point.home);
    let lost = |text: String| Reason::new(Code::Lost, text);
    if let Some(Hope { text, look_after }) = hope(facts, region) {
        let text =
            format!("no image of the point can be copied now; it is copied again once {text}");
        return later(lost(text), look_after);
    }
    let text = "no image of the point is left to copy it from";
    if !loss::lacks_home(point) {
        return never(lost(text.to_string()), HEAL_AGAIN);
    }
    // Another region knows nothing of the home.
    let at_home = facts.shown.map(|_| self::home(facts, is_asked));
    let after = format!("{text}; it is copied again if the image in {home} is made again");
    match at_home {
        Some(Prospect::Never(_)) => {
            never(lost(format!("{text}, and that in {home} is not made again")), HEAL_AGAIN)
        }
        Some(Prospect::OnRequest(wait)) => {
            Prospect::OnRequest(Wait { reason: lost(after), ..wait })
        }
        Some(Prospect::Now(_) | Prospect::Later(_)) | None => later(lost(after), HEAL_AGAIN),
    }
}
