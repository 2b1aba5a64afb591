//! The policies of keys, and whether they let a caller do something to a key.
//!
//! A key's own policy decides first: without its leave nobody uses the key, whatever else they are
//! allowed, and it may let somebody do what no policy of theirs says. So the operations on keys ask
//! here, and not `Model::permit`, which knows only the policies of identities.

use serde_json::{Value, json};

use super::{Found, Key};
use crate::access::{Call, Want};
use crate::error::ApiError;
use crate::iam::{
    Ask, Keys, PolicyDocument, PrincipalRef, Refusal, ResourceVerdict, Verdict, combine_gated,
    evaluate_resource_policy, json_refusal,
};
use crate::model::{Model, Scope};

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
    let mut want = Want::new(action, found.arn())
        .key("kms:CallerAccount", &*call.caller.account)
        .key("aws:PrincipalArn", call.caller.arn.as_str())
        .key("aws:PrincipalAccount", &*call.caller.account);
    for (name, value) in &key.tags {
        want = want.key(&format!("aws:ResourceTag/{name}"), value.as_str());
    }
    want
}

/// Whether the policies of the caller and of the key together allow it; if not, why.
pub fn verdict(
    model: &Model,
    call: &Call,
    home: &Scope,
    document: &PolicyDocument,
    want: &Want,
) -> Result<(), Refusal> {
    let mut keys = Keys::new();
    for (name, value) in &want.keys {
        keys.insert(name, value.as_str());
    }
    let ask = Ask { action: want.action.clone(), resource: want.resource.clone(), keys };
    let own = match PrincipalRef::parse(&call.caller.arn) {
        Some(caller) => evaluate_resource_policy(document, &caller, &ask),
        None => ResourceVerdict::ImplicitDeny,
    };
    let identity = if model.allows(call, want) { Verdict::Allowed } else { Verdict::ImplicitDeny };
    let at_home = call.caller.account == home.account;
    match combine_gated(identity, own, at_home) {
        Verdict::Allowed => Ok(()),
        Verdict::ExplicitDeny | Verdict::ImplicitDeny => Err(Refusal::of(identity, Some(own))),
    }
}

/// Refuses an operation on a key that the caller may not do.
pub fn authorise(
    model: &mut Model,
    call: &Call,
    found: &Found,
    refine: impl FnOnce(Want) -> Want,
) -> Result<(), ApiError> {
    let key = super::key(model, found)?;
    let action = format!("kms:{}", call.action);
    let want = refine(want(call, found, key, &action));
    let document = key.document.clone();
    verdict(model, call, &found.scope, &document, &want).map_err(|refusal| {
        let ask = Ask { action, resource: found.arn(), keys: Keys::new() };
        let text = json_refusal(&call.caller.arn, &ask, refusal);
        ApiError::bad("AccessDeniedException", text)
    })
}
