//! May a machine be imaged from its snapshots, or would such an image lack something?
//!
//! RegisterImage makes an image that bills nothing beside the machine, boots as it is told, and
//! has the disks of its snapshots. A machine that needs more than that is refused with the reason:
//! an image that launches and then lacks its licence, or does not boot, would be found out on the
//! worst of days.

use crate::machine::Machine;
use crate::reason::{Code, Reason};

/// What an image without billing codes says.
const BILLS_NOTHING: &str = "RunInstances";

/// # Errors
/// The first reason why it may not be imaged; none of them passes by waiting.
pub(super) fn check(machine: &Machine) -> Result<(), Reason> {
    let build = &machine.build;
    let refuse = |code, text: String| Err(Reason::new(code, text));
    if build.virtualization != "hvm" {
        let text = format!("{} machines cannot be registered anew", build.virtualization);
        return refuse(Code::Paravirtual, text);
    }
    if build.root_device_type != "ebs" {
        let text = format!("its root device is of type {}, not EBS", build.root_device_type);
        return refuse(Code::InstanceStore, text);
    }
    if machine.volumes.is_empty() {
        return refuse(Code::NoVolumes, "no EBS volume is attached".into());
    }
    if !machine.volumes.iter().any(|volume| volume.device == build.root_device) {
        let text = format!("nothing is attached as its root device {}", build.root_device);
        return refuse(Code::NoVolumes, text);
    }
    if build.usage_operation != BILLS_NOTHING {
        let text = format!("an image of its snapshots would not bill {}", build.usage_operation);
        return refuse(Code::BilledByUsage, text);
    }
    if !build.product_codes.is_empty() {
        let text = format!("it carries product code {}", build.product_codes.join(", "));
        return refuse(Code::ProductCode, text);
    }
    if !build.image_readable {
        let text = format!("attributes that only its image {} has are unknown", build.image);
        return refuse(Code::SourceUnreadable, text);
    }
    Ok(())
}
