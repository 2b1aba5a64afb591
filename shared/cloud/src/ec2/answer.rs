//! Every operation of EC2, by its name.

use super::launch_templates as templates;
use super::{
    furniture, groups, images, instances, key_pairs, network, recycle_bin, snapshots, tags,
    throttle, types, volumes,
};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// Answers a call: what goes between `<requestId>` and the end of the response.
pub fn answer(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    throttle::admit(model, call, fields)?;
    match call.action.as_str() {
        "AttachVolume" => volumes::attach::attach(model, call, fields),
        "AuthorizeSecurityGroupEgress" => groups::authorize(model, call, fields, true),
        "AuthorizeSecurityGroupIngress" => groups::authorize(model, call, fields, false),
        "CreateSecurityGroup" => groups::create(model, call, fields),
        "CreateVolume" => volumes::create::create(model, call, fields),
        "DeleteSecurityGroup" => groups::delete(model, call, fields),
        "DeleteVolume" => volumes::delete(model, call, fields),
        "DescribeAddresses" => network::describe_addresses(model, call, fields),
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
        "CreateSnapshot" => snapshots::create::one(model, call, fields),
        "CreateSnapshots" => snapshots::create::set(model, call, fields),
        "CopySnapshot" => snapshots::copy::copy(model, call, fields),
        "DeleteSnapshot" => snapshots::delete::delete(model, call, fields),
        "DescribeSnapshots" => snapshots::describe::describe(model, call, fields),
        "DescribeSnapshotAttribute" => snapshots::attributes::describe(model, call, fields),
        "ModifySnapshotAttribute" => snapshots::attributes::modify(model, call, fields),
        "ResetSnapshotAttribute" => snapshots::attributes::reset(model, call, fields),
        "LockSnapshot" => snapshots::lock::lock(model, call, fields),
        "UnlockSnapshot" => snapshots::lock::unlock(model, call, fields),
        "DescribeLockedSnapshots" => snapshots::lock::describe(model, call, fields),
        "CreateImage" => images::create::create(model, call, fields),
        "RegisterImage" => images::register::register(model, call, fields),
        "CopyImage" => images::copy::copy(model, call, fields),
        "DeregisterImage" => images::deregister::deregister(model, call, fields),
        "DescribeImages" => images::describe::describe(model, call, fields),
        "DescribeImageAttribute" => images::attributes::read_one(model, call, fields),
        "ModifyImageAttribute" => images::attributes::modify(model, call, fields),
        "ResetImageAttribute" => images::attributes::reset(model, call, fields),
        "DisableImage" => images::lifecycle::disable(model, call, fields),
        "EnableImage" => images::lifecycle::enable(model, call, fields),
        "EnableImageDeprecation" => images::lifecycle::deprecate(model, call, fields),
        "DisableImageDeprecation" => images::lifecycle::undeprecate(model, call, fields),
        "EnableImageDeregistrationProtection" => images::lifecycle::protect(model, call, fields),
        "DisableImageDeregistrationProtection" => images::lifecycle::unprotect(model, call, fields),
        "DescribeImageReferences" => images::references::describe(model, call, fields),
        _ => answer_of_launching(model, call, fields),
    }
}

/// Answers the calls about what machines are launched with.
fn answer_of_launching(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    match call.action.as_str() {
        "CreateLaunchTemplate" => templates::create::create(model, call, fields),
        "CreateLaunchTemplateVersion" => templates::versions::create(model, call, fields),
        "DeleteLaunchTemplate" => templates::create::delete(model, call, fields),
        "DeleteLaunchTemplateVersions" => templates::versions::delete(model, call, fields),
        "DescribeLaunchTemplates" => templates::describe::templates(model, call, fields),
        "DescribeLaunchTemplateVersions" => templates::describe::versions(model, call, fields),
        "ModifyLaunchTemplate" => templates::create::modify(model, call, fields),
        "CreateKeyPair" | "ImportKeyPair" => key_pairs::create(model, call, fields),
        "DeleteKeyPair" => key_pairs::delete(model, call, fields),
        "DescribeKeyPairs" => key_pairs::describe(model, call, fields),
        _ => answer_of_bin(model, call, fields),
    }
}

/// Answers the calls about the Recycle Bin.
fn answer_of_bin(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    match call.action.as_str() {
        "ListImagesInRecycleBin" => recycle_bin::list_images(model, call, fields),
        "ListSnapshotsInRecycleBin" => recycle_bin::list_snapshots(model, call, fields),
        "RestoreImageFromRecycleBin" => recycle_bin::restore_image(model, call, fields),
        "RestoreSnapshotFromRecycleBin" => recycle_bin::restore_snapshot(model, call, fields),
        _ => Err(unknown_action(call)),
    }
}

fn unknown_action(call: &Call) -> ApiError {
    let action = &call.action;
    let text = format!("ec2:{action} is not modelled here, or no action of this service");
    ApiError::bad("InvalidAction", text)
}
