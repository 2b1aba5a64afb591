//! Functions that are real programs: started by the cloud, fed through the port, on real time.
//!
//! The program is this test itself: run by the cloud, it finds the Runtime API in its environment
//! and is the runtime. So there is one test here and no more; the program would run the others.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use afterimage_cloud::Config;
use afterimage_cloud::door::port::{Options, Server};
use afterimage_cloud::lambda::{Code, FunctionSpec, enqueue, environments_of, kill};
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::{Entry, What};
use serde_json::{Value, json};

const API: &str = "AWS_LAMBDA_RUNTIME_API";
const ROLE: &str = "arn:aws:iam::123456789012:role/worker-role";
/// A hang is a failure, after longer than any machine should need.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn real_programs_are_invoked_and_their_deaths_are_noticed() {
    #[expect(clippy::disallowed_methods, reason = "it plays a runtime")]
    let api = env::var(API);
    match api {
        Ok(api) => be_the_runtime(&api),
        Err(_) => drive(),
    }
}

// The program.

/// One HTTP exchange on a connection of its own: the request id and the body of the answer.
fn exchange(api: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let rest = api.strip_prefix("http://").expect("a URL");
    let (address, base) = rest.split_once('/').expect("a path of the environment's own");
    let mut stream = TcpStream::connect(address).expect("the port is open");
    let length = body.len();
    let head = format!("{method} /{base}/2018-06-01/runtime/{path} HTTP/1.1");
    let head = format!("{head}\r\nhost: {address}\r\nconnection: close\r\n");
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}").expect("the port listens");
    let mut reader = BufReader::new(stream);
    let mut request_id = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("the port answers");
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("lambda-runtime-aws-request-id") {
            request_id = value.to_string();
        }
    }
    let mut body = String::new();
    reader.read_to_string(&mut body).expect("the port answers");
    (request_id, body)
}

fn be_the_runtime(api: &str) {
    loop {
        let (id, event) = exchange(api, "GET", "invocation/next", "");
        let event: Value = serde_json::from_str(&event).expect("an event");
        match event["do"].as_str() {
            Some("table") => {
                #[expect(clippy::disallowed_methods, reason = "it plays a runtime")]
                let table = env::var("TABLE").expect("it is set");
                let body = json!({ "errorType": table });
                exchange(api, "POST", &format!("invocation/{id}/error"), &body.to_string());
            }
            Some("exit") => std::process::exit(7),
            Some("hang") => {
                if let Some(mark) = event["mark"].as_str() {
                    std::fs::write(mark, "begun").expect("the folder is there");
                }
                std::thread::sleep(10 * PATIENCE);
            }
            _ => {
                exchange(api, "POST", &format!("invocation/{id}/response"), "{}");
            }
        }
    }
}

// The test.

struct World {
    server: Server,
    runtime: tokio::runtime::Runtime,
    /// A function with a timeout of two seconds.
    hasty: String,
    /// A function whose timeout no test reaches.
    patient: String,
}

impl World {
    fn new() -> World {
        let listen = "127.0.0.1:0".parse().expect("an address");
        let server = Server::start(Options { listen, speed: 1, config: Config::seeded(1) });
        let server = server.expect("a port is free");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let add = |name: &str, timeout| {
            let program = env::current_exe().expect("this test has a file");
            let scope = Scope::new("123456789012", "us-east-1");
            let mut spec = FunctionSpec::new(&scope, name, ROLE, Code::Binary(program));
            spec.timeout = timeout;
            spec.retry_attempts = 0;
            spec.variables = BTreeMap::from([("TABLE".to_string(), "points".to_string())]);
            let added = runtime.block_on(server.world().act(move |cloud| cloud.add_function(spec)));
            added.expect("the world lives").expect("within the limits")
        };
        let hasty = add("hasty", Duration::from_secs(2));
        let patient = add("patient", 10 * PATIENCE);
        World { server, runtime, hasty, patient }
    }

    fn invoke(&self, what: &str) {
        self.send(&self.hasty, json!({ "do": what }));
    }

    /// Sends an event on which the patient function hangs, and returns once its program does.
    fn hang(&self) {
        let mark = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-program-hangs");
        let _ = std::fs::remove_file(&mark);
        self.send(&self.patient, json!({ "do": "hang", "mark": mark }));
        #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
        let began = Instant::now();
        while !mark.exists() {
            assert!(began.elapsed() < PATIENCE, "the program was not given its event");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn send(&self, function: &str, event: Value) {
        let function = function.to_string();
        let sent = self.server.world().with(move |model| enqueue(model, &function, event));
        self.runtime.block_on(sent).expect("the world lives").expect("there is such a function");
    }

    fn tries(&self) -> Vec<Entry> {
        let seen = self.server.world().with(|model| {
            let entries = model.trace.entries().iter();
            entries.filter(|entry| entry.what == What::Invocation).cloned().collect()
        });
        self.runtime.block_on(seen).expect("the world lives")
    }

    /// Waits for the try of that number, and gives its outcome and whether it started cold.
    fn outcome(&self, number: usize) -> (String, bool) {
        #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
        let began = Instant::now();
        loop {
            let tries = self.tries();
            assert!(tries.len() <= number, "more tries than were asked for: {tries:#?}");
            if tries.len() == number {
                let last = &tries[number - 1];
                return (last.outcome.clone(), last.detail["coldStart"] == json!(true));
            }
            assert!(began.elapsed() < PATIENCE, "no {number} tries in time: {tries:#?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn kill(&self) {
        let arn = self.patient.clone();
        let killed = self.server.world().with(move |model| {
            for environment in environments_of(model, &arn) {
                kill(model, environment);
            }
        });
        self.runtime.block_on(killed).expect("the world lives");
    }
}

fn drive() {
    let world = World::new();
    let ended = |outcome: &str, cold: bool| (outcome.to_string(), cold);

    world.invoke("nothing");
    assert_eq!(world.outcome(1), ended("ok", true));
    world.invoke("table");
    assert_eq!(world.outcome(2), ended("points", false));
    world.invoke("exit");
    assert_eq!(world.outcome(3), ended("Runtime.ExitError", false));
    let error = world.tries()[2].detail["error"].to_string();
    assert!(error.contains("exit status 7"), "{error}");

    world.invoke("hang");
    assert_eq!(world.outcome(4), ended("Sandbox.Timedout", true));
    let took = world.tries()[3].detail["durationMs"].as_u64();
    assert_eq!(took, Some(2000));

    world.invoke("nothing");
    assert_eq!(world.outcome(5), ended("ok", true));
    world.hang();
    world.kill();
    assert_eq!(world.outcome(6), ended("Runtime.ExitError", true));

    // The server ends at once although a program waits for its next invocation.
    world.invoke("nothing");
    assert_eq!(world.outcome(7), ended("ok", false));
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let began = Instant::now();
    world.server.stop();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
