//! Templates deployed, as the references of SAM and CloudFormation describe what they make.

mod conditions;
mod life;
mod plain;
mod values;
mod wrong;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterimage_cloud::deploy::{DeployError, Deployment, Stack, TYPES};
use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::Request;
use afterimage_cloud::lambda::{BoxFuture, Code, Context, FunctionError, Instance};
use afterimage_cloud::{Cloud, Config};
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";
const HOME: &str = "us-east-1";
const FAR: &str = "eu-west-1";
const ADMINISTRATOR: &str = "AKIAIOSFODNN7EXAMPLE";

const TEMPLATE: &str = include_str!("home.yaml");

/// Longer than any event takes to its function.
const SOON: Duration = Duration::from_secs(30);

/// Lives through a scenario in a world of its own.
fn world(scenario: impl AsyncFnOnce(Cloud)) {
    Cloud::run(Config::seeded(1), scenario);
}

/// What functions did: the answer of each call, with the name of the function.
type Log = Arc<Mutex<Vec<(String, u16, Value)>>>;

fn logged(log: &Log) -> Vec<(String, u16, Value)> {
    log.lock().expect("no test failed while it held the log").clone()
}

/// Asks a service in a region, by an access key.
fn ask(
    cloud: &Cloud,
    (access_key, region): (&str, &str),
    target: &str,
    body: &Value,
) -> (u16, Value) {
    let service = match target.split_once('.').expect("a target has a service").0 {
        "AWSEvents" => "events",
        "AmazonSQS" => "sqs",
        "TrentService" => "kms",
        _ => "dynamodb",
    };
    let credential = format!("{access_key}/20260101/{region}/{service}/aws4_request");
    let request = Request {
        method: "POST".to_string(),
        path: "/".to_string(),
        headers: vec![
            ("Authorization".to_string(), format!("Credential={credential}, Signature=0")),
            ("X-Amz-Target".to_string(), target.to_string()),
        ],
        body: body.to_string().into_bytes(),
        ..Request::default()
    };
    let Answer::Reply(response) = cloud.answer(&request) else {
        panic!("{target} was not answered");
    };
    let body = serde_json::from_slice(&response.body).unwrap_or_default();
    (response.status, body)
}

/// Asks as the administrator, who must get an answer.
#[track_caller]
fn done(cloud: &Cloud, region: &str, target: &str, body: &Value) -> Value {
    let (status, answer) = ask(cloud, (ADMINISTRATOR, region), target, body);
    assert_eq!(status, 200, "{target}: {answer}");
    answer
}

/// A function that makes one call of DynamoDB for every event, with its own access key.
fn code(cloud: &Cloud, name: &'static str, log: &Log, target: &'static str, body: Value) -> Code {
    let (cloud, log) = (cloud.clone(), log.clone());
    Code::InProcess(Arc::new(move |environment, _config| {
        let instance = Caller {
            cloud: cloud.clone(),
            name,
            log: log.clone(),
            key: environment.variables["AWS_ACCESS_KEY_ID"].clone(),
            region: environment.variables["AWS_REGION"].clone(),
            table: environment.variables["TABLE"].clone(),
            target,
            body: body.clone(),
        };
        Box::pin(async move { Ok(Box::new(instance) as Box<dyn Instance>) })
    }))
}

struct Caller {
    cloud: Cloud,
    name: &'static str,
    log: Log,
    key: String,
    region: String,
    table: String,
    target: &'static str,
    body: Value,
}

impl Instance for Caller {
    fn handle(
        &mut self,
        event: Value,
        _context: Context,
    ) -> BoxFuture<'_, Result<Value, FunctionError>> {
        let mut body = self.body.clone();
        body["TableName"] = json!(self.table);
        if body.get("Item").is_some() {
            body["Item"] = json!({ "pk": { "S": event["id"] }, "owner": { "S": self.name } });
        }
        let (status, answer) = ask(&self.cloud, (&self.key, &self.region), self.target, &body);
        let mut log = self.log.lock().expect("no test failed while it held the log");
        log.push((self.name.to_string(), status, answer.clone()));
        let outcome = match status {
            200 => Ok(Value::Null),
            _ => Err(FunctionError::new("Refused", answer["message"].to_string())),
        };
        Box::pin(async move { outcome })
    }
}

/// A function that puts an item for every event.
fn putting(cloud: &Cloud, name: &'static str, log: &Log) -> Code {
    code(cloud, name, log, "DynamoDB_20120810.PutItem", json!({ "Item": {} }))
}

/// The template at home, with code for its functions.
fn home(cloud: &Cloud, log: &Log) -> Deployment {
    Deployment {
        account: ACCOUNT.to_string(),
        region: HOME.to_string(),
        stack_name: "post".to_string(),
        parameters: BTreeMap::new(),
        code: BTreeMap::from([
            ("tick".to_string(), putting(cloud, "tick", log)),
            ("receive".to_string(), putting(cloud, "receive", log)),
        ]),
    }
}

#[track_caller]
fn deployed(cloud: &Cloud, template: &str, deployment: Deployment) -> Stack {
    cloud.deploy(template, deployment).unwrap_or_else(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// The template with one part of it replaced, which must be there once.
#[track_caller]
fn changed(part: &str, by: &str) -> String {
    assert_eq!(TEMPLATE.matches(part).count(), 1, "{part} is in the template once");
    TEMPLATE.replace(part, by)
}

/// What is wrong with a template that is deployed at home.
fn errors_of(cloud: &Cloud, template: &str) -> Vec<DeployError> {
    let deployment = home(cloud, &Log::default());
    cloud.deploy(template, deployment).expect_err("the template is wrong")
}

#[test]
fn the_document_lists_the_types_that_are_modelled() {
    let document = include_str!("../../../../docs/cloud.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `AWS::"));
    let mut listed: Vec<_> =
        rows.filter_map(|row| Some(format!("AWS::{}", row.split_once('`')?.0))).collect();
    listed.sort();
    assert_eq!(listed, TYPES);
}
