//! Describe-, Modify- and ResetImageAttribute: above all, who may launch the image.

use std::collections::BTreeSet;

use super::{describe, own, unavailable};
use crate::ec2::done;
use crate::ec2::snapshots::attributes::write_product_codes;
use crate::ec2::snapshots::description;
use crate::ec2::state::{Grantee, Image, ImageState};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::kms;
use crate::model::Model;

pub fn read_one(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let attribute = fields.required("Attribute")?.to_string();
    let id = fields.required("ImageId")?.to_string();
    fields.finish()?;
    let image = own(model, &call.scope, &id)?.clone();
    let want = image.want(call, &call.scope, "ec2:DescribeImageAttribute");
    model.permit(call, &[want.key("ec2:Attribute", attribute.as_str())])?;
    let mut xml = Xml::new();
    xml.leaf("imageId", &id);
    let platform = &image.platform;
    let value = match attribute.as_str() {
        "launchPermission" => {
            write_permissions(&mut xml, &image);
            return Ok(xml);
        }
        "productCodes" => {
            write_product_codes(&mut xml, &platform.product_codes);
            return Ok(xml);
        }
        "blockDeviceMapping" => {
            describe::write_devices(&mut xml, &image, false);
            return Ok(xml);
        }
        "description" => Some(image.description.clone()).filter(|text| !text.is_empty()),
        "kernel" => platform.kernel_id.clone(),
        "ramdisk" => platform.ramdisk_id.clone(),
        "sriovNetSupport" => platform.sriov.clone(),
        "bootMode" => platform.boot_mode.clone(),
        "tpmSupport" => platform.tpm.clone(),
        "uefiData" => platform.uefi_data.clone(),
        "imdsSupport" => platform.imds.clone(),
        "lastLaunchedTime" => image.last_launched_at.map(Time::to_millis_text),
        "deregistrationProtection" => Some(image.protection.word().to_string()),
        other => return Err(fields.invalid("Attribute", other, "There is no such attribute.")),
    };
    xml.node(&attribute, |xml| {
        xml.maybe("value", value);
    });
    Ok(xml)
}

fn write_permissions(xml: &mut Xml, image: &Image) {
    let all = image.public.then_some(("group", "all"));
    let others = image.launch_permissions.iter().map(|grantee| match grantee {
        Grantee::Account(id) => ("userId", id.as_str()),
        Grantee::Organization(arn) => ("organizationArn", arn.as_str()),
        Grantee::OrganizationalUnit(arn) => ("organizationalUnitArn", arn.as_str()),
    });
    xml.list("launchPermission", all.into_iter().chain(others), |xml, (name, value)| {
        xml.leaf(name, value);
    });
}

/// Whoever is given or denied the launch, and whether everybody is.
#[derive(Clone, Debug, Default)]
struct Group {
    grantees: BTreeSet<Grantee>,
    all: bool,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.grantees.is_empty() && !self.all
    }

    fn add_account(&mut self, id: &str) -> Result<(), ApiError> {
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            let text = format!("Invalid attribute item value \"{id}\" for userId item type.");
            return Err(ApiError::bad("InvalidAMIAttributeItemValue", text));
        }
        self.grantees.insert(Grantee::Account(id.to_string()));
        Ok(())
    }

    fn add_group(&mut self, name: &str) -> Result<(), ApiError> {
        if name != "all" {
            let text = format!("Invalid attribute item value \"{name}\" for group item type.");
            return Err(ApiError::bad("InvalidAMIAttributeItemValue", text));
        }
        self.all = true;
        Ok(())
    }

    /// `UserId`, `Group` and the two ARNs of one entry of a structure.
    fn add_entry(&mut self, entry: &Fields) -> Result<(), ApiError> {
        if let Some(id) = entry.text("UserId") {
            self.add_account(id)?;
        }
        if let Some(name) = entry.text("Group") {
            self.add_group(name)?;
        }
        let organization = entry.text("OrganizationArn").map(str::to_string);
        let unit = entry.text("OrganizationalUnitArn").map(str::to_string);
        self.grantees.extend(organization.map(Grantee::Organization));
        self.grantees.extend(unit.map(Grantee::OrganizationalUnit));
        Ok(())
    }
}

/// The one attribute that a call changes.
enum Change {
    Description(String),
    Imds,
    Launch { add: Group, remove: Group },
}

fn read(fields: &Fields) -> Result<Change, ApiError> {
    if !fields.list("ProductCode").is_empty() {
        let text = "Product codes can only be given by the sellers of the Marketplace.";
        return Err(ApiError::bad("OperationNotPermitted", text));
    }
    let attribute = fields.text("Attribute").unwrap_or_default();
    let value = fields.text("Value");
    let nested = |name: &str| fields.group(name).and_then(|g| g.text("Value").map(str::to_string));
    let given = |name: &str| {
        let flat = value.filter(|_| attribute == name).map(str::to_string);
        let mut capital = name.to_string();
        capital.get_mut(..1).map(str::make_ascii_uppercase);
        nested(&capital).or(flat)
    };
    if !matches!(attribute, "" | "description" | "imdsSupport" | "launchPermission") {
        return Err(fields.invalid("Attribute", attribute, "It cannot be modified."));
    }
    let (add, remove) = read_launch(fields)?;
    let mut changes = Vec::new();
    if let Some(text) = given("description") {
        changes.push(Change::Description(description(Some(&text))?));
    }
    match given("imdsSupport").as_deref() {
        None => {}
        Some("v2.0") => changes.push(Change::Imds),
        Some(other) => return Err(fields.invalid("ImdsSupport", other, "Try v2.0.")),
    }
    if !add.is_empty() || !remove.is_empty() {
        changes.push(Change::Launch { add, remove });
    }
    match (changes.pop(), changes.is_empty()) {
        (Some(change), true) => Ok(change),
        (Some(_), false) => Err(ApiError::combination("Only one attribute can be modified")),
        (None, _) => Err(ApiError::missing_parameter("Attribute")),
    }
}

/// The two ways to say it: as a structure, or as an operation with flat lists.
fn read_launch(fields: &Fields) -> Result<(Group, Group), ApiError> {
    let (mut add, mut remove) = (Group::default(), Group::default());
    if let Some(permission) = fields.group("LaunchPermission") {
        for (name, group) in [("Add", &mut add), ("Remove", &mut remove)] {
            for entry in permission.groups(name) {
                group.add_entry(&entry)?;
            }
        }
    }
    let mut flat = Group::default();
    for id in fields.list("UserId") {
        flat.add_account(&id)?;
    }
    for name in fields.list("UserGroup") {
        flat.add_group(&name)?;
    }
    flat.grantees.extend(fields.list("OrganizationArn").into_iter().map(Grantee::Organization));
    let units = fields.list("OrganizationalUnitArn").into_iter();
    flat.grantees.extend(units.map(Grantee::OrganizationalUnit));
    match fields.text("OperationType") {
        Some("add") => {
            add.grantees.extend(flat.grantees);
            add.all |= flat.all;
        }
        Some("remove") => {
            remove.grantees.extend(flat.grantees);
            remove.all |= flat.all;
        }
        None if flat.is_empty() => {}
        None => return Err(ApiError::missing_parameter("OperationType")),
        Some(other) => return Err(fields.invalid("OperationType", other, "Try add or remove.")),
    }
    Ok((add, remove))
}

pub fn modify(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("ImageId")?.to_string();
    let change = read(fields)?;
    fields.finish()?;
    let image = own(model, &call.scope, &id)?.clone();
    let want = image.want(call, &call.scope, "ec2:ModifyImageAttribute");
    model.permit(call, &[change.describe(want)])?;
    match image.state {
        ImageState::Available => {}
        ImageState::Disabled if !matches!(change, Change::Launch { .. }) => {}
        ImageState::Disabled
        | ImageState::Pending
        | ImageState::Failed
        | ImageState::Deregistered => return Err(unavailable(&image)),
    }
    match change {
        Change::Description(text) => own(model, &call.scope, &id)?.description = text,
        Change::Imds => {
            own(model, &call.scope, &id)?.platform.imds = Some("v2.0".to_string());
        }
        Change::Launch { add, remove } => share(model, call, image, add, &remove)?,
    }
    Ok(done())
}

impl Change {
    /// The condition keys that tell what is to be changed.
    fn describe(&self, want: Want) -> Want {
        let (add, remove) = match self {
            Change::Description(_) => return want.key("ec2:Attribute", "Description"),
            Change::Imds => return want.key("ec2:Attribute", "ImdsSupport"),
            Change::Launch { add, remove } => (add, remove),
        };
        let mut want = want.key("ec2:Attribute", "LaunchPermission");
        for (side, group) in [("Add", add), ("Remove", remove)] {
            for grantee in &group.grantees {
                let (name, value) = match grantee {
                    Grantee::Account(id) => ("userId", id),
                    Grantee::Organization(arn) => ("organizationArn", arn),
                    Grantee::OrganizationalUnit(arn) => ("organizationalUnitArn", arn),
                };
                want = want.key(&format!("ec2:{side}/{name}"), value.as_str());
            }
            if group.all {
                want = want.key(&format!("ec2:{side}/group"), "all");
            }
        }
        want
    }
}

/// An image whose snapshots nobody else could read is not shared; and nothing that is encrypted is
/// shared with everybody.
fn check_keys(model: &mut Model, call: &Call, image: &Image, all: bool) -> Result<(), ApiError> {
    let mut encrypted = image.devices.iter().filter_map(|device| device.ebs.as_ref());
    if all && encrypted.any(|ebs| ebs.encrypted) {
        let text = "Encrypted snapshots can't be shared publicly. Specify another snapshot.";
        return Err(ApiError::bad("UnsupportedOperation", text));
    }
    let default_key = kms::default_ebs_key(model, &call.scope);
    let snapshots = &model.ec2_region(&call.scope).snapshots;
    let mut backing = image.snapshot_ids().filter_map(|id| snapshots.get(id));
    if backing.any(|snapshot| snapshot.kms_key.as_ref() == Some(&default_key)) {
        let text = "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another \
                    snapshot.";
        return Err(ApiError::bad("InvalidParameter", text));
    }
    Ok(())
}

fn share(
    model: &mut Model,
    call: &Call,
    image: Image,
    add: Group,
    remove: &Group,
) -> Result<(), ApiError> {
    if !add.is_empty() {
        check_keys(model, call, &image, add.all)?;
    }
    let limits = &model.config.limits;
    let (shares_max, public_max) = (limits.image_shares, limits.public_images_per_region);
    let region = model.ec2_region(&call.scope);
    let mut grantees = image.launch_permissions.clone();
    grantees.extend(add.grantees);
    grantees.retain(|grantee| !remove.grantees.contains(grantee));
    if grantees.len() > shares_max {
        let text = format!("An image can be shared with {shares_max} entities at most.");
        return Err(ApiError::bad("ResourceLimitExceeded", text));
    }
    let public = (image.public || add.all) && !remove.all;
    let becomes_public = public && !image.public;
    if becomes_public && region.images.values().filter(|it| it.public).count() >= public_max {
        let text = format!("At most {public_max} images of a region can be public.");
        return Err(ApiError::bad("ResourceLimitExceeded", text));
    }
    if let Some(image) = region.images.get_mut(&image.id) {
        image.launch_permissions = grantees;
        image.public = public;
    }
    Ok(())
}

pub fn reset(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("ImageId")?.to_string();
    let attribute = fields.required("Attribute")?.to_string();
    fields.finish()?;
    let image = own(model, &call.scope, &id)?.clone();
    let want = image.want(call, &call.scope, "ec2:ResetImageAttribute");
    model.permit(call, &[want])?;
    if attribute != "launchPermission" {
        return Err(fields.invalid("Attribute", &attribute, "It cannot be reset."));
    }
    if image.state == ImageState::Pending {
        return Err(unavailable(&image));
    }
    let image = own(model, &call.scope, &id)?;
    image.launch_permissions.clear();
    image.public = false;
    Ok(done())
}
