//! The settings of a function, within Lambda's limits.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::code::Code;
use crate::kernel::error::ApiError;
use crate::kernel::regions;
use crate::kernel::scope::Scope;

const TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=900;
const MEMORY_MB: RangeInclusive<u64> = 128..=10_240;
const RETRY_ATTEMPTS: RangeInclusive<u64> = 0..=2;
const EVENT_AGE_SECONDS: RangeInclusive<u64> = 60..=21_600;
const NAME_LENGTH_MAX: usize = 64;
/// All names and values of a function's variables together.
const VARIABLES_BYTES_MAX: usize = 4096;

/// Variables that Lambda sets itself and refuses to take.
const RESERVED_VARIABLES: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// A function as it is declared.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    pub account: String,
    pub region: String,
    pub name: String,
    pub role_arn: String,
    /// Time limit of one invocation.
    pub timeout: Duration,
    pub memory_mb: u64,
    pub variables: BTreeMap<String, String>,
    /// Invocations at a time, taken out of the account's and given to nobody else.
    pub reserved_concurrency: Option<usize>,
    /// Number of further tries of an asynchronous invocation that failed.
    pub retry_attempts: u32,
    /// An asynchronous event that is older is not tried any more.
    pub event_age_max: Duration,
    /// The queue that is told of every event given up, with the event and the last error.
    pub on_failure: Option<String>,
    /// The queue that gets every event given up, as it is.
    pub dead_letter: Option<String>,
    /// Each execution environment's clock differs from the world's by an amount out of this range.
    pub clock_skew_ms: RangeInclusive<i64>,
    pub code: Code,
}

impl FunctionSpec {
    /// A function with Lambda's own defaults.
    pub fn new(scope: &Scope, name: &str, role_arn: &str, code: Code) -> FunctionSpec {
        FunctionSpec {
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            name: name.to_string(),
            role_arn: role_arn.to_string(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            variables: BTreeMap::new(),
            reserved_concurrency: None,
            retry_attempts: 2,
            event_age_max: Duration::from_secs(6 * 3600),
            on_failure: None,
            dead_letter: None,
            clock_skew_ms: 0..=0,
            code,
        }
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account, self.name)
    }

    pub(super) fn check(&self) -> Result<(), ApiError> {
        check_name(&self.name)?;
        if !regions::is_known(&self.region) {
            let text = format!("There is no region {}", self.region);
            return Err(invalid(text));
        }
        let role = self.role_arn.strip_prefix("arn:aws:iam::");
        let role = role.and_then(|rest| rest.strip_prefix(self.account.as_str()));
        if !role.is_some_and(|rest| rest.starts_with(":role/")) {
            let text = "The role defined for the function cannot be assumed by Lambda.";
            return Err(invalid(text));
        }
        within("timeout", self.timeout.as_secs(), &TIMEOUT_SECONDS)?;
        within("memorySize", self.memory_mb, &MEMORY_MB)?;
        within("maximumRetryAttempts", self.retry_attempts.into(), &RETRY_ATTEMPTS)?;
        within("maximumEventAgeInSeconds", self.event_age_max.as_secs(), &EVENT_AGE_SECONDS)?;
        check_variables(&self.variables)
    }
}

pub(super) fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::bad("InvalidParameterValueException", text)
}

fn validation(text: String) -> ApiError {
    ApiError::bad("ValidationException", format!("1 validation error detected: {text}"))
}

fn within(member: &str, value: u64, range: &RangeInclusive<u64>) -> Result<(), ApiError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (what, limit) = match value < *range.start() {
        true => ("greater than or equal to", range.start()),
        false => ("less than or equal to", range.end()),
    };
    Err(validation(format!(
        "Value '{value}' at '{member}' failed to satisfy constraint: Member must have value \
         {what} {limit}"
    )))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (1..=NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(known) {
        return Ok(());
    }
    Err(validation(format!(
        "Value '{name}' at 'functionName' failed to satisfy constraint: Member must be up to \
         {NAME_LENGTH_MAX} letters, digits, hyphens and underscores"
    )))
}

pub(super) fn check_variables(variables: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let reserved = |name: &&String| RESERVED_VARIABLES.contains(&name.as_str());
    if let Some(name) = variables.keys().find(reserved) {
        let text = format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided contains reserved keys that are currently not supported \
             for modification. Reserved keys used in this request: {name}"
        );
        return Err(invalid(text));
    }
    let mut letters = variables.keys().map(|name| name.as_bytes());
    let well_formed = |name: &[u8]| {
        name.len() >= 2
            && name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    if !letters.all(well_formed) {
        let text = "Value at 'environment.variables' failed to satisfy constraint: Map keys must \
                    satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+";
        return Err(validation(text.to_string()));
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > VARIABLES_BYTES_MAX {
        let text = format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided exceeded the {VARIABLES_BYTES_MAX} byte limit"
        );
        return Err(invalid(text));
    }
    Ok(())
}
