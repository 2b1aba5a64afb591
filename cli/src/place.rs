//! Where the system is that a command works with: its table, its region, and who asks.
//!
//! Everything comes from arguments, the environment and the shared configuration files. No metadata
//! service is asked: a laptop has none, and would wait for it.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, SystemTime};

use afterimage_aws::{Ledger, environment};
use afterimage_core::ids::Region;
use aws_config::BehaviorVersion;
use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};

use crate::Failure;
use crate::failure::chain;

/// The table, if nobody says otherwise.
const TABLE_DEFAULT: &str = "afterimage";

/// Where a function has the name of its execution environment, a command has this.
pub const STREAM: &str = "command";

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Where {
    /// The ledger's table; or else AFTERIMAGE_TABLE, or else `afterimage`.
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// The region of the stack; or else AWS_REGION, AWS_DEFAULT_REGION, or that of the profile.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Place {
    pub table: String,
    pub region: Region,
    pub config: SdkConfig,
}

impl Place {
    /// Finds out where the system is and who asks. The only call that it makes is to the clock of
    /// an embedded cloud.
    ///
    /// # Errors
    /// Something is missing, or is not what it should be.
    pub async fn find(arguments: &Where) -> Result<Place, Failure> {
        say_warnings();
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
        let config = loader.load().await;
        let config = match config.endpoint_url().and_then(time_at) {
            None => config,
            Some(clock) => config.into_builder().time_source(SharedTimeSource::new(clock)).build(),
        };
        Ok(Place { table, region, config })
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::new(&self.config, &self.table, STREAM)
    }

    /// Why a command that works here ended early.
    pub fn failed(&self, failure: &afterimage_aws::Failure) -> Failure {
        let told = chain(failure);
        let Place { table, region, .. } = self;
        if failure.is_table_missing() {
            return Failure::Input(format!(
                "{told}\n  there is no table `{table}` in {region}: --table and --region say \
                 where the stack is, infra/template.yaml deploys one"
            ));
        }
        let endpoint = self.config.endpoint_url().map(|url| format!(" at {url}"));
        let endpoint = endpoint.unwrap_or_default();
        Failure::Ours(format!("{told}\n  this was asked of {region}{endpoint}, table `{table}`"))
    }
}

/// An embedded cloud at this address, asked in a region by its administrator.
pub fn of_cloud(url: &str, region: &str) -> SdkConfig {
    let anyone = Credentials::new("any", "any", None, None, "the embedded cloud");
    let builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.to_string()))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(anyone));
    match time_at(url) {
        None => builder.build(),
        Some(clock) => builder.time_source(SharedTimeSource::new(clock)).build(),
    }
}

/// What the ledger leaves out because it cannot be read is told, on stderr.
fn say_warnings() {
    let ours = tracing_subscriber::EnvFilter::new("afterimage_aws=warn");
    let log = tracing_subscriber::fmt().with_env_filter(ours).with_writer(std::io::stderr);
    // If somebody else listens already, it is told there.
    log.without_time().with_target(false).with_ansi(false).try_init().ok();
}

async fn region(arguments: &Where) -> Result<Region, Failure> {
    let named = match &arguments.region {
        Some(region) => Some(region.clone()),
        None => {
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new());
            chain.region().await.map(|region| region.to_string())
        }
    };
    let Some(named) = named else {
        let text = "no region is given\n  say --region REGION, set AWS_REGION, or choose a profile \
                    that has one: it is the region in which the stack was deployed";
        return Err(Failure::Input(text.into()));
    };
    Region::parse(&named).map_err(|error| Failure::Input(error.to_string()))
}

/// Looked for at once, so that a command says what is missing before it says what it cannot do.
async fn credentials() -> Result<SharedCredentialsProvider, Failure> {
    let environment = EnvironmentVariableCredentialsProvider::new();
    let profile = ProfileFileCredentialsProvider::builder().build();
    let both = CredentialsProviderChain::first_try("the environment", environment)
        .or_else("the profile", profile);
    match both.provide_credentials().await {
        Ok(_) => Ok(SharedCredentialsProvider::new(both)),
        Err(error) => Err(Failure::Input(format!(
            "no credentials of AWS are given: {}\n  set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; if you sign in with SSO, `aws configure \
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
    let runtime = runtime.map_err(|error| Failure::Ours(format!("cannot wait: {error}")))?;
    runtime.block_on(work)
}

/// An embedded cloud has a time of its own, and what is written there has to be of that time.
#[derive(Clone, Debug)]
struct Apart(SignedDuration);

impl TimeSource for Apart {
    fn now(&self) -> SystemTime {
        let ours = system_time();
        Duration::try_from(self.0.abs()).map_or(ours, |by| {
            let shifted =
                if self.0.is_negative() { ours.checked_sub(by) } else { ours.checked_add(by) };
            shifted.unwrap_or(ours)
        })
    }
}

/// What the clock of this machine says, for what no cloud is asked about.
pub fn now() -> Timestamp {
    Timestamp::try_from(system_time()).unwrap_or(Timestamp::MAX)
}

fn system_time() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "a command is where the clock is read")]
    SystemTime::now()
}

/// The time of the embedded cloud at this address; none if there is something else.
fn time_at(url: &str) -> Option<Apart> {
    let host = url.strip_prefix("http://")?.split('/').next()?;
    let told: serde_json::Value = serde_json::from_str(&get(host, "/_cloud/clock")?).ok()?;
    let there: Timestamp = told.get("now")?.as_str()?.parse().ok()?;
    let here = Timestamp::try_from(system_time()).ok()?;
    Some(Apart(there.duration_since(here)))
}

/// A cloud on this machine answers at once; whatever does not is none.
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4096;

fn get(host: &str, path: &str) -> Option<String> {
    let with_port = if host.contains(':') { host.to_string() } else { format!("{host}:80") };
    let address = with_port.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_string())
}
