//! The stack that a command works with: its table, its region, and the credentials to call it.
//!
//! Everything comes from arguments, the environment and the shared configuration files. No metadata
//! service is asked: a laptop has none, and would wait for it.

use std::future::Future;

use afterimage_aws::{Ledger, environment};
use afterimage_core::ids::Region;
use aws_config::BehaviorVersion;
use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use aws_types::SdkConfig;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::clock::CloudClock;
use crate::failure::chain;
use crate::{Failure, endpoint};

/// Name of the table where neither an argument nor the environment gives one.
const TABLE_DEFAULT: &str = "afterimage";

/// Name of the caller. Functions use the name of their log stream here.
pub const STREAM: &str = "command";

/// Arguments that name the stack.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct Arguments {
    /// Table of the ledger; default: AFTERIMAGE_TABLE, then `afterimage`.
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Region of the stack; default: AWS_REGION, AWS_DEFAULT_REGION, then that of the profile.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

/// A deployed stack, and the configuration to call it.
#[derive(Clone, Debug)]
pub struct Stack {
    pub table: String,
    pub region: Region,
    pub config: SdkConfig,
}

impl Stack {
    /// Finds the stack, and the credentials to call it. The only call that this makes is to the
    /// clock of an embedded cloud.
    ///
    /// # Errors
    /// The region, the credentials or an endpoint are missing, or are wrong.
    pub async fn find(arguments: &Arguments) -> Result<Stack, Failure> {
        log_warnings();
        let region = region(arguments).await?;
        let credentials = credentials().await?;
        #[expect(clippy::disallowed_methods, reason = "a command is where the environment is read")]
        let named = std::env::var(environment::TABLE).ok().filter(|name| !name.is_empty());
        let table = arguments.table.clone().or(named).unwrap_or_else(|| TABLE_DEFAULT.to_string());
        #[expect(clippy::disallowed_methods, reason = "a command is where the SDK is configured")]
        let loader = aws_config::defaults(BehaviorVersion::latest());
        let loader = loader
            .region(aws_config::Region::new(region.to_string()))
            .credentials_provider(credentials);
        let config = endpoint::without_empty(&loader.load().await)?;
        let config = match config.endpoint_url().and_then(CloudClock::of) {
            None => config,
            Some(clock) => config.into_builder().time_source(SharedTimeSource::new(clock)).build(),
        };
        Ok(Stack { table, region, config })
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::new(&self.config, &self.table, STREAM)
    }

    /// Turns a failed call into the failure of the command.
    pub fn failed(&self, failure: &afterimage_aws::Failure) -> Failure {
        let causes = chain(failure);
        let Stack { table, region, .. } = self;
        if failure.is_table_missing() {
            return Failure::Input(format!(
                "{causes}\n  table `{table}` does not exist in {region}\n  name the stack with \
                 --table and --region, or deploy one with infra/template.yaml"
            ));
        }
        if matches!(failure, afterimage_aws::Failure::Format { .. }) {
            return Failure::Input(format!(
                "{causes}\n  use the command of the version that wrote it: nothing was read or \
                 written"
            ));
        }
        let endpoint = self.config.endpoint_url().map(|url| format!(" at {url}"));
        let endpoint = endpoint.unwrap_or_default();
        Failure::Ours(format!("{causes}\n  called: {region}{endpoint}, table `{table}`"))
    }
}

/// Makes the configuration to call an embedded cloud at this address, as its administrator.
pub fn cloud_config(url: &str, region: &str) -> SdkConfig {
    let anyone = Credentials::new("any", "any", None, None, "the embedded cloud");
    let builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.to_string()))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(anyone));
    match CloudClock::of(url) {
        None => builder.build(),
        Some(clock) => builder.time_source(SharedTimeSource::new(clock)).build(),
    }
}

/// Logs warnings to stderr, such as items of the ledger that cannot be read and are skipped.
fn log_warnings() {
    let ours = Targets::new().with_target("afterimage_aws", LevelFilter::WARN);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = lines.without_time().with_target(false).with_ansi(false);
    // A process that has a logger already keeps it.
    tracing_subscriber::registry().with(ours).with(lines).try_init().ok();
}

async fn region(arguments: &Arguments) -> Result<Region, Failure> {
    let named = match &arguments.region {
        Some(region) => Some(region.clone()),
        None => {
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new());
            chain.region().await.map(|region| region.to_string())
        }
    };
    let Some(named) = named else {
        let text = "no region is given\n  pass --region REGION, set AWS_REGION, or choose a \
                    profile that has a region; use the region in which the stack is deployed";
        return Err(Failure::Input(text.into()));
    };
    Region::parse(&named).map_err(|error| Failure::Input(error.to_string()))
}

/// Variables of the environment that name a region, in the order in which they count.
pub const VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Variable of the environment that names a profile.
const PROFILE: &str = "AWS_PROFILE";

/// Places from which the region and the credentials may come.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Each place and the region that it names, in the order in which they count.
    pub regions: Vec<(&'static str, Option<String>)>,
    /// The place in which the credentials were found.
    pub credentials: String,
}

/// Returns where the region and the credentials come from.
pub async fn sources(arguments: &Arguments) -> Sources {
    #[expect(clippy::disallowed_methods, reason = "a command is where the environment is read")]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let profile = ProfileFileRegionProvider::new().region().await;
    let mut regions: Vec<(&str, Option<String>)> = Vec::new();
    regions.extend(arguments.region.clone().map(|region| ("--region", Some(region))));
    regions.extend(VARIABLES.map(|name| (name, variable(name))));
    regions.push(("the profile", profile.map(|region| region.to_string())));
    let environment = EnvironmentVariableCredentialsProvider::new();
    let credentials = match environment.provide_credentials().await {
        Ok(_) => "the environment".to_string(),
        Err(_) => format!("profile {}", variable(PROFILE).unwrap_or_else(|| "default".into())),
    };
    Sources { regions, credentials }
}

/// Finds the credentials before anything is called, so that a command first says what is missing.
async fn credentials() -> Result<SharedCredentialsProvider, Failure> {
    let environment = EnvironmentVariableCredentialsProvider::new();
    let profile = ProfileFileCredentialsProvider::builder().build();
    let both = CredentialsProviderChain::first_try("the environment", environment)
        .or_else("the profile", profile);
    match both.provide_credentials().await {
        Ok(_) => Ok(SharedCredentialsProvider::new(both)),
        Err(error) => Err(Failure::Input(format!(
            "no AWS credentials were found: {}\n  set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE\n  if you sign in with SSO, `aws configure \
             export-credentials --format env` prints them",
            chain(&error)
        ))),
    }
}

/// Runs a command that calls AWS.
///
/// # Errors
/// The command's own.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::Ours(format!("cannot start the async runtime: {error}")))?;
    runtime.block_on(work)
}
