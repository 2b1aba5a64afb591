//! The table, as it is deployed.

use std::time::Duration;

use afterimage_cloud::Cloud;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};

use super::{SEAT, TABLE};

pub async fn create(cloud: &Cloud) {
    let due = Projection::builder()
        .projection_type(ProjectionType::Include)
        .non_key_attributes("awaits")
        .build();
    let all = Projection::builder().projection_type(ProjectionType::All).build();
    let texts = ["pk", "sk", "queue", "fleet", "place", "artefact"]
        .map(|name| (name, ScalarAttributeType::S));
    let mut call = client(cloud)
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(index("due", "queue", "due_at", due))
        .global_secondary_indexes(index("places", "place", "artefact", all.clone()))
        .global_secondary_indexes(index("fleet", "fleet", "pk", all));
    for (name, kind) in texts.into_iter().chain([("due_at", ScalarAttributeType::N)]) {
        call = call.attribute_definitions(attribute(name, kind));
    }
    call.send().await.expect("a table is created");
    cloud.advance(Duration::from_secs(60)).await;
}

/// A client that knows nothing of the ledger.
pub fn client(cloud: &Cloud) -> Client {
    Client::new(&cloud.sdk_config(SEAT))
}

pub fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
    attribute.build().expect("both given")
}

pub fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("both given")
}

fn index(name: &str, hash: &str, range: &str, projection: Projection) -> GlobalSecondaryIndex {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(key(hash, KeyType::Hash))
        .key_schema(key(range, KeyType::Range))
        .projection(projection)
        .build()
        .expect("name and keys are given")
}
