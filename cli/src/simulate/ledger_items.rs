//! Somebody who deletes items of the ledger, one by one, as with the console of DynamoDB.

use afterimage_aws::ledger::Ledger;
use afterimage_aws::ledger::keys::Key;
use afterimage_cloud::Cloud;
use afterimage_core::ids::{InstanceId, Region};
use aws_sdk_dynamodb::Client;

use super::world::{Items, SEAT};
use crate::failure::chain;

/// Deletes items of the newest good point of a machine, or its summary. The item of a point is
/// deleted only if that `is_whole`: nobody has harmed its images. Returns the point, if its item
/// was deleted.
///
/// # Errors
/// The reason why nothing was deleted.
pub async fn delete(
    cloud: &Cloud,
    table: &str,
    (machine, items): (&str, Items),
    is_whole: impl Fn(&str) -> bool,
) -> Result<Option<String>, String> {
    let config = cloud.sdk_config(SEAT);
    let instance = InstanceId::parse(machine).map_err(|why| chain(&why))?;
    let ledger = Ledger::new(&config, table, "people");
    let summaries = ledger.summaries(std::slice::from_ref(&instance)).await;
    let summaries = summaries.map_err(|why| chain(&why))?;
    let summary = summaries.get(&instance).ok_or("it has no summary")?;
    let good = summary.good.values().max_by_key(|good| good.taken_at);
    let good = good.ok_or("it has no good point")?;
    let of_point = matches!(items, Items::Point | Items::PointAndReplicas);
    let deleted = of_point.then(|| good.point.to_string());
    if of_point && !is_whole(good.point.as_str()) {
        return Err("its images were harmed before".to_string());
    }
    let keys: Vec<Key> = match items {
        Items::Point => vec![Key::point(&good.point)],
        Items::PointAndReplicas => {
            let replicas = good.replicas.iter().map(|region| Key::replica(&good.point, region));
            replicas.chain([Key::point(&good.point)]).collect()
        }
        Items::Replica(region) => {
            let region = Region::parse(region).map_err(|why| chain(&why))?;
            vec![Key::replica(&good.point, &region)]
        }
        Items::Summary => vec![Key::machine(&instance)],
    };
    let client = Client::new(&config);
    for key in keys {
        let delete = client.delete_item().table_name(table).set_key(Some(key.item()));
        delete.send().await.map_err(|why| chain(&why))?;
    }
    Ok(deleted)
}
