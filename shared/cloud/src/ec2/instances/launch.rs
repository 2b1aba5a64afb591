//! What a RunInstances call or a launch template says of the instances to be. Both have the same
//! parameters; what the call does not say is taken from the template.

use super::base64;
use crate::ec2::state::{Launch, Metadata, Override, Profile};
use crate::ec2::tags;
use crate::kernel::error::{ApiError, Kind};
use crate::kernel::query::Fields;

/// User data may be this long before it is encoded.
const USER_DATA_BYTES_MAX: usize = 16 * 1024;

impl Launch {
    pub fn read(fields: &Fields, tags_max: usize) -> Result<Launch, ApiError> {
        let text = |name: &str| fields.text(name).filter(|text| !text.is_empty()).map(Into::into);
        let kinds = [Kind::Instance, Kind::Volume, Kind::NetworkInterface];
        let mut launch = Launch {
            image_id: text("ImageId"),
            instance_type: text("InstanceType"),
            subnet_id: text("SubnetId"),
            group_ids: fields.list("SecurityGroupId"),
            group_names: fields.list("SecurityGroup"),
            private_ip: text("PrivateIpAddress"),
            key_name: text("KeyName"),
            user_data: read_user_data(fields)?,
            profile: read_profile(fields)?,
            kernel_id: text("KernelId"),
            ramdisk_id: text("RamdiskId"),
            devices: Override::read(fields)?,
            spot: read_spot(fields)?,
            stop_protection: fields.flag("DisableApiStop")?,
            termination_protection: fields.flag("DisableApiTermination")?,
            ebs_optimized: fields.flag("EbsOptimized")?,
            shutdown_behavior: read_shutdown_behavior(fields)?,
            metadata: Metadata::read(fields)?,
            tags: tags::specified(fields, &kinds, tags_max)?,
            ..Launch::default()
        };
        if let Some(group) = fields.group("HibernationOptions") {
            launch.hibernation = group.flag("Configured")?;
        }
        if let Some(group) = fields.group("Monitoring") {
            launch.monitoring = group.flag("Enabled")?;
        }
        if let Some(group) = fields.group("CreditSpecification") {
            one_of(&group, "CpuCredits", &["standard", "unlimited"])?;
        }
        launch.read_placement(fields)?;
        launch.read_interface(fields)?;
        Ok(launch)
    }

    fn read_placement(&mut self, fields: &Fields) -> Result<(), ApiError> {
        let Some(group) = fields.group("Placement") else { return Ok(()) };
        one_of(&group, "Tenancy", &["default"])?;
        self.zone = group.text("AvailabilityZone").map(Into::into);
        Ok(())
    }

    /// A network interface says once more what else is said beside it, but not both.
    fn read_interface(&mut self, fields: &Fields) -> Result<(), ApiError> {
        let groups = fields.groups("NetworkInterface");
        let [group] = groups.as_slice() else {
            return match groups.len() {
                0 => Ok(()),
                _ => {
                    let text = "More than one network interface is not modelled here";
                    Err(ApiError::bad("UnsupportedOperation", text))
                }
            };
        };
        if self.subnet_id.is_some() || !self.group_ids.is_empty() || !self.group_names.is_empty() {
            let text = "Network interfaces and an instance-level subnet ID or security groups may \
                        not be specified on the same request";
            return Err(ApiError::combination(text));
        }
        if group.integer("DeviceIndex")?.is_some_and(|index| index != 0) {
            let text = "The device index of the first network interface has to be 0";
            return Err(ApiError::bad("InvalidParameterValue", text));
        }
        // An interface that is made with the instance goes with it here, whatever is asked for.
        group.flag("DeleteOnTermination")?;
        group.text("Description");
        self.subnet_id = group.text("SubnetId").map(Into::into);
        self.group_ids = group.list("SecurityGroupId");
        self.public_address = group.flag("AssociatePublicIpAddress")?;
        self.private_ip = group.text("PrivateIpAddress").map(Into::into).or(self.private_ip.take());
        Ok(())
    }

    /// What the call says, and for the rest what the template says.
    #[must_use]
    pub fn over(self, base: Launch) -> Launch {
        // Groups are one thing to say, by id or by name.
        let own_groups = !self.group_ids.is_empty() || !self.group_names.is_empty();
        let pick = |own: Vec<String>, base: Vec<String>| if own_groups { own } else { base };
        let mut tags = self.tags;
        for (kind, given) in base.tags {
            if tags.iter().all(|(known, _)| *known != kind) {
                tags.push((kind, given));
            }
        }
        Launch {
            image_id: self.image_id.or(base.image_id),
            instance_type: self.instance_type.or(base.instance_type),
            subnet_id: self.subnet_id.or(base.subnet_id),
            zone: self.zone.or(base.zone),
            group_ids: pick(self.group_ids, base.group_ids),
            group_names: pick(self.group_names, base.group_names),
            private_ip: self.private_ip.or(base.private_ip),
            public_address: self.public_address.or(base.public_address),
            key_name: self.key_name.or(base.key_name),
            user_data: self.user_data.or(base.user_data),
            profile: self.profile.or(base.profile),
            kernel_id: self.kernel_id.or(base.kernel_id),
            ramdisk_id: self.ramdisk_id.or(base.ramdisk_id),
            devices: if self.devices.is_empty() { base.devices } else { self.devices },
            spot: self.spot.or(base.spot),
            hibernation: self.hibernation.or(base.hibernation),
            stop_protection: self.stop_protection.or(base.stop_protection),
            termination_protection: self.termination_protection.or(base.termination_protection),
            ebs_optimized: self.ebs_optimized.or(base.ebs_optimized),
            monitoring: self.monitoring.or(base.monitoring),
            shutdown_behavior: self.shutdown_behavior.or(base.shutdown_behavior),
            metadata: Metadata {
                tokens: self.metadata.tokens.or(base.metadata.tokens),
                hop_limit: self.metadata.hop_limit.or(base.metadata.hop_limit),
                endpoint: self.metadata.endpoint.or(base.metadata.endpoint),
                ipv6: self.metadata.ipv6.or(base.metadata.ipv6),
                tags: self.metadata.tags.or(base.metadata.tags),
            },
            tags,
        }
    }
}

impl Metadata {
    fn read(fields: &Fields) -> Result<Metadata, ApiError> {
        let Some(group) = fields.group("MetadataOptions") else { return Ok(Metadata::default()) };
        let hop_limit = group.integer("HttpPutResponseHopLimit")?;
        if let Some(limit) = hop_limit
            && !(1..=64).contains(&limit)
        {
            let why = "The hop limit is between 1 and 64.";
            return Err(group.invalid("HttpPutResponseHopLimit", &limit.to_string(), why));
        }
        let switch = &["enabled", "disabled"];
        Ok(Metadata {
            tokens: one_of(&group, "HttpTokens", &["optional", "required"])?,
            hop_limit,
            endpoint: one_of(&group, "HttpEndpoint", switch)?,
            ipv6: one_of(&group, "HttpProtocolIpv6", switch)?,
            tags: one_of(&group, "InstanceMetadataTags", switch)?,
        })
    }
}

/// A parameter that has one of a few values, if it is there.
pub fn one_of(fields: &Fields, name: &str, known: &[&str]) -> Result<Option<String>, ApiError> {
    match fields.text(name) {
        None => Ok(None),
        Some(text) if known.contains(&text) => Ok(Some(text.to_string())),
        Some(text) => {
            let why = format!("It is one of {} (others are not modelled here).", known.join(", "));
            Err(fields.invalid(name, text, &why))
        }
    }
}

pub fn read_shutdown_behavior(fields: &Fields) -> Result<Option<String>, ApiError> {
    one_of(fields, "InstanceInitiatedShutdownBehavior", &["stop", "terminate"])
}

fn read_user_data(fields: &Fields) -> Result<Option<String>, ApiError> {
    let Some(data) = fields.text("UserData") else { return Ok(None) };
    check_user_data(data)?;
    Ok(Some(data.to_string()))
}

pub fn check_user_data(data: &str) -> Result<(), ApiError> {
    match base64::decoded_length(data) {
        None => {
            let text = "Invalid BASE64 encoding of user data.";
            Err(ApiError::bad("InvalidUserData.Malformed", text))
        }
        Some(length) if length > USER_DATA_BYTES_MAX => {
            let text = "User data is limited to 16384 bytes";
            Err(ApiError::bad("InvalidParameterValue", text))
        }
        Some(_) => Ok(()),
    }
}

fn read_profile(fields: &Fields) -> Result<Option<Profile>, ApiError> {
    let Some(group) = fields.group("IamInstanceProfile") else { return Ok(None) };
    match (group.text("Arn"), group.text("Name")) {
        (Some(arn), None) => Ok(Some(Profile::Arn(arn.to_string()))),
        (None, Some(name)) => Ok(Some(Profile::Name(name.to_string()))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            let text = "The parameter 'iamInstanceProfile.name' may not be used in combination \
                        with 'iamInstanceProfile.arn'";
            Err(ApiError::combination(text))
        }
    }
}

fn read_spot(fields: &Fields) -> Result<Option<bool>, ApiError> {
    let Some(group) = fields.group("InstanceMarketOptions") else { return Ok(None) };
    let spot = one_of(&group, "MarketType", &["spot", "on-demand"])?.is_some_and(|t| t == "spot");
    if let Some(options) = group.group("SpotOptions") {
        one_of(&options, "SpotInstanceType", &["one-time"])?;
        one_of(&options, "InstanceInterruptionBehavior", &["terminate"])?;
        // Nobody is outbid here.
        options.text("MaxPrice");
    }
    Ok(Some(spot))
}
