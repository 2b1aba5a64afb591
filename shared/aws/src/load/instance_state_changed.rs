//! Loads for an instance event: two reads of the ledger. Only a stop is of interest; for all other
//! states nothing is read.

use afterimage_core::flow::InstanceStateChanged;
use afterimage_core::flow::instance_state_changed::Input;
use afterimage_core::machine::State;
use afterimage_core::work::{Kind, Queue};

use crate::error::Failure;
use crate::{Aws, Context};

/// Reads the policies in force, and the records that may wait for the machine's stop.
///
/// # Errors
/// The ledger cannot be read.
pub async fn instance_state_changed(
    aws: &Aws,
    event: InstanceStateChanged,
    context: &Context,
) -> Result<Input, Failure> {
    let now = context.now;
    if event.state != State::Stopped {
        let (in_force, in_flight) = Default::default();
        return Ok(Input { now, event, in_force, in_flight });
    }
    let in_force = aws.ledger.in_force().await?;
    let queue = Queue { region: event.region.clone(), kind: Kind::Snapshot };
    let in_flight = aws.ledger.queue(&queue, None).await?;
    Ok(Input { now, event, in_force, in_flight })
}
