//! The errors that several operations share.

use crate::kernel::error::ApiError;

pub(super) fn no_such_bus(name: &str) -> ApiError {
    let text = format!("Event bus {name} does not exist.");
    ApiError::bad("ResourceNotFoundException", text)
}

pub(super) fn no_such_rule(bus: &str, name: &str) -> ApiError {
    let text = format!("Rule {name} does not exist on EventBus {bus}.");
    ApiError::bad("ResourceNotFoundException", text)
}

pub(super) fn too_many() -> ApiError {
    let text = "The requested resource exceeds the maximum number allowed.";
    ApiError::bad("LimitExceededException", text)
}

pub(super) fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::bad("ValidationException", text)
}
