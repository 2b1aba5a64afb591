//! The matrix of machines.

use super::{Case, Disk, disk, line, policy};
use crate::scene::{self, HOME, IRELAND, Scene, codes};

/// Every machine that there is to launch, but for those that need an image of their own.
fn public_machines() -> Vec<Case> {
    free_machines().into_iter().chain(billed_machines()).collect()
}

/// A disk that costs, and outlives its machine.
fn io2() -> Disk {
    Disk { iops: Some(4000), goes: false, ..disk("/dev/sdf", "io2", 100) }
}

fn secret() -> Disk {
    Disk { encrypted: true, ..disk("/dev/sdh", "gp3", 10) }
}

/// Those of which nothing is billed beside the machine.
fn free_machines() -> Vec<Case> {
    let fast = Disk { iops: Some(6000), throughput: Some(500), ..disk("/dev/sdg", "gp3", 50) };
    let devices = ["b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
    let many = devices
        .map(|letter| disk(Box::leak(format!("/dev/sd{letter}").into_boxed_str()), "gp2", 1));
    vec![
        Case::new(
            "x86, UEFI preferred, IMDSv2, gp2, gp3 and io2",
            "al2023-ami-*-x86_64",
            "snapshot-register",
            "x86_64 hvm uefi-preferred ena simple tpm=- imds=v2.0 RunInstances 'Linux/UNIX' \
             codes=0 root=/dev/xvda | /dev/sde gp2 20GiB goes | \
             /dev/sdf io2 100GiB 4000iops stays | /dev/sdg gp3 50GiB 6000iops 500MiB/s goes | \
             /dev/xvda gp3 8GiB 3000iops 125MiB/s goes",
        )
        .with(&[disk("/dev/sde", "gp2", 20), io2(), fast]),
        Case::new(
            "Arm, UEFI",
            "al2023-ami-*-arm64",
            "snapshot-register",
            "arm64 hvm uefi ena simple tpm=- imds=v2.0 RunInstances 'Linux/UNIX' codes=0 \
             root=/dev/xvda | /dev/xvda gp3 8GiB 3000iops 125MiB/s goes",
        )
        .on("t4g.micro"),
        Case::new(
            "x86 without UEFI, encrypted in part",
            "ubuntu/*",
            "snapshot-register",
            "x86_64 hvm uefi-preferred ena simple tpm=- imds=- RunInstances 'Linux/UNIX' codes=0 \
             root=/dev/sda1 | /dev/sda1 gp3 8GiB 3000iops 125MiB/s goes | /dev/sdb ephemeral0 | \
             /dev/sdc ephemeral1 | /dev/sdh gp3 10GiB 3000iops 125MiB/s goes encrypted",
        )
        .on("t2.micro")
        .with(&[secret()]),
        Case::new(
            "many volumes",
            "al2023-ami-*-x86_64",
            "snapshot-register",
            "x86_64 hvm uefi-preferred ena simple tpm=- imds=v2.0 RunInstances 'Linux/UNIX' \
             codes=0 root=/dev/xvda | /dev/sdb gp2 1GiB goes | /dev/sdc gp2 1GiB goes | \
             /dev/sdd gp2 1GiB goes | /dev/sde gp2 1GiB goes | /dev/sdf gp2 1GiB goes | \
             /dev/sdg gp2 1GiB goes | /dev/sdh gp2 1GiB goes | /dev/sdi gp2 1GiB goes | \
             /dev/sdj gp2 1GiB goes | /dev/sdk gp2 1GiB goes | /dev/sdl gp2 1GiB goes | \
             /dev/sdm gp2 1GiB goes | /dev/sdn gp2 1GiB goes | /dev/sdo gp2 1GiB goes | \
             /dev/sdp gp2 1GiB goes | /dev/xvda gp3 8GiB 3000iops 125MiB/s goes",
        )
        .with(&many),
    ]
}

/// Those that would lose their licence, or the code of a product.
fn billed_machines() -> Vec<Case> {
    vec![
        Case::new(
            "Windows",
            "Windows_Server-2022*",
            "create-image billed-by-usage",
            "x86_64 hvm legacy-bios ena simple tpm=- imds=- RunInstances:0002 'Windows' codes=0 \
             root=/dev/sda1 | /dev/sda1 gp2 30GiB goes | /dev/sdf io2 100GiB 4000iops stays",
        )
        .with(&[io2()]),
        Case::new(
            "Windows with a TPM",
            "TPM-Windows*",
            "create-image billed-by-usage",
            "x86_64 hvm uefi ena simple tpm=v2.0 imds=- RunInstances:0002 'Windows' codes=0 \
             root=/dev/sda1 | /dev/sda1 gp2 30GiB goes",
        ),
        Case::new(
            "RHEL",
            "RHEL-9*",
            "create-image billed-by-usage",
            "x86_64 hvm uefi-preferred ena simple tpm=- imds=- RunInstances:0010 \
             'Red Hat Enterprise Linux' codes=0 root=/dev/sda1 | \
             /dev/sda1 gp3 10GiB 3000iops 125MiB/s goes | \
             /dev/sdh gp3 10GiB 3000iops 125MiB/s goes encrypted",
        )
        .with(&[secret()]),
        Case::new(
            "SUSE",
            "suse-sles-15*",
            "create-image billed-by-usage",
            "x86_64 hvm uefi-preferred ena simple tpm=- imds=- RunInstances:000g 'SUSE Linux' \
             codes=0 root=/dev/sda1 | /dev/sda1 gp3 10GiB 3000iops 125MiB/s goes",
        ),
        Case::new(
            "Marketplace",
            "acme-firewall*",
            "create-image product-code",
            "x86_64 hvm legacy-bios ena simple tpm=- imds=- RunInstances 'Linux/UNIX' codes=1 \
             root=/dev/xvda | /dev/sdb gp3 50GiB 3000iops 125MiB/s goes | \
             /dev/xvda gp3 20GiB 3000iops 125MiB/s goes",
        ),
    ]
}

/// Linux with other firmware.
async fn own_machines(scene: &Scene) -> Vec<Case> {
    let tpm = scene.own_image("own-tpm", "uefi", Some("v2.0")).await;
    let bios = scene.own_image("own-bios", "legacy-bios", None).await;
    let gone = scene.own_image("own-gone", "uefi", None).await;
    vec![
        Case::new(
            "NitroTPM",
            &tpm,
            "snapshot-register",
            "x86_64 hvm uefi ena - tpm=v2.0 imds=- RunInstances 'Linux/UNIX' codes=0 \
             root=/dev/xvda | /dev/xvda gp3 8GiB 3000iops 125MiB/s goes",
        ),
        Case::new(
            "BIOS",
            &bios,
            "snapshot-register",
            "x86_64 hvm legacy-bios ena - tpm=- imds=- RunInstances 'Linux/UNIX' codes=0 \
             root=/dev/xvda | /dev/xvda gp3 8GiB 3000iops 125MiB/s goes",
        ),
        Case::new(
            "whose image is gone",
            &gone,
            "create-image source-unreadable",
            "x86_64 hvm uefi ena - tpm=- imds=- RunInstances 'Linux/UNIX' codes=0 \
             root=/dev/xvda | /dev/xvda gp3 8GiB 3000iops 125MiB/s goes",
        ),
    ]
}

/// CopyImage encrypts all disks or none: those of a machine that has an encrypted one all are.
fn of_replica(expected: &str) -> String {
    if !expected.contains("encrypted") {
        return expected.to_string();
    }
    let (attributes, disks) = expected.split_once(" | ").expect("it has disks");
    let disks = disks.split(" | ").map(|disk| {
        let disk = disk.trim_end_matches(" encrypted");
        let is_store = disk.contains(" ephemeral");
        format!(" | {disk}{}", if is_store { "" } else { " encrypted" })
    });
    attributes.to_string() + &disks.collect::<String>()
}

#[test]
fn every_machine_has_an_image_that_is_what_it_was_and_so_has_its_replica() {
    scene::play(async |scene| {
        let own = own_machines(&scene).await;
        let cases: Vec<Case> = public_machines().into_iter().chain(own).collect();
        let mut machines = Vec::new();
        for case in &cases {
            machines.push((case, scene.launch_case(case).await));
        }
        let gone = cases.iter().find(|case| case.what == "whose image is gone");
        let gone = gone.expect("there is one").image.clone();
        let gone = scene.ec2(HOME).deregister_image().image_id(gone).send().await;
        gone.expect("it is deregistered");
        scene.pass(60).await;
        scene.policies(&policy("", "method: auto", "[{region: eu-west-1}]")).await;
        for (_, machine) in &machines {
            scene.ask(HOME, machine, "gold").await;
        }
        scene.pass(180).await;
        for (case, machine) in &machines {
            let what = case.what;
            let point = scene.point_of(machine).await;
            assert_eq!(point["status"], "protected", "{what}: {point:#?}");
            for word in case.way.split(' ') {
                assert!(point["method"].contains(word), "{what}: {}", point["method"]);
            }
            let home = scene.image_of_id(HOME, &point["image"]).await;
            assert_eq!(line(&home), case.expected, "{what}");
            let copies = scene.images(IRELAND).await;
            let source = Some(format!("{HOME}/{}", point["image"]));
            let copy = copies.iter().find(|copy| copy.source == source);
            let copy = scene.image_of_id(IRELAND, &copy.expect("there is a replica").id).await;
            assert_eq!(line(&copy), of_replica(case.expected), "{what}: the replica");
            assert_eq!(codes(&point, "findings"), Vec::<&str>::new(), "{what}: {point:#?}");
        }
        assert_eq!(scene.images(HOME).await.len(), cases.len() + 2, "and two of our own");
        assert_eq!(scene.count("CreateImage", HOME), 6);
    });
}
