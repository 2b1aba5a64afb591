//! The clock of this machine, and the clock of an embedded cloud.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};

/// Reads the clock of this machine, for a command that asks no cloud.
pub fn now() -> Timestamp {
    Timestamp::try_from(system_time()).unwrap_or(Timestamp::MAX)
}

fn system_time() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "a command is where the clock is read")]
    SystemTime::now()
}

/// Clock of an embedded cloud: the clock of this machine, shifted. What a command writes into such
/// a cloud has to bear the time of the cloud.
#[derive(Clone, Debug)]
pub struct CloudClock {
    ahead: SignedDuration,
}

impl CloudClock {
    /// Asks the embedded cloud at this address for its time. Anything else at the address has no
    /// clock to ask for.
    pub fn of(url: &str) -> Option<CloudClock> {
        let host = url.strip_prefix("http://")?.split('/').next()?;
        let answer: serde_json::Value = serde_json::from_str(&get(host, "/_cloud/clock")?).ok()?;
        let there: Timestamp = answer.get("now")?.as_str()?.parse().ok()?;
        let here = Timestamp::try_from(system_time()).ok()?;
        Some(CloudClock { ahead: there.duration_since(here) })
    }
}

impl TimeSource for CloudClock {
    fn now(&self) -> SystemTime {
        let here = system_time();
        let Ok(by) = Duration::try_from(self.ahead.abs()) else { return here };
        let there =
            if self.ahead.is_negative() { here.checked_sub(by) } else { here.checked_add(by) };
        there.unwrap_or(here)
    }
}

/// Time that a cloud on this machine has to answer. It answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4096;

fn get(host: &str, path: &str) -> Option<String> {
    let with_port = if host.contains(':') { host.to_string() } else { format!("{host}:80") };
    let address = with_port.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_string())
}
