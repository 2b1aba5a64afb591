//! DynamoDB: typed exceptions with what they carry, transactions, indexes, pages, regions.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use aws_sdk_dynamodb::Client as Dynamo;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, GlobalSecondaryIndex,
    KeySchemaElement, KeyType, Projection, ProjectionType, Put, PutRequest,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TimeToLiveSpecification,
    TransactWriteItem, WriteRequest,
};

use super::{AWAY, HOME, attempts, fault, own_partition, refused, world, world_with};

const TABLE: &str = "ledger";

fn client(cloud: &Cloud, region: &str) -> Dynamo {
    let builder = aws_sdk_dynamodb::config::Builder::from(&cloud.sdk_config(region));
    Dynamo::from_conf(builder.retry_partition(own_partition()).build())
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("both given")
}

fn attribute(name: &str) -> AttributeDefinition {
    let text = AttributeDefinition::builder().attribute_type(ScalarAttributeType::S);
    text.attribute_name(name).build().expect("both given")
}

/// A table with the keys `pk` and `sk` and an index `by-state` over `state`.
async fn table(cloud: &Cloud, dynamo: &Dynamo) {
    let index = GlobalSecondaryIndex::builder()
        .index_name("by-state")
        .key_schema(key("state", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .expect("name and keys are given");
    let call = dynamo
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .attribute_definitions(attribute("state"))
        .global_secondary_indexes(index);
    call.send().await.expect("a table is created");
    cloud.advance(Duration::from_secs(60)).await;
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

type Item = HashMap<String, AttributeValue>;

fn item(pk: &str, sk: &str, more: &[(&str, AttributeValue)]) -> Item {
    let keys = [("pk".to_string(), s(pk)), ("sk".to_string(), s(sk))];
    let more = more.iter().map(|(name, value)| ((*name).to_string(), value.clone()));
    keys.into_iter().chain(more).collect()
}

async fn put(dynamo: &Dynamo, item: Item) {
    let call = dynamo.put_item().table_name(TABLE).set_item(Some(item));
    call.send().await.expect("an item is put");
}

async fn get(dynamo: &Dynamo, pk: &str, sk: &str) -> Option<Item> {
    let call = dynamo.get_item().table_name(TABLE).consistent_read(true);
    let call = call.key("pk", s(pk)).key("sk", s(sk));
    call.send().await.expect("the table is read").item
}

#[test]
fn a_failed_condition_is_typed_and_carries_the_item_that_was_there() {
    // DynamoDB API reference, PutItem: ReturnValuesOnConditionCheckFailure.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        let there = item("a", "1", &[("owner", s("first"))]);
        put(&dynamo, there.clone()).await;
        let call = dynamo
            .put_item()
            .table_name(TABLE)
            .set_item(Some(item("a", "1", &[("owner", s("second"))])))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = call.send().await.expect_err("it is there").into_service_error();
        let PutItemError::ConditionalCheckFailedException(failed) = error else {
            panic!("{error:?}");
        };
        assert_eq!(failed.message(), Some("The conditional request failed"));
        assert_eq!(failed.item(), Some(&there));
        assert_eq!(get(&dynamo, "a", "1").await, Some(there));
    });
}

#[test]
fn a_failed_condition_carries_no_item_unless_asked() {
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        put(&dynamo, item("a", "1", &[])).await;
        let call = dynamo.put_item().table_name(TABLE).set_item(Some(item("a", "1", &[])));
        let call = call.condition_expression("attribute_not_exists(pk)");
        let error = call.send().await.expect_err("it is there").into_service_error();
        let PutItemError::ConditionalCheckFailedException(failed) = error else {
            panic!("{error:?}");
        };
        assert!(failed.item().is_none());
    });
}

#[test]
fn a_conditional_put_that_succeeded_unheard_meets_itself_on_the_next_attempt() {
    // DynamoDB guide, error handling: a write may have happened although a 500 came back.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        fault(&cloud, Rule::fail(When::After, 500, "InternalServerError").action("PutItem").nth(1));
        let mine = item("lock", "1", &[("owner", s("me"))]);
        let call = dynamo
            .put_item()
            .table_name(TABLE)
            .set_item(Some(mine.clone()))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = call.send().await.expect_err("its own item is there").into_service_error();
        let PutItemError::ConditionalCheckFailedException(failed) = error else {
            panic!("{error:?}");
        };
        assert_eq!(failed.item(), Some(&mine));
        assert_eq!(attempts(&cloud, "PutItem").len(), 2);
    });
}

fn transact_put(item: Item, condition: Option<&str>) -> TransactWriteItem {
    let put = Put::builder().table_name(TABLE).set_item(Some(item));
    let put = put.set_condition_expression(condition.map(str::to_string));
    TransactWriteItem::builder().put(put.build().expect("table and item are given")).build()
}

fn transact_check(pk: &str, sk: &str, condition: &str) -> TransactWriteItem {
    let check = ConditionCheck::builder().table_name(TABLE).key("pk", s(pk)).key("sk", s(sk));
    let check = check.condition_expression(condition).build().expect("all is given");
    TransactWriteItem::builder().condition_check(check).build()
}

#[test]
fn a_cancelled_transaction_gives_a_reason_for_each_action_in_order() {
    // DynamoDB API reference, TransactWriteItems: CancellationReasons.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        put(&dynamo, item("a", "1", &[])).await;
        let call = dynamo
            .transact_write_items()
            .transact_items(transact_put(item("b", "1", &[]), None))
            .transact_items(transact_check("a", "1", "attribute_not_exists(pk)"))
            .transact_items(transact_check("a", "2", "attribute_exists(pk)"))
            .transact_items(transact_put(item("c", "1", &[]), Some("attribute_not_exists(pk)")));
        let error = call.send().await.expect_err("two checks fail").into_service_error();
        let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
            panic!("{error:?}");
        };
        let codes: Vec<_> =
            cancelled.cancellation_reasons().iter().map(|reason| reason.code()).collect();
        let failed = Some("ConditionalCheckFailed");
        assert_eq!(codes, [Some("None"), failed, failed, Some("None")]);
        assert_eq!(get(&dynamo, "b", "1").await, None);
        assert_eq!(get(&dynamo, "c", "1").await, None);
    });
}

#[test]
fn a_transaction_writes_all_of_its_items_at_once() {
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        put(&dynamo, item("a", "1", &[("n", AttributeValue::N("1".into()))])).await;
        let call = dynamo
            .transact_write_items()
            .transact_items(transact_put(item("b", "1", &[]), Some("attribute_not_exists(pk)")))
            .transact_items(transact_check("a", "1", "attribute_exists(n)"));
        call.send().await.expect("all conditions hold");
        assert_eq!(get(&dynamo, "b", "1").await, Some(item("b", "1", &[])));
    });
}

#[test]
fn a_transaction_that_succeeded_unheard_is_known_by_its_token() {
    // DynamoDB API reference, TransactWriteItems: ClientRequestToken, ten minutes.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        let unheard = Rule::fail(When::After, 500, "InternalServerError");
        fault(&cloud, unheard.action("TransactWriteItems").nth(1));
        let new = transact_put(item("b", "1", &[]), Some("attribute_not_exists(pk)"));
        let call = dynamo.transact_write_items().transact_items(new);
        call.send().await.expect("the second attempt has the same token");
        assert_eq!(attempts(&cloud, "TransactWriteItems").len(), 2);
        assert!(get(&dynamo, "b", "1").await.is_some());
    });
}

#[test]
fn one_item_twice_in_a_transaction_is_refused() {
    // DynamoDB API reference, TransactWriteItems: no two actions on one item.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        let call = dynamo
            .transact_write_items()
            .transact_items(transact_put(item("a", "1", &[]), None))
            .transact_items(transact_check("a", "1", "attribute_exists(pk)"));
        assert_eq!(refused(call.send().await).code, "ValidationException");
    });
}

#[test]
fn a_query_walks_all_pages_in_the_order_of_its_keys() {
    // DynamoDB guide, pagination: LastEvaluatedKey until there is none.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        for number in (0..12).rev() {
            put(&dynamo, item("plan", &format!("{number:02}"), &[])).await;
            put(&dynamo, item("other", &format!("{number:02}"), &[])).await;
        }
        let query = dynamo.query().table_name(TABLE).limit(5);
        let query = query.key_condition_expression("pk = :pk AND sk >= :from");
        let query = query.expression_attribute_values(":pk", s("plan"));
        let query = query.expression_attribute_values(":from", s("02"));
        let mut pages = query.into_paginator().send();
        let mut seen = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("a page is read");
            assert!(page.count() <= 5);
            let keys = page.items().iter().filter_map(|item| item["sk"].as_s().ok().cloned());
            seen.extend(keys);
        }
        let wanted: Vec<String> = (2..12).map(|number| format!("{number:02}")).collect();
        assert_eq!(seen, wanted);
    });
}

#[test]
fn a_scan_sees_every_item_once_over_its_pages() {
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        for number in 0..25 {
            put(&dynamo, item(&format!("pk {number}"), "1", &[])).await;
        }
        let items = dynamo.scan().table_name(TABLE).limit(4).into_paginator().items().send();
        let items = items.try_collect().await.expect("all pages are read");
        assert_eq!(items.len(), 25);
        let keys = items.iter().filter_map(|item| item["pk"].as_s().ok().cloned());
        assert_eq!(keys.collect::<BTreeSet<_>>().len(), 25);
    });
}

async fn in_state(dynamo: &Dynamo, state: &str) -> usize {
    let query = dynamo.query().table_name(TABLE).index_name("by-state");
    // STATE is a reserved word and needs a name of its own.
    let query = query.key_condition_expression("#s = :s").expression_attribute_names("#s", "state");
    let query = query.expression_attribute_values(":s", s(state));
    let items = query.into_paginator().items().send().try_collect().await;
    items.expect("the index is read").len()
}

#[test]
fn an_index_finds_items_by_another_attribute_and_follows_changes() {
    // DynamoDB guide, global secondary indexes.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        for number in 0..6 {
            let state = if number < 4 { "open" } else { "done" };
            put(&dynamo, item("plan", &number.to_string(), &[("state", s(state))])).await;
        }
        put(&dynamo, item("plan", "without", &[])).await;
        assert_eq!((in_state(&dynamo, "open").await, in_state(&dynamo, "done").await), (4, 2));
        let call = dynamo.update_item().table_name(TABLE).key("pk", s("plan")).key("sk", s("0"));
        let call = call.update_expression("SET #s = :s").expression_attribute_names("#s", "state");
        call.expression_attribute_values(":s", s("done")).send().await.expect("it is updated");
        assert_eq!((in_state(&dynamo, "open").await, in_state(&dynamo, "done").await), (3, 3));
    });
}

#[test]
fn an_index_may_lag_behind_its_table_and_catches_up() {
    // DynamoDB guide, global secondary indexes: eventually consistent.
    world_with(
        |config| config.lag.index_reads = Some(Duration::from_secs(5)),
        async |cloud| {
            let dynamo = client(&cloud, HOME);
            table(&cloud, &dynamo).await;
            put(&dynamo, item("plan", "1", &[("state", s("open"))])).await;
            assert_eq!(in_state(&dynamo, "open").await, 0);
            assert!(get(&dynamo, "plan", "1").await.is_some());
            cloud.advance(Duration::from_secs(6)).await;
            assert_eq!(in_state(&dynamo, "open").await, 1);
        },
    );
}

#[test]
fn a_table_belongs_to_its_region() {
    world(async |cloud| {
        let (home, away) = (client(&cloud, HOME), client(&cloud, AWAY));
        table(&cloud, &home).await;
        put(&home, item("a", "1", &[])).await;
        let call = away.get_item().table_name(TABLE).key("pk", s("a")).key("sk", s("1"));
        let error = call.send().await.expect_err("no table here").into_service_error();
        assert!(matches!(error, GetItemError::ResourceNotFoundException(_)), "{error:?}");
        table(&cloud, &away).await;
        assert_eq!(get(&away, "a", "1").await, None);
    });
}

#[test]
fn expired_items_can_still_be_read_and_go_within_days() {
    // DynamoDB guide, TTL: epoch seconds; deleted within a few days after they expired.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        let ttl = TimeToLiveSpecification::builder().attribute_name("expires").enabled(true);
        let ttl = ttl.build().expect("both given");
        let call = dynamo.update_time_to_live().table_name(TABLE).time_to_live_specification(ttl);
        call.send().await.expect("TTL is enabled");
        let soon = AttributeValue::N((cloud.now().secs() + 60).to_string());
        put(&dynamo, item("short", "1", &[("expires", soon)])).await;
        let far = AttributeValue::N((cloud.now().secs() + 365 * 86_400).to_string());
        put(&dynamo, item("long", "1", &[("expires", far)])).await;
        put(&dynamo, item("text", "1", &[("expires", s("0"))])).await;
        cloud.advance(Duration::from_secs(90)).await;
        assert!(get(&dynamo, "short", "1").await.is_some(), "deletion is not punctual");
        cloud.advance(Duration::from_secs(7 * 86_400)).await;
        assert_eq!(get(&dynamo, "short", "1").await, None);
        assert!(get(&dynamo, "long", "1").await.is_some());
        assert!(get(&dynamo, "text", "1").await.is_some(), "only numbers expire");
    });
}

#[test]
fn a_batch_of_twenty_five_is_written_and_one_more_is_too_many() {
    // DynamoDB API reference, BatchWriteItem.
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        let write = |number: usize| {
            let put = PutRequest::builder().set_item(Some(item("batch", &number.to_string(), &[])));
            WriteRequest::builder().put_request(put.build().expect("an item is given")).build()
        };
        let batch = |count: usize| {
            let writes = (0..count).map(write).collect();
            dynamo.batch_write_item().request_items(TABLE, writes)
        };
        let done = batch(25).send().await.expect("25 fit");
        assert!(done.unprocessed_items().is_none_or(HashMap::is_empty));
        assert!(get(&dynamo, "batch", "24").await.is_some());
        assert_eq!(refused(batch(26).send().await).code, "ValidationException");
    });
}

#[test]
fn values_of_every_type_come_back_as_they_were_put() {
    world(async |cloud| {
        let dynamo = client(&cloud, HOME);
        table(&cloud, &dynamo).await;
        let map = HashMap::from([("inner \u{1f512}".to_string(), AttributeValue::Bool(false))]);
        let full = item(
            "all",
            "types <&> \"quoted\"",
            &[
                ("number", AttributeValue::N("12345678901234567890.5".into())),
                ("empty", s("")),
                ("null", AttributeValue::Null(true)),
                ("list", AttributeValue::L(vec![s("a\nb"), AttributeValue::N("-1".into())])),
                ("map", AttributeValue::M(map)),
                ("bytes", AttributeValue::B(vec![0_u8, 255, 10].into())),
            ],
        );
        put(&dynamo, full.clone()).await;
        assert_eq!(get(&dynamo, "all", "types <&> \"quoted\"").await, Some(full));
    });
}
