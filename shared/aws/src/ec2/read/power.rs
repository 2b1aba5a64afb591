//! Reads about a machine before it is stopped, and while it is: DescribeInstances,
//! DescribeInstanceAttribute and DescribeInstanceTypes.

use std::collections::BTreeMap;

use afterimage_core::flow::work_requested::power::Guarded;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::machine::Instance;
use afterimage_core::observed::ObservedMachine;
use aws_sdk_ec2::types::{self, InstanceAttributeName, InstanceType};

use super::Reading;
use super::instances::{Find, instance, state_reason};
use super::wire::{self, Odd};
use crate::ec2::Ec2;
use crate::error::Failure;

impl Ec2 {
    /// Returns the machines with these ids as they are now, as far as EC2 shows them.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn seen_machines(
        &self,
        region: &Region,
        ids: &[InstanceId],
    ) -> Result<BTreeMap<InstanceId, ObservedMachine>, Failure> {
        let found = self.described_instances(region, Find::Ids(ids)).await?;
        let found = wire::readable("instance", found, |wire| seen_machine(wire, region));
        Ok(found.into_iter().map(|seen| (seen.instance.id.clone(), seen)).collect())
    }

    /// Returns the protections from being stopped that a listing does not show.
    ///
    /// # Errors
    /// EC2 did not answer, or left the answer out.
    pub async fn guarded(&self, region: &Region, machine: &Instance) -> Result<Guarded, Failure> {
        Ok(Guarded {
            instance: machine.id.clone(),
            stop_protected: self.stop_protected(region, &machine.id).await?,
            instance_store: self.has_instance_store(region, &machine.instance_type).await?,
        })
    }

    async fn stop_protected(&self, region: &Region, id: &InstanceId) -> Result<bool, Failure> {
        let reading = Reading { operation: "DescribeInstanceAttribute", region };
        let call = self.client(region).describe_instance_attribute().instance_id(id.as_str());
        let call = call.attribute(InstanceAttributeName::DisableApiStop);
        let answer = call.send().await.map_err(|error| reading.failed(error))?;
        let value = answer.disable_api_stop().and_then(|protected| protected.value());
        value.ok_or_else(|| reading.failed(Odd::Missing("disableApiStop")))
    }

    async fn has_instance_store(&self, region: &Region, name: &str) -> Result<bool, Failure> {
        let reading = Reading { operation: "DescribeInstanceTypes", region };
        let call = self.client(region).describe_instance_types();
        let call = call.instance_types(InstanceType::from(name));
        let answer = call.send().await.map_err(|error| reading.failed(error))?;
        let kind = answer.instance_types().first();
        let has = kind.and_then(|kind| kind.instance_storage_supported());
        has.ok_or_else(|| reading.failed(Odd::Missing("instanceStorageSupported")))
    }
}

fn seen_machine(wire: &types::Instance, region: &Region) -> Result<ObservedMachine, Odd> {
    let root = wire.root_device_type().map(|kind| kind.as_str());
    Ok(ObservedMachine {
        instance: instance(wire, region)?,
        root_device_type: wire::need(root, "root device type")?.into(),
        state_reason: state_reason(wire),
    })
}
