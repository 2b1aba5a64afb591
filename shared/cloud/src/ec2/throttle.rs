//! The token buckets that EC2 throttles with.
//!
//! Each account, region and action has a bucket. Four actions have a second one that is emptied by
//! the instances they touch. Some describes have a smaller bucket of their own for calls that ask
//! for everything at once. All figures are those of "Request throttling for the Amazon EC2 API" in
//! the EC2 developer guide. The separate bucket of the EC2 console is not modelled: nothing in a
//! request tells it apart.

use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::throttle::{Kind, Rate, rate};
use crate::model::Model;

/// Describe, List, Search and Get actions that are not named below.
const READS: Rate = rate(100, 20_000);

/// Actions that change something and are not named below.
const WRITES: Rate = rate(50, 5_000);

/// The actions of [`SWEEPING`], asked for everything at once: AWS makes the costly way the scarce.
const SWEEPS: Rate = rate(50, 10_000);

/// DescribeImages is not among them, however much it may return.
const SWEEPING: [&str; 7] = [
    "DescribeInstanceStatus",
    "DescribeInstances",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSpotInstanceRequests",
    "DescribeVolumes",
];

/// "Uncategorized" actions: those with figures of their own, as far as they have to do with
/// instances, volumes, snapshots, images, launch templates or tags.
const OWN: [(&str, Rate); 35] = [
    ("AssociateIamInstanceProfile", rate(100, 5_000)),
    // The lowest refill of all that a backup needs: copies beyond a hundred go out one a second.
    ("CopyImage", rate(100, 1_000)),
    ("CreateLaunchTemplateVersion", rate(100, 5_000)),
    ("CreateNetworkInterface", rate(100, 5_000)),
    ("CreateRestoreImageTask", rate(50, 100)),
    ("CreateSnapshot", rate(100, 5_000)),
    ("CreateSnapshots", rate(100, 5_000)),
    ("CreateStoreImageTask", rate(50, 100)),
    ("CreateTags", rate(100, 10_000)),
    ("CreateVolume", rate(100, 5_000)),
    ("DeleteNetworkInterface", rate(100, 5_000)),
    ("DeleteSnapshot", rate(100, 5_000)),
    ("DeleteTags", rate(100, 10_000)),
    ("DeleteVolume", rate(100, 5_000)),
    ("DeregisterImage", rate(100, 5_000)),
    ("DescribeInstanceTopology", rate(1, 1_000)),
    ("DescribeSecurityGroupReferences", rate(20, 5_000)),
    ("DescribeStoreImageTasks", rate(50, 500)),
    ("DisableFastLaunch", rate(5, 2_000)),
    ("DisableImageBlockPublicAccess", rate(1, 100)),
    ("DisableSnapshotBlockPublicAccess", rate(1, 100)),
    ("DisassociateIamInstanceProfile", rate(100, 5_000)),
    ("EnableFastLaunch", rate(5, 2_000)),
    ("EnableImageBlockPublicAccess", rate(1, 100)),
    ("EnableSnapshotBlockPublicAccess", rate(1, 100)),
    ("ModifyImageAttribute", rate(100, 5_000)),
    ("ModifyInstanceMetadataDefaults", rate(2, 2_000)),
    ("ModifyInstanceMetadataOptions", rate(100, 5_000)),
    ("ModifyLaunchTemplate", rate(100, 5_000)),
    ("ModifyNetworkInterfaceAttribute", rate(100, 5_000)),
    ("ModifySnapshotAttribute", rate(100, 5_000)),
    // Starting machines is what costs AWS most, so these two have the smallest burst.
    ("RunInstances", rate(5, 2_000)),
    ("StartInstances", rate(5, 2_000)),
    ("TerminateInstances", rate(100, 5_000)),
    ("UnassignPrivateIpAddresses", rate(100, 5_000)),
];

/// The second bucket, emptied by the instances that a call touches.
const INSTANCES: [(&str, Rate); 4] = [
    ("RunInstances", rate(1000, 2_000)),
    ("StartInstances", rate(1000, 2_000)),
    ("StopInstances", rate(1000, 20_000)),
    ("TerminateInstances", rate(1000, 20_000)),
];

const READING: [&str; 4] = ["Describe", "Get", "List", "Search"];

/// How the names of actions that change something begin. An action that begins otherwise is not
/// one of EC2, and has no bucket.
const WRITING: [&str; 34] = [
    "Accept",
    "Allocate",
    "Assign",
    "Associate",
    "Attach",
    "Authorize",
    "Cancel",
    "Confirm",
    "Copy",
    "Create",
    "Delete",
    "Deregister",
    "Detach",
    "Disable",
    "Disassociate",
    "Enable",
    "Import",
    "Lock",
    "Modify",
    "Monitor",
    "Purchase",
    "Reboot",
    "Register",
    "Release",
    "Replace",
    "Request",
    "Reset",
    "Restore",
    "Revoke",
    "Run",
    "Start",
    "Stop",
    "Terminate",
    "Un",
];

/// Takes the tokens of a call, or refuses it.
pub fn admit(model: &mut Model, call: &Call, fields: &Fields) -> Result<(), ApiError> {
    let ids_narrow = model.config.quirks.ids_count_as_filter;
    if SWEEPING.contains(&call.action.as_str()) && !is_narrowed(fields, ids_narrow) {
        model.spend(call, Kind::Sweep, 1, SWEEPS)?;
    } else if let Some(rate) = request_rate(&call.action) {
        model.spend(call, Kind::Request, 1, rate)?;
    }
    match find(&INSTANCES, &call.action) {
        // A dry run touches no instance.
        Some(rate) if !call.dry_run => {
            model.spend(call, Kind::Instance, instances(&call.action, fields), rate)
        }
        _ => Ok(()),
    }
}

fn request_rate(action: &str) -> Option<Rate> {
    let begins = |verbs: &[&str]| verbs.iter().any(|verb| action.starts_with(verb));
    match find(&OWN, action) {
        Some(rate) => Some(rate),
        None if begins(&READING) => Some(READS),
        None if begins(&WRITING) => Some(WRITES),
        None => None,
    }
}

fn find(table: &[(&str, Rate)], action: &str) -> Option<Rate> {
    table.iter().find(|(name, _)| *name == action).map(|(_, rate)| *rate)
}

/// Whether a describe asks for less than everything at once. It looks past [`Fields::text`], which
/// would mark the parameters as read before the operation has seen them.
fn is_narrowed(fields: &Fields, ids_narrow: bool) -> bool {
    fields.iter().any(|(name, value)| {
        let narrows = match name.split_once('.') {
            None => name == "MaxResults" || name == "NextToken",
            Some(("Filter", _)) => true,
            Some((list, _)) => ids_narrow && (list.ends_with("Id") || list == "GroupName"),
        };
        narrows && !value.is_empty()
    })
}

/// How many instances a call touches, as far as can be told before it is carried out.
fn instances(action: &str, fields: &Fields) -> u64 {
    if action == "RunInstances" {
        let wanted = fields.iter().find(|(name, _)| *name == "MaxCount");
        return wanted.and_then(|(_, count)| count.parse().ok()).unwrap_or(1);
    }
    let named = fields.iter().filter(|(name, _)| name.starts_with("InstanceId."));
    u64::try_from(named.count()).unwrap_or(u64::MAX)
}
