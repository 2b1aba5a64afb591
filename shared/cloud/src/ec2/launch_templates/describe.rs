//! DescribeLaunchTemplates and DescribeLaunchTemplateVersions.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::{LaunchTemplate, Named, Version, find, read_number};
use crate::ec2::filter::{self, Filter};
use crate::ec2::instances::alias;
use crate::ec2::state::Profile;
use crate::ec2::well_formed;
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

const PAGE: RangeInclusive<i64> = 1..=200;

pub fn templates(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = filter::ids(fields, "LaunchTemplateId");
    let names = filter::ids(fields, "LaunchTemplateName");
    let filters = filter::read(fields)?;
    filter::check(&filters, &["create-time", "launch-template-name"])?;
    let page = Page::read(&model.config.quirks, fields, &PAGE, false)?;
    // No service manages templates here.
    fields.flag("IncludeManagedResources")?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeLaunchTemplates")])?;
    for id in &ids {
        well_formed(Kind::LaunchTemplate, id)?;
    }
    let now = model.now;
    let templates = &model.ec2_region(&call.scope).launch_templates;
    let visible = || templates.values().filter(|template| template.visible_at <= now);
    check_all("InvalidLaunchTemplateId.NotFound", &ids, visible().map(|t| &t.id))?;
    let code = "InvalidLaunchTemplateName.NotFoundException";
    check_all(code, &names, visible().map(|t| &t.name))?;
    let chosen = visible().filter(|template| {
        page.after.as_ref().is_none_or(|after| *after < template.id)
            && (ids.is_empty() || ids.contains(&template.id))
            && (names.is_empty() || names.contains(&template.name))
            && filter::passes(&filters, &template.tags, |name| match name {
                "create-time" => vec![template.created_at.to_millis_text()],
                "launch-template-name" => vec![template.name.clone()],
                _ => Vec::new(),
            })
    });
    let (chosen, next) = page.take(chosen, |template| &template.id);
    let mut xml = Xml::new();
    xml.list("launchTemplates", chosen, |xml, template| template.write(xml));
    xml.maybe("nextToken", next);
    Ok(xml)
}

/// One that is missing fails the call, whichever it is.
fn check_all<'a>(
    code: &str,
    asked: &BTreeSet<String>,
    known: impl Iterator<Item = &'a String>,
) -> Result<(), ApiError> {
    let known: BTreeSet<&String> = known.collect();
    if asked.iter().all(|one| known.contains(one)) {
        return Ok(());
    }
    let text = "At least one of the launch templates specified in the request does not exist.";
    Err(ApiError::bad(code, text))
}

const VERSION_FILTERS: [&str; 14] = [
    "create-time",
    "ebs-optimized",
    "host-resource-group-arn",
    "http-endpoint",
    "http-protocol-ipv4",
    "http-tokens",
    "iam-instance-profile",
    "image-id",
    "instance-type",
    "is-default-version",
    "kernel-id",
    "license-configuration-arn",
    "network-card-index",
    "ram-disk-id",
];

/// Which versions a call asks for.
struct Asked {
    named: Option<Named>,
    versions: Vec<String>,
    least: Option<u64>,
    most: Option<u64>,
    filters: Vec<Filter>,
    resolve_alias: bool,
}

impl Asked {
    fn read(fields: &Fields) -> Result<Asked, ApiError> {
        let number = |name: &str| fields.text(name).map(read_number).transpose();
        let asked = Asked {
            named: Named::read(fields)?,
            versions: fields.list("LaunchTemplateVersion"),
            least: number("MinVersion")?,
            most: number("MaxVersion")?,
            filters: filter::read(fields)?,
            resolve_alias: fields.flag("ResolveAlias")?.unwrap_or(false),
        };
        filter::check(&asked.filters, &VERSION_FILTERS)?;
        fields.flag("IncludeManagedResources")?;
        if asked.named.is_some() {
            return Ok(asked);
        }
        let of_all = |version: &String| matches!(version.as_str(), "$Latest" | "$Default");
        let ranged = asked.least.is_some() || asked.most.is_some();
        if asked.versions.is_empty() || !asked.versions.iter().all(of_all) || ranged {
            let text = "Without a launch template, the versions have to be $Latest or $Default";
            return Err(ApiError::combination(text));
        }
        Ok(asked)
    }

    /// The versions of a template that are asked for by number, and pass the filters.
    fn of<'a>(&self, template: &'a LaunchTemplate) -> Result<Vec<&'a Version>, ApiError> {
        let mut named = BTreeSet::new();
        for version in &self.versions {
            named.insert(template.version(version)?.number);
        }
        let fits = |version: &&Version| {
            (self.versions.is_empty() || named.contains(&version.number))
                && self.least.is_none_or(|least| least <= version.number)
                && self.most.is_none_or(|most| version.number <= most)
                && filter::passes(&self.filters, &Tags::new(), |name| {
                    values(template, version, name)
                })
        };
        Ok(template.versions.values().filter(fits).collect())
    }
}

fn values(template: &LaunchTemplate, version: &Version, name: &str) -> Vec<String> {
    let launch = &version.data.launch;
    let value = match name {
        "create-time" => Some(version.created_at.to_millis_text()),
        "ebs-optimized" => launch.ebs_optimized.map(|flag| flag.to_string()),
        "http-endpoint" => launch.metadata.endpoint.clone(),
        "http-tokens" => launch.metadata.tokens.clone(),
        "iam-instance-profile" => launch.profile.as_ref().map(|profile| match profile {
            Profile::Arn(text) | Profile::Name(text) => text.clone(),
        }),
        "image-id" => launch.image_id.clone(),
        "instance-type" => launch.instance_type.clone(),
        "is-default-version" => Some((version.number == template.default_version).to_string()),
        "kernel-id" => launch.kernel_id.clone(),
        "ram-disk-id" => launch.ramdisk_id.clone(),
        // Nothing that these could match can be said here.
        _ => None,
    };
    value.into_iter().collect()
}

/// A version in a listing, under a text that puts the versions of each template newest first.
struct Row {
    token: String,
    template: LaunchTemplate,
    version: Version,
}

pub fn versions(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let asked = Asked::read(fields)?;
    let page = Page::read(&model.config.quirks, fields, &PAGE, false)?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeLaunchTemplateVersions")])?;
    let now = model.now;
    let templates: Vec<&LaunchTemplate> = match &asked.named {
        Some(named) => vec![find(model, &call.scope, named)?],
        None => {
            let all = model.ec2_region(&call.scope).launch_templates.values();
            all.filter(|template| template.visible_at <= now).collect()
        }
    };
    let mut rows = Vec::new();
    for template in templates {
        for version in asked.of(template)?.into_iter().rev() {
            let token = format!("{} {:020}", template.id, u64::MAX - version.number);
            if page.after.as_ref().is_none_or(|after| *after < token) {
                rows.push(Row { token, template: template.clone(), version: version.clone() });
            }
        }
    }
    let (rows, next) = page.take(rows.into_iter(), |row| &row.token);
    let mut shown = Vec::new();
    for row in rows {
        let alias = row.version.data.launch.image_id.as_deref().filter(|_| asked.resolve_alias);
        let resolved = alias::resolve(model, &call.scope, alias)?;
        if let Some(resolved) = &resolved {
            model.permit(call, std::slice::from_ref(&resolved.want))?;
        }
        shown.push((row, resolved));
    }
    let mut xml = Xml::new();
    xml.list("launchTemplateVersionSet", shown, |xml, (row, resolved)| {
        let image_id = resolved.map(|resolved| resolved.image_id);
        row.template.write_version(xml, &row.version, image_id.as_deref());
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}
