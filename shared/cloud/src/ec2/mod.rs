//! EC2: instances, volumes, snapshots and images, with the state machines, errors, quotas and
//! events that they have at AWS.

pub mod catalogue;
pub mod filter;
pub mod furniture;
pub mod groups;
pub mod instances;
pub mod lookup;
pub mod network;
pub mod page;
pub mod state;
pub mod tags;
pub mod tokens;
pub mod types;
pub mod volumes;

pub use state::Region;

use crate::access::Call;
use crate::error::{ApiError, Kind};
use crate::model::{Model, Scope};
use crate::query::Fields;
use crate::xml::Xml;

/// What EC2 has on the agenda.
#[derive(Clone, Debug)]
pub enum Step {
    Instance(instances::Step),
    Volume(volumes::Step),
}

/// Lets a planned step happen.
pub fn happen(model: &mut Model, scope: &Scope, step: Step) {
    match step {
        Step::Instance(step) => instances::happen(model, scope, step),
        Step::Volume(step) => volumes::happen(model, scope, step),
    }
}

/// Answers a call: what goes between `<requestId>` and the end of the response.
pub fn answer(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    match call.action.as_str() {
        "AttachVolume" => volumes::attach::attach(model, call, fields),
        "AuthorizeSecurityGroupEgress" => groups::authorize(model, call, fields, true),
        "AuthorizeSecurityGroupIngress" => groups::authorize(model, call, fields, false),
        "CreateSecurityGroup" => groups::create(model, call, fields),
        "CreateVolume" => volumes::create::create(model, call, fields),
        "DeleteSecurityGroup" => groups::delete(model, call, fields),
        "DeleteVolume" => volumes::delete(model, call, fields),
        "DescribeAvailabilityZones" => furniture::describe_zones(model, call, fields),
        "DescribeInstanceAttribute" => instances::attributes::describe(model, call, fields),
        "DescribeInstanceStatus" => instances::status::describe(model, call, fields),
        "DescribeInstanceTypes" => types::describe(model, call, fields),
        "DescribeInstances" => instances::describe::describe(model, call, fields),
        "DescribeRegions" => furniture::describe_regions(model, call, fields),
        "DescribeSecurityGroups" => groups::describe(model, call, fields),
        "DescribeSubnets" => network::describe_subnets(model, call, fields),
        "DescribeVolumes" => volumes::describe::describe(model, call, fields),
        "DescribeVpcs" => network::describe_vpcs(model, call, fields),
        "DetachVolume" => volumes::attach::detach(model, call, fields),
        "GetConsoleOutput" => instances::status::console_output(model, call, fields),
        "GetInstanceUefiData" => instances::status::uefi_data(model, call, fields),
        "ModifyInstanceAttribute" => instances::attributes::modify(model, call, fields),
        "RebootInstances" => instances::lifecycle::reboot(model, call, fields),
        "RevokeSecurityGroupEgress" => groups::revoke(model, call, fields, true),
        "RevokeSecurityGroupIngress" => groups::revoke(model, call, fields, false),
        "RunInstances" => instances::run::run(model, call, fields),
        "StartInstances" => instances::lifecycle::start(model, call, fields),
        "StopInstances" => instances::lifecycle::stop(model, call, fields),
        "TerminateInstances" => instances::lifecycle::terminate(model, call, fields),
        "CreateTags" => tags::create(model, call, fields),
        "DeleteTags" => tags::delete(model, call, fields),
        "DescribeTags" => tags::describe(model, call, fields),
        other => Err(ApiError::bad(
            "InvalidAction",
            format!("The action {other} is not valid for this web service (or not modelled here)"),
        )),
    }
}

/// `<return>true</return>`, the answer of calls that have nothing to say.
pub fn done() -> Xml {
    let mut xml = Xml::new();
    xml.flag("return", true);
    xml
}

/// The ARN of a resource; images and snapshots carry no account in theirs.
pub fn arn(scope: &Scope, kind: Kind, id: &str) -> String {
    let account = match kind {
        Kind::Image | Kind::Snapshot => "",
        _ => &scope.account,
    };
    format!("arn:aws:ec2:{}:{account}:{}/{id}", scope.region, kind.resource_type())
}

/// Checks the shape of an id before it is looked up.
pub fn well_formed<'a>(kind: Kind, id: &'a str) -> Result<&'a str, ApiError> {
    if kind.is_well_formed(id) { Ok(id) } else { Err(ApiError::malformed(kind, id)) }
}
