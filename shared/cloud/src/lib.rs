//! The embedded cloud: EC2 images and snapshots, EventBridge, DynamoDB, KMS and Lambda in one
//! process, as their clients see them.
//!
//! A [`Cloud`] is a world of its own: a deterministic model of every account and region, a virtual
//! clock, and two doors. Door one ([`Cloud::sdk_config`]) plugs into the AWS SDK for Rust as its
//! HTTP client; door two is a port that speaks to every other client. Behind the HTTP request both
//! are the same code.
//!
//! # Map
//! From the bottom up; a module imports only what stands above it in this list.
//!
//! - [`kernel`]: what every service needs, and no service: time, ids, wire formats, errors, IAM,
//!   faults, throttles, knobs.
//! - `state` of each service: what it remembers in an account and region, as plain data.
//! - [`model`]: the state of all services, the clock, the trace, the agenda of deeds that are due.
//! - [`ec2`], [`eventbridge`], [`dynamodb`], [`kms`], [`ssm`], [`sqs`], [`sts`], [`lambda`]: what
//!   the services do. `answer` lists the operations of one, its other files carry them out.
//! - [`services`]: a row for each service: name, protocol, refusals, the function that answers.
//! - [`dispatch`]: the way of every call: who calls, faults, the operation, the trace, the answer.
//! - [`cloud`]: the world around the model, its clock and its tasks.
//! - [`runtime`]: runs functions, in process or as real programs.
//! - [`door`]: the two ways into a world.
//! - [`deploy`]: deploys a template by the calls of the services.
//!
//! Services call each other only where they do so at AWS: `ec2` asks `kms` for keys and `ssm` for
//! images; `ec2` and `ssm` send events to `eventbridge`; `eventbridge` delivers to `sqs` and
//! `lambda`; `lambda` sends to `sqs`; `dynamodb` asks `kms`; `ssm` looks images up in `ec2`. So
//! `ec2` and `ssm` need each other, as at AWS: a launch may name a parameter, and a parameter may
//! name an image. No file of one imports a file of the other that leads back to it.
//!
//! One circle of imports is left: `lambda/environment.rs` takes its invocations from
//! `lambda/queue.rs`, and a try that failed there goes back into the queue, which tries again.
//!
//! # A new service
//! A new service needs a folder with an `answer` and, if it remembers anything, a `state` that is a
//! field of [`model::Model`]; a row in [`services`]; and an entry in `docs/cloud.md`.

pub mod autoscaling;
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
pub mod runtime;
pub mod services;
pub mod sqs;
pub mod ssm;
pub mod sts;

pub use cloud::Cloud;
pub use kernel::config::Config;
pub use kernel::time::Time;
pub use kernel::{access, config, error, faults, http, iam, query, regions, time, trace};
