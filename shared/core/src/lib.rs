//! Decides, and nothing else: event, state and the present moment in, a decision with its reasons
//! out. No AWS, no async, no clock, no environment, no randomness.

pub mod ids;
pub mod point;
pub mod policy;
pub mod slot;
pub mod yaml;
