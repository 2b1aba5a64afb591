//! The environment variables of a function. Each is named here and nowhere else.

use std::collections::BTreeMap;

use afterimage_core::ids::{AccountId, Region};
use afterimage_core::limits::HEAL_GIB_PER_DAY_DEFAULT;

use crate::error::Failure;

/// The name of the ledger's table.
pub const TABLE: &str = "AFTERIMAGE_TABLE";
/// The name of our own bus.
pub const BUS: &str = "AFTERIMAGE_BUS";
/// The account of the stack. Events of other accounts are not ours.
pub const ACCOUNT: &str = "AFTERIMAGE_ACCOUNT";
/// The region of the stack. Lambda sets it.
pub const SEAT: &str = "AWS_REGION";
/// The log stream, which is different for each execution environment. Lambda sets it.
pub const LOG_STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";
/// The name of the function. Lambda sets it.
pub const FUNCTION: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// The number of machines that may be down for their images at the same time. 0, or not set, where
/// the stack may not stop machines.
pub const STOP_START_AT_ONCE: &str = "AFTERIMAGE_STOP_START_AT_ONCE";
/// `true` where the stack may have machines rebooted for their images.
pub const ALLOW_REBOOT: &str = "AFTERIMAGE_ALLOW_REBOOT";
/// The version of the template. Not set by templates that have no version.
pub const TEMPLATE: &str = "AFTERIMAGE_TEMPLATE";
/// The most that is made again in a region in a day once many images are lost there, in GiB.
pub const HEAL_GIB_PER_DAY: &str = "AFTERIMAGE_HEAL_GIB_PER_DAY";
/// The log level, `warn`, `info` or `debug`, or levels by module such as
/// `info,aws_smithy_runtime=debug`.
pub const LOG: &str = "AFTERIMAGE_LOG";

/// The values of these variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub table: String,
    pub bus: String,
    pub account: AccountId,
    pub seat: Region,
    /// The name of this execution environment.
    pub stream: String,
    /// The name of the function.
    pub function: String,
    /// The number of machines that may be down for their images at the same time.
    pub stop_start_at_once: u32,
    /// True if EC2 may reboot machines for their images.
    pub allow_reboot: bool,
    /// The most that is made again in a region in a day once many images are lost there, in GiB.
    pub heal_gib_per_day: u32,
    /// The version of the template that the function was deployed with.
    pub template: Option<String>,
}

impl Environment {
    /// Reads the values from the variables of a process.
    ///
    /// # Errors
    /// A variable is not set or not valid.
    pub fn read(variables: &BTreeMap<String, String>) -> Result<Environment, Failure> {
        let get = |name: &str| {
            let value = variables.get(name).filter(|value| !value.is_empty());
            value.cloned().ok_or_else(|| Failure::environment(name, "is not set"))
        };
        let invalid = |name: &str, why: &dyn std::fmt::Display| {
            Failure::environment(name, format!("is not valid: {why}"))
        };
        Ok(Environment {
            table: get(TABLE)?,
            bus: get(BUS)?,
            account: AccountId::parse(&get(ACCOUNT)?).map_err(|why| invalid(ACCOUNT, &why))?,
            seat: Region::parse(&get(SEAT)?).map_err(|why| invalid(SEAT, &why))?,
            stream: get(LOG_STREAM).unwrap_or_else(|_| "here".to_string()),
            function: get(FUNCTION).unwrap_or_else(|_| "here".to_string()),
            stop_start_at_once: match get(STOP_START_AT_ONCE) {
                Ok(text) => text.parse().map_err(|why| invalid(STOP_START_AT_ONCE, &why))?,
                Err(_) => 0,
            },
            allow_reboot: match get(ALLOW_REBOOT) {
                Ok(text) => text.parse().map_err(|why| invalid(ALLOW_REBOOT, &why))?,
                Err(_) => false,
            },
            heal_gib_per_day: match get(HEAL_GIB_PER_DAY) {
                Ok(text) => text.parse().map_err(|why| invalid(HEAL_GIB_PER_DAY, &why))?,
                Err(_) => HEAL_GIB_PER_DAY_DEFAULT,
            },
            template: get(TEMPLATE).ok(),
        })
    }
}
