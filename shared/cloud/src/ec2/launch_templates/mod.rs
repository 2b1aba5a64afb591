//! Launch templates: what a launch says, kept under a name in numbered versions.
//!
//! A version never changes and its number is never given out again. One version is the default,
//! until the default is moved; the latest is the one with the highest number that is left.

pub mod create;
pub mod data;
pub mod describe;
pub mod versions;

use super::state::{LaunchTemplate, Version};
use super::{tags, well_formed};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// How a call names a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Id(String),
    Name(String),
}

impl Named {
    /// `LaunchTemplateId` or `LaunchTemplateName`, if either is there; not both.
    pub fn read(fields: &Fields) -> Result<Option<Named>, ApiError> {
        let id = fields.text("LaunchTemplateId").map(str::to_string);
        let name = fields.text("LaunchTemplateName").map(str::to_string);
        match (id, name) {
            (None, None) => Ok(None),
            (Some(id), None) => Ok(Some(Named::Id(id))),
            (None, Some(name)) => Ok(Some(Named::Name(name))),
            (Some(_), Some(_)) => {
                let text = "Only one of LaunchTemplateId and LaunchTemplateName may be given";
                Err(ApiError::combination(text))
            }
        }
    }

    pub fn required(fields: &Fields) -> Result<Named, ApiError> {
        Named::read(fields)?.ok_or_else(|| {
            let text = "Either LaunchTemplateId or LaunchTemplateName has to be given";
            ApiError::bad("MissingParameter", text)
        })
    }
}

/// The template that a call names, if it is visible.
pub fn find<'a>(
    model: &'a mut Model,
    scope: &Scope,
    named: &Named,
) -> Result<&'a LaunchTemplate, ApiError> {
    let now = model.now;
    let templates = &model.ec2_region(scope).launch_templates;
    let found = match named {
        Named::Id(id) => templates.get(well_formed(Kind::LaunchTemplate, id)?),
        Named::Name(name) => templates.values().find(|template| template.name == *name),
    };
    found.filter(|template| template.visible_at <= now).ok_or_else(|| {
        let (code, what, text) = match named {
            Named::Id(id) => ("InvalidLaunchTemplateId.NotFound", "ID", id),
            Named::Name(name) => ("InvalidLaunchTemplateName.NotFoundException", "name", name),
        };
        let text =
            format!("The specified launch template, with template {what} {text}, does not exist.");
        ApiError::bad(code, text)
    })
}

impl LaunchTemplate {
    pub fn latest(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or_default()
    }

    /// The version that is meant by a number, `$Latest` or `$Default`.
    pub fn version(&self, asked: &str) -> Result<&Version, ApiError> {
        let number = match asked {
            "$Latest" => self.latest(),
            "$Default" => self.default_version,
            number => read_number(number)?,
        };
        self.versions.get(&number).ok_or_else(|| {
            let text = format!(
                "Could not find the specified version {number} for the launch template with ID {}.",
                self.id
            );
            ApiError::bad("InvalidLaunchTemplateId.VersionNotFound", text)
        })
    }

    /// What a call wants to do to the template.
    fn want(&self, call: &Call) -> Want {
        let arn = call.arn(Kind::LaunchTemplate, &self.id);
        Want::new(&format!("ec2:{}", call.action), arn).resource_tags(&self.tags)
    }

    fn write(&self, xml: &mut Xml) {
        xml.leaf("launchTemplateId", &self.id).leaf("launchTemplateName", &self.name);
        xml.leaf("createTime", self.created_at.to_millis_text());
        xml.leaf("createdBy", &self.created_by);
        xml.number("defaultVersionNumber", self.default_version);
        xml.number("latestVersionNumber", self.latest());
        tags::write(xml, &self.tags);
    }

    /// A version, with an image in the place of the alias that stands for it, if one is given.
    fn write_version(&self, xml: &mut Xml, version: &Version, image_id: Option<&str>) {
        xml.leaf("launchTemplateId", &self.id).leaf("launchTemplateName", &self.name);
        xml.number("versionNumber", version.number);
        xml.maybe("versionDescription", version.description.as_ref());
        xml.leaf("createTime", version.created_at.to_millis_text());
        xml.leaf("createdBy", &version.created_by);
        xml.flag("defaultVersion", version.number == self.default_version);
        version.data.write(xml, image_id);
    }
}

/// The number of a version.
fn read_number(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        let text = format!(
            "Invalid launch template version '{text}': expecting a number (or, where one version \
             is asked for, $Latest or $Default)"
        );
        ApiError::bad("InvalidParameterValue", text)
    })
}
