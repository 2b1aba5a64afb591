//! The method by which a machine is imaged, or the reason why it is not.
//!
//! RegisterImage makes an image that bills nothing beside the machine, boots as it is told, and
//! has the disks of its snapshots. CreateImage makes one that takes over what only EC2 knows of the
//! machine, billing codes above all. `auto` registers where nothing is lost by that, since the
//! disks are then of the moment of one call, and has EC2 create the image where something would be.
//! Who insists on registering is refused with what would be lost: an image that launches and then
//! lacks its licence, or does not boot, would be found out on the worst of days.

use crate::facts::{BootMode, RootDeviceType, UsageOperation, Virtualization};
use crate::limits::LEFT_OUT_MAX;
use crate::machine::{LeftOut, Machine, State, Volume};
use crate::point::{Chosen, Plan, Point};
use crate::policy::select::matches_any;
use crate::policy::{Artefact, Consistency, ExcludeVolumes, Method};
use crate::reason::{Code, Reason};

const POLICY_SAYS: &str = "its policy says so";

/// Decision of what is made of a machine, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The machine with the volumes that are imaged, and apart from them those that are not.
    pub machine: Machine,
    /// Method of the image; none where there is to be no image.
    pub method: Option<Chosen>,
    /// Reason why EC2 has to create the image, if it does.
    pub because: Option<Reason>,
    /// Finding that a person should see.
    pub finding: Option<Reason>,
}

/// Chooses what is made of a machine for a point.
///
/// # Errors
/// Why it may not be made; nothing of that passes by waiting.
pub(super) fn choose(point: &Point, machine: &Machine) -> Result<Choice, Reason> {
    let plan = &point.plan;
    let machine = without_left_out(machine, &plan.exclude_volumes);
    if plan.kind == Artefact::Image {
        can_boot(&machine)?;
    }
    if machine.volumes.is_empty() {
        return Err(no_volumes(&machine));
    }
    let (method, because) = match plan.kind {
        Artefact::Snapshots => match too_many_left_out(&machine) {
            Some(reason) => return Err(reason),
            None => (None, None),
        },
        Artefact::Image => {
            let (chosen, because) = method(point, &machine)?;
            (Some(chosen), because)
        }
    };
    let finding = not_shareable(plan, &machine);
    Ok(Choice { machine, method, because, finding })
}

impl Choice {
    /// Tells whether EC2 is to create the image.
    pub fn is_created(&self) -> bool {
        self.method.as_ref().is_some_and(|chosen| chosen.method == Method::CreateImage)
    }

    /// The point with what was chosen for it.
    pub fn for_point(&self, point: &Point) -> Point {
        let (machine, method) = (Some(self.machine.clone()), self.method.clone());
        Point { machine, method, ..point.clone() }.found(self.finding.clone())
    }
}

fn without_left_out(machine: &Machine, exclude: &ExcludeVolumes) -> Machine {
    let is_left_out = |volume: &Volume| {
        let tagged = exclude.tags.iter().any(|(key, patterns)| {
            volume.tags.get(key).is_some_and(|value| matches_any(patterns, value))
        });
        tagged || exclude.devices.contains(&volume.device)
    };
    let (out, volumes): (Vec<Volume>, Vec<Volume>) =
        machine.volumes.iter().cloned().partition(is_left_out);
    let out = out.into_iter().map(|volume| LeftOut { id: volume.id, device: volume.device });
    Machine { volumes, left_out: out.collect(), ..machine.clone() }
}

/// Checks that an image of the machine, however made, can boot.
fn can_boot(machine: &Machine) -> Result<(), Reason> {
    let build = &machine.build;
    let refuse = |code, text: String| Err(Reason::new(code, text));
    if build.virtualization != Virtualization::Hvm {
        let text =
            format!("virtualization is {}; only hvm machines can be imaged", build.virtualization);
        return refuse(Code::Paravirtual, text);
    }
    if build.root_device_type != RootDeviceType::Ebs {
        let text = format!(
            "root device type is {}; only EBS-backed machines can be imaged",
            build.root_device_type
        );
        return refuse(Code::InstanceStore, text);
    }
    if machine.left_out.iter().any(|volume| volume.device == build.root_device) {
        let text = format!(
            "the policy excludes root device {}; its image would not boot",
            build.root_device
        );
        return refuse(Code::RootLeftOut, text);
    }
    if machine.volumes.is_empty() {
        return Err(no_volumes(machine));
    }
    if !machine.volumes.iter().any(|volume| volume.device == build.root_device) {
        let text = format!("no volume is attached as root device {}", build.root_device);
        return refuse(Code::NoVolumes, text);
    }
    Ok(())
}

fn no_volumes(machine: &Machine) -> Reason {
    let text = match machine.left_out.len() {
        0 => "no EBS volume is attached".to_string(),
        count => format!("the policy excludes every attached volume ({count})"),
    };
    Reason::new(Code::NoVolumes, text)
}

/// The method, and what speaks for having EC2 create the image.
fn method(point: &Point, machine: &Machine) -> Result<(Chosen, Option<Reason>), Reason> {
    let chosen = |method, why: &str| Chosen { method, why: why.to_string() };
    // What an earlier try has shown is not forgotten, and its names are those of such images.
    let before = point.method.as_ref().filter(|before| before.method == Method::CreateImage);
    let mut losses = losses(&point.plan, machine).into_iter();
    match point.plan.method {
        Method::CreateImage => Ok((chosen(Method::CreateImage, POLICY_SAYS), losses.next())),
        // EBS keeps product codes on snapshots, and RegisterImage takes them from there: nobody is
        // refused for them, and whether they are there is looked at when the image is.
        Method::SnapshotRegister => match losses.find(|lost| lost.code != Code::ProductCode) {
            Some(lost) => Err(lost),
            None => Ok((chosen(Method::SnapshotRegister, POLICY_SAYS), None)),
        },
        Method::Auto => match (losses.next(), before) {
            (Some(lost), _) => Ok((chosen(Method::CreateImage, &lost.to_string()), Some(lost))),
            (None, Some(before)) => Ok((before.clone(), None)),
            (None, None) => Ok((chosen(Method::SnapshotRegister, "nothing is lost by it"), None)),
        },
    }
}

/// Lists what a registered image would lack.
fn losses(plan: &Plan, machine: &Machine) -> Vec<Reason> {
    let build = &machine.build;
    let mut losses = Vec::new();
    let mut add = |code, text: String| losses.push(Reason::new(code, text));
    if build.usage_operation != UsageOperation::RunInstances {
        let text = match &build.usage_operation {
            UsageOperation::Unknown => {
                "EC2 does not show what the machine bills; RegisterImage could lose it".to_string()
            }
            operation => format!("RegisterImage would lose usage operation {operation}"),
        };
        add(Code::BilledByUsage, text);
    }
    if !build.product_codes.is_empty() {
        let text = format!("the machine has product code {}", build.product_codes.join(", "));
        add(Code::ProductCode, text);
    }
    if !build.image_readable {
        let text = format!(
            "source image {} cannot be read; some attributes are known only from there",
            build.image
        );
        add(Code::SourceUnreadable, text);
    }
    let boot_mode = build.boot_mode.as_ref();
    if build.tpm.is_some() && boot_mode != Some(&BootMode::Uefi) {
        let mode = boot_mode.map_or("none", BootMode::as_str);
        let text = format!(
            "RegisterImage accepts a TPM only with boot mode uefi; this machine uses {mode}"
        );
        add(Code::TpmBootMode, text);
    }
    if plan.consistency == Consistency::Reboot && machine.instance.state == State::Running {
        let text = "the machine runs, and only CreateImage reboots it for its image";
        add(Code::NeedsReboot, text.to_string());
    }
    losses.extend(too_many_left_out(machine));
    losses
}

fn too_many_left_out(machine: &Machine) -> Option<Reason> {
    let root = &machine.build.root_device;
    let data = machine.left_out.iter().filter(|volume| volume.device != *root).count();
    let text = || {
        format!(
            "the policy excludes {data} data volumes; CreateSnapshots takes at most {LEFT_OUT_MAX}"
        )
    };
    (data > LEFT_OUT_MAX).then(|| Reason::new(Code::TooManyLeftOut, text()))
}

/// Tells why the accounts that the images are for cannot use them.
fn not_shareable(plan: &Plan, machine: &Machine) -> Option<Reason> {
    if plan.share.is_empty() {
        return None;
    }
    let mut why: Vec<String> = Vec::new();
    let codes = &machine.build.product_codes;
    if !codes.is_empty() {
        let codes = codes.join(", ");
        why.push(format!("product code {codes}: only its subscribers can launch the image"));
    }
    if machine.volumes.iter().any(|volume| volume.encrypted) {
        why.push(
            "encrypted volumes: under `alias/aws/ebs` no other account can read them".to_string(),
        );
        for place in plan.replicate.iter().filter(|place| place.kms_key.is_none()) {
            why.push(format!(
                "replica in {}: no `kms_key` is set, and under `alias/aws/ebs` no other account \
                 can read it",
                place.region
            ));
        }
    }
    (!why.is_empty()).then(|| Reason::new(Code::NotShareable, why.join("; ")))
}
