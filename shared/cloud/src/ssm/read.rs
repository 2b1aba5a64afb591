//! Parameters read: by name, by version, by path.

use serde_json::{Value, json};

use super::state::{Parameter, Version};
use super::{Named, PUBLIC, arn, not_found, public, region, wants};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::kernel::scope::Scope;
use crate::model::Model;

/// The most names in one call.
const NAMES_MAX: usize = 10;

/// `Names`, of which there are at most ten.
pub fn names<'a>(members: &Members<'a>) -> Result<Vec<&'a str>, ApiError> {
    let names = members.texts("Names")?;
    if names.is_empty() || names.len() > NAMES_MAX {
        let bound =
            format!("Member must have length between 1 and {NAMES_MAX}: there are {}", names.len());
        return Err(members.unfit("Names", &format!("[{}]", names.join(", ")), &bound));
    }
    Ok(names)
}

/// A name as a caller gives it: the name itself or the ARN, perhaps with `:version` behind it.
struct Asked<'a> {
    name: String,
    selector: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn parse(scope: &Scope, text: &'a str) -> Asked<'a> {
        let here = arn(scope, "");
        let (local, is_arn) = match text.strip_prefix(&here) {
            Some(local) => (local, true),
            None => (text, false),
        };
        let (name, selector) = match local.split_once(':') {
            Some((name, selector)) if !text.starts_with("arn:") || is_arn => (name, Some(selector)),
            _ => (local, None),
        };
        // The ARN of a path has lost its first slash.
        let name = if is_arn && name.contains('/') { format!("/{name}") } else { name.into() };
        Asked { name, selector }
    }
}

/// A parameter, with the version that was asked for.
fn look_up(model: &mut Model, scope: &Scope, asked: &Asked<'_>) -> Result<Value, ApiError> {
    let own = region(model, scope).parameters.get(&asked.name).cloned();
    let (parameter, home) = match own {
        Some(own) => (own, scope.clone()),
        // Public parameters belong to nobody's account.
        None => (public(scope, &asked.name).ok_or_else(not_found)?, Scope::new("", &scope.region)),
    };
    let version = match asked.selector {
        None => parameter.versions.last(),
        Some(selector) => {
            let number: Option<i64> = selector.parse().ok();
            let found = parameter.versions.iter().find(|one| Some(one.number) == number);
            Some(found.ok_or_else(|| {
                let text = format!(
                    "Systems Manager could not find version {selector} of {}. Verify the version \
                     and try again.",
                    asked.name
                );
                ApiError::bad("ParameterVersionNotFound", text)
            })?)
        }
    };
    let mut shown = shown(&home, &asked.name, &parameter, version.ok_or_else(not_found)?);
    if let Some(selector) = asked.selector {
        shown["Selector"] = json!(format!(":{selector}"));
    }
    Ok(shown)
}

fn shown(scope: &Scope, name: &str, parameter: &Parameter, version: &Version) -> Value {
    json!({
        "Name": name,
        "Type": parameter.kind,
        "Value": version.value,
        "Version": version.number,
        "LastModifiedDate": version.changed_at.epoch_secs(),
        "ARN": arn(scope, name),
        "DataType": version.data_type,
    })
}

/// Finds the parameter that another service names.
pub fn named(model: &mut Model, scope: &Scope, text: &str) -> Option<Named> {
    let found = look_up(model, scope, &Asked::parse(scope, text)).ok()?;
    let member = |name: &str| found[name].as_str().unwrap_or_default().to_string();
    Some(Named { arn: member("ARN"), value: member("Value"), data_type: member("DataType") })
}

pub fn get(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let asked = Asked::parse(&call.scope, members.required("Name")?);
    members.flag("WithDecryption")?;
    members.finish()?;
    model.permit(call, &wants(call, [asked.name.as_str()]))?;
    Ok(json!({ "Parameter": look_up(model, &call.scope, &asked)? }))
}

pub fn get_many(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let names = names(members)?;
    members.flag("WithDecryption")?;
    members.finish()?;
    let asked: Vec<_> = names.iter().map(|name| Asked::parse(&call.scope, name)).collect();
    model.permit(call, &wants(call, asked.iter().map(|one| one.name.as_str())))?;
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for (name, asked) in names.iter().zip(&asked) {
        match look_up(model, &call.scope, asked) {
            Ok(parameter) => found.push(parameter),
            Err(_) => unknown.push(*name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": unknown }))
}

/// Those that are on the page that `MaxResults` and `NextToken` ask for, and the next token: the
/// name of the last one shown.
fn page(
    members: &Members<'_>,
    most: i64,
    names: Vec<String>,
) -> Result<(Vec<String>, Option<String>), ApiError> {
    let limit = members.integer("MaxResults")?.unwrap_or(10);
    if !(1..=most).contains(&limit) {
        let bound = format!("Member must have value between 1 and {most}");
        return Err(members.unfit("MaxResults", &limit.to_string(), &bound));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let after = members.text("NextToken")?.unwrap_or_default();
    let mut rest = names.into_iter().filter(|name| name.as_str() > after);
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last().cloned());
    Ok((page, next))
}

pub fn get_by_path(
    model: &mut Model,
    call: &Call,
    members: &Members<'_>,
) -> Result<Value, ApiError> {
    let path = members.required("Path")?;
    if !path.starts_with('/') {
        let text = "The parameter doesn't meet the parameter name requirements. The parameter \
                    name must begin with a forward slash \"/\".";
        return Err(ApiError::bad("ValidationException", text));
    }
    let recursive = members.flag("Recursive")?.unwrap_or(false);
    members.flag("WithDecryption")?;
    let folder = format!("{}/", path.trim_end_matches('/'));
    let is_in = |name: &&str| {
        let rest = name.strip_prefix(&folder);
        rest.is_some_and(|rest| recursive || !rest.contains('/'))
    };
    let own = region(model, &call.scope).parameters.iter();
    let own = own.filter(|(_, parameter)| !parameter.versions.is_empty());
    let public = PUBLIC.iter().map(|(name, ..)| *name);
    let mut names: Vec<String> =
        own.map(|(name, _)| name.as_str()).chain(public).filter(is_in).map(Into::into).collect();
    names.sort();
    let (names, next) = page(members, 10, names)?;
    members.finish()?;
    let asked = path.trim_end_matches('/');
    model.permit(call, &wants(call, [if asked.is_empty() { "/" } else { asked }]))?;
    let mut found = Vec::new();
    for name in names {
        found.push(look_up(model, &call.scope, &Asked { name, selector: None })?);
    }
    Ok(with_token(json!({ "Parameters": found }), next))
}

fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}

pub fn describe(model: &mut Model, call: &Call, members: &Members<'_>) -> Result<Value, ApiError> {
    let own = region(model, &call.scope).parameters.iter();
    let own = own.filter(|(_, parameter)| !parameter.versions.is_empty());
    let names = own.map(|(name, _)| name.clone()).collect();
    let (names, next) = page(members, 50, names)?;
    members.finish()?;
    model.permit(call, &[Want::anywhere("ssm:DescribeParameters")])?;
    let region = region(model, &call.scope);
    let mut described = Vec::new();
    for name in names {
        let Some(parameter) = region.parameters.get(&name) else { continue };
        let Some(version) = parameter.versions.last() else { continue };
        let mut entry = json!({
            "Name": name,
            "ARN": arn(&call.scope, &name),
            "Type": parameter.kind,
            "LastModifiedDate": version.changed_at.epoch_secs(),
            "LastModifiedUser": version.changed_by,
            "Version": version.number,
            "Tier": "Standard",
            "Policies": [],
            "DataType": version.data_type,
        });
        if let Some(description) = &parameter.description {
            entry["Description"] = json!(description);
        }
        described.push(entry);
    }
    Ok(with_token(json!({ "Parameters": described }), next))
}
