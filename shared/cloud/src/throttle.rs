//! The token buckets that EC2 and EventBridge throttle with.
//!
//! EC2 has a bucket for each account, region and action. It is full at first; a call takes a token,
//! each second of the clock puts some back, and what would overflow is lost. Four actions have a
//! second bucket that is emptied by the instances they touch. Some describes have a smaller bucket
//! of their own for calls that ask for everything at once. All figures are those of "Request
//! throttling for the Amazon EC2 API" in the EC2 developer guide, and those of PutEvents come from
//! the table of EventBridge quotas, which counts requests, not their entries.
//!
//! Not modelled: the separate bucket of the EC2 console, which nothing in a request tells apart;
//! the 50 requests a second of all other EventBridge calls; and the limits of DynamoDB, KMS, SSM,
//! SQS and STS, which no modest caller meets (a fault rule can throttle them all the same).

use std::collections::BTreeMap;

use crate::access::Call;
use crate::error::ApiError;
use crate::model::{Model, Scope};
use crate::query::Fields;
use crate::time::Time;

/// The buckets of every account, region and action.
#[derive(Debug, Default)]
pub struct Throttle {
    buckets: BTreeMap<Scope, BTreeMap<(String, Kind), Bucket>>,
}

/// What a token of a bucket stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Request,
    /// A request without filter, ids and page size.
    Sweep,
    /// An instance that a request touches.
    Instance,
}

/// How much a bucket holds, in tokens, and what a second puts back, in thousandths of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    max: u64,
    refill: u64,
}

const fn rate(max: u64, refill_thousandths: u64) -> Rate {
    Rate { max, refill: refill_thousandths }
}

const THOUSAND: u64 = 1000;

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

/// PutEvents requests per second, where they are not [`PUT_EVENTS_ELSEWHERE`].
const PUT_EVENTS: [(&str, u64); 17] = [
    ("ap-east-1", 600),
    ("ap-northeast-1", 1_200),
    ("ap-northeast-2", 600),
    ("ap-south-1", 600),
    ("ap-southeast-1", 1_200),
    ("ap-southeast-2", 1_200),
    ("ca-central-1", 600),
    ("eu-central-1", 2_400),
    ("eu-north-1", 600),
    ("eu-south-2", 2_400),
    ("eu-west-1", 10_000),
    ("eu-west-2", 1_200),
    ("eu-west-3", 600),
    ("sa-east-1", 600),
    ("us-east-1", 10_000),
    ("us-east-2", 2_400),
    ("us-west-2", 10_000),
];

const PUT_EVENTS_ELSEWHERE: u64 = 400;

/// More actions than EC2 has: whoever calls more of them made their names up, and must not fill
/// the memory with their buckets.
const ACTIONS_MAX: usize = 2_000;

/// What a bucket holds, in thousandths of a token, as of a second of the clock.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u64,
    second: u64,
}

impl Bucket {
    /// Fills up to the present second and takes so many tokens, if they are there.
    fn take(&mut self, tokens: u64, rate: Rate, now: Time) -> bool {
        let seconds = now.secs().saturating_sub(self.second);
        let refill = rate.refill.saturating_mul(seconds);
        self.level = self.level.saturating_add(refill).min(rate.max.saturating_mul(THOUSAND));
        self.second = now.secs();
        let Some(rest) = self.level.checked_sub(tokens.saturating_mul(THOUSAND)) else {
            return false;
        };
        self.level = rest;
        true
    }
}

impl Throttle {
    fn take(&mut self, call: &Call, kind: Kind, tokens: u64, rate: Rate, now: Time) -> bool {
        let buckets = self.buckets.entry(call.scope.clone()).or_default();
        let key = (call.action.clone(), kind);
        if buckets.len() >= ACTIONS_MAX && !buckets.contains_key(&key) {
            return true;
        }
        let full = Bucket { level: rate.max.saturating_mul(THOUSAND), second: now.secs() };
        buckets.entry(key).or_insert(full).take(tokens, rate, now)
    }
}

impl Model {
    /// Takes the tokens of a call, or refuses it.
    pub fn admit(&mut self, call: &Call, form: Option<&Fields>) -> Result<(), ApiError> {
        if !self.config.limits.throttles {
            return Ok(());
        }
        match (call.service, form) {
            ("ec2", Some(fields)) => self.admit_ec2(call, fields),
            ("events", _) if call.action == "PutEvents" => {
                let per_second = self.config.limits.put_events_per_second;
                let rate = put_events_rate(&call.scope.region, per_second);
                self.spend(call, Kind::Request, 1, rate)
            }
            _ => Ok(()),
        }
    }

    fn admit_ec2(&mut self, call: &Call, fields: &Fields) -> Result<(), ApiError> {
        let ids_narrow = self.config.quirks.ids_count_as_filter;
        if SWEEPING.contains(&call.action.as_str()) && !is_narrowed(fields, ids_narrow) {
            self.spend(call, Kind::Sweep, 1, SWEEPS)?;
        } else if let Some(rate) = request_rate(&call.action) {
            self.spend(call, Kind::Request, 1, rate)?;
        }
        match find(&INSTANCES, &call.action) {
            // A dry run touches no instance.
            Some(rate) if !call.dry_run => {
                self.spend(call, Kind::Instance, instances(&call.action, fields), rate)
            }
            _ => Ok(()),
        }
    }

    fn spend(&mut self, call: &Call, kind: Kind, tokens: u64, rate: Rate) -> Result<(), ApiError> {
        let left = 100_u64.saturating_sub(self.config.limits.other_users_take.into());
        let rate = Rate { max: rate.max, refill: rate.refill * left / 100 };
        let taken = self.throttle.take(call, kind, tokens, rate, self.now);
        if taken { Ok(()) } else { Err(refusal(call.service)) }
    }
}

/// How a service says that there were too many calls.
pub fn refusal(service: &str) -> ApiError {
    match service {
        "ec2" => ApiError::new(503, "RequestLimitExceeded", "Request limit exceeded."),
        "sts" => ApiError::bad("Throttling", "Rate exceeded"),
        "dynamodb" => ApiError::bad(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded.",
        ),
        _ => ApiError::bad("ThrottlingException", "Rate exceeded"),
    }
}

fn put_events_rate(region: &str, knob: Option<u32>) -> Rate {
    let published = PUT_EVENTS.into_iter().find(|(name, _)| *name == region);
    let published = published.map_or(PUT_EVENTS_ELSEWHERE, |(_, per_second)| per_second);
    let per_second = knob.map_or(published, u64::from);
    rate(per_second, per_second * THOUSAND)
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
