//! Images: made from machines, registered from snapshots, copied, shared, and taken back.
//!
//! Every way to an image answers at once with its id; the image is `pending` until it is
//! `available` or `failed`, which an event tells.

pub mod attributes;
pub mod copy;
pub mod create;
pub mod deregister;
pub mod describe;
pub mod lifecycle;
pub mod mapping;
pub mod references;
pub mod register;
pub mod settle;

use std::collections::BTreeSet;

use super::state::{Image, ImageState, Platform, Protection, Region};
use super::well_formed;
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::arn;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::scope::Scope;
use crate::model::Model;

const NAME_LENGTH_MIN: usize = 3;
const NAME_LENGTH_MAX: usize = 128;

impl Image {
    /// A pending image with nothing about it that a call may set.
    pub fn new(id: String, name: &str, call: &Call, model: &mut Model) -> Image {
        Image {
            id,
            name: name.to_string(),
            owner: call.scope.account.to_string(),
            owner_alias: None,
            description: String::new(),
            state: ImageState::Pending,
            reason: None,
            created_at: model.now,
            platform: Platform::default(),
            devices: Vec::new(),
            tags: Tags::new(),
            public: false,
            launch_permissions: BTreeSet::new(),
            deprecation_time: None,
            protection: Protection::Off,
            source_instance_id: None,
            source_image_id: None,
            source_image_region: None,
            last_launched_at: None,
            visible_at: model.visible_from(),
            request_id: call.request_id.clone(),
        }
    }

    /// The snapshots behind its devices.
    pub fn snapshot_ids(&self) -> impl Iterator<Item = &str> {
        let devices = self.devices.iter().filter_map(|device| device.ebs.as_ref());
        devices.filter_map(|ebs| ebs.snapshot_id.as_deref())
    }

    /// Whether it was made by CopyImage: CreateImage names a source as well, that of its machine.
    fn is_copy(&self) -> bool {
        self.source_image_id.is_some() && self.source_instance_id.is_none()
    }

    fn is_marketplace(&self) -> bool {
        self.platform.product_codes.iter().any(|code| code.kind == "marketplace")
    }

    /// An authorisation of something to be done with this image of a region.
    pub fn want(&self, call: &Call, scope: &Scope, action: &str) -> Want {
        let owner = self.owner_alias.as_ref().unwrap_or(&self.owner);
        let want = Want::new(action, arn::of_ec2(scope, Kind::Image, &self.id))
            .key("ec2:ImageID", self.id.as_str())
            .key("ec2:Owner", owner.as_str())
            .key("ec2:Public", if self.public { "true" } else { "false" });
        // Nobody sees the tags that another account gave to its resources.
        if *self.owner == *call.scope.account { want.resource_tags(&self.tags) } else { want }
    }
}

/// The image that is to be, as a resource of the call that makes it.
fn want_new(call: &Call, tags: &Tags) -> Want {
    let want = Want::new(&format!("ec2:{}", call.action), call.arn(Kind::Image, "*"));
    want.key("ec2:Owner", &*call.scope.account).request_tags(tags)
}

/// The snapshots that are to be, as resources of the call that makes an image.
fn want_new_snapshots(call: &Call, tags: &Tags) -> Want {
    let want = Want::new(&format!("ec2:{}", call.action), call.arn(Kind::Snapshot, "*"));
    want.key("ec2:Owner", &*call.scope.account).request_tags(tags)
}

impl Region {
    /// Puts an image into the region: its name is taken, its snapshots are in use.
    pub fn add_image(&mut self, image: Image) {
        let id = image.id.clone();
        if image.state == ImageState::Pending {
            self.pending_images.insert(id.clone());
        }
        for snapshot in image.snapshot_ids() {
            self.snapshot_users.entry(snapshot.to_string()).or_default().insert(id.clone());
        }
        self.image_names.insert(image.name.clone(), id.clone());
        self.images.insert(id, image);
    }

    /// The image no longer holds its name.
    fn free_name(&mut self, name: &str, id: &str) {
        if self.image_names.get(name).is_some_and(|holder| holder == id) {
            self.image_names.remove(name);
        }
    }

    /// The image no longer uses the snapshot. Says whether another one does.
    fn free_snapshot(&mut self, snapshot_id: &str, id: &str) -> bool {
        let Some(users) = self.snapshot_users.get_mut(snapshot_id) else { return false };
        users.remove(id);
        if users.is_empty() {
            self.snapshot_users.remove(snapshot_id);
            return false;
        }
        true
    }
}

/// An own image that the caller can see by now and that was not deregistered.
pub fn own<'a>(model: &'a mut Model, scope: &Scope, id: &str) -> Result<&'a mut Image, ApiError> {
    well_formed(Kind::Image, id)?;
    let now = model.now;
    let foreign = super::lookup::image_for(model, scope, id)
        .is_some_and(|image| *image.owner != *scope.account);
    if foreign {
        return Err(ApiError::new(403, "AuthFailure", format!("Not authorized for image:{id}")));
    }
    match model.ec2_region(scope).images.get_mut(id) {
        Some(image) if image.visible_at > now => Err(ApiError::not_found(Kind::Image, &[id])),
        Some(image) if image.state == ImageState::Deregistered => Err(unavailable(image)),
        Some(image) => Ok(image),
        None => Err(ApiError::not_found(Kind::Image, &[id])),
    }
}

/// The word for an image that is in the wrong state for a call.
pub fn unavailable(image: &Image) -> ApiError {
    ApiError::bad("InvalidAMIID.Unavailable", unavailable_text(image))
}

fn unavailable_text(image: &Image) -> String {
    match image.state {
        ImageState::Deregistered => {
            format!("The image ID '{}' is no longer available", image.id)
        }
        ImageState::Pending | ImageState::Available | ImageState::Failed | ImageState::Disabled => {
            format!(
                "The AMI ID '{}' is currently {} and may not be used for this operation",
                image.id,
                image.state.name()
            )
        }
    }
}

/// The shape of a name.
fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    let length = name.chars().count();
    if (NAME_LENGTH_MIN..=NAME_LENGTH_MAX).contains(&length) && name.chars().all(allowed) {
        return Ok(());
    }
    let text = format!(
        "AMI names must be between {NAME_LENGTH_MIN} and {NAME_LENGTH_MAX} characters long, and \
         may contain letters, numbers, '(', ')', '[', ']', ' ', '.', '-', '/', ''', '@' and '_'"
    );
    Err(ApiError::bad("InvalidAMIName.Malformed", text))
}

/// Whether one more image of this name has a place in the region.
fn check_room(model: &mut Model, scope: &Scope, name: &str) -> Result<(), ApiError> {
    let quota = model.config.limits.images_per_region;
    let region = model.ec2_region(scope);
    if let Some(holder) = region.image_names.get(name) {
        let text = format!("AMI name {name} is already in use by AMI {holder}");
        return Err(ApiError::bad("InvalidAMIName.Duplicate", text));
    }
    let gone = || {
        let images = region.images.values();
        images.filter(|image| image.state == ImageState::Deregistered).count()
    };
    // Counting what is gone takes a walk, so it is done only when it matters.
    if region.images.len() >= quota && region.images.len() - gone() >= quota {
        let text = format!("The limit of {quota} images in the region has been reached.");
        return Err(ApiError::bad("ResourceLimitExceeded", text));
    }
    Ok(())
}
