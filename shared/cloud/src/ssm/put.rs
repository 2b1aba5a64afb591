//! Parameters made, changed and deleted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Value, json};

use super::state::{Parameter, Version};
use super::{IMAGE, not_found, region, send, tell, wants};
use crate::ec2::lookup;
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::kernel::scope::Scope;
use crate::model::Model;

/// The standard tier's limit, in characters.
const VALUE_MAX: usize = 4096;
const NAME_MAX: usize = 1011;
const LEVELS_MAX: usize = 15;
const VERSIONS_MAX: usize = 100;

/// A version that waits for its image to be found.
#[derive(Clone, Debug)]
pub struct Pending {
    name: String,
    kind: String,
    description: Option<String>,
    version: Version,
    operation: &'static str,
    /// Whoever put it may describe images, in whose name SSM looks.
    may_describe: bool,
}

/// The request of a PutParameter call.
struct Wanted {
    name: String,
    value: String,
    kind: Option<String>,
    data_type: String,
    description: Option<String>,
    overwrite: bool,
    tags: Tags,
}

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::bad("ValidationException", text)
}

fn read(members: &Members<'_>) -> Result<Wanted, ApiError> {
    let name = members.required("Name")?;
    check_name(name)?;
    let value = members.required("Value")?;
    if value.is_empty() {
        let bound = "Member must have length greater than or equal to 1";
        return Err(members.unfit("Value", value, bound));
    }
    if value.chars().count() > VALUE_MAX {
        return Err(invalid(format!(
            "Standard tier parameters support a maximum parameter value of {VALUE_MAX} characters."
        )));
    }
    let kind = members.text("Type")?;
    match kind {
        None | Some("String" | "StringList") => {}
        Some("SecureString") => return Err(invalid("Secure strings are not modelled here")),
        Some(other) => {
            let bound = "Member must satisfy enum value set: [SecureString, StringList, String]";
            return Err(members.unfit("Type", other, bound));
        }
    }
    let data_type = members.text("DataType")?.unwrap_or("text");
    if !matches!(data_type, "text" | IMAGE) {
        return Err(invalid(format!("The data type {data_type} is not modelled here")));
    }
    if let Some(tier) = members.text("Tier")?.filter(|tier| *tier != "Standard") {
        return Err(invalid(format!("The tier {tier} is not modelled here")));
    }
    let mut tags = Tags::new();
    for tag in members.groups("Tags")? {
        tags.insert(tag.required("Key")?.to_string(), tag.required("Value")?.to_string());
    }
    let overwrite = members.flag("Overwrite")?.unwrap_or(false);
    if overwrite && !tags.is_empty() {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter \
             with tags, please remove overwrite flag. To update tags for an existing parameter, \
             please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    Ok(Wanted {
        name: name.to_string(),
        value: value.to_string(),
        kind: kind.map(str::to_string),
        data_type: data_type.to_string(),
        description: members.text("Description")?.map(str::to_string),
        overwrite,
        tags,
    })
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let path = name.strip_prefix('/').unwrap_or(name).to_ascii_lowercase();
    if path.starts_with("aws") {
        let text = format!("No access to reserved parameter name: {name}.");
        return Err(ApiError::bad("AccessDeniedException", text));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let is_path = !name.contains('/') || name.starts_with('/');
    let well_formed = !name.is_empty() && name.chars().all(fits) && is_path;
    if !well_formed || path.starts_with("ssm") || name.contains("//") || name.ends_with('/') {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a \
             path, it can consist of sub-paths divided by slash symbol; each sub-path can be \
             formed as a mix of letters, numbers and the following 3 symbols .-_",
        ));
    }
    if name.len() > NAME_MAX {
        return Err(invalid(format!("A parameter name has at most {NAME_MAX} characters")));
    }
    if path.split('/').count() > LEVELS_MAX {
        let text = format!("A parameter name has at most {LEVELS_MAX} levels");
        return Err(ApiError::bad("HierarchyLevelLimitExceededException", text));
    }
    Ok(())
}

pub fn put(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let wanted = read(members)?;
    members.finish()?;
    let mut needed = wants(call, [wanted.name.as_str()]);
    if !wanted.tags.is_empty() {
        let arn = super::arn(&call.scope, &wanted.name);
        needed.push(Want::new("ssm:AddTagsToResource", arn).request_tags(&wanted.tags));
    }
    model.permit(call, &needed)?;
    let may_describe = model.allows(call, &Want::anywhere("ec2:DescribeImages"));
    let now = model.now;
    let parameter = find_or_make(&mut region(model, &call.scope).parameters, &wanted)?;
    let operation = if parameter.last_number == 0 { "Create" } else { "Update" };
    parameter.last_number += 1;
    let number = parameter.last_number;
    let kind = parameter.kind.clone();
    let version = Version {
        number,
        value: wanted.value,
        data_type: wanted.data_type,
        changed_at: now,
        changed_by: call.caller.arn.clone(),
    };
    let Wanted { name, description, .. } = wanted;
    let pending = Pending { name, kind, description, version, operation, may_describe };
    accept(model, &call.scope, pending);
    Ok(json!({ "Version": number, "Tier": "Standard" }))
}

fn find_or_make<'a>(
    parameters: &'a mut BTreeMap<String, Parameter>,
    wanted: &Wanted,
) -> Result<&'a mut Parameter, ApiError> {
    match parameters.entry(wanted.name.clone()) {
        Entry::Occupied(known) => {
            check_overwrite(known.get(), wanted)?;
            Ok(known.into_mut())
        }
        Entry::Vacant(vacant) => {
            let Some(kind) = wanted.kind.clone() else {
                let text = "A parameter type is required when you create a parameter.";
                return Err(invalid(text));
            };
            Ok(vacant.insert(Parameter { kind, ..Parameter::default() }))
        }
    }
}

/// A text is in force at once; an image is looked for first.
fn accept(model: &mut Model, scope: &Scope, pending: Pending) {
    let is_image = pending.version.data_type == IMAGE;
    let waits = is_image && model.config.quirks.image_parameter_waits;
    if let Some(parameter) = region(model, scope).parameters.get_mut(&pending.name) {
        if waits {
            parameter.waiting.insert((pending.version.number, pending.version.changed_at));
        } else {
            take_effect(parameter, &pending);
        }
    }
    if is_image {
        let delay = model.config.pace.parameter_validation;
        let scope = scope.clone();
        model.after(delay, "ssm: image of a parameter is looked for", move |model| {
            validate(model, &scope, pending);
        });
    } else {
        tell(model, scope, &pending.name, &pending.kind, pending.operation);
    }
}

fn check_overwrite(known: &Parameter, wanted: &Wanted) -> Result<(), ApiError> {
    if !wanted.overwrite {
        let text = "The parameter already exists. To overwrite this value, set the overwrite \
                    option in the request to true.";
        return Err(ApiError::bad("ParameterAlreadyExists", text));
    }
    match &wanted.kind {
        Some(kind) if *kind != known.kind => Err(ApiError::bad(
            "HierarchyTypeMismatchException",
            format!("The parameter is of the type {}, which cannot be changed", known.kind),
        )),
        _ => Ok(()),
    }
}

/// The version becomes the value of the parameter. Versions may have overtaken it.
fn take_effect(parameter: &mut Parameter, pending: &Pending) {
    if pending.description.is_some() {
        parameter.description.clone_from(&pending.description);
    }
    parameter.versions.push(pending.version.clone());
    parameter.versions.sort_by_key(|version| version.number);
    if parameter.versions.len() > VERSIONS_MAX {
        parameter.versions.remove(0);
    }
}

/// SSM has looked for the image: the version takes effect, or is dropped.
fn validate(model: &mut Model, scope: &Scope, pending: Pending) {
    let image = lookup::image_for(model, scope, &pending.version.value);
    let found = pending.may_describe && image.is_some();
    let parameters = &mut region(model, scope).parameters;
    let ticket = (pending.version.number, pending.version.changed_at);
    // It may have been deleted meanwhile, or was in force from the start.
    let parameter = parameters.get_mut(&pending.name);
    if let Some(parameter) = parameter.filter(|known| known.waiting.contains(&ticket)) {
        parameter.waiting.remove(&ticket);
        if found {
            take_effect(parameter, &pending);
        } else if parameter.versions.is_empty() && parameter.waiting.is_empty() {
            parameters.remove(&pending.name);
        }
    }
    let Pending { name, kind, operation, .. } = pending;
    if found {
        tell(model, scope, &name, &kind, operation);
        return;
    }
    let detail = json!({
        "exception": "Unable to Describe Resource",
        "dataType": IMAGE,
        "name": name,
        "type": kind,
        "operation": operation,
    });
    send(model, scope, &name, detail);
}

pub fn delete(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let name = members.required("Name")?;
    members.finish()?;
    model.permit(call, &wants(call, [name]))?;
    match remove(model, &call.scope, name) {
        true => Ok(json!({})),
        false => Err(not_found()),
    }
}

fn remove(model: &mut Model, scope: &Scope, name: &str) -> bool {
    match region(model, scope).parameters.remove(name) {
        Some(parameter) => {
            tell(model, scope, name, &parameter.kind, "Delete");
            true
        }
        None => false,
    }
}

pub fn delete_many(
    model: &mut Model,
    call: &Call,
    members: &Members<'_>,
) -> Result<Value, ApiError> {
    let names = super::read::names(members)?;
    members.finish()?;
    model.permit(call, &wants(call, names.iter().copied()))?;
    let (gone, unknown): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| remove(model, &call.scope, name));
    Ok(json!({ "DeletedParameters": gone, "InvalidParameters": unknown }))
}
