//! Facts of EC2 and the subjects of findings stand in records as the texts that they always were.

use std::fmt::Debug;

use afterimage_core::facts::{
    Architecture, BootMode, ImdsSupport, Platform, RootDeviceType, SriovSupport, StateCause,
    StateReason, TpmSupport, UsageOperation, Virtualization, VolumeType,
};
use afterimage_core::machine::{Build, Machine};
use afterimage_core::subject::Subject;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Every word that is known, and one that is not, is read and written as it is.
#[track_caller]
fn round_trip<T>(known: &[&str])
where
    T: Serialize + DeserializeOwned + Debug + PartialEq + for<'a> From<&'a str>,
    String: From<T>,
{
    for word in known.iter().chain(&["something-new"]) {
        let text = format!("\"{word}\"");
        let read: T = serde_json::from_str(&text).expect("a word");
        assert_eq!(serde_json::to_string(&read).expect("a text"), text);
        assert_eq!(read, T::from(word));
        assert_eq!(String::from(read), *word);
    }
}

#[test]
fn words_of_ec2_are_kept_as_ec2_writes_them() {
    round_trip::<Architecture>(Architecture::WORDS);
    round_trip::<Virtualization>(Virtualization::WORDS);
    round_trip::<RootDeviceType>(RootDeviceType::WORDS);
    round_trip::<BootMode>(BootMode::WORDS);
    round_trip::<TpmSupport>(TpmSupport::WORDS);
    round_trip::<ImdsSupport>(ImdsSupport::WORDS);
    round_trip::<SriovSupport>(SriovSupport::WORDS);
    round_trip::<VolumeType>(VolumeType::WORDS);
    round_trip::<UsageOperation>(UsageOperation::WORDS);
    round_trip::<Platform>(Platform::WORDS);
    assert_eq!(VolumeType::from("io2"), VolumeType::Io2);
    assert_eq!(UsageOperation::from(""), UsageOperation::default());
}

/// A machine as records of the first release have it.
const MACHINE: &str = r#"{"instance":{"id":"i-00000001","region":"us-east-1","state":"stopped",
"launched":"2026-01-01T00:00:00Z","hibernated":false,"instance_type":"t3.micro","spot":false,
"tags":{}},"build":{"image":"ami-00000001","architecture":"x86_64","virtualization":"hvm",
"root_device_type":"ebs","root_device":"/dev/xvda","ena":true,"sriov":"simple",
"boot_mode":"uefi-preferred","tpm":"v2.0","imds":"v2.0","uefi_data":"QU1a",
"usage_operation":"RunInstances:0002","platform":"Windows BYOL","product_codes":["abc"],
"image_readable":true},"volumes":[{"id":"vol-00000001","device":"/dev/xvda","size_gib":8,
"volume_type":"gp3","iops":3000,"throughput":125,"delete_on_termination":true,
"encrypted":false}]}"#;

/// What a machine is made of, where EC2 tells as little as it may.
const PLAIN: &str = r#"{"image":"ami-00000001","architecture":"x86_64","virtualization":"hvm",
"root_device_type":"ebs","root_device":"/dev/xvda","ena":true,"usage_operation":"",
"image_readable":true}"#;

#[test]
fn the_record_of_a_machine_is_the_same_byte_for_byte() {
    let written = MACHINE.replace('\n', "");
    let machine: Machine = serde_json::from_str(&written).expect("a machine");
    assert_eq!(serde_json::to_string(&machine).expect("a text"), written);
    assert_eq!(machine.build.boot_mode, Some(BootMode::UefiPreferred));
    let operation = UsageOperation::Other("RunInstances:0002".to_string());
    assert_eq!(machine.build.usage_operation, operation);
    let plain = Build {
        sriov: None,
        boot_mode: None,
        tpm: None,
        imds: None,
        uefi_data: None,
        instance_store: Default::default(),
        platform: None,
        product_codes: Vec::new(),
        usage_operation: UsageOperation::Unknown,
        ..machine.build
    };
    assert_eq!(serde_json::to_string(&plain).expect("a text"), PLAIN.replace('\n', ""));
}

#[test]
fn who_stopped_a_machine_is_read_off_the_code_of_its_state() {
    let table = [
        ("Client.UserInitiatedShutdown", StateCause::Call, true),
        ("Client.UserInitiatedHibernate", StateCause::Hibernation, true),
        ("Client.InstanceInitiatedShutdown", StateCause::Shutdown, true),
        ("Client.InternalError", StateCause::Ec2, false),
        ("Server.InsufficientInstanceCapacity", StateCause::Ec2, false),
        ("Server.SpotInstanceShutdown", StateCause::Ec2, false),
    ];
    for (code, cause, by_somebody) in table {
        let reason = StateReason::from(code);
        assert_eq!((reason.cause, reason.is_by_somebody()), (cause, by_somebody), "{code}");
        assert_eq!(reason.as_str(), code);
    }
}

#[test]
fn subjects_are_kept_as_texts_and_stand_in_their_order() {
    let texts = ["ami-00000001", "i-00000001", "policy Not a name", "policy gold", "snap-00000001"];
    let subjects: Vec<Subject> = texts.iter().map(|text| Subject::from(*text)).collect();
    assert!(matches!(
        subjects[..],
        [
            Subject::Image(_),
            Subject::Machine(_),
            Subject::Policy(_),
            Subject::Policy(_),
            Subject::Snapshot(_)
        ]
    ));
    assert!(subjects.is_sorted());
    for text in texts.iter().chain(&["something else", "", "i-1"]) {
        let kept = serde_json::to_string(&Subject::from(*text)).expect("a text");
        assert_eq!(kept, format!("\"{text}\""));
        let read: Subject = serde_json::from_str(&kept).expect("a subject");
        assert_eq!((read.to_string().as_str(), read), (*text, Subject::from(*text)));
    }
}
