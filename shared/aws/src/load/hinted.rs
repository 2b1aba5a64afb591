//! Loads for the machines that events told of: all of them are described at once.

use afterimage_core::flow::waiting;
use afterimage_core::flow::work_requested::{Input, hinted};
use afterimage_core::hint::Hint;
use afterimage_core::ids::InstanceId;
use afterimage_core::work::Queue;
use afterimage_core::worker::Loaded;

use crate::Aws;
use crate::ec2::Find;
use crate::error::Failure;

/// Reads the policies in force, the machines, their summaries, and the points that wait for them.
///
/// # Errors
/// The ledger or EC2 cannot be read.
pub async fn hinted(aws: &Aws, queue: &Queue, hints: Vec<Hint>) -> Result<Loaded, Failure> {
    let now = aws.clock.now();
    let in_force = aws.ledger.in_force().await?;
    let ids: Vec<InstanceId> = hints.iter().map(|hint| hint.instance.clone()).collect();
    let machines = aws.ec2.instances(&queue.region, Find::Ids(&ids)).await?;
    let machines = machines.into_iter().map(|instance| (instance.id.clone(), instance)).collect();
    let summaries = aws.ledger.summaries(&ids).await?;
    let mut nominated = waiting::of_queue(&aws.ledger.queue(queue, None).await?);
    nominated.retain(|record| ids.contains(record.point.instance()));
    let (waiting, _) = aws.ledger.records(&nominated, queue).await?;
    let input = hinted::Input { now, hints, in_force, machines, summaries, waiting };
    Ok(Loaded { input: Input::Hinted(Box::new(input)), put_off: None })
}
