//! Loads for an instance event. Only a stop is of interest; for all other states nothing is read.

use afterimage_core::flow::instance_state_changed::Input;
use afterimage_core::flow::{InstanceStateChanged, waiting};
use afterimage_core::machine::State;
use afterimage_core::work::{Kind, Queue};

use crate::ec2::Find;
use crate::error::Failure;
use crate::{Aws, Context};

/// Reads the machine, the policies in force, and the points that wait for its stop.
///
/// # Errors
/// The ledger or EC2 cannot be read.
pub async fn instance_state_changed(
    aws: &Aws,
    event: InstanceStateChanged,
    context: &Context,
) -> Result<Input, Failure> {
    let now = context.now;
    if event.state != State::Stopped {
        let in_force = Default::default();
        let (instance, summary, waiting) = Default::default();
        return Ok(Input { now, event, in_force, instance, summary, waiting });
    }
    let in_force = aws.ledger.in_force().await?;
    let id = [event.instance.clone()];
    let instance = aws.ec2.instances(&event.region, Find::Ids(&id)).await?.pop();
    let summary = aws.ledger.summaries(&id).await?.remove(&event.instance);
    let queue = Queue { region: event.region.clone(), kind: Kind::Snapshot };
    let mut nominated = waiting::of_queue(&aws.ledger.queue(&queue, None).await?);
    nominated.retain(|record| *record.point.instance() == event.instance);
    let (waiting, _) = aws.ledger.records(&nominated, &queue).await?;
    Ok(Input { now, event, in_force, instance, summary, waiting })
}
