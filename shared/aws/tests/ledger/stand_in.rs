//! Stands in for DynamoDB where the embedded cloud has no way to answer so: some requests get a
//! given answer instead of theirs, all others go on to the cloud.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use std::sync::Arc;

/// What a number of requests of one operation get.
#[derive(Clone, Debug)]
pub struct Answer {
    pub operation: &'static str,
    pub status: u16,
    pub body: &'static str,
    pub times: u64,
}

/// The configuration of a client, some of whose requests are answered here.
pub fn config(config: &SdkConfig, answer: Answer) -> SdkConfig {
    let cloud = config.http_client().expect("the cloud is an HTTP client");
    let answered = Arc::new(AtomicU64::new(0));
    let client = http_client_fn(move |settings, components| {
        use aws_smithy_runtime_api::client::http::HttpClient;
        SharedHttpConnector::new(StandIn {
            cloud: cloud.http_connector(settings, components),
            answer: answer.clone(),
            answered: answered.clone(),
        })
    });
    config.to_builder().http_client(client).build()
}

#[derive(Debug)]
struct StandIn {
    cloud: SharedHttpConnector,
    answer: Answer,
    answered: Arc<AtomicU64>,
}

impl HttpConnector for StandIn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = format!("DynamoDB_20120810.{}", self.answer.operation);
        let is_meant = request.headers().get("x-amz-target") == Some(target.as_str());
        if !is_meant || self.answered.fetch_add(1, Ordering::Relaxed) >= self.answer.times {
            return self.cloud.call(request);
        }
        let status = StatusCode::try_from(self.answer.status).expect("a status");
        let body = SdkBody::from(self.answer.body);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body)))
    }
}
