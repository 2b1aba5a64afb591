//! Loads for a worker: its view of its queue, and the facts about the records that it takes up.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::brake;
use afterimage_core::flow::work_requested::disk_keys::{self, Keys, KeysByRegion};
use afterimage_core::flow::work_requested::images::Healing;
use afterimage_core::flow::work_requested::needs::Needs;
use afterimage_core::flow::work_requested::power::{Guarded, StopGate};
use afterimage_core::flow::work_requested::{
    self, Input, apart, before_copy, confirm, copy, keys, missing, power, power_batch, register,
    snapshot, sources,
};
use afterimage_core::flow::{InFlight, InForce};
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::limits::ROUND_RECORDS_MAX;
use afterimage_core::machine::Instance;
use afterimage_core::names::TAG_POINT;
use afterimage_core::observed::{Complete, ObservedImage, ObservedSnapshot};
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Point, Replica};
use afterimage_core::rebuild;
use afterimage_core::slot::PointId;
use afterimage_core::witness::Trust;
use afterimage_core::work::{Kind, Queue};
use afterimage_core::worker::batch::Batch;
use afterimage_core::worker::memory::Memory;
use afterimage_core::worker::{Loaded, Seen, Sight};
use jiff::Timestamp;

use crate::Aws;
use crate::ec2::{Find, Machines};
use crate::error::Failure;
use crate::load::left_out;

/// Reads a fact about a queue.
///
/// # Errors
/// The ledger cannot be read.
pub async fn sight(aws: &Aws, queue: &Queue, sight: Sight) -> Result<Seen, Failure> {
    Ok(match sight {
        Sight::Lease => {
            let (holder, now) = (&aws.environment.stream, aws.clock.now());
            Seen::Lease { is_anothers: aws.ledger.is_leased_to_another(queue, holder, now).await? }
        }
        Sight::Claim => {
            Seen::Claim { until: aws.ledger.claimed_until(queue, aws.clock.now()).await? }
        }
        Sight::Hints => Seen::Hints(aws.ledger.hints(&queue.region).await?),
        Sight::InFlight => Seen::InFlight(aws.ledger.queue(queue, None).await?),
    })
}

/// Reads the records that a worker takes up, and the facts about them.
///
/// # Errors
/// The ledger or EC2 cannot be read.
pub async fn work_requested(
    aws: &Aws,
    queue: &Queue,
    nominated: &[InFlight],
    memory: &Memory,
) -> Result<Loaded, Failure> {
    let now = aws.clock.now();
    let batch = batch(aws, queue, nominated, now).await?;
    let put_off = batch.put_off;
    let input = known(aws, queue, batch, memory, now).await?;
    Ok(Loaded { input, put_off })
}

/// Reads the records as the ledger has them, up to as many as one round takes up.
async fn batch(
    aws: &Aws,
    queue: &Queue,
    nominated: &[InFlight],
    now: Timestamp,
) -> Result<Batch, Failure> {
    let mut batch = Batch::default();
    let read_at_once = if queue.kind.looks() { usize::MAX } else { ROUND_RECORDS_MAX };
    for nominated in nominated.chunks(read_at_once) {
        let (points, replicas) = aws.ledger.records(nominated, queue).await?;
        batch.add(queue.kind, points, replicas, now);
        if batch.is_full(queue.kind) {
            break;
        }
    }
    Ok(batch)
}

/// Reads every fact that the core needs about a batch.
async fn known(
    aws: &Aws,
    queue: &Queue,
    batch: Batch,
    memory: &Memory,
    now: Timestamp,
) -> Result<Input, Failure> {
    let region = &queue.region;
    let needs = work_requested::needs(queue.kind, &batch.points, &batch.replicas, now);
    Ok(match queue.kind {
        Kind::Snapshot => Input::Snapshot(snapshots(aws, queue, batch.points, memory, now).await?),
        Kind::Register => {
            let obstacles = obstacles(aws, queue, !batch.points.is_empty()).await?;
            let snapshots = aws.ec2.snapshots(region, &needs.snapshots).await?;
            let named = named(aws, region, needs.names).await?;
            let images = aws.ec2.images(region, &needs.images).await?;
            let in_force = policies(aws, needs.policies).await?;
            let points = batch.points;
            Input::Register(register::Input {
                now,
                points,
                snapshots,
                named,
                images,
                obstacles,
                in_force,
            })
        }
        Kind::Confirm => Input::Confirm(images(aws, queue, batch, needs, now).await?),
        Kind::Copy => Input::Copy(copies(aws, queue, batch.replicas, needs, now).await?),
        // Power goes by the roster, and not by what the index nominates.
        Kind::Power => Input::Power(Box::new(power(aws, queue, now).await?)),
    })
}

/// Reads the facts about points that need snapshots. The machines are described last.
async fn snapshots(
    aws: &Aws,
    queue: &Queue,
    points: Vec<Point>,
    memory: &Memory,
    now: Timestamp,
) -> Result<snapshot::Input, Failure> {
    let region = &queue.region;
    let obstacles = obstacles(aws, queue, snapshot::may_begin(&points, now)).await?;
    let looked_at = snapshot::looked_at(&points, &obstacles, now);
    let with_snapshots = match snapshot::may_begin(&looked_at, now) {
        true => with_snapshots(aws, region).await?,
        false => Vec::new(),
    };
    let needs = work_requested::needs(Kind::Snapshot, &looked_at, &[], now);
    let tagged = tagged(aws, region, needs.tagged).await?;
    let named = named(aws, region, needs.names).await?;
    let images = aws.ec2.images(region, &needs.images).await?;
    let downtimes = aws.ledger.downtimes(&needs.downtimes).await?;
    let machines = memory.machines(&looked_at, now);
    let asked_max = snapshot::asked_max(&obstacles, now);
    let Machines { mut whole, unsettled, unasked } =
        aws.ec2.machines(region, &machines.to_describe, &machines.firmware, asked_max).await?;
    whole.extend(machines.believed);
    let in_force = policies(aws, needs.policies).await?;
    let others = match needs.policies {
        true => other_points(aws, &looked_at, &with_snapshots).await?,
        false => BTreeMap::new(),
    };
    let mut taken = memory.taken().clone();
    apart::add_points(&mut taken, others.values());
    let wanted = keys::to_read_at_home(&points, &whole, &obstacles, now);
    let keys = keys(aws, region, wanted).await;
    let trust = match needs.policies {
        true => trust(aws, region, &in_force, &looked_at).await?,
        false => Trust::default(),
    };
    Ok(snapshot::Input {
        now,
        points,
        machines: whole,
        unsettled,
        unasked,
        tagged,
        named,
        images,
        taken,
        downtimes,
        allow_reboot: aws.environment.allow_reboot,
        in_force,
        obstacles,
        sets: apart::count(with_snapshots.iter()),
        others,
        keys,
        trust,
    })
}

/// Lists the points that wait for their snapshots, as the index shows them.
async fn with_snapshots(aws: &Aws, region: &Region) -> Result<Vec<PointId>, Failure> {
    let register = Queue { region: region.clone(), kind: Kind::Register };
    let nominated = aws.ledger.queue(&register, None).await?;
    Ok(nominated.into_iter().map(|nominated| nominated.point).collect())
}

/// Reads the other points of the machines of these points, of which another worker may have made
/// snapshots a moment ago: the latest of each policy, and those that wait for their snapshots.
async fn other_points(
    aws: &Aws,
    points: &[Point],
    with_snapshots: &[PointId],
) -> Result<BTreeMap<PointId, Point>, Failure> {
    let machines: BTreeSet<InstanceId> =
        points.iter().map(|point| point.instance().clone()).collect();
    let ids: Vec<InstanceId> = machines.iter().cloned().collect();
    let summaries = aws.ledger.summaries(&ids).await?;
    let latest = summaries.values().flat_map(|summary| summary.latest.values());
    let waiting = with_snapshots.iter().filter(|id| machines.contains(id.instance()));
    let mut others: BTreeSet<PointId> =
        latest.map(|latest| &latest.point).chain(waiting).cloned().collect();
    for point in points {
        others.remove(&point.id);
    }
    let others: Vec<PointId> = others.into_iter().collect();
    aws.ledger.points(&others).await
}

/// Reads whether the ledger may be older than what was made, and, if so, which of these machines
/// have artefacts that it does not know. The artefacts are listed before the ledger is read,
/// because a point that is younger than the listing must not look unknown.
async fn trust(
    aws: &Aws,
    region: &Region,
    in_force: &InForce,
    points: &[Point],
) -> Result<Trust, Failure> {
    let identity = in_force.identities.get(region).copied();
    let testimony = aws.ledger.testimony().await;
    let trust = Trust { identity, testimony, doubtful: BTreeSet::new() };
    if !trust.is_doubted(region) {
        return Ok(trust);
    }
    let machines: BTreeSet<InstanceId> =
        points.iter().map(|point| point.instance().clone()).collect();
    let ids: Vec<InstanceId> = machines.iter().cloned().collect();
    let snapshots = aws.ec2.snapshots_of_machines(region, &ids).await?;
    // Of an image that is gone with its snapshots, only copies are left.
    let mut copies = Vec::new();
    for other in in_force.regions.iter().filter(|other| *other != region) {
        match aws.ec2.images_tagged(other).await {
            Ok(Complete(images)) => copies.extend(images),
            Err(failure) => left_out(&failure),
        }
    }
    let named = rebuild::named(&snapshots, &copies, &machines);
    let ids: Vec<PointId> = named.iter().cloned().collect();
    let points = aws.ledger.points(&ids).await?;
    let doubtful = rebuild::doubtful(region, &snapshots, &named, &points);
    Ok(Trust { doubtful, ..trust })
}

/// Reads the facts about images and replicas that are pending, missing or lost.
async fn images(
    aws: &Aws,
    queue: &Queue,
    batch: Batch,
    needs: Needs,
    now: Timestamp,
) -> Result<confirm::Input, Failure> {
    let region = &queue.region;
    let Batch { points, replicas, .. } = batch;
    let images = aws.ec2.images(region, &needs.images).await?;
    let to_ask = confirm::needs_uefi_data(&points, &images);
    let uefi_data = aws.ec2.uefi_data_of_images(region, to_ask).await;
    let points_of_replicas = aws.ledger.points(&needs.points).await?;
    let copies = Queue { region: region.clone(), kind: Kind::Copy };
    let obstacles = obstacles(aws, &copies, !replicas.is_empty()).await?;
    let mut ids = needs.snapshots;
    ids.extend(disk_keys::snapshots(&points, &replicas, &images, now));
    let snapshots = aws.ec2.snapshots(region, &ids).await?;
    let in_force = policies(aws, needs.policies).await?;
    let keys = keys(aws, region, disk_keys::to_read(&points, &snapshots, now)).await;
    let shown = missing::Shown { images: &images, snapshots: &snapshots, keys: &keys };
    let recalled =
        missing::machines_to_recall(&points, (&replicas, &points_of_replicas), &shown, now);
    let history = aws.ledger.histories(&recalled).await?;
    let lost = before_copy::to_read_of_lost(&replicas, &points_of_replicas, now);
    let healing = Healing {
        there: answered(there(aws, region, &lost, &points_of_replicas).await),
        good: good(aws, region, &in_force, missing::suspects(&points, &replicas, now), now).await?,
        gib_per_day: aws.environment.heal_gib_per_day,
        keys,
        sources: source_keys(
            aws,
            sources::to_read(&points, &replicas, &points_of_replicas, &history, now),
        )
        .await,
        in_force,
    };
    let ids: Vec<InstanceId> = recalled.into_iter().collect();
    let instances = match ids.is_empty() {
        true => Vec::new(),
        false => answered(aws.ec2.instances(region, Find::Ids(&ids)).await).unwrap_or_default(),
    };
    Ok(confirm::Input {
        now,
        points,
        replicas,
        points_of_replicas,
        images,
        uefi_data,
        obstacles,
        snapshots,
        history,
        instances: instances.into_iter().map(|one| (one.id.clone(), one)).collect(),
        healing,
    })
}

/// Counts the places of a region that are called good, if so many are suspect that it matters.
async fn good(
    aws: &Aws,
    region: &Region,
    in_force: &InForce,
    suspects: usize,
    now: Timestamp,
) -> Result<Option<usize>, Failure> {
    match brake::has_to_count(in_force.brakes.get(region), suspects, now) {
        true => Ok(Some(aws.ledger.held(region).await?.len())),
        false => Ok(None),
    }
}

/// Reads the state of keys. Nothing follows from a key that could not be read.
async fn keys(aws: &Aws, region: &Region, arns: BTreeSet<String>) -> Keys {
    let mut keys = Keys::new();
    for arn in arns {
        let read = answered(aws.kms.disk_keys(region, [arn]).await).unwrap_or_default();
        keys.extend(read.into_iter().map(|key| (key.arn, key.access)));
    }
    keys
}

/// Reads the state of the keys of images that may be copied, each in the region of its image.
async fn source_keys(aws: &Aws, wanted: BTreeSet<(Region, String)>) -> KeysByRegion {
    let mut by_region: BTreeMap<Region, BTreeSet<String>> = BTreeMap::new();
    for (region, key) in wanted {
        by_region.entry(region).or_default().insert(key);
    }
    let mut read = KeysByRegion::new();
    for (region, names) in by_region {
        let of_region = keys(aws, &region, names).await;
        read.insert(region, of_region);
    }
    read
}

/// Reads the facts about replicas that wait to be copied.
async fn copies(
    aws: &Aws,
    queue: &Queue,
    replicas: Vec<Replica>,
    needs: Needs,
    now: Timestamp,
) -> Result<copy::Input, Failure> {
    let points = aws.ledger.points(&needs.points).await?;
    let mut listed = named(aws, &queue.region, needs.names).await?;
    let in_force = policies(aws, needs.policies).await?;
    let obstacles = obstacles(aws, queue, !replicas.is_empty()).await?;
    let open = copy::to_find(&replicas, &points, &in_force, &obstacles, now);
    // In a region that does not answer, the other copies are decided on all the same.
    listed.extend(answered(named(aws, &queue.region, open).await).unwrap_or_default());
    let summaries = aws.ledger.summaries(&needs.summaries).await?;
    let wanted = keys::to_read(&replicas, &points, &obstacles, now);
    let keys = keys(aws, &queue.region, wanted).await;
    let to_read = before_copy::to_read(&replicas, &points);
    let there = answered(there(aws, &queue.region, &to_read, &points).await);
    Ok(copy::Input {
        now,
        replicas,
        points,
        in_force,
        named: listed,
        obstacles,
        keys,
        summaries,
        there,
    })
}

/// Reads which images a region has, of those that it may have, and what these are copies of.
async fn there(
    aws: &Aws,
    region: &Region,
    to_read: &before_copy::ToRead,
    points: &BTreeMap<PointId, Point>,
) -> Result<before_copy::There, Failure> {
    let images = aws.ec2.images(region, &to_read.images).await?;
    let Complete(listed) = aws.ec2.images_of_points(region, &to_read.points).await?;
    let tagged = by_point(&to_read.points, listed, |image| &image.tags);
    let mut there = before_copy::There { images, tagged, ..before_copy::There::default() };
    let replicas = aws.ledger.replicas_of(&there.places(points)).await?;
    there.replicas = replicas.into_values().collect();
    for (region, sources) in there.sources_to_read() {
        // A source that is not shown vouches for nothing.
        let shown = answered(aws.ec2.images(&region, &sources).await).unwrap_or_default();
        there.sources.extend(shown.into_values().map(|image| (region.clone(), image)));
    }
    Ok(there)
}

/// Reads what stands in the way of the calls of a queue, if there are records that it may hold up.
async fn obstacles(aws: &Aws, queue: &Queue, are_needed: bool) -> Result<Obstacles, Failure> {
    match are_needed {
        true => aws.ledger.obstacles(queue).await,
        false => Ok(Obstacles::none(queue.clone())),
    }
}

/// Reads the policies in force, right before something may begin.
async fn policies(aws: &Aws, are_needed: bool) -> Result<InForce, Failure> {
    match are_needed {
        true => aws.ledger.in_force().await,
        false => Ok(InForce::default()),
    }
}

/// Reads the machines that are down for their images, by the roster, and the first of those that
/// wait. The machines that are down do not depend on an index. A missing answer of EC2 fails
/// nothing here: these machines have to be started, whatever can be seen of them.
async fn power(aws: &Aws, queue: &Queue, now: Timestamp) -> Result<power::Input, Failure> {
    let region = &queue.region;
    let roster = aws.ledger.roster().await?;
    let in_flight = answered(aws.ledger.queue(queue, None).await).unwrap_or_default();
    let wanted = power_batch::to_look_at(&roster, region, &in_flight);
    let downtimes = aws.ledger.downtimes(&wanted).await?;
    let points = aws.ledger.points(&wanted).await?;
    let ids: Vec<InstanceId> =
        downtimes.values().map(|downtime| downtime.instance().clone()).collect();
    let machines = answered(aws.ec2.seen_machines(region, &ids).await).unwrap_or_default();
    let snapshots = Queue { region: region.clone(), kind: Kind::Snapshot };
    let obstacles = match StopGate::is_needed(&downtimes, now) {
        true => answered(aws.ledger.obstacles(&snapshots).await),
        false => None,
    };
    let mut input = power::Input {
        now,
        region: region.clone(),
        at_once: aws.environment.stop_start_at_once,
        roster,
        downtimes: downtimes.into_values().collect(),
        points,
        machines,
        in_force: None,
        guarded: None,
        stop_gate: StopGate { obstacles, trial: None },
    };
    if power::may_stop(&input) {
        input.in_force = answered(aws.ledger.in_force().await);
    }
    if input.in_force.is_some()
        && let Some(machine) = power::next_machine(&input)
    {
        input.guarded = answered(guarded(aws, region, &machine.instance).await);
    }
    if input.guarded.is_some()
        && let Some(point) = power::needs_trial(&input)
    {
        input.stop_gate.trial = Some(aws.ec2.try_snapshots(region, point).await);
    }
    Ok(input)
}

/// Reads everything that may forbid to stop a machine and that no listing of machines shows.
async fn guarded(aws: &Aws, region: &Region, machine: &Instance) -> Result<Guarded, Failure> {
    let guarded = aws.ec2.guarded(region, machine).await?;
    let keys = aws.ec2.keys_of_disks(region, &machine.id).await?;
    let keys = aws.kms.disk_keys(region, keys).await?;
    Ok(Guarded { keys, ..guarded })
}

fn answered<T>(answer: Result<T, Failure>) -> Option<T> {
    answer.inspect_err(left_out).ok()
}

/// Lists the images with these names, by name. A name that no image has is in the map too.
async fn named(
    aws: &Aws,
    region: &Region,
    names: Vec<String>,
) -> Result<BTreeMap<String, Complete<ObservedImage>>, Failure> {
    let Complete(images) = aws.ec2.images_named(region, &names).await?;
    let mut named: BTreeMap<String, Complete<ObservedImage>> =
        names.into_iter().map(|name| (name, Complete(Vec::new()))).collect();
    for image in images {
        if let Some(Complete(images)) = named.get_mut(&image.name) {
            images.push(image);
        }
    }
    Ok(named)
}

/// Lists the snapshots that carry the tag of each point.
async fn tagged(
    aws: &Aws,
    region: &Region,
    points: Vec<PointId>,
) -> Result<BTreeMap<PointId, Complete<ObservedSnapshot>>, Failure> {
    let Complete(snapshots) = aws.ec2.snapshots_tagged(region, Some(&points)).await?;
    Ok(by_point(&points, snapshots, |snapshot| &snapshot.tags))
}

/// Groups what a listing shows by the points that the tags name. A point of which it shows nothing
/// is in the map too.
fn by_point<T>(
    points: &[PointId],
    listed: Vec<T>,
    tags: fn(&T) -> &BTreeMap<String, String>,
) -> BTreeMap<PointId, Complete<T>> {
    let none = points.iter().map(|point| (point.clone(), Complete(Vec::new())));
    let mut by_point: BTreeMap<PointId, Complete<T>> = none.collect();
    for artefact in listed {
        let point = tags(&artefact).get(TAG_POINT).and_then(|tag| PointId::parse(tag).ok());
        if let Some(Complete(of_point)) = point.and_then(|point| by_point.get_mut(&point)) {
            of_point.push(artefact);
        }
    }
    by_point
}
