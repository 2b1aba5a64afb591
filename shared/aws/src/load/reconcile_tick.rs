//! Loads for the sweep: work that is overdue, machines that are stopped, requests by tag, and now
//! and then all artefacts with our tag beside all machines. A region that does not answer is left
//! out, and looked at by the next sweep.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use afterimage_core::flow::InForce;
use afterimage_core::flow::artefact_audit::{self, Tagged};
use afterimage_core::flow::coverage::Fleet;
use afterimage_core::flow::gaps::{self, Gaps};
use afterimage_core::flow::held::{self, Held, KeysInUse};
use afterimage_core::flow::nothing_waits::{self, HeldUp, Records};
use afterimage_core::flow::on_demand::{self, TagRequests};
use afterimage_core::flow::reconcile_tick::{Input, is_time_to_look};
use afterimage_core::flow::stands_still::Overdue;
use afterimage_core::flow::tag_gone::{self, Unlisted};
use afterimage_core::flow::taken_up::{self, Ended};
use afterimage_core::flow::waiting::{self, Waiting};
use afterimage_core::flow::wanted_again::{self, WantedAgain};
use afterimage_core::flow::went_back::{self, Doubt, WentBack};
use afterimage_core::flow::work_requested::disk_keys::Keys;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::limits::{HELD_UP_READ_MAX, KEYS_UNANSWERED_MAX, WANTED_AGAIN_MAX};
use afterimage_core::machine::Instance;
use afterimage_core::names::TAG_ASK;
use afterimage_core::observed::{Complete, ObservedImage, ObservedSnapshot};
use afterimage_core::point::{Point, Replica};
use afterimage_core::policy::{Policy, Trigger};
use afterimage_core::slot::PointId;
use afterimage_core::summary::MachineSummary;
use afterimage_core::work::{Kind, Queue};
use jiff::Timestamp;

use super::left_out;
use crate::decode::Tick;
use crate::ec2::Find;
use crate::error::{Failure, chain};
use crate::{Aws, Context};

/// Reads what the sweep needs.
///
/// # Errors
/// The ledger cannot be read.
pub async fn reconcile_tick(aws: &Aws, _tick: Tick, context: &Context) -> Result<Input, Failure> {
    let now = context.now;
    let in_force = aws.ledger.in_force().await?;
    let (overdue, points, long) = overdue(aws, &in_force, now).await?;
    let machines = awaited(aws, &points, context).await;
    let waiting = Waiting { points, machines };
    let stopped = stopped(aws, &in_force, context).await;
    let ids: Vec<InstanceId> = stopped.iter().map(|instance| instance.id.clone()).collect();
    let summaries = aws.ledger.summaries(&ids).await?;
    let (mut went_back, mut gaps, mut tagged) = (WentBack::default(), Gaps::default(), None);
    if is_time_to_look(&in_force, now) {
        // Before the listings, so that no round is taken for one that they show.
        went_back.testimony = aws.ledger.testimony().await;
        let doubts = went_back::doubts(&in_force, &went_back.testimony, now);
        if doubts.is_empty() {
            went_back.strange = strange(aws, &in_force).await;
        }
        let (mut everything, fleet) = everything(aws, &in_force, &doubts, context).await?;
        everything.overdue = long;
        let asked = went_back::found(&everything, &doubts, now).asked();
        let names: Vec<_> = asked.into_iter().map(|it| (it.instance, it.policy)).collect();
        went_back.counters = aws.ledger.request_counters(&names).await?;
        gaps = self::gaps(aws, &everything, fleet, now).await?;
        tagged = Some(everything);
    }
    let tag_requests = tag_requests(aws, &in_force, tagged.as_ref(), context).await?;
    let (mut ended, mut wanted_again) = (Ended::default(), WantedAgain::default());
    if tagged.is_some() {
        ended = self::ended(aws, &in_force, &stopped, &summaries, now).await?;
        wanted_again = self::wanted_again(aws, &in_force, now).await?;
    }
    Ok(Input {
        now,
        in_force,
        overdue,
        stopped,
        summaries,
        waiting,
        tag_requests,
        ended,
        wanted_again,
        tagged,
        gaps,
        went_back,
    })
}

/// Counts the images with our tag in the region of the seat, if nothing was ever in force: the
/// table of the ledger may be another one than before.
async fn strange(aws: &Aws, in_force: &InForce) -> Option<(Region, usize)> {
    if !in_force.is_untouched() {
        return None;
    }
    let seat = &aws.environment.seat;
    let images = aws.ec2.images_tagged(seat).await.inspect_err(left_out).ok()?;
    Some((seat.clone(), images.0.len()))
}

/// Returns the queues with overdue work and no worker, the points that wait for their machine, and,
/// if it is time to look, how long work is overdue. Every sweep asks the queues of the policies in
/// force. Now and then all queues are asked, for leftovers of policies that are not in force any
/// more.
///
/// Points that wait for their machine stand in the snapshot queue, and are due later.
async fn overdue(
    aws: &Aws,
    in_force: &InForce,
    now: Timestamp,
) -> Result<(Vec<Queue>, Vec<Point>, Vec<Overdue>), Failure> {
    let is_time_to_look = is_time_to_look(in_force, now);
    let queues = match is_time_to_look {
        true => in_force.all_queues(),
        false => in_force.queues(),
    };
    let have_changed = wanted_again::have_changed(in_force, now);
    let (mut overdue, mut waiting, mut long) = (Vec::new(), Vec::new(), Vec::new());
    for queue in queues {
        let until = (queue.kind != Kind::Snapshot).then_some(now);
        let in_flight = aws.ledger.queue(&queue, until).await?;
        let (points, _) = aws.ledger.records(&waiting::of_queue(&in_flight), &queue).await?;
        waiting.extend(points);
        let since = in_flight.iter().map(|record| record.due_at).min();
        let Some(since) = since.filter(|since| *since <= now) else { continue };
        let claimed_until = match is_time_to_look || may_be_looked_after(&queue) {
            true => aws.ledger.claimed_until(&queue, now).await?,
            false => None,
        };
        if is_time_to_look {
            long.push(Overdue { queue: queue.clone(), since, claimed_until });
        }
        let is_claimed = claimed_until.is_some_and(|until| until > now);
        // What an obstacle holds up may be wanted no more, or under another key.
        let may_wait = matches!(queue.kind, Kind::Copy | Kind::Snapshot);
        let is_news = may_wait && is_time_to_look && have_changed;
        if is_news || !(may_be_looked_after(&queue) && is_claimed) {
            overdue.push(queue);
        }
    }
    Ok((overdue, waiting, long))
}

/// Returns the machines that points wait for.
async fn awaited(aws: &Aws, waiting: &[Point], context: &Context) -> Vec<Instance> {
    let mut wanted: BTreeMap<&Region, BTreeSet<&InstanceId>> = BTreeMap::new();
    for point in waiting {
        wanted.entry(&point.home).or_default().insert(point.instance());
    }
    let mut awaited = Vec::new();
    for (region, ids) in wanted {
        if !context.has_time(aws.clock.now()) {
            break;
        }
        let ids: Vec<InstanceId> = ids.into_iter().cloned().collect();
        match aws.ec2.instances(region, Find::Ids(&ids)).await {
            Ok(found) => awaited.extend(found),
            Err(failure) => left_out(&failure),
        }
    }
    awaited
}

/// Tells whether a claim of a worker of this queue means that it looks at it later, so that it need
/// not be woken. A machine that waits for a place is due all the time, and its worker is at it all
/// the time. Copies and points that an obstacle holds up are due all the time, and one of them is
/// tried later.
const fn may_be_looked_after(queue: &Queue) -> bool {
    matches!(queue.kind, Kind::Power | Kind::Copy | Kind::Snapshot)
}

/// Returns the stopped machines in regions where a policy waits for stops.
async fn stopped(aws: &Aws, in_force: &InForce, context: &Context) -> Vec<Instance> {
    let waits = |policy: &&Policy| {
        policy.triggers.iter().any(|trigger| matches!(trigger, Trigger::Stopped(_)))
    };
    let waiting = in_force.policies.iter().filter(waits);
    let regions: BTreeSet<&Region> = waiting.flat_map(|policy| &policy.select.regions).collect();
    let mut stopped = Vec::new();
    for region in regions {
        if !context.has_time(aws.clock.now()) {
            break;
        }
        match aws.ec2.instances(region, Find::Stopped).await {
            Ok(found) => stopped.extend(found),
            Err(failure) => left_out(&failure),
        }
    }
    stopped
}

/// Reads the points of stopped machines that may begin again.
async fn ended(
    aws: &Aws,
    in_force: &InForce,
    stopped: &[Instance],
    summaries: &BTreeMap<InstanceId, MachineSummary>,
    now: Timestamp,
) -> Result<Ended, Failure> {
    let nominated = taken_up::nominated(in_force, stopped, summaries, now);
    let points = aws.ledger.points(&nominated).await?;
    let failed: Vec<_> = points.values().flat_map(taken_up::replicas_of).collect();
    Ok(Ended { replicas: aws.ledger.replicas_of(&failed).await?, points })
}

/// Reads the points of which places may be wanted again, or not any more, if it is time for that.
async fn wanted_again(
    aws: &Aws,
    in_force: &InForce,
    now: Timestamp,
) -> Result<WantedAgain, Failure> {
    if !wanted_again::is_time(in_force, now) {
        return Ok(WantedAgain::default());
    }
    let fleet = aws.ledger.fleet().await?;
    let mut points = aws.ledger.points(&wanted_again::nominated(in_force, &fleet, now)).await?;
    let replicas: Vec<_> = points.values().flat_map(wanted_again::replicas_of).collect();
    let mut replicas = aws.ledger.replicas_of(&replicas).await?;
    if wanted_again::have_changed(in_force, now) {
        let (to_begin, later) = waiting_later(aws, in_force, now).await?;
        let ids: Vec<PointId> = later.iter().map(|replica| replica.point.clone()).collect();
        points.extend(aws.ledger.points(&ids).await?);
        points.extend(to_begin.into_iter().map(|point| (point.id.clone(), point)));
        let key = |it: &Replica| (it.point.clone(), it.region.clone());
        replicas.extend(later.into_iter().map(|replica| (key(&replica), replica)));
    }
    Ok(WantedAgain { points, replicas })
}

/// Reads the points and copies that wait to begin at a later time, in whatever region.
async fn waiting_later(
    aws: &Aws,
    in_force: &InForce,
    now: Timestamp,
) -> Result<(Vec<Point>, Vec<Replica>), Failure> {
    let (mut points, mut replicas) = (Vec::new(), Vec::new());
    for region in &in_force.regions {
        for kind in [Kind::Snapshot, Kind::Register, Kind::Copy] {
            let queue = Queue { region: region.clone(), kind };
            let mut later = aws.ledger.queue(&queue, None).await?;
            later.retain(|record| record.due_at > now);
            later.truncate(WANTED_AGAIN_MAX.saturating_sub(points.len() + replicas.len()));
            let (to_begin, copies) = aws.ledger.records(&later, &queue).await?;
            points.extend(to_begin);
            replicas.extend(copies);
        }
    }
    Ok((points, replicas))
}

/// Reads the machines that carry a request, where a policy takes such requests, and wherever all
/// machines were listed just now. After that, reads the ledger's records of these and of abandoned
/// requests.
async fn tag_requests(
    aws: &Aws,
    in_force: &InForce,
    tagged: Option<&Tagged>,
    context: &Context,
) -> Result<TagRequests, Failure> {
    let nothing = Fleet::default();
    let listed = tagged.map_or(&nothing, |tagged| &tagged.fleet);
    let takes = |policy: &&Policy| policy.triggers.contains(&Trigger::Tag);
    let taking = in_force.policies.iter().filter(takes);
    let mut regions: BTreeSet<&Region> = taking.flat_map(|policy| &policy.select.regions).collect();
    regions.extend(listed.keys());
    let mut requests = TagRequests::default();
    for region in regions {
        if !context.has_time(aws.clock.now()) {
            break;
        }
        let machines = match listed.get(region) {
            Some(Complete(all)) => {
                Ok(all.iter().filter(|one| on_demand::carries_request(one)).cloned().collect())
            }
            None => aws.ec2.instances(region, Find::Tagged(&[TAG_ASK.to_string()])).await,
        };
        match machines {
            Ok(machines) => requests.machines.extend(machines),
            Err(failure) => {
                left_out(&failure);
                continue;
            }
        }
        requests.abandoned.extend(aws.ledger.counters_left(region, context.now).await?);
    }
    let named: Vec<_> = requests.machines.iter().filter_map(on_demand::record_of).collect();
    requests.counters = aws.ledger.counters_to_raise(&named).await?;
    Ok(requests)
}

/// Lists the artefacts with our tag first, and then reads the ledger: a point that is younger than
/// the listings must not look unknown. No point is read for what the index of places vouches for.
/// Returns the summaries of all machines beside what it found.
async fn everything(
    aws: &Aws,
    in_force: &InForce,
    doubts: &BTreeMap<Region, Doubt>,
    context: &Context,
) -> Result<(Tagged, Vec<MachineSummary>), Failure> {
    let mut look = Look { aws, in_force, doubts, context, found: Found::default() };
    look.found.tagged.known = aws.ledger.findings().await?;
    // A ledger that is empty knows no region.
    let homes = in_force.all_regions().into_iter().chain(doubts.keys().cloned());
    look.regions(homes.collect()).await?;
    let fleet = aws.ledger.fleet().await?;
    // Somebody may have deleted the record of a region.
    look.regions(gaps::regions(&fleet)).await?;
    let Found { mut tagged, named, suspects, .. } = look.found;
    let points: BTreeSet<PointId> = named.iter().map(|(point, _)| point.clone()).collect();
    let points: Vec<PointId> = points.into_iter().collect();
    tagged.points = aws.ledger.points(&points).await?;
    let is_away = |(point, region): &(PointId, Region)| {
        let known = tagged.points.get(point);
        // An image that was copied back to its home is a replica as well.
        known.is_some_and(|point| point.home != *region || !point.healed.is_empty())
    };
    let away: Vec<(PointId, Region)> = named.into_iter().filter(is_away).collect();
    tagged.replicas = aws.ledger.replicas_of(&away).await?;
    tagged.suspects = aws.ledger.held_records(&suspects).await?;
    for queue in nothing_waits::queues(&tagged.known, &in_force.brakes, context.now) {
        tagged.held_up.push(held_up(aws, &queue).await?);
    }
    Ok((tagged, fleet))
}

/// The look at all regions.
struct Look<'a> {
    aws: &'a Aws,
    in_force: &'a InForce,
    doubts: &'a BTreeMap<Region, Doubt>,
    context: &'a Context,
    found: Found,
}

#[derive(Default)]
struct Found {
    tagged: Tagged,
    /// The regions that were looked at, or could not be.
    looked_at: BTreeSet<Region>,
    /// The points that tags name, and the regions of these tags.
    named: BTreeSet<(PointId, Region)>,
    suspects: Vec<Held>,
}

impl Look<'_> {
    /// Looks at these regions, and at those that images name for their replicas.
    async fn regions(&mut self, regions: BTreeSet<Region>) -> Result<(), Failure> {
        let mut regions: VecDeque<Region> = regions.into_iter().collect();
        // Those that did not answer the last time must not take the time of the others.
        let is_unread = |region: &Region| self.in_force.unaudited.contains_key(region);
        regions.make_contiguous().sort_by_key(is_unread);
        while let Some(region) = regions.pop_front() {
            if self.found.looked_at.insert(region.clone()) {
                regions.extend(self.region(&region).await?);
            }
        }
        Ok(())
    }

    /// Looks at a region. Returns the regions that its images name for their replicas.
    async fn region(&mut self, region: &Region) -> Result<BTreeSet<Region>, Failure> {
        let Look { aws, in_force, doubts, context, .. } = *self;
        let Found { tagged, named, suspects, .. } = &mut self.found;
        // Regions that never answer must not keep the sweep from waking the workers that have work.
        if !context.has_time(aws.clock.now()) {
            tagged.unread.insert(region.clone(), "the sweep had no time left for it".to_string());
            return Ok(BTreeSet::new());
        }
        // Before the listings: what is younger than they are must not look lost.
        let held = aws.ledger.held(region).await?;
        let (snapshots, images, instances, unlisted) =
            match listings(aws, region, &held, !doubts.is_empty()).await {
                Ok(listings) => listings,
                Err(failure) => {
                    left_out(&failure);
                    if !held.is_empty() || in_force.names(region) {
                        tagged.unread.insert(region.clone(), chain(&failure));
                    }
                    return Ok(BTreeSet::new());
                }
            };
        let vouched = artefact_audit::vouched(&held, &images, !doubts.is_empty());
        let points = artefact_audit::named(&vouched, &images, &snapshots);
        named.extend(points.into_iter().map(|point| (point, region.clone())));
        let shown = || snapshots.0.iter().chain(unlisted.values());
        let arns = held::keys(&held, &images, shown(), &tagged.known);
        let keys = keys(aws, region, arns, context).await;
        let found = held::suspects(&held, &images, shown(), (&keys.described, &tagged.known));
        suspects.extend(found.into_iter().cloned());
        let of_vouched = images.0.iter().filter(|image| vouched.contains(&image.id.clone().into()));
        let more = went_back::regions_of_replicas(of_vouched, |_| true)
            .into_iter()
            .chain(went_back::regions_of_replicas(&images.0, |home| doubts.contains_key(home)))
            .collect();
        tagged.keys.insert(region.clone(), keys);
        tagged.vouched.insert(region.clone(), vouched);
        tagged.unlisted.insert(region.clone(), unlisted);
        tagged.held.insert(region.clone(), held);
        tagged.snapshots.insert(region.clone(), snapshots);
        tagged.images.insert(region.clone(), images);
        tagged.fleet.insert(region.clone(), instances);
        Ok(more)
    }
}

/// Reads the records that may be missing beside the summaries of all machines.
async fn gaps(
    aws: &Aws,
    tagged: &Tagged,
    fleet: Vec<MachineSummary>,
    now: Timestamp,
) -> Result<Gaps, Failure> {
    let held = &tagged.held;
    let asked = gaps::to_read(&fleet, held, now);
    let ids: Vec<PointId> = asked.iter().cloned().collect();
    let points = aws.ledger.points(&ids).await?;
    let replicas = gaps::replicas_to_read(&asked, &points, held);
    let replicas = aws.ledger.replicas_of(&replicas).await?;
    let untold = gaps::untold(&fleet, held);
    let renamed = gaps::renamed(&fleet, &tagged.fleet);
    let orphans = gaps::orphans(&asked, &points, held);
    let mut gaps = Gaps { points, replicas, untold, orphans, renamed, ..Gaps::default() };
    gaps.suspects = gaps::suspects(fleet, &asked, (&gaps, held), now);
    let machines = gaps.suspects.iter().map(|machine| &machine.instance).chain(&gaps.untold);
    let machines = machines.chain(gaps.orphans.iter().map(PointId::instance));
    gaps.histories = aws.ledger.histories(&machines.cloned().collect()).await?;
    gaps.unreadable = aws.ledger.exist(&gaps.missing()).await?;
    Ok(gaps)
}

/// Reads the obstacles of a queue, and then its records.
async fn held_up(aws: &Aws, queue: &Queue) -> Result<HeldUp, Failure> {
    let obstacles = aws.ledger.obstacles(queue).await?;
    let in_flight = aws.ledger.queue(queue, None).await?;
    if in_flight.len() > HELD_UP_READ_MAX {
        return Ok(HeldUp { obstacles, records: None });
    }
    let (points, replicas) = aws.ledger.records(&in_flight, queue).await?;
    let ids: Vec<PointId> = replicas.iter().map(|replica| replica.point.clone()).collect();
    let points_of_replicas = aws.ledger.points(&ids).await?;
    Ok(HeldUp { obstacles, records: Some(Records { points, replicas, points_of_replicas }) })
}

/// Reads the state of the keys of good places. Nothing follows from a key that could not be read.
async fn keys(aws: &Aws, region: &Region, arns: BTreeSet<String>, context: &Context) -> KeysInUse {
    let (mut described, mut unanswered) = (Keys::new(), BTreeMap::new());
    let mut in_a_row = 0;
    for arn in held::keys_in_turn(&arns, context.now) {
        if !context.has_time(aws.clock.now()) {
            unanswered.insert(arn.clone(), "the sweep had no time left for it".to_string());
            continue;
        }
        if in_a_row >= KEYS_UNANSWERED_MAX {
            let text = "the keys that were asked for before it got no answer";
            unanswered.insert(arn.clone(), text.to_string());
            continue;
        }
        match aws.kms.disk_keys(region, [arn.clone()]).await {
            Ok(read) => {
                in_a_row = 0;
                described.extend(read.into_iter().map(|key| (key.arn, key.access)));
            }
            Err(failure) => {
                in_a_row += 1;
                left_out(&failure);
                unanswered.insert(arn.clone(), chain(&failure));
            }
        }
    }
    KeysInUse { arns, described, unanswered }
}

/// What one region shows: the snapshots with our tag, all images, all machines, and the snapshots
/// that should have our tag and do not show it.
type Listings = (Complete<ObservedSnapshot>, Complete<ObservedImage>, Complete<Instance>, Unlisted);

async fn listings(
    aws: &Aws,
    region: &Region,
    held: &[Held],
    is_doubted: bool,
) -> Result<Listings, Failure> {
    let snapshots = aws.ec2.snapshots_tagged(region, None).await?;
    let images = aws.ec2.images_owned(region).await?;
    // A listing is read to its last page, or fails.
    let instances = Complete(aws.ec2.instances(region, Find::All).await?);
    let unlisted = tag_gone::unlisted(held, &images, &snapshots, is_doubted);
    let unlisted = aws.ec2.snapshots(region, &unlisted).await?;
    Ok((snapshots, images, instances, unlisted))
}
