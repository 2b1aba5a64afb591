//! What a function answers. Nobody waits for it; whoever invokes a function by hand sees it.

use serde_json::{Value, json};

use crate::apply::Applied;
use crate::decode::Unusable;

/// All was done that there was to do, or could be done in the time.
pub fn done(applied: &Applied) -> Value {
    json!({ "made": applied.made, "wrote": applied.wrote, "lost": applied.lost })
}

/// An event that is none of ours, or not what such an event should be. It is logged and answered
/// as a success: it would not become any better by being delivered again.
pub fn unusable(unusable: &Unusable) -> Value {
    tracing::warn!(code = unusable.code, "{}", unusable.why);
    json!({ "unusable": unusable.code })
}
