//! Calls a world as any client would: by a signed request, without an SDK.

use afterimage_cloud::Cloud;
use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::Request;

/// Sends a form to a service of a region; what comes back is the status and the body.
pub fn query(cloud: &Cloud, region: &str, service: &str, form: &str) -> (u16, String) {
    query_as(cloud, "AKIAIOSFODNN7EXAMPLE", region, service, form)
}

/// The same, with the access key of somebody who was declared.
pub fn query_as(
    cloud: &Cloud,
    access_key: &str,
    region: &str,
    service: &str,
    form: &str,
) -> (u16, String) {
    let credential = format!("{access_key}/20260101/{region}/{service}/aws4_request");
    let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, Signature=none");
    let request = Request {
        method: "POST".to_string(),
        path: "/".to_string(),
        query: String::new(),
        headers: vec![("authorization".to_string(), authorization)],
        body: format!("{form}&Version=2016-11-15").into_bytes(),
    };
    match cloud.answer(&request) {
        Answer::Reply(response) => {
            let body = String::from_utf8(response.body).expect("an answer is UTF-8");
            (response.status, body)
        }
        other => panic!("{form}: {other:?} instead of a reply"),
    }
}

/// An EC2 call in us-east-1 that has to succeed; its body.
pub fn ec2(cloud: &Cloud, form: &str) -> String {
    let (status, body) = query(cloud, "us-east-1", "ec2", form);
    assert_eq!(status, 200, "{form}: {body}");
    body
}

/// An EC2 call in us-east-1 that has to be refused; the code of its error.
pub fn refused(cloud: &Cloud, form: &str) -> String {
    let (status, body) = query(cloud, "us-east-1", "ec2", form);
    assert_ne!(status, 200, "{form}: {body}");
    leaf(&body, "Code")
}

/// The text of the first element of that name; empty if there is none.
pub fn leaf(body: &str, name: &str) -> String {
    leaves(body, name).into_iter().next().unwrap_or_default()
}

/// The texts of all elements of that name, in the order of the document.
pub fn leaves(body: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = body.split(&open).skip(1);
    parts.filter_map(|part| part.split_once(&close).map(|(text, _)| text.to_string())).collect()
}
