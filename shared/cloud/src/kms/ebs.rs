//! The use of keys by EBS on behalf of a caller.

use super::state::{Grant, State};
use super::{find, grants, key, policy};
use crate::kernel::access::Call;
use crate::model::Model;

const NO_ACCESS: &str = "Given key ID is not accessible";
const NO_DESCRIBE: &str =
    "Given key ID is not accessible. You must have DescribeKey permissions on the default CMK";

/// The actions of EBS on a key in the caller's name, beside describing it.
const USES: [&str; 5] = [
    "kms:CreateGrant",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// Tells whether EBS may use the key for the caller. The error is the message with which the
/// snapshot or the image fails later on. It never fails a call: EC2 finds out only while it works.
///
/// The caller's policies and the key's have to allow each use, through EC2. A key that EBS can use
/// has from then on a grant for it.
pub fn usable_for_ebs(model: &mut Model, call: &Call, key_arn: &str) -> Result<(), String> {
    let found = find(model, &call.scope, key_arn)
        .map_err(|_| format!("The specified keyId {key_arn} is invalid"))?;
    let missing = |_| NO_ACCESS.to_string();
    let (document, state) = {
        let key = key(model, &found).map_err(missing)?;
        (key.document.clone(), key.state)
    };
    let through = format!("ec2.{}.amazonaws.com", call.scope.region);
    let allows = |model: &mut Model, action: &str| -> Result<bool, String> {
        let key = key(model, &found).map_err(missing)?;
        let mut want = policy::want(call, &found, key, action)
            .key("kms:ViaService", through.as_str())
            .key("aws:CalledVia", "ec2.amazonaws.com");
        if action == "kms:CreateGrant" {
            want = want.key("kms:GrantIsForAWSResource", "true");
        }
        Ok(policy::check(model, call, &found, &document, &want).is_ok())
    };
    if !allows(model, "kms:DescribeKey")? {
        return Err(NO_DESCRIBE.to_string());
    }
    if state != State::Enabled {
        return Err(NO_ACCESS.to_string());
    }
    for action in USES {
        if !allows(model, action)? {
            return Err(NO_ACCESS.to_string());
        }
    }
    let account = &call.caller.account;
    let grant = Grant {
        created_at: model.now,
        // The name makes it one grant, however often the key is used.
        name: Some(format!("ebs-{account}")),
        grantee: format!("arn:aws:sts::{account}:assumed-role/aws:ec2-infrastructure/ebs"),
        retiring: Some(through),
        issuing_account: format!("arn:aws:iam::{account}:root"),
        operations: ["Decrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"]
            .map(str::to_string)
            .to_vec(),
        constraints: None,
    };
    grants::add(model, &found, grant).map(drop).map_err(missing)
}
