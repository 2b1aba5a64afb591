//! SQS.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ACCOUNT, HOME, at, url, world};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_queue_from_its_creation_to_its_end() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let address = format!("https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q");
        let made = json!({ "QueueUrl": address });
        assert_eq!(home.sqs("ListQueues", json!({})), json!({}));
        assert_eq!(home.sqs("CreateQueue", json!({ "QueueName": "q" })), made);
        assert_eq!(home.sqs("CreateQueue", json!({ "QueueName": "q" })), made);
        assert_eq!(home.sqs("GetQueueUrl", json!({ "QueueName": "q" })), made);
        let listed = home.sqs("ListQueues", json!({ "QueueNamePrefix": "q" }));
        assert_eq!(listed, json!({ "QueueUrls": [address] }));
        let wanted = json!(["QueueArn", "ApproximateNumberOfMessages", "VisibilityTimeout"]);
        let body = json!({ "QueueUrl": address, "AttributeNames": wanted });
        assert_eq!(
            home.sqs("GetQueueAttributes", body)["Attributes"],
            json!({
                "QueueArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q"),
                "ApproximateNumberOfMessages": "0",
                "VisibilityTimeout": "30",
            })
        );
        home.sqs("DeleteQueue", made.clone());
        let (status, answer) = home.raw("sqs", "GetQueueUrl", &json!({ "QueueName": "q" }));
        let code = "com.amazonaws.sqs#QueueDoesNotExist";
        assert_eq!((status, &answer["__type"]), (400, &json!(code)));
        let (_, answer) = home.raw("sqs", "CreateQueue", &json!({ "QueueName": "q" }));
        assert_eq!(answer["__type"], "com.amazonaws.sqs#QueueDeletedRecently");
        cloud.advance(secs(60)).await;
        home.sqs("CreateQueue", json!({ "QueueName": "q" }));
    });
}

#[test]
fn queues_that_are_refused() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        home.sqs("CreateQueue", json!({ "QueueName": "q" }));
        let other = json!({ "VisibilityTimeout": "31" });
        let cases = [
            (json!({ "QueueName": "q.fifo" }), "UnsupportedOperation"),
            (json!({ "QueueName": "a b" }), "InvalidParameterValue"),
            (json!({ "QueueName": "q", "Attributes": other }), "QueueNameExists"),
            (
                json!({ "QueueName": "n", "Attributes": { "FifoQueue": "true" } }),
                "InvalidAttributeName",
            ),
            (
                json!({ "QueueName": "n", "Attributes": { "VisibilityTimeout": "43201" } }),
                "InvalidAttributeValue",
            ),
            (json!({ "QueueName": "n", "Attributes": { "Policy": "{" } }), "InvalidAttributeValue"),
        ];
        for (body, code) in cases {
            let (status, answer) = home.raw("sqs", "CreateQueue", &body);
            let code = format!("com.amazonaws.sqs#{code}");
            assert_eq!((status, &answer["__type"]), (400, &json!(code)), "{body}");
        }
    });
}

#[test]
fn a_message_is_hidden_while_it_is_worked_on_and_gone_when_it_is_deleted() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        home.sqs("CreateQueue", json!({ "QueueName": "q" }));
        let queue = json!({ "QueueUrl": url("q") });
        home.sqs("SendMessage", json!({ "QueueUrl": url("q"), "MessageBody": "hello" }));
        let receive = json!({
            "QueueUrl": url("q"), "VisibilityTimeout": 5, "AttributeNames": ["All"],
            "WaitTimeSeconds": 20,
        });
        let first = home.sqs("ReceiveMessage", receive.clone());
        assert_eq!(first["Messages"][0]["Body"], "hello");
        assert_eq!(first["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1");
        assert_eq!(home.sqs("ReceiveMessage", receive.clone()), json!({}));
        cloud.advance(secs(5)).await;
        let second = home.sqs("ReceiveMessage", receive.clone());
        assert_eq!(second["Messages"][0]["MessageId"], first["Messages"][0]["MessageId"]);
        assert_eq!(second["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "2");
        let delete = |received: &Value| {
            let handle = &received["Messages"][0]["ReceiptHandle"];
            home.sqs("DeleteMessage", json!({ "QueueUrl": url("q"), "ReceiptHandle": handle }));
        };
        delete(&first);
        cloud.advance(secs(5)).await;
        let third = home.sqs("ReceiveMessage", receive.clone());
        assert_eq!(third["Messages"][0]["Body"], "hello", "an old handle deletes nothing");
        delete(&third);
        cloud.advance(secs(5)).await;
        assert_eq!(home.sqs("ReceiveMessage", receive), json!({}));
        home.sqs("SendMessage", json!({ "QueueUrl": url("q"), "MessageBody": "more" }));
        home.sqs("PurgeQueue", queue.clone());
        assert!(home.messages("q").is_empty());
        let (_, answer) = home.raw("sqs", "PurgeQueue", &queue);
        assert_eq!(answer["__type"], "com.amazonaws.sqs#PurgeQueueInProgress");
    });
}

/// The digests were computed apart from this code, by the recipe in the SQS developer guide.
#[test]
fn digests_of_bodies_and_attributes() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        home.sqs("CreateQueue", json!({ "QueueName": "q" }));
        let two = json!({
            "RULE": { "DataType": "String", "StringValue": "arn" },
            "Count": { "DataType": "Number.int", "StringValue": "3" },
        });
        let mut three = two.clone();
        three["Raw"] = json!({ "DataType": "Binary", "BinaryValue": "aGk=" });
        let send = |attributes: &Value| {
            let body = json!({
                "QueueUrl": url("q"), "MessageBody": "hello", "MessageAttributes": attributes,
            });
            home.sqs("SendMessage", body)
        };
        let sent = send(&two);
        assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(sent["MD5OfMessageAttributes"], "07ebf6d556875c1081777625cfd51855");
        assert_eq!(send(&three)["MD5OfMessageAttributes"], "7cd671b0757a45fcecf6ac572a3389c2");
        let messages = home.messages("q");
        assert_eq!(messages[0]["MD5OfBody"], "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(messages[0]["MD5OfMessageAttributes"], "07ebf6d556875c1081777625cfd51855");
        assert_eq!(messages[1]["MessageAttributes"], three);
    });
}

#[test]
fn messages_are_kept_for_as_long_as_the_queue_says() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let attributes = json!({ "MessageRetentionPeriod": "3600", "DelaySeconds": "10" });
        home.sqs("CreateQueue", json!({ "QueueName": "q", "Attributes": attributes }));
        let receive = json!({ "QueueUrl": url("q"), "VisibilityTimeout": 0 });
        home.sqs("SendMessage", json!({ "QueueUrl": url("q"), "MessageBody": "hello" }));
        assert_eq!(home.sqs("ReceiveMessage", receive.clone()), json!({}), "it is delayed");
        cloud.advance(secs(3599)).await;
        assert_eq!(home.sqs("ReceiveMessage", receive.clone())["Messages"][0]["Body"], "hello");
        cloud.advance(secs(1)).await;
        assert_eq!(home.sqs("ReceiveMessage", receive), json!({}));
    });
}
