//! Calls of the services that speak forms and XML.

use afterimage_cloud::Cloud;

use crate::raw;

/// Sends a form to a service of a region; what comes back is the status and the body.
pub fn query(cloud: &Cloud, region: &str, service: &str, form: &str) -> (u16, String) {
    query_as(cloud, raw::ADMINISTRATOR, region, service, form)
}

/// The same, with the access key of somebody who was declared.
pub fn query_as(
    cloud: &Cloud,
    access_key: &str,
    region: &str,
    service: &str,
    form: &str,
) -> (u16, String) {
    let request = raw::request(access_key, region, service, format!("{form}&Version=2016-11-15"));
    let response = raw::reply(cloud, &request);
    (response.status, raw::text(&response).to_string())
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
