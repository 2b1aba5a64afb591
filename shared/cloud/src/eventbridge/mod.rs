//! EventBridge as its clients see it.

pub mod pattern;
mod pattern_parts;
pub mod schedule;
