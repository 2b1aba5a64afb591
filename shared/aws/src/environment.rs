//! What a function is told by its environment: every variable is named here.

use std::collections::BTreeMap;

use afterimage_core::ids::{AccountId, Region};

use crate::error::Failure;

/// The ledger's table.
pub const TABLE: &str = "AFTERIMAGE_TABLE";
/// The name of our own bus.
pub const BUS: &str = "AFTERIMAGE_BUS";
/// The account that we work in; events of others are not ours.
pub const ACCOUNT: &str = "AFTERIMAGE_ACCOUNT";
/// The region that the stack is in. Lambda sets it.
pub const SEAT: &str = "AWS_REGION";
/// One name for each execution environment. Lambda sets it.
pub const LOG_STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";
/// So many machines may be down together to be imaged; 0, or nothing, where the stack may stop
/// none.
pub const STOP_START_AT_ONCE: &str = "AFTERIMAGE_STOP_START_AT_ONCE";
/// How much is logged: `warn`, `info` or `debug`, or a filter of `tracing` such as
/// `info,aws_smithy_runtime=debug`.
pub const LOG: &str = "AFTERIMAGE_LOG";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub table: String,
    pub bus: String,
    pub account: AccountId,
    pub seat: Region,
    /// Tells this execution environment from all others.
    pub stream: String,
    /// So many machines may be down together to be imaged.
    pub stop_start_at_once: u32,
}

impl Environment {
    /// Reads the variables that it was given.
    ///
    /// # Errors
    /// One is missing, or is not what it should be.
    pub fn read(variables: &BTreeMap<String, String>) -> Result<Environment, Failure> {
        let get = |name: &str| {
            let value = variables.get(name).filter(|value| !value.is_empty());
            value.cloned().ok_or_else(|| Failure::environment(name, "it is not set"))
        };
        let parsed = |name: &str, why: &dyn std::fmt::Display| Failure::environment(name, why);
        Ok(Environment {
            table: get(TABLE)?,
            bus: get(BUS)?,
            account: AccountId::parse(&get(ACCOUNT)?).map_err(|why| parsed(ACCOUNT, &why))?,
            seat: Region::parse(&get(SEAT)?).map_err(|why| parsed(SEAT, &why))?,
            stream: get(LOG_STREAM).unwrap_or_else(|_| "here".to_string()),
            stop_start_at_once: match get(STOP_START_AT_ONCE) {
                Ok(text) => text.parse().map_err(|why| parsed(STOP_START_AT_ONCE, &why))?,
                Err(_) => 0,
            },
        })
    }
}
