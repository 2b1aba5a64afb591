//! Loads for the machines that events told of: all of them are described at once.

use std::collections::BTreeSet;

use afterimage_core::flow::on_demand;
use afterimage_core::flow::waiting;
use afterimage_core::flow::work_requested::{Input, hinted};
use afterimage_core::hint::{Hint, Hinted};
use afterimage_core::ids::InstanceId;
use afterimage_core::point::Point;
use afterimage_core::work::Queue;
use afterimage_core::worker::Loaded;

use crate::Aws;
use crate::ec2::Find;
use crate::error::Failure;

/// Reads the policies in force and the machines; of those that may have stopped, also the summaries
/// and the points that wait for them; of those that carry a request, its counter.
///
/// # Errors
/// The ledger or EC2 cannot be read.
pub async fn hinted(aws: &Aws, queue: &Queue, hints: Vec<Hint>) -> Result<Loaded, Failure> {
    let now = aws.clock.now();
    let in_force = aws.ledger.in_force().await?;
    let of = |kind: Hinted| {
        let of_kind = hints.iter().filter(move |hint| hint.hinted == kind);
        of_kind.map(|hint| hint.instance.clone()).collect::<BTreeSet<InstanceId>>()
    };
    let (stopped, tagged) = (of(Hinted::Stopped), of(Hinted::Tagged));
    let ids: Vec<InstanceId> = stopped.union(&tagged).cloned().collect();
    let machines = aws.ec2.instances(&queue.region, Find::Ids(&ids)).await?;
    let asking = machines.iter().filter(|instance| tagged.contains(&instance.id));
    let named: Vec<_> = asking.filter_map(on_demand::record_of).collect();
    let counters = aws.ledger.counters_to_raise(&named).await?;
    let machines = machines.into_iter().map(|instance| (instance.id.clone(), instance)).collect();
    let ids: Vec<InstanceId> = stopped.iter().cloned().collect();
    let summaries = aws.ledger.summaries(&ids).await?;
    let waiting = match stopped.is_empty() {
        true => Vec::new(),
        false => waiting_for(aws, queue, &stopped).await?,
    };
    let input = hinted::Input { now, hints, in_force, machines, summaries, waiting, counters };
    Ok(Loaded { input: Input::Hinted(Box::new(input)), put_off: None })
}

/// Reads the points that wait for one of these machines to stop.
async fn waiting_for(
    aws: &Aws,
    queue: &Queue,
    stopped: &BTreeSet<InstanceId>,
) -> Result<Vec<Point>, Failure> {
    let mut nominated = waiting::of_queue(&aws.ledger.queue(queue, None).await?);
    nominated.retain(|record| stopped.contains(record.point.instance()));
    let (points, _) = aws.ledger.records(&nominated, queue).await?;
    Ok(points)
}
