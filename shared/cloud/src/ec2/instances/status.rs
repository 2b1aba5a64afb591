//! DescribeInstanceStatus, GetConsoleOutput, GetInstanceUefiData: what is known of a machine from
//! outside of it.

use super::base64;
use super::find;
use super::lifecycle::write_state;
use crate::ec2::furniture::zone_id;
use crate::ec2::network::check_ids;
use crate::ec2::state::{Instance, InstanceState};
use crate::ec2::{filter, types};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::hash;
use crate::kernel::page::Page;
use crate::kernel::query::Fields;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

/// What both status checks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Ok,
    Impaired,
    Initializing,
    InsufficientData,
    NotApplicable,
}

impl Check {
    const fn status(self) -> &'static str {
        match self {
            Check::Ok => "ok",
            Check::Impaired => "impaired",
            Check::Initializing => "initializing",
            Check::InsufficientData => "insufficient-data",
            Check::NotApplicable => "not-applicable",
        }
    }

    /// Of the check `reachability`; a machine that does not run has none.
    const fn reachability(self) -> Option<&'static str> {
        match self {
            Check::Ok => Some("passed"),
            Check::Impaired => Some("failed"),
            Check::Initializing => Some("initializing"),
            Check::InsufficientData => Some("insufficient-data"),
            Check::NotApplicable => None,
        }
    }
}

/// The checks of the instance and of the system under it; the fault is always the instance's.
fn checks(model: &Model, instance: &Instance) -> (Check, Check) {
    let Some(since) = instance.running_since else {
        return (Check::NotApplicable, Check::NotApplicable);
    };
    if instance.state != InstanceState::Running {
        return (Check::NotApplicable, Check::NotApplicable);
    }
    if instance.silent {
        return (Check::InsufficientData, Check::InsufficientData);
    }
    if model.now.since(since) < model.config.pace.status_checks {
        return (Check::Initializing, Check::Initializing);
    }
    (if instance.impaired { Check::Impaired } else { Check::Ok }, Check::Ok)
}

const FILTERS: [&str; 10] = [
    "attached-ebs-status.status",
    "availability-zone",
    "availability-zone-id",
    "instance-state-code",
    "instance-state-name",
    "instance-status.reachability",
    "instance-status.status",
    "system-status.reachability",
    "system-status.status",
    "instance-id",
];

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let ids = filter::ids(fields, "InstanceId");
    let filters = filter::read(fields)?;
    filter::check(&filters, &FILTERS)?;
    let all = fields.flag("IncludeAllInstances")?.unwrap_or(false);
    fields.flag("IncludeManagedResources")?;
    let page = Page::read(&model.config.quirks, fields, &(5..=1000), !ids.is_empty())?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeInstanceStatus")])?;
    let now = model.now;
    let region = model.ec2_region(&call.scope);
    let visible = |instance: &&Instance| instance.visible_at <= now;
    check_ids(Kind::Instance, &ids, |id| region.instances.get(id).as_ref().is_some_and(visible))?;
    let model = &*model;
    let instances = model.ec2.get(&call.scope).into_iter().flat_map(|r| r.instances.values());
    let chosen = instances.filter(visible).filter(|instance| {
        page.after.as_ref().is_none_or(|after| *after < instance.id)
            && (all || instance.state == InstanceState::Running)
            && (ids.is_empty() || ids.contains(&instance.id))
            && filter::passes(&filters, &instance.tags, |name| {
                values(call, instance, checks(model, instance), name)
            })
    });
    let (chosen, next) = page.take(chosen, |instance| &instance.id);
    let mut xml = Xml::new();
    xml.list("instanceStatusSet", chosen, |xml, instance| {
        write(xml, call, instance, checks(model, instance));
    });
    xml.maybe("nextToken", next);
    Ok(xml)
}

fn values(call: &Call, instance: &Instance, checks: (Check, Check), name: &str) -> Vec<String> {
    let reachability = |check: Check| check.reachability().map(str::to_string);
    let (of_instance, of_system) = checks;
    vec![match name {
        "attached-ebs-status.status" => ebs_status(of_system).to_string(),
        "availability-zone" => instance.zone.clone(),
        "availability-zone-id" => zone_id(&call.scope.region, &instance.zone),
        "instance-id" => instance.id.clone(),
        "instance-state-code" => instance.state.code().to_string(),
        "instance-state-name" => instance.state.name().to_string(),
        "instance-status.reachability" => {
            return reachability(of_instance).into_iter().collect();
        }
        "instance-status.status" => of_instance.status().to_string(),
        "system-status.reachability" => return reachability(of_system).into_iter().collect(),
        "system-status.status" => of_system.status().to_string(),
        _ => return Vec::new(),
    }]
}

/// The volumes answer as soon as the system does.
const fn ebs_status(of_system: Check) -> &'static str {
    of_system.status()
}

fn write(xml: &mut Xml, call: &Call, instance: &Instance, checks: (Check, Check)) {
    let (of_instance, of_system) = checks;
    xml.leaf("instanceId", &instance.id).leaf("availabilityZone", &instance.zone);
    xml.leaf("availabilityZoneId", zone_id(&call.scope.region, &instance.zone));
    xml.node("instanceState", |xml| write_state(xml, instance.state));
    let all = [
        ("instanceStatus", of_instance),
        ("systemStatus", of_system),
        ("attachedEbsStatus", of_system),
    ];
    for (name, check) in all {
        xml.node(name, |xml| {
            xml.leaf("status", check.status());
            if let Some(reachability) = check.reachability() {
                xml.list("details", [reachability], |xml, reachability| {
                    xml.leaf("name", "reachability").leaf("status", reachability);
                });
            }
        });
    }
}

pub fn console_output(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("InstanceId")?.to_string();
    let latest = fields.flag("Latest")?.unwrap_or(false);
    fields.finish()?;
    let instance = find(model, &call.scope, &id)?;
    let want = Want::new("ec2:GetConsoleOutput", call.arn(Kind::Instance, &id));
    model.permit(call, &[want.resource_tags(&instance.tags)])?;
    let nitro = types::find(&instance.instance_type).is_some_and(types::InstanceType::is_nitro);
    if latest && !nitro {
        let text = format!(
            "The instance type '{}' does not support the latest console output",
            instance.instance_type
        );
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    let shown_at = instance.running_since.map(|since| since + model.config.pace.console_output);
    let shown_at = shown_at.filter(|at| *at <= model.now);
    let output = shown_at.map(|_| boot_text(&instance)).unwrap_or_default();
    let mut xml = Xml::new();
    xml.leaf("instanceId", &id);
    xml.leaf("timestamp", shown_at.unwrap_or(model.now).to_millis_text());
    xml.leaf("output", base64::encode(output.as_bytes()));
    Ok(xml)
}

/// The last lines that a machine of the kind writes when it has booted, or when it cannot.
fn boot_text(instance: &Instance) -> String {
    let host = instance.private_ip.replace('.', "-");
    let since = instance.running_since.map(Time::to_seconds_text).unwrap_or_default();
    let root = instance.platform.root_device_name.as_deref().unwrap_or("/dev/xvda");
    match (instance.platform.platform.as_deref(), instance.impaired) {
        (Some("windows"), false) => format!("{since}: Message: Windows is Ready to use\r\n"),
        (Some("windows"), true) => format!("{since}: Launch: EC2 Launch has been started\r\n"),
        (_, false) => format!(
            "[    0.000000] Linux version 6.1.0 (world)\n\
             [    1.204816] EXT4-fs ({root}): mounted filesystem with ordered data mode\n\
             ip-{host} login: \n"
        ),
        (_, true) => format!(
            "[    0.000000] Linux version 6.1.0 (world)\n\
             [    4.018233] VFS: Cannot open root device \"{root}\"\n\
             [    4.018290] Kernel panic - not syncing: VFS: Unable to mount root fs\n"
        ),
    }
}

pub fn uefi_data(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("InstanceId")?.to_string();
    fields.finish()?;
    let instance = find(model, &call.scope, &id)?;
    let want = Want::new("ec2:GetInstanceUefiData", call.arn(Kind::Instance, &id));
    model.permit(call, &[want.resource_tags(&instance.tags)])?;
    if instance.current_boot_mode != "uefi" {
        let text = format!("The instance '{id}' was not booted in UEFI mode");
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        let text = format!("The instance '{id}' is not in the 'running' or 'stopped' state.");
        return Err(ApiError::bad("IncorrectInstanceState", text));
    }
    let mut xml = Xml::new();
    xml.leaf("instanceId", &id).leaf("uefiData", variables(&instance));
    Ok(xml)
}

/// The store that the image brought along; else a blank one, which differs between machines.
pub fn variables(instance: &Instance) -> String {
    let own = || {
        let mut bytes = b"AMZNUEFI".to_vec();
        bytes.extend(
            (0_u8..8).flat_map(|n| hash::of_texts(&[&instance.id, &n.to_string()]).to_be_bytes()),
        );
        base64::encode(&bytes)
    };
    instance.platform.uefi_data.clone().unwrap_or_else(own)
}
