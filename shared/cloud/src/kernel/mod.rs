//! The kernel: what every service needs and none of them owns.
//!
//! Time, names, wire formats, errors, IAM, faults and the knobs. Nothing here knows a service or
//! the model, so any of it can be read, and used, by itself. No file of it imports one that imports
//! it back.

pub mod access;
pub mod agenda;
pub mod arn;
pub mod config;
pub mod error;
pub mod faults;
pub mod glob;
pub mod hash;
pub mod http;
pub mod iam;
pub mod ids;
pub mod json;
pub mod page;
pub mod permit;
pub mod query;
pub mod regions;
pub mod scope;
pub mod service;
pub mod throttle;
pub mod time;
pub mod trace;
pub mod wire;
pub mod xml;
