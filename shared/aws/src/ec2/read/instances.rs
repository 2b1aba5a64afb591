//! DescribeInstances.

use std::collections::BTreeMap;

use afterimage_core::facts::{StateCause, StateReason};
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::machine::{Instance, State};
use aws_sdk_ec2::types::{self, Filter, InstanceLifecycleType, InstanceStateName};

use super::wire::{self, Odd};
use super::{FILTER_VALUES_MAX, PAGE, filter, literally};
use crate::ec2::Ec2;
use crate::error::Failure;

/// The instances to look for. EC2 shows terminated instances for an hour, in that state.
#[derive(Clone, Copy, Debug)]
pub enum Find<'a> {
    Ids(&'a [InstanceId]),
    /// Instances that have a tag with any of these keys, whatever its value.
    Tagged(&'a [String]),
    /// Instances with this Name.
    Named(&'a str),
    Stopped,
    All,
}

impl Ec2 {
    /// Returns the instances of a region, in the order of their ids.
    ///
    /// # Errors
    /// EC2 did not answer; pages that were read until then are dropped.
    pub async fn instances(
        &self,
        region: &Region,
        find: Find<'_>,
    ) -> Result<Vec<Instance>, Failure> {
        let found = self.described_instances(region, find).await?;
        let found = wire::readable("instance", found, |wire| instance(wire, region));
        // An instance that has two of the keys may have been found by each.
        let by_id = found.into_iter().map(|instance| (instance.id.clone(), instance));
        Ok(by_id.collect::<BTreeMap<_, _>>().into_values().collect())
    }

    pub(super) async fn described_instances(
        &self,
        region: &Region,
        find: Find<'_>,
    ) -> Result<Vec<types::Instance>, Failure> {
        let mut found = Vec::new();
        for filters in filters(find) {
            let reading = self.reading("DescribeInstances", region);
            let call = self.client(region).describe_instances();
            let call = call.set_filters(Some(filters)).max_results(PAGE);
            let pages = reading.pages(call.into_paginator().send()).await?;
            let reservations = pages.into_iter().flat_map(|page| page.reservations);
            let reservations = reservations.flatten();
            found.extend(reservations.filter_map(|reservation| reservation.instances).flatten());
        }
        Ok(found)
    }
}

/// Returns the filters of each call that has to be made.
fn filters(find: Find<'_>) -> Vec<Vec<Filter>> {
    match find {
        Find::Ids(ids) => {
            let ids: Vec<&str> = ids.iter().map(InstanceId::as_str).collect();
            ids.chunks(FILTER_VALUES_MAX).map(|ids| vec![filter("instance-id", ids)]).collect()
        }
        Find::Tagged(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| literally(key)).collect();
            keys.chunks(FILTER_VALUES_MAX).map(|keys| vec![filter("tag-key", keys)]).collect()
        }
        Find::Named(name) => vec![vec![filter("tag:Name", &[literally(name)])]],
        Find::Stopped => {
            let stopped = InstanceStateName::Stopped.as_str();
            vec![vec![filter("instance-state-name", &[stopped])]]
        }
        Find::All => vec![Vec::new()],
    }
}

pub(super) fn instance(wire: &types::Instance, region: &Region) -> Result<Instance, Odd> {
    let id = InstanceId::parse(wire::need(wire.instance_id(), "id")?)?;
    let state = wire.state().and_then(|state| state.name());
    let reason = state_reason(wire);
    Ok(Instance {
        id,
        region: region.clone(),
        state: state_of(state.ok_or(Odd::Missing("state"))?)?,
        launched: wire::moment(wire.launch_time(), "launch time")?,
        hibernated: reason.is_some_and(|reason| reason.cause == StateCause::Hibernation),
        instance_type: wire
            .instance_type()
            .map(|kind| kind.as_str().to_string())
            .unwrap_or_default(),
        spot: wire.instance_lifecycle() == Some(&InstanceLifecycleType::Spot),
        tags: wire::tags(wire.tags()),
    })
}

/// Returns the reason for the state of the machine, if EC2 gives one.
pub(super) fn state_reason(wire: &types::Instance) -> Option<StateReason> {
    wire::word(wire.state_reason().and_then(|reason| reason.code()))
}

fn state_of(name: &InstanceStateName) -> Result<State, Odd> {
    Ok(match name {
        InstanceStateName::Pending => State::Pending,
        InstanceStateName::Running => State::Running,
        InstanceStateName::Stopping => State::Stopping,
        InstanceStateName::Stopped => State::Stopped,
        InstanceStateName::ShuttingDown => State::ShuttingDown,
        InstanceStateName::Terminated => State::Terminated,
        other => {
            return Err(Odd::Unknown { what: "state", value: other.as_str().to_string() });
        }
    })
}
