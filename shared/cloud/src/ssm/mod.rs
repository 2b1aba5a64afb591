//! SSM's parameter store: plain parameters with versions, those that name an image and are checked
//! for it later on, and the public ones that name images of AWS's.

pub mod answer;
mod put;
pub mod read;
pub(crate) mod state;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use state::{Parameter, Region, Version};

use crate::ec2::catalogue;
use crate::eventbridge::{self, Event};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::scope::Scope;
use crate::model::Model;

/// The data type of parameters that name an image.
pub const IMAGE: &str = "aws:ec2:image";

/// A parameter as another service sees it.
#[derive(Clone, Debug)]
pub struct Named {
    pub arn: String,
    pub value: String,
    pub data_type: String,
}

/// The ARNs of the parameters of the account whose value is the image.
pub fn parameters_naming_image(model: &Model, scope: &Scope, image_id: &str) -> Vec<String> {
    let Some(region) = model.ssm.get(scope) else { return Vec::new() };
    let names_it = |parameter: &Parameter| {
        let current = parameter.versions.last();
        current.is_some_and(|version| version.data_type == IMAGE && version.value == image_id)
    };
    let found = region.parameters.iter().filter(|(_, parameter)| names_it(parameter));
    found.map(|(name, _)| arn(scope, name)).collect()
}

fn arn(scope: &Scope, name: &str) -> String {
    let path = name.strip_prefix('/').unwrap_or(name);
    format!("arn:aws:ssm:{}:{}:parameter/{path}", scope.region, scope.account)
}

fn region<'a>(model: &'a mut Model, scope: &Scope) -> &'a mut Region {
    model.ssm.entry(scope.clone()).or_default()
}

/// A want for each parameter that the call names.
fn wants<'a>(call: &Call, names: impl IntoIterator<Item = &'a str>) -> Vec<Want> {
    let action = format!("ssm:{}", call.action);
    names.into_iter().map(|name| Want::new(&action, arn(&call.scope, name))).collect()
}

fn not_found() -> ApiError {
    ApiError::bad("ParameterNotFound", "")
}

/// Tells the account's bus what became of a parameter.
fn tell(model: &mut Model, scope: &Scope, name: &str, kind: &str, operation: &str) {
    let detail = json!({ "name": name, "type": kind, "operation": operation });
    send(model, scope, name, detail);
}

fn send(model: &mut Model, scope: &Scope, name: &str, detail: Value) {
    let resources = vec![arn(scope, name)];
    let event = Event::new("aws.ssm", "Parameter Store Change", resources, detail);
    eventbridge::put::emit(model, scope, event);
}

/// Public parameters, with how the name of the image begins and ends.
const PUBLIC: [(&str, &str, &str); 5] = [
    (
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "al2023-ami-2023.",
        "-x86_64",
    ),
    (
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "al2023-ami-2023.",
        "-arm64",
    ),
    (
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
        "al2023-ami-2023.",
        "-kernel-6.1-x86_64",
    ),
    (
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64",
        "al2023-ami-2023.",
        "-kernel-6.1-arm64",
    ),
    (
        "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base",
        "Windows_Server-2022-English-Full-Base-",
        "",
    ),
];

/// The public parameter of that name, as it is in the region: the newest image it can name.
fn public(scope: &Scope, name: &str) -> Option<Parameter> {
    let (_, begin, end) = PUBLIC.into_iter().find(|(known, ..)| *known == name)?;
    let images = catalogue::images(&scope.region);
    let fits = images.filter(|image| image.name.starts_with(begin) && image.name.ends_with(end));
    let image = fits.max_by(|a, b| a.name.cmp(&b.name))?;
    let version = Version {
        number: 1,
        value: image.id.clone(),
        data_type: IMAGE.to_string(),
        changed_at: image.created_at,
        changed_by: image.owner.clone(),
    };
    Some(Parameter {
        kind: "String".to_string(),
        description: None,
        versions: vec![version],
        last_number: 1,
        waiting: BTreeSet::new(),
    })
}
