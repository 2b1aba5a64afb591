//! One round of the worker of a queue: what the index nominates, as the ledger has it now, and what
//! EC2 says of it.
//!
//! Kinds that look (Register, Confirm) ask EC2 about all that is in flight. When that is much, the
//! worker claims the look and rests first, so that a fleet that completes bit by bit is asked about
//! in a handful of calls; whoever is woken meanwhile finds the claim and goes away, since the look
//! is still to come. The other kinds take what is due, a batch at a time, so that what EC2 said of
//! a machine is young when the machine is imaged.

mod confirm;
mod copy;
mod power;
mod register;
mod snapshot;

use std::collections::BTreeMap;

use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::{InFlight, WorkRequested};
use afterimage_core::ids::Region;
use afterimage_core::observed::{Complete, ObservedImage};
use afterimage_core::point::{Point, Replica};
use afterimage_core::work::{Kind, Queue, rest};
use jiff::Timestamp;

pub use snapshot::Known;

use crate::error::Failure;
use crate::round::INDEX_LAG;
use crate::{Aws, Context};

/// As much as a worker of a kind that does not look takes up in one round: with the pace of
/// snapshots, less than two minutes' work.
const ROUND_MAX: usize = 250;

/// What there is to decide on.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub input: Input,
    /// When the first of what is not due yet will be.
    pub next_due: Option<Timestamp>,
    /// Whether the index may not have shown yet what the worker was woken for. Who is woken by an
    /// event of EC2 is woken because the index showed it.
    pub may_lag: bool,
    /// Whether something has to be looked at again at `next_due`, by this worker or its successor.
    pub watches: bool,
}

/// What stands in the queue, as the ledger has it.
#[derive(Debug, Default)]
struct Standing {
    points: Vec<Point>,
    replicas: Vec<Replica>,
    /// When the first of those is due that the index held for due and that are not.
    next_due: Option<Timestamp>,
}

/// What a worker knows of its queue at this moment. None: another worker is at the queue, or
/// has claimed the look, or there is no time left to rest before it.
///
/// # Errors
/// The ledger or EC2 cannot be read.
pub async fn work_requested(
    aws: &Aws,
    event: &WorkRequested,
    context: &Context,
    known: &mut Known,
) -> Result<Option<Loaded>, Failure> {
    let queue = &event.queue;
    if queue.kind == Kind::Power {
        return power::load(aws, event, known).await;
    }
    if !known.begun {
        known.begun = true;
        if event.hop == 0 && !queue.kind.looks() {
            // Whoever wrote what the worker is woken for has hardly finished.
            aws.clock.sleep(INDEX_LAG).await;
        }
        let (now, holder) = (aws.clock.now(), &aws.environment.stream);
        if aws.ledger.is_leased_to_another(queue, holder, now).await? {
            return Ok(None);
        }
    }
    let mut in_flight = aws.ledger.queue(queue, None).await?;
    let may_lag = queue.kind.looks() && in_flight.is_empty();
    if queue.kind.looks() && !may_lag {
        let now = aws.clock.now();
        let claimed = aws.ledger.claimed_until(queue).await?;
        if claimed.is_some_and(|until| until > now) {
            return Ok(None);
        }
        let rest = rest(in_flight.len(), claimed, now);
        if rest.is_positive() {
            let until = now.checked_add(rest).unwrap_or(Timestamp::MAX);
            if !context.has_time(until) || !aws.ledger.claim(queue, until, now).await? {
                return Ok(None);
            }
            aws.clock.sleep(until.duration_since(aws.clock.now())).await;
            in_flight = aws.ledger.queue(queue, None).await?;
        }
    }
    let now = aws.clock.now();
    let next_due =
        in_flight.iter().map(|nominated| nominated.due_at).filter(|due| *due > now).min();
    let standing = match queue.kind.looks() {
        true => standing(aws, &in_flight, queue).await?,
        false => due(aws, in_flight, queue, now).await?,
    };
    let Standing { points, replicas, next_due: put_off } = standing;
    let region = &queue.region;
    let mut loaded = match queue.kind {
        Kind::Snapshot => snapshot::load(aws, region, points, known, now).await?,
        Kind::Register => Loaded::of(register::load(aws, region, points, now).await?),
        Kind::Confirm => Loaded::of(confirm::load(aws, region, points, replicas, now).await?),
        Kind::Copy => Loaded::of(copy::load(aws, region, replicas, now).await?),
        Kind::Power => return Ok(None),
    };
    loaded.may_lag = may_lag;
    loaded.next_due = loaded.next_due.into_iter().chain(next_due).chain(put_off).min();
    Ok(Some(loaded))
}

impl Loaded {
    fn of(input: Input) -> Loaded {
        Loaded { input, next_due: None, may_lag: false, watches: false }
    }
}

async fn standing(aws: &Aws, in_flight: &[InFlight], queue: &Queue) -> Result<Standing, Failure> {
    let (points, replicas) = aws.ledger.records(in_flight, queue).await?;
    Ok(Standing { points, replicas, next_due: None })
}

/// What is due, the longest due first, and no more than one round's work. An index that lags still
/// nominates what was done a moment ago, so that some of it may have to be passed over.
async fn due(
    aws: &Aws,
    mut in_flight: Vec<InFlight>,
    queue: &Queue,
    now: Timestamp,
) -> Result<Standing, Failure> {
    in_flight.retain(|nominated| nominated.due_at <= now);
    in_flight.sort_by(|one, other| (one.due_at, &one.point).cmp(&(other.due_at, &other.point)));
    let is_due = |due_at: Option<Timestamp>| due_at.is_none_or(|due| due <= now);
    let mut all = Standing::default();
    for batch in in_flight.chunks(ROUND_MAX) {
        let Standing { points, replicas, .. } = standing(aws, batch, queue).await?;
        let steps = points.iter().map(|point| &point.step);
        let steps = steps.chain(replicas.iter().map(|replica| &replica.step));
        let put_off = steps.filter_map(|step| step.due_at).filter(|due| *due > now);
        all.next_due = all.next_due.into_iter().chain(put_off).min();
        all.points.extend(points.into_iter().filter(|point| is_due(point.step.due_at)));
        all.replicas.extend(replicas.into_iter().filter(|one| is_due(one.step.due_at)));
        if all.points.len() + all.replicas.len() >= ROUND_MAX {
            break;
        }
    }
    Ok(all)
}

/// The images of those names, by name; a name that no image has is among them too.
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
