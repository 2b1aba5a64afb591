//! Key pairs, as far as a launch has to do with them.

use afterimage_cloud::Cloud;

use super::world::{LINUX, calm, launch_form};
use crate::common::{ec2, leaf, leaves, refused};

#[test]
fn a_launch_knows_the_key_pair_that_it_names() {
    Cloud::run(calm(), async |cloud| {
        let launch = launch_form(LINUX, "t3.micro", "&KeyName=mine");
        assert_eq!(refused(&cloud, &launch), "InvalidKeyPair.NotFound");
        let made = ec2(&cloud, "Action=CreateKeyPair&KeyName=mine&KeyType=ed25519");
        assert_eq!(leaf(&made, "keyName"), "mine");
        assert_eq!(leaf(&leaf(&ec2(&cloud, &launch), "instancesSet"), "keyName"), "mine");
        ec2(&cloud, "Action=DeleteKeyPair&KeyName=mine");
        assert_eq!(refused(&cloud, &launch), "InvalidKeyPair.NotFound");
    });
}

#[test]
fn key_pairs_are_made_imported_found_and_deleted() {
    Cloud::run(calm(), async |cloud| {
        assert_eq!(leaves(&ec2(&cloud, "Action=DescribeKeyPairs"), "keyName").len(), 0);
        let made = ec2(&cloud, "Action=CreateKeyPair&KeyName=made");
        let import = "Action=ImportKeyPair&KeyName=brought&PublicKeyMaterial=c3NoLXJzYQ==";
        let brought = ec2(&cloud, import);
        assert!(made.contains("<keyMaterial>") && !brought.contains("<keyMaterial>"));
        assert_eq!(refused(&cloud, import), "InvalidKeyPair.Duplicate");
        let all = ec2(&cloud, "Action=DescribeKeyPairs");
        assert_eq!(leaves(&all, "keyName"), ["brought", "made"]);
        let id = leaf(&made, "keyPairId");
        for one in [
            "KeyName.1=made",
            &format!("KeyPairId.1={id}"),
            "Filter.1.Name=key-name&Filter.1.Value.1=m*",
        ] {
            let found = ec2(&cloud, &format!("Action=DescribeKeyPairs&{one}"));
            assert_eq!(leaves(&found, "keyPairId"), [id.as_str()], "{one}");
        }
        let unknown = "Action=DescribeKeyPairs&KeyName.1=other";
        assert_eq!(refused(&cloud, unknown), "InvalidKeyPair.NotFound");
        ec2(&cloud, &format!("Action=DeleteKeyPair&KeyPairId={id}"));
        ec2(&cloud, "Action=DeleteKeyPair&KeyName=other");
        assert_eq!(leaves(&ec2(&cloud, "Action=DescribeKeyPairs"), "keyName"), ["brought"]);
    });
}
