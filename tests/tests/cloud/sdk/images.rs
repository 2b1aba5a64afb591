//! Images through the SDK: what can be registered, copied, shared, hidden and protected.

use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::access::Identity;
use afterimage_cloud::trace::What;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::operation::RequestId;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    ArchitectureValues, AttributeValue, BlockDeviceMapping, BootModeValues, EbsBlockDevice,
    ImageAttributeName, ImageState, LaunchPermission, LaunchPermissionModifications, ResourceType,
    TpmSupportValues, VirtualizationType,
};

use super::{
    AWAY, HOME, ec2, ec2_of, filter, image, machine, own_images, own_snapshots, refused, snapshot,
    tag, tags_for, tags_of, volume, world,
};

const LATER: Duration = Duration::from_secs(3_600);

/// A mapping of the root device to a snapshot.
fn root(snapshot: &str) -> BlockDeviceMapping {
    let ebs = EbsBlockDevice::builder().snapshot_id(snapshot).delete_on_termination(true).build();
    BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build()
}

async fn root_snapshot(cloud: &Cloud, ec2: &Ec2) -> String {
    let volume = volume(cloud, ec2, 8).await;
    snapshot(cloud, ec2, &volume).await
}

async fn described(ec2: &Ec2, id: &str) -> aws_sdk_ec2::types::Image {
    let found = ec2.describe_images().image_ids(id).include_disabled(true).send().await;
    found.expect("it is described").images()[0].clone()
}

#[test]
fn the_event_of_an_image_names_the_request_that_made_it() {
    // EC2 guide, monitoring AMI events: RequestId, ImageId, State and ErrorMessage.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let call = ec2.create_image().instance_id(&machine).name("nightly").no_reboot(true);
        let made = call.send().await.expect("an image is begun");
        cloud.advance(LATER).await;
        let details: Vec<_> = cloud.with(|model| {
            let events = model.trace.entries().iter().filter(|entry| entry.what == What::Event);
            let about = events.filter(|entry| entry.action == "EC2 AMI State Change");
            about.map(|entry| entry.detail["detail"].clone()).collect()
        });
        assert_eq!(details.len(), 1, "{details:?}");
        let id = made.image_id().expect("an image has an id");
        assert_eq!(details[0]["ImageId"], id);
        assert_eq!(details[0]["State"], "available");
        assert_eq!(details[0]["ErrorMessage"], "");
        assert_eq!(details[0]["RequestId"].as_str(), made.request_id());
    });
}

#[test]
fn register_image_falls_back_to_the_old_defaults() {
    // API reference, RegisterImage: i386 and paravirtual unless something else is said.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let snapshot = root_snapshot(&cloud, &ec2).await;
        let call = ec2.register_image().root_device_name("/dev/xvda");
        let call = call.block_device_mappings(root(&snapshot));
        let old = call.clone().name("old").send().await.expect("it is registered");
        let new = call
            .name("new")
            .architecture(ArchitectureValues::Arm64)
            .virtualization_type("hvm")
            .ena_support(true)
            .send()
            .await
            .expect("it is registered");
        cloud.advance(LATER).await;
        let old = described(&ec2, old.image_id().expect("an id")).await;
        assert_eq!(old.architecture(), Some(&ArchitectureValues::I386));
        assert_eq!(old.virtualization_type(), Some(&VirtualizationType::Paravirtual));
        let new = described(&ec2, new.image_id().expect("an id")).await;
        assert_eq!(new.architecture(), Some(&ArchitectureValues::Arm64));
        assert_eq!(new.virtualization_type(), Some(&VirtualizationType::Hvm));
        assert_eq!(new.ena_support(), Some(true));
        assert_eq!(new.state(), Some(&ImageState::Available));
        let ebs = new.block_device_mappings()[0].ebs().expect("a disk");
        assert_eq!(ebs.snapshot_id(), Some(snapshot.as_str()));
        assert_eq!(ebs.volume_size(), Some(8));
    });
}

#[test]
fn a_snapshot_cannot_be_registered_with_any_word_on_its_encryption() {
    // API reference, EbsBlockDevice: Encrypted fails the request, whatever its value.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let snapshot = root_snapshot(&cloud, &ec2).await;
        for encrypted in [true, false] {
            let ebs = EbsBlockDevice::builder().snapshot_id(&snapshot).encrypted(encrypted).build();
            let root = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build();
            let call = ec2.register_image().name("image").root_device_name("/dev/xvda");
            let call = call.virtualization_type("hvm").block_device_mappings(root);
            assert_eq!(refused(call.send().await).status, 400, "{encrypted}");
        }
        assert!(own_images(&ec2).await.is_empty());
    });
}

#[test]
fn a_tpm_needs_uefi() {
    // API reference, RegisterImage: TpmSupport v2.0 requires the boot mode uefi.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let snapshot = root_snapshot(&cloud, &ec2).await;
        let call = ec2
            .register_image()
            .name("tpm")
            .root_device_name("/dev/xvda")
            .architecture(ArchitectureValues::X8664)
            .virtualization_type("hvm")
            .tpm_support(TpmSupportValues::V20)
            .block_device_mappings(root(&snapshot));
        assert_eq!(refused(call.clone().send().await).status, 400);
        let preferred = call.clone().boot_mode(BootModeValues::UefiPreferred);
        assert_eq!(refused(preferred.send().await).status, 400);
        let made = call.boot_mode(BootModeValues::Uefi).send().await.expect("it is registered");
        cloud.advance(LATER).await;
        let image = described(&ec2, made.image_id().expect("an id")).await;
        assert_eq!(image.boot_mode(), Some(&BootModeValues::Uefi));
        assert_eq!(image.tpm_support(), Some(&TpmSupportValues::V20));
    });
}

#[test]
fn tags_for_snapshots_are_refused_when_snapshots_are_registered() {
    // API reference, RegisterImage: the resource type of its tags must be image.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let snapshot = root_snapshot(&cloud, &ec2).await;
        let call = ec2.register_image().name("image").root_device_name("/dev/xvda");
        let call = call.virtualization_type("hvm").block_device_mappings(root(&snapshot));
        let tags = |kind| tags_for(kind, &[("a", "1")]);
        let wrong = call.clone().tag_specifications(tags(ResourceType::Snapshot));
        assert_eq!(refused(wrong.send().await).code, "InvalidParameterValue");
        let right = call.tag_specifications(tags(ResourceType::Image)).send().await;
        let made = right.expect("it is registered");
        let id = made.image_id().expect("an id");
        assert_eq!(tags_of(&ec2, id).await.len(), 1);
        assert!(tags_of(&ec2, &snapshot).await.is_empty());
    });
}

#[test]
fn what_is_asked_of_a_pending_image_is_refused_as_unavailable() {
    // As reported of the real service: "is currently pending and may not be used".
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let made = ec2.create_image().instance_id(&machine).name("nightly").send().await;
        let made = made.expect("an image is begun");
        let id = made.image_id().expect("an id");
        let who = LaunchPermission::builder().user_id("111122223333").build();
        let add = LaunchPermissionModifications::builder().add(who).build();
        let share = ec2.modify_image_attribute().image_id(id).launch_permission(add);
        let refused = refused(share.clone().send().await);
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidAMIID.Unavailable"));
        assert!(refused.message.contains("currently pending"), "{}", refused.message);
        let launch = ec2.run_instances().image_id(id).min_count(1).max_count(1);
        assert_eq!(super::refused(launch.send().await).code, "InvalidAMIID.Unavailable");
        cloud.advance(LATER).await;
        share.send().await.expect("when it is available it can be shared");
    });
}

#[test]
fn a_shared_image_is_seen_by_its_owner_and_by_whom_it_is_shared_with() {
    // EC2 guide, sharing an AMI: launch permissions by account.
    world(async |cloud| {
        let ours = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ours, &[]).await;
        let id = image(&cloud, &ours, &machine, "shared").await;
        let theirs = Identity::administrator("111122223333");
        cloud.with(|model| model.principals.declare_key("AKIAOTHEREXAMPLE", theirs));
        let theirs = ec2_of(&cloud, "AKIAOTHEREXAMPLE", HOME);
        let unseen = theirs.describe_images().image_ids(&id).send().await;
        assert_eq!(refused(unseen).code, "InvalidAMIID.NotFound");
        let who = LaunchPermission::builder().user_id("111122223333").build();
        let add = LaunchPermissionModifications::builder().add(who).build();
        let call = ours.modify_image_attribute().image_id(&id).launch_permission(add);
        call.send().await.expect("it is shared");
        let seen = theirs.describe_images().image_ids(&id).send().await.expect("it is seen");
        assert_eq!(seen.images()[0].owner_id(), Some("123456789012"));
        assert!(own_images(&theirs).await.is_empty());
        let listed = ours.describe_image_attribute().image_id(&id);
        let listed = listed.attribute(ImageAttributeName::LaunchPermission).send().await;
        let listed = listed.expect("the permissions are described");
        assert_eq!(listed.launch_permissions()[0].user_id(), Some("111122223333"));
        let call = theirs.deregister_image().image_id(&id).send().await;
        assert!(call.is_err(), "only the owner may deregister it");
    });
}

#[test]
fn a_disabled_image_is_hidden_unless_asked_for_and_loses_its_permissions() {
    // EC2 guide, disabling an AMI.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let id = image(&cloud, &ec2, &machine, "old").await;
        let who = LaunchPermission::builder().user_id("111122223333").build();
        let add = LaunchPermissionModifications::builder().add(who).build();
        let call = ec2.modify_image_attribute().image_id(&id).launch_permission(add);
        call.send().await.expect("it is shared");
        let done = ec2.disable_image().image_id(&id).send().await.expect("it is disabled");
        assert_eq!(done.r#return(), Some(true));
        let listed = ec2.describe_images().owners("self").send().await.expect("images are listed");
        assert!(listed.images().is_empty());
        assert_eq!(described(&ec2, &id).await.state(), Some(&ImageState::Disabled));
        let launch = ec2.run_instances().image_id(&id).min_count(1).max_count(1);
        assert_eq!(refused(launch.send().await).status, 400);
        ec2.enable_image().image_id(&id).send().await.expect("it is enabled");
        assert_eq!(described(&ec2, &id).await.state(), Some(&ImageState::Available));
        let listed = ec2.describe_image_attribute().image_id(&id);
        let listed = listed.attribute(ImageAttributeName::LaunchPermission).send().await;
        assert!(listed.expect("they are described").launch_permissions().is_empty());
    });
}

#[test]
fn a_time_of_deprecation_is_rounded_to_the_minute_and_hides_nothing_from_the_owner() {
    // EC2 guide, deprecating an AMI: seconds are rounded to the nearest minute.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let id = image(&cloud, &ec2, &machine, "old").await;
        // 2030-01-01T00:00:40Z
        let at = DateTime::from_secs(1_893_456_040);
        let call = ec2.enable_image_deprecation().image_id(&id).deprecate_at(at);
        assert_eq!(call.send().await.expect("it is deprecated").r#return(), Some(true));
        let image = described(&ec2, &id).await;
        assert_eq!(image.deprecation_time(), Some("2030-01-01T00:01:00.000Z"));
        let past = DateTime::from_secs(1_700_000_000);
        let call = ec2.enable_image_deprecation().image_id(&id).deprecate_at(past);
        assert_eq!(refused(call.send().await).status, 400);
    });
}

#[test]
fn a_protected_image_stays_and_protection_answers_in_words() {
    // EC2 guide, deregistration protection; the answer is a text, not a flag.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let id = image(&cloud, &ec2, &machine, "keep").await;
        let call = ec2.enable_image_deregistration_protection().image_id(&id);
        let done = call.with_cooldown(false).send().await.expect("it is protected");
        assert_eq!(done.r#return(), Some("enabled-without-cooldown"));
        let protection = described(&ec2, &id).await.deregistration_protection;
        assert_eq!(protection.as_deref(), Some("enabled-without-cooldown"));
        assert_eq!(refused(ec2.deregister_image().image_id(&id).send().await).status, 400);
        assert_eq!(own_images(&ec2).await.len(), 1);
        let call = ec2.disable_image_deregistration_protection().image_id(&id);
        call.send().await.expect("it is not protected any more");
        ec2.deregister_image().image_id(&id).send().await.expect("it goes");
    });
}

#[test]
fn a_copy_names_its_source_and_takes_tags_only_when_told() {
    // API reference, CopyImage: CopyImageTags, SourceImageId, SourceImageRegion.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let machine = machine(&cloud, &home, &[]).await;
        let source = image(&cloud, &home, &machine, "source").await;
        let call = home.create_tags().resources(&source).tags(tag("team", "a & b"));
        call.send().await.expect("the source is tagged");
        let away = ec2(&cloud, AWAY);
        let copy = away.copy_image().source_region(HOME).source_image_id(&source);
        let bare = copy.clone().name("bare").send().await.expect("a copy is begun");
        let full = copy.name("full").copy_image_tags(true).send().await.expect("a copy is begun");
        cloud.advance(LATER).await;
        let bare = described(&away, bare.image_id().expect("an id")).await;
        assert_eq!(bare.state(), Some(&ImageState::Available));
        assert!(bare.tags().is_empty());
        assert_eq!(bare.source_image_id(), Some(source.as_str()));
        assert_eq!(bare.source_image_region(), Some(HOME));
        let full = described(&away, full.image_id().expect("an id")).await;
        assert_eq!(full.tags(), [tag("team", "a & b")]);
        for snapshot in own_snapshots(&away).await {
            let text = snapshot.description().unwrap_or_default();
            assert!(text.contains(&format!("from SourceAmi {source}")), "{text}");
        }
    });
}

#[test]
fn a_copy_that_is_to_have_a_key_must_be_encrypted() {
    // API reference, CopyImage: KmsKeyId requires Encrypted.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let machine = machine(&cloud, &home, &[]).await;
        let source = image(&cloud, &home, &machine, "source").await;
        let away = ec2(&cloud, AWAY);
        let copy = away.copy_image().name("copy").source_region(HOME).source_image_id(&source);
        let copy = copy.kms_key_id("alias/aws/ebs");
        assert_eq!(refused(copy.clone().send().await).status, 400);
        copy.encrypted(true).send().await.expect("a copy is begun");
        cloud.advance(LATER).await;
        let images = own_images(&away).await;
        let ebs = images[0].block_device_mappings()[0].ebs().expect("a disk");
        assert_eq!(ebs.encrypted(), Some(true));
        let snapshots = own_snapshots(&away).await;
        let key = snapshots[0].kms_key_id().expect("an encrypted snapshot has a key");
        assert!(key.starts_with("arn:aws:kms:eu-west-1:123456789012:key/"), "{key}");
    });
}

#[test]
fn a_copy_under_a_key_that_is_not_there_begins_and_fails_later() {
    // API reference, CopyImage: a wrong key is found out asynchronously.
    world(async |cloud| {
        let home = ec2(&cloud, HOME);
        let machine = machine(&cloud, &home, &[]).await;
        let source = image(&cloud, &home, &machine, "source").await;
        let away = ec2(&cloud, AWAY);
        let copy = away.copy_image().name("copy").source_region(HOME).source_image_id(&source);
        let copy = copy.encrypted(true).kms_key_id("alias/nobody");
        let made = copy.send().await.expect("the call itself succeeds");
        let id = made.image_id().expect("an id");
        assert_eq!(described(&away, id).await.state(), Some(&ImageState::Pending));
        cloud.advance(LATER).await;
        let image = described(&away, id).await;
        assert_eq!(image.state(), Some(&ImageState::Failed));
        let reason = image.state_reason().expect("a failed image says why");
        assert!(!reason.code().unwrap_or_default().is_empty());
        assert!(!reason.message().unwrap_or_default().is_empty());
    });
}

#[test]
fn an_image_remembers_its_machine_and_is_found_by_it() {
    // API reference, DescribeImages: the filter source-instance-id.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let id = image(&cloud, &ec2, &machine, "nightly").await;
        let found = ec2.describe_images().filters(filter("source-instance-id", &[&machine]));
        let found = found.send().await.expect("images are described");
        assert_eq!(found.images().len(), 1);
        assert_eq!(found.images()[0].image_id(), Some(id.as_str()));
        assert_eq!(found.images()[0].source_instance_id(), Some(machine.as_str()));
        let snapshots = own_snapshots(&ec2).await;
        let text = snapshots[0].description().unwrap_or_default();
        assert!(text.starts_with(&format!("Created by CreateImage({machine}) for {id}")), "{text}");
    });
}

#[test]
fn a_name_is_free_in_another_region_and_after_deregistration() {
    // API reference, CreateImage: unique in an account and region.
    world(async |cloud| {
        let (home, away) = (ec2(&cloud, HOME), ec2(&cloud, AWAY));
        let here = machine(&cloud, &home, &[]).await;
        let there = machine(&cloud, &away, &[]).await;
        let first = image(&cloud, &home, &here, "golden").await;
        image(&cloud, &away, &there, "golden").await;
        let again = home.create_image().instance_id(&here).name("golden");
        assert_eq!(refused(again.clone().send().await).code, "InvalidAMIName.Duplicate");
        home.deregister_image().image_id(&first).send().await.expect("it is deregistered");
        again.send().await.expect("the name is free again");
    });
}

#[test]
fn a_description_can_be_changed_and_is_read_back() {
    // API reference, ModifyImageAttribute: one attribute per call.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let id = image(&cloud, &ec2, &machine, "nightly").await;
        let text = "b\u{1ea3}n <sao> l\u{01b0}u & \"more\"";
        let value = AttributeValue::builder().value(text).build();
        let call = ec2.modify_image_attribute().image_id(&id).description(value);
        call.send().await.expect("the description is changed");
        assert_eq!(described(&ec2, &id).await.description(), Some(text));
        let call = ec2.describe_image_attribute().image_id(&id);
        let read = call.attribute(ImageAttributeName::Description).send().await;
        let read = read.expect("the attribute is described");
        assert_eq!(read.description().and_then(|value| value.value()), Some(text));
    });
}

#[test]
fn no_answer_has_a_value_that_the_model_of_the_sdk_does_not_know() {
    // The service's model: every enumeration of the answers. One is known to differ: the platform
    // is documented, and sent, as `windows`, while the model has `Windows`.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[super::disk("/dev/sdb", 1)]).await;
        image(&cloud, &ec2, &machine, "nightly").await;
        let call = ec2.create_tags().resources(&machine).tags(tag("a", "1"));
        call.send().await.expect("the machine is tagged");
        let answers = [
            format!("{:?}", ec2.describe_instances().send().await.expect("machines")),
            format!("{:?}", ec2.describe_instance_status().send().await.expect("status")),
            format!("{:?}", ec2.describe_volumes().send().await.expect("volumes")),
            format!("{:?}", ec2.describe_snapshots().send().await.expect("snapshots")),
            format!("{:?}", ec2.describe_images().send().await.expect("images")),
            format!("{:?}", ec2.describe_tags().send().await.expect("tags")),
            format!("{:?}", ec2.describe_subnets().send().await.expect("subnets")),
            format!("{:?}", ec2.describe_instance_types().send().await.expect("types")),
        ];
        for answer in answers {
            assert!(answer.contains(": Some("), "{answer}");
            let answer = answer.replace("Unknown(UnknownVariantValue(\"windows\"))", "Windows");
            let unknown = answer.split_once("Unknown(").map(|(_, rest)| rest);
            let unknown = unknown.and_then(|rest| rest.split_once(')')).map(|(value, _)| value);
            assert_eq!(unknown, None);
        }
    });
}
