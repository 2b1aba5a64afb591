//! Tables of DynamoDB.

use serde_json::{Value as Json, json};

use super::super::order::Step;
use super::super::props::Props;
use super::{Hints, Maker, object};
use crate::kms;

const NAME_MAX: usize = 255;

/// What in DynamoDB's errors speaks of which property. Those of keys come last: the names of the
/// others tell more.
const HINTS: Hints<'static> = &[
    ("GlobalSecondaryIndex", "GlobalSecondaryIndexes"),
    ("lobal", "GlobalSecondaryIndexes"),
    ("LocalSecondaryIndex", "LocalSecondaryIndexes"),
    ("KMS", "SSESpecification"),
    ("SSE", "SSESpecification"),
    ("hroughput", "ProvisionedThroughput"),
    ("illingMode", "BillingMode"),
    ("tableName", "TableName"),
    ("TableName", "TableName"),
    ("Table already exists", "TableName"),
    ("ttributeDefinitions", "AttributeDefinitions"),
    ("AttributeDefinitions", "AttributeDefinitions"),
    ("KeySchema", "KeySchema"),
    ("keySchema", "KeySchema"),
    ("ey", "KeySchema"),
];

impl Maker<'_> {
    pub(super) fn table(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        let name = self.name(&step.id, props.text("TableName"), NAME_MAX);
        let encryption = self.encryption(props);
        let tags = props.tags().into_iter();
        let tags: Vec<_> = tags.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        let body = object([
            ("TableName", Some(json!(name))),
            ("AttributeDefinitions", attributes(props)),
            ("KeySchema", key_schema(props)),
            ("BillingMode", props.text("BillingMode").map(Json::from)),
            ("ProvisionedThroughput", throughput(props)),
            ("GlobalSecondaryIndexes", indexes(props, "GlobalSecondaryIndexes")),
            ("LocalSecondaryIndexes", indexes(props, "LocalSecondaryIndexes")),
            ("SSESpecification", encryption),
            ("DeletionProtectionEnabled", props.flag("DeletionProtectionEnabled").map(Json::from)),
            ("TableClass", props.text("TableClass").map(Json::from)),
            ("Tags", Some(Json::Array(tags)).filter(|tags| *tags != json!([]))),
        ]);
        let expiry = expiry(props);
        let recovery = recovery(props);
        props.finish();
        let (region, account) = (&self.scope.region, &self.scope.account);
        let arn = format!("arn:aws:dynamodb:{region}:{account}:table/{name}");
        self.register(&step.id, name.as_str(), &[("Arn", &arn)]);
        if self.errors.count() > before {
            return;
        }
        let table = json!({ "TableName": name });
        self.refuse_taken(("dynamodb", "DescribeTable"), &table, props, ("TableName", &name));
        if self.ask(("dynamodb", "CreateTable"), &body, props, HINTS).is_none() {
            return;
        }
        let extras = [
            ("UpdateTimeToLive", "TimeToLiveSpecification", expiry),
            ("UpdateContinuousBackups", "PointInTimeRecoverySpecification", recovery),
        ];
        for (action, property, specification) in extras {
            if let Some(specification) = specification {
                let body =
                    object([("TableName", Some(json!(name))), (property, Some(specification))]);
                self.ask(("dynamodb", action), &body, props, &[("", property)]);
            }
        }
    }

    /// What CloudFormation calls `SSEEnabled` is `Enabled` to DynamoDB.
    fn encryption(&mut self, props: &Props<'_>) -> Option<Json> {
        let group = props.group("SSESpecification")?;
        group.require("SSEEnabled");
        let enabled = group.flag("SSEEnabled");
        let kind = group.one_of("SSEType", &["KMS"]);
        let mut key = group.text("KMSMasterKeyId");
        group.finish();
        // In a rehearsal, a key of the world that the template has not made is as good.
        if let Some(name) = &key
            && kms::resolve(self.model, &self.scope, name).is_none()
            && self.world_has_key(name)
        {
            key = None;
        }
        Some(object([
            ("Enabled", enabled.map(Json::from)),
            ("SSEType", kind.map(Json::from)),
            ("KMSMasterKeyId", key.map(Json::from)),
        ]))
    }

    pub(super) fn world_has_key(&mut self, name: &str) -> bool {
        let scope = &self.scope;
        self.world.as_mut().is_some_and(|world| kms::resolve(world, scope, name).is_some())
    }
}

fn attributes(props: &Props<'_>) -> Option<Json> {
    let read = |one: Props<'_>| {
        let (name, kind) = (one.required("AttributeName"), one.required("AttributeType"));
        one.finish();
        json!({ "AttributeName": name, "AttributeType": kind })
    };
    let all = props.groups("AttributeDefinitions").into_iter().map(read);
    Some(Json::Array(all.collect()))
}

fn key_schema(props: &Props<'_>) -> Option<Json> {
    props.require("KeySchema");
    let read = |one: Props<'_>| {
        let (name, kind) = (one.required("AttributeName"), one.required("KeyType"));
        one.finish();
        json!({ "AttributeName": name, "KeyType": kind })
    };
    Some(Json::Array(props.groups("KeySchema").into_iter().map(read).collect()))
}

fn throughput(props: &Props<'_>) -> Option<Json> {
    let group = props.group("ProvisionedThroughput")?;
    let units = [
        ("ReadCapacityUnits", group.integer("ReadCapacityUnits").map(Json::from)),
        ("WriteCapacityUnits", group.integer("WriteCapacityUnits").map(Json::from)),
    ];
    group.finish();
    Some(object(units))
}

fn indexes(props: &Props<'_>, name: &str) -> Option<Json> {
    let is_global = name == "GlobalSecondaryIndexes";
    let read = |one: Props<'_>| {
        one.require("Projection");
        let projection = one.group("Projection").map(|group| {
            let kind = group.text("ProjectionType").map(Json::from);
            let named = group.has("NonKeyAttributes").then(|| group.texts("NonKeyAttributes"));
            group.finish();
            object([
                ("ProjectionType", kind),
                ("NonKeyAttributes", named.map(|named| json!(named))),
            ])
        });
        let index = object([
            ("IndexName", one.required("IndexName").map(Json::from)),
            ("KeySchema", key_schema(&one)),
            ("Projection", projection),
            ("ProvisionedThroughput", is_global.then(|| throughput(&one)).flatten()),
        ]);
        one.finish();
        index
    };
    let all: Vec<_> = props.groups(name).into_iter().map(read).collect();
    props.has(name).then_some(Json::Array(all))
}

fn expiry(props: &Props<'_>) -> Option<Json> {
    let group = props.group("TimeToLiveSpecification")?;
    group.require("Enabled");
    let enabled = group.flag("Enabled");
    let attribute = group.text("AttributeName").map(Json::from);
    group.finish();
    // A table has no expiry until it is given one, and DynamoDB refuses to take none away.
    enabled.filter(|enabled| *enabled)?;
    Some(object([("Enabled", enabled.map(Json::from)), ("AttributeName", attribute)]))
}

fn recovery(props: &Props<'_>) -> Option<Json> {
    let group = props.group("PointInTimeRecoverySpecification")?;
    let enabled = "PointInTimeRecoveryEnabled";
    group.require(enabled);
    let members = [
        (enabled, group.flag(enabled).map(Json::from)),
        ("RecoveryPeriodInDays", group.integer("RecoveryPeriodInDays").map(Json::from)),
    ];
    group.finish();
    Some(object(members))
}
