//! Loads for a snapshot event: one read of the index, which has the snapshots that each
//! registration in flight waits for.

use afterimage_core::flow::SnapshotsCompleted;
use afterimage_core::flow::snapshots_completed::Input;
use afterimage_core::work::{Kind, Queue};

use crate::error::Failure;
use crate::{Aws, Context};

/// Reads the points in flight in the region that wait for snapshots.
///
/// # Errors
/// The ledger cannot be read.
pub async fn snapshots_completed(
    aws: &Aws,
    event: SnapshotsCompleted,
    _context: &Context,
) -> Result<Input, Failure> {
    let queue = Queue { region: event.region.clone(), kind: Kind::Register };
    let in_flight = aws.ledger.queue(&queue, None).await?;
    Ok(Input { event, in_flight })
}
