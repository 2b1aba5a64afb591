//! The endpoints that the environment and the profile name, without those that are empty.

use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::Failure;

/// Services that the commands call, by the names that the SDK has for them.
const SERVICES: [&str; 4] = ["DynamoDB", "EC2", "EventBridge", "KMS"];

/// Variable that names an endpoint. With a service at its end, it is for that service alone.
const VARIABLE: &str = "AWS_ENDPOINT_URL";

/// Key of a profile that names an endpoint.
const KEY: &str = "endpoint_url";

/// Takes the empty endpoints out of a configuration. Shells and CI unset a variable by emptying
/// it, and the SDK would call the empty address.
///
/// # Errors
/// An endpoint is no address that can be called.
pub fn without_empty(config: &SdkConfig) -> Result<SdkConfig, Failure> {
    let settings = Settings(config.clone());
    for service in SERVICES {
        let endpoint = settings.of(service, VARIABLE);
        endpoint.as_deref().map_or(Ok(()), check)?;
    }
    let all = config.endpoint_url().map(str::to_string).filter(|url| !is_empty(url));
    let mut builder = config.to_builder();
    builder.set_endpoint_url(all);
    Ok(builder.service_config(settings).build())
}

fn check(endpoint: &str) -> Result<(), Failure> {
    let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    let wrong = match host {
        Some(host) if host.is_empty() || host.contains(char::is_whitespace) => "is not a URL",
        Some(_) => return Ok(()),
        None if endpoint.contains("://") => "begins with neither http:// nor https://",
        None => "has no http:// or https:// before its host",
    };
    let instead = "write one like http://127.0.0.1:4566";
    Err(Failure::Input(format!(
        "endpoint `{}` {wrong}; {instead} in {VARIABLE}, or in {KEY} of the profile",
        crate::text::printable(endpoint)
    )))
}

fn is_empty(value: &str) -> bool {
    value.trim().is_empty()
}

/// Settings of a configuration for one service each, in which an empty one is as good as none.
#[derive(Debug)]
struct Settings(SdkConfig);

impl Settings {
    fn of(&self, service: &str, variable: &str) -> Option<String> {
        let key = ServiceConfigKey::builder().service_id(service).env(variable).profile(KEY);
        self.load_config(key.build().ok()?)
    }
}

impl LoadServiceConfig for Settings {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let load = |key| self.0.service_config().and_then(|settings| settings.load_config(key));
        let set = |value: &String| !is_empty(value);
        let (service, profile) = (key.service_id(), key.profile());
        let found = load(key);
        if found.as_ref().is_none_or(set) {
            return found;
        }
        // The profile counts where the variable is empty: no variable has an empty name.
        let profile = ServiceConfigKey::builder().service_id(service).env("").profile(profile);
        load(profile.build().ok()?).filter(set)
    }
}
