//! The cloud as its callers see it, by requests that need no SDK. One binary for all of them, since
//! every further one costs a link.

mod common;
mod doors;
mod dynamodb;
mod eventbridge;
mod faults;
mod iam;
mod images;
mod instances;
mod json_calls;
mod kms;
mod knobs;
mod lambda;
mod launch_templates;
mod machine;
mod patterns;
mod raw;
mod recycle_bin;
mod schedules;
mod snapshots;
mod ssm_sts;
mod throttle;
