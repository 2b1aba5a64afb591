//! The machines that are down for their images, by their roster, and the first of those that wait.
//!
//! No index has to show what is down: the roster names it. Nothing here fails for want of an answer
//! of EC2: what is down has to be started, whatever can be seen of it.

use afterimage_core::downtime::Roster;
use afterimage_core::flow::WorkRequested;
use afterimage_core::flow::work_requested::Input;
use afterimage_core::flow::work_requested::power::{self, Guarded, look_again, next};
use afterimage_core::ids::InstanceId;
use afterimage_core::limits::later;
use afterimage_core::slot::PointId;
use afterimage_core::work::Queue;
use jiff::SignedDuration;

use super::{Known, Loaded};
use crate::Aws;
use crate::error::Failure;
use crate::load::left_out;
use crate::round::INDEX_LAG;

/// So many of those that wait are looked at in one round: more than can be stopped before the next.
const WAITING_MAX: usize = 50;

/// Whoever looks at what is down says again that it will within this time after it was to look.
const GRACE: SignedDuration = SignedDuration::from_secs(3);

/// None: another worker looks after them.
pub async fn load(
    aws: &Aws,
    event: &WorkRequested,
    known: &mut Known,
) -> Result<Option<Loaded>, Failure> {
    let queue = &event.queue;
    if !known.begun {
        known.begun = true;
        if is_looked_after(aws, event).await? {
            return Ok(None);
        }
    }
    let now = aws.clock.now();
    let roster = aws.ledger.roster().await?;
    let mut wanted = roster.points_in(&queue.region);
    wanted.extend(answered(waiting(aws, queue, &roster).await).unwrap_or_default());
    let downtimes = aws.ledger.downtimes(&wanted).await?;
    let points = aws.ledger.points(&wanted).await?;
    let region = &queue.region;
    let ids: Vec<InstanceId> =
        downtimes.values().map(|downtime| downtime.instance().clone()).collect();
    let machines = answered(aws.ec2.seen_machines(region, &ids).await).unwrap_or_default();
    let mut input = power::Input {
        now,
        region: region.clone(),
        at_once: aws.environment.stop_start_at_once,
        roster,
        downtimes: downtimes.into_values().collect(),
        points,
        machines,
        guarded: None,
    };
    input.guarded = guarded(aws, &input).await;
    let Some(wait) = look_again(&input) else {
        let input = Input::Power(Box::new(input));
        return Ok(Some(Loaded { may_lag: true, ..Loaded::of(input) }));
    };
    let until = match known.claimed.filter(|until| *until > now) {
        Some(until) => until,
        None => {
            let until = later(now, wait);
            if !aws.ledger.claim(queue, until, now).await? {
                return Ok(None);
            }
            known.claimed = Some(until);
            until
        }
    };
    let input = Input::Power(Box::new(input));
    Ok(Some(Loaded { next_due: Some(until), watches: true, ..Loaded::of(input) }))
}

/// Whether another worker looks at what is down, again and again. One that died does not say so
/// any more.
async fn is_looked_after(aws: &Aws, event: &WorkRequested) -> Result<bool, Failure> {
    let queue = &event.queue;
    if event.hop == 0 {
        aws.clock.sleep(INDEX_LAG).await;
    }
    let (now, holder) = (aws.clock.now(), &aws.environment.stream);
    if aws.ledger.is_leased_to_another(queue, holder, now).await? {
        return Ok(true);
    }
    let claimed = aws.ledger.claimed_until(queue).await?;
    let Some(until) = claimed.filter(|until| *until > now) else { return Ok(false) };
    aws.clock.sleep(until.duration_since(now).saturating_add(GRACE)).await;
    let again = aws.ledger.claimed_until(queue).await?;
    Ok(again.is_some_and(|again| again > until))
}

/// The first of those that wait, of policies that have a place left.
async fn waiting(aws: &Aws, queue: &Queue, roster: &Roster) -> Result<Vec<PointId>, Failure> {
    let is_full = |point: &PointId| {
        let theirs = roster.places.values().find(|held| held.policy.as_str() == point.policy());
        theirs.is_some_and(|held| !roster.has_room_for(&held.policy, held.at_once))
    };
    let in_flight = aws.ledger.queue(queue, None).await?;
    let points = in_flight.into_iter().map(|nominated| nominated.point);
    let points = points.filter(|point| !roster.places.contains_key(point) && !is_full(point));
    Ok(points.take(WAITING_MAX).collect())
}

async fn guarded(aws: &Aws, input: &power::Input) -> Option<Guarded> {
    let seen = input.machines.get(next(input)?.instance())?;
    answered(aws.ec2.guarded(&input.region, &seen.instance).await)
}

fn answered<T>(answer: Result<T, Failure>) -> Option<T> {
    answer.inspect_err(left_out).ok()
}
