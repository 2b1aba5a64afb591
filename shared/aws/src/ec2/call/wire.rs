//! The parts of requests and answers that several calls have.

use std::collections::BTreeMap;

use afterimage_core::call::Outcome;
use afterimage_core::ids::AmiId;
use afterimage_core::machine::State;
use aws_sdk_ec2::types::{
    InstanceStateChange, InstanceStateName, ResourceType, Tag, TagSpecification,
};

use crate::ec2::errors;

pub(super) fn image(id: Option<&str>) -> Outcome<AmiId> {
    let id = id.and_then(|id| AmiId::parse(id).ok());
    id.map_or_else(|| errors::of_unreadable("image"), Outcome::Made)
}

pub(super) fn wire_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Returns the same tags for every kind of artefact that a call makes. Without tags there is no
/// specification, because EC2 refuses an empty one.
pub(super) fn tags_for(
    kinds: &[ResourceType],
    tags: &BTreeMap<String, String>,
) -> Option<Vec<TagSpecification>> {
    if tags.is_empty() {
        return None;
    }
    let tags = wire_tags(tags);
    let of = |kind: &ResourceType| {
        let tags = Some(tags.clone());
        TagSpecification::builder().resource_type(kind.clone()).set_tags(tags).build()
    };
    Some(kinds.iter().map(of).collect())
}

pub(super) fn state_before(changed: &[InstanceStateChange]) -> Outcome<State> {
    let before = changed.first().and_then(|change| change.previous_state());
    match before.and_then(|state| state.name()) {
        Some(InstanceStateName::Pending) => Outcome::Made(State::Pending),
        Some(InstanceStateName::Running) => Outcome::Made(State::Running),
        Some(InstanceStateName::Stopping) => Outcome::Made(State::Stopping),
        Some(InstanceStateName::Stopped) => Outcome::Made(State::Stopped),
        Some(InstanceStateName::ShuttingDown) => Outcome::Made(State::ShuttingDown),
        Some(InstanceStateName::Terminated) => Outcome::Made(State::Terminated),
        _ => errors::of_unreadable("state that the machine was in before"),
    }
}
