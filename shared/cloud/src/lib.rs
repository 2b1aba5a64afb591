//! The embedded cloud: EC2 images and snapshots, EventBridge, DynamoDB, KMS and Lambda in one
//! process, as their clients see them.
//!
//! A [`Cloud`] is a world of its own: a deterministic model of every account and region, a virtual
//! clock, and two doors. Door one ([`Cloud::sdk_config`]) plugs into the AWS SDK for Rust as its
//! HTTP client; door two is a port that speaks to every other client. Behind the HTTP request both
//! are the same code.

pub mod cloud;
pub mod deploy;
pub mod dispatch;
pub mod door;
pub mod dynamodb;
pub mod ec2;
pub mod eventbridge;
pub mod kernel;
pub mod kms;
pub mod lambda;
pub mod model;
pub mod services;
pub mod sqs;
pub mod ssm;
pub mod sts;

pub use cloud::Cloud;
pub use kernel::config::Config;
pub use kernel::time::Time;
pub use kernel::{access, config, error, faults, http, iam, query, regions, time, trace};
