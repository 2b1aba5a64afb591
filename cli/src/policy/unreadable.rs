//! The text of a policy in force that cannot be read.

use afterimage_core::flow::Unreadable;

/// Tells that a policy in force is not acted on, and what to do.
pub fn unreadable_text(policy: &Unreadable) -> String {
    let Unreadable { name, why } = policy;
    format!("policy {name} is not acted on: it cannot be read: {why}; apply its file again")
}
