//! Instances, volumes and the network around them, as raw requests see them.

#[path = "../common/mod.rs"]
mod common;

mod attributes;
mod describe;
mod launch;
mod lifecycle;
mod network;
mod permission;
mod status;
mod volumes;
mod world;
