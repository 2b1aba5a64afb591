//! `Tag Change on Resource` of an instance. Its id stands only in the ARN. The tags are not read
//! here, because those of the instance may be newer than the event.

use afterimage_core::flow::InstanceTagged;
use afterimage_core::ids::InstanceId;
use serde::Deserialize;
use serde_json::Value;

use super::{Kind, Unusable, detail, envelope, id_in, region, short};
use crate::environment::Environment;

/// The detail type of the event that rules take.
pub(super) const DETAIL_TYPE: &str = "Tag Change on Resource";

const KIND: Kind = Kind { source: "aws.tag", detail_types: &[DETAIL_TYPE] };

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    service: String,
    resource_type: String,
}

/// Decodes the event.
///
/// # Errors
/// The event cannot be used.
pub fn instance_tagged(
    event: &Value,
    environment: &Environment,
) -> Result<InstanceTagged, Unusable> {
    let event = envelope(event, &KIND, environment)?;
    let Detail { service, resource_type } = detail(&event)?;
    if (service.as_str(), resource_type.as_str()) != ("ec2", "instance") {
        let resource = format!("resource is {} {}", short(&service), short(&resource_type));
        return Err(Unusable::not_ours(resource));
    }
    let resources = event.resources.as_deref().unwrap_or_default();
    let [arn] = resources else {
        return Err(Unusable::impossible(format!("{} resources instead of one", resources.len())));
    };
    Ok(InstanceTagged { region: region(&event)?, instance: InstanceId::parse(id_in(arn))? })
}
