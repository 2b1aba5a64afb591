//! The embedded cloud.
pub mod iam;
mod time;
pub use time::Time;
