//! The embedded cloud, as clients that we did not write see it, and as a world of its own.

mod bad_input;
mod boto3;
mod determinism;
mod expansion;
mod patterns;
mod programs;
mod sdk;
mod served;
mod time;
