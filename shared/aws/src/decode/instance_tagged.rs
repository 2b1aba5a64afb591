//! Tag Change on Resource, of a machine: its id, which stands in the ARN only. What its tags are is
//! not read here: the event may be older than they are.

use afterimage_core::flow::InstanceTagged;
use afterimage_core::ids::InstanceId;
use serde::Deserialize;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, id_in, region, short};
use crate::environment::Environment;

const KIND: Kind = Kind { source: "aws.tag", detail_types: &["Tag Change on Resource"] };

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    service: String,
    resource_type: String,
}

/// # Errors
/// The event is of no use.
pub fn instance_tagged(
    event: &Value,
    environment: &Environment,
) -> Result<InstanceTagged, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let Detail { service, resource_type } = detail(&event)?;
    if (service.as_str(), resource_type.as_str()) != ("ec2", "instance") {
        let what = format!("it is about {} {}", short(&service), short(&resource_type));
        return Err(Unusable::not_ours(what));
    }
    let resources = event.resources.as_deref().unwrap_or_default();
    let [arn] = resources else {
        return Err(Unusable::impossible(format!("it is about {} resources", resources.len())));
    };
    Ok(InstanceTagged { region: region(&event)?, instance: InstanceId::parse(id_in(arn))? })
}
