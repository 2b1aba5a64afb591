//! Loads for a tag event: the machine as it is now, and the ledger's records of its request.

use afterimage_core::flow::instance_tagged::Input;
use afterimage_core::flow::{InstanceTagged, on_demand};

use crate::ec2::Find;
use crate::error::Failure;
use crate::{Aws, Context};

/// Reads the machine, the policies in force, and the request counter of its request.
///
/// # Errors
/// The ledger or EC2 cannot be read.
pub async fn instance_tagged(
    aws: &Aws,
    event: InstanceTagged,
    context: &Context,
) -> Result<Input, Failure> {
    let in_force = aws.ledger.in_force().await?;
    let id = [event.instance.clone()];
    let instance = aws.ec2.instances(&event.region, Find::Ids(&id)).await?.pop();
    let named = instance.as_ref().and_then(on_demand::record_of);
    let counters = aws.ledger.request_counters(named.as_slice()).await?;
    Ok(Input { now: context.now, event, in_force, instance, counters })
}
