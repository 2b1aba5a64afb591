//! CreateLaunchTemplateVersion and DeleteLaunchTemplateVersions.

use super::create::read_description;
use super::{LaunchTemplate, Named, Version, find, read_number};
use crate::ec2::instances::alias;
use crate::ec2::state::Data;
use crate::ec2::tokens;
use crate::kernel::access::Call;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// DeleteLaunchTemplateVersions takes at most this many versions.
const VERSIONS_MAX: usize = 200;

pub fn create(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let tags_max = model.config.limits.tags_per_resource;
    let named = Named::required(fields)?;
    let description = read_description(fields)?;
    let own = Data::read(fields, tags_max)?;
    let source = fields.text("SourceVersion").map(str::to_string);
    let resolve_alias = fields.flag("ResolveAlias")?.unwrap_or(false);
    let token = tokens::read(fields)?;
    fields.finish()?;
    let template = find(model, &call.scope, &named)?;
    let (id, want) = (template.id.clone(), template.want(call));
    let data = match (own, source) {
        (own, Some(source)) => Data::over(own, &template.version(&source)?.data, tags_max)?,
        (Some(own), None) => own,
        (None, None) => return Err(ApiError::missing_parameter("LaunchTemplateData")),
    };
    let resolved = alias::resolve(model, &call.scope, data.launch.image_id.as_deref())?;
    let mut wants = vec![want];
    wants.extend(resolved.as_ref().map(|resolved| resolved.want.clone()));
    model.permit(call, &wants)?;
    let used = tokens::used(model, call, fields, token.as_deref())?;
    let (created_at, created_by) = (model.now, call.caller.arn.clone());
    let held = model.ec2_region(&call.scope).launch_templates.get_mut(&id);
    let Some(held) = held else {
        return Err(ApiError::not_found(Kind::LaunchTemplate, &[&id]));
    };
    let number = match used {
        Some(number) => read_number(&number)?,
        None => {
            held.last_number += 1;
            let number = held.last_number;
            let version = Version { number, description, created_at, created_by, data };
            held.versions.insert(number, version);
            number
        }
    };
    let image_id = resolved.filter(|_| resolve_alias).map(|resolved| resolved.image_id);
    let mut xml = Xml::new();
    let version = held.version(&number.to_string())?;
    xml.node("launchTemplateVersion", |xml| {
        held.write_version(xml, version, image_id.as_deref());
    });
    tokens::keep(model, call, fields, token, &number.to_string());
    Ok(xml)
}

/// Each version goes or stays by itself; the default stays.
pub fn delete(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let named = Named::required(fields)?;
    let asked = fields.list("LaunchTemplateVersion");
    fields.finish()?;
    if asked.is_empty() {
        return Err(ApiError::missing_parameter("LaunchTemplateVersion"));
    }
    if asked.len() > VERSIONS_MAX {
        let text = format!("At most {VERSIONS_MAX} versions can be deleted in one call");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let numbers: Vec<u64> = asked.iter().map(|text| read_number(text)).collect::<Result<_, _>>()?;
    let template = find(model, &call.scope, &named)?;
    let (id, want) = (template.id.clone(), template.want(call));
    model.permit(call, &[want])?;
    let held = model.ec2_region(&call.scope).launch_templates.get_mut(&id);
    let Some(held) = held else {
        return Err(ApiError::not_found(Kind::LaunchTemplate, &[&id]));
    };
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for number in numbers {
        if number == held.default_version {
            let text = "The default version of a launch template cannot be deleted.";
            kept.push((number, "unexpectedError", text));
        } else if held.versions.remove(&number).is_some() {
            gone.push(number);
        } else {
            let text = "The specified launch template version does not exist.";
            kept.push((number, "launchTemplateVersionDoesNotExist", text));
        }
    }
    let mut xml = Xml::new();
    xml.list("successfullyDeletedLaunchTemplateVersionSet", gone, |xml, number| {
        write_number(xml, held, number);
    });
    xml.list("unsuccessfullyDeletedLaunchTemplateVersionSet", kept, |xml, (number, code, text)| {
        write_number(xml, held, number);
        xml.node("responseError", |xml| {
            xml.leaf("code", code).leaf("message", text);
        });
    });
    Ok(xml)
}

fn write_number(xml: &mut Xml, template: &LaunchTemplate, number: u64) {
    xml.leaf("launchTemplateId", &template.id).leaf("launchTemplateName", &template.name);
    xml.number("versionNumber", number);
}
