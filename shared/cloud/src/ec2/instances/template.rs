//! The launch template that a RunInstances call names.

use super::launch::Launch;
use crate::error::ApiError;
use crate::model::{Model, Scope};
use crate::query::Fields;

/// Which template a call means, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub template: Named,
    /// `$Default`, `$Latest` or a number; `$Default` if absent.
    pub version: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Id(String),
    Name(String),
}

/// `LaunchTemplate.LaunchTemplateId`, `.LaunchTemplateName` and `.Version`.
pub fn read(fields: &Fields) -> Result<Option<Reference>, ApiError> {
    let Some(group) = fields.group("LaunchTemplate") else { return Ok(None) };
    let version = group.text("Version").map(str::to_string);
    let id = group.text("LaunchTemplateId").map(str::to_string);
    let name = group.text("LaunchTemplateName").map(str::to_string);
    let template = match (id, name) {
        (Some(id), None) => Named::Id(id),
        (None, Some(name)) => Named::Name(name),
        (Some(_), Some(_)) | (None, None) => {
            let text = "Exactly one of LaunchTemplateId and LaunchTemplateName has to be given";
            return Err(ApiError::bad("InvalidParameterCombination", text));
        }
    };
    Ok(Some(Reference { template, version }))
}

/// What the template says of a launch. A region has no launch templates, so that there is none of
/// that id or name.
pub fn resolve(
    _model: &mut Model,
    _scope: &Scope,
    reference: &Reference,
) -> Result<Launch, ApiError> {
    let (code, name) = match &reference.template {
        Named::Id(id) => ("InvalidLaunchTemplateId.NotFound", id),
        Named::Name(name) => ("InvalidLaunchTemplateName.NotFoundException", name),
    };
    let text = format!("The specified launch template, {name}, does not exist.");
    Err(ApiError::bad(code, text))
}
