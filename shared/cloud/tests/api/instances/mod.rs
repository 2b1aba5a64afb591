//! Instances, volumes and the network around them, as raw requests see them.

mod attributes;
mod describe;
mod key_pairs;
mod launch;
mod lifecycle;
mod network;
mod permission;
mod status;
mod volumes;
mod world;
