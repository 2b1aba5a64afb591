//! RegisterImage.

use super::*;

fn snapshot(cloud: &Cloud, volume: &str) -> String {
    leaf(&ec2(cloud, &format!("Action=CreateSnapshot&VolumeId={volume}")), "snapshotId")
}

async fn old_snapshot(cloud: &Cloud, volume: &str) -> String {
    let id = snapshot(cloud, volume);
    seconds(cloud, LONG).await;
    id
}

#[test]
fn what_register_image_is_not_told_it_takes_from_old_defaults() {
    run(async |cloud| {
        let snapshot = old_snapshot(&cloud, ROOT).await;
        let body = ec2(&cloud, &register_form("bare", &snapshot, ""));
        let id = leaf(&body, "imageId");
        seconds(&cloud, 60).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "imageState"), "available");
        assert_eq!(leaf(&body, "architecture"), "i386");
        assert_eq!(leaf(&body, "virtualizationType"), "paravirtual");
        assert_eq!(leaf(&body, "enaSupport"), "false");
        assert_eq!(leaf(&body, "volumeSize"), "8");
        assert_eq!(leaf(&body, "platformDetails"), "Linux/UNIX");
        assert_eq!(leaf(&body, "usageOperation"), "RunInstances");
        assert_eq!(leaf(&body, "sourceInstanceId"), "");
        let told = "&Architecture=arm64&VirtualizationType=hvm&EnaSupport=true&BootMode=uefi\
                    &TpmSupport=v2.0&ImdsSupport=v2.0&SriovNetSupport=simple\
                    &BlockDeviceMapping.1.Ebs.VolumeType=gp3\
                    &BlockDeviceMapping.1.Ebs.VolumeSize=20";
        let body = ec2(&cloud, &register_form("told", &snapshot, told));
        let body = describe(&cloud, &leaf(&body, "imageId"));
        for (name, value) in [
            ("architecture", "arm64"),
            ("virtualizationType", "hvm"),
            ("enaSupport", "true"),
            ("bootMode", "uefi"),
            ("tpmSupport", "v2.0"),
            ("imdsSupport", "v2.0"),
            ("sriovNetSupport", "simple"),
            ("volumeType", "gp3"),
            ("volumeSize", "20"),
        ] {
            assert_eq!(leaf(&body, name), value, "{name}");
        }
    });
}

#[test]
fn register_image_refuses_what_does_not_fit() {
    run(async |cloud| {
        let snapshot = old_snapshot(&cloud, DATA).await;
        let hvm = "&VirtualizationType=hvm";
        for (extra, code) in [
            ("&BlockDeviceMapping.1.Ebs.Encrypted=false", "InvalidBlockDeviceMapping"),
            ("&BlockDeviceMapping.1.Ebs.KmsKeyId=x", "InvalidParameterCombination"),
            ("&BlockDeviceMapping.1.Ebs.VolumeSize=99", "InvalidBlockDeviceMapping"),
            ("&TpmSupport=v2.0&BootMode=uefi-preferred", "InvalidParameterCombination"),
            ("&EnaSupport=true", "InvalidParameterCombination"),
            ("&BillingProduct.1=bp-1", "OperationNotPermitted"),
            ("&ClientToken=t", "UnknownParameter"),
            ("&TagSpecification.1.ResourceType=snapshot", "InvalidParameterValue"),
        ] {
            let hvm = if extra.contains("Tpm") { hvm } else { "" };
            let form = register_form("wrong", &snapshot, &format!("{extra}{hvm}"));
            assert_eq!(refused(&cloud, &form), code, "{extra}");
        }
        let form = register_form("wrong", &snapshot, "");
        let elsewhere = form.replace("RootDeviceName=/dev/xvda", "RootDeviceName=/dev/sda1");
        assert_eq!(refused(&cloud, &elsewhere), "InvalidBlockDeviceMapping");
        let nobody = register_form("wrong", "snap-0000000000000dead", "");
        assert_eq!(refused(&cloud, &nobody), "InvalidSnapshot.NotFound");
        let pending = self::snapshot(&cloud, ROOT);
        let form = register_form("wrong", &pending, "");
        assert_eq!(refused(&cloud, &form), "IncorrectState");
    });
}

#[test]
fn with_the_knobs_it_waits_for_a_pending_snapshot_and_keeps_its_billing() {
    let mut config = Config::seeded(1);
    config.quirks.register_accepts_pending_snapshot = true;
    config.quirks.register_derives_billing = true;
    run_with(config, async |cloud| {
        let pending = snapshot(&cloud, ROOT);
        let id = leaf(&ec2(&cloud, &register_form("early", &pending, "")), "imageId");
        // The snapshot takes 92 s less a fifth at least, and the image waits for it.
        seconds(&cloud, 60).await;
        assert_eq!(leaf(&describe(&cloud, &id), "imageState"), "pending");
        seconds(&cloud, LONG).await;
        let body = describe(&cloud, &id);
        assert_eq!(leaf(&body, "imageState"), "available");
        assert_eq!(leaf(&body, "usageOperation"), "RunInstances:0010");
    });
}

#[test]
fn a_registered_image_keeps_the_marketplace_codes_of_its_snapshots() {
    run(async |cloud| {
        cloud.with(|model| {
            let volume = model.ec2_region(&home()).volumes.get_mut(ROOT).unwrap();
            volume.product_codes = vec![marketplace()];
        });
        let snapshot = old_snapshot(&cloud, ROOT).await;
        let body = ec2(&cloud, &register_form("sold", &snapshot, ""));
        let body = describe(&cloud, &leaf(&body, "imageId"));
        assert_eq!(leaf(&body, "productCode"), "sold");
    });
}
