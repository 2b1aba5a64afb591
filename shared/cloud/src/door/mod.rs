//! The ways into a world: in process for the AWS SDK for Rust, and a port for everybody else.

pub mod sdk;
