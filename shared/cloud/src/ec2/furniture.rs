//! What a region has beside machines and images: zones and a default network.

use std::collections::BTreeSet;

use super::Region;
use super::filter;
use super::state::{Furniture, Network};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::regions::{self, REGIONS};
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

impl Region {
    /// A region as a new account finds it.
    pub fn furnished(scope: &Scope) -> Region {
        let network = Network::default_of(scope);
        let furniture = Furniture { network, ..Furniture::default() };
        Region { furniture, ..Region::default() }
    }
}

impl Model {
    /// The state of EC2 in a region; a region that nobody used yet has its default furniture.
    pub fn ec2_region(&mut self, scope: &Scope) -> &mut Region {
        self.ec2.entry(scope.clone()).or_insert_with(|| Region::furnished(scope))
    }
}

/// The id of a zone, such as `use1-az2`, which at AWS is the same place for all accounts.
pub fn zone_id(region: &str, zone: &str) -> String {
    let number = regions::zones(region).iter().position(|name| name == zone).unwrap_or_default();
    format!("{}-az{}", short_name(region), number + 1)
}

/// `use1` for us-east-1, `apse2` for ap-southeast-2.
fn short_name(region: &str) -> String {
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let side = match parts.next().unwrap_or_default() {
        "northeast" => "ne",
        "northwest" => "nw",
        "southeast" => "se",
        "southwest" => "sw",
        other => other.get(..1).unwrap_or_default(),
    };
    format!("{area}{side}{}", parts.next().unwrap_or_default())
}

/// Regions that need opting in count as opted in: nothing here can switch a region on.
fn opt_in_status(opt_in: bool) -> &'static str {
    if opt_in { "opted-in" } else { "opt-in-not-required" }
}

pub fn describe_regions(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let names = filter::ids(fields, "RegionName");
    // Every region of this world is usable, so that this asks for no more than without it.
    fields.flag("AllRegions")?;
    let filters = filter::read(fields)?;
    filter::check(&filters, &["endpoint", "opt-in-status", "region-name"])?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeRegions")])?;
    if let Some(unknown) = names.iter().find(|name| !regions::is_known(name)) {
        let text = format!("Invalid region names: [{unknown}]");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let endpoint = |name: &str| format!("ec2.{name}.amazonaws.com");
    let chosen = REGIONS.iter().filter(|(name, opt_in)| {
        let named = names.is_empty() || names.contains(*name);
        named
            && filter::passes(&filters, &Tags::new(), |filter| match filter {
                "endpoint" => vec![endpoint(name)],
                "opt-in-status" => vec![opt_in_status(*opt_in).to_string()],
                "region-name" => vec![name.to_string()],
                _ => Vec::new(),
            })
    });
    let mut xml = Xml::new();
    xml.list("regionInfo", chosen, |xml, (name, opt_in)| {
        xml.leaf("regionName", name).leaf("regionEndpoint", endpoint(name));
        xml.leaf("optInStatus", opt_in_status(*opt_in));
    });
    Ok(xml)
}

const ZONE_FILTERS: [&str; 9] = [
    "group-name",
    "opt-in-status",
    "region-name",
    "state",
    "zone-id",
    "zone-name",
    "zone-type",
    "network-border-group",
    "message",
];

pub fn describe_zones(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let names = filter::ids(fields, "ZoneName");
    let ids = filter::ids(fields, "ZoneId");
    fields.flag("AllAvailabilityZones")?;
    let filters = filter::read(fields)?;
    filter::check(&filters, &ZONE_FILTERS)?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeAvailabilityZones")])?;
    let region = call.scope.region.as_ref();
    let zones = regions::zones(region).map(|name| (zone_id(region, &name), name));
    let known_names: BTreeSet<&str> = zones.iter().map(|(_, name)| name.as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known_names.contains(name.as_str())) {
        let text = format!("Invalid availability zone: [{unknown}]");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    if let Some(unknown) = ids.iter().find(|wanted| zones.iter().all(|(id, _)| id != *wanted)) {
        let text = format!("Invalid availability zone-id: [{unknown}]");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let chosen = zones.iter().filter(|(id, name)| {
        (names.is_empty() || names.contains(name))
            && (ids.is_empty() || ids.contains(id))
            && filter::passes(&filters, &Tags::new(), |filter| {
                let has = match filter {
                    "group-name" => format!("{region}-zg-1"),
                    "network-border-group" | "region-name" => region.to_string(),
                    "opt-in-status" => "opt-in-not-required".to_string(),
                    "state" => "available".to_string(),
                    "zone-id" => id.clone(),
                    "zone-name" => name.clone(),
                    "zone-type" => "availability-zone".to_string(),
                    _ => return Vec::new(),
                };
                vec![has]
            })
    });
    let mut xml = Xml::new();
    xml.list("availabilityZoneInfo", chosen, |xml, (id, name)| {
        xml.leaf("zoneName", name).leaf("zoneId", id).leaf("zoneState", "available");
        xml.leaf("regionName", region).leaf("groupName", format!("{region}-zg-1"));
        xml.leaf("networkBorderGroup", region).leaf("zoneType", "availability-zone");
        xml.leaf("optInStatus", "opt-in-not-required");
    });
    Ok(xml)
}
