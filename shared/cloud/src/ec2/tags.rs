//! Tags: given in create calls, by CreateTags, taken by DeleteTags, and the event of each change.

use serde_json::json;

use super::filter;
use super::{Region, done};
use crate::eventbridge::{self, Event};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::glob::glob;
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

const KEY_LENGTH_MAX: usize = 128;
const VALUE_LENGTH_MAX: usize = 256;
/// CreateTags and DeleteTags take at most this many resources.
const RESOURCES_MAX: usize = 1000;

/// `TagSpecification.N` of a create call: the tags for one kind of resource, checked.
/// A kind that is not among `allowed` is refused.
pub fn specified(
    fields: &Fields,
    allowed: &[Kind],
    limit: usize,
) -> Result<Vec<(Kind, Tags)>, ApiError> {
    let mut all = Vec::new();
    for group in fields.groups("TagSpecification") {
        let name = group.required("ResourceType")?;
        let kind = allowed.iter().copied().find(|kind| kind.resource_type() == name);
        let Some(kind) = kind else {
            let text =
                format!("'{name}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::bad("InvalidParameterValue", text));
        };
        if all.iter().any(|(known, _)| *known == kind) {
            let text = format!("Duplicate resource type '{name}' in tag specifications.");
            return Err(ApiError::bad("InvalidParameterValue", text));
        }
        all.push((kind, read(&group, limit)?));
    }
    Ok(all)
}

/// The tags for one kind out of what [`specified`] read.
pub fn of_kind(specified: &[(Kind, Tags)], kind: Kind) -> Tags {
    let found = specified.iter().find(|(known, _)| *known == kind);
    found.map(|(_, tags)| tags.clone()).unwrap_or_default()
}

/// `Tag.N.Key` and `Tag.N.Value`.
fn read(fields: &Fields, limit: usize) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for group in fields.groups("Tag") {
        let key = group.required("Key")?.to_string();
        let value = group.text("Value").unwrap_or_default().to_string();
        check(&key, &value)?;
        if tags.contains_key(&key) {
            let text = format!("Duplicate tag key '{key}' specified.");
            return Err(ApiError::bad("InvalidParameterValue", text));
        }
        tags.insert(key, value);
    }
    check_count(&tags, limit)?;
    Ok(tags)
}

fn check(key: &str, value: &str) -> Result<(), ApiError> {
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        let text = "Tag keys starting with 'aws:' are reserved for internal use";
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    if key.chars().count() > KEY_LENGTH_MAX {
        let text = format!("Tag key exceeds the maximum length of {KEY_LENGTH_MAX} characters");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    if value.chars().count() > VALUE_LENGTH_MAX {
        let text = format!("Tag value exceeds the maximum length of {VALUE_LENGTH_MAX} characters");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    Ok(())
}

/// Tags that begin with `aws:` do not count towards the limit.
pub fn check_count(tags: &Tags, limit: usize) -> Result<(), ApiError> {
    let count = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    if count > limit {
        let text = format!("The maximum number of Tags for a resource has been reached: {limit}");
        return Err(ApiError::bad("TagLimitExceeded", text));
    }
    Ok(())
}

/// `<tagSet>` of a resource.
pub fn write(xml: &mut Xml, tags: &Tags) {
    if tags.is_empty() {
        return;
    }
    xml.list("tagSet", tags, |xml, (key, value)| {
        xml.leaf("key", key).leaf("value", value);
    });
}

pub fn create(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let limit = model.config.limits.tags_per_resource;
    let ids = resources(fields)?;
    let tags = read(fields, limit)?;
    fields.finish()?;
    if tags.is_empty() {
        return Err(ApiError::missing_parameter("Tag"));
    }
    let changes = changed(model, call, &ids, |before| {
        let mut after = before.clone();
        after.extend(tags.clone());
        after
    })?;
    for (_, _, after) in &changes {
        check_count(after, limit)?;
    }
    let want = |kind: Kind, id: &str, before: &Tags| {
        let want = Want::new("ec2:CreateTags", call.arn(kind, id));
        want.resource_tags(before).request_tags(&tags)
    };
    permit_changes(model, call, &changes, want)?;
    let keys: Vec<String> = tags.keys().cloned().collect();
    store(model, &call.scope, changes, &keys);
    Ok(done())
}

/// A key with a value goes only if it has that value; no keys at all means all tags.
pub fn delete(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = resources(fields)?;
    let mut doomed: Vec<(String, Option<String>)> = Vec::new();
    for group in fields.groups("Tag") {
        let key = group.required("Key")?.to_string();
        let value = group.text("Value").map(str::to_string);
        check(&key, value.as_deref().unwrap_or_default())?;
        doomed.push((key, value));
    }
    fields.finish()?;
    let goes = |key: &str, value: &str| {
        let named = |(k, v): &(String, Option<String>)| {
            k == key && v.as_ref().is_none_or(|wanted| wanted == value)
        };
        !key.starts_with("aws:") && (doomed.is_empty() || doomed.iter().any(named))
    };
    let changes = changed(model, call, &ids, |before| {
        let stays = before.iter().filter(|(key, value)| !goes(key, value));
        stays.map(|(key, value)| (key.clone(), value.clone())).collect()
    })?;
    let want = |kind: Kind, id: &str, before: &Tags| {
        let mut want = Want::new("ec2:DeleteTags", call.arn(kind, id)).resource_tags(before);
        for (key, _) in &doomed {
            want = want.key("aws:TagKeys", key.as_str());
        }
        want
    };
    permit_changes(model, call, &changes, want)?;
    let keys: Vec<String> = doomed.into_iter().map(|(key, _)| key).collect();
    store(model, &call.scope, changes, &keys);
    Ok(done())
}

fn resources(fields: &Fields) -> Result<Vec<String>, ApiError> {
    let ids = fields.list("ResourceId");
    if ids.is_empty() {
        return Err(ApiError::missing_parameter("ResourceId"));
    }
    if ids.len() > RESOURCES_MAX {
        let text = format!("At most {RESOURCES_MAX} resources can be tagged in one call");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    Ok(ids)
}

/// Id, tags before, tags after.
type Change = (String, Tags, Tags);

fn changed(
    model: &mut Model,
    call: &Call,
    ids: &[String],
    change: impl Fn(&Tags) -> Tags,
) -> Result<Vec<Change>, ApiError> {
    let now = model.now;
    let region = model.ec2_region(&call.scope);
    let mut changes = Vec::new();
    for id in ids {
        let Some(kind) = Kind::of_id(id) else {
            let text = format!("The ID '{id}' is not valid");
            return Err(ApiError::bad("InvalidID", text));
        };
        let before = match region.tags_of(id) {
            Some((tags, visible_at)) if visible_at <= now => tags,
            _ => return Err(ApiError::not_found(kind, &[id])),
        };
        changes.push((id.clone(), before.clone(), change(before)));
    }
    Ok(changes)
}

fn permit_changes(
    model: &Model,
    call: &Call,
    changes: &[Change],
    want: impl Fn(Kind, &str, &Tags) -> Want,
) -> Result<(), ApiError> {
    let wants = changes.iter().filter_map(|(id, before, _)| {
        let kind = Kind::of_id(id)?;
        Some(want(kind, id, before))
    });
    model.permit(call, &wants.collect::<Vec<_>>())
}

fn store(model: &mut Model, scope: &Scope, changes: Vec<Change>, keys: &[String]) {
    for (id, before, after) in changes {
        if let Some(tags) = model.ec2_region(scope).tags_of_mut(&id) {
            *tags = after.clone();
        }
        if before != after {
            let gone = before.keys().filter(|key| !after.contains_key(*key));
            let named = keys.iter().filter(|key| before.get(*key) != after.get(*key));
            let mut touched: Vec<&String> = named.chain(gone).collect();
            touched.sort();
            touched.dedup();
            send_changed(model, scope, &id, &touched, &after);
        }
    }
}

/// Tags that came with a create call send the event too, if the knob says so.
pub fn created(model: &mut Model, scope: &Scope, id: &str, tags: &Tags) {
    if !tags.is_empty() && model.config.quirks.tag_on_create_sends_event {
        send_changed(model, scope, id, &tags.keys().collect::<Vec<_>>(), tags);
    }
}

fn send_changed(model: &mut Model, scope: &Scope, id: &str, keys: &[&String], tags: &Tags) {
    let Some(kind) = Kind::of_id(id) else { return };
    let versions = &mut model.ec2_region(scope).tag_versions;
    let version = versions.entry(id.to_string()).and_modify(|v| *v += 1).or_insert(1);
    let detail = json!({
        "changed-tag-keys": keys,
        "service": "ec2",
        "resource-type": kind.resource_type(),
        "version": *version,
        "tags": tags,
    });
    // Unlike the resource's ARN elsewhere, this one carries the account for every kind.
    let (region, account) = (&scope.region, &scope.account);
    let resource = format!("arn:aws:ec2:{region}:{account}:{}/{id}", kind.resource_type());
    let event = Event::new("aws.tag", "Tag Change on Resource", vec![resource], detail);
    eventbridge::put::emit(model, scope, event);
}

impl Region {
    /// The tags of any resource of the region, and since when it is visible.
    pub fn tags_of(&self, id: &str) -> Option<(&Tags, crate::kernel::time::Time)> {
        match Kind::of_id(id)? {
            Kind::Instance => self.instances.get(id).map(|i| (&i.tags, i.visible_at)),
            Kind::Volume => self.volumes.get(id).map(|v| (&v.tags, v.visible_at)),
            Kind::Snapshot => self.snapshots.get(id).map(|s| (&s.tags, s.visible_at)),
            Kind::Image => self.images.get(id).map(|i| (&i.tags, i.visible_at)),
            Kind::SecurityGroup => {
                self.furniture.network.groups.get(id).map(|g| (&g.tags, g.visible_at))
            }
            Kind::LaunchTemplate => self.launch_templates.get(id).map(|t| (&t.tags, t.visible_at)),
            Kind::Vpc => {
                let network = &self.furniture.network;
                (network.vpc_id == id)
                    .then(|| (&network.vpc_tags, crate::kernel::time::Time::default()))
            }
            Kind::Subnet => {
                let subnet = self.furniture.network.subnet(id);
                subnet.map(|subnet| (&subnet.tags, crate::kernel::time::Time::default()))
            }
            Kind::NetworkInterface => None,
        }
    }

    fn tags_of_mut(&mut self, id: &str) -> Option<&mut Tags> {
        match Kind::of_id(id)? {
            Kind::Instance => self.instances.get_mut(id).map(|i| &mut i.tags),
            Kind::Volume => self.volumes.get_mut(id).map(|v| &mut v.tags),
            Kind::Snapshot => self.snapshots.get_mut(id).map(|s| &mut s.tags),
            Kind::Image => self.images.get_mut(id).map(|i| &mut i.tags),
            Kind::SecurityGroup => self.furniture.network.groups.get_mut(id).map(|g| &mut g.tags),
            Kind::LaunchTemplate => self.launch_templates.get_mut(id).map(|t| &mut t.tags),
            Kind::Vpc => {
                let network = &mut self.furniture.network;
                (network.vpc_id == id).then_some(&mut network.vpc_tags)
            }
            Kind::Subnet => {
                let mut subnets = self.furniture.network.subnets.iter_mut();
                subnets.find(|subnet| subnet.id == id).map(|subnet| &mut subnet.tags)
            }
            Kind::NetworkInterface => None,
        }
    }
}

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let filters = filter::read(fields)?;
    filter::check(&filters, &["key", "value", "resource-id", "resource-type"])?;
    let page = Page::read(&model.config.quirks, fields, &(5..=1000), false)?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeTags")])?;
    let now = model.now;
    let region = model.ec2_region(&call.scope);
    let mut rows = Vec::new();
    for (id, tags) in region.tagged(now) {
        let kind = Kind::of_id(id).map(Kind::resource_type).unwrap_or_default();
        for (key, value) in tags {
            let fits = filters.iter().all(|filter| {
                let has = match filter.name.as_str() {
                    "key" | "tag-key" => key.as_str(),
                    "value" => value.as_str(),
                    "resource-id" => id,
                    "resource-type" => kind,
                    name => {
                        let named = name.strip_prefix("tag:") == Some(key.as_str());
                        return named && filter.values.iter().any(|wanted| glob(wanted, value));
                    }
                };
                filter.values.iter().any(|wanted| glob(wanted, has))
            });
            let token = format!("{id} {key}");
            if fits && page.after.as_ref().is_none_or(|after| *after < token) {
                rows.push((token, id, kind, key, value));
            }
        }
    }
    rows.sort();
    let (rows, next) = page.take(rows.into_iter(), |row| &row.0);
    let mut xml = Xml::new();
    xml.list("tagSet", rows, |xml, (_, id, kind, key, value)| {
        xml.leaf("resourceId", id).leaf("resourceType", kind).leaf("key", key).leaf("value", value);
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

impl Region {
    /// Every visible resource that can have tags, with its tags.
    fn tagged(&self, now: crate::kernel::time::Time) -> Vec<(&str, &Tags)> {
        let instances = self.instances.values().map(|r| (r.id.as_str(), &r.tags, r.visible_at));
        let volumes = self.volumes.values().map(|r| (r.id.as_str(), &r.tags, r.visible_at));
        let snapshots = self.snapshots.values().map(|r| (r.id.as_str(), &r.tags, r.visible_at));
        let images = self.images.values().map(|r| (r.id.as_str(), &r.tags, r.visible_at));
        let templates = self.launch_templates.values();
        let templates = templates.map(|r| (r.id.as_str(), &r.tags, r.visible_at));
        let network = &self.furniture.network;
        let groups = network.groups.values().map(|r| (r.id.as_str(), &r.tags, r.visible_at));
        let always = crate::kernel::time::Time::default();
        let subnets = network.subnets.iter().map(|r| (r.id.as_str(), &r.tags, always));
        let vpc = [(network.vpc_id.as_str(), &network.vpc_tags, always)];
        let all = instances.chain(volumes).chain(snapshots).chain(images).chain(templates);
        let all = all.chain(groups).chain(subnets).chain(vpc);
        all.filter(|(_, _, at)| *at <= now).map(|(id, tags, _)| (id, tags)).collect()
    }
}
