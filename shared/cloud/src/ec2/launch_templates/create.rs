//! CreateLaunchTemplate, ModifyLaunchTemplate and DeleteLaunchTemplate.

use std::collections::BTreeMap;

use super::{LaunchTemplate, Named, Version, find, read_number};
use crate::ec2::instances::alias;
use crate::ec2::state::Data;
use crate::ec2::{tags, tokens};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::ids;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

const DESCRIPTION_LENGTH_MAX: usize = 255;

fn read_name(fields: &Fields) -> Result<String, ApiError> {
    let name = fields.required("LaunchTemplateName")?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"().-/_".contains(&byte);
    if !(3..=128).contains(&name.len()) || !name.bytes().all(fits) {
        let text = "A launch template name must be between 3 and 128 characters, and may contain \
                    letters, numbers, and the following characters: - ( ) . / _.";
        return Err(ApiError::bad("InvalidLaunchTemplateName.MalformedException", text));
    }
    Ok(name.to_string())
}

pub fn read_description(fields: &Fields) -> Result<Option<String>, ApiError> {
    let Some(text) = fields.text("VersionDescription") else { return Ok(None) };
    if text.chars().count() > DESCRIPTION_LENGTH_MAX {
        let why = format!("It is longer than {DESCRIPTION_LENGTH_MAX} characters.");
        return Err(fields.invalid("VersionDescription", text, &why));
    }
    Ok(Some(text.to_string()))
}

/// The template as it is now, visible or not: whoever made it knows of it.
fn answer(model: &mut Model, call: &Call, id: &str) -> Result<Xml, ApiError> {
    let template = model.ec2_region(&call.scope).launch_templates.get(id);
    template.map(shown).ok_or_else(|| ApiError::not_found(Kind::LaunchTemplate, &[id]))
}

fn shown(template: &LaunchTemplate) -> Xml {
    let mut xml = Xml::new();
    xml.node("launchTemplate", |xml| template.write(xml));
    xml
}

pub fn create(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let tags_max = model.config.limits.tags_per_resource;
    let name = read_name(fields)?;
    let description = read_description(fields)?;
    let data = Data::read(fields, tags_max)?;
    let given = tags::specified(fields, &[Kind::LaunchTemplate], tags_max)?;
    let token = tokens::read(fields)?;
    fields.finish()?;
    let data = data.ok_or_else(|| ApiError::missing_parameter("LaunchTemplateData"))?;
    let given = tags::of_kind(&given, Kind::LaunchTemplate);
    let arn = call.arn(Kind::LaunchTemplate, "*");
    let mut wants = vec![Want::new("ec2:CreateLaunchTemplate", arn).request_tags(&given)];
    wants.extend(call.tag_on_create(Kind::LaunchTemplate, &given));
    // An alias is looked up at once, though it is followed anew at each launch.
    let resolved = alias::resolve(model, &call.scope, data.launch.image_id.as_deref())?;
    wants.extend(resolved.map(|resolved| resolved.want));
    model.permit(call, &wants)?;
    if let Some(id) = tokens::used(model, call, fields, token.as_deref())? {
        return answer(model, call, &id);
    }
    let mut known = model.ec2_region(&call.scope).launch_templates.values();
    if known.any(|template| template.name == name) {
        let text = "Launch template name already in use.";
        return Err(ApiError::bad("InvalidLaunchTemplateName.AlreadyExistsException", text));
    }
    let id = ids::resource(&mut model.rng, Kind::LaunchTemplate);
    let (created_at, created_by) = (model.now, call.caller.arn.clone());
    let version =
        Version { number: 1, description, created_at, created_by: created_by.clone(), data };
    let template = LaunchTemplate {
        id: id.clone(),
        name,
        created_at,
        created_by,
        default_version: 1,
        last_number: 1,
        versions: BTreeMap::from([(1, version)]),
        tags: given.clone(),
        visible_at: model.visible_from(),
    };
    let xml = shown(&template);
    model.ec2_region(&call.scope).launch_templates.insert(id.clone(), template);
    tags::created(model, &call.scope, &id, &given);
    tokens::keep(model, call, fields, token, &id);
    Ok(xml)
}

/// All that can be changed is which version is the default.
pub fn modify(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let named = Named::required(fields)?;
    let default = fields.required("SetDefaultVersion")?;
    let number = read_number(default)?;
    let token = tokens::read(fields)?;
    fields.finish()?;
    let template = find(model, &call.scope, &named)?;
    let (id, want) = (template.id.clone(), template.want(call));
    let exists = template.version(default).map(|_| ());
    model.permit(call, &[want])?;
    if tokens::used(model, call, fields, token.as_deref())?.is_none() {
        exists?;
        if let Some(held) = model.ec2_region(&call.scope).launch_templates.get_mut(&id) {
            held.default_version = number;
        }
        tokens::keep(model, call, fields, token, &id);
    }
    answer(model, call, &id)
}

/// The template goes with all its versions.
pub fn delete(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let named = Named::required(fields)?;
    fields.finish()?;
    let template = find(model, &call.scope, &named)?;
    let (id, want) = (template.id.clone(), template.want(call));
    model.permit(call, &[want])?;
    let xml = answer(model, call, &id)?;
    model.ec2_region(&call.scope).launch_templates.remove(&id);
    Ok(xml)
}
