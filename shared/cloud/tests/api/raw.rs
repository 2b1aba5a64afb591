//! Requests as they come off the wire, for tests that need no SDK.

use afterimage_cloud::Cloud;
use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::{Request, Response};

/// A key that nobody declared: the administrator of account 123456789012.
pub const ADMINISTRATOR: &str = "AKIAIOSFODNN7EXAMPLE";

/// A signed request: to whom it goes is in the signature.
pub fn request(access_key: &str, region: &str, service: &str, body: String) -> Request {
    let scope = format!("{access_key}/20260101/{region}/{service}/aws4_request");
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00");
    Request {
        method: "POST".to_string(),
        path: "/".to_string(),
        headers: vec![("authorization".to_string(), authorization)],
        body: body.into_bytes(),
        ..Request::default()
    }
}

/// A call of EC2: its action, and its parameters as a form that begins with `&`.
pub fn ec2_of(access_key: &str, region: &str, action: &str, rest: &str) -> Request {
    let body = format!("Action={action}&Version=2016-11-15{rest}");
    request(access_key, region, "ec2", body)
}

/// A call of EC2 by the administrator in us-east-1.
pub fn ec2(action: &str, rest: &str) -> Request {
    ec2_of(ADMINISTRATOR, "us-east-1", action, rest)
}

/// A call of a service that speaks JSON; `target` holds the action.
pub fn json(region: &str, service: &str, target: &str, body: &str) -> Request {
    json_of(ADMINISTRATOR, region, service, target, body)
}

/// The same, with a key of one's own.
pub fn json_of(access_key: &str, region: &str, service: &str, target: &str, body: &str) -> Request {
    let mut request = request(access_key, region, service, body.to_string());
    request.headers.push(("x-amz-target".to_string(), target.to_string()));
    request
}

/// The answer of a call that gets one.
pub fn reply(cloud: &Cloud, request: &Request) -> Response {
    match cloud.answer(request) {
        Answer::Reply(response) => response,
        other => panic!("no reply but {other:?}"),
    }
}

pub fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).expect("an answer is in UTF-8")
}
