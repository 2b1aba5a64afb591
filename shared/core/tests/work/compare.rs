//! An image that is available, attribute by attribute.

use afterimage_core::flow::work_requested::confirm::{Input, decide, needs_uefi_data};
use afterimage_core::ids::AmiId;
use afterimage_core::observed::{ImageState, ObservedImage};
use afterimage_core::point::{Point, Replica, ReplicaStatus};
use afterimage_core::policy::Method;
use afterimage_core::reason::Code;
use afterimage_core::status::Status;

use crate::scene::{
    HOME, NAME, ami, at, code, confirm_input, created, created_image, imaged, mins, point_in,
    region, registered, replica_in, running, seen_image, tags, written,
};

type Edit = fn(&mut ObservedImage);

/// What becomes of a point whose image shows like that, under a policy that insists on registering.
fn judged(edit: Edit) -> Point {
    let mut point = registered();
    point.plan.method = Method::SnapshotRegister;
    let mut image = seen_image(1, ImageState::Available);
    edit(&mut image);
    let (points, _) = written(&decide(&confirm_input(at(mins(20)), vec![point], &[image])));
    points.into_iter().next().expect("a point")
}

fn text<T: for<'a> From<&'a str>>(text: &str) -> Option<T> {
    Some(T::from(text))
}

#[test]
fn what_would_not_boot_or_lost_its_licence_fails_the_point() {
    let cases: [(&str, Edit); 14] = [
        ("architecture", |image| image.attributes.architecture = text("i386")),
        ("virtualization", |image| image.attributes.virtualization = text("paravirtual")),
        ("root device", |image| image.attributes.root_device = text("/dev/sda1")),
        ("root device type", |image| image.attributes.root_device_type = text("instance-store")),
        ("boot mode", |image| image.attributes.boot_mode = text("legacy-bios")),
        ("boot mode", |image| image.attributes.boot_mode = None),
        ("ENA", |image| image.attributes.ena = false),
        ("usage operation", |image| image.attributes.usage_operation = text("RunInstances:0002")),
        ("usage operation", |image| image.attributes.usage_operation = None),
        ("/dev/sdf is missing", |image| drop(image.devices.pop())),
        ("/dev/xvda is missing", |image| drop(image.devices.remove(0))),
        ("/dev/sdf has no snapshot", |image| image.devices[1].snapshot = None),
        ("/dev/sdf is there twice", |image| image.devices.push(image.devices[1].clone())),
        ("/dev/sdz is none of the volumes", |image| {
            image.devices.push({
                let mut more = image.devices[1].clone();
                more.name = "/dev/sdz".into();
                more
            })
        }),
    ];
    for (what, edit) in cases {
        let point = judged(edit);
        assert_eq!((point.status, code(&point)), (Status::Failed, Some(Code::ImageDiffers)));
        let reason = point.reason.expect("a reason").text;
        assert!(reason.contains(what), "{what}: {reason}");
        assert_eq!(point.leftovers, [ami(1).into()], "{what}");
    }
}

#[test]
fn any_other_difference_is_told_of() {
    let cases: [(&str, Edit); 12] = [
        ("SR-IOV support", |image| image.attributes.sriov = None),
        ("TPM", |image| image.attributes.tpm = None),
        ("IMDS support", |image| image.attributes.imds = None),
        ("product code abc", |image| image.attributes.product_codes = vec!["abc".into()]),
        ("/dev/xvda: size differs (machine: 20 GiB, image: 30 GiB)", |image| {
            image.devices[0].size_gib = Some(30);
        }),
        ("/dev/xvda: type differs (machine: gp3, image: gp2)", |image| {
            image.devices[0].volume_type = text("gp2");
        }),
        ("/dev/sdf: IOPS differs (machine: 3000, image: 100)", |image| {
            image.devices[1].iops = Some(100);
        }),
        ("/dev/xvda: throughput differs (machine: 125, image: not shown)", |image| {
            image.devices[0].throughput = None;
        }),
        ("/dev/xvda: DeleteOnTermination differs (machine: true, image: false)", |image| {
            image.devices[0].delete_on_termination = Some(false);
        }),
        ("/dev/sdf: DeleteOnTermination differs (machine: false, image: true)", |image| {
            image.devices[1].delete_on_termination = Some(true);
        }),
        ("/dev/sdf: encryption differs (machine: not encrypted, image: encrypted)", |image| {
            image.devices[1].encrypted = Some(true);
        }),
        ("TPM differs (machine: v2.0, image: not shown); IMDS", |image| {
            image.attributes.tpm = None;
            image.attributes.imds = None;
        }),
    ];
    for (what, edit) in cases {
        let point = judged(edit);
        assert_eq!(point.status, Status::Imaged, "{what}");
        let [finding] = &point.findings[..] else { panic!("{what}: {:?}", point.findings) };
        assert_eq!(finding.code, Code::ImageDiffers);
        assert!(finding.text.contains(what), "{what}: {}", finding.text);
    }
    let point = judged(|_| {});
    assert_eq!((point.status, point.findings.len()), (Status::Imaged, 0));
}

#[test]
fn a_volume_of_the_instance_store_that_the_image_does_not_map_is_told_of() {
    let look = |shown: &[(&str, &str)]| {
        let mut point = registered();
        let machine = point.machine.as_mut().expect("its machine");
        // The device of an EBS volume is none of the instance store, whatever its image says.
        let mapped = [("/dev/sdc", "ephemeral0"), ("/dev/xvdf", "ephemeral1")];
        machine.build.instance_store = tags(&mapped);
        let mut image = seen_image(1, ImageState::Available);
        image.attributes.instance_store = tags(shown);
        point_in(&decide(&confirm_input(at(mins(20)), vec![point], &[image]))).findings
    };
    assert_eq!(look(&[("/dev/sdc", "ephemeral0")]), []);
    let found = look(&[]);
    let text = "/dev/sdc: instance store differs (machine: ephemeral0, image: not shown)";
    assert!(found.len() == 1 && found[0].text.contains(text), "{found:?}");
}

#[test]
fn a_lost_product_code_is_a_lost_licence() {
    let mut point = registered();
    point.plan.method = Method::SnapshotRegister;
    let machine = point.machine.as_mut().expect("its machine");
    machine.build.product_codes = vec!["abc".into()];
    let image = seen_image(1, ImageState::Available);
    let after = point_in(&decide(&confirm_input(at(mins(20)), vec![point], &[image])));
    assert_eq!((after.status, code(&after)), (Status::Failed, Some(Code::ImageDiffers)));
}

#[test]
fn the_variables_of_the_firmware_are_asked_for_and_compared() {
    let image = created_image(1, ImageState::Available);
    let images = [(ami(1), image.clone())].into();
    let point = created(&running());
    let points = std::slice::from_ref(&point);
    assert_eq!(needs_uefi_data(points, &images), [ami(1)]);
    // What RegisterImage was told is not asked.
    assert_eq!(needs_uefi_data(&[registered()], &images), Vec::<AmiId>::new());
    let pending = [(ami(1), created_image(1, ImageState::Pending))].into();
    assert_eq!(needs_uefi_data(points, &pending), Vec::<AmiId>::new());
    let mut without = point.clone();
    without.machine.as_mut().expect("its machine").build.uefi_data = None;
    assert_eq!(needs_uefi_data(&[without], &images), Vec::<AmiId>::new());
    let cases = [(text("QU1aTlVFRkk="), 0), (text("b3RoZXI="), 1), (None, 1)];
    for (data, told) in cases {
        let input = confirm_input(at(mins(20)), vec![point.clone()], std::slice::from_ref(&image));
        let decision = decide(&Input { uefi_data: [(ami(1), data)].into(), ..input });
        let (points, _) = written(&decision);
        assert_eq!((points[0].status, points[0].findings.len()), (Status::Imaged, told));
    }
}

/// What becomes of the replica in Ireland.
fn copied(edit: Edit) -> Replica {
    let (point, replicas) = imaged();
    let mut replica = replicas.into_iter().next().expect("a replica");
    replica.status = ReplicaStatus::Pending;
    replica.image = Some(ami(2));
    replica.step.begun_at = Some(at(mins(20)));
    let mut image = ObservedImage {
        source: Some((region(HOME), ami(1))),
        name: format!("{NAME}-0"),
        ..seen_image(2, ImageState::Available)
    };
    edit(&mut image);
    let input = confirm_input(at(mins(30)), Vec::new(), &[image]);
    let points_of_replicas = [(point.id.clone(), point)].into();
    replica_in(&decide(&Input { replicas: vec![replica], points_of_replicas, ..input }))
}

#[test]
fn a_copy_that_would_not_boot_is_made_again() {
    let of_no_use: [Edit; 3] = [
        |image| image.attributes.ena = false,
        |image| image.attributes.boot_mode = None,
        |image| drop(image.devices.pop()),
    ];
    for edit in of_no_use {
        let replica = copied(edit);
        assert_eq!((replica.status, replica.step.attempt), (ReplicaStatus::Waiting, 1));
        assert_eq!(replica.reason.map(|reason| reason.code), Some(Code::ImageDiffers));
        assert_eq!(replica.leftovers, [ami(2).into()]);
    }
    // What has another key is a copy all the same.
    let fine: [Edit; 2] =
        [|_| {}, |image| image.devices.iter_mut().for_each(|device| device.encrypted = Some(true))];
    for edit in fine {
        assert_eq!(copied(edit).status, ReplicaStatus::Available);
    }
}
