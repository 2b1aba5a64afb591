//! A service as far as IAM, faults and the trace have to know it: its name, and how it refuses.

use crate::kernel::error::ApiError;

/// A modelled service. The table in [`crate::services`] has one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name in signatures and in the actions of policies.
    pub name: &'static str,
    /// Code of the error for an operation that is not modelled.
    pub unknown: &'static str,
    pub denial: Denial,
    pub throttled: Throttled,
}

/// The refusal of a call that no policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// EC2's refusal, with an encoded message.
    Encoded,
    /// A plain sentence under this status and code.
    Plain(u16, &'static str),
}

/// The error of a service that gets too many calls: status, code and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled(pub u16, pub &'static str, pub &'static str);

impl Service {
    /// A service that speaks JSON and refuses as most of them do.
    pub const fn json(name: &'static str) -> Service {
        Service {
            name,
            unknown: "UnknownOperationException",
            denial: Denial::Plain(400, "AccessDeniedException"),
            throttled: Throttled(400, "ThrottlingException", "Rate exceeded"),
        }
    }

    /// The refusal of a call that is one too many.
    pub fn throttled(&self) -> ApiError {
        let Throttled(status, code, message) = self.throttled;
        ApiError::new(status, code, message)
    }
}
