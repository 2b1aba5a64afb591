//! The `afterimage` command, as functions of plain arguments. `main.rs` only parses them.
//!
//! Data goes to stdout, everything else to stderr.

pub mod cancel;
pub mod capture;
pub mod clock;
#[cfg(feature = "simulator")]
pub mod cloud;
#[cfg(feature = "simulator")]
pub mod demo;
pub mod doctor;
pub mod endpoint;
pub mod explain;
pub mod failure;
pub mod heal;
pub mod held_up;
pub mod machine_name;
#[cfg(not(feature = "simulator"))]
pub mod no_simulator;
pub mod output;
pub mod policy;
pub mod rebuild;
pub mod right_table;
#[cfg(feature = "simulator")]
pub mod simulate;
pub mod stack;
pub mod status;
#[cfg(feature = "simulator")]
pub mod system;
pub mod text;

pub use afterimage_aws::ledger::FORMAT;
pub use failure::Failure;
pub use output::print;
