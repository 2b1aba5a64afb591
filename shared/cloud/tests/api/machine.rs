//! Machines to make images and snapshots of, and the events that come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage_cloud::access::Identity;
use afterimage_cloud::ec2::state::{
    Attachment, AttachmentState, ImageState, Instance, InstanceState, MetadataOptions, Platform,
    SnapshotState, Volume, VolumeState,
};
use afterimage_cloud::model::{DEFAULT_ACCOUNT, Model, Scope};
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use serde_json::Value;

pub const HOME: &str = "us-east-1";
pub const OTHER_ACCOUNT: &str = "111122223333";
/// The access key of the other account, once [`declare_other`] was called.
pub const OTHER_KEY: &str = "AKIAOTHEREXAMPLE";

pub const INSTANCE: &str = "i-00000000000000001";
/// Nothing is to be found under this id.
pub const IMAGE_OF_INSTANCE: &str = "ami-00000000000000001";
pub const ROOT: &str = "vol-00000000000000001";
pub const DATA: &str = "vol-00000000000000002";

pub fn home() -> Scope {
    Scope::new(DEFAULT_ACCOUNT, HOME)
}

/// A running machine [`INSTANCE`] with a root volume of 8 GiB and a data volume of 100 GiB.
pub fn machine(cloud: &Cloud) {
    cloud.with(|model| {
        let attachments = vec![
            attach(model, ROOT, "/dev/xvda", 8, true),
            attach(model, DATA, "/dev/sdf", 100, false),
        ];
        let instance = instance(model, attachments);
        model.ec2_region(&home()).instances.insert(INSTANCE.into(), instance);
    });
}

fn attach(model: &mut Model, id: &str, device: &str, size_gib: u32, root: bool) -> Attachment {
    let now = model.now;
    let volume = Volume {
        id: id.into(),
        size_gib,
        snapshot_id: None,
        zone: format!("{HOME}a"),
        state: VolumeState::InUse,
        created_at: now,
        volume_type: "gp3".into(),
        iops: Some(3000),
        throughput: Some(125),
        kms_key: None,
        multi_attach: false,
        instance_id: Some(INSTANCE.into()),
        tags: [("disk".to_string(), device.to_string())].into(),
        visible_at: now,
        snapshot_taken_at: None,
        product_codes: vec![],
    };
    model.ec2_region(&home()).volumes.insert(id.into(), volume);
    Attachment {
        device: device.into(),
        volume_id: id.into(),
        attached_at: now,
        delete_on_termination: root,
        state: AttachmentState::Attached,
    }
}

fn instance(model: &Model, attachments: Vec<Attachment>) -> Instance {
    Instance {
        id: INSTANCE.into(),
        reservation_id: "r-00000000000000001".into(),
        image_id: IMAGE_OF_INSTANCE.into(),
        instance_type: "m5.large".into(),
        state: InstanceState::Running,
        state_reason: None,
        transition_reason: String::new(),
        launch_time: model.now,
        platform: Platform {
            architecture: "x86_64".into(),
            virtualization: "hvm".into(),
            root_device_name: Some("/dev/xvda".into()),
            root_device_type: "ebs".into(),
            ena: true,
            platform_details: "Red Hat Enterprise Linux".into(),
            usage_operation: "RunInstances:0010".into(),
            ..Platform::default()
        },
        current_boot_mode: "legacy-bios".into(),
        attachments,
        ephemeral: vec![],
        zone: format!("{HOME}a"),
        vpc_id: "vpc-00000001".into(),
        subnet_id: "subnet-00000001".into(),
        group_ids: vec![],
        interface_id: "eni-00000001".into(),
        private_ip: "10.0.0.1".into(),
        key_name: None,
        profile_arn: None,
        spot: false,
        hibernation: false,
        stop_protection: false,
        termination_protection: false,
        user_data: None,
        client_token: String::new(),
        tags: [("Name".to_string(), "web".to_string())].into(),
        visible_at: model.now,
        running_since: Some(model.now),
        impaired: false,
        silent: false,
        run: 1,
        launch_index: 0,
        public_address: false,
        ebs_optimized: false,
        monitoring: false,
        source_dest_check: true,
        shutdown_behavior: "stop".into(),
        metadata: MetadataOptions {
            tokens: "required".into(),
            hop_limit: 2,
            endpoint: "enabled".into(),
            ipv6: "disabled".into(),
            tags: "disabled".into(),
        },
    }
}

pub fn declare_other(cloud: &Cloud) {
    let identity = Identity::administrator(OTHER_ACCOUNT);
    cloud.with(|model| model.principals.declare_key(OTHER_KEY, identity));
}

pub async fn seconds(cloud: &Cloud, seconds: u64) {
    cloud.advance(Duration::from_secs(seconds)).await;
}

/// The events of one kind so far, as the bus saw them; waits for those that are on their way.
pub async fn events(cloud: &Cloud, detail_type: &str) -> Vec<Value> {
    seconds(cloud, 10).await;
    cloud.with(|model| {
        let entries = model.trace.entries().iter();
        let events = entries.filter(|e| e.what == What::Event && e.action == detail_type);
        events.map(|entry| entry.detail.clone()).collect()
    })
}

/// Whatever happened, the indexes of each region say the same as its images and snapshots.
pub fn check_books(cloud: &Cloud) {
    cloud.with(|model| {
        for region in model.ec2.values() {
            let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            let mut names = BTreeMap::new();
            let held = region.images.values().filter(|i| i.state != ImageState::Deregistered);
            for image in held {
                names.insert(image.name.clone(), image.id.clone());
                for snapshot in image.snapshot_ids() {
                    users.entry(snapshot.into()).or_default().insert(image.id.clone());
                }
            }
            assert_eq!(region.snapshot_users, users);
            assert_eq!(region.image_names, names);
            let pending = region.images.values().filter(|i| i.state == ImageState::Pending);
            let pending: BTreeSet<String> = pending.map(|image| image.id.clone()).collect();
            assert_eq!(region.pending_images, pending);
            let pending = region.snapshots.values().filter(|s| s.state == SnapshotState::Pending);
            let pending: BTreeSet<String> = pending.map(|snapshot| snapshot.id.clone()).collect();
            assert_eq!(region.pending_snapshots, pending);
        }
    });
}

/// Lives through a scenario that has a machine, and checks the books at its end.
pub fn run<T>(scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
    run_with(Config::seeded(1), scenario)
}

/// The same, with some knobs turned.
pub fn run_with<T>(config: Config, scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
    Cloud::run(config, async |cloud| {
        machine(&cloud);
        let result = scenario(cloud.clone()).await;
        check_books(&cloud);
        result
    })
}
