//! Auto Scaling, as far as there is none: programs that clean up images ask which of them a group
//! or a launch configuration still uses.

use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

pub fn answer(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    match call.action.as_str() {
        "DescribeAutoScalingGroups" => {
            let also = ["IncludeInstances"];
            none(model, call, fields, "AutoScalingGroupNames", &also, "AutoScalingGroups")
        }
        "DescribeLaunchConfigurations" => {
            none(model, call, fields, "LaunchConfigurationNames", &[], "LaunchConfigurations")
        }
        _ => Err(call.unknown_operation()),
    }
}

/// Answers with an empty list, whatever names and filters are asked for. As at AWS, a name that
/// does not exist is no error.
fn none(
    model: &mut Model,
    call: &Call,
    fields: &Fields,
    names: &str,
    also: &[&str],
    list: &str,
) -> Result<Xml, ApiError> {
    fields.list(&format!("{names}.member"));
    fields.integer("MaxRecords")?;
    for name in ["NextToken"].iter().chain(also) {
        fields.text(name);
    }
    for filter in fields.groups("Filters.member") {
        filter.text("Name");
        filter.list("Values.member");
    }
    fields.finish()?;
    model.permit(call, &[Want::anywhere(&format!("autoscaling:{}", call.action))])?;
    let mut xml = Xml::new();
    xml.node(list, |_| {});
    Ok(xml)
}
