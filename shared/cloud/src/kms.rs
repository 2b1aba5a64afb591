//! KMS, as far as it is needed.

use serde_json::Value;

use crate::access::Call;
use crate::error::ApiError;
use crate::model::Model;

/// What KMS has in one account and region.
#[derive(Debug, Default)]
pub struct Region {}

pub fn answer(_model: &mut Model, call: &Call, _body: &Value) -> Result<Value, ApiError> {
    Err(crate::dispatch::unknown_operation(call))
}

/// What KMS has on the agenda.
#[derive(Clone, Debug)]
pub enum Step {}

pub fn happen(_model: &mut Model, _scope: &crate::model::Scope, step: Step) {
    match step {}
}

/// The ARN of the key that `name` means in the region: an id, an alias (`alias/x`), or the ARN of
/// either. Nothing if there is none.
pub fn resolve(_model: &mut Model, _scope: &crate::model::Scope, _name: &str) -> Option<String> {
    None
}

/// The ARN of the key behind `alias/aws/ebs`, which every account and region has.
pub fn default_ebs_key(_model: &mut Model, scope: &crate::model::Scope) -> String {
    format!("arn:aws:kms:{}:{}:key/aws-ebs", scope.region, scope.account)
}

/// Whether EBS may use the key for the caller; if not, the message with which the snapshot or the
/// image fails later on. This never fails a call: EC2 finds out only while it works.
pub fn usable_for_ebs(_model: &mut Model, _call: &Call, _key_arn: &str) -> Result<(), String> {
    Ok(())
}
