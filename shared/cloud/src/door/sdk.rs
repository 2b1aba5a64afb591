//! Door one: the HTTP client of an SDK in the same process.
//!
//! Production code keeps its real clients; only the last step, the bytes on the wire, is replaced.

use std::io;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use http_body_util::BodyExt;

use crate::cloud::Cloud;
use crate::dispatch::{self, Answer};
use crate::kernel::http::{Request, Response};

pub use crate::kernel::access::Caller;

impl Cloud {
    /// The configuration of an SDK client that lives in this world as the administrator.
    pub fn sdk_config(&self, region: &str) -> SdkConfig {
        let access_key = "AKIAIOSFODNN7EXAMPLE".to_string();
        self.sdk_config_of(&Caller { access_key, region: region.to_string(), clock_skew_ms: 0 })
    }

    /// The configuration of an SDK client of a declared caller: no profile, no environment, no
    /// instance metadata, never real credentials.
    pub fn sdk_config_of(&self, caller: &Caller) -> SdkConfig {
        let credentials =
            Credentials::new(caller.access_key.as_str(), "not-verified", None, None, "world");
        let clock = Clock { cloud: self.clone(), skew_ms: caller.clock_skew_ms };
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(caller.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Door { cloud: self.clone() })
            .sleep_impl(TokioSleep::new())
            .time_source(clock)
            .build()
    }
}

/// The clock of a caller.
#[derive(Debug)]
struct Clock {
    cloud: Cloud,
    skew_ms: i64,
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        let skew = Duration::from_millis(self.skew_ms.unsigned_abs());
        let now = self.cloud.now();
        let shown = if self.skew_ms < 0 { now - skew } else { now + skew };
        shown.to_system_time()
    }
}

/// The HTTP client, which is its own only connector.
#[derive(Clone, Debug)]
struct Door {
    cloud: Cloud,
}

impl HttpClient for Door {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Door {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let cloud = self.cloud.clone();
        HttpConnectorFuture::new(async move {
            let request = read(request).await?;
            cloud.call(&request).await
        })
    }
}

impl Cloud {
    /// Makes a call in process: there, the answer, and back, which takes its time.
    async fn call(&self, request: &Request) -> Result<HttpResponse, ConnectorError> {
        let (there, back) = self.with(|model| {
            let range = model.config.pace.latency_ms.clone();
            let whole = model.draw_ms(range);
            (whole / 2, whole - whole / 2)
        });
        travel(there).await;
        match self.with(|model| dispatch::answer_in_process(model, request)) {
            Answer::Reply(response) => {
                travel(back).await;
                write(response)
            }
            // Nothing comes back: the caller's own timeout ends it, or its death.
            Answer::Silence | Answer::Killed => std::future::pending().await,
            Answer::Unreachable => {
                travel(back).await;
                // As a socket says it, so that callers can tell that nothing was sent.
                let text = "connection refused: the region is dark";
                let refused = io::Error::new(io::ErrorKind::ConnectionRefused, text);
                Err(ConnectorError::io(refused.into()))
            }
        }
    }
}

async fn travel(span: Duration) {
    if !span.is_zero() {
        tokio::time::sleep(span).await;
    }
}

/// Reads the body to its end as a socket would: the SDK watches it, and takes one that nobody reads
/// for a stalled upload, which it gives up after some seconds.
async fn read(mut request: HttpRequest) -> Result<Request, ConnectorError> {
    let body = std::mem::replace(request.body_mut(), SdkBody::taken());
    let body = body.collect().await.map_err(ConnectorError::user)?;
    let headers = request.headers().iter();
    let (path, query) = split_uri(request.uri());
    Ok(Request {
        method: request.method().to_string(),
        path,
        query,
        headers: headers.map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        body: body.to_bytes().to_vec(),
    })
}

/// Path and query of `https://host/path?query`.
fn split_uri(uri: &str) -> (String, String) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let local = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    (path.to_string(), query.to_string())
}

fn write(response: Response) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(response.status)
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut answer = HttpResponse::new(status, SdkBody::from(response.body));
    for (name, value) in response.headers {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}
