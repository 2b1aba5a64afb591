//! DynamoDB, as its clients see it: what this crate adds around dynoxide, and that conditions,
//! transactions and indexes reach it unharmed.

use std::time::Duration;

use crate::json_calls::{ACCOUNT, Client, REGION, client};
use afterimage_cloud::access::Identity;
use afterimage_cloud::{Cloud, Config, Time};
use serde_json::{Value, json};

const DYNAMO: Client = client("dynamodb", "DynamoDB_20120810.");

fn ledger() -> Value {
    json!({
        "TableName": "ledger",
        "KeySchema": [
            { "AttributeName": "pk", "KeyType": "HASH" },
            { "AttributeName": "sk", "KeyType": "RANGE" },
        ],
        "AttributeDefinitions": [
            { "AttributeName": "pk", "AttributeType": "S" },
            { "AttributeName": "sk", "AttributeType": "S" },
            { "AttributeName": "due", "AttributeType": "S" },
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-due",
            "KeySchema": [{ "AttributeName": "due", "KeyType": "HASH" }],
            "Projection": { "ProjectionType": "ALL" },
        }],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

fn with_ledger(cloud: &Cloud) {
    DYNAMO.done(cloud, "CreateTable", &ledger());
}

fn item(sk: &str, due: &str) -> Value {
    json!({ "pk": { "S": "a" }, "sk": { "S": sk }, "due": { "S": due } })
}

fn key(sk: &str) -> Value {
    json!({ "pk": { "S": "a" }, "sk": { "S": sk } })
}

fn put(cloud: &Cloud, sk: &str, due: &str) {
    DYNAMO.done(cloud, "PutItem", &json!({ "TableName": "ledger", "Item": item(sk, due) }));
}

fn get(cloud: &Cloud, sk: &str) -> Value {
    let request = json!({ "TableName": "ledger", "Key": key(sk), "ConsistentRead": true });
    DYNAMO.done(cloud, "GetItem", &request)["Item"].clone()
}

/// The sort keys of what the index shows as due.
fn due(cloud: &Cloud, due: &str) -> Vec<String> {
    let request = json!({
        "TableName": "ledger",
        "IndexName": "by-due",
        "KeyConditionExpression": "due = :due",
        "ExpressionAttributeValues": { ":due": { "S": due } },
    });
    let answer = DYNAMO.done(cloud, "Query", &request);
    let items = answer["Items"].as_array().expect("a query has items").iter();
    items.map(|item| item["sk"]["S"].as_str().unwrap_or_default().to_string()).collect()
}

fn lagging() -> Config {
    let mut config = Config::seeded(1);
    config.lag.index_reads = Some(Duration::from_secs(5));
    config
}

#[test]
fn a_table_is_described_in_our_world() {
    Cloud::run(Config::seeded(1), async |cloud| {
        cloud.advance(Duration::from_millis(1500)).await;
        with_ledger(&cloud);
        cloud.advance(Duration::from_secs(100)).await;
        let answer = DYNAMO.done(&cloud, "DescribeTable", &json!({ "TableName": "ledger" }));
        let table = &answer["Table"];
        let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ledger");
        assert_eq!(table["TableArn"], arn.as_str());
        let index = &table["GlobalSecondaryIndexes"][0];
        assert_eq!(index["IndexArn"], format!("{arn}/index/by-due"));
        assert_eq!(table["TableStatus"], "ACTIVE");
        let born = Time::START.millis() as f64 / 1000.0 + 1.5;
        assert_eq!(table["CreationDateTime"], json!(born));
        let on_demand = &table["BillingModeSummary"];
        assert_eq!(on_demand["LastUpdateToPayPerRequestDateTime"], json!(born));
    });
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let tell = || {
        Cloud::run(lagging(), async |cloud| {
            let mut told = vec![DYNAMO.done(&cloud, "CreateTable", &ledger())];
            for n in 0..20 {
                let sk = format!("{n:02}");
                let item = json!({
                    "pk": { "S": "a" }, "sk": { "S": sk }, "due": { "S": "x" },
                    "m": { "M": { "p": { "N": "1" }, "q": { "SS": ["u", "v", "w"] } } },
                });
                let put = json!({ "TableName": "ledger", "Item": item });
                told.push(DYNAMO.done(&cloud, "PutItem", &put));
            }
            cloud.advance(Duration::from_secs(10)).await;
            let scan = json!({ "TableName": "ledger", "IndexName": "by-due" });
            told.push(DYNAMO.done(&cloud, "Scan", &scan));
            let texts = told.iter().map(Value::to_string).collect::<String>();
            (texts, cloud.with(|model| model.trace.hash()))
        })
    };
    assert_eq!(tell(), tell());
}

#[test]
fn a_failed_condition_shows_the_item_that_stood_in_the_way() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        put(&cloud, "1", "x");
        let request = json!({
            "TableName": "ledger",
            "Item": item("1", "y"),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        let (status, answer) = DYNAMO.ask(&cloud, "PutItem", &request);
        assert_eq!(status, 400);
        let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        assert_eq!(answer["__type"], code);
        assert_eq!(answer["message"], "The conditional request failed");
        assert_eq!(answer["Item"], item("1", "x"));
        assert_eq!(get(&cloud, "1"), item("1", "x"));
    });
}

#[test]
fn a_cancelled_transaction_gives_a_reason_for_each_action_and_changes_nothing() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        put(&cloud, "1", "x");
        let request = json!({ "TransactItems": [
            { "Put": { "TableName": "ledger", "Item": item("2", "x") } },
            { "Put": {
                "TableName": "ledger",
                "Item": item("1", "y"),
                "ConditionExpression": "attribute_not_exists(pk)",
            } },
        ] });
        let (status, answer) = DYNAMO.ask(&cloud, "TransactWriteItems", &request);
        assert_eq!(status, 400);
        let code = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        assert_eq!(answer["__type"], code);
        assert_eq!(answer["CancellationReasons"][0]["Code"], "None");
        assert_eq!(answer["CancellationReasons"][1]["Code"], "ConditionalCheckFailed");
        assert_eq!(get(&cloud, "2"), Value::Null);
    });
}

fn counted(token: &str, step: &str) -> Value {
    json!({
        "ClientRequestToken": token,
        "TransactItems": [{ "Update": {
            "TableName": "ledger",
            "Key": key("n"),
            "UpdateExpression": "ADD n :step",
            "ExpressionAttributeValues": { ":step": { "N": step } },
        } }],
    })
}

#[test]
fn a_token_makes_a_transaction_happen_once_in_ten_minutes_of_the_worlds_time() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        DYNAMO.done(&cloud, "TransactWriteItems", &counted("t", "1"));
        cloud.advance(Duration::from_secs(599)).await;
        DYNAMO.done(&cloud, "TransactWriteItems", &counted("t", "1"));
        assert_eq!(get(&cloud, "n")["n"], json!({ "N": "1" }));
        let (code, _) = DYNAMO.refused(&cloud, "TransactWriteItems", &counted("t", "2"));
        assert_eq!(code, "IdempotentParameterMismatchException");
        cloud.advance(Duration::from_secs(1)).await;
        DYNAMO.done(&cloud, "TransactWriteItems", &counted("t", "1"));
        assert_eq!(get(&cloud, "n")["n"], json!({ "N": "2" }));
    });
}

#[test]
fn a_token_whose_transaction_was_cancelled_is_free() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        let request = json!({
            "ClientRequestToken": "t",
            "TransactItems": [{ "Put": {
                "TableName": "ledger",
                "Item": item("2", "x"),
                "ConditionExpression": "attribute_exists(pk)",
            } }],
        });
        let (code, _) = DYNAMO.refused(&cloud, "TransactWriteItems", &request);
        assert_eq!(code, "TransactionCanceledException");
        put(&cloud, "2", "y");
        DYNAMO.done(&cloud, "TransactWriteItems", &request);
        assert_eq!(get(&cloud, "2"), item("2", "x"));
    });
}

#[test]
fn an_index_without_lag_shows_a_write_at_once() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        put(&cloud, "1", "x");
        assert_eq!(due(&cloud, "x"), ["1"]);
    });
}

#[test]
fn a_lagging_index_shows_the_table_as_it_was() {
    Cloud::run(lagging(), async |cloud| {
        with_ledger(&cloud);
        put(&cloud, "1", "x");
        assert!(due(&cloud, "x").is_empty());
        cloud.advance(Duration::from_secs(3)).await;
        put(&cloud, "1", "y");
        cloud.advance(Duration::from_secs(2)).await;
        assert_eq!((due(&cloud, "x"), due(&cloud, "y")), (vec!["1".to_string()], vec![]));
        cloud.advance(Duration::from_secs(3)).await;
        assert_eq!((due(&cloud, "x"), due(&cloud, "y")), (vec![], vec!["1".to_string()]));
        // The table itself never lags.
        assert_eq!(get(&cloud, "1"), item("1", "y"));
    });
}

#[test]
fn every_kind_of_write_reaches_a_lagging_index() {
    Cloud::run(lagging(), async |cloud| {
        with_ledger(&cloud);
        let batch = json!({ "RequestItems": { "ledger": [
            { "PutRequest": { "Item": item("1", "x") } },
            { "PutRequest": { "Item": item("2", "x") } },
        ] } });
        DYNAMO.done(&cloud, "BatchWriteItem", &batch);
        let transaction = json!({ "TransactItems": [
            { "Put": { "TableName": "ledger", "Item": item("3", "x") } },
            { "Delete": { "TableName": "ledger", "Key": key("1") } },
        ] });
        DYNAMO.done(&cloud, "TransactWriteItems", &transaction);
        let update = json!({
            "TableName": "ledger",
            "Key": key("4"),
            "UpdateExpression": "SET due = :due",
            "ExpressionAttributeValues": { ":due": { "S": "x" } },
        });
        DYNAMO.done(&cloud, "UpdateItem", &update);
        cloud.advance(Duration::from_secs(5)).await;
        assert_eq!(due(&cloud, "x"), ["2", "3", "4"]);
        DYNAMO.done(&cloud, "DeleteItem", &json!({ "TableName": "ledger", "Key": key("2") }));
        assert_eq!(due(&cloud, "x"), ["2", "3", "4"]);
        cloud.advance(Duration::from_secs(5)).await;
        assert_eq!(due(&cloud, "x"), ["3", "4"]);
    });
}

#[test]
fn writes_to_a_deleted_table_do_not_reach_its_successor() {
    Cloud::run(lagging(), async |cloud| {
        with_ledger(&cloud);
        put(&cloud, "1", "x");
        DYNAMO.done(&cloud, "DeleteTable", &json!({ "TableName": "ledger" }));
        with_ledger(&cloud);
        cloud.advance(Duration::from_secs(10)).await;
        assert!(due(&cloud, "x").is_empty());
    });
}

#[test]
fn a_global_index_cannot_be_read_consistently() {
    for config in [Config::seeded(1), lagging()] {
        Cloud::run(config, async |cloud| {
            with_ledger(&cloud);
            let request = json!({
                "TableName": "ledger", "IndexName": "by-due", "ConsistentRead": true,
            });
            let (code, _) = DYNAMO.refused(&cloud, "Scan", &request);
            assert_eq!(code, "ValidationException");
        });
    }
}

#[test]
fn expired_items_go_with_the_next_sweep_and_from_the_index_after_its_lag() {
    Cloud::run(lagging(), async |cloud| {
        with_ledger(&cloud);
        let ttl = json!({
            "TableName": "ledger",
            "TimeToLiveSpecification": { "AttributeName": "until", "Enabled": true },
        });
        DYNAMO.done(&cloud, "UpdateTimeToLive", &ttl);
        for (sk, after) in [("early", 60), ("late", 7000)] {
            let mut item = item(sk, "x");
            item["until"] = json!({ "N": (Time::START.secs() + after).to_string() });
            let request = json!({ "TableName": "ledger", "Item": item });
            DYNAMO.done(&cloud, "PutItem", &request);
        }
        cloud.advance(Duration::from_secs(3599)).await;
        assert_ne!(get(&cloud, "early"), Value::Null, "expired, but not swept yet");
        cloud.advance(Duration::from_secs(2)).await;
        assert_eq!(get(&cloud, "early"), Value::Null);
        assert_eq!(due(&cloud, "x"), ["early", "late"]);
        cloud.advance(Duration::from_secs(5)).await;
        assert_eq!(due(&cloud, "x"), ["late"]);
        cloud.advance(Duration::from_secs(3600)).await;
        assert_eq!(get(&cloud, "late"), Value::Null);
    });
}

#[test]
fn accounts_and_regions_have_tables_of_their_own() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        let west = Client { region: "us-west-2", ..DYNAMO };
        assert_eq!(west.done(&cloud, "ListTables", &json!({}))["TableNames"], json!([]));
        cloud.with(|model| {
            let other = Identity::administrator("111122223333");
            model.principals.declare_key("AKIAOTHER", other);
        });
        let other = Client { access_key: "AKIAOTHER", ..DYNAMO };
        let (code, _) = other.refused(&cloud, "DescribeTable", &json!({ "TableName": "ledger" }));
        assert_eq!(code, "ResourceNotFoundException");
        let created = other.done(&cloud, "CreateTable", &ledger());
        let arn = created["TableDescription"]["TableArn"].as_str();
        assert_eq!(arn, Some("arn:aws:dynamodb:us-east-1:111122223333:table/ledger"));
    });
}

#[test]
fn a_role_may_do_what_its_policies_allow_on_tables_and_indexes() {
    const WORKER: Client = Client { access_key: "ASIAWORKER", ..DYNAMO };
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        put(&cloud, "1", "x");
        let role = format!("arn:aws:iam::{ACCOUNT}:role/worker");
        let table = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ledger");
        let indexes = format!("{table}/index/*");
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "dynamodb:Query", "Resource": indexes },
            { "Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": table },
        ] });
        cloud.with(|model| {
            model.principals.declare_role(&role, &[policy], None).expect("the policy is sound");
            let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/worker/one");
            let account = ACCOUNT.into();
            let worker = Identity { account, arn, role: Some(role), environment: None };
            model.principals.declare_key("ASIAWORKER", worker);
        });
        let index = json!({
            "TableName": "ledger",
            "IndexName": "by-due",
            "KeyConditionExpression": "due = :due",
            "ExpressionAttributeValues": { ":due": { "S": "x" } },
        });
        WORKER.done(&cloud, "Query", &index);
        let whole = json!({
            "TableName": "ledger",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": { ":pk": { "S": "a" } },
        });
        let (code, _) = WORKER.refused(&cloud, "Query", &whole);
        assert_eq!(code, "AccessDeniedException");
        // A transaction needs the permission of each action in it.
        WORKER.done(&cloud, "TransactWriteItems", &counted("t", "1"));
        let put = json!({ "TransactItems": [
            { "Put": { "TableName": "ledger", "Item": item("9", "x") } },
        ] });
        let (code, _) = WORKER.refused(&cloud, "TransactWriteItems", &put);
        assert_eq!(code, "AccessDeniedException");
        assert_eq!(get(&cloud, "9"), Value::Null);
    });
}

#[test]
fn point_in_time_recovery_is_switched_on_and_off() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        let status = |answer: &Value| {
            let backups = &answer["ContinuousBackupsDescription"];
            backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"].clone()
        };
        let table = json!({ "TableName": "ledger" });
        let described = DYNAMO.done(&cloud, "DescribeContinuousBackups", &table);
        assert_eq!(status(&described), "DISABLED");
        let switch = |on: bool| {
            json!({
                "TableName": "ledger",
                "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": on },
            })
        };
        let enabled = DYNAMO.done(&cloud, "UpdateContinuousBackups", &switch(true));
        assert_eq!(status(&enabled), "ENABLED");
        let disabled = DYNAMO.done(&cloud, "UpdateContinuousBackups", &switch(false));
        assert_eq!(status(&disabled), "DISABLED");
        let missing = json!({ "TableName": "nowhere" });
        let (code, message) = DYNAMO.refused(&cloud, "DescribeContinuousBackups", &missing);
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("TableNotFoundException", "Table not found: nowhere",)
        );
    });
}

#[test]
fn tables_have_tags() {
    Cloud::run(Config::seeded(1), async |cloud| {
        with_ledger(&cloud);
        let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ledger");
        let tag = json!({ "ResourceArn": arn, "Tags": [{ "Key": "k", "Value": "v" }] });
        DYNAMO.done(&cloud, "TagResource", &tag);
        let listed = DYNAMO.done(&cloud, "ListTagsOfResource", &json!({ "ResourceArn": arn }));
        assert_eq!(listed["Tags"], json!([{ "Key": "k", "Value": "v" }]));
        DYNAMO.done(&cloud, "UntagResource", &json!({ "ResourceArn": arn, "TagKeys": ["k"] }));
        let listed = DYNAMO.done(&cloud, "ListTagsOfResource", &json!({ "ResourceArn": arn }));
        assert_eq!(listed["Tags"], json!([]));
        let elsewhere = "arn:aws:dynamodb:us-west-2:123456789012:table/ledger";
        let request = json!({ "ResourceArn": elsewhere });
        let (code, _) = DYNAMO.refused(&cloud, "ListTagsOfResource", &request);
        assert_eq!(code, "ResourceNotFoundException");
    });
}

#[test]
fn a_table_under_a_key_names_that_key() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut table = ledger();
        table["SSESpecification"] = json!({ "Enabled": true });
        DYNAMO.done(&cloud, "CreateTable", &table);
        let answer = DYNAMO.done(&cloud, "DescribeTable", &json!({ "TableName": "ledger" }));
        let shown = answer["Table"]["SSEDescription"]["KMSMasterKeyArn"].as_str();
        let kms = client("kms", "TrentService.");
        let request = json!({ "KeyId": "alias/aws/dynamodb" });
        let key = kms.done(&cloud, "DescribeKey", &request);
        assert_eq!(shown, key["KeyMetadata"]["Arn"].as_str());
    });
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut streaming = ledger();
        streaming["StreamSpecification"] =
            json!({ "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" });
        let (_, message) = DYNAMO.refused(&cloud, "CreateTable", &streaming);
        assert!(message.contains("stream"), "{message}");
        let mut warm = ledger();
        warm["WarmThroughput"] = json!({ "ReadUnitsPerSecond": 1 });
        let (_, message) = DYNAMO.refused(&cloud, "CreateTable", &warm);
        assert!(message.contains("WarmThroughput"), "{message}");
        let (code, _) = DYNAMO.refused(&cloud, "ExecuteStatement", &json!({ "Statement": "x" }));
        assert_eq!(code, "UnknownOperationException");
        let none = DYNAMO.done(&cloud, "ListTables", &json!({}));
        assert_eq!(none["TableNames"], json!([]));
    });
}

#[test]
fn a_number_where_a_text_belongs_is_a_serialization_error() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let request = json!({ "TableName": 5, "Key": {} });
        let (code, _) = DYNAMO.refused(&cloud, "GetItem", &request);
        assert_eq!(code, "SerializationException");
        let (code, _) = DYNAMO.refused(&cloud, "GetItem", &json!({ "TableName": "ledger" }));
        assert_eq!(code, "ValidationException");
    });
}
