//! What the embedded cloud makes of `infra/template.yaml`, against the expansion of AWS's own
//! translator for SAM, with the intrinsic functions worked out by `tests/python/expansion.py`.
//!
//! The cloud models no logs, metrics and alarms, and no tags of functions and roles. Of these it
//! only has the names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use afterimage::system::TEMPLATE;
use afterimage_cloud::deploy::{Deployment, Stack};
use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::Request;
use afterimage_cloud::iam::PolicyDocument;
use afterimage_cloud::lambda::{self, Code};
use afterimage_cloud::{Cloud, Config};
use afterimage_support::FUNCTIONS;
use serde_json::{Map, Value, json};

use crate::served;

const ACCOUNT: &str = "123456789012";
const HOME: &str = "us-east-1";
const STACK: &str = "afterimage";

/// What SAM makes of its own, and the cloud as a part of the function.
const EVENT_CONFIG: &str = "AWS::Lambda::EventInvokeConfig";

/// Parameters that differ from their defaults, as many as change what is made. The cloud knows no
/// `PermissionsBoundary`, and refuses it.
fn other_parameters() -> BTreeMap<String, String> {
    let key = format!("arn:aws:kms:{HOME}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let all = [
        ("AllowReboot", "true"),
        ("AllowStopStart", "true"),
        ("BusName", "events"),
        ("LedgerDeletionProtection", "true"),
        ("LogKey", &key),
        ("MemorySize", "512"),
        ("StopStartAtOnce", "3"),
        ("TableName", "ledger"),
        ("Timeout", "600"),
        ("WorkerConcurrency", "7"),
        ("WorkerMemorySize", "1024"),
    ];
    all.map(|(name, value)| (name.to_string(), value.to_string())).into()
}

/// Deploys the template with code that is never run.
fn deployed(cloud: &Cloud, parameters: &BTreeMap<String, String>) -> Stack {
    let code = FUNCTIONS.map(|name| (format!("{STACK}-{name}"), Code::Binary(PathBuf::new())));
    let deployment = Deployment {
        account: ACCOUNT.to_string(),
        region: HOME.to_string(),
        stack_name: STACK.to_string(),
        parameters: parameters.clone(),
        code: code.into(),
    };
    cloud.deploy(TEMPLATE, deployment).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The resources of each template, expanded and worked out, by logical id.
fn expanded(
    name: &str,
    stack: &Stack,
    parameters: &BTreeMap<String, String>,
    templates: &[String],
) -> Vec<Map<String, Value>> {
    let request = json!({
        "account": ACCOUNT,
        "region": HOME,
        "stack_name": STACK,
        "parameters": parameters,
        "resources": stack.resources,
        "templates": templates,
    });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, request.to_string()).expect("the folder can be written to");
    let path = path.to_string_lossy().to_string();
    let output = served::python(&["expansion.py", &path]).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// Asks a service as the administrator.
fn ask(cloud: &Cloud, target: &str, body: &Value) -> Value {
    let service = match target.split_once('.').expect("a target has a service").0 {
        "AWSEvents" => "events",
        "AmazonSQS" => "sqs",
        _ => "dynamodb",
    };
    let scope = format!("AKIAIOSFODNN7EXAMPLE/20260101/{HOME}/{service}/aws4_request");
    let request = Request {
        method: "POST".to_string(),
        path: "/".to_string(),
        headers: vec![
            ("Authorization".to_string(), format!("Credential={scope}, Signature=0")),
            ("X-Amz-Target".to_string(), target.to_string()),
        ],
        body: body.to_string().into_bytes(),
        ..Request::default()
    };
    let Answer::Reply(response) = cloud.answer(&request) else { panic!("{target}: no answer") };
    let answer = serde_json::from_slice(&response.body).unwrap_or_default();
    assert_eq!(response.status, 200, "{target}: {answer}");
    answer
}

/// A world with the stack in it.
struct Made<'w> {
    cloud: &'w Cloud,
    stack: &'w Stack,
}

/// What the template wants of a resource, and what was made.
type Pair = (Value, Value);

impl Made<'_> {
    /// Everything in which the world differs from the expansion.
    fn differences(&self, expanded: &Map<String, Value>) -> Vec<String> {
        let mut told = Vec::new();
        let is_own = |resource: &Value| resource["Type"] != EVENT_CONFIG;
        let wanted: BTreeSet<&String> =
            expanded.iter().filter(|(_, one)| is_own(one)).map(|(id, _)| id).collect();
        let made: BTreeSet<&String> = self.stack.resources.keys().collect();
        for id in wanted.symmetric_difference(&made) {
            told.push(format!("{id}: only one of the two has it"));
        }
        for (id, resource) in expanded {
            let reference = self.stack.resources.get(id).map_or("", String::as_str);
            let kind = resource["Type"].as_str().expect("a resource has a type");
            let (wanted, made) = self.pair(kind, reference, &resource["Properties"]);
            if wanted != made {
                told.push(format!("{id}: wanted {wanted}, made {made}"));
            }
        }
        let (wanted, made) = self.permissions(expanded);
        if wanted != made {
            told.push(format!("permissions: wanted {wanted:?}, made {made:?}"));
        }
        told
    }

    fn pair(&self, kind: &str, reference: &str, wanted: &Value) -> Pair {
        match kind {
            "AWS::Lambda::Function" => self.function(wanted),
            EVENT_CONFIG => self.event_config(wanted),
            "AWS::IAM::Role" => self.role(reference, wanted),
            "AWS::Events::EventBus" => self.bus(wanted),
            "AWS::Events::Rule" => self.rule(reference, wanted),
            "AWS::SQS::Queue" => self.queue(reference, wanted),
            "AWS::SQS::QueuePolicy" => self.queue_policy(wanted),
            "AWS::DynamoDB::Table" => self.table(reference, wanted),
            "AWS::Logs::LogGroup" => (wanted["LogGroupName"].clone(), json!(reference)),
            // Permissions are compared by function.
            "AWS::Lambda::Permission" | "AWS::Logs::MetricFilter" | "AWS::CloudWatch::Alarm" => {
                (Value::Null, Value::Null)
            }
            other => panic!("nothing is known of {other}"),
        }
    }

    fn function(&self, wanted: &Value) -> Pair {
        let made = self.cloud.with(|model| {
            let spec = lambda::spec_of(model, &function_arn(&wanted["FunctionName"]))?;
            Some(json!({
                "name": spec.name,
                "role": spec.role_arn,
                "timeout": spec.timeout.as_secs().to_string(),
                "memory": spec.memory_mb.to_string(),
                "reserved": spec.reserved_concurrency.map(|number| number.to_string()),
                "variables": spec.variables,
            }))
        });
        let variables = wanted["Environment"]["Variables"].as_object().expect("there are some");
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let wanted = json!({
            "name": wanted["FunctionName"],
            "role": wanted["Role"],
            "timeout": text(&wanted["Timeout"]),
            "memory": text(&wanted["MemorySize"]),
            "reserved": wanted.get("ReservedConcurrentExecutions").map(text),
            "variables": variables,
        });
        (wanted, made.unwrap_or_default())
    }

    /// How often and for how long Lambda tries, and where it sends what it gives up.
    fn event_config(&self, wanted: &Value) -> Pair {
        let made = self.cloud.with(|model| {
            let spec = lambda::spec_of(model, &function_arn(&wanted["FunctionName"]))?;
            Some(json!([spec.retry_attempts, spec.event_age_max.as_secs(), spec.on_failure]))
        });
        let wanted = json!([
            wanted["MaximumRetryAttempts"],
            wanted["MaximumEventAgeInSeconds"],
            wanted["DestinationConfig"]["OnFailure"]["Destination"],
        ]);
        (wanted, made.unwrap_or_default())
    }

    /// The policies that only one of the two has, and who may assume the role.
    fn role(&self, name: &str, wanted: &Value) -> Pair {
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let made = self.cloud.with(|model| model.principals.roles.get(&arn).cloned());
        let mut made = made.unwrap_or_default();
        let read = |value: &Value| PolicyDocument::parse(value).expect("it is a policy");
        let policies = wanted["Policies"].as_array().expect("a list").iter();
        let is_missing = |policy: &&Value| {
            let policy = read(&policy["PolicyDocument"]);
            let at = made.policies.iter().position(|one| *one == policy);
            at.map(|at| made.policies.remove(at)).is_none()
        };
        let missing: Vec<&Value> = policies.filter(is_missing).collect();
        let trust = shown(Some(&read(&wanted["AssumeRolePolicyDocument"])));
        let more: Vec<_> = made.policies.iter().map(|one| shown(Some(one))).collect();
        let wanted = json!([missing, trust, wanted["ManagedPolicyArns"]]);
        (wanted, json!([more, shown(made.trust.as_ref()), [LOGS]]))
    }

    fn bus(&self, wanted: &Value) -> Pair {
        let made = ask(self.cloud, "AWSEvents.DescribeEventBus", &json!({"Name": wanted["Name"]}));
        let arn = format!("arn:aws:events:{HOME}:{ACCOUNT}:event-bus/{}", text(&wanted["Name"]));
        (json!([arn, null]), json!([made["Arn"], made.get("Policy")]))
    }

    fn rule(&self, reference: &str, wanted: &Value) -> Pair {
        let (bus, name) = reference.split_once('|').unwrap_or(("default", reference));
        let named = json!({ "Name": name, "EventBusName": bus });
        let made = ask(self.cloud, "AWSEvents.DescribeRule", &named);
        let pattern: Option<Value> =
            made["EventPattern"].as_str().map(|text| serde_json::from_str(text).expect("JSON"));
        let named = json!({ "Rule": name, "EventBusName": bus });
        let targets = ask(self.cloud, "AWSEvents.ListTargetsByRule", &named);
        let made = json!([
            bus,
            pattern,
            made.get("ScheduleExpression"),
            made["State"],
            targets["Targets"]
        ]);
        let wanted = json!([
            wanted.get("EventBusName").map_or("default".to_string(), text),
            wanted.get("EventPattern"),
            wanted.get("ScheduleExpression"),
            wanted.get("State").map_or("ENABLED".to_string(), text),
            wanted["Targets"],
        ]);
        (wanted, made)
    }

    fn attributes(&self, url: &str) -> Value {
        let body = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        ask(self.cloud, "AmazonSQS.GetQueueAttributes", &body)["Attributes"].take()
    }

    fn queue(&self, url: &str, wanted: &Value) -> Pair {
        let attributes = self.attributes(url);
        let made = |name: &str| match name {
            "QueueName" => url.rsplit('/').next().map(str::to_string),
            name => attributes.get(name).map(text),
        };
        let wanted = wanted.as_object().expect("a map").iter();
        let wanted: BTreeMap<_, _> =
            wanted.map(|(name, value)| (name.as_str(), Some(text(value)))).collect();
        let made: BTreeMap<_, _> = wanted.keys().map(|name| (*name, made(name))).collect();
        (json!(wanted), json!(made))
    }

    fn queue_policy(&self, wanted: &Value) -> Pair {
        let urls = wanted["Queues"].as_array().expect("a list").iter();
        let made = urls.map(|url| {
            let policy = text(&self.attributes(&text(url))["Policy"]);
            serde_json::from_str::<Value>(&policy).unwrap_or_default()
        });
        let made: Vec<_> = made.collect();
        (json!(vec![wanted["PolicyDocument"].clone(); made.len()]), json!(made))
    }

    fn table(&self, name: &str, wanted: &Value) -> Pair {
        let body = json!({ "TableName": name });
        let made = ask(self.cloud, "DynamoDB_20120810.DescribeTable", &body)["Table"].take();
        let index = |one: &Value| json!([one["IndexName"], one["KeySchema"], one["Projection"]]);
        let shown = |table: &Value, protected: &Value| {
            let indexes = table["GlobalSecondaryIndexes"].as_array();
            let indexes: BTreeMap<_, _> = indexes
                .into_iter()
                .flatten()
                .map(|one| (text(&one["IndexName"]), index(one)))
                .collect();
            let attributes = table["AttributeDefinitions"].as_array().into_iter().flatten();
            let attributes: BTreeMap<_, _> = attributes
                .map(|one| (text(&one["AttributeName"]), text(&one["AttributeType"])))
                .collect();
            let names = (table["TableName"].clone(), table["KeySchema"].clone());
            json!([names, attributes, indexes, text(protected)])
        };
        let protected = "DeletionProtectionEnabled";
        (shown(wanted, &wanted[protected]), shown(&made, &made[protected]))
    }

    /// Who may invoke which function, for which rule.
    fn permissions(&self, expanded: &Map<String, Value>) -> (Permissions, Permissions) {
        let of_kind = expanded.values().filter(|one| one["Type"] == "AWS::Lambda::Permission");
        let wanted = of_kind.map(|one| &one["Properties"]).map(|one| {
            assert_eq!(one["Action"], "lambda:InvokeFunction");
            let function = function_arn(&one["FunctionName"]);
            (function, text(&one["Principal"]), one.get("SourceArn").map(text))
        });
        let made = self.cloud.with(|model| {
            let functions = self.stack.functions.values();
            let made = functions.flat_map(|arn| {
                let all = lambda::permissions_of(model, arn).into_iter();
                all.map(|(service, source)| {
                    (arn.clone(), service.to_string(), source.map(str::to_string))
                })
            });
            made.collect()
        });
        (wanted.collect(), made)
    }
}

/// Function, service and the ARN on whose behalf the service acts.
type Permissions = BTreeSet<(String, String, Option<String>)>;

/// What every role of SAM is attached to, which the cloud has no use for.
const LOGS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

fn function_arn(name: &Value) -> String {
    format!("arn:aws:lambda:{HOME}:{ACCOUNT}:function:{}", text(name))
}

/// A value as CloudFormation takes it: a number and its digits are the same.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn shown(policy: Option<&PolicyDocument>) -> String {
    format!("{policy:?}")
}

#[test]
fn the_cloud_makes_of_the_template_what_sam_makes_of_it() {
    for (name, parameters) in [("defaults", BTreeMap::new()), ("others", other_parameters())] {
        Cloud::run(Config::seeded(1), async |cloud| {
            let stack = deployed(&cloud, &parameters);
            let name = format!("expansion-{name}.json");
            let expanded = expanded(&name, &stack, &parameters, &[TEMPLATE.to_string()]);
            let told = Made { cloud: &cloud, stack: &stack }.differences(&expanded[0]);
            assert!(told.is_empty(), "{parameters:?}\n{}", told.join("\n"));
        });
    }
}

/// A change of the template, and the resources in which the expansion then differs.
const CHANGES: &[(&str, &str, &[&str])] = &[
    ("      Timeout: 900\n", "      Timeout: 890\n", &["WorkRequested"]),
    ("AFTERIMAGE_ALLOW_REBOOT: !Ref AllowReboot", "AFTERIMAGE_ALLOW_REBOOT: yes", &["BackupTick"]),
    ("MaximumRetryAttempts: 2\n", "MaximumRetryAttempts: 1\n", &["BackupTickEventInvokeConfig"]),
    ("rate(1 minute)", "rate(2 minutes)", &["BackupTickMinute"]),
    ("changed-tag-keys: [\"afterimage:now\"]", "changed-tag-keys: [a]", &["InstanceTaggedHere"]),
    (
        "MaximumEventAgeInSeconds: 900, M",
        "MaximumEventAgeInSeconds: 800, M",
        &["ReconcileTickFiveMinutes"],
    ),
    (
        "kms:GrantIsForAWSResource\": \"true\"",
        "kms:GrantIsForAWSResource\": \"false\"",
        &["WorkRequestedRole"],
    ),
    ("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 60", &["Undelivered", "GivenUp"]),
    ("IndexName: places", "IndexName: sites", &["Ledger"]),
    ("QueueName: !Sub \"${AWS::StackName}-given-up\"", "QueueName: lost", &["GivenUp"]),
    ("aws:SourceArn", "aws:SourceAccount", &["UndeliveredPolicy"]),
    ("/aws/lambda/${AWS::StackName}", "/aws/lambda/logs", &["Logs"]),
    ("  SlowAlarm:\n", "  LateAlarm:\n", &["LateAlarm", "SlowAlarm"]),
];

fn changed(text: &str, other: &str) -> String {
    assert!(TEMPLATE.contains(text), "{text}");
    TEMPLATE.replace(text, other)
}

#[test]
fn a_change_of_the_template_is_a_difference_where_it_was_made() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let stack = deployed(&cloud, &BTreeMap::new());
        let templates: Vec<String> =
            CHANGES.iter().map(|(text, other, _)| changed(text, other)).collect();
        let expanded = expanded("expansion-changes.json", &stack, &BTreeMap::new(), &templates);
        for ((text, _, ids), expanded) in CHANGES.iter().zip(&expanded) {
            let told = Made { cloud: &cloud, stack: &stack }.differences(expanded);
            for id in *ids {
                let named = told.iter().any(|line| line.starts_with(&format!("{id}: ")));
                assert!(named, "{text}: {id} is not among {told:#?}");
            }
        }
        // Every rule has a permission of its own, so that a template without one is no template.
        let function = stack.functions["BackupTick"].as_str();
        let service = "events.amazonaws.com";
        let added = cloud.with(|m| lambda::add_permission(m, function, "more", service, None));
        added.expect("the function is there");
        let told = Made { cloud: &cloud, stack: &stack }.differences(&expanded[0]);
        assert!(told.iter().any(|line| line.starts_with("permissions: ")), "{told:#?}");
    });
}
