//! Loads for an image event: one read of the index, which has the record of each image in flight.

use afterimage_core::flow::ImageStateChanged;
use afterimage_core::flow::image_state_changed::Input;
use afterimage_core::work::{Kind, Queue};

use crate::error::Failure;
use crate::{Aws, Context};

/// Reads the images and replicas in flight in the region.
///
/// # Errors
/// The ledger cannot be read.
pub async fn image_state_changed(
    aws: &Aws,
    event: ImageStateChanged,
    _context: &Context,
) -> Result<Input, Failure> {
    let queue = Queue { region: event.region.clone(), kind: Kind::Confirm };
    let in_flight = aws.ledger.queue(&queue, None).await?;
    Ok(Input { event, in_flight })
}
