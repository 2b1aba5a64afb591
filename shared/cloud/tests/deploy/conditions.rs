//! What is made under which condition, and how it is set.

use afterimage_cloud::Cloud;
use serde_json::{Value, json};

use super::{HOME, Log, TEMPLATE, deployed, done, home, putting, world};

fn table(cloud: &Cloud) -> Value {
    let table = json!({ "TableName": "parcels" });
    done(cloud, HOME, "DynamoDB_20120810.DescribeTable", &table)["Table"].clone()
}

/// The names of the rules on the default bus that begin so.
fn rules(cloud: &Cloud, prefix: &str) -> Vec<Value> {
    let body = json!({ "NamePrefix": prefix });
    done(cloud, HOME, "AWSEvents.ListRules", &body)["Rules"].as_array().expect("rules").clone()
}

#[test]
fn what_a_condition_excludes_is_not_made() {
    world(async |cloud| {
        let stack = deployed(&cloud, TEMPLATE, home(&cloud, &Log::default()));
        assert!(!stack.functions.contains_key("Nightly"));
        assert!(!stack.outputs.contains_key("Nightly"));
        assert_eq!(rules(&cloud, "post-Nightly").len(), 0);
        assert_eq!(table(&cloud)["DeletionProtectionEnabled"], json!(false));
    });
}

#[test]
fn what_a_condition_includes_is_made() {
    world(async |cloud| {
        let log = Log::default();
        let mut deployment = home(&cloud, &log);
        deployment.parameters.insert("Stage".to_string(), "live".to_string());
        deployment.code.insert("nightly".to_string(), putting(&cloud, "nightly", &log));
        let stack = deployed(&cloud, TEMPLATE, deployment);
        assert_eq!(stack.outputs["Nightly"], stack.functions["Nightly"]);
        let rules = rules(&cloud, "post-NightlyNight-");
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0]["State"], "DISABLED");
        assert_eq!(rules[0]["ScheduleExpression"], "cron(0 3 * * ? *)");
        assert_eq!(table(&cloud)["DeletionProtectionEnabled"], json!(true));
    });
}

#[test]
fn a_table_is_as_the_template_says() {
    world(async |cloud| {
        let stack = deployed(&cloud, TEMPLATE, home(&cloud, &Log::default()));
        let shown = table(&cloud);
        assert_eq!(shown["KeySchema"], json!([{ "AttributeName": "pk", "KeyType": "HASH" }]));
        assert_eq!(shown["GlobalSecondaryIndexes"][0]["IndexName"], "by-owner");
        assert_eq!(shown["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
        let key = format!("arn:aws:kms:us-east-1:123456789012:key/{}", stack.resources["Key"]);
        assert_eq!(shown["SSEDescription"]["KMSMasterKeyArn"], json!(key));
        let name = json!({ "TableName": "parcels" });
        let expiry = done(&cloud, HOME, "DynamoDB_20120810.DescribeTimeToLive", &name);
        assert_eq!(expiry["TimeToLiveDescription"]["AttributeName"], "ttl");
        let backups = done(&cloud, HOME, "DynamoDB_20120810.DescribeContinuousBackups", &name);
        let recovery = &backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
        assert_eq!(recovery["PointInTimeRecoveryStatus"], "ENABLED");
        let alias = json!({ "KeyId": "alias/parcels" });
        let metadata = done(&cloud, HOME, "TrentService.DescribeKey", &alias);
        assert_eq!(metadata["KeyMetadata"]["KeyId"], json!(stack.resources["Key"]));
    });
}
