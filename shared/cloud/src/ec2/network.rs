//! The default network of a region: one VPC, one subnet in each zone, the addresses in them.
//!
//! Nothing flows through it. Machines are launched into subnets and security groups, and both are
//! described as at AWS; other networks cannot be made here.

use std::collections::{BTreeMap, BTreeSet};

use super::furniture::zone_id;
use super::state::{Network, SecurityGroup, Subnet};
use super::{filter, tags, well_formed};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::ids;
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::regions;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

const VPC_CIDR: &str = "172.31.0.0/16";
/// In a subnet of 4,096 addresses, the first four and the last are reserved.
const FIRST_ADDRESS: u16 = 4;
const LAST_ADDRESS: u16 = 4094;

impl Network {
    /// The network that every account has in a region, with the same ids in every world.
    pub fn default_of(scope: &Scope) -> Network {
        let id =
            |prefix: &str, name: &str| ids::fixed(prefix, &[&scope.account, &scope.region, name]);
        let zones = regions::zones(&scope.region);
        let subnets = zones.into_iter().zip([0, 16, 32]).map(|(zone, block)| Subnet {
            id: id("subnet", &zone),
            zone,
            tags: Tags::new(),
            block,
            used: BTreeSet::new(),
            last: FIRST_ADDRESS - 1,
        });
        let vpc_id = id("vpc", "default");
        let group = SecurityGroup::default_of(id("sg", "default"), &vpc_id);
        Network {
            subnets: subnets.collect(),
            groups: BTreeMap::from([(group.id.clone(), group)]),
            vpc_id,
            vpc_tags: Tags::new(),
        }
    }

    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.id == id)
    }

    /// Gives out the address `wanted`, or any that is free.
    pub fn take_address(&mut self, id: &str, wanted: Option<&str>) -> Result<String, ApiError> {
        let subnet = self.subnets.iter_mut().find(|subnet| subnet.id == id);
        let Some(subnet) = subnet else {
            return Err(ApiError::not_found(Kind::Subnet, &[id]));
        };
        let number = match wanted {
            None => subnet.next_free().ok_or_else(|| subnet.is_full())?,
            Some(address) => subnet.number(address)?,
        };
        subnet.used.insert(number);
        Ok(subnet.address(number))
    }

    /// Takes back an address of an instance that has gone.
    pub fn give_back(&mut self, id: &str, address: &str) {
        let subnet = self.subnets.iter_mut().find(|subnet| subnet.id == id);
        if let Some(subnet) = subnet
            && let Some(number) = subnet.parse(address)
        {
            subnet.used.remove(&number);
        }
    }
}

impl Subnet {
    fn cidr(&self) -> String {
        format!("172.31.{}.0/20", self.block)
    }

    pub fn free(&self) -> usize {
        usize::from(LAST_ADDRESS - FIRST_ADDRESS + 1).saturating_sub(self.used.len())
    }

    fn next_free(&mut self) -> Option<u16> {
        let after = (self.last + 1)..=LAST_ADDRESS;
        let before = FIRST_ADDRESS..=self.last;
        let found = after.chain(before).find(|number| !self.used.contains(number))?;
        self.last = found;
        Some(found)
    }

    fn is_full(&self) -> ApiError {
        let text = format!("There are not enough free addresses in subnet '{}'.", self.id);
        ApiError::bad("InsufficientFreeAddressesInSubnet", text)
    }

    fn address(&self, number: u16) -> String {
        format!("172.31.{}.{}", self.block + number / 256, number % 256)
    }

    fn parse(&self, address: &str) -> Option<u16> {
        let rest = address.strip_prefix("172.31.")?;
        let (third, fourth) = rest.split_once('.')?;
        let third = u16::from(third.parse::<u8>().ok()?).checked_sub(self.block)?;
        let fourth = u16::from(fourth.parse::<u8>().ok()?);
        (third < 16).then_some(third * 256 + fourth)
    }

    fn number(&self, address: &str) -> Result<u16, ApiError> {
        let number = self.parse(address);
        let number = number.filter(|number| (FIRST_ADDRESS..=LAST_ADDRESS).contains(number));
        match number {
            None => {
                let text = "Address does not fall within the subnet's address range";
                Err(ApiError::bad("InvalidParameterValue", text))
            }
            Some(number) if self.used.contains(&number) => {
                let text = format!("Address {address} is in use.");
                Err(ApiError::bad("InvalidIPAddress.InUse", text))
            }
            Some(number) => Ok(number),
        }
    }
}

/// Ids of a Describe call that are malformed, or name nothing, are its error.
pub fn check_ids<'a>(
    kind: Kind,
    ids: &'a BTreeSet<String>,
    exists: impl Fn(&str) -> bool,
) -> Result<(), ApiError> {
    let mut missing: Vec<&'a str> = Vec::new();
    for id in ids {
        if !exists(well_formed(kind, id)?) {
            missing.push(id);
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(ApiError::not_found(kind, &missing)) }
}

const VPC_FILTERS: [&str; 7] = [
    "cidr",
    "cidr-block-association.cidr-block",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
];

pub fn describe_vpcs(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = filter::ids(fields, "VpcId");
    let filters = filter::read(fields)?;
    filter::check(&filters, &VPC_FILTERS)?;
    // There is one VPC, so that there is one page.
    Page::read(&model.config.quirks, fields, &(5..=1000), !ids.is_empty())?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeVpcs")])?;
    let network = &model.ec2_region(&call.scope).furniture.network;
    check_ids(Kind::Vpc, &ids, |id| id == network.vpc_id)?;
    let account = call.scope.account.as_ref();
    let shown = filter::passes(&filters, &network.vpc_tags, |name| {
        let has = match name {
            "cidr" | "cidr-block-association.cidr-block" => VPC_CIDR,
            "is-default" | "isDefault" => "true",
            "owner-id" => account,
            "state" => "available",
            "vpc-id" => &network.vpc_id,
            _ => return Vec::new(),
        };
        vec![has.to_string()]
    });
    let mut xml = Xml::new();
    xml.list("vpcSet", shown.then_some(network), |xml, network| {
        xml.leaf("vpcId", &network.vpc_id).leaf("ownerId", account).leaf("state", "available");
        xml.leaf("cidrBlock", VPC_CIDR).leaf("dhcpOptionsId", "default");
        xml.leaf("instanceTenancy", "default").flag("isDefault", true);
        tags::write(xml, &network.vpc_tags);
    });
    Ok(xml)
}

const SUBNET_FILTERS: [&str; 12] = [
    "availability-zone",
    "availabilityZone",
    "availability-zone-id",
    "cidr",
    "cidr-block",
    "default-for-az",
    "map-public-ip-on-launch",
    "owner-id",
    "state",
    "subnet-arn",
    "subnet-id",
    "vpc-id",
];

pub fn describe_subnets(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = filter::ids(fields, "SubnetId");
    let filters = filter::read(fields)?;
    filter::check(&filters, &SUBNET_FILTERS)?;
    // There are three subnets, and the smallest page is of five.
    Page::read(&model.config.quirks, fields, &(5..=1000), !ids.is_empty())?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeSubnets")])?;
    let network = &model.ec2_region(&call.scope).furniture.network;
    check_ids(Kind::Subnet, &ids, |id| network.subnet(id).is_some())?;
    let chosen = network.subnets.iter().filter(|subnet| {
        (ids.is_empty() || ids.contains(&subnet.id))
            && filter::passes(&filters, &subnet.tags, |name| {
                subnet_values(call, network, subnet, name)
            })
    });
    let mut xml = Xml::new();
    xml.list("subnetSet", chosen, |xml, subnet| write_subnet(xml, call, network, subnet));
    Ok(xml)
}

/// Answers that there are no elastic addresses: programs that clean up ask which are in use.
pub fn describe_addresses(
    model: &mut Model,
    call: &Call,
    fields: &Fields,
) -> Result<Xml, ApiError> {
    let allocations = filter::ids(fields, "AllocationId");
    let addresses = filter::ids(fields, "PublicIp");
    // Whatever is asked for, there is none.
    filter::read(fields)?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeAddresses")])?;
    if let Some(id) = allocations.first() {
        let text = format!("The allocation ID '{id}' does not exist");
        return Err(ApiError::bad("InvalidAllocationID.NotFound", text));
    }
    if let Some(address) = addresses.first() {
        return Err(ApiError::bad(
            "InvalidAddress.NotFound",
            format!("Address '{address}' not found."),
        ));
    }
    let mut xml = Xml::new();
    xml.node("addressesSet", |_| {});
    Ok(xml)
}

fn subnet_values(call: &Call, network: &Network, subnet: &Subnet, name: &str) -> Vec<String> {
    vec![match name {
        "availability-zone" | "availabilityZone" => subnet.zone.clone(),
        "availability-zone-id" => zone_id(&call.scope.region, &subnet.zone),
        "cidr" | "cidr-block" => subnet.cidr(),
        "default-for-az" | "map-public-ip-on-launch" => "true".to_string(),
        "owner-id" => call.scope.account.to_string(),
        "state" => "available".to_string(),
        "subnet-arn" => call.arn(Kind::Subnet, &subnet.id),
        "subnet-id" => subnet.id.clone(),
        "vpc-id" => network.vpc_id.clone(),
        _ => return Vec::new(),
    }]
}

fn write_subnet(xml: &mut Xml, call: &Call, network: &Network, subnet: &Subnet) {
    xml.leaf("subnetId", &subnet.id).leaf("subnetArn", call.arn(Kind::Subnet, &subnet.id));
    xml.leaf("state", "available").leaf("vpcId", &network.vpc_id);
    xml.leaf("ownerId", &call.scope.account).leaf("cidrBlock", subnet.cidr());
    xml.number("availableIpAddressCount", i128::try_from(subnet.free()).unwrap_or_default());
    xml.leaf("availabilityZone", &subnet.zone);
    xml.leaf("availabilityZoneId", zone_id(&call.scope.region, &subnet.zone));
    xml.flag("defaultForAz", true).flag("mapPublicIpOnLaunch", true);
    xml.flag("assignIpv6AddressOnCreation", false);
    tags::write(xml, &subnet.tags);
}
