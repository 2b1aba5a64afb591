//! A worker, up to what it decides on.

use afterimage_aws::{Aws, Failure, apply, load};
use afterimage_core::flow::work_requested::Input;
use afterimage_core::worker::{Move, Worker};

/// Carries out the moves of a worker up to its next decision. None if nothing is left for it.
///
/// # Errors
/// The ledger or EC2 does not answer.
pub async fn next_input(aws: &Aws, worker: &mut Worker) -> Result<Option<Input>, Failure> {
    loop {
        let now = aws.clock.now();
        let queue = worker.queue().clone();
        match worker.next_move(now) {
            Move::Quit => return Ok(None),
            Move::Wait(until) => aws.clock.sleep(until.duration_since(now)).await,
            Move::See(sight) => worker.saw(load::sight(aws, &queue, sight).await?, now),
            Move::Claim { until, now } => {
                worker.claimed(until, apply::claim(aws, &queue, until, now).await?);
            }
            Move::Lease => worker.leased(apply::lease(aws, &queue).await?),
            Move::Follow(hints) => worker.loaded(load::hinted(aws, &queue, hints).await?),
            Move::Load(nominated) => {
                let memory = worker.memory();
                worker.loaded(load::work_requested(aws, &queue, &nominated, memory).await?);
            }
            Move::Decide(input) => return Ok(Some(input.clone())),
        }
    }
}
