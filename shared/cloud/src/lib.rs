//! The embedded cloud: EC2 images and snapshots, EventBridge, DynamoDB, KMS and Lambda in one
//! process, as their clients see them.
//!
//! A [`Cloud`] is a world of its own: a deterministic model of every account and region, a virtual
//! clock, and two doors. Door one ([`Cloud::sdk_config`]) plugs into the AWS SDK for Rust as its
//! HTTP client; door two is a port that speaks to every other client. Behind the HTTP request both
//! are the same code.

pub mod access;
pub mod agenda;
pub mod arn;
pub mod cloud;
pub mod config;
pub mod deploy;
pub mod dispatch;
pub mod door;
pub mod dynamodb;
pub mod ec2;
pub mod error;
pub mod eventbridge;
pub mod faults;
pub mod http;
pub mod iam;
pub mod ids;
pub mod json;
pub mod kms;
pub mod lambda;
pub mod md5;
pub mod model;
pub mod permit;
pub mod query;
pub mod regions;
pub mod sqs;
pub mod ssm;
pub mod sts;
pub mod throttle;
pub mod time;
pub mod trace;
pub mod xml;

pub use cloud::Cloud;
pub use config::Config;
pub use time::Time;
