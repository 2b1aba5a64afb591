//! Requests and responses on the wire: what is said arrives, and comes back as it was said.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ec2::types::{
    BlockDeviceMapping, DeviceType, EbsBlockDevice, ResourceType, VolumeType,
};

use super::{
    HOME, disk, ec2, filter, image, machine, own_images, own_snapshots, refused, tag, tags_for,
    tags_of, volume, volumes_of, world,
};

#[test]
fn tags_come_back_as_they_were_given_whatever_is_in_them() {
    // EC2 guide, tags: letters, digits and blanks in UTF-8, and + - = . _ : / @ at least.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let odd = [
            ("markup", "<b>&amp;\"quoted\" & 'single'</b>"),
            ("url", "a+b%20c&d=e?f#g;h"),
            ("blank", " in  the   middle "),
            ("line", "one\ntwo\tthree"),
            ("brackets", "[({})]"),
            ("emoji", "\u{1f4be}\u{1f1fb}\u{1f1f3} done"),
            ("accents", "d\u{00e9}j\u{00e0} vu, \u{0111}\u{00ea}m"),
            ("cdata", "]]><![CDATA[x]]>"),
            ("key with blanks & <signs>", "v"),
            ("Filter.1.Value.1", "Tag.1.Key=x"),
        ];
        let tags = odd.iter().map(|(key, value)| tag(key, value)).collect();
        let call = ec2.create_tags().resources(&volume).set_tags(Some(tags));
        call.send().await.expect("tags are created");
        let wanted = odd.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string()));
        assert_eq!(tags_of(&ec2, &volume).await, wanted.collect());
        for (key, value) in odd {
            let escaped = value.replace('?', "\\?");
            let by_value = ec2.describe_tags().filters(filter("key", &[key]));
            let found = by_value.filters(filter("value", &[escaped.as_str()])).send().await;
            assert_eq!(found.expect("tags are described").tags().len(), 1, "{key}");
        }
    });
}

#[test]
fn an_empty_tag_value_is_a_value() {
    // EC2 guide, tags: a value may be an empty string, but not null.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let call = ec2.create_tags().resources(&volume).tags(tag("flag", ""));
        call.send().await.expect("a tag is created");
        let found = ec2.describe_volumes().volume_ids(&volume).send().await;
        let found = found.expect("the volume is described");
        let tags = found.volumes()[0].tags();
        assert_eq!(tags.len(), 1);
        assert_eq!((tags[0].key(), tags[0].value()), (Some("flag"), Some("")));
    });
}

#[test]
fn fifty_tags_fit_into_one_request_and_one_more_does_not() {
    // EC2 guide, tag restrictions: 50 tags on a resource, not counting those of AWS.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let tags: Vec<_> = (0..50).map(|n| tag(&format!("key-{n}"), &"v".repeat(256))).collect();
        let call = ec2.create_tags().resources(&volume).set_tags(Some(tags));
        call.send().await.expect("50 tags are created");
        assert_eq!(tags_of(&ec2, &volume).await.len(), 50);
        let call = ec2.create_tags().resources(&volume).tags(tag("one more", ""));
        assert_eq!(refused(call.send().await).code, "TagLimitExceeded");
        let same = ec2.create_tags().resources(&volume).tags(tag("key-0", "other"));
        same.send().await.expect("a known key takes no room");
    });
}

#[test]
fn an_image_name_keeps_its_blanks_brackets_and_signs() {
    // API reference, CreateImage: letters, digits, ( ) [ ] blank . / - ' @ _
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let name = "Web [blue] (2026-01-01) a.b/c-d'e@f_g";
        let id = image(&cloud, &ec2, &machine, name).await;
        let found = ec2.describe_images().image_ids(&id).send().await.expect("it is described");
        assert_eq!(found.images()[0].name(), Some(name));
        let found = ec2.describe_images().owners("self").filters(filter("name", &[name]));
        let found = found.send().await.expect("it is found");
        assert_eq!(found.images().len(), 1);
    });
}

#[test]
fn an_image_name_with_other_signs_or_of_a_wrong_length_is_refused() {
    // API reference, CreateImage; the Rust SDK does not look at the length itself.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        for name in ["ab", &"n".repeat(129), "colon: no", "hash#", "caf\u{e9}"] {
            let call = ec2.create_image().instance_id(&machine).name(name).send().await;
            let refused = refused(call);
            assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidAMIName.Malformed"));
        }
        let call = ec2.create_image().instance_id(&machine).name("n".repeat(128));
        call.send().await.expect("128 characters fit");
    });
}

#[test]
fn an_empty_no_device_leaves_a_disk_out_of_an_image() {
    // API reference, CreateImage: NoDevice with an empty string omits the device.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let disks = [disk("/dev/sdb", 2), disk("/dev/sdc", 3)];
        let machine = machine(&cloud, &ec2, &disks).await;
        let without = BlockDeviceMapping::builder().device_name("/dev/sdb").no_device("").build();
        let call = ec2.create_image().instance_id(&machine).name("without").no_reboot(true);
        let call = call.block_device_mappings(without);
        call.send().await.expect("an image is begun");
        cloud.advance(Duration::from_secs(1_800)).await;
        let images = own_images(&ec2).await;
        let devices = images[0].block_device_mappings();
        let names: Vec<_> = devices.iter().filter_map(|device| device.device_name()).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&"/dev/sdc") && !names.contains(&"/dev/sdb"), "{names:?}");
        assert_eq!(own_snapshots(&ec2).await.len(), 2);
    });
}

#[test]
fn false_is_said_and_not_left_out() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let keep = EbsBlockDevice::builder().volume_size(2).volume_type(VolumeType::Gp3);
        let keep = keep.delete_on_termination(false).build();
        let keep = BlockDeviceMapping::builder().device_name("/dev/sdb").ebs(keep).build();
        let machine = machine(&cloud, &ec2, &[keep]).await;
        let found = ec2.describe_instances().instance_ids(&machine).send().await;
        let found = found.expect("the machine is described");
        let instance = &found.reservations()[0].instances()[0];
        assert_eq!(instance.root_device_type(), Some(&DeviceType::Ebs));
        let kept = |name: &str| {
            let mut disks = instance.block_device_mappings().iter();
            let disk = disks.find(|disk| disk.device_name() == Some(name));
            disk.and_then(|disk| disk.ebs()).and_then(|ebs| ebs.delete_on_termination())
        };
        assert_eq!(kept("/dev/sdb"), Some(false));
        let volume = &volumes_of(&ec2, &machine).await[1];
        let found = ec2.describe_volumes().volume_ids(volume).send().await;
        let found = found.expect("the volume is described");
        let volume = &found.volumes()[0];
        assert_eq!(volume.encrypted(), Some(false));
        assert_eq!(volume.attachments()[0].delete_on_termination(), Some(false));
    });
}

#[test]
fn instants_are_those_of_the_world_and_read_as_instants() {
    // API reference: timestamps in ISO 8601, UTC; the creation date of an image is a text.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[]).await;
        let before = cloud.now().to_system_time();
        let id = image(&cloud, &ec2, &machine, "dated").await;
        let images = ec2.describe_images().image_ids(&id).send().await.expect("it is described");
        let text = images.images()[0].creation_date().expect("it has a date").to_string();
        let made = DateTime::from_str(&text, DateTimeFormat::DateTime).expect("it is an instant");
        assert!(text.ends_with('Z') && text.len() == "2026-01-01T00:00:00.000Z".len(), "{text}");
        let within = |instant: &DateTime| {
            let instant = SystemTime::try_from(*instant).expect("after 1970");
            let late = instant.duration_since(before).unwrap_or(Duration::MAX);
            late < Duration::from_secs(10)
        };
        assert!(within(&made), "{text}");
        let snapshots = own_snapshots(&ec2).await;
        assert!(within(snapshots[0].start_time().expect("a snapshot has begun")));
    });
}

#[test]
fn filters_take_patterns_and_plain_stars_are_escaped() {
    // API reference, filters: * and ? are wildcards, a backslash takes that from them.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ec2, 1).await;
        let tags = [tag("a", "5*5"), tag("b", "5x5"), tag("c", "25x5")];
        let call = ec2.create_tags().resources(&volume).set_tags(Some(tags.to_vec()));
        call.send().await.expect("tags are created");
        let count = async |pattern: &str| {
            let found = ec2.describe_tags().filters(filter("value", &[pattern])).send().await;
            found.expect("tags are described").tags().len()
        };
        assert_eq!(count("5*5").await, 2);
        assert_eq!(count("5\\*5").await, 1);
        assert_eq!(count("?5x5").await, 1);
        assert_eq!(count("*5").await, 3);
        assert_eq!(count("5X5").await, 0);
    });
}

#[test]
fn two_hundred_filter_values_are_taken_and_one_more_is_refused() {
    // API reference, filters: at most 200 values.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let values: Vec<String> = (0..201).map(|n| format!("value {n}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let call = ec2.describe_tags().filters(filter("value", &values[..200]));
        call.send().await.expect("200 values are taken");
        let call = ec2.describe_tags().filters(filter("value", &values));
        assert_eq!(refused(call.send().await).code, "FilterLimitExceeded");
    });
}

#[test]
fn tags_in_a_create_call_go_to_the_kind_they_name() {
    // API reference, CreateImage: tag specifications for image and snapshot, none inherited.
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let machine = machine(&cloud, &ec2, &[disk("/dev/sdb", 1)]).await;
        let call = ec2.create_tags().resources(&machine).tags(tag("owner", "instance"));
        call.send().await.expect("the machine is tagged");
        let call = ec2.create_image().instance_id(&machine).name("tagged").no_reboot(true);
        let call = call
            .tag_specifications(tags_for(ResourceType::Image, &[("for", "image"), ("a", "b c")]))
            .tag_specifications(tags_for(ResourceType::Snapshot, &[("for", "snapshot")]));
        call.send().await.expect("an image is begun");
        cloud.advance(Duration::from_secs(1_800)).await;
        let images = own_images(&ec2).await;
        assert_eq!(images[0].tags().len(), 2);
        let snapshots = own_snapshots(&ec2).await;
        assert_eq!(snapshots.len(), 2);
        for snapshot in snapshots {
            assert_eq!(snapshot.tags(), [tag("for", "snapshot")]);
        }
    });
}

#[test]
fn a_list_of_many_items_arrives_in_full() {
    world(async |cloud| {
        let ec2 = ec2(&cloud, HOME);
        let mut volumes = Vec::new();
        for _ in 0..15 {
            volumes.push(volume(&cloud, &ec2, 1).await);
        }
        let call = ec2.create_tags().set_resources(Some(volumes.clone()));
        call.tags(tag("set", "one")).send().await.expect("all are tagged");
        let found = ec2.describe_volumes().set_volume_ids(Some(volumes[..12].to_vec()));
        let found = found.send().await.expect("twelve are described");
        assert_eq!(found.volumes().len(), 12);
        assert!(found.volumes().iter().all(|volume| volume.tags() == [tag("set", "one")]));
        let deleted = ec2.delete_tags().set_resources(Some(volumes.clone()));
        deleted.tags(tag("set", "one")).send().await.expect("all lose the tag");
        assert!(tags_of(&ec2, &volumes[14]).await.is_empty());
    });
}
