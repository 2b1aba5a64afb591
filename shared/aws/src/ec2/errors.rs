//! The meaning of EC2's errors, by their codes and never by their texts.
//!
//! EC2 has no types for its errors. The codes come without the prefix `Client.` or `Server.`. A
//! status of 4xx says that nothing was made; 5xx leaves it open. The outcome of a failed call that
//! creates is decided by [`of_failed`], and nowhere else.

use std::error::Error;
use std::io;

use afterimage_core::call::{Answer, Outcome};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::dns::ResolveDnsError;

use crate::error::{causes, chain};

/// The longest text of an answer that is kept, in characters. The text of a call that is not
/// allowed carries a thousand that only `sts:DecodeAuthorizationMessage` can read.
const MESSAGE_MAX: usize = 400;

/// Code in place of one from EC2 when none came.
pub const NO_ANSWER: &str = "no-answer";
pub const NOT_SENT: &str = "not-sent";
pub const NOT_CONNECTED: &str = "not-connected";
pub const UNREADABLE: &str = "answer-unreadable";
pub const SENT_AGAIN: &str = "sent-again";

/// Tells whether EC2 asks to wait: too many calls, or too much of the same under way at once.
///
/// `SnapshotLimitExceeded` is not among these codes: a full quota does not empty itself.
pub fn is_throttled(code: &str) -> bool {
    const CODES: [&str; 16] = [
        "RequestLimitExceeded",
        "SnapshotCreationPerVolumeRateExceeded",
        "ConcurrentSnapshotLimitExceeded",
        "PendingSnapshotLimitExceeded",
        "ConcurrentCreateImageNoRebootLimitExceeded",
        "ResourceLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    ];
    CODES.contains(&code)
}

/// Tells whether an image of this account and region has the name.
pub fn is_name_taken(code: &str) -> bool {
    code == "InvalidAMIName.Duplicate"
}

/// Tells whether the token was used before, by a request that was not quite the same. The image
/// that it made has the name of this one.
pub fn is_token_spent(code: &str) -> bool {
    code == "IdempotentParameterMismatch"
}

pub fn is_instance_gone(code: &str) -> bool {
    code == "InvalidInstanceID.NotFound"
}

pub fn is_image_gone(code: &str) -> bool {
    code == "InvalidAMIID.NotFound"
}

/// Tells whether the machine does not boot by UEFI, and so has no variables of it.
pub fn has_no_uefi_data(code: &str) -> bool {
    code == "UnsupportedOperation"
}

/// Tells whether the machine is just changing its state.
pub fn is_in_wrong_state(code: &str) -> bool {
    code == "IncorrectInstanceState"
}

/// Tells whether a trial call would have done what it says.
pub fn is_dry_run_passed(code: &str) -> bool {
    code == "DryRunOperation"
}

/// Returns the code of an answer that another call would get too; none if there was no answer, or
/// if the service may answer otherwise later.
pub fn final_code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    let SdkError::ServiceError(refused) = error else { return None };
    let code = refused.err().code()?;
    (refused.raw().status().as_u16() < 500 && !is_throttled(code)).then_some(code)
}

/// Tells whether the request itself is wrong, whoever sends it and whenever.
///
/// Some codes are not among these, although the call will fail for some time. People can mend the
/// cause without us (`UnauthorizedOperation`, `AuthFailure`, `OptInRequired`, `Blocked`, quotas,
/// revoked keys). `InvalidParameterValue` also says that a machine is in the wrong state just now.
/// Such calls are tried again, less and less often.
pub fn is_never_acceptable(code: &str) -> bool {
    const CODES: [&str; 14] = [
        "InvalidAction",
        "InvalidBlockDeviceMapping",
        "InvalidParameter",
        "InvalidParameterCombination",
        "InvalidParameterDependency",
        "InvalidRequest",
        "MissingParameter",
        "OperationNotPermitted",
        "SnapshotCopyUnsupported.InterRegion",
        "TagLimitExceeded",
        "UnknownParameter",
        "UnsupportedOperation",
        "UnsupportedProtocol",
        "ValidationError",
    ];
    CODES.contains(&code) || code.ends_with(".Malformed")
}

/// Returns the outcome of a call that creates and failed. `sent` is the number of times that it was
/// sent.
///
/// # Guarantees
/// Every outcome but `Unknown` means that nothing was made by this call, counting all earlier tries
/// of the SDK. A `Throttled` is the exception for calls that carry a token: the result of an
/// earlier try comes back when the same token is sent again.
pub fn of_failed<T, E>(error: &SdkError<E>, sent: u32) -> Outcome<T>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if sent == 0 {
        return Outcome::Failed(answer(NOT_SENT, &chain(error)));
    }
    let outcome = match error {
        SdkError::ServiceError(refusal) => {
            of_refused(refusal.err(), refusal.raw().status().as_u16())
        }
        SdkError::ResponseError(_) => Outcome::Unknown(answer(UNREADABLE, &chain(error))),
        _ if never_connected(error) => Outcome::Failed(answer(NOT_CONNECTED, &chain(error))),
        _ => Outcome::Unknown(answer(NO_ANSWER, &chain(error))),
    };
    match outcome {
        // The last try made nothing; the effect of the tries before it is not known.
        Outcome::Failed(answer) | Outcome::Refused(answer) | Outcome::Gone(answer) if sent > 1 => {
            Outcome::Unknown(answer)
        }
        outcome => outcome,
    }
}

fn of_refused<T>(error: &impl ProvideErrorMetadata, status: u16) -> Outcome<T> {
    let message = error.message().unwrap_or_default();
    let Some(code) = error.code() else {
        return Outcome::Unknown(answer(UNREADABLE, message));
    };
    let answer = answer(code, message);
    match code {
        _ if is_throttled(code) => Outcome::Throttled(answer),
        // `Unavailable` and `ServiceUnavailable` are among these: the documentation does not say
        // that they come before anything has been done.
        _ if status >= 500 => Outcome::Unknown(answer),
        _ if is_name_taken(code) || is_token_spent(code) => Outcome::NameTaken(answer),
        _ if is_instance_gone(code) || is_image_gone(code) => Outcome::Gone(answer),
        _ if is_never_acceptable(code) => Outcome::Refused(answer),
        _ => Outcome::Failed(answer),
    }
}

/// Returns the outcome of a call that was answered as a success, but without the result.
pub fn of_unreadable<T>(what: &str) -> Outcome<T> {
    Outcome::Unknown(answer(UNREADABLE, &format!("the answer names no {what}")))
}

fn answer(code: &str, message: &str) -> Answer {
    Answer { code: code.to_string(), message: message.chars().take(MESSAGE_MAX).collect() }
}

/// Tells whether the connection was refused, or there was no address to connect to. A connection
/// that took too long is not among these, because the SDK does not tell it from an answer that took
/// too long.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let refused = cause.downcast_ref::<io::Error>();
        refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
            || cause.is::<ResolveDnsError>()
    })
}
