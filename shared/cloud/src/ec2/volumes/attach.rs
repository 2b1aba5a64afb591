//! AttachVolume and DetachVolume.

use super::{Turn, find, later};
use crate::ec2::state::{
    Attachment, AttachmentState, Instance, InstanceState, Volume, VolumeState,
};
use crate::ec2::{Region, instances, types};
use crate::kernel::access::{Call, Want};
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;
use crate::kernel::xml::Xml;
use crate::model::Model;

impl Region {
    /// Where a volume is attached, if it is.
    pub fn attachment(&self, volume: &Volume) -> Option<&Attachment> {
        let instance = self.instances.get(volume.instance_id.as_ref()?)?;
        instance.attachments.iter().find(|attachment| attachment.volume_id == volume.id)
    }

    pub fn attachment_mut(&mut self, volume_id: &str) -> Option<&mut Attachment> {
        let volume = self.volumes.get(volume_id)?;
        let instance = self.instances.get_mut(volume.instance_id.as_ref()?)?;
        instance.attachments.iter_mut().find(|attachment| attachment.volume_id == volume_id)
    }
}

pub fn attach(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let volume_id = fields.required("VolumeId")?.to_string();
    let instance_id = fields.required("InstanceId")?.to_string();
    let device = fields.required("Device")?.to_string();
    fields.finish()?;
    let volume = find(model, &call.scope, &volume_id)?;
    let instance = instances::find(model, &call.scope, &instance_id)?;
    model.permit(call, &wants("ec2:AttachVolume", call, &volume, Some(&instance)))?;
    check_volume(&volume, &instance)?;
    check_instance(&volume, &instance, &device)?;
    let attachment = Attachment {
        device,
        volume_id: volume_id.clone(),
        attached_at: model.now,
        delete_on_termination: false,
        state: AttachmentState::Attaching,
    };
    let delay = model.config.pace.volume_moves;
    let region = model.ec2_region(&call.scope);
    if let Some(volume) = region.volumes.get_mut(&volume_id) {
        volume.state = VolumeState::InUse;
        volume.instance_id = Some(instance_id.clone());
    }
    if let Some(instance) = region.instances.get_mut(&instance_id) {
        instance.attachments.push(attachment.clone());
        // An instance has the product codes of every volume that was ever attached to it.
        for code in volume.product_codes {
            if !instance.platform.product_codes.contains(&code) {
                instance.platform.product_codes.push(code);
            }
        }
    }
    later(model, &call.scope, delay, &volume_id, Turn::Attached);
    Ok(answer(&instance_id, &attachment, attachment.state.name()))
}

fn wants(action: &str, call: &Call, volume: &Volume, instance: Option<&Instance>) -> Vec<Want> {
    let on_volume = Want::new(action, call.arn(Kind::Volume, &volume.id));
    let on_instance = instance.map(|instance| {
        let want = Want::new(action, call.arn(Kind::Instance, &instance.id));
        want.resource_tags(&instance.tags)
    });
    [on_volume.resource_tags(&volume.tags)].into_iter().chain(on_instance).collect()
}

fn check_volume(volume: &Volume, instance: &Instance) -> Result<(), ApiError> {
    let id = &volume.id;
    if volume.instance_id.is_some() {
        let text = format!("{id} is already attached to an instance");
        return Err(ApiError::bad("VolumeInUse", text));
    }
    if volume.state != VolumeState::Available {
        return Err(ApiError::bad("IncorrectState", format!("{id} is not 'available'.")));
    }
    if volume.zone != instance.zone {
        let text = format!(
            "The volume '{id}' is not in the same availability zone as instance '{}'",
            instance.id
        );
        return Err(ApiError::bad("InvalidVolume.ZoneMismatch", text));
    }
    Ok(())
}

fn check_instance(volume: &Volume, instance: &Instance, device: &str) -> Result<(), ApiError> {
    let id = &instance.id;
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        return Err(ApiError::bad("IncorrectState", format!("Instance '{id}' is not 'running'.")));
    }
    let marked = volume.product_codes.iter().any(|code| code.kind == "marketplace");
    if marked && instance.state != InstanceState::Stopped {
        let text = format!(
            "The volume '{}' has an AWS Marketplace product code: it can be attached only while \
             instance '{id}' is stopped",
            volume.id
        );
        return Err(ApiError::bad("OperationNotPermitted", text));
    }
    let taken = instance.attachments.iter().any(|attachment| attachment.device == device);
    if taken {
        let text = format!(
            "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        );
        return Err(ApiError::bad("InvalidParameterValue", text));
    }
    let most = types::find(&instance.instance_type).map_or(usize::MAX, |t| t.family.volumes_max);
    if instance.attachments.len() >= most {
        let text = format!("Instance '{id}' has {most} volumes attached, which is its limit");
        return Err(ApiError::bad("AttachmentLimitExceeded", text));
    }
    Ok(())
}

pub fn detach(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let volume_id = fields.required("VolumeId")?.to_string();
    let instance_id = fields.text("InstanceId").map(str::to_string);
    let device = fields.text("Device").map(str::to_string);
    // There is no guest here that could hold on to a volume.
    fields.flag("Force")?;
    fields.finish()?;
    let volume = find(model, &call.scope, &volume_id)?;
    let instance = match (&instance_id, &volume.instance_id) {
        (Some(id), _) => Some(instances::find(model, &call.scope, id)?),
        (None, Some(id)) => model.ec2_region(&call.scope).instances.get(id).cloned(),
        (None, None) => None,
    };
    model.permit(call, &wants("ec2:DetachVolume", call, &volume, instance.as_ref()))?;
    let region = model.ec2_region(&call.scope);
    let (Some(instance), Some(attachment)) = (instance, region.attachment(&volume).cloned()) else {
        let state = volume.state.name();
        let text = format!("Volume '{volume_id}' is in the '{state}' state.");
        return Err(ApiError::bad("IncorrectState", text));
    };
    let elsewhere = volume.instance_id.as_ref() != Some(&instance.id);
    if elsewhere || device.is_some_and(|device| device != attachment.device) {
        let text = format!("The volume '{volume_id}' is not attached to '{}' so", instance.id);
        return Err(ApiError::bad("InvalidAttachment.NotFound", text));
    }
    let is_root = instance.platform.root_device_name.as_ref() == Some(&attachment.device);
    if is_root && instance.state != InstanceState::Stopped {
        let text =
            format!("Unable to detach root volume '{volume_id}' from instance '{}'", instance.id);
        return Err(ApiError::bad("OperationNotPermitted", text));
    }
    if let Some(attachment) = region.attachment_mut(&volume_id) {
        attachment.state = AttachmentState::Detaching;
    }
    let delay = model.config.pace.volume_moves;
    later(model, &call.scope, delay, &volume_id, Turn::Detached);
    Ok(answer(&instance.id, &attachment, AttachmentState::Detaching.name()))
}

fn answer(instance_id: &str, attachment: &Attachment, status: &str) -> Xml {
    let mut xml = Xml::new();
    xml.leaf("volumeId", &attachment.volume_id).leaf("instanceId", instance_id);
    xml.leaf("device", &attachment.device).leaf("status", status);
    xml.leaf("attachTime", attachment.attached_at.to_millis_text());
    xml.flag("deleteOnTermination", attachment.delete_on_termination);
    xml
}
