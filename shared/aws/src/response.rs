//! The responses of functions. No service reads them; a person who invokes a function sees them.

use serde_json::{Value, json};

use crate::apply::Applied;
use crate::decode::Unusable;

/// The response after all commands were carried out, or as many as there was time for.
pub fn done(applied: &Applied) -> Value {
    json!({ "made": applied.made, "wrote": applied.wrote, "lost": applied.lost })
}

/// The response to a test event.
pub fn tested() -> Value {
    json!({ "tested": true })
}

/// The response to an event that is not ours or not valid. It is logged and is a success for
/// Lambda: delivered again, it would be no better.
pub fn unusable(unusable: &Unusable) -> Value {
    tracing::warn!(code = unusable.code, "{}", unusable.why);
    json!({ "unusable": unusable.code })
}
