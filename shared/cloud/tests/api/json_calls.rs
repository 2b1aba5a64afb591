//! Calls of the services that speak JSON.

use afterimage_cloud::Cloud;
use serde_json::Value;

use crate::raw;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";

/// Who asks which service, and where.
#[derive(Clone, Copy)]
pub struct Client {
    pub service: &'static str,
    pub target: &'static str,
    pub region: &'static str,
    pub access_key: &'static str,
}

pub const fn client(service: &'static str, target: &'static str) -> Client {
    Client { service, target, region: REGION, access_key: raw::ADMINISTRATOR }
}

impl Client {
    /// The status of the answer and its body.
    pub fn ask(self, cloud: &Cloud, action: &str, body: &Value) -> (u16, Value) {
        let Client { service, target, region, access_key } = self;
        let (target, body) = (format!("{target}{action}"), body.to_string());
        let response =
            raw::reply(cloud, &raw::json_of(access_key, region, service, &target, &body));
        let body = match response.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&response.body).expect("an answer is JSON"),
        };
        (response.status, body)
    }

    /// The body of an answer that must be a success.
    #[track_caller]
    pub fn done(self, cloud: &Cloud, action: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(cloud, action, body);
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    /// The code and the message of an answer that must be an error of the caller's.
    #[track_caller]
    pub fn refused(self, cloud: &Cloud, action: &str, body: &Value) -> (String, String) {
        let (status, answer) = self.ask(cloud, action, body);
        assert_eq!(status, 400, "{action}: {answer}");
        let code = answer["__type"].as_str().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        (code.to_string(), answer["message"].as_str().unwrap_or_default().to_string())
    }
}
