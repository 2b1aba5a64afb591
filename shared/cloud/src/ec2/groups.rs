//! Security groups and their rules. Nothing is let through or kept out here; but a machine that is
//! restored for a drill belongs into a group without rules, and a test can see that it does.

use super::network::check_ids;
use super::state::{InstanceState, Peer, Permission, Rule, SecurityGroup};
use super::{Region, done, filter, tags, well_formed};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::ids;
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// Every protocol, to or from anywhere.
fn all_traffic(peer: Peer) -> Permission {
    Permission { protocol: "-1".to_string(), from: None, to: None, peer }
}

impl SecurityGroup {
    /// The group that instances are in if they are told none: its members reach each other, and
    /// everything.
    pub fn default_of(id: String, vpc_id: &str) -> SecurityGroup {
        let rule = |name: &str, egress, peer| Rule {
            id: ids::fixed("sgr", &[&id, name]),
            egress,
            permission: all_traffic(peer),
            description: None,
        };
        let rules = vec![
            rule("in", false, Peer::Group(id.clone())),
            rule("out", true, Peer::Cidr("0.0.0.0/0".to_string())),
        ];
        SecurityGroup {
            name: "default".to_string(),
            description: "default VPC security group".to_string(),
            vpc_id: vpc_id.to_string(),
            rules,
            tags: Tags::new(),
            visible_at: Time::default(),
            id,
        }
    }
}

const FILTERS: [&str; 7] = [
    "description",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "egress.ip-permission.cidr",
    "owner-id",
    "vpc-id",
];

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = filter::ids(fields, "GroupId");
    let names = filter::ids(fields, "GroupName");
    let filters = filter::read(fields)?;
    filter::check(&filters, &FILTERS)?;
    let page = Page::read(
        &model.config.quirks,
        fields,
        &(5..=1000),
        !ids.is_empty() || !names.is_empty(),
    )?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeSecurityGroups")])?;
    let now = model.now;
    let groups = &model.ec2_region(&call.scope).furniture.network.groups;
    let visible = |group: &&SecurityGroup| group.visible_at <= now;
    check_ids(Kind::SecurityGroup, &ids, |id| groups.get(id).as_ref().is_some_and(visible))?;
    if let Some(name) = names.iter().find(|name| groups.values().all(|g| g.name != **name)) {
        let text = format!("The security group '{name}' does not exist in default VPC");
        return Err(ApiError::bad("InvalidGroup.NotFound", text));
    }
    let account = call.scope.account.as_ref();
    let chosen = groups.values().filter(visible).filter(|group| {
        page.after.as_ref().is_none_or(|after| *after < group.id)
            && (ids.is_empty() || ids.contains(&group.id))
            && (names.is_empty() || names.contains(&group.name))
            && filter::passes(&filters, &group.tags, |name| values(group, account, name))
    });
    let (chosen, next) = page.take(chosen, |group| &group.id);
    let mut xml = Xml::new();
    xml.list("securityGroupInfo", chosen, |xml, group| write(xml, call, group));
    xml.maybe("nextToken", next);
    Ok(xml)
}

fn values(group: &SecurityGroup, account: &str, name: &str) -> Vec<String> {
    let cidrs = |egress| {
        let rules = group.rules.iter().filter(move |rule| rule.egress == egress);
        let cidrs = rules.filter_map(|rule| match &rule.permission.peer {
            Peer::Cidr(cidr) => Some(cidr.clone()),
            Peer::Cidr6(_) | Peer::Group(_) | Peer::PrefixList(_) => None,
        });
        cidrs.collect()
    };
    match name {
        "description" => vec![group.description.clone()],
        "group-id" => vec![group.id.clone()],
        "group-name" => vec![group.name.clone()],
        "ip-permission.cidr" => cidrs(false),
        "egress.ip-permission.cidr" => cidrs(true),
        "owner-id" => vec![account.to_string()],
        "vpc-id" => vec![group.vpc_id.clone()],
        _ => Vec::new(),
    }
}

fn write(xml: &mut Xml, call: &Call, group: &SecurityGroup) {
    xml.leaf("ownerId", &call.scope.account).leaf("groupId", &group.id);
    xml.leaf("groupName", &group.name).leaf("groupDescription", &group.description);
    xml.leaf("vpcId", &group.vpc_id);
    xml.leaf("securityGroupArn", call.arn(Kind::SecurityGroup, &group.id));
    for (name, egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
        let rules = group.rules.iter().filter(|rule| rule.egress == egress);
        xml.list(name, rules, |xml, rule| write_permission(xml, call, rule));
    }
    tags::write(xml, &group.tags);
}

/// One item per rule; AWS may put peers of one protocol and port together, which means the same.
fn write_permission(xml: &mut Xml, call: &Call, rule: &Rule) {
    let permission = &rule.permission;
    xml.leaf("ipProtocol", &permission.protocol);
    xml.maybe("fromPort", permission.from.map(|port| port.to_string()));
    xml.maybe("toPort", permission.to.map(|port| port.to_string()));
    let (list, leaf, value) = match &permission.peer {
        Peer::Cidr(cidr) => ("ipRanges", "cidrIp", cidr),
        Peer::Cidr6(cidr) => ("ipv6Ranges", "cidrIpv6", cidr),
        Peer::PrefixList(id) => ("prefixListIds", "prefixListId", id),
        Peer::Group(id) => ("groups", "groupId", id),
    };
    xml.list(list, [value], |xml, value| {
        if matches!(permission.peer, Peer::Group(_)) {
            xml.leaf("userId", &call.scope.account);
        }
        xml.leaf(leaf, value);
        xml.maybe("description", rule.description.as_ref());
    });
}

pub fn create(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let name = fields.required("GroupName")?.to_string();
    let description = fields.required("GroupDescription")?.to_string();
    let vpc_id = fields.text("VpcId").map(str::to_string);
    let limit = model.config.limits.tags_per_resource;
    let given = tags::specified(fields, &[Kind::SecurityGroup], limit)?;
    fields.finish()?;
    let given = tags::of_kind(&given, Kind::SecurityGroup);
    let network = &model.ec2_region(&call.scope).furniture.network;
    let own_vpc = network.vpc_id.clone();
    if let Some(vpc_id) = vpc_id
        && vpc_id != own_vpc
    {
        well_formed(Kind::Vpc, &vpc_id)?;
        return Err(ApiError::not_found(Kind::Vpc, &[&vpc_id]));
    }
    if name.starts_with("sg-") {
        let text = format!("Invalid group name '{name}': names must not begin with sg-");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let taken = network.groups.values().any(|group| group.name == name);
    let want = Want::new("ec2:CreateSecurityGroup", call.arn(Kind::SecurityGroup, "*"));
    let mut wants = vec![want.request_tags(&given)];
    wants.push(Want::new("ec2:CreateSecurityGroup", call.arn(Kind::Vpc, &own_vpc)));
    wants.extend(call.tag_on_create(Kind::SecurityGroup, &given));
    model.permit(call, &wants)?;
    if taken {
        let text = format!("The security group '{name}' already exists for VPC '{own_vpc}'");
        return Err(ApiError::bad("InvalidGroup.Duplicate", text));
    }
    let id = ids::resource(&mut model.rng, Kind::SecurityGroup);
    let out = Rule {
        id: ids::numbered(&mut model.rng, "sgr"),
        egress: true,
        permission: all_traffic(Peer::Cidr("0.0.0.0/0".to_string())),
        description: None,
    };
    let visible_at = model.visible_from();
    let group = SecurityGroup {
        id: id.clone(),
        name,
        description,
        vpc_id: own_vpc,
        rules: vec![out],
        tags: given.clone(),
        visible_at,
    };
    model.ec2_region(&call.scope).furniture.network.groups.insert(id.clone(), group);
    tags::created(model, &call.scope, &id, &given);
    let mut xml = done();
    xml.leaf("groupId", &id).leaf("securityGroupArn", call.arn(Kind::SecurityGroup, &id));
    tags::write(&mut xml, &given);
    Ok(xml)
}

/// The group that a call names by its id, or by its name in the default VPC.
fn named(model: &mut Model, call: &Call, fields: &Fields) -> Result<SecurityGroup, ApiError> {
    let now = model.now;
    let groups = &model.ec2_region(&call.scope).furniture.network.groups;
    let visible = |group: &&SecurityGroup| group.visible_at <= now;
    if let Some(id) = fields.text("GroupId") {
        well_formed(Kind::SecurityGroup, id)?;
        let found = groups.get(id).filter(visible);
        return found.cloned().ok_or_else(|| ApiError::not_found(Kind::SecurityGroup, &[id]));
    }
    let name = fields.text("GroupName").unwrap_or_default();
    if name.is_empty() {
        let text = "The request must contain the parameter groupName or groupId";
        return Err(ApiError::bad("MissingParameter", text));
    }
    let found = groups.values().filter(visible).find(|group| group.name == name);
    found.cloned().ok_or_else(|| {
        let text = format!("The security group '{name}' does not exist in default VPC");
        ApiError::bad("InvalidGroup.NotFound", text)
    })
}

pub fn delete(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let group = named(model, call, fields)?;
    fields.text("GroupName");
    fields.finish()?;
    let want = Want::new("ec2:DeleteSecurityGroup", call.arn(Kind::SecurityGroup, &group.id));
    model.permit(call, &[want.resource_tags(&group.tags)])?;
    let region = model.ec2_region(&call.scope);
    if group.name == "default" {
        let text = format!("the specified group: '{}' cannot be deleted by a user", group.id);
        return Err(ApiError::bad("CannotDelete", text));
    }
    if is_in_use(region, &group.id) {
        let text = format!("resource {} has a dependent object", group.id);
        return Err(ApiError::bad("DependencyViolation", text));
    }
    region.furniture.network.groups.remove(&group.id);
    let mut xml = done();
    xml.leaf("groupId", &group.id);
    Ok(xml)
}

/// Whether an instance is in the group, or a rule of another group names it.
fn is_in_use(region: &Region, id: &str) -> bool {
    let alive = region.instances.values().filter(|i| i.state != InstanceState::Terminated);
    let mut members = alive.flat_map(|instance| &instance.group_ids);
    let others = region.furniture.network.groups.values().filter(|group| group.id != id);
    let mut peers = others.flat_map(|group| &group.rules).map(|rule| &rule.permission.peer);
    members.any(|member| member == id) || peers.any(|peer| *peer == Peer::Group(id.to_string()))
}

pub fn authorize(
    model: &mut Model,
    call: &Call,
    fields: &Fields,
    egress: bool,
) -> Result<Xml, ApiError> {
    let group = named(model, call, fields)?;
    fields.text("GroupName");
    let permissions = permissions(fields)?;
    fields.finish()?;
    let want = Want::new(&format!("ec2:{}", call.action), call.arn(Kind::SecurityGroup, &group.id));
    model.permit(call, &[want.resource_tags(&group.tags)])?;
    for (permission, _) in &permissions {
        let same = |rule: &&Rule| rule.egress == egress && rule.permission == *permission;
        if group.rules.iter().find(same).is_some() {
            let text = "the specified rule already exists in this security group";
            return Err(ApiError::bad("InvalidPermission.Duplicate", text));
        }
    }
    let mut added = Vec::new();
    for (permission, description) in permissions {
        let id = ids::numbered(&mut model.rng, "sgr");
        added.push(Rule { id, egress, permission, description });
    }
    let groups = &mut model.ec2_region(&call.scope).furniture.network.groups;
    if let Some(group) = groups.get_mut(&group.id) {
        group.rules.extend(added.clone());
    }
    let mut xml = done();
    xml.list("securityGroupRuleSet", &added, |xml, rule| write_rule(xml, call, &group.id, rule));
    Ok(xml)
}

fn write_rule(xml: &mut Xml, call: &Call, group_id: &str, rule: &Rule) {
    xml.leaf("securityGroupRuleId", &rule.id).leaf("groupId", group_id);
    xml.leaf("groupOwnerId", &call.scope.account).flag("isEgress", rule.egress);
    xml.leaf("ipProtocol", &rule.permission.protocol);
    // A rule for every port says -1, unlike the permission that it came from.
    for (name, port) in [("fromPort", rule.permission.from), ("toPort", rule.permission.to)] {
        xml.number(name, port.unwrap_or(-1));
    }
    match &rule.permission.peer {
        Peer::Cidr(cidr) => xml.leaf("cidrIpv4", cidr),
        Peer::Cidr6(cidr) => xml.leaf("cidrIpv6", cidr),
        Peer::PrefixList(id) => xml.leaf("prefixListId", id),
        Peer::Group(id) => xml.node("referencedGroupInfo", |xml| {
            xml.leaf("groupId", id).leaf("userId", &call.scope.account);
        }),
    };
    xml.maybe("description", rule.description.as_ref());
}

pub fn revoke(
    model: &mut Model,
    call: &Call,
    fields: &Fields,
    egress: bool,
) -> Result<Xml, ApiError> {
    let group = named(model, call, fields)?;
    fields.text("GroupName");
    let rule_ids = fields.list("SecurityGroupRuleId");
    let permissions = if rule_ids.is_empty() { permissions(fields)? } else { Vec::new() };
    fields.finish()?;
    let want = Want::new(&format!("ec2:{}", call.action), call.arn(Kind::SecurityGroup, &group.id));
    model.permit(call, &[want.resource_tags(&group.tags)])?;
    let mut doomed = Vec::new();
    let rules = || group.rules.iter().filter(|rule| rule.egress == egress);
    for id in &rule_ids {
        let Some(rule) = rules().find(|rule| rule.id == *id) else {
            let text = format!("The security group rule ID '{id}' does not exist");
            return Err(ApiError::bad("InvalidSecurityGroupRuleId.NotFound", text));
        };
        doomed.push(rule.id.clone());
    }
    for (permission, _) in &permissions {
        let Some(rule) = rules().find(|rule| rule.permission == *permission) else {
            let text = "The specified rule does not exist in this security group.";
            return Err(ApiError::bad("InvalidPermission.NotFound", text));
        };
        doomed.push(rule.id.clone());
    }
    let groups = &mut model.ec2_region(&call.scope).furniture.network.groups;
    if let Some(group) = groups.get_mut(&group.id) {
        group.rules.retain(|rule| !doomed.contains(&rule.id));
    }
    Ok(done())
}

type ToPeer = fn(String) -> Peer;

/// The lists of peers in a permission, and what names each.
const PEERS: [(&str, &str, ToPeer); 4] = [
    ("IpRanges", "CidrIp", Peer::Cidr),
    ("Ipv6Ranges", "CidrIpv6", Peer::Cidr6),
    ("Groups", "GroupId", Peer::Group),
    ("PrefixListIds", "PrefixListId", Peer::PrefixList),
];

/// The permissions of a call, each with one peer, and the description of the rule.
fn permissions(fields: &Fields) -> Result<Vec<(Permission, Option<String>)>, ApiError> {
    let mut all = Vec::new();
    for group in fields.groups("IpPermissions") {
        let base = ports(&group)?;
        for (list, leaf, peer) in PEERS {
            for range in group.groups(list) {
                range.text("UserId");
                let peer = peer(range.required(leaf)?.to_string());
                let description = range.text("Description").map(str::to_string);
                all.push((Permission { peer, ..base.clone() }, description));
            }
        }
    }
    if let Some(cidr) = fields.text("CidrIp") {
        all.push((Permission { peer: Peer::Cidr(cidr.to_string()), ..ports(fields)? }, None));
    }
    if all.is_empty() {
        return Err(ApiError::missing_parameter("ipPermissions"));
    }
    Ok(all)
}

/// Protocol and ports, with a peer that the caller puts in.
fn ports(fields: &Fields) -> Result<Permission, ApiError> {
    let protocol = match fields.required("IpProtocol")? {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "all" => "-1",
        other => other,
    };
    let everything = protocol == "-1";
    let (from, to) = (fields.integer("FromPort")?, fields.integer("ToPort")?);
    Ok(Permission {
        protocol: protocol.to_string(),
        from: from.filter(|_| !everything),
        to: to.filter(|_| !everything),
        peer: Peer::Cidr(String::new()),
    })
}
