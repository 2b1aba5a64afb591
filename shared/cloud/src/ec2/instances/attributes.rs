//! DescribeInstanceAttribute and ModifyInstanceAttribute: one attribute at a time.

use super::launch::{check_user_data, read_shutdown_behavior};
use super::{find, plan};
use crate::ec2::state::{Instance, InstanceState};
use crate::ec2::{Region, done, types, well_formed};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("InstanceId")?.to_string();
    let attribute = fields.required("Attribute")?.to_string();
    fields.finish()?;
    let instance = find(model, &call.scope, &id)?;
    let want = Want::new("ec2:DescribeInstanceAttribute", call.arn(Kind::Instance, &id));
    let want = want.resource_tags(&instance.tags).key("ec2:Attribute", attribute.as_str());
    model.permit(call, &[want])?;
    let region = model.ec2_region(&call.scope);
    let mut xml = Xml::new();
    xml.leaf("instanceId", &id);
    if write(&mut xml, region, &instance, &attribute) {
        return Ok(xml);
    }
    let text =
        format!("Value ({attribute}) for parameter attribute is invalid. Unknown attribute.");
    Err(ApiError::bad("InvalidParameterValue", text))
}

/// Writes the attribute; false if there is none of that name.
fn write(xml: &mut Xml, region: &Region, instance: &Instance, attribute: &str) -> bool {
    let platform = &instance.platform;
    let flag = |flag: bool| Some(flag.to_string());
    let value = match attribute {
        "blockDeviceMapping" => {
            xml.list("blockDeviceMapping", &instance.attachments, |xml, attachment| {
                xml.leaf("deviceName", &attachment.device);
                xml.node("ebs", |xml| {
                    xml.leaf("volumeId", &attachment.volume_id);
                    xml.leaf("status", attachment.state.name());
                    xml.leaf("attachTime", attachment.attached_at.to_millis_text());
                    xml.flag("deleteOnTermination", attachment.delete_on_termination);
                });
            });
            return true;
        }
        "groupSet" => {
            let groups = &region.furniture.network.groups;
            let groups = instance.group_ids.iter().filter_map(|id| groups.get(id));
            xml.list("groupSet", groups, |xml, group| {
                xml.leaf("groupId", &group.id).leaf("groupName", &group.name);
            });
            return true;
        }
        "productCodes" => {
            xml.list("productCodes", &platform.product_codes, |xml, code| {
                xml.leaf("productCode", &code.id).leaf("type", &code.kind);
            });
            return true;
        }
        "disableApiStop" => flag(instance.stop_protection),
        "disableApiTermination" => flag(instance.termination_protection),
        "ebsOptimized" => flag(instance.ebs_optimized),
        "enaSupport" => flag(platform.ena),
        "instanceInitiatedShutdownBehavior" => Some(instance.shutdown_behavior.clone()),
        "instanceType" => Some(instance.instance_type.clone()),
        "kernel" => platform.kernel_id.clone(),
        "ramdisk" => platform.ramdisk_id.clone(),
        "rootDeviceName" => platform.root_device_name.clone(),
        "sourceDestCheck" => flag(instance.source_dest_check),
        "sriovNetSupport" => platform.sriov.clone(),
        "userData" => instance.user_data.clone(),
        _ => return false,
    };
    // An attribute that the instance does not have is there, without a value.
    xml.node(attribute, |xml| {
        xml.maybe("value", value);
    });
    true
}

/// What a call changes.
enum Change {
    StopProtection(bool),
    TerminationProtection(bool),
    EbsOptimized(bool),
    Ena(bool),
    SourceDestCheck(bool),
    Sriov(String),
    Type(String),
    UserData(String),
    ShutdownBehavior(String),
    Groups(Vec<String>),
    /// Device, and whether its volume goes with the instance.
    Devices(Vec<(String, Option<bool>)>),
}

impl Change {
    /// The attribute, as policies name it.
    const fn name(&self) -> &'static str {
        match self {
            Change::StopProtection(_) => "DisableApiStop",
            Change::TerminationProtection(_) => "DisableApiTermination",
            Change::EbsOptimized(_) => "EbsOptimized",
            Change::Ena(_) => "EnaSupport",
            Change::SourceDestCheck(_) => "SourceDestCheck",
            Change::Sriov(_) => "SriovNetSupport",
            Change::Type(_) => "InstanceType",
            Change::UserData(_) => "UserData",
            Change::ShutdownBehavior(_) => "InstanceInitiatedShutdownBehavior",
            Change::Groups(_) => "GroupSet",
            Change::Devices(_) => "BlockDeviceMapping",
        }
    }

    /// What the guest sees only when it boots.
    const fn needs_stopped(&self) -> bool {
        match self {
            Change::EbsOptimized(_)
            | Change::Ena(_)
            | Change::Sriov(_)
            | Change::Type(_)
            | Change::UserData(_) => true,
            Change::StopProtection(_)
            | Change::TerminationProtection(_)
            | Change::SourceDestCheck(_)
            | Change::ShutdownBehavior(_)
            | Change::Groups(_)
            | Change::Devices(_) => false,
        }
    }
}

pub fn modify(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("InstanceId")?.to_string();
    let mut changes = read(fields)?;
    fields.finish()?;
    let (Some(change), None) = (changes.pop(), changes.pop()) else {
        let text = "Exactly one attribute has to be given";
        return Err(ApiError::combination(text));
    };
    let instance = find(model, &call.scope, &id)?;
    let want = Want::new("ec2:ModifyInstanceAttribute", call.arn(Kind::Instance, &id));
    let want = want.resource_tags(&instance.tags).key("ec2:Attribute", change.name());
    model.permit(call, &[want])?;
    if change.needs_stopped() && instance.state != InstanceState::Stopped {
        let text = format!("The instance '{id}' is not in the 'stopped' state.");
        return Err(ApiError::bad("IncorrectInstanceState", text));
    }
    let region = model.ec2_region(&call.scope);
    let changed = apply(region, instance, change)?;
    region.instances.insert(id, changed);
    Ok(done())
}

type OfFlag = fn(bool) -> Change;
type OfText = fn(String) -> Change;

const FLAGS: [(&str, OfFlag); 5] = [
    ("DisableApiStop", Change::StopProtection),
    ("DisableApiTermination", Change::TerminationProtection),
    ("EbsOptimized", Change::EbsOptimized),
    ("EnaSupport", Change::Ena),
    ("SourceDestCheck", Change::SourceDestCheck),
];

const TEXTS: [(&str, OfText); 3] = [
    ("SriovNetSupport", Change::Sriov),
    ("InstanceType", Change::Type),
    ("UserData", Change::UserData),
];

/// `DisableApiStop.Value=true` and so on, or `Attribute=disableApiStop&Value=true`.
fn read(fields: &Fields) -> Result<Vec<Change>, ApiError> {
    let old = match fields.text("Attribute") {
        None => None,
        Some(name) => {
            let mut letters = name.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            Some(first.into_iter().chain(letters).collect::<String>())
        }
    };
    let text = |name: &str| -> Option<String> {
        let value = match &old {
            Some(attribute) if attribute == name => fields.text("Value"),
            _ => None,
        };
        let value = value.or_else(|| fields.text(&format!("{name}.Value")));
        value.or_else(|| fields.text(name)).map(str::to_string)
    };
    let mut changes = Vec::new();
    for (name, make) in FLAGS {
        match text(name).as_deref() {
            None => {}
            Some("true") => changes.push(make(true)),
            Some("false") => changes.push(make(false)),
            Some(other) => return Err(fields.invalid(name, other, "Expected a boolean.")),
        }
    }
    changes.extend(TEXTS.into_iter().filter_map(|(name, make)| text(name).map(make)));
    if let Some(behavior) = read_behavior(fields, text("InstanceInitiatedShutdownBehavior"))? {
        changes.push(Change::ShutdownBehavior(behavior));
    }
    let groups = fields.list("GroupId");
    if !groups.is_empty() {
        changes.push(Change::Groups(groups));
    }
    let devices = read_devices(fields)?;
    if !devices.is_empty() {
        changes.push(Change::Devices(devices));
    }
    Ok(changes)
}

fn read_behavior(fields: &Fields, value: Option<String>) -> Result<Option<String>, ApiError> {
    match value {
        None => read_shutdown_behavior(fields),
        Some(value) if matches!(value.as_str(), "stop" | "terminate") => Ok(Some(value)),
        Some(value) => {
            let why = "It is one of stop, terminate.";
            Err(fields.invalid("InstanceInitiatedShutdownBehavior", &value, why))
        }
    }
}

fn read_devices(fields: &Fields) -> Result<Vec<(String, Option<bool>)>, ApiError> {
    let mut devices = Vec::new();
    for group in fields.groups("BlockDeviceMapping") {
        let device = group.required("DeviceName")?.to_string();
        let goes = match group.group("Ebs") {
            None => None,
            Some(ebs) => {
                ebs.text("VolumeId");
                ebs.flag("DeleteOnTermination")?
            }
        };
        devices.push((device, goes));
    }
    Ok(devices)
}

fn apply(region: &Region, mut instance: Instance, change: Change) -> Result<Instance, ApiError> {
    match change {
        Change::StopProtection(on) => instance.stop_protection = on,
        Change::TerminationProtection(on) => instance.termination_protection = on,
        Change::EbsOptimized(on) => instance.ebs_optimized = on,
        Change::Ena(on) => instance.platform.ena = on,
        Change::SourceDestCheck(on) => instance.source_dest_check = on,
        Change::ShutdownBehavior(behavior) => instance.shutdown_behavior = behavior,
        Change::Sriov(value) => {
            if value != "simple" {
                let text = format!("Value ({value}) for parameter sriovNetSupport is invalid.");
                return Err(ApiError::bad("InvalidParameterValue", text));
            }
            instance.platform.sriov = Some(value);
        }
        Change::Type(name) => {
            let kind = types::required(&name)?;
            instance.current_boot_mode = plan::fit(&instance.platform, kind)?;
            instance.instance_type = name;
        }
        Change::UserData(data) => {
            check_user_data(&data)?;
            instance.user_data = Some(data).filter(|data| !data.is_empty());
        }
        Change::Groups(ids) => {
            for id in &ids {
                well_formed(Kind::SecurityGroup, id)?;
                if !region.furniture.network.groups.contains_key(id) {
                    return Err(ApiError::not_found(Kind::SecurityGroup, &[id]));
                }
            }
            instance.group_ids = ids;
        }
        Change::Devices(devices) => {
            for (device, goes) in devices {
                let found = instance.attachments.iter_mut().find(|found| found.device == device);
                let Some(found) = found else {
                    let text = format!("No device is currently mapped at {device}");
                    return Err(ApiError::bad("InvalidInstanceAttributeValue", text));
                };
                found.delete_on_termination = goes.unwrap_or(found.delete_on_termination);
            }
        }
    }
    Ok(instance)
}
