//! Lambda: when functions are run, how often, and what becomes of those that fail or die.

mod death;
mod failures;
mod functions;
mod queue;
mod runtime_api;
mod support;
mod warm;
