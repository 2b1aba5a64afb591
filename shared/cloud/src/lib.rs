//! The embedded cloud.
mod time;
pub use time::Time;
