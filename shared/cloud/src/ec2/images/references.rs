//! DescribeImageReferences: what of the account still names an image.

use std::collections::{BTreeMap, BTreeSet};

use crate::ec2::state::InstanceState;
use crate::ec2::{filter, well_formed};
use crate::kernel::access::{Call, Want};
use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;
use crate::ssm;

const RESOURCE_TYPES: [&str; 5] = [
    "ec2:Instance",
    "ec2:LaunchTemplate",
    "ssm:Parameter",
    "imagebuilder:ImageRecipe",
    "imagebuilder:ContainerRecipe",
];

/// Templates are looked at so many versions deep, unless told.
const VERSION_DEPTH: usize = 10;
const IMAGES_MAX: usize = 10;

/// What looking for references needs beside the action itself, for each type that is looked at.
/// The service behind the call makes these calls for the caller, which policies may insist on.
const NEEDS: [(&str, &[&str]); 5] = [
    ("ec2:Instance", &["ec2:DescribeInstances"]),
    ("ec2:LaunchTemplate", &["ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"]),
    ("ssm:Parameter", &["ssm:DescribeParameters", "ssm:GetParameters"]),
    ("imagebuilder:ImageRecipe", &["imagebuilder:ListImageRecipes"]),
    (
        "imagebuilder:ContainerRecipe",
        &["imagebuilder:ListContainerRecipes", "imagebuilder:GetContainerRecipe"],
    ),
];

/// One thing that names an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub image_id: String,
    pub resource_type: &'static str,
    pub arn: String,
}

/// What the call asks for.
struct Asked {
    images: BTreeSet<String>,
    types: BTreeSet<&'static str>,
    /// The states of instances that count; all, unless told.
    states: Option<Vec<String>>,
    /// How many versions of a template count, from the latest on.
    depth: usize,
}

fn read(fields: &Fields) -> Result<Asked, ApiError> {
    let images = filter::ids(fields, "ImageId");
    if images.is_empty() {
        return Err(ApiError::missing_parameter("ImageId"));
    }
    if images.len() > IMAGES_MAX {
        let text = format!("At most {IMAGES_MAX} images can be looked for in one call");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    for id in &images {
        well_formed(Kind::Image, id)?;
    }
    let mut types = BTreeSet::new();
    let (mut states, mut depth) = (None, VERSION_DEPTH);
    for group in fields.groups("ResourceType") {
        let name = group.required("ResourceType")?;
        let known = RESOURCE_TYPES.into_iter().find(|known| *known == name);
        let Some(known) = known else {
            return Err(group.invalid("ResourceType", name, "There is no such type."));
        };
        types.insert(known);
        for option in group.groups("ResourceTypeOption") {
            match (known, option.required("OptionName")?) {
                ("ec2:Instance", "state-name") => states = Some(read_states(&option)?),
                ("ec2:LaunchTemplate", "version-depth") => depth = read_depth(&option)?,
                (_, other) => {
                    let why = "The resource type has no such option.";
                    return Err(option.invalid("OptionName", other, why));
                }
            }
        }
    }
    if fields.flag("IncludeAllResourceTypes")?.unwrap_or(false) {
        types.extend(RESOURCE_TYPES);
    }
    if types.is_empty() {
        return Err(ApiError::missing_parameter("ResourceType"));
    }
    Ok(Asked { images, types, states, depth })
}

fn read_states(option: &Fields) -> Result<Vec<String>, ApiError> {
    let states = option.list("OptionValue");
    let known = ["pending", "running", "shutting-down", "terminated", "stopping", "stopped"];
    match states.iter().find(|state| !known.contains(&state.as_str())) {
        None => Ok(states),
        Some(other) => Err(option.invalid("OptionValue", other, "There is no such state.")),
    }
}

fn read_depth(option: &Fields) -> Result<usize, ApiError> {
    let values = option.list("OptionValue");
    let depth = match values.as_slice() {
        [value] => value.parse().ok().filter(|depth| (1..=10_000).contains(depth)),
        _ => None,
    };
    depth.ok_or_else(|| {
        option.invalid("OptionValue", &values.join(", "), "Expecting a number from 1 to 10000.")
    })
}

fn wants(asked: &Asked) -> Vec<Want> {
    let needs = NEEDS.into_iter().filter(|(kind, _)| asked.types.contains(kind));
    let needs = needs
        .flat_map(|(_, actions)| actions)
        .map(|action| Want::anywhere(action).key("aws:CalledVia", "ec2-images.amazonaws.com"));
    [Want::anywhere("ec2:DescribeImageReferences")].into_iter().chain(needs).collect()
}

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let asked = read(fields)?;
    let page = Page::read(&model.config.quirks, fields, &(5..=1000), false)?;
    fields.finish()?;
    model.permit(call, &wants(&asked))?;
    let mut references = instances(model, &call.scope, &asked);
    references.extend(launch_templates(model, &call.scope, &asked));
    references.extend(parameters(model, &call.scope, &asked.images));
    references.retain(|reference| asked.types.contains(reference.resource_type));
    let token = |reference: &Reference| format!("{} {}", reference.image_id, reference.arn);
    let rows = references.into_iter().map(|reference| (token(&reference), reference));
    let after = |token: &String| page.after.as_ref().is_none_or(|after| after < token);
    let rows: BTreeMap<String, Reference> = rows.filter(|(token, _)| after(token)).collect();
    let (rows, next) = page.take(rows.into_iter(), |(token, _)| token);
    let mut xml = Xml::new();
    xml.list("imageReferenceSet", rows, |xml, (_, reference)| {
        xml.leaf("imageId", &reference.image_id)
            .leaf("resourceType", reference.resource_type)
            .leaf("arn", &reference.arn);
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

fn instances(model: &mut Model, scope: &Scope, asked: &Asked) -> Vec<Reference> {
    let counts = |state: InstanceState| match &asked.states {
        Some(states) => states.iter().any(|wanted| wanted == state.name()),
        None => true,
    };
    let instances = model.ec2_region(scope).instances.values();
    let naming = instances.filter(|i| asked.images.contains(&i.image_id) && counts(i.state));
    let references = naming.map(|instance| Reference {
        image_id: instance.image_id.clone(),
        resource_type: "ec2:Instance",
        arn: arn::of_ec2(scope, Kind::Instance, &instance.id),
    });
    references.collect()
}

/// Launch templates that name one of the images in one of their latest versions. One that names a
/// parameter instead does not count: the parameter does.
fn launch_templates(model: &mut Model, scope: &Scope, asked: &Asked) -> Vec<Reference> {
    let mut references = Vec::new();
    for template in model.ec2_region(scope).launch_templates.values() {
        for version in template.versions.values().rev().take(asked.depth) {
            let image_id = version.data.launch.image_id.as_ref();
            if let Some(image_id) = image_id.filter(|id| asked.images.contains(*id)) {
                references.push(Reference {
                    image_id: image_id.clone(),
                    resource_type: "ec2:LaunchTemplate",
                    arn: arn::of_ec2(scope, Kind::LaunchTemplate, &template.id),
                });
            }
        }
    }
    references
}

/// Parameters of SSM that name one of the images.
fn parameters(model: &Model, scope: &Scope, images: &BTreeSet<String>) -> Vec<Reference> {
    let naming = |image_id: &String| {
        let arns = ssm::parameters_naming_image(model, scope, image_id).into_iter();
        let image_id = image_id.clone();
        arns.map(move |arn| Reference {
            image_id: image_id.clone(),
            resource_type: "ssm:Parameter",
            arn,
        })
    };
    images.iter().flat_map(naming).collect()
}
