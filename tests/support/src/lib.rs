//! What the tests of the functions share: an embedded cloud on a port, with Afterimage deployed in
//! it as the template says, and one of its functions as the real binary that is tested.
//!
//! A binary lives on the machine's time, and so does the world around it: what takes minutes
//! elsewhere (a machine starts, a snapshot is filled) is quick here.

pub mod machines;
pub mod records;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use afterimage_aws::{Aws, Environment, Ledger};
use afterimage_cloud::deploy::Deployment;
use afterimage_cloud::door::port::{Options, Server};
use afterimage_cloud::lambda::{self, BoxFuture, Code, FunctionError, enqueue};
use afterimage_cloud::trace::{Entry, What};
use afterimage_cloud::{Cloud, Config, Time};
use afterimage_core::ids::AccountId;
use afterimage_core::policy::file;
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use aws_types::region::Region;
use jiff::Timestamp;
use serde_json::{Value, json};

pub const ACCOUNT: &str = "123456789012";
/// Where the stack is, and where the events in `events/` come from.
pub const SEAT: &str = "us-east-1";

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
const STACK: &str = "afterimage";
/// The functions: what each is about has its name, and a sample in `events/`.
pub const FUNCTIONS: [&str; 7] = [
    "backup-tick",
    "image-state-changed",
    "instance-state-changed",
    "instance-tagged",
    "reconcile-tick",
    "snapshots-completed",
    "work-requested",
];

/// A hang is a failure, after longer than any machine should need.
const PATIENCE: Duration = Duration::from_secs(120);

/// A world, and the administrator in it.
pub struct World {
    pub server: Server,
    pub config: SdkConfig,
    pub ledger: Ledger,
    function: String,
}

/// Lives through a scenario in a world in which one function is a real program, and the others
/// take events and do nothing.
pub fn with_binary(name: &str, program: &str, scenario: impl AsyncFnOnce(&World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let world = World::start(name, program).await;
        scenario(&world).await;
        world.server.stop();
    });
}

/// Lives through a scenario in virtual time, in a world in which all functions do nothing: what is
/// tested acts in their place, as the administrator.
pub fn in_process(scenario: impl AsyncFnOnce(Cloud, Aws)) {
    Cloud::run(Config::default(), async |cloud| {
        cloud.deploy(TEMPLATE, at_seat(None)).expect("the template is deployed");
        let environment = Environment {
            table: STACK.to_string(),
            bus: STACK.to_string(),
            account: AccountId::parse(ACCOUNT).expect("it is an account"),
            seat: records::region(SEAT),
            stream: "test".to_string(),
            function: "afterimage-here".to_string(),
            stop_start_at_once: 0,
            allow_reboot: false,
            heal_gib_per_day: 1024,
            template: None,
        };
        let aws = Aws::start(environment, &cloud.sdk_config(SEAT));
        scenario(cloud, aws).await;
    });
}

/// What the clocks show, the machine's and the world's.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "real programs live on the machine's time")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).expect("the clock is right");
    Timestamp::from_millisecond(millis).expect("the clock is right")
}

impl World {
    async fn start(name: &str, program: &str) -> World {
        let listen = ([127, 0, 0, 1], 0).into();
        let options = Options { listen, speed: 1, config: quick() };
        let server = Server::start(options).expect("a free port can be had");
        let at_seat = at_seat(Some((name, program)));
        let deployed = server.world().act(move |cloud| cloud.deploy(TEMPLATE, at_seat)).await;
        let stack = deployed.expect("the world is there").expect("the template is deployed");
        let config = administrator(&server.url()).await;
        let table = stack.outputs.get("LedgerName").expect("the ledger is an output");
        let ledger = Ledger::new(&config, table, "test");
        let function = format!("arn:aws:lambda:{SEAT}:{ACCOUNT}:function:{STACK}-{name}");
        World { server, config, ledger, function }
    }

    /// Puts policies in force.
    pub async fn policies(&self, yaml: &str) {
        let policies = file::read(yaml).expect("the policies are right");
        for policy in &policies {
            self.ledger.put_policy(policy, now()).await.expect("the ledger is written");
            for region in &policy.select.regions {
                self.ledger.put_region(region).await.expect("the ledger is written");
            }
        }
    }

    /// Has the function handle an event; the trace says what became of it.
    pub async fn invoke(&self, event: Value) -> Entry {
        let function = self.function.clone();
        let before = self.tries().await.len();
        let queued = self.server.world().with(move |model| enqueue(model, &function, event)).await;
        queued.expect("the world is there").expect("the function is there");
        self.ended(before + 1).await
    }

    /// Waits until the function has ended so many tries; the last of them.
    pub async fn ended(&self, number: usize) -> Entry {
        let begun = start_watch();
        loop {
            let tries = self.tries().await;
            if let Some(entry) = tries.get(number.saturating_sub(1)) {
                return entry.clone();
            }
            let told = self.entries(What::Call).await;
            assert!(begun.elapsed() < PATIENCE, "the function does not end: {told:#?}");
            pause().await;
        }
    }

    /// The tries of the function that ended, first to last.
    async fn tries(&self) -> Vec<Entry> {
        let name = self.function.rsplit(':').next().unwrap_or_default().to_string();
        let tries = self.entries(What::Invocation).await;
        tries.into_iter().filter(|entry| entry.action == name).collect()
    }

    /// The lines of the trace of one sort.
    pub async fn entries(&self, what: What) -> Vec<Entry> {
        let lines = self.server.world().with(move |model| {
            let lines = model.trace.entries().iter().filter(|entry| entry.what == what);
            lines.cloned().collect()
        });
        lines.await.expect("the world is there")
    }

    /// The calls of the function, by their actions, each with its outcome: all but its heartbeat,
    /// and the number of the format that it writes with it.
    pub async fn calls(&self) -> Vec<(String, String)> {
        let calls = self.entries(What::Call).await;
        let is_heartbeat = |call: &Entry| {
            let of_item = |key: &str| call.detail["Item"][key]["S"].as_str();
            of_item("pk") == Some("functions") || of_item("sk") == Some("format")
        };
        let own = calls.into_iter().filter(|call| call.principal.contains(":assumed-role/"));
        let own = own.filter(|call| !is_heartbeat(call));
        own.map(|call| (call.action, call.outcome)).collect()
    }

    /// What was sent to our own bus, as (kind, region).
    pub async fn wakes(&self) -> Vec<(String, String)> {
        let events = self.entries(What::Event).await;
        let ours = events.iter().filter(|event| event.action == "Work Requested");
        let detail = |event: &Entry, key: &str| {
            let detail = event.detail.get("detail").unwrap_or(&event.detail);
            detail[key].as_str().unwrap_or_default().to_string()
        };
        ours.map(|event| (detail(event, "kind"), detail(event, "region"))).collect()
    }
}

/// An event out of `events/`, with ids of this world in the place of those in the sample.
pub fn sample(text: &str, ids: &[(&str, &str)]) -> Value {
    let replace = |text: String, (from, to): &(&str, &str)| {
        assert!(text.contains(from), "the sample does not name {from}");
        text.replace(from, to)
    };
    let text = ids.iter().fold(text.to_string(), replace);
    serde_json::from_str(&text).expect("a sample is JSON")
}

/// How a world is in which one waits for real.
fn quick() -> Config {
    const MOMENT: Duration = Duration::from_millis(50);
    let millis = u64::try_from(now().as_millisecond()).expect("it is long after 1970");
    let mut config = Config { start: Time::from_millis(millis), ..Config::default() };
    config.pace.instance_starts = MOMENT;
    config.pace.instance_stops = MOMENT;
    config.pace.volume_creates = MOMENT;
    config.pace.volume_moves = MOMENT;
    config.pace.event_delay_ms = 0..=0;
    config
}

/// The stack, with one real program or with none.
fn at_seat(binary: Option<(&str, &str)>) -> Deployment {
    let code = |function: &str| match binary {
        Some((name, program)) if name == function => Code::Binary(program.into()),
        _ => Code::InProcess(Arc::new(|_, _| Box::pin(async { Ok(Box::new(Idle) as _) }))),
    };
    let code = FUNCTIONS.map(|function| (format!("{STACK}-{function}"), code(function)));
    Deployment {
        account: ACCOUNT.to_string(),
        region: SEAT.to_string(),
        stack_name: STACK.to_string(),
        parameters: BTreeMap::new(),
        code: BTreeMap::from(code),
    }
}

/// A function that does nothing.
struct Idle;

impl lambda::Instance for Idle {
    fn handle(
        &mut self,
        _event: Value,
        _context: lambda::Context,
    ) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async { Ok(json!({})) })
    }
}

/// Whoever has an access key that nobody declared may do everything.
async fn administrator(url: &str) -> SdkConfig {
    #[expect(clippy::disallowed_methods, reason = "nothing of it comes from this machine")]
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "any", None, None, "test");
    let loader = loader.region(Region::new(SEAT)).credentials_provider(credentials);
    loader.endpoint_url(url).load().await
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[expect(clippy::disallowed_methods, reason = "a test waits for a program for as long as it may")]
fn start_watch() -> Instant {
    Instant::now()
}

/// Tells whether a person asks for the tests that take minutes, by the variable `AFTERIMAGE_LONG`.
pub fn is_long() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a person asks for the long test")]
    std::env::var_os("AFTERIMAGE_LONG").is_some()
}

/// A number that differs from commit to commit; zero where there is no history.
pub fn commit_number() -> u64 {
    let head = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    let head = head.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let digits = head.unwrap_or_default().chars().take(15).collect::<String>();
    u64::from_str_radix(&digits, 16).unwrap_or_default()
}
