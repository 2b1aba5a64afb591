//! The key of a new volume.
//!
//! A key that cannot be used never fails the call: EC2 finds out while it makes the volume.

use crate::ec2::lookup::Owned;
use crate::ec2::state::Encryption;
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kms;
use crate::model::Model;

/// The key of a volume, if it has one, and why it cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    pub arn: Option<String>,
    pub failure: Option<String>,
}

impl Encryption {
    /// What can be refused at once.
    pub fn check(&self, snapshot: Option<&Owned>) -> Result<(), ApiError> {
        if self.kms_key_id.is_some() && self.encrypted != Some(true) {
            let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
            return Err(ApiError::bad("InvalidParameterDependency", text));
        }
        let held = snapshot.is_some_and(|found| found.snapshot.kms_key.is_some());
        if held && self.encrypted == Some(false) {
            let text = "A volume that is made from an encrypted snapshot cannot be unencrypted.";
            return Err(ApiError::combination(text));
        }
        Ok(())
    }

    /// Which key the volume will have: the one that is named; else that of the snapshot, if it is
    /// the caller's own; else the account's default, if the volume is to be encrypted at all.
    pub fn choose(&self, model: &mut Model, call: &Call, snapshot: Option<&Owned>) -> Key {
        let held = snapshot.and_then(|found| found.snapshot.kms_key.clone());
        let own = snapshot.is_some_and(|found| found.owner == *call.scope.account);
        let arn = match (&self.kms_key_id, &held) {
            (Some(name), _) => match kms::resolve(model, &call.scope, name) {
                Some(arn) => arn,
                None => {
                    let failure = Some(format!("{name} does not exist"));
                    return Key { arn: Some(name.clone()), failure };
                }
            },
            (None, Some(held)) if own => held.clone(),
            (None, Some(_)) => kms::default_ebs_key(model, &call.scope),
            (None, None) if self.encrypted == Some(true) => {
                kms::default_ebs_key(model, &call.scope)
            }
            (None, None) => return Key::default(),
        };
        // What the snapshot holds has to be read with its own key first.
        let first = held.filter(|held| *held != arn);
        let mut failure = None;
        for key in first.iter().chain([&arn]) {
            if failure.is_none() {
                failure = kms::ebs::usable_for_ebs(model, call, key).err();
            }
        }
        Key { arn: Some(arn), failure }
    }
}
