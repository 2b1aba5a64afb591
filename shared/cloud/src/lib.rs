//! The embedded cloud.
pub mod eventbridge;
mod time;
pub use time::Time;
