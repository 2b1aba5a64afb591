//! What the errors of EC2 mean, by their codes and never by their texts.
//!
//! EC2 has no types for its errors. The codes come without the prefix `Client.` or `Server.`; 4xx
//! says that nothing was made, 5xx leaves it open. What a call that creates brought is sorted by
//! [`of_failed`], and nowhere else.

use std::error::Error;
use std::io;

use afterimage_core::call::{Answer, Outcome};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::dns::ResolveDnsError;

use crate::error::{causes, chain};

/// The longest text of an answer that is kept, in characters: that of a call that is not allowed
/// carries a thousand that only `sts:DecodeAuthorizationMessage` can read.
const MESSAGE_MAX: usize = 400;

/// What is said in place of a code when none came from EC2.
pub const NO_ANSWER: &str = "no-answer";
pub const NOT_SENT: &str = "not-sent";
pub const NOT_CONNECTED: &str = "not-connected";
pub const UNREADABLE: &str = "answer-unreadable";
pub const SENT_AGAIN: &str = "sent-again";

/// EC2 asks to wait: too many calls, or too much of the same under way at once.
///
/// `SnapshotLimitExceeded` is not among them: a full quota does not empty itself.
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

/// An image of this account and region has the name.
pub fn is_name_taken(code: &str) -> bool {
    code == "InvalidAMIName.Duplicate"
}

/// The token has made something before, by a request that was not quite the same: what it made has
/// the name of this one.
pub fn is_token_spent(code: &str) -> bool {
    code == "IdempotentParameterMismatch"
}

pub fn is_instance_gone(code: &str) -> bool {
    code == "InvalidInstanceID.NotFound"
}

pub fn is_image_gone(code: &str) -> bool {
    code == "InvalidAMIID.NotFound"
}

/// The machine does not boot by UEFI, and so has no variables of it.
pub fn has_no_uefi_data(code: &str) -> bool {
    code == "UnsupportedOperation"
}

/// The machine is just changing its state.
pub fn is_in_wrong_state(code: &str) -> bool {
    code == "IncorrectInstanceState"
}

/// The request itself is wrong, whoever sends it and whenever.
///
/// Not among them, though each will fail for some time: what people can mend without us
/// (`UnauthorizedOperation`, `AuthFailure`, `OptInRequired`, `Blocked`, quotas, revoked keys), and
/// `InvalidParameterValue`, by which EC2 also says that a machine is in the wrong state just now.
/// They are tried again, less and less often, until their tries are used up.
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

/// What a call that creates, and failed, has brought. `sent` says how often it went out.
///
/// # Guarantees
/// Everything but `Unknown` means that nothing was made: by this call, whose earlier tries, if the
/// SDK made any, all count. A `Throttled` is the exception for calls that carry a token: what an
/// earlier try may have made comes back when the same token is sent again.
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
        // The last try made nothing; what the ones before it did is not known.
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
        // `Unavailable` and `ServiceUnavailable` among them: the documentation does not say that
        // they come before anything has been done.
        _ if status >= 500 => Outcome::Unknown(answer),
        _ if is_name_taken(code) || is_token_spent(code) => Outcome::NameTaken(answer),
        _ if is_instance_gone(code) || is_image_gone(code) => Outcome::Gone(answer),
        _ if is_never_acceptable(code) => Outcome::Refused(answer),
        _ => Outcome::Failed(answer),
    }
}

/// A call that was answered as a success, but without what was to be in the answer.
pub fn of_unreadable<T>(what: &str) -> Outcome<T> {
    Outcome::Unknown(answer(UNREADABLE, &format!("the answer names no {what}")))
}

fn answer(code: &str, message: &str) -> Answer {
    Answer { code: code.to_string(), message: message.chars().take(MESSAGE_MAX).collect() }
}

/// Whether the connection was refused, or there was no address to connect to. A connection that
/// took too long is not among these, as the SDK does not tell that from an answer that did.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let refused = cause.downcast_ref::<io::Error>();
        refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
            || cause.is::<ResolveDnsError>()
    })
}
