//! The doors: callers with a wrong clock, and clients of the port that behave badly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use afterimage_cloud::dispatch::{self, Answer};
use afterimage_cloud::door::port::{Options, Server};
use afterimage_cloud::http::Request;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};

use crate::raw;

/// Longer than a server gives its clients when it stops.
const PATIENCE: Duration = Duration::from_secs(10);

fn served() -> Server {
    let listen = ([127, 0, 0, 1], 0).into();
    Server::start(Options { listen, speed: 0, config: Config::seeded(1) }).expect("a free port")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// The status line of the answer to what is sent; empty if there is none.
fn send(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    // A server that has read enough may close before all is written.
    stream.write_all(request).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer);
    answer.lines().next().unwrap_or_default().to_string()
}

fn is_healthy(address: SocketAddr) -> bool {
    let get = b"GET /_cloud/health HTTP/1.1\r\nhost: cloud\r\nconnection: close\r\n\r\n";
    send(address, get) == "HTTP/1.1 200 OK"
}

fn dated(mut request: Request, date: &str) -> Request {
    request.headers.push(("x-amz-date".to_string(), date.to_string()));
    request
}

/// The status of the answer in process, and its body.
fn in_process(cloud: &Cloud, request: &Request) -> (u16, String) {
    match cloud.with(|model| dispatch::answer_in_process(model, request)) {
        Answer::Reply(response) => (response.status, raw::text(&response).to_string()),
        other => panic!("no reply but {other:?}"),
    }
}

#[test]
fn a_signature_may_be_a_quarter_of_an_hour_off_and_no_more() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let list = raw::ec2("DescribeTags", "");
        for date in ["20251231T234500Z", "20260101T000000Z", "20260101T001500Z"] {
            assert_eq!(in_process(&cloud, &dated(list.clone(), date)).0, 200, "{date}");
        }
        for date in ["20251231T234459Z", "20260101T001501Z"] {
            let (status, body) = in_process(&cloud, &dated(list.clone(), date));
            assert_eq!(status, 400, "{date}");
            assert!(body.contains("<Code>RequestExpired</Code>"), "{body}");
        }
        let keys = raw::json("us-east-1", "kms", "TrentService.ListKeys", "{}");
        let (status, body) = in_process(&cloud, &dated(keys.clone(), "20251231T000000Z"));
        assert_eq!(status, 400);
        let text = "Signature expired: 20251231T000000Z is now earlier than 20251231T234500Z \
                    (20260101T000000Z - 15 min.)";
        assert!(body.contains("\"InvalidSignatureException\"") && body.contains(text), "{body}");
        let (_, body) = in_process(&cloud, &dated(keys, "20260102T000000Z"));
        assert!(body.contains("Signature not yet current: 20260102T000000Z"), "{body}");
    });
}

/// A client of the port lives on the machine's time, which is not the world's.
#[test]
fn dates_do_not_matter_at_the_port() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let request = dated(raw::ec2("DescribeTags", ""), "20380119T031407Z");
        assert_eq!(raw::reply(&cloud, &request).status, 200);
    });
}

#[test]
fn a_call_into_a_dark_region_finds_nobody_and_is_in_the_trace() {
    Cloud::run(Config::seeded(1), async |cloud| {
        cloud.with(|model| model.dark_regions.insert("us-east-1".to_string()));
        assert_eq!(cloud.answer(&raw::ec2("DescribeTags", "")), Answer::Unreachable);
        cloud.with(|model| {
            let [entry] = model.trace.entries() else { panic!("one line") };
            assert_eq!((entry.what, entry.action.as_str()), (What::Fault, "DescribeTags"));
            assert_eq!(entry.outcome, "no connection: the region is dark");
        });
    });
}

#[test]
fn a_server_stops_while_clients_hang() {
    let server = served();
    let address = server.address();
    let call = "POST / HTTP/1.1\r\nhost: cloud\r\ncontent-length: 100\r\n\r\nAction=";
    let mut hanging = Vec::new();
    for begun in ["", "POST / HT", "POST / HTTP/1.1\r\nhost: cl", call] {
        let mut stream = connect(address);
        stream.write_all(begun.as_bytes()).expect("the port reads");
        hanging.push(stream);
    }
    // One more breaks off in the middle.
    connect(address).write_all(call.as_bytes()).expect("the port reads");
    assert!(is_healthy(address));
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn too_much_of_anything_is_refused_and_the_server_lives_on() {
    let server = served();
    let address = server.address();
    let too_large = 16 * 1024 * 1024 + 1;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: cloud\r\nconnection: close\r\ncontent-length: {too_large}\r\n\r\n"
    );
    let mut large = head.into_bytes();
    large.resize(large.len() + too_large, b'a');
    assert_eq!(send(address, &large), "HTTP/1.1 413 Payload Too Large");

    let many: String = (0..1_000).map(|n| format!("x-header-{n}: 1\r\n")).collect();
    let flood = format!("GET /_cloud/health HTTP/1.1\r\nhost: cloud\r\n{many}\r\n");
    assert_eq!(send(address, flood.as_bytes()), "HTTP/1.1 431 Request Header Fields Too Large");

    assert_eq!(send(address, b"no HTTP at all\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    let open: Vec<TcpStream> = (0..200).map(|_| connect(address)).collect();
    assert!(is_healthy(address));
    drop(open);
}

#[test]
fn a_request_is_answered_and_a_server_stops_while_much_time_passes() {
    let server = served();
    let world = server.world().clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let rule = r#"{"Name": "minutes", "ScheduleExpression": "rate(1 minute)"}"#;
        let rule = raw::json("us-east-1", "events", "AWSEvents.PutRule", rule);
        world.call(rule).await.expect("the world is there");
        // Ten years of minutes take longer than anybody waits.
        let years = Duration::from_secs(10 * 365 * 24 * 3600);
        let passing = tokio::spawn({
            let world = world.clone();
            async move { world.advance(years).await.is_err() }
        });
        let clock = async || world.with(|model| model.now).await.expect("the world is there");
        let begun = clock().await;
        while clock().await == begun {}
        assert!(is_healthy(server.address()));
        #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
        let stopping = Instant::now();
        server.stop();
        assert!(stopping.elapsed() < PATIENCE, "{:?}", stopping.elapsed());
        assert!(passing.await.expect("the task ends"), "the time never came");
        assert!(world.with(|_| ()).await.is_err());
    });
}
