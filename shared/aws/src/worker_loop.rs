//! The loop of a worker: its moves are carried out, one after the other, until there is something to
//! decide.

use afterimage_core::flow::work_requested::Input;
use afterimage_core::worker::{Move, Worker};

use crate::{Aws, Failure, apply, load};

/// Carries out the moves of a worker up to the next decision. None if nothing is left for it.
///
/// # Errors
/// The ledger or EC2 does not answer.
pub async fn next_input(aws: &Aws, worker: &mut Worker) -> Result<Option<Input>, Failure> {
    loop {
        let now = aws.clock.now();
        match worker.next_move(now) {
            Move::Quit => return Ok(None),
            Move::Wait(until) => aws.clock.sleep(until.duration_since(now)).await,
            Move::See(sight) => {
                let seen = load::sight(aws, worker.queue(), sight).await?;
                worker.saw(seen, now);
            }
            Move::Claim { until, now } => {
                let is_ours = apply::claim(aws, worker.queue(), until, now).await?;
                worker.claimed(until, is_ours);
            }
            Move::Load(nominated) => {
                let queue = worker.queue();
                let loaded = load::work_requested(aws, queue, &nominated, worker.memory()).await?;
                worker.loaded(loaded.input, loaded.put_off);
            }
            Move::Decide(input) => return Ok(Some(input.clone())),
        }
    }
}
