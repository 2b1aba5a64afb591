//! One read of the index, which says what each image in flight is.

use afterimage_core::flow::ImageStateChanged;
use afterimage_core::flow::image_state_changed::Input;
use afterimage_core::work::{Kind, Queue};

use crate::error::Failure;
use crate::{Aws, Context};

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
