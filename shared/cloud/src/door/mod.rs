//! The ways into a world: in process for the AWS SDK for Rust, and a port for everybody else.

mod control;
mod handle;
pub mod port;
pub mod runtime_api;
pub mod sdk;
mod world;
