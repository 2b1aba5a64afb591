//! The matrix of machines: by which way an image is made of each, and why. What is expected follows
//! from what RegisterImage can be told, and is written down as an operator reads it.

use afterimage_core::flow::work_requested::snapshot::decide;
use afterimage_core::machine::{Machine, State, Volume};
use afterimage_core::point::Point;
use afterimage_core::policy::{Artefact, Consistency, Method};
use afterimage_core::reason::Code;
use afterimage_core::status::Status;

use crate::render::render;
use crate::scene::{
    HOME, NAME, ami, at, code, point_in, region, replicate, requested, running, snapshot_input,
    stopped, tags, volume,
};

type Edit = fn(&mut Point, &mut Machine);

/// The lines of the plan after the instance and the point, which are the same in each.
fn plan(edit: Edit) -> (String, Point) {
    let (mut point, mut machine) = (requested(), running());
    edit(&mut point, &mut machine);
    let decision = decide(&snapshot_input(at(0), vec![point], Some(&machine)));
    let lines = render(&decision)
        .replace(NAME, "POINT")
        .replace("i-0123456789abcdef0", "MACHINE")
        .replace(", due 2026-03-01T02:06:00Z", "");
    (lines, point_in(&decision))
}

const SNAPSHOTS: &str = "+ us-east-1: snapshots of MACHINE; POINT: snapshotting\n";
const IMAGE: &str = "+ us-east-1: image POINT-0 of MACHINE; POINT: creating\n";

#[track_caller]
fn check(what: &str, edit: Edit, call: &str, reason: &str, why: &str) {
    let (lines, point) = plan(edit);
    let said = match reason {
        "" => String::new(),
        reason => format!("- POINT: {reason}\n"),
    };
    assert_eq!(lines, format!("{call}{said}"), "{what}");
    let chosen = point.method.as_ref().expect("a method was chosen");
    let method = match point.status {
        Status::Creating => Method::CreateImage,
        _ => Method::SnapshotRegister,
    };
    assert_eq!((chosen.method, chosen.why.as_str()), (method, why), "{what}");
    assert_eq!(point.check(), Ok(()), "{what}");
}

/// Registered, because nothing is lost by it.
#[track_caller]
fn registered(what: &str, edit: Edit) {
    check(what, edit, SNAPSHOTS, "", "nothing is lost by it");
}

/// Created by EC2, for this reason.
#[track_caller]
fn created(what: &str, edit: Edit, reason: &str) {
    check(what, edit, IMAGE, reason, reason);
}

#[test]
fn what_registering_keeps_is_registered() {
    registered("x86, UEFI, TPM, IMDSv2, ENA, gp3 and io2", |_, _| {});
    registered("Arm", |_, machine| {
        machine.build.architecture = "arm64".into();
        machine.build.tpm = None;
    });
    registered("BIOS", |_, machine| {
        machine.build.boot_mode = Some("legacy-bios".into());
        machine.build.tpm = None;
        machine.build.uefi_data = None;
    });
    registered("UEFI preferred", |_, machine| {
        machine.build.boot_mode = Some("uefi-preferred".into());
        machine.build.tpm = None;
    });
    registered("no boot mode", |_, machine| {
        machine.build.boot_mode = None;
        machine.build.tpm = None;
    });
    registered("no IMDSv2, no ENA", |_, machine| {
        machine.build.imds = None;
        machine.build.ena = false;
        machine.build.sriov = None;
    });
    registered("gp2", |_, machine| {
        machine.volumes.iter_mut().for_each(|volume| volume.volume_type = "gp2".into());
    });
    registered("encrypted", |_, machine| {
        machine.volumes.iter_mut().for_each(|volume| volume.encrypted = true);
    });
    registered("many volumes", |_, machine| add_volumes(machine, 60));
    registered("stopped, to be rebooted if it ran", |point, machine| {
        point.plan.consistency = Consistency::Reboot;
        *machine = stopped();
    });
}

fn add_volumes(machine: &mut Machine, count: u32) {
    let like = machine.volumes[1].clone();
    machine.volumes.extend((100..100 + count).map(|number| Volume {
        id: volume(number),
        device: format!("/dev/xvd{number}"),
        tags: tags(&[("scratch", "yes")]),
        ..like.clone()
    }));
}

#[test]
fn what_registering_would_lose_is_created_by_ec2() {
    created(
        "Windows",
        |_, machine| machine.build.usage_operation = "RunInstances:0002".into(),
        "RegisterImage would lose usage operation RunInstances:0002 (billed-by-usage)",
    );
    created(
        "RHEL",
        |_, machine| machine.build.usage_operation = "RunInstances:0010".into(),
        "RegisterImage would lose usage operation RunInstances:0010 (billed-by-usage)",
    );
    created(
        "SUSE",
        |_, machine| machine.build.usage_operation = "RunInstances:000g".into(),
        "RegisterImage would lose usage operation RunInstances:000g (billed-by-usage)",
    );
    created(
        "nobody knows what",
        |_, machine| machine.build.usage_operation = "".into(),
        "EC2 does not show what the machine bills; RegisterImage could lose it (billed-by-usage)",
    );
    created(
        "Marketplace",
        |_, machine| machine.build.product_codes = vec!["abc".into()],
        "the machine has product code abc (product-code)",
    );
    created(
        "an image that is gone",
        |_, machine| {
            machine.build.image = ami(9);
            machine.build.image_readable = false;
        },
        "source image ami-00000000000000009 cannot be read; some attributes are known only \
         from there (source-unreadable)",
    );
    created(
        "TPM and UEFI preferred",
        |_, machine| machine.build.boot_mode = Some("uefi-preferred".into()),
        "RegisterImage accepts a TPM only with boot mode uefi; this machine uses uefi-preferred \
         (tpm-boot-mode)",
    );
    let rebooted = "the machine runs, and only CreateImage reboots it for its image (needs-reboot)";
    check(
        "running, to be rebooted",
        |point, _| point.plan.consistency = Consistency::Reboot,
        "+ us-east-1: image POINT-0 of MACHINE, rebooting it; POINT: creating\n",
        rebooted,
        rebooted,
    );
    let (lines, point) = plan(|point, machine| {
        add_volumes(machine, 41);
        point.plan.exclude_volumes.tags = [("scratch".to_string(), vec!["y*".to_string()])].into();
    });
    let reason =
        "the policy excludes 41 data volumes; CreateSnapshots takes at most 40 (too-many-left-out)";
    assert!(lines.ends_with(&format!("\n- POINT: {reason}\n")), "{lines}");
    assert_eq!(point.status, Status::Creating);
}

#[test]
fn a_policy_that_says_how_is_followed_unless_something_would_be_lost() {
    check(
        "created though registering would do",
        |point, _| point.plan.method = Method::CreateImage,
        IMAGE,
        "",
        "its policy says so",
    );
    check(
        "registered",
        |point, _| point.plan.method = Method::SnapshotRegister,
        SNAPSHOTS,
        "",
        "its policy says so",
    );
    check(
        "registered, as EBS keeps product codes on snapshots",
        |point, machine| {
            point.plan.method = Method::SnapshotRegister;
            machine.build.product_codes = vec!["abc".into()];
        },
        SNAPSHOTS,
        "",
        "its policy says so",
    );
    let refused: [(Edit, Code); 4] = [
        (
            |_, machine| machine.build.usage_operation = "RunInstances:0002".into(),
            Code::BilledByUsage,
        ),
        (|_, machine| machine.build.image_readable = false, Code::SourceUnreadable),
        (|_, machine| machine.build.boot_mode = None, Code::TpmBootMode),
        (|point, _| point.plan.consistency = Consistency::Reboot, Code::NeedsReboot),
    ];
    for (edit, expected) in refused {
        let (mut point, mut machine) = (requested(), running());
        point.plan.method = Method::SnapshotRegister;
        edit(&mut point, &mut machine);
        let input = snapshot_input(at(0), vec![point], Some(&machine));
        let point = point_in(&decide(&input));
        assert_eq!((point.status, code(&point)), (Status::Refused, Some(expected)));
    }
}

#[test]
fn what_is_left_out_is_recorded_and_named_in_the_call() {
    let by_device = |point: &mut Point| {
        point.plan.exclude_volumes.devices = vec!["/dev/sdf".into()];
    };
    let (lines, point) = plan(|point, _| {
        point.plan.exclude_volumes.devices = vec!["/dev/sdf".into()];
    });
    let without =
        format!("+ us-east-1: snapshots of MACHINE without {}; POINT: snapshotting\n", volume(2));
    assert_eq!(lines, without);
    let machine = point.machine.as_ref().expect("its machine");
    assert_eq!((machine.volumes.len(), machine.left_out.len()), (1, 1));
    let globs: [(&str, bool); 4] = [("*", true), ("t?p", true), ("tmp", true), ("t", false)];
    for (pattern, expected) in globs {
        let (mut point, mut machine) = (requested(), running());
        machine.volumes[1].tags = tags(&[("scratch", "tmp")]);
        let patterns = vec!["other".to_string(), pattern.to_string()];
        point.plan.exclude_volumes.tags = [("scratch".to_string(), patterns)].into();
        let input = snapshot_input(at(0), vec![point], Some(&machine));
        let machine = point_in(&decide(&input)).machine.expect("its machine");
        assert_eq!(machine.left_out.len(), usize::from(expected), "{pattern}");
    }
    let mut root = requested();
    by_device(&mut root);
    root.plan.exclude_volumes.devices.push("/dev/xvda".into());
    let input = snapshot_input(at(0), vec![root.clone()], Some(&running()));
    assert_eq!(code(&point_in(&decide(&input))), Some(Code::RootLeftOut));
    root.plan.kind = Artefact::Snapshots;
    let input = snapshot_input(at(0), vec![root], Some(&running()));
    assert_eq!(code(&point_in(&decide(&input))), Some(Code::NoVolumes), "nothing is left");
}

#[test]
fn snapshots_alone_ask_no_more_of_a_machine_than_that_it_has_disks() {
    let edits: [Edit; 4] = [
        |_, machine| machine.build.virtualization = "paravirtual".into(),
        |_, machine| machine.build.root_device_type = "instance-store".into(),
        |_, machine| machine.build.usage_operation = "RunInstances:0002".into(),
        |_, machine| machine.instance.state = State::Running,
    ];
    for edit in edits {
        let (mut point, mut machine) = (requested(), running());
        point.plan.kind = Artefact::Snapshots;
        edit(&mut point, &mut machine);
        let input = snapshot_input(at(0), vec![point], Some(&machine));
        let point = point_in(&decide(&input));
        assert_eq!((point.status, &point.method), (Status::Snapshotting, &None));
    }
    let (lines, _) = plan(|point, _| {
        point.plan.kind = Artefact::Snapshots;
        point.plan.exclude_volumes.devices = vec!["/dev/xvda".into()];
    });
    assert_eq!(lines, "+ us-east-1: snapshots of MACHINE without its root; POINT: snapshotting\n");
    let (mut point, mut machine) = (requested(), running());
    point.plan.kind = Artefact::Snapshots;
    point.plan.exclude_volumes.tags = [("scratch".to_string(), vec!["*".to_string()])].into();
    add_volumes(&mut machine, 41);
    let input = snapshot_input(at(0), vec![point], Some(&machine));
    assert_eq!(code(&point_in(&decide(&input))), Some(Code::TooManyLeftOut));
}

#[test]
fn what_others_could_not_use_is_told() {
    type Case = (Edit, &'static [&'static str]);
    let cases: [Case; 5] = [
        (|_, _| {}, &[]),
        (|_, machine| machine.build.product_codes = vec!["abc".into()], &["product code abc"]),
        (|_, machine| machine.volumes[0].encrypted = true, &["alias/aws/ebs", "eu-west-1"]),
        (
            |point, machine| {
                point.plan.replicate = vec![replicate("eu-west-1", Some("alias/dr"))];
                machine.volumes[0].encrypted = true;
            },
            &["alias/aws/ebs"],
        ),
        (
            |point, machine| {
                point.plan.share.clear();
                machine.volumes[0].encrypted = true;
                machine.build.product_codes = vec!["abc".into()];
            },
            &[],
        ),
    ];
    for (edit, expected) in cases {
        let (mut point, mut machine) = (requested(), running());
        point.plan.share = vec!["111122223333".to_string().try_into().expect("an account")];
        edit(&mut point, &mut machine);
        let home = region(HOME);
        assert_eq!(point.home, home);
        let input = snapshot_input(at(0), vec![point], Some(&machine));
        let found = point_in(&decide(&input)).findings;
        let told: Vec<_> = found.iter().filter(|it| it.code == Code::NotShareable).collect();
        assert_eq!(told.len(), usize::from(!expected.is_empty()), "{found:?}");
        for text in expected {
            assert!(told[0].text.contains(text), "{found:?}");
        }
    }
}
