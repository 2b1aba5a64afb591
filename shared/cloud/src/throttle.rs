//! The token buckets.

/// The buckets of every account, region and action.
#[derive(Debug, Default)]
pub struct Throttle {}

use crate::access::Call;
use crate::error::ApiError;
use crate::model::Model;
use crate::query::Fields;

impl Model {
    /// Takes a token for the call, or refuses it.
    pub fn admit(&mut self, _call: &Call, _form: Option<&Fields>) -> Result<(), ApiError> {
        Ok(())
    }
}
