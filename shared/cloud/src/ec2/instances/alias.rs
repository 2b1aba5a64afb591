//! An image that is named by a parameter of SSM, as `resolve:ssm:NAME`, at a launch or in a launch
//! template.

use crate::kernel::access::Want;
use crate::kernel::error::ApiError;
use crate::kernel::scope::Scope;
use crate::model::Model;
use crate::ssm;

/// The image that an alias stands for now, and what the caller has to be allowed for it.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub image_id: String,
    pub want: Want,
}

/// Follows an alias; an id stands for itself, and there is nothing to follow.
pub fn resolve(
    model: &mut Model,
    scope: &Scope,
    image_id: Option<&str>,
) -> Result<Option<Resolved>, ApiError> {
    let Some(name) = image_id.and_then(|text| text.strip_prefix("resolve:ssm:")) else {
        return Ok(None);
    };
    let Some(named) = ssm::read::named(model, scope, name) else {
        let text = format!("The following aliases are invalid: {name}");
        return Err(ApiError::bad("SsmInvalidParameter", text));
    };
    if named.data_type != ssm::IMAGE {
        let text = format!(
            "Unsupported data type. The following parameter data types are supported: {}",
            ssm::IMAGE
        );
        return Err(ApiError::bad("SsmInvalidParameter", text));
    }
    let want = Want::new("ssm:GetParameters", named.arn);
    Ok(Some(Resolved { image_id: named.value, want }))
}
