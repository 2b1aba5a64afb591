//! Reads about a machine before it is stopped, and while it is: DescribeInstances,
//! DescribeInstanceAttribute, DescribeInstanceTypes, DescribeVolumes, and a trial StartInstances.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_core::flow::work_requested::power::Guarded;
use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::machine::Instance;
use afterimage_core::observed::ObservedMachine;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{self, InstanceAttributeName, InstanceType};

use super::instances::{Find, instance, state_reason};
use super::wire::{self, Odd};
use super::{PAGE, filter};
use crate::ec2::{Ec2, START_INSTANCES, errors};
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

    /// Returns the protections from being stopped that a listing does not show, and the answer to a
    /// trial start. The keys of the disks are left out.
    ///
    /// # Errors
    /// EC2 did not answer, or left the answer out.
    pub async fn guarded(&self, region: &Region, machine: &Instance) -> Result<Guarded, Failure> {
        let protections = self.protections(region, machine).await?;
        let start_refused = self.start_refused(region, &machine.id).await?;
        Ok(Guarded { start_refused, ..protections })
    }

    /// Returns the protections from being stopped that a listing does not show. No start is tried
    /// out, which takes the permissions of the stack.
    ///
    /// # Errors
    /// EC2 did not answer, or left the answer out.
    pub async fn protections(
        &self,
        region: &Region,
        machine: &Instance,
    ) -> Result<Guarded, Failure> {
        Ok(Guarded {
            instance: machine.id.clone(),
            stop_protected: self.stop_protected(region, &machine.id).await?,
            instance_store: self.has_instance_store(region, &machine.instance_type).await?,
            start_refused: None,
            keys: Vec::new(),
        })
    }

    /// Returns the ARNs of the keys that encrypt the disks of a machine.
    ///
    /// # Errors
    /// EC2 did not answer.
    pub async fn keys_of_disks(
        &self,
        region: &Region,
        id: &InstanceId,
    ) -> Result<BTreeSet<String>, Failure> {
        let reading = self.reading("DescribeVolumes", region);
        let call = self.client(region).describe_volumes().max_results(PAGE);
        let call = call.filters(filter("attachment.instance-id", &[id.as_str()]));
        // A machine does not start without the volumes that a service manages either.
        let call = call.include_managed_resources(true);
        let pages = reading.pages(call.into_paginator().send()).await?;
        let volumes = pages.iter().flat_map(|page| page.volumes());
        Ok(volumes.filter_map(|volume| volume.kms_key_id()).map(str::to_string).collect())
    }

    /// Asks EC2 if our role may start a machine, without starting it. EC2 checks the permission,
    /// for the licence configurations of the machine as well; it checks no key, and no capacity.
    async fn start_refused(
        &self,
        region: &Region,
        id: &InstanceId,
    ) -> Result<Option<String>, Failure> {
        let reading = self.reading("StartInstances (DryRun)", region);
        // A trial takes a token like a start.
        self.turn(region, START_INSTANCES).await;
        let call = self.client(region).start_instances().instance_ids(id.as_str()).dry_run(true);
        match call.send().await {
            Err(error) if error.code().is_some_and(errors::is_dry_run_passed) => Ok(None),
            Err(error) => match errors::final_code(&error) {
                Some(code) if !errors::is_instance_gone(code) => Ok(Some(code.to_string())),
                _ => Err(reading.failed(error)),
            },
            Ok(_) => Err(reading.failed(Odd::Missing("code"))),
        }
    }

    async fn stop_protected(&self, region: &Region, id: &InstanceId) -> Result<bool, Failure> {
        let reading = self.reading("DescribeInstanceAttribute", region);
        reading.turn().await;
        let call = self.client(region).describe_instance_attribute().instance_id(id.as_str());
        let call = call.attribute(InstanceAttributeName::DisableApiStop);
        let answer = call.send().await.map_err(|error| reading.failed(error))?;
        let value = answer.disable_api_stop().and_then(|protected| protected.value());
        value.ok_or_else(|| reading.failed(Odd::Missing("disableApiStop")))
    }

    async fn has_instance_store(&self, region: &Region, name: &str) -> Result<bool, Failure> {
        let reading = self.reading("DescribeInstanceTypes", region);
        reading.turn().await;
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
