//! The texts of key policies.

use serde_json::{Value, json};

use crate::kernel::error::ApiError;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::scope::Scope;

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
