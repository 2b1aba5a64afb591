//! The HTTP client of a function.
//!
//! The SDK makes a client for each service and region, and each holds the certificates that it
//! trusts. A function has one client for all of them, so it reads the certificates once.

use std::borrow::Cow;

use aws_config::BehaviorVersion;
use aws_smithy_runtime::client::defaults::default_http_client_plugin_v2;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin as _;
use aws_types::SdkConfig;

/// Returns the configuration with one HTTP client for all services. A configuration that has one
/// keeps it: that of the embedded cloud, for example.
pub fn shared(config: &SdkConfig) -> SdkConfig {
    let client = config.http_client().or_else(default);
    let mut builder = config.to_builder();
    builder.set_http_client(client);
    builder.build()
}

/// The client that the SDK makes if a configuration has none.
fn default() -> Option<SharedHttpClient> {
    let plugin = default_http_client_plugin_v2(BehaviorVersion::latest())?;
    let components: Cow<'_, RuntimeComponentsBuilder> =
        plugin.runtime_components(&RuntimeComponentsBuilder::new("shared"));
    components.http_client()
}
