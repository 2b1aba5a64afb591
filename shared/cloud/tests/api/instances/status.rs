//! Status checks, console output and UEFI variables.

use afterimage_cloud::Cloud;
use afterimage_cloud::ec2::state::Instance;

use super::world::{LINUX, WINDOWS, calm, launch, running, secs};
use crate::common::{ec2, leaf, leaves, refused};

fn checks(cloud: &Cloud, id: &str) -> [String; 3] {
    let form = format!("Action=DescribeInstanceStatus&IncludeAllInstances=true&InstanceId.1={id}");
    let body = ec2(cloud, &form);
    ["instanceStatus", "systemStatus", "attachedEbsStatus"]
        .map(|name| leaf(&leaf(&body, name), "status"))
}

fn change(cloud: &Cloud, id: &str, change: impl Fn(&mut Instance)) {
    cloud.with(|model| {
        let regions = model.ec2.values_mut();
        let instance = regions.filter_map(|region| region.instances.get_mut(id)).next();
        change(instance.expect("the instance is there"));
    });
}

#[test]
fn checks_take_a_while_after_each_start() {
    Cloud::run(calm(), async |cloud| {
        let id = launch(&cloud, LINUX, "t3.micro", "");
        let all = |status: &str| [status, status, status].map(str::to_string);
        assert_eq!(checks(&cloud, &id), all("not-applicable"));
        cloud.advance(secs(20)).await;
        assert_eq!(checks(&cloud, &id), all("initializing"));
        cloud.advance(secs(120)).await;
        assert_eq!(checks(&cloud, &id), all("ok"));
        ec2(&cloud, &format!("Action=StopInstances&InstanceId.1={id}"));
        cloud.advance(secs(40)).await;
        assert_eq!(checks(&cloud, &id), all("not-applicable"));
    });
}

#[test]
fn a_machine_that_does_not_boot_is_impaired_and_its_system_is_not() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        change(&cloud, &id, |instance| instance.impaired = true);
        cloud.advance(secs(120)).await;
        assert_eq!(checks(&cloud, &id), ["impaired", "ok", "ok"]);
        let form = "Action=DescribeInstanceStatus&Filter.1.Name=instance-status.reachability\
                    &Filter.1.Value.1=failed";
        assert_eq!(leaves(&ec2(&cloud, form), "instanceId"), [id.as_str()]);
        change(&cloud, &id, |instance| instance.silent = true);
        assert_eq!(checks(&cloud, &id), ["insufficient-data"; 3]);
    });
}

#[test]
fn only_running_instances_have_a_status_unless_all_are_asked_for() {
    Cloud::run(calm(), async |cloud| {
        let up = running(&cloud, "").await;
        let pending = launch(&cloud, LINUX, "t3.micro", "");
        let body = ec2(&cloud, "Action=DescribeInstanceStatus");
        assert_eq!(leaves(&body, "instanceId"), [up]);
        let body = ec2(&cloud, "Action=DescribeInstanceStatus&IncludeAllInstances=true");
        assert!(leaves(&body, "instanceId").contains(&pending));
        let form = format!("Action=DescribeInstanceStatus&MaxResults=5&InstanceId.1={pending}");
        assert_eq!(refused(&cloud, &form), "InvalidParameterCombination");
    });
}

#[test]
fn the_console_is_empty_until_the_machine_has_booted() {
    Cloud::run(calm(), async |cloud| {
        let id = running(&cloud, "").await;
        let windows = launch(&cloud, WINDOWS, "t3.micro", "");
        let output = |id: &str| {
            leaf(&ec2(&cloud, &format!("Action=GetConsoleOutput&InstanceId={id}")), "output")
        };
        assert_eq!(output(&id), "");
        cloud.advance(secs(90)).await;
        // "[    0.000000] Linux" in Base64.
        assert!(output(&id).starts_with("WyAgICAwLjAwMDAwMF0gTGludXgg"), "{}", output(&id));
        // The group of four that "Windows is Ready" falls into depends on what comes before it, so
        // that only the length tells that there is something.
        assert!(output(&windows).len() > 40);
    });
}

#[test]
fn the_latest_console_is_for_nitro_only() {
    Cloud::run(calm(), async |cloud| {
        let nitro = launch(&cloud, LINUX, "t3.micro", "");
        let xen = launch(&cloud, LINUX, "t2.micro", "");
        ec2(&cloud, &format!("Action=GetConsoleOutput&Latest=true&InstanceId={nitro}"));
        let form = format!("Action=GetConsoleOutput&Latest=true&InstanceId={xen}");
        assert_eq!(refused(&cloud, &form), "UnsupportedOperation");
    });
}

#[test]
fn an_image_keeps_the_variables_of_its_machine_if_the_knob_says_so() {
    for keeps in [true, false] {
        let mut config = calm();
        config.quirks.create_image_keeps_uefi_variables = keeps;
        Cloud::run(config, async |cloud| {
            let machine = running(&cloud, "").await;
            let form = format!("Action=CreateImage&InstanceId={machine}&Name=web");
            let image = leaf(&ec2(&cloud, &form), "imageId");
            let form = format!("Action=DescribeImageAttribute&ImageId={image}&Attribute=uefiData");
            let of_image = leaf(&ec2(&cloud, &form), "value");
            let form = format!("Action=GetInstanceUefiData&InstanceId={machine}");
            let of_machine = leaf(&ec2(&cloud, &form), "uefiData");
            assert!(!of_machine.is_empty());
            assert_eq!(of_image == of_machine, keeps, "{of_image}");
        });
    }
}

#[test]
fn only_uefi_machines_have_variables_and_each_its_own() {
    Cloud::run(calm(), async |cloud| {
        let one = running(&cloud, "").await;
        let two = running(&cloud, "").await;
        let bios = launch(&cloud, WINDOWS, "t3.micro", "");
        let data = |id: &str| {
            leaf(&ec2(&cloud, &format!("Action=GetInstanceUefiData&InstanceId={id}")), "uefiData")
        };
        // "AMZNUEFI" in Base64.
        assert!(data(&one).starts_with("QU1aTlVFR"), "{}", data(&one));
        assert_eq!(data(&one), data(&one));
        assert_ne!(data(&one), data(&two));
        let form = format!("Action=GetInstanceUefiData&InstanceId={bios}");
        assert_eq!(refused(&cloud, &form), "UnsupportedOperation");
    });
}
