//! Bad input: whatever arrives gets a 2xx or a 4xx in the service's own format.

use std::time::{Duration, Instant};

use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::{Request, Response};
use afterimage_cloud::{Cloud, Config};
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

const CASES: u32 = 10_000;
/// Nothing that a request can say may keep the world busy for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A service, its target prefix if it has one, and requests as a client sends them.
struct Corpus {
    service: &'static str,
    prefix: &'static str,
    requests: &'static [(&'static str, &'static str)],
}

const CORPORA: &[Corpus] = &[
    Corpus {
        service: "ec2",
        prefix: "",
        requests: &[
            (
                "DescribeImages",
                "Owner.1=self&MaxResults=10&Filter.1.Name=tag%3Aa&Filter.1.Value.1=b",
            ),
            ("DescribeInstances", "InstanceId.1=i-0123456789abcdef0&IncludeManaged=true"),
            (
                "DescribeInstances",
                "MaxResults=5&NextToken=00&Filter.1.Name=instance-state-name&Filter.1.Value.1=running",
            ),
            (
                "DescribeSnapshots",
                "Owner.1=self&RestorableBy.1=self&SnapshotId.1=snap-0123456789abcdef0",
            ),
            ("DescribeVolumes", "MaxResults=1000&Filter.1.Name=size&Filter.1.Value.1=8"),
            (
                "RunInstances",
                "ImageId=ami-0123456789abcdef0&MinCount=1&MaxCount=2&InstanceType=t3.micro&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.VolumeSize=9&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b&ClientToken=t",
            ),
            ("StartInstances", "InstanceId.1=i-0123456789abcdef0"),
            ("StopInstances", "InstanceId.1=i-0123456789abcdef0&Force=false&Hibernate=true"),
            ("TerminateInstances", "InstanceId.1=i-0123456789abcdef0&DryRun=true"),
            ("CreateTags", "ResourceId.1=i-0123456789abcdef0&Tag.1.Key=k&Tag.1.Value=v"),
            ("DeleteTags", "ResourceId.1=vol-0123456789abcdef0&Tag.1.Key=k"),
            (
                "CreateSnapshots",
                "InstanceSpecification.InstanceId=i-0123456789abcdef0&InstanceSpecification.ExcludeBootVolume=true&CopyTagsFromSource=volume&TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=s&TagSpecification.1.Tag.1.Value=1",
            ),
            ("CreateSnapshot", "VolumeId=vol-0123456789abcdef0&Description=d"),
            (
                "CreateImage",
                "InstanceId=i-0123456789abcdef0&Name=n%20%281%29&NoReboot=true&BlockDeviceMapping.1.NoDevice=&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsdb",
            ),
            (
                "RegisterImage",
                "Name=r&Architecture=arm64&BootMode=uefi&TpmSupport=v2.0&RootDeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.SnapshotId=snap-0123456789abcdef0&BlockDeviceMapping.1.Ebs.Iops=3000&BlockDeviceMapping.1.Ebs.VolumeType=gp3&EnaSupport=true",
            ),
            (
                "CopyImage",
                "Name=c&SourceImageId=ami-0123456789abcdef0&SourceRegion=us-west-2&Encrypted=true&KmsKeyId=alias%2Fx&ClientToken=t&SnapshotCopyCompletionDurationMinutes=15",
            ),
            (
                "CopySnapshot",
                "SourceRegion=us-west-2&SourceSnapshotId=snap-0123456789abcdef0&Encrypted=true",
            ),
            ("DeregisterImage", "ImageId=ami-0123456789abcdef0&DeleteAssociatedSnapshots=true"),
            ("DeleteSnapshot", "SnapshotId=snap-0123456789abcdef0"),
            (
                "ModifyImageAttribute",
                "ImageId=ami-0123456789abcdef0&LaunchPermission.Add.1.UserId=111122223333",
            ),
            (
                "EnableImageDeprecation",
                "ImageId=ami-0123456789abcdef0&DeprecateAt=2030-01-01T00%3A00%3A00Z",
            ),
            (
                "LockSnapshot",
                "SnapshotId=snap-0123456789abcdef0&LockMode=governance&LockDuration=3",
            ),
            (
                "CreateVolume",
                "AvailabilityZone=us-east-1a&Size=8&VolumeType=gp3&Iops=3000&Throughput=125",
            ),
        ],
    },
    Corpus {
        service: "sts",
        prefix: "",
        requests: &[
            ("GetCallerIdentity", ""),
            (
                "AssumeRole",
                "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&RoleSessionName=s",
            ),
        ],
    },
    Corpus {
        service: "events",
        prefix: "AWSEvents.",
        requests: &[
            (
                "PutEvents",
                r#"{"Entries":[{"Source":"my.src","DetailType":"T","Detail":"{\"a\":1}","Resources":["r"]}]}"#,
            ),
            (
                "PutRule",
                r#"{"Name":"r","EventPattern":"{\"source\":[\"aws.ec2\",{\"prefix\":\"a\"}]}","State":"ENABLED"}"#,
            ),
            ("PutRule", r#"{"Name":"s","ScheduleExpression":"cron(0 2 ? * MON-FRI *)"}"#),
            (
                "PutTargets",
                r#"{"Rule":"r","Targets":[{"Id":"1","Arn":"arn:aws:sqs:us-east-1:123456789012:q","RetryPolicy":{"MaximumRetryAttempts":1}}]}"#,
            ),
            (
                "TestEventPattern",
                r#"{"EventPattern":"{\"a\":[{\"numeric\":[\">\",1,\"<=\",5]}]}","Event":"{\"id\":\"1\",\"source\":\"s\",\"detail-type\":\"t\",\"account\":\"123456789012\",\"time\":\"2026-01-01T00:00:00Z\",\"region\":\"us-east-1\",\"resources\":[],\"a\":3}"}"#,
            ),
            ("ListRules", r#"{"Limit":5,"NamePrefix":"r"}"#),
            (
                "ListRuleNamesByTarget",
                r#"{"TargetArn":"arn:aws:sqs:us-east-1:123456789012:q","Limit":5}"#,
            ),
            ("CreateEventBus", r#"{"Name":"b"}"#),
        ],
    },
    Corpus {
        service: "dynamodb",
        prefix: "DynamoDB_20120810.",
        requests: &[
            (
                "CreateTable",
                r#"{"TableName":"tab","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#,
            ),
            (
                "PutItem",
                r#"{"TableName":"tab","Item":{"pk":{"S":"a"},"n":{"N":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}"#,
            ),
            (
                "UpdateItem",
                r##"{"TableName":"tab","Key":{"pk":{"S":"a"}},"UpdateExpression":"SET #n = if_not_exists(#n, :z) + :o","ExpressionAttributeNames":{"#n":"n"},"ExpressionAttributeValues":{":z":{"N":"0"},":o":{"N":"1"}}}"##,
            ),
            (
                "Query",
                r#"{"TableName":"tab","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"a"}}}"#,
            ),
            (
                "TransactWriteItems",
                r#"{"TransactItems":[{"Put":{"TableName":"tab","Item":{"pk":{"S":"b"}}}},{"ConditionCheck":{"TableName":"tab","Key":{"pk":{"S":"a"}},"ConditionExpression":"attribute_exists(pk)"}}]}"#,
            ),
            ("Scan", r#"{"TableName":"tab","Limit":2}"#),
        ],
    },
    Corpus {
        service: "kms",
        prefix: "TrentService.",
        requests: &[
            ("CreateKey", r#"{"Description":"d"}"#),
            ("DescribeKey", r#"{"KeyId":"alias/aws/ebs"}"#),
            ("CreateAlias", r#"{"AliasName":"alias/a","TargetKeyId":"k"}"#),
        ],
    },
    Corpus {
        service: "ssm",
        prefix: "AmazonSSM.",
        requests: &[
            ("PutParameter", r#"{"Name":"/a/b","Value":"v","Type":"String","Overwrite":true}"#),
            ("GetParameter", r#"{"Name":"/a/b:1"}"#),
        ],
    },
    Corpus {
        service: "sqs",
        prefix: "AmazonSQS.",
        requests: &[
            ("CreateQueue", r#"{"QueueName":"q","Attributes":{"VisibilityTimeout":"30"}}"#),
            (
                "SendMessage",
                r#"{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/q","MessageBody":"m"}"#,
            ),
            (
                "ReceiveMessage",
                r#"{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/q","MaxNumberOfMessages":10}"#,
            ),
        ],
    },
];

/// What is put in the place of something in a request.
const JUNK: &[&str] = &[
    "",
    "-1",
    "0",
    "4294967296",
    "99999999999999999999",
    "1e308",
    "NaN",
    "true",
    "null",
    "[]",
    "{}",
    "*",
    "%",
    "%zz",
    "%ff%fe",
    "\u{1f4a5}",
    "\"",
    "'",
    "&",
    "=",
    ".",
    "..",
    "a.b.c",
    "i-",
    "ami-zz",
    "arn:aws:ec2:::",
    "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59Z",
    "[[[[[[",
    "{\"S\":",
    "\\u0000",
    "cron(",
    "rate(1 eon)",
    "alias/",
    "vol-ffffffff",
    "%00",
    "+",
    "\r\n",
    "<",
    "&amp;",
];

/// One change to a body: at which place (as a part of its length), how much goes, what comes.
type Change = (f64, u8, usize, bool);

fn mutate(body: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = body.as_bytes().to_vec();
    for (place, gone, junk, repeat) in changes {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a short text"
        )]
        let at = (place * bytes.len() as f64) as usize;
        let end = (at + usize::from(*gone)).min(bytes.len());
        let junk = JUNK[junk % JUNK.len()].repeat(if *repeat { 300 } else { 1 });
        bytes.splice(at..end, junk.into_bytes());
    }
    bytes
}

fn request(corpus: &Corpus, action: &str, body: Vec<u8>) -> Request {
    let service = corpus.service;
    let scope = format!("AKIAEXAMPLE/20260101/us-east-1/{service}/aws4_request");
    let mut headers = vec![(
        "authorization".to_string(),
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
    )];
    if !corpus.prefix.is_empty() {
        headers.push(("x-amz-target".to_string(), format!("{}{action}", corpus.prefix)));
    }
    Request { method: "POST".into(), path: "/".into(), headers, body, ..Request::default() }
}

fn whole_body(corpus: &Corpus, action: &str, body: &str) -> String {
    if corpus.prefix.is_empty() {
        format!("Action={action}&Version=2016-11-15&{body}")
    } else {
        body.to_string()
    }
}

/// Whether an answer is in the format of its service.
fn check(corpus: &Corpus, response: &Response) -> Result<(), String> {
    let text = String::from_utf8(response.body.clone()).map_err(|_| "not UTF-8".to_string())?;
    let said = || format!("{}: {text}", response.status);
    if !(200..300).contains(&response.status) && !(400..500).contains(&response.status) {
        return Err(said());
    }
    let good = response.status < 300;
    let fits = match corpus.service {
        "ec2" if good => {
            text.contains("Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">")
        }
        "ec2" => text.contains("<Response><Errors><Error><Code>") && text.contains("<RequestID>"),
        "sts" if good => text.contains("Result>"),
        "sts" => text.contains("<ErrorResponse") && text.contains("<Code>"),
        _ if good => text.is_empty() || serde_json::from_str::<Value>(&text).is_ok(),
        _ => serde_json::from_str::<Value>(&text).is_ok_and(|body| body["__type"].is_string()),
    };
    if fits { Ok(()) } else { Err(said()) }
}

fn put(cloud: &Cloud, corpus: &Corpus, action: &str, body: Vec<u8>) -> Result<(), TestCaseError> {
    let sent = String::from_utf8_lossy(&body).into_owned();
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let begun = Instant::now();
    let answer = cloud.answer(&request(corpus, action, body));
    let took = begun.elapsed();
    let fail = |why: String| Err(TestCaseError::fail(format!("{action} {sent}\n{why}")));
    if took > PATIENCE {
        return fail(format!("took {took:?}"));
    }
    match answer {
        Answer::Reply(response) => match check(corpus, &response) {
            Ok(()) => Ok(()),
            Err(why) => fail(why),
        },
        Answer::Silence | Answer::Unreachable | Answer::Killed => fail(format!("{answer:?}")),
    }
}

#[test]
fn whatever_arrives_is_answered_in_the_format_of_the_service() {
    let mut config = Config::default();
    // A throttle answers 503, which is right, but not what is asked about here.
    config.limits.throttles = false;
    Cloud::run(config, async |cloud| {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let runs = Runs { cases: CASES, failure_persistence: None, ..Runs::default() };
        let mut runner = TestRunner::new_with_rng(runs, rng);
        let change = (0.0..1.0_f64, 0..20_u8, any::<usize>(), proptest::bool::weighted(0.05));
        let changes = proptest::collection::vec(change, 0..6);
        let noise = proptest::collection::vec(any::<u8>(), 0..200);
        let case =
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), changes, noise, 0..10);
        let result = runner.run(&case, |(corpus, request, changes, noise, kind)| {
            let corpus = corpus.get(CORPORA);
            let (action, body) = request.get(corpus.requests);
            let body = whole_body(corpus, action, body);
            let body = if kind == 0 { noise } else { mutate(&body, &changes) };
            put(&cloud, corpus, action, body)
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    });
}
