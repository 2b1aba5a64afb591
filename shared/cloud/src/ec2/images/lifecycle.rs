//! Disabling, deprecation and deregistration protection.

use std::time::Duration;

use super::{own, settle, unavailable};
use crate::ec2::done;
use crate::ec2::state::{Image, ImageState, Protection};
use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::time::Time;
use crate::kernel::xml::Xml;
use crate::model::Model;

const DEPRECATION_DAYS_MAX: u32 = 10 * 365 + 3;
/// A public image is deprecated two years after its creation at the latest.
const PUBLIC_DEPRECATION_DAYS_MAX: u32 = 2 * 365 + 1;
const DAY: Duration = Duration::from_secs(24 * 3600);
const COOLDOWN: Duration = DAY;

/// Reads the id and checks that the caller may; what may be read beside it was read before.
fn begin(model: &mut Model, call: &Call, fields: &Fields) -> Result<String, ApiError> {
    let id = fields.required("ImageId")?.to_string();
    fields.finish()?;
    let image = own(model, &call.scope, &id)?.clone();
    let action = format!("ec2:{}", call.action);
    model.permit(call, &[image.want(call, &call.scope, &action)])?;
    Ok(id)
}

/// Whoever could launch it cannot any more, and that stays so when it is enabled again.
pub fn disable(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    switch(model, call, fields, ImageState::Disabled)
}

pub fn enable(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    switch(model, call, fields, ImageState::Available)
}

fn switch(
    model: &mut Model,
    call: &Call,
    fields: &Fields,
    to: ImageState,
) -> Result<Xml, ApiError> {
    let id = begin(model, call, fields)?;
    let image = own(model, &call.scope, &id)?;
    if image.state == to {
        return Ok(done());
    }
    if !matches!(image.state, ImageState::Available | ImageState::Disabled) {
        return Err(unavailable(image));
    }
    image.state = to;
    if to == ImageState::Disabled {
        image.public = false;
        image.launch_permissions.clear();
    }
    settle::tell(model, &call.scope, &id, &call.request_id);
    Ok(done())
}

pub fn deprecate(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let Some(at) = fields.instant("DeprecateAt")? else {
        return Err(ApiError::missing_parameter("DeprecateAt"));
    };
    let id = begin(model, call, fields)?;
    let now = model.now;
    let image = own(model, &call.scope, &id)?;
    if at < now {
        let why = "The date cannot be in the past.";
        return Err(fields.invalid("DeprecateAt", &at.to_millis_text(), why));
    }
    if at > latest_deprecation(image, now) {
        let why = "The date is too far in the future.";
        return Err(fields.invalid("DeprecateAt", &at.to_millis_text(), why));
    }
    image.deprecation_time = Some(nearest_minute(at));
    Ok(done())
}

fn latest_deprecation(image: &Image, now: Time) -> Time {
    if image.public {
        image.created_at + DAY * PUBLIC_DEPRECATION_DAYS_MAX
    } else {
        now + DAY * DEPRECATION_DAYS_MAX
    }
}

fn nearest_minute(at: Time) -> Time {
    const MINUTE: u64 = 60_000;
    Time::from_millis(at.millis().saturating_add(MINUTE / 2) / MINUTE * MINUTE)
}

pub fn undeprecate(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = begin(model, call, fields)?;
    own(model, &call.scope, &id)?.deprecation_time = None;
    Ok(done())
}

pub fn protect(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let cooldown = fields.flag("WithCooldown")?.unwrap_or(false);
    let id = begin(model, call, fields)?;
    let image = own(model, &call.scope, &id)?;
    image.protection = if cooldown { Protection::OnWithCooldown } else { Protection::On };
    Ok(protection_answer(image.protection))
}

/// With a cooldown, the image is protected for another day.
pub fn unprotect(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let id = begin(model, call, fields)?;
    let until = model.now + COOLDOWN;
    let image = own(model, &call.scope, &id)?;
    image.protection = match image.protection {
        Protection::Off | Protection::On => Protection::Off,
        Protection::OnWithCooldown => Protection::CoolingDown(until),
        cooling @ Protection::CoolingDown(_) => cooling,
    };
    Ok(protection_answer(image.protection))
}

/// Here `return` is a word, not a boolean.
fn protection_answer(protection: Protection) -> Xml {
    let mut xml = Xml::new();
    xml.leaf("return", protection.word());
    xml
}

impl Protection {
    pub const fn word(self) -> &'static str {
        match self {
            Protection::Off | Protection::CoolingDown(_) => "disabled",
            Protection::On => "enabled-without-cooldown",
            Protection::OnWithCooldown => "enabled-with-cooldown",
        }
    }
}
