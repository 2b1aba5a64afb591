//! The policies of keys, and whether they let a caller do something to a key.
//!
//! A key's own policy decides first: without its leave nobody uses the key, whatever else they are
//! allowed, and it may let somebody do what no policy of theirs says.

use super::Found;
use super::state::Key;
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::permit::OnResource;
use crate::model::Model;

/// What the caller wants to do to the key.
pub fn want(call: &Call, found: &Found, key: &Key, action: &str) -> Want {
    let mut want = Want::new(action, found.arn()).key("kms:CallerAccount", &*call.caller.account);
    for (name, value) in &key.tags {
        want = want.key(&format!("aws:ResourceTag/{name}"), value.as_str());
    }
    want
}

/// Refuses what the policies of the caller and that of the key together do not allow.
pub fn check(
    model: &Model,
    call: &Call,
    found: &Found,
    document: &PolicyDocument,
    want: &Want,
) -> Result<(), ApiError> {
    let gate = OnResource { policy: document, owner: &found.scope.account, gated: true };
    model.permit_on(call, want, Some(gate))
}

/// Refuses an operation on a key that the caller may not do.
pub fn authorise(
    model: &mut Model,
    call: &Call,
    found: &Found,
    refine: impl FnOnce(Want) -> Want,
) -> Result<(), ApiError> {
    let key = super::key(model, found)?;
    let want = refine(want(call, found, key, &format!("kms:{}", call.action)));
    let document = key.document.clone();
    check(model, call, found, &document, &want)
}

/// A policy that would shut out whoever sets it is refused, unless they insist.
pub fn check_lockout(
    model: &Model,
    call: &Call,
    found: &Found,
    document: &PolicyDocument,
) -> Result<(), ApiError> {
    let want =
        Want::new("kms:PutKeyPolicy", found.arn()).key("kms:CallerAccount", &*call.caller.account);
    check(model, call, found, document, &want).map_err(|_| {
        let text = "The new key policy will not allow you to update the key policy in the future.";
        ApiError::bad("MalformedPolicyDocumentException", text)
    })
}
