//! Client tokens: a call that is repeated with its token does nothing and is answered as before.

use super::state::UsedToken;
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::model::Model;

const LENGTH_MAX: usize = 64;

/// `ClientToken`, which is at most 64 ASCII characters long.
pub fn read(fields: &Fields) -> Result<Option<String>, ApiError> {
    let token = fields.text("ClientToken").filter(|token| !token.is_empty());
    let Some(token) = token else { return Ok(None) };
    if token.len() > LENGTH_MAX || !token.is_ascii() {
        let why = "A client token has at most 64 ASCII characters.";
        return Err(fields.invalid("ClientToken", token, why));
    }
    Ok(Some(token.to_string()))
}

/// What came of the earlier call with this token, if there was one with the same parameters. One
/// with other parameters is an error.
pub fn used(
    model: &mut Model,
    call: &Call,
    fields: &Fields,
    token: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let Some(token) = token else { return Ok(None) };
    let name = (call.action.clone(), token.to_string());
    match model.ec2_region(&call.scope).tokens.get(&name) {
        None => Ok(None),
        Some(used) if used.fingerprint == fields.fingerprint() => Ok(Some(used.id.clone())),
        Some(_) => {
            let text = format!(
                "Arguments on this idempotent request are inconsistent with arguments used in \
                 previous request(s) with the client token '{token}'."
            );
            Err(ApiError::bad("IdempotentParameterMismatch", text))
        }
    }
}

/// Remembers what came of a call.
pub fn keep(model: &mut Model, call: &Call, fields: &Fields, token: Option<String>, id: &str) {
    let Some(token) = token else { return };
    let used = UsedToken { fingerprint: fields.fingerprint(), id: id.to_string() };
    model.ec2_region(&call.scope).tokens.insert((call.action.clone(), token), used);
}
