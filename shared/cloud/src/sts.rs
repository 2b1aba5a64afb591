//! STS, as far as it is needed.

use crate::access::Call;
use crate::error::ApiError;
use crate::model::Model;
use crate::query::Fields;
use crate::xml::Xml;

pub fn answer(_model: &mut Model, call: &Call, _fields: &Fields) -> Result<Xml, ApiError> {
    Err(crate::dispatch::unknown_operation(call))
}
