//! `afterimage cloud`, as a user starts and ends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_ec2::types as ec2;

struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(arguments: &[&str]) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_afterimage"))
            .args(["cloud", "--listen", "localhost:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it prints a line");
        let url = line.trim_end().strip_prefix("ready http://").expect(&line);
        Served { address: url.to_string(), child }
    }

    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: cloud\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in text");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        (status.expect("an answer has a status"), body.to_string())
    }

    fn end(mut self, signal: &str) -> (Option<i32>, Duration) {
        let id = self.child.id().to_string();
        #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
        let begun = Instant::now();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(sent.success());
        let status = self.child.wait().expect("it ends");
        (status.code(), begun.elapsed())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn fails(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_afterimage")).args(arguments).output().expect("it starts")
}

#[test]
fn it_says_where_it_listens_and_ends_cleanly_on_either_signal() {
    for signal in ["-INT", "-TERM"] {
        let served = Served::start(&[]);
        let (status, body) = served.request("GET", "/_cloud/health", "");
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("\"status\":\"ok\""), "{body}");
        let (code, took) = served.end(signal);
        assert_eq!(code, Some(0), "{signal}");
        assert!(took < Duration::from_secs(5), "{signal}: {took:?}");
    }
}

impl Served {
    fn clock(&self) -> String {
        self.request("GET", "/_cloud/clock", "").1
    }

    /// Asks for the time again and again, until it is at least this.
    fn wait_until(&self, time: &str) {
        #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
        let begun = Instant::now();
        while self.clock().as_str() < clock(time).as_str() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{} is too slow", self.clock());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Answer of a cloud whose clock shows this time.
fn clock(time: &str) -> String {
    format!("{{\"now\":\"{time}\"}}\n")
}

#[test]
fn the_clock_stands_still_at_speed_zero_and_moves_on_demand() {
    let standing = Served::start(&["--speed", "0"]);
    // Started later, so that a clock that ran in the first cloud would be ahead of this one.
    let running = Served::start(&["--speed", "1"]);
    running.wait_until("2026-01-01T00:00:01Z");
    assert_eq!(standing.clock(), clock("2026-01-01T00:00:00Z"));
    let week = "{\"advance_seconds\": 604800}";
    let moved = standing.request("POST", "/_cloud/clock", week);
    assert_eq!(moved, (200, clock("2026-01-08T00:00:00Z")));
}

#[test]
fn the_clock_runs_as_fast_as_it_is_told() {
    // An hour takes a second at this speed.
    Served::start(&["--speed", "3600"]).wait_until("2026-01-01T01:00:00Z");
}

#[test]
fn a_port_that_is_taken_is_the_users_to_change() {
    let served = Served::start(&[]);
    let (_, port) = served.address.split_once(':').expect("it has a port");
    for bare in [port, &format!(":{port}"), &format!("localhost:{port}")] {
        let said =
            String::from_utf8_lossy(&fails(&["cloud", "--listen", bare]).stderr).into_owned();
        assert!(said.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{bare}: {said}");
    }
    let second = fails(&["cloud", "--listen", &served.address]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        said.contains(&served.address) && said.contains("127.0.0.1:0 picks a free one"),
        "{said}"
    );
    assert!(second.stdout.is_empty());
}

#[test]
fn wrong_arguments_are_told_and_exit_with_1() {
    for arguments in
        [&["cloud", "--listen", "nowhere"][..], &["cloud", "--speed", "-1"], &["clout"]]
    {
        let output = fails(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let told = [
        (["cloud", "--listen", "-1"], "such as 127.0.0.1:4566"),
        (["cloud", "--listen", "65536"], "such as 127.0.0.1:4566"),
        (["cloud", "--speed", "-1"], "expected a whole number from 0 to 100000"),
        (["cloud", "--speed", "1e9"], "expected a whole number from 0 to 100000"),
        (["cloud", "--recycle-bin-days", "366"], "expected a whole number from 0 to 365"),
        (["cloud", "--recycle-bin-days", "-1"], "expected a whole number from 0 to 365"),
    ];
    for (arguments, told) in told {
        let said = fails(&arguments).stderr;
        assert!(String::from_utf8_lossy(&said).contains(told), "{arguments:?}");
    }
    assert_eq!(fails(&["--help"]).status.code(), Some(0));
    assert_eq!(fails(&["--version"]).status.code(), Some(0));
}

#[test]
fn control_requests_that_are_wrong_are_answered_with_what_is_right() {
    let served = Served::start(&["--speed", "0"]);
    let wrong = [
        ("GET", "/_cloud/nothing", "", 404, "GET health"),
        ("POST", "/_cloud/clock", "{\"advance_seconds\": -1}", 400, "whole number"),
        ("POST", "/_cloud/clock", "{\"advance\": 1}", 400, "advance_seconds"),
        ("POST", "/_cloud/clock", "seconds", 400, "not JSON"),
        ("POST", "/_cloud/clock", "", 400, "body is missing"),
        ("GET", "/_cloudhealth", "", 403, "/_cloud/health"),
        ("GET", "/", "", 403, "sign the request with any credentials"),
        ("POST", "/_cloud/regions/moon-1", "{\"up\": false}", 404, "moon-1"),
        ("POST", "/_cloud/regions/us-east-1", "{\"up\": 1}", 400, "true or false"),
        ("POST", "/_cloud/accounts", "{\"account\": \"12\"}", 400, "twelve digits"),
        ("GET", "/_cloud/trace?from=1", "", 400, "since"),
    ];
    for (method, path, body, status, said) in wrong {
        let answer = served.request(method, path, body);
        assert_eq!(answer.0, status, "{method} {path}: {}", answer.1);
        assert!(answer.1.contains(said), "{method} {path}: {}", answer.1);
    }
}

/// Policy that images the machines of `backup: gold` every hour, in three regions.
const POLICY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(1 hour), timezone: UTC}]
    replicate: [{region: eu-west-1}, {region: ap-southeast-1}]
";

fn policy_file(name: &str, text: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).expect("there is room for a file");
    file.display().to_string()
}

impl Served {
    /// Runs the command in the environment that stderr tells to set.
    fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_afterimage"))
            .args(arguments)
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .envs([("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any")])
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .output()
            .expect("it starts")
    }

    fn ec2(&self, region: &str) -> aws_sdk_ec2::Client {
        let url = format!("http://{}", self.address);
        aws_sdk_ec2::Client::new(&afterimage::stack::cloud_config(&url, region))
    }
}

#[tokio::test]
async fn with_the_system_a_tagged_machine_is_imaged_in_three_regions() {
    let file = policy_file("gold.yaml", POLICY);
    let mut served = Served::start(&["--speed", "0", "--system", "--policies", &file]);
    let home = served.ec2("us-east-1");
    let named = ec2::Filter::builder().name("name").values("al2023-ami-*-x86_64").build();
    let images = home.describe_images().owners("amazon").filters(named).send().await;
    let images = images.expect("public images are listed");
    let tag = ec2::Tag::builder().key("backup").value("gold").build();
    let tags = ec2::TagSpecification::builder().resource_type(ec2::ResourceType::Instance);
    let launched = home
        .run_instances()
        .image_id(images.images()[0].image_id().expect("an image has an id"))
        .instance_type(ec2::InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .tag_specifications(tags.tags(tag).build())
        .send()
        .await
        .expect("a machine is launched");
    let machine = launched.instances()[0].instance_id().expect("a machine has an id");
    let advanced = served.request("POST", "/_cloud/clock", "{\"advance_seconds\": 7200}");
    assert_eq!(advanced.0, 200, "{}", advanced.1);
    for region in ["us-east-1", "eu-west-1", "ap-southeast-1"] {
        let images = served.ec2(region).describe_images().owners("self").send().await;
        let images = images.expect("own images are listed");
        let available = Some(&ec2::ImageState::Available);
        assert!(images.images().iter().any(|image| image.state() == available), "{region}");
    }
    let status = served.command(&["status", "--json"]);
    let (told, wrong) = (text(&status.stdout), text(&status.stderr));
    assert!(status.status.success() && told.contains(machine), "{told}\n{wrong}");
    served.child.kill().expect("it runs");
    let mut said = String::new();
    let stderr = served.child.stderr.as_mut().expect("stderr is piped");
    stderr.read_to_string(&mut said).expect("it is text");
    let steps = [
        "its seat in us-east-1",
        "ap-southeast-1, eu-central-1, eu-west-1",
        "In force: gold.",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:",
        "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1",
        "afterimage status",
    ];
    for step in steps {
        assert!(said.contains(step), "{step}: {said}");
    }
}

#[tokio::test]
async fn what_is_deleted_is_kept_in_the_recycle_bin_for_as_many_days_as_it_is_told() {
    for (arguments, is_kept) in [(&["--recycle-bin-days", "2"][..], true), (&[], false)] {
        let served = Served::start(&[&["--speed", "0"], arguments].concat());
        let home = served.ec2("us-east-1");
        let pass = |seconds: u32| {
            let body = format!("{{\"advance_seconds\": {seconds}}}");
            assert_eq!(served.request("POST", "/_cloud/clock", &body).0, 200);
        };
        let images = home.describe_images().owners("amazon").send().await.expect("are listed");
        let machine = home.run_instances().min_count(1).max_count(1);
        let machine = machine.instance_type(ec2::InstanceType::T3Micro);
        let named = |image: &&ec2::Image| {
            image.name().is_some_and(|it| it.starts_with("al2023") && it.ends_with("x86_64"))
        };
        let public = images.images().iter().find(named).and_then(|image| image.image_id());
        let machine = machine.image_id(public.expect("an image has an id")).send().await;
        let machine = machine.expect("a machine is launched");
        let machine = machine.instances()[0].instance_id().expect("it has an id").to_string();
        pass(120);
        let image = home.create_image().instance_id(machine).name("mine").send().await;
        let image = image.expect("it is made").image_id().expect("it has an id").to_string();
        pass(3600);
        home.deregister_image().image_id(&image).send().await.expect("it is deregistered");
        pass(24 * 3600);
        let bin = async || home.list_images_in_recycle_bin().send().await.expect("is listed");
        assert_eq!(bin().await.images().len(), usize::from(is_kept), "{arguments:?}");
        pass(25 * 3600);
        assert_eq!(bin().await.images().len(), 0, "{arguments:?}");
    }
}

#[test]
fn what_is_wrong_with_the_system_is_told_before_anything_is_ready() {
    let wrong = policy_file("wrong.yaml", "policies:\n  gold: {selct: {}}\n");
    let cases = [
        (&["--system", "--policies", &wrong][..], "selct"),
        (&["--system", "--policies", "nowhere.yaml"], "nowhere.yaml"),
        (
            &["--system", "--regions", "eu-west-9"],
            "error: the embedded cloud has no region `eu-west-9`\n",
        ),
        (&["--policies", &wrong], "--system"),
        (&["--regions", "eu-west-1"], "--system"),
    ];
    for (arguments, said) in cases {
        let output = fails(&[&["cloud", "--listen", "127.0.0.1:0"], arguments].concat());
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_that_cannot_be_written_is_no_success() {
    let full = std::fs::File::create("/dev/full").expect("the device is there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
    let output = command.arg("--help").stdout(full).stderr(Stdio::piped()).spawn();
    let output = output.expect("the command starts").wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write to stdout"), "{}", text(&output.stderr));
}
