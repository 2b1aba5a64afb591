//! KMS, as its clients see it, and what EBS may do with a key.

use std::time::Duration;

use crate::json_calls::{ACCOUNT, Client, REGION, client};
use afterimage_cloud::access::{Call, Identity};
use afterimage_cloud::model::Scope;
use afterimage_cloud::services;
use afterimage_cloud::{Cloud, Config, Time, kms};
use serde_json::{Value, json};

const KMS: Client = client("kms", "TrentService.");
const OTHER: Client = Client { access_key: "AKIAOTHER", ..KMS };
const OTHER_ACCOUNT: &str = "111122223333";

const DAY: Duration = Duration::from_secs(86_400);

fn scope() -> Scope {
    Scope::new(ACCOUNT, REGION)
}

fn with_other_account(cloud: &Cloud) {
    let other = Identity::administrator(OTHER_ACCOUNT);
    cloud.with(|model| model.principals.declare_key("AKIAOTHER", other));
}

/// The id and the ARN of a new key.
fn new_key(cloud: &Cloud, request: &Value) -> (String, String) {
    let answer = KMS.done(cloud, "CreateKey", request);
    let text = |name: &str| answer["KeyMetadata"][name].as_str().unwrap_or_default().to_string();
    (text("KeyId"), text("Arn"))
}

fn metadata(cloud: &Cloud, key: &str) -> Value {
    KMS.done(cloud, "DescribeKey", &json!({ "KeyId": key }))["KeyMetadata"].clone()
}

/// The state of a key, and whether it is enabled.
fn state(cloud: &Cloud, key: &str) -> (String, bool) {
    let metadata = metadata(cloud, key);
    let name = metadata["KeyState"].as_str().unwrap_or_default().to_string();
    (name, metadata["Enabled"] == true)
}

/// A call of EC2's by the administrator of an account, or in a role.
fn ec2_call(account: &str, role: Option<&str>) -> Call {
    let caller = match role {
        None => Identity::administrator(account),
        Some(name) => Identity {
            account: account.into(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/one"),
            role: Some(format!("arn:aws:iam::{account}:role/{name}")),
            environment: None,
        },
    };
    Call {
        scope: Scope::new(account, REGION),
        service: services::find("ec2").expect("EC2 is modelled").service,
        action: "CopyImage".to_string(),
        caller,
        request_id: "one".to_string(),
        dry_run: false,
    }
}

fn usable(cloud: &Cloud, call: &Call, key: &str) -> Result<(), String> {
    cloud.with(|model| kms::ebs::usable_for_ebs(model, call, key))
}

fn declare_role(cloud: &Cloud, account: &str, name: &str, actions: &Value, conditions: &Value) {
    let role = format!("arn:aws:iam::{account}:role/{name}");
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": actions, "Resource": "*", "Condition": conditions,
    }] });
    cloud.with(|model| {
        model.principals.declare_role(&role, &[policy], None).expect("the policy is sound");
    });
}

const ALL_USES: [&str; 5] = [
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:Decrypt",
    "kms:ReEncrypt*",
];

#[test]
fn a_new_key_is_symmetric_enabled_and_ones_own() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, arn) = new_key(&cloud, &json!({ "Description": "copies" }));
        assert_eq!(arn, format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}"));
        let shown = metadata(&cloud, &id);
        let expected = [
            ("AWSAccountId", json!(ACCOUNT)),
            ("Arn", json!(arn)),
            ("CreationDate", json!(Time::START.millis() as f64 / 1000.0)),
            ("Enabled", json!(true)),
            ("Description", json!("copies")),
            ("KeyUsage", json!("ENCRYPT_DECRYPT")),
            ("KeyState", json!("Enabled")),
            ("Origin", json!("AWS_KMS")),
            ("KeyManager", json!("CUSTOMER")),
            ("CustomerMasterKeySpec", json!("SYMMETRIC_DEFAULT")),
            ("KeySpec", json!("SYMMETRIC_DEFAULT")),
            ("EncryptionAlgorithms", json!(["SYMMETRIC_DEFAULT"])),
            ("MultiRegion", json!(false)),
        ];
        for (name, value) in expected {
            assert_eq!(shown[name], value, "{name}");
        }
    });
}

#[test]
fn every_region_has_its_own_key_for_ebs_that_nobody_can_switch_off() {
    let ask = || {
        Cloud::run(Config::seeded(7), async |cloud| {
            let here = metadata(&cloud, "alias/aws/ebs");
            let west = Client { region: "us-west-2", ..KMS };
            let request = json!({ "KeyId": "alias/aws/ebs" });
            let there = west.done(&cloud, "DescribeKey", &request)["KeyMetadata"].clone();
            assert_ne!(here["KeyId"], there["KeyId"]);
            assert_eq!(here["KeyManager"], "AWS");
            for action in ["DisableKey", "ScheduleKeyDeletion"] {
                let request = json!({ "KeyId": here["KeyId"] });
                let (code, _) = KMS.refused(&cloud, action, &request);
                assert_eq!(code, "AccessDeniedException", "{action}");
            }
            let default = cloud.with(|model| kms::default_ebs_key(model, &scope()));
            assert_eq!(here["Arn"], default.as_str());
            default
        })
    };
    assert_eq!(ask(), ask());
}

#[test]
fn a_name_means_a_key_in_its_own_region_only() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, arn) = new_key(&cloud, &json!({}));
        let request = json!({ "AliasName": "alias/copies", "TargetKeyId": id });
        KMS.done(&cloud, "CreateAlias", &request);
        let alias_arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/copies");
        let resolve =
            |scope: &Scope, name: &str| cloud.with(|model| kms::resolve(model, scope, name));
        for name in [id.as_str(), arn.as_str(), "alias/copies", alias_arn.as_str()] {
            assert_eq!(resolve(&scope(), name), Some(arn.clone()), "{name}");
        }
        let west = scope().in_region("us-west-2");
        for name in [id.as_str(), arn.as_str(), "alias/copies", alias_arn.as_str()] {
            assert_eq!(resolve(&west, name), None, "{name}");
        }
        let client = Client { region: "us-west-2", ..KMS };
        let refused = client.refused(&cloud, "DescribeKey", &json!({ "KeyId": arn }));
        assert_eq!(refused, ("NotFoundException".into(), "Invalid arn us-east-1".into()));
        let refused = client.refused(&cloud, "DescribeKey", &json!({ "KeyId": id }));
        let text = format!("Key 'arn:aws:kms:us-west-2:{ACCOUNT}:key/{id}' does not exist");
        assert_eq!(refused, ("NotFoundException".into(), text));
        let refused = KMS.refused(&cloud, "DescribeKey", &json!({ "KeyId": "alias/none" }));
        let text = format!("Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found.");
        assert_eq!(refused, ("NotFoundException".into(), text));
    });
}

#[test]
fn a_key_is_switched_off_and_on() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, arn) = new_key(&cloud, &json!({}));
        KMS.done(&cloud, "DisableKey", &json!({ "KeyId": id }));
        assert_eq!(state(&cloud, &id), ("Disabled".to_string(), false));
        let grant = json!({
            "KeyId": id, "Operations": ["Decrypt"],
            "GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:role/reader"),
        });
        let refused = KMS.refused(&cloud, "CreateGrant", &grant);
        assert_eq!(refused, ("DisabledException".into(), format!("{arn} is disabled.")));
        KMS.done(&cloud, "EnableKey", &json!({ "KeyId": arn }));
        assert_eq!(state(&cloud, &id), ("Enabled".to_string(), true));
        KMS.done(&cloud, "CreateGrant", &grant);
    });
}

#[test]
fn a_key_goes_after_its_waiting_period_unless_that_is_cancelled() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, arn) = new_key(&cloud, &json!({}));
        let alias = json!({ "AliasName": "alias/x", "TargetKeyId": id });
        KMS.done(&cloud, "CreateAlias", &alias);
        for days in [6, 31] {
            let request = json!({ "KeyId": id, "PendingWindowInDays": days });
            let (code, _) = KMS.refused(&cloud, "ScheduleKeyDeletion", &request);
            assert_eq!(code, "ValidationException");
        }
        let schedule = json!({ "KeyId": id, "PendingWindowInDays": 7 });
        let answer = KMS.done(&cloud, "ScheduleKeyDeletion", &schedule);
        let at = (Time::START + 7 * DAY).millis() as f64 / 1000.0;
        assert_eq!(
            answer,
            json!({
                "KeyId": arn, "DeletionDate": at, "KeyState": "PendingDeletion",
                "PendingWindowInDays": 7,
            })
        );
        assert_eq!(state(&cloud, &id), ("PendingDeletion".to_string(), false));
        let refused = KMS.refused(&cloud, "EnableKey", &json!({ "KeyId": id }));
        let text = format!("{arn} is pending deletion.");
        assert_eq!(refused, ("KMSInvalidStateException".into(), text));
        cloud.advance(6 * DAY).await;
        KMS.done(&cloud, "CancelKeyDeletion", &json!({ "KeyId": id }));
        cloud.advance(2 * DAY).await;
        assert_eq!(state(&cloud, &id), ("Disabled".to_string(), false));
        let refused = KMS.refused(&cloud, "CancelKeyDeletion", &json!({ "KeyId": id }));
        let text = format!("{arn} is not pending deletion.");
        assert_eq!(refused, ("KMSInvalidStateException".into(), text));
        KMS.done(&cloud, "ScheduleKeyDeletion", &schedule);
        cloud.advance(7 * DAY).await;
        let (code, _) = KMS.refused(&cloud, "DescribeKey", &json!({ "KeyId": id }));
        assert_eq!(code, "NotFoundException");
        let (code, _) = KMS.refused(&cloud, "DescribeKey", &json!({ "KeyId": "alias/x" }));
        assert_eq!(code, "NotFoundException");
    });
}

#[test]
fn an_alias_is_unique_can_be_moved_and_keeps_to_its_form() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (first, _) = new_key(&cloud, &json!({}));
        let (second, _) = new_key(&cloud, &json!({}));
        let alias = |name: &str, key: &str| json!({ "AliasName": name, "TargetKeyId": key });
        KMS.done(&cloud, "CreateAlias", &alias("alias/x", &first));
        let refused = KMS.refused(&cloud, "CreateAlias", &alias("alias/x", &second));
        let text =
            format!("An alias with the name arn:aws:kms:{REGION}:{ACCOUNT}:alias/x already exists");
        assert_eq!(refused, ("AlreadyExistsException".into(), text));
        KMS.done(&cloud, "UpdateAlias", &alias("alias/x", &second));
        assert_eq!(metadata(&cloud, "alias/x")["KeyId"], second.as_str());
        let listed = KMS.done(&cloud, "ListAliases", &json!({ "KeyId": second }));
        assert_eq!(listed["Aliases"][0]["AliasName"], "alias/x");
        assert_eq!(listed["Aliases"].as_array().map(Vec::len), Some(1));
        for (name, code) in [
            ("copies", "InvalidAliasNameException"),
            ("alias/aws/mine", "NotAuthorizedException"),
            ("alias/a b", "ValidationException"),
        ] {
            let refused = KMS.refused(&cloud, "CreateAlias", &alias(name, &first));
            assert_eq!(refused.0, code, "{name}");
        }
        KMS.done(&cloud, "DeleteAlias", &json!({ "AliasName": "alias/x" }));
        let (code, _) = KMS.refused(&cloud, "DescribeKey", &json!({ "KeyId": "alias/x" }));
        assert_eq!(code, "NotFoundException");
    });
}

#[test]
fn keys_are_listed_page_by_page() {
    Cloud::run(Config::seeded(1), async |cloud| {
        for _ in 0..4 {
            new_key(&cloud, &json!({}));
        }
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let mut request = json!({ "Limit": 2 });
            if let Some(marker) = marker {
                request["Marker"] = marker;
            }
            let page = KMS.done(&cloud, "ListKeys", &request);
            let keys = page["Keys"].as_array().expect("a page has keys").clone();
            assert!(keys.len() <= 2);
            seen.extend(keys.into_iter().map(|key| key["KeyId"].to_string()));
            if page["Truncated"] == false {
                break;
            }
            marker = Some(page["NextMarker"].clone());
        }
        seen.dedup();
        // Four, and the one of EBS.
        assert_eq!(seen.len(), 5);
    });
}

#[test]
fn only_symmetric_keys_of_one_region_are_modelled() {
    Cloud::run(Config::seeded(1), async |cloud| {
        for request in [
            json!({ "KeySpec": "RSA_2048" }),
            json!({ "KeyUsage": "SIGN_VERIFY" }),
            json!({ "MultiRegion": true }),
        ] {
            let (code, _) = KMS.refused(&cloud, "CreateKey", &request);
            assert_eq!(code, "UnsupportedOperationException", "{request}");
        }
        let (code, _) = KMS.refused(&cloud, "CreateKey", &json!({ "XksKeyId": "x" }));
        assert_eq!(code, "ValidationException");
    });
}

#[test]
fn a_policy_may_not_shut_out_who_sets_it() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, _) = new_key(&cloud, &json!({}));
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": { "AWS": format!("arn:aws:iam::{OTHER_ACCOUNT}:root") },
        }] })
        .to_string();
        let mut request = json!({ "KeyId": id, "Policy": policy });
        let (code, _) = KMS.refused(&cloud, "PutKeyPolicy", &request);
        assert_eq!(code, "MalformedPolicyDocumentException");
        request["BypassPolicyLockoutSafetyCheck"] = json!(true);
        KMS.done(&cloud, "PutKeyPolicy", &request);
        let (code, _) = KMS.refused(&cloud, "GetKeyPolicy", &json!({ "KeyId": id }));
        assert_eq!(code, "AccessDeniedException");
    });
}

#[test]
fn grants_are_listed_and_revoked() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, arn) = new_key(&cloud, &json!({}));
        let grantee = format!("arn:aws:iam::{ACCOUNT}:role/reader");
        let request = json!({
            "KeyId": id, "GranteePrincipal": grantee, "Operations": ["Decrypt"], "Name": "n",
        });
        let first = KMS.done(&cloud, "CreateGrant", &request);
        let again = KMS.done(&cloud, "CreateGrant", &request);
        assert_eq!(first["GrantId"], again["GrantId"], "a named grant is made once");
        let listed = KMS.done(&cloud, "ListGrants", &json!({ "KeyId": arn }));
        let grant = &listed["Grants"][0];
        assert_eq!(grant["GranteePrincipal"], grantee.as_str());
        assert_eq!(grant["Operations"], json!(["Decrypt"]));
        assert_eq!(grant["IssuingAccount"], format!("arn:aws:iam::{ACCOUNT}:root"));
        let revoke = json!({ "KeyId": id, "GrantId": first["GrantId"] });
        KMS.done(&cloud, "RevokeGrant", &revoke);
        let (code, _) = KMS.refused(&cloud, "RevokeGrant", &revoke);
        assert_eq!(code, "NotFoundException");
    });
}

#[test]
fn ebs_uses_an_enabled_key_and_leaves_one_grant() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, arn) = new_key(&cloud, &json!({}));
        let call = ec2_call(ACCOUNT, None);
        assert_eq!(usable(&cloud, &call, &arn), Ok(()));
        assert_eq!(usable(&cloud, &call, &arn), Ok(()));
        let listed = KMS.done(&cloud, "ListGrants", &json!({ "KeyId": id }));
        assert_eq!(listed["Grants"].as_array().map(Vec::len), Some(1));
        let grantee = listed["Grants"][0]["GranteePrincipal"].as_str().unwrap_or_default();
        assert!(grantee.contains("assumed-role/aws:ec2-infrastructure/"), "{grantee}");
    });
}

#[test]
fn ebs_cannot_use_a_key_that_is_off_or_going_or_without_material_or_gone() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let call = ec2_call(ACCOUNT, None);
        let inaccessible = Err("Given key ID is not accessible".to_string());
        let (id, arn) = new_key(&cloud, &json!({}));
        KMS.done(&cloud, "DisableKey", &json!({ "KeyId": id }));
        assert_eq!(usable(&cloud, &call, &arn), inaccessible);
        KMS.done(&cloud, "ScheduleKeyDeletion", &json!({ "KeyId": id }));
        assert_eq!(usable(&cloud, &call, &arn), inaccessible);
        let (id, external) = new_key(&cloud, &json!({ "Origin": "EXTERNAL" }));
        assert_eq!(state(&cloud, &id).0, "PendingImport");
        assert_eq!(usable(&cloud, &call, &external), inaccessible);
        let nowhere = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/none");
        let text = format!("The specified keyId {nowhere} is invalid");
        assert_eq!(usable(&cloud, &call, &nowhere), Err(text));
    });
}

#[test]
fn ebs_needs_every_leave_of_the_callers() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (_, arn) = new_key(&cloud, &json!({}));
        declare_role(&cloud, ACCOUNT, "full", &json!(ALL_USES), &json!({}));
        let full = ec2_call(ACCOUNT, Some("full"));
        assert_eq!(usable(&cloud, &full, &arn), Ok(()));
        for (n, missing) in ALL_USES.iter().enumerate() {
            let name = format!("without-{n}");
            let rest: Vec<_> = ALL_USES.iter().filter(|one| *one != missing).collect();
            declare_role(&cloud, ACCOUNT, &name, &json!(rest), &json!({}));
            let refused = usable(&cloud, &ec2_call(ACCOUNT, Some(&name)), &arn);
            let refused = refused.expect_err(missing);
            assert!(refused.starts_with("Given key ID is not accessible"), "{refused}");
            let says_describe = refused.contains("You must have DescribeKey permissions");
            assert_eq!(says_describe, *missing == "kms:DescribeKey", "{missing}");
        }
    });
}

#[test]
fn leave_may_be_confined_to_ec2_and_to_grants_for_resources_of_aws() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (id, arn) = new_key(&cloud, &json!({}));
        let confined = json!({
            "StringEquals": { "kms:ViaService": format!("ec2.{REGION}.amazonaws.com") },
            "BoolIfExists": { "kms:GrantIsForAWSResource": "true" },
        });
        declare_role(&cloud, ACCOUNT, "confined", &json!(ALL_USES), &confined);
        let call = ec2_call(ACCOUNT, Some("confined"));
        assert_eq!(usable(&cloud, &call, &arn), Ok(()));
        let caller = call.caller.clone();
        cloud.with(|model| model.principals.declare_key("ASIACONFINED", caller));
        let direct = Client { access_key: "ASIACONFINED", ..KMS };
        let (code, _) = direct.refused(&cloud, "DescribeKey", &json!({ "KeyId": id }));
        assert_eq!(code, "AccessDeniedException");
    });
}

#[test]
fn the_key_of_ebs_serves_its_account_without_leave_and_no_other_account() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let default = cloud.with(|model| kms::default_ebs_key(model, &scope()));
        declare_role(&cloud, ACCOUNT, "none", &json!("ec2:*"), &json!({}));
        assert_eq!(usable(&cloud, &ec2_call(ACCOUNT, Some("none")), &default), Ok(()));
        let refused = usable(&cloud, &ec2_call(OTHER_ACCOUNT, None), &default);
        assert!(refused.is_err());
    });
}

#[test]
fn another_account_needs_the_keys_policy_and_its_own() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_other_account(&cloud);
        let root = |account: &str| format!("arn:aws:iam::{account}:root");
        let (id, arn) = new_key(&cloud, &json!({}));
        let other = ec2_call(OTHER_ACCOUNT, None);
        assert!(usable(&cloud, &other, &arn).is_err(), "the default policy knows one account");
        let (code, _) = OTHER.refused(&cloud, "DescribeKey", &json!({ "KeyId": arn }));
        assert_eq!(code, "AccessDeniedException");
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": { "AWS": [root(ACCOUNT), root(OTHER_ACCOUNT)] },
        }] });
        let request = json!({ "KeyId": id, "Policy": policy.to_string() });
        KMS.done(&cloud, "PutKeyPolicy", &request);
        assert_eq!(usable(&cloud, &other, &arn), Ok(()));
        OTHER.done(&cloud, "DescribeKey", &json!({ "KeyId": arn }));
        declare_role(&cloud, OTHER_ACCOUNT, "none", &json!("ec2:*"), &json!({}));
        assert!(usable(&cloud, &ec2_call(OTHER_ACCOUNT, Some("none")), &arn).is_err());
    });
}
