//! IAM as callers meet it: roles, conditions on tags, and accounts that do not see each other.

use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::access::{Caller, Identity};
use aws_sdk_dynamodb::Client as Dynamo;
use aws_sdk_dynamodb::types as dynamodb;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::ResourceType;
use serde_json::{Value, json};

use super::{
    AWAY, HOME, ec2, ec2_of, image, machine, own_images, own_snapshots, refused, tag, tags_for,
    tags_of, volume, world,
};

const ROLE: &str = "arn:aws:iam::123456789012:role/backup";
const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/backup/session";
const KEY: &str = "AKIAI44QH8DHBEXAMPLE";

/// Declares a role that has this one policy, and its key.
fn declare_role(cloud: &Cloud, statements: &Value) {
    cloud.with(|model| {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        model.principals.declare_role(ROLE, &[policy], None).expect("the policy is valid");
        let identity = Identity {
            account: "123456789012".into(),
            arn: SESSION.to_string(),
            role: Some(ROLE.to_string()),
            environment: None,
        };
        model.principals.declare_key(KEY, identity);
    });
}

/// A client of a role that has this one policy.
fn role_client(cloud: &Cloud, region: &str, statements: &Value) -> Ec2 {
    declare_role(cloud, statements);
    ec2_of(cloud, KEY, region)
}

fn allow(actions: &[&str]) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": "*" })
}

#[test]
fn a_call_that_no_policy_allows_is_refused_with_who_what_and_where() {
    // EC2 API reference, error codes: UnauthorizedOperation, 403.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let volume = volume(&cloud, &admin, 1).await;
        let role = role_client(&cloud, HOME, &json!([allow(&["ec2:Describe*"])]));
        role.describe_volumes().send().await.expect("describing is allowed");
        let refused = refused(role.create_snapshot().volume_id(&volume).send().await);
        assert_eq!((refused.status, refused.code.as_str()), (403, "UnauthorizedOperation"));
        let opening = "You are not authorized to perform this operation.";
        assert!(refused.message.starts_with(opening), "{}", refused.message);
        for part in [
            SESSION,
            "ec2:CreateSnapshot",
            "arn:aws:ec2:us-east-1:",
            "because no identity-based policy allows the ec2:CreateSnapshot action",
            "Encoded authorization failure message: ",
        ] {
            assert!(refused.message.contains(part), "{part}: {}", refused.message);
        }
        assert!(own_snapshots(&admin).await.is_empty());
    });
}

#[test]
fn tags_on_create_need_the_permission_to_tag() {
    // EC2 guide, tagging on creation: ec2:CreateTags is asked only if tags are given.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let machine = machine(&cloud, &admin, &[]).await;
        let role = role_client(&cloud, HOME, &json!([allow(&["ec2:CreateImage"])]));
        let call = role.create_image().instance_id(&machine).no_reboot(true);
        let tags = tags_for(ResourceType::Image, &[("a", "1")]);
        let tagged = call.clone().name("tagged").tag_specifications(tags);
        let refused = refused(tagged.send().await);
        assert_eq!(refused.code, "UnauthorizedOperation");
        assert!(refused.message.contains("ec2:CreateTags"), "{}", refused.message);
        assert!(own_images(&admin).await.is_empty());
        call.name("plain").send().await.expect("without tags it may");
    });
}

#[test]
fn the_permission_to_tag_can_be_bound_to_the_action_that_creates() {
    // EC2 guide, tagging on creation: the condition key ec2:CreateAction.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let machine = machine(&cloud, &admin, &[]).await;
        let bound = json!({
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": ["arn:aws:ec2:*::image/*", "arn:aws:ec2:*::snapshot/*"],
            "Condition": { "StringEquals": { "ec2:CreateAction": ["CreateImage"] } },
        });
        let role = role_client(&cloud, HOME, &json!([allow(&["ec2:CreateImage"]), bound]));
        let call = role.create_image().instance_id(&machine).name("tagged").no_reboot(true);
        let call = call
            .tag_specifications(tags_for(ResourceType::Image, &[("a", "1")]))
            .tag_specifications(tags_for(ResourceType::Snapshot, &[("a", "1")]));
        let made = call.send().await.expect("it may tag what it creates");
        cloud.advance(Duration::from_secs(1_800)).await;
        let image = made.image_id().expect("an image has an id");
        assert_eq!(tags_of(&admin, image).await.len(), 1);
        let later = role.create_tags().resources(image).tags(tag("b", "2"));
        assert_eq!(refused(later.send().await).code, "UnauthorizedOperation");
    });
}

#[test]
fn a_tag_on_the_machine_decides_whether_it_may_be_imaged() {
    // Service authorization reference: CreateImage knows aws:ResourceTag of the instance.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let (mine, other) =
            (machine(&cloud, &admin, &[]).await, machine(&cloud, &admin, &[]).await);
        let call = admin.create_tags().resources(&mine).tags(tag("backup", "gold"));
        call.send().await.expect("the machine is tagged");
        let statements = json!([
            {
                "Effect": "Allow",
                "Action": "ec2:CreateImage",
                "Resource": "arn:aws:ec2:*:123456789012:instance/*",
                "Condition": { "StringEquals": { "aws:ResourceTag/backup": "gold" } },
            },
            {
                "Effect": "Allow",
                "Action": "ec2:CreateImage",
                "Resource": ["arn:aws:ec2:*::image/*", "arn:aws:ec2:*::snapshot/*"],
            },
        ]);
        let role = role_client(&cloud, HOME, &statements);
        role.create_image().instance_id(&mine).name("mine").send().await.expect("tagged");
        let refused = refused(role.create_image().instance_id(&other).name("other").send().await);
        assert_eq!(refused.code, "UnauthorizedOperation");
        assert!(refused.message.contains(&other), "{}", refused.message);
    });
}

#[test]
fn an_explicit_deny_wins_over_every_allow() {
    // IAM guide, evaluation logic.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let machine = machine(&cloud, &admin, &[]).await;
        let id = image(&cloud, &admin, &machine, "keep").await;
        let call = admin.create_tags().resources(&id).tags(tag("keep", "yes"));
        call.send().await.expect("the image is tagged");
        let deny = json!({
            "Effect": "Deny",
            "Action": "ec2:DeregisterImage",
            "Resource": "*",
            "Condition": { "StringEquals": { "ec2:ResourceTag/keep": "yes" } },
        });
        let role = role_client(&cloud, HOME, &json!([allow(&["ec2:*"]), deny]));
        let refused = refused(role.deregister_image().image_id(&id).send().await);
        assert_eq!(refused.code, "UnauthorizedOperation");
        let why = "with an explicit deny in an identity-based policy";
        assert!(refused.message.contains(why), "{}", refused.message);
        assert_eq!(own_images(&admin).await.len(), 1);
    });
}

#[test]
fn a_dry_run_tells_whether_one_may() {
    // API reference, DryRun: DryRunOperation or UnauthorizedOperation.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let volume = volume(&cloud, &admin, 1).await;
        let role = role_client(&cloud, HOME, &json!([allow(&["ec2:CreateSnapshot"])]));
        let may = refused(role.create_snapshot().volume_id(&volume).dry_run(true).send().await);
        assert_eq!((may.status, may.code.as_str()), (412, "DryRunOperation"));
        let call = role.create_tags().resources(&volume).tags(tag("a", "1")).dry_run(true);
        let may_not = refused(call.send().await);
        assert_eq!((may_not.status, may_not.code.as_str()), (403, "UnauthorizedOperation"));
        assert!(own_snapshots(&admin).await.is_empty());
    });
}

#[test]
fn a_role_can_be_bound_to_a_region() {
    // IAM guide, global condition keys: aws:RequestedRegion.
    world(async |cloud| {
        let bound = json!({
            "Effect": "Allow",
            "Action": "ec2:Describe*",
            "Resource": "*",
            "Condition": { "StringEquals": { "aws:RequestedRegion": HOME } },
        });
        let here = role_client(&cloud, HOME, &json!([bound]));
        here.describe_volumes().send().await.expect("here it may");
        let there = ec2_of(&cloud, KEY, AWAY);
        assert_eq!(refused(there.describe_volumes().send().await).status, 403);
    });
}

#[test]
fn only_tags_that_the_policy_names_can_be_given() {
    // EC2 guide, controlling access by tags: aws:TagKeys and aws:RequestTag.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let volume = volume(&cloud, &admin, 1).await;
        let bound = json!({
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": "*",
            "Condition": {
                "StringEquals": { "aws:RequestTag/stage": ["test", "prod"] },
                "ForAllValues:StringEquals": { "aws:TagKeys": ["stage", "note"] },
            },
        });
        let role = role_client(&cloud, HOME, &json!([bound]));
        let call = role.create_tags().resources(&volume);
        let good = call.clone().tags(tag("stage", "test")).tags(tag("note", "any"));
        good.send().await.expect("both keys are named");
        let unnamed = call.clone().tags(tag("stage", "test")).tags(tag("cost", "1"));
        assert_eq!(refused(unnamed.send().await).code, "UnauthorizedOperation");
        let wrong = call.clone().tags(tag("stage", "dev"));
        assert_eq!(refused(wrong.send().await).code, "UnauthorizedOperation");
        assert_eq!(tags_of(&admin, &volume).await.len(), 2);
    });
}

#[test]
fn snapshots_that_may_not_be_deleted_stay_when_their_image_is_deregistered() {
    // API reference, DeregisterImage: the return code missing-permissions.
    world(async |cloud| {
        let admin = ec2(&cloud, HOME);
        let machine = machine(&cloud, &admin, &[]).await;
        let id = image(&cloud, &admin, &machine, "nightly").await;
        let role = role_client(&cloud, HOME, &json!([allow(&["ec2:DeregisterImage"])]));
        let call = role.deregister_image().image_id(&id).delete_associated_snapshots(true);
        let done = call.send().await.expect("the image may go");
        let codes: Vec<_> = done
            .delete_snapshot_results()
            .iter()
            .map(|result| result.return_code().expect("each has a code").as_str().to_string())
            .collect();
        assert_eq!(codes, ["missing-permissions"]);
        assert_eq!(own_snapshots(&admin).await.len(), 1);
    });
}

#[test]
fn accounts_do_not_see_each_other() {
    world(async |cloud| {
        let ours = ec2(&cloud, HOME);
        let volume = volume(&cloud, &ours, 1).await;
        let theirs = Identity::administrator("111122223333");
        cloud.with(|model| model.principals.declare_key("AKIAOTHEREXAMPLE", theirs));
        let theirs = ec2_of(&cloud, "AKIAOTHEREXAMPLE", HOME);
        let found = theirs.describe_volumes().send().await.expect("volumes are described");
        assert!(found.volumes().is_empty());
        let call = theirs.create_snapshot().volume_id(&volume).send().await;
        assert_eq!(refused(call).code, "InvalidVolume.NotFound");
        let calls = super::attempts(&cloud, "DescribeVolumes");
        assert_eq!(calls[0].principal, "arn:aws:iam::111122223333:user/administrator");
    });
}

fn s(text: &str) -> dynamodb::AttributeValue {
    dynamodb::AttributeValue::S(text.to_string())
}

/// A table with the keys `pk` and `sk`, and an index over `state`.
async fn table(cloud: &Cloud, dynamo: &Dynamo) {
    let mut call = dynamo.create_table().table_name("ledger");
    for name in ["pk", "sk", "state"] {
        let attribute = dynamodb::AttributeDefinition::builder().attribute_name(name);
        let attribute = attribute.attribute_type(dynamodb::ScalarAttributeType::S).build();
        call = call.attribute_definitions(attribute.expect("both are given"));
    }
    let key = |name: &str, kind| {
        let key = dynamodb::KeySchemaElement::builder().attribute_name(name).key_type(kind);
        key.build().expect("both are given")
    };
    let all = dynamodb::Projection::builder().projection_type(dynamodb::ProjectionType::All);
    let index = dynamodb::GlobalSecondaryIndex::builder().index_name("by-state");
    let index = index.key_schema(key("state", dynamodb::KeyType::Hash)).projection(all.build());
    let call = call
        .key_schema(key("pk", dynamodb::KeyType::Hash))
        .key_schema(key("sk", dynamodb::KeyType::Range))
        .global_secondary_indexes(index.build().expect("name and keys are given"))
        .billing_mode(dynamodb::BillingMode::PayPerRequest);
    call.send().await.expect("a table is created");
    cloud.advance(Duration::from_secs(60)).await;
}

/// A client of a role that may do everything with the items of `mine#*`, and nothing else.
async fn bound_to_mine(cloud: &Cloud) -> Dynamo {
    let dynamo = |key: &str| {
        let (access_key, region) = (key.to_string(), HOME.to_string());
        let caller = Caller { access_key, region, clock_skew_ms: 0 };
        Dynamo::new(&cloud.sdk_config_of(&caller))
    };
    table(cloud, &dynamo("any")).await;
    let bound = json!({
        "Effect": "Allow",
        "Action": "dynamodb:*",
        "Resource": "arn:aws:dynamodb:*:123456789012:table/ledger*",
        "Condition": {
            "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["mine#*"] },
            "Null": { "dynamodb:LeadingKeys": "false" },
        },
    });
    declare_role(cloud, &json!([bound]));
    dynamo(KEY)
}

const DENIED: &str = "AccessDeniedException";

#[test]
fn a_role_can_be_bound_to_partitions_of_a_table() {
    // DynamoDB guide, fine-grained access control: dynamodb:LeadingKeys has the partition keys of
    // the items that a call names; of an index, those of the index.
    world(async |cloud| {
        let role = bound_to_mine(&cloud).await;
        for (pk, is_mine) in [("mine#1", true), ("yours#1", false)] {
            let told = |call: &str, error: Option<String>| {
                let is_refused = error.as_ref().is_some_and(|error| error.contains(DENIED));
                assert_eq!(is_refused, !is_mine, "{call}: {error:?}");
                assert_eq!(error.is_some(), !is_mine, "{call}: {error:?}");
            };
            let put = role.put_item().table_name("ledger").item("pk", s(pk)).item("sk", s("1"));
            let put = put.item("state", s(pk)).send().await;
            told("put", put.err().map(|error| format!("{error:?}")));
            let get = role.get_item().table_name("ledger").key("pk", s(pk)).key("sk", s("1"));
            told("get", get.send().await.err().map(|error| format!("{error:?}")));
            let update = role.update_item().table_name("ledger");
            let update = update.key("pk", s(pk)).key("sk", s("1")).send().await;
            told("update", update.err().map(|error| format!("{error:?}")));
            for (index, attribute) in [(None, "pk"), (Some("by-state"), "state")] {
                let query = role.query().table_name("ledger").set_index_name(index.map(Into::into));
                let query = query.key_condition_expression("#p = :p");
                let query = query.expression_attribute_names("#p", attribute);
                let query = query.expression_attribute_values(":p", s(pk)).send().await;
                told("query", query.err().map(|error| format!("{error:?}")));
            }
            let delete = role.delete_item().table_name("ledger");
            let delete = delete.key("pk", s(pk)).key("sk", s("1")).send().await;
            told("delete", delete.err().map(|error| format!("{error:?}")));
        }
    });
}

#[test]
fn one_item_of_another_partition_is_enough_to_refuse_a_call() {
    // The same guide: a batch names all its items, and Scan none, so that it returns all items.
    world(async |cloud| {
        let role = bound_to_mine(&cloud).await;
        let keys = |pks: &[&str]| {
            let key = |pk: &&str| [("pk".into(), s(pk)), ("sk".into(), s("1"))].into();
            let keys = dynamodb::KeysAndAttributes::builder();
            keys.set_keys(Some(pks.iter().map(key).collect())).build().expect("keys are given")
        };
        let batch = |pks: &[&str]| role.batch_get_item().request_items("ledger", keys(pks)).send();
        batch(&["mine#1", "mine#2"]).await.expect("both are mine");
        assert_eq!(refused(batch(&["mine#1", "yours#1"]).await).code, DENIED);
        let transact = |pks: &[&str]| {
            let action = |pk: &&str| {
                let put = dynamodb::Put::builder().table_name("ledger");
                let put = put.item("pk", s(pk)).item("sk", s("1")).build();
                let put = put.expect("table and item are given");
                dynamodb::TransactWriteItem::builder().put(put).build()
            };
            let actions = Some(pks.iter().map(action).collect());
            role.transact_write_items().set_transact_items(actions).send()
        };
        transact(&["mine#1", "mine#2"]).await.expect("both are mine");
        assert_eq!(refused(transact(&["mine#1", "yours#1"]).await).code, DENIED);
        assert_eq!(refused(role.scan().table_name("ledger").send().await).code, DENIED);
    });
}
