//! The policies of keys, and whether they let a caller do something to a key.
//!
//! A key's own policy decides first: without its leave nobody uses the key, whatever else they are
//! allowed, and it may let somebody do what no policy of theirs says.

use serde_json::{Value, json};

use super::{Found, Key};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::permit::OnResource;
use crate::kernel::scope::Scope;
use crate::model::Model;

/// The policy of a key that was made without one: the account decides by its own policies.
pub fn default_text(scope: &Scope) -> String {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{}:root", scope.account) },
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

/// The policy of a key of AWS's: whoever in the account may use the service uses the key through
/// it, and nobody can change it.
pub fn of_service(scope: &Scope, service: &str) -> String {
    let through = match service {
        "ebs" => "ec2",
        other => other,
    };
    json!({
        "Version": "2012-10-17",
        "Id": format!("auto-{service}-2"),
        "Statement": [
            {
                "Sid": format!("Allow use through {service} by all of the account"),
                "Effect": "Allow",
                "Principal": { "AWS": "*" },
                "Action": [
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:CreateGrant",
                    "kms:DescribeKey",
                ],
                "Resource": "*",
                "Condition": { "StringEquals": {
                    "kms:CallerAccount": &*scope.account,
                    "kms:ViaService": format!("{through}.{}.amazonaws.com", scope.region),
                } },
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{}:root", scope.account) },
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    })
    .to_string()
}

/// Reads a policy that a caller gives.
pub fn parse(text: &str) -> Result<PolicyDocument, ApiError> {
    let malformed = |why: String| ApiError::bad("MalformedPolicyDocumentException", why);
    let value: Value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    PolicyDocument::parse_resource(&value).map_err(|error| malformed(error.to_string()))
}

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
