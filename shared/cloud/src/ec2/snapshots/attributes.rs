//! Who may make volumes of a snapshot: Describe-, Modify- and ResetSnapshotAttribute.

use std::collections::BTreeSet;

use super::{events, own};
use crate::ec2::state::ProductCode;
use crate::ec2::{done, lookup};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::kms;
use crate::model::Model;

const ACCOUNTS_PER_CALL_MAX: usize = 500;

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let attribute = fields.required("Attribute")?.to_string();
    let id = fields.required("SnapshotId")?.to_string();
    fields.finish()?;
    let shown = lookup::snapshot_for(model, &call.scope, &id);
    if shown.is_some_and(|shown| *shown.owner != *call.scope.account) {
        return Err(ApiError::new(403, "AuthFailure", format!("Not authorized for snapshot:{id}")));
    }
    let snapshot = own(model, &call.scope, &id)?.clone();
    let want = snapshot.want(call, &call.scope, "ec2:DescribeSnapshotAttribute");
    model.permit(call, &[want.key("ec2:Attribute", attribute.as_str())])?;
    let mut xml = Xml::new();
    xml.leaf("snapshotId", &id);
    match attribute.as_str() {
        "createVolumePermission" => {
            let all = snapshot.public.then_some(("group", "all"));
            let accounts = snapshot.volume_permissions.iter().map(|id| ("userId", id.as_str()));
            xml.list("createVolumePermission", all.into_iter().chain(accounts), |xml, item| {
                xml.leaf(item.0, item.1);
            });
        }
        "productCodes" => write_product_codes(&mut xml, &snapshot.product_codes),
        other => return Err(fields.invalid("Attribute", other, "There is no such attribute.")),
    }
    Ok(xml)
}

/// `<productCodes>` of an image, a snapshot or a machine.
pub fn write_product_codes(xml: &mut Xml, codes: &[ProductCode]) {
    xml.list("productCodes", codes, |xml, code| {
        xml.leaf("productCode", &code.id).leaf("type", &code.kind);
    });
}

/// Accounts, and whether everybody is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    accounts: BTreeSet<String>,
    all: bool,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.accounts.is_empty() && !self.all
    }

    fn add(&mut self, fields: &Fields, account: Option<&str>, group: Option<&str>) -> Read<()> {
        if let Some(account) = account {
            self.accounts.insert(account_id(account)?.to_string());
        }
        match group {
            None => {}
            Some("all") => self.all = true,
            Some(other) => return Err(fields.invalid("Group", other, "Try all.")),
        }
        Ok(())
    }
}

type Read<T> = Result<T, ApiError>;

/// Twelve digits.
pub fn account_id(text: &str) -> Result<&str, ApiError> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text);
    }
    let message = format!("Invalid user id: \"{text}\"");
    Err(ApiError::bad("InvalidUserID.Malformed", message))
}

/// The two ways to say it: as a structure, or as an operation with flat lists.
fn read(fields: &Fields) -> Read<(Group, Group)> {
    let (mut add, mut remove) = (Group::default(), Group::default());
    if let Some(permission) = fields.group("CreateVolumePermission") {
        for (name, group) in [("Add", &mut add), ("Remove", &mut remove)] {
            for item in permission.groups(name) {
                group.add(&item, item.text("UserId"), item.text("Group"))?;
            }
        }
    }
    let (users, groups) = (fields.list("UserId"), fields.list("UserGroup"));
    let target = match fields.text("OperationType") {
        Some("add") => Some(&mut add),
        Some("remove") => Some(&mut remove),
        None => None,
        Some(other) => return Err(fields.invalid("OperationType", other, "Try add or remove.")),
    };
    match target {
        Some(target) => {
            for user in &users {
                target.add(fields, Some(user), None)?;
            }
            for group in &groups {
                target.add(fields, None, Some(group))?;
            }
        }
        None if users.is_empty() && groups.is_empty() => {}
        None => return Err(ApiError::missing_parameter("OperationType")),
    }
    Ok((add, remove))
}

pub fn modify(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("SnapshotId")?.to_string();
    match fields.text("Attribute") {
        None | Some("createVolumePermission") => {}
        Some(other) => return Err(fields.invalid("Attribute", other, "It cannot be modified.")),
    }
    let (add, remove) = read(fields)?;
    fields.finish()?;
    let snapshot = own(model, &call.scope, &id)?.clone();
    let mut want = snapshot.want(call, &call.scope, "ec2:ModifySnapshotAttribute");
    for (side, group) in [("Add", &add), ("Remove", &remove)] {
        for account in &group.accounts {
            want = want.key(&format!("ec2:{side}/userId"), account.as_str());
        }
        if group.all {
            want = want.key(&format!("ec2:{side}/group"), "all");
        }
    }
    model.permit(call, &[want])?;
    if !add.is_empty() && !remove.is_empty() {
        let text = "Permissions can be added or removed, but not both in one call";
        return Err(ApiError::combination(text));
    }
    if add.is_empty() && remove.is_empty() {
        return Err(ApiError::missing_parameter("CreateVolumePermission"));
    }
    if add.accounts.len() + remove.accounts.len() > ACCOUNTS_PER_CALL_MAX {
        let text = format!("At most {ACCOUNTS_PER_CALL_MAX} accounts can be changed in one call");
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    if !add.is_empty() {
        check_sharing(model, call, snapshot.kms_key.as_deref(), add.all)?;
    }
    let snapshot = own(model, &call.scope, &id)?;
    let new: Vec<String> = add.accounts.difference(&snapshot.volume_permissions).cloned().collect();
    snapshot.volume_permissions.extend(add.accounts);
    snapshot.volume_permissions.retain(|account| !remove.accounts.contains(account));
    snapshot.public = (snapshot.public || add.all) && !remove.all;
    for account in &new {
        events::shared(model, &call.scope, &id, account);
    }
    Ok(done())
}

/// What is under the default key cannot be shared, what is under any key not with everybody.
fn check_sharing(model: &mut Model, call: &Call, key: Option<&str>, all: bool) -> Read<()> {
    let Some(key) = key else { return Ok(()) };
    let text = if all {
        "Encrypted snapshots cannot be shared publicly"
    } else if key == kms::default_ebs_key(model, &call.scope) {
        "Encrypted snapshots with EBS default key cannot be shared"
    } else {
        return Ok(());
    };
    Err(ApiError::bad("OperationNotPermitted", text))
}

pub fn reset(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = fields.required("SnapshotId")?.to_string();
    let attribute = fields.required("Attribute")?.to_string();
    fields.finish()?;
    let want: Want =
        own(model, &call.scope, &id)?.want(call, &call.scope, "ec2:ResetSnapshotAttribute");
    model.permit(call, &[want])?;
    if attribute != "createVolumePermission" {
        return Err(fields.invalid("Attribute", &attribute, "It cannot be reset."));
    }
    let snapshot = own(model, &call.scope, &id)?;
    snapshot.volume_permissions.clear();
    snapshot.public = false;
    Ok(done())
}
