//! Parameters of SSM, and STS, as their clients see them.

use std::time::Duration;

use crate::json_calls::{ACCOUNT, Client, REGION, client};
use afterimage_cloud::access::Identity;
use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::ec2::catalogue;
use afterimage_cloud::http::Request;
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config, ssm};
use serde_json::{Value, json};

const SSM: Client = client("ssm", "AmazonSSM.");
const OTHER_ACCOUNT: &str = "111122223333";

fn put(cloud: &Cloud, name: &str, value: &str) -> Value {
    let request = json!({ "Name": name, "Value": value, "Type": "String", "Overwrite": true });
    SSM.done(cloud, "PutParameter", &request)
}

fn put_image(cloud: &Cloud, name: &str, value: &str) -> Value {
    let request = json!({
        "Name": name, "Value": value, "Type": "String", "DataType": "aws:ec2:image",
        "Overwrite": true,
    });
    SSM.done(cloud, "PutParameter", &request)
}

fn value(cloud: &Cloud, name: &str) -> String {
    let answer = SSM.done(cloud, "GetParameter", &json!({ "Name": name }));
    answer["Parameter"]["Value"].as_str().unwrap_or_default().to_string()
}

fn is_missing(cloud: &Cloud, name: &str) -> bool {
    let (status, answer) = SSM.ask(cloud, "GetParameter", &json!({ "Name": name }));
    status == 400 && answer["__type"] == "ParameterNotFound"
}

fn naming(cloud: &Cloud, image: &str) -> Vec<String> {
    let scope = Scope::new(ACCOUNT, REGION);
    cloud.with(|model| ssm::parameters_naming_image(model, &scope, image))
}

/// Two images that everybody sees.
fn images() -> (String, String) {
    let mut images = catalogue::images(REGION).filter(|image| image.public);
    let first = images.next().expect("the catalogue has public images");
    let second = images.next().expect("the catalogue has several");
    (first.id.clone(), second.id.clone())
}

#[test]
fn a_parameter_has_versions() {
    Cloud::run(Config::seeded(1), async |cloud| {
        assert_eq!(put(&cloud, "/a/b", "one"), json!({ "Version": 1, "Tier": "Standard" }));
        assert_eq!(put(&cloud, "/a/b", "two")["Version"], 2);
        assert_eq!(value(&cloud, "/a/b"), "two");
        assert_eq!(value(&cloud, "/a/b:1"), "one");
        let arn = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a/b");
        assert_eq!(value(&cloud, &arn), "two");
        let answer = SSM.done(&cloud, "GetParameter", &json!({ "Name": "/a/b:1" }));
        let parameter = &answer["Parameter"];
        assert_eq!(parameter["Name"], "/a/b");
        assert_eq!(parameter["Selector"], ":1");
        assert_eq!(parameter["ARN"], arn.as_str());
        assert_eq!(parameter["DataType"], "text");
        let (code, _) = SSM.refused(&cloud, "GetParameter", &json!({ "Name": "/a/b:3" }));
        assert_eq!(code, "ParameterVersionNotFound");
        assert!(is_missing(&cloud, "/a/c"));
    });
}

#[test]
fn an_existing_parameter_is_only_overwritten_on_request() {
    Cloud::run(Config::seeded(1), async |cloud| {
        put(&cloud, "n", "one");
        let request = json!({ "Name": "n", "Value": "two", "Type": "String" });
        let refused = SSM.refused(&cloud, "PutParameter", &request);
        assert_eq!(refused.0, "ParameterAlreadyExists");
        assert_eq!(value(&cloud, "n"), "one");
        let (code, _) =
            SSM.refused(&cloud, "PutParameter", &json!({ "Name": "m", "Value": "one" }));
        assert_eq!(code, "ValidationException", "a new parameter needs a type");
    });
}

#[test]
fn names_and_types_that_are_not_to_be_had_are_refused() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let long = format!("/{}", ["x"; 16].join("/"));
        for (name, code) in [
            ("aws-mine", "AccessDeniedException"),
            ("/aws/service/mine", "AccessDeniedException"),
            ("ssm-mine", "ValidationException"),
            ("a b", "ValidationException"),
            ("a/b", "ValidationException"),
            (long.as_str(), "HierarchyLevelLimitExceededException"),
        ] {
            let request = json!({ "Name": name, "Value": "v", "Type": "String" });
            assert_eq!(SSM.refused(&cloud, "PutParameter", &request).0, code, "{name}");
        }
        for extra in ["SecureString", "Number"] {
            let request = json!({ "Name": "n", "Value": "v", "Type": extra });
            let (code, _) = SSM.refused(&cloud, "PutParameter", &request);
            assert_eq!(code, "ValidationException", "{extra}");
        }
        let request = json!({ "Name": "n", "Value": "v", "Type": "String", "Policies": "[]" });
        let (code, _) = SSM.refused(&cloud, "PutParameter", &request);
        assert_eq!(code, "ValidationException");
        assert!(is_missing(&cloud, "n"));
    });
}

#[test]
fn parameters_are_read_by_name_and_by_path_and_deleted() {
    Cloud::run(Config::seeded(1), async |cloud| {
        for name in ["/app/one", "/app/two", "/app/deep/three", "/other"] {
            put(&cloud, name, name);
        }
        let names = |answer: &Value| -> Vec<String> {
            let list = answer["Parameters"].as_array().expect("a list").iter();
            list.map(|one| one["Name"].as_str().unwrap_or_default().to_string()).collect()
        };
        let request = json!({ "Names": ["/other", "/none", "/app/one"] });
        let many = SSM.done(&cloud, "GetParameters", &request);
        assert_eq!(names(&many), ["/other", "/app/one"]);
        assert_eq!(many["InvalidParameters"], json!(["/none"]));
        let flat = SSM.done(&cloud, "GetParametersByPath", &json!({ "Path": "/app" }));
        assert_eq!(names(&flat), ["/app/one", "/app/two"]);
        let mut request = json!({ "Path": "/app", "Recursive": true, "MaxResults": 2 });
        let first = SSM.done(&cloud, "GetParametersByPath", &request);
        assert_eq!(names(&first), ["/app/deep/three", "/app/one"]);
        request["NextToken"] = first["NextToken"].clone();
        let rest = SSM.done(&cloud, "GetParametersByPath", &request);
        assert_eq!((names(&rest), &rest["NextToken"]), (vec!["/app/two".into()], &Value::Null));
        let described = SSM.done(&cloud, "DescribeParameters", &json!({}));
        assert_eq!(names(&described).len(), 4);
        SSM.done(&cloud, "DeleteParameter", &json!({ "Name": "/other" }));
        assert!(is_missing(&cloud, "/other"));
        let (code, _) = SSM.refused(&cloud, "DeleteParameter", &json!({ "Name": "/other" }));
        assert_eq!(code, "ParameterNotFound");
        let request = json!({ "Names": ["/app/one", "/none"] });
        let gone = SSM.done(&cloud, "DeleteParameters", &request);
        let expected = json!({
            "DeletedParameters": ["/app/one"], "InvalidParameters": ["/none"],
        });
        assert_eq!(gone, expected);
    });
}

#[test]
fn a_parameter_takes_an_image_once_it_was_found() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (first, second) = images();
        assert_eq!(put_image(&cloud, "golden", &first)["Version"], 1);
        assert!(is_missing(&cloud, "golden"));
        assert!(naming(&cloud, &first).is_empty());
        cloud.advance(Duration::from_secs(5)).await;
        assert_eq!(value(&cloud, "golden"), first);
        assert_eq!(put_image(&cloud, "golden", &second)["Version"], 2);
        assert_eq!(value(&cloud, "golden"), first);
        cloud.advance(Duration::from_secs(5)).await;
        assert_eq!(value(&cloud, "golden"), second);
        let arn = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/golden");
        assert_eq!(naming(&cloud, &second), [arn]);
        assert!(naming(&cloud, &first).is_empty());
    });
}

#[test]
fn a_parameter_keeps_its_value_if_the_image_was_not_found() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (first, _) = images();
        put_image(&cloud, "golden", &first);
        cloud.advance(Duration::from_secs(5)).await;
        put_image(&cloud, "golden", "ami-00000000000000bad");
        put_image(&cloud, "fresh", "ami-00000000000000bad");
        cloud.advance(Duration::from_secs(5)).await;
        assert_eq!(value(&cloud, "golden"), first);
        assert!(is_missing(&cloud, "fresh"));
    });
}

#[test]
fn by_a_knob_an_image_is_in_force_before_it_was_found() {
    let mut config = Config::seeded(1);
    config.quirks.image_parameter_waits = false;
    Cloud::run(config, async |cloud| {
        put_image(&cloud, "golden", "ami-00000000000000bad");
        assert_eq!(value(&cloud, "golden"), "ami-00000000000000bad");
        cloud.advance(Duration::from_secs(5)).await;
        assert_eq!(value(&cloud, "golden"), "ami-00000000000000bad");
    });
}

#[test]
fn a_text_that_looks_like_an_image_names_none() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (first, _) = images();
        put(&cloud, "plain", &first);
        assert!(naming(&cloud, &first).is_empty());
    });
}

#[test]
fn the_public_parameter_names_the_newest_image_of_amazon_linux() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
        let id = value(&cloud, name);
        let image = catalogue::image_of_id(REGION, &id).expect("the image is there");
        assert_eq!(image.platform.architecture, "x86_64");
        assert!(image.name.starts_with("al2023-ami-"), "{}", image.name);
        let west = Client { region: "us-west-2", ..SSM };
        let there = west.done(&cloud, "GetParameter", &json!({ "Name": name }));
        assert_ne!(there["Parameter"]["Value"], id.as_str(), "every region has its own");
        let arn = there["Parameter"]["ARN"].as_str().unwrap_or_default();
        assert_eq!(arn, format!("arn:aws:ssm:us-west-2::parameter{name}"));
    });
}

/// The status and the text of an answer of STS.
fn sts(cloud: &Cloud, access_key: &str, form: &str) -> (u16, String) {
    let credential = format!("{access_key}/20260101/{REGION}/sts/aws4_request");
    let request = Request {
        method: "POST".to_string(),
        path: "/".to_string(),
        headers: vec![(
            "Authorization".to_string(),
            format!("Credential={credential}, Signature=0"),
        )],
        body: format!("Version=2011-06-15&{form}").into_bytes(),
        ..Request::default()
    };
    let Answer::Reply(response) = cloud.answer(&request) else { panic!("no answer") };
    (response.status, String::from_utf8(response.body).expect("XML is UTF-8"))
}

/// What stands in the first element of that name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_default();
    rest.split('<').next().unwrap_or_default()
}

fn assume(cloud: &Cloud, access_key: &str, role: &str) -> (u16, String) {
    let role = role.replace(':', "%3A").replace('/', "%2F");
    let form = format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=one");
    sts(cloud, access_key, &form)
}

fn declare(cloud: &Cloud, role: &str, policies: &[Value], trust: Option<&Value>) {
    cloud.with(|model| {
        model.principals.declare_role(role, policies, trust).expect("the policies are sound");
    });
}

#[test]
fn everybody_may_ask_who_they_are() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (status, xml) = sts(&cloud, "AKIAIOSFODNN7EXAMPLE", "Action=GetCallerIdentity");
        assert_eq!(status, 200, "{xml}");
        assert_eq!(element(&xml, "Account"), ACCOUNT);
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/administrator");
        assert_eq!(element(&xml, "Arn"), arn);
        assert!(element(&xml, "UserId").starts_with("AIDA"));
    });
}

#[test]
fn the_key_of_an_assumed_role_has_the_leave_of_the_role() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/path/reader");
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*",
        }] });
        declare(&cloud, &role, &[policy], None);
        let (status, xml) = assume(&cloud, "AKIAIOSFODNN7EXAMPLE", &role);
        assert_eq!(status, 200, "{xml}");
        let key = element(&xml, "AccessKeyId").to_string();
        assert!(key.starts_with("ASIA") && key.len() == 20, "{key}");
        assert_eq!(element(&xml, "Expiration"), "2026-01-01T01:00:00Z");
        let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/one");
        assert_eq!(element(&xml, "Arn"), session);
        let (_, who) = sts(&cloud, &key, "Action=GetCallerIdentity");
        assert_eq!(element(&who, "Arn"), session);
        assert!(element(&who, "UserId").ends_with(":one"));
        put(&cloud, "n", "v");
        let assumed = Client { access_key: key.leak(), ..SSM };
        assumed.done(&cloud, "GetParameter", &json!({ "Name": "n" }));
        let (code, _) = assumed.refused(&cloud, "DeleteParameter", &json!({ "Name": "n" }));
        assert_eq!(code, "AccessDeniedException");
    });
}

#[test]
fn a_role_that_was_not_declared_or_does_not_trust_the_caller_cannot_be_assumed() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let other = Identity::administrator(OTHER_ACCOUNT);
        cloud.with(|model| model.principals.declare_key("AKIAOTHER", other));
        let role = format!("arn:aws:iam::{ACCOUNT}:role/shared");
        let (status, xml) = assume(&cloud, "AKIAIOSFODNN7EXAMPLE", &role);
        assert_eq!((status, element(&xml, "Code")), (403, "AccessDenied"));
        declare(&cloud, &role, &[], None);
        let (status, _) = assume(&cloud, "AKIAIOSFODNN7EXAMPLE", &role);
        assert_eq!(status, 200, "a role without a trust policy trusts its account");
        let (status, xml) = assume(&cloud, "AKIAOTHER", &role);
        assert_eq!((status, element(&xml, "Code")), (403, "AccessDenied"));
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "AWS": format!("arn:aws:iam::{OTHER_ACCOUNT}:root") },
        }] });
        declare(&cloud, &role, &[], Some(&trust));
        let (status, xml) = assume(&cloud, "AKIAOTHER", &role);
        assert_eq!(status, 200, "{xml}");
    });
}

#[test]
fn a_session_has_a_name_and_a_length_within_bounds() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/reader");
        declare(&cloud, &role, &[], None);
        for wrong in ["RoleSessionName=a%20b", "RoleSessionName=one&DurationSeconds=899"] {
            let role = role.replace(':', "%3A").replace('/', "%2F");
            let form = format!("Action=AssumeRole&RoleArn={role}&{wrong}");
            let (status, xml) = sts(&cloud, "AKIAIOSFODNN7EXAMPLE", &form);
            assert_eq!((status, element(&xml, "Code")), (400, "ValidationError"), "{wrong}");
        }
    });
}

#[test]
fn an_image_put_into_a_deleted_parameter_does_not_reach_its_successor() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (first, second) = images();
        put_image(&cloud, "golden", &first);
        cloud.advance(Duration::from_secs(2)).await;
        SSM.done(&cloud, "DeleteParameter", &json!({ "Name": "golden" }));
        put_image(&cloud, "golden", &second);
        cloud.advance(Duration::from_secs(3)).await;
        assert!(is_missing(&cloud, "golden"));
        cloud.advance(Duration::from_secs(2)).await;
        assert_eq!(value(&cloud, "golden"), second);
    });
}

#[test]
fn the_bus_learns_what_became_of_a_parameter() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let (first, _) = images();
        put_image(&cloud, "golden", &first);
        put_image(&cloud, "broken", "ami-00000000000000bad");
        put(&cloud, "plain", "v");
        put(&cloud, "plain", "w");
        SSM.done(&cloud, "DeleteParameter", &json!({ "Name": "plain" }));
        cloud.advance(Duration::from_secs(60)).await;
        let told = |name: &str| -> Vec<Value> {
            cloud.with(|model| {
                let entries = model.trace.entries().iter();
                let changes = entries.filter(|entry| {
                    entry.what == What::Event && entry.action == "Parameter Store Change"
                });
                let details = changes.map(|entry| entry.detail["detail"].clone());
                details.filter(|detail| detail["name"] == name).collect()
            })
        };
        let change = |name: &str, operation: &str| json!({ "name": name, "type": "String", "operation": operation });
        assert_eq!(told("golden"), [change("golden", "Create")]);
        let failed = json!({
            "exception": "Unable to Describe Resource", "dataType": "aws:ec2:image",
            "name": "broken", "type": "String", "operation": "Create",
        });
        assert_eq!(told("broken"), [failed]);
        let mut plain: Vec<_> =
            told("plain").iter().map(|detail| detail["operation"].to_string()).collect();
        plain.sort();
        assert_eq!(plain, ["\"Create\"", "\"Delete\"", "\"Update\""]);
    });
}
