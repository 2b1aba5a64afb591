//! The launch template that a RunInstances call names.

use crate::ec2::launch_templates::{self, Named};
use crate::ec2::state::Launch;
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::model::Model;

/// Which template a call means, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub template: Named,
    /// `$Default`, `$Latest` or a number; `$Default` if absent.
    pub version: Option<String>,
}

/// `LaunchTemplate.LaunchTemplateId`, `.LaunchTemplateName` and `.Version`.
pub fn read(fields: &Fields) -> Result<Option<Reference>, ApiError> {
    let Some(group) = fields.group("LaunchTemplate") else { return Ok(None) };
    let version = group.text("Version").filter(|text| !text.is_empty()).map(str::to_string);
    Ok(Some(Reference { template: Named::required(&group)?, version }))
}

/// The version of a template that a launch goes by.
#[derive(Clone, Debug)]
pub struct Chosen {
    id: String,
    version: u64,
    tags: Tags,
    /// What it says of the launch.
    pub launch: Launch,
}

pub fn resolve(
    model: &mut Model,
    scope: &Scope,
    reference: &Reference,
) -> Result<Chosen, ApiError> {
    let template = launch_templates::find(model, scope, &reference.template)?;
    let version = template.version(reference.version.as_deref().unwrap_or("$Default"))?;
    Ok(Chosen {
        id: template.id.clone(),
        version: version.number,
        tags: template.tags.clone(),
        launch: version.data.launch.clone(),
    })
}

impl Chosen {
    /// The tags that EC2 itself puts on instances launched from a template.
    pub fn marks(&self) -> Tags {
        Tags::from([
            ("aws:ec2launchtemplate:id".to_string(), self.id.clone()),
            ("aws:ec2launchtemplate:version".to_string(), self.version.to_string()),
        ])
    }

    /// Adds the template to what the launch wants, and its ARN to the conditions of the rest.
    pub fn join(&self, call: &Call, wants: Vec<Want>) -> Vec<Want> {
        let arn = call.arn(Kind::LaunchTemplate, &self.id);
        let own = Want::new("ec2:RunInstances", arn.as_str()).resource_tags(&self.tags);
        let launches = |want: &Want| want.action == "ec2:RunInstances";
        let wants = wants.into_iter().chain([own]).map(|want| {
            if launches(&want) { want.key("ec2:LaunchTemplate", arn.as_str()) } else { want }
        });
        wants.collect()
    }
}
