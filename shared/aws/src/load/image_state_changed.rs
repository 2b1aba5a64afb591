//! Loads for an image event: one read of the index, which has the record of each image in flight;
//! and, of an image that is gone or disabled, the records that call it good.

use afterimage_core::flow::ImageStateChanged;
use afterimage_core::flow::image_state_changed::Input;
use afterimage_core::observed::ImageState;
use afterimage_core::work::{Kind, Queue};

use crate::error::Failure;
use crate::{Aws, Context};

/// Reads the images and replicas in flight in the region, and who calls the image good.
///
/// # Errors
/// The ledger cannot be read.
pub async fn image_state_changed(
    aws: &Aws,
    event: ImageStateChanged,
    context: &Context,
) -> Result<Input, Failure> {
    let queue = Queue { region: event.region.clone(), kind: Kind::Confirm };
    let in_flight = aws.ledger.queue(&queue, None).await?;
    let is_bad = matches!(event.state, ImageState::Deregistered | ImageState::Disabled);
    let held = match is_bad {
        true => aws.ledger.holders(&event.region, &event.image).await?,
        false => Vec::new(),
    };
    let suspects = aws.ledger.held_records(&held).await?;
    Ok(Input { now: context.now, event, in_flight, suspects })
}
