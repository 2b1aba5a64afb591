//! DescribeImageReferences: what of the account still names an image.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Call, Want};
use crate::ec2::page::Page;
use crate::ec2::state::InstanceState;
use crate::ec2::{arn, filter, well_formed};
use crate::error::{ApiError, Kind};
use crate::model::{Model, Scope};
use crate::query::Fields;
use crate::ssm;
use crate::xml::Xml;

const RESOURCE_TYPES: [&str; 5] = [
    "ec2:Instance",
    "ec2:LaunchTemplate",
    "ssm:Parameter",
    "imagebuilder:ImageRecipe",
    "imagebuilder:ContainerRecipe",
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
    /// The states of instances that count; all but the terminated, unless told.
    states: Option<Vec<String>>,
}

fn read(fields: &Fields) -> Result<Asked, ApiError> {
    let images = filter::ids(fields, "ImageId");
    if images.is_empty() {
        return Err(ApiError::missing_parameter("ImageId"));
    }
    for id in &images {
        well_formed(Kind::Image, id)?;
    }
    let mut types = BTreeSet::new();
    let mut states = None;
    for group in fields.groups("ResourceType") {
        let name = group.required("ResourceType")?;
        let known = RESOURCE_TYPES.into_iter().find(|known| *known == name);
        let Some(known) = known else {
            return Err(group.invalid("ResourceType", name, "There is no such type."));
        };
        types.insert(known);
        for option in group.groups("ResourceTypeOption") {
            let values = option.list("OptionValue");
            match option.required("OptionName")? {
                "state-name" => states = Some(values),
                "version-depth" => {}
                other => return Err(option.invalid("OptionName", other, "Unknown option.")),
            }
        }
    }
    if fields.flag("IncludeAllResourceTypes")?.unwrap_or(false) {
        types.extend(RESOURCE_TYPES);
    }
    if types.is_empty() {
        return Err(ApiError::missing_parameter("ResourceType"));
    }
    Ok(Asked { images, types, states })
}

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let asked = read(fields)?;
    let page = Page::read(fields, &(1..=1000), false)?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeImageReferences")])?;
    let mut references = instances(model, &call.scope, &asked);
    references.extend(launch_templates(model, &call.scope, &asked.images));
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
        None => state != InstanceState::Terminated,
    };
    let instances = model.ec2_region(scope).instances.values();
    let naming = instances.filter(|i| asked.images.contains(&i.image_id) && counts(i.state));
    let references = naming.map(|instance| Reference {
        image_id: instance.image_id.clone(),
        resource_type: "ec2:Instance",
        arn: arn(scope, Kind::Instance, &instance.id),
    });
    references.collect()
}

/// Launch templates that name one of the images.
fn launch_templates(
    _model: &mut Model,
    _scope: &Scope,
    _images: &BTreeSet<String>,
) -> Vec<Reference> {
    Vec::new()
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
