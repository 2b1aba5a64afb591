//! Door two: one HTTP port for every service and region, and the control of the world.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{self, Message};
use super::{control, runtime_api};
use crate::cloud::Cloud;
use crate::dispatch::Answer;
use crate::kernel::config::Config;
use crate::kernel::http::{Request, Response};
use crate::lambda::ProcessKeeper;

pub use super::handle::{Ended, World};

/// Larger than any request of a modelled operation.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Time between two moves of a clock that runs.
const TICK: Duration = Duration::from_millis(20);
/// Time that requests under way have to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// The world to be served, and the place to serve it.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    /// Virtual seconds per real second; 0 holds the clock, which then moves on demand only.
    pub speed: u32,
    pub config: Config,
}

/// A world that is being served. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    world: World,
    stop: watch::Sender<bool>,
    port: Option<JoinHandle<()>>,
    living: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds the port and starts to serve, on two threads: the world's and the port's.
    pub fn start(options: Options) -> io::Result<Server> {
        let listener = StdListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (sender, inbox) = unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let world = World { sender, speed: options.speed };
        let config = options.config;
        let endpoint = endpoint(address);
        let (given, keeper) = oneshot::channel();
        let living = std::thread::Builder::new().name("world".into()).spawn(move || {
            Cloud::run(config, async |cloud| {
                // Before the first message, which may be an invocation.
                given.send(cloud.attach_processes(&endpoint)).ok();
                world::serve(cloud, inbox).await;
            });
        })?;
        let port = Port { world: world.clone(), stopped };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = std::thread::Builder::new()
            .name("port".into())
            .spawn(move || runtime.block_on(port.serve(listener, keeper)))?;
        Ok(Server { address, world, stop, port: Some(serving), living: Some(living) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients set as their endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    /// Ends the server: requests under way are answered first, for a moment.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send(true).ok();
        if let Some(port) = self.port.take() {
            port.join().ok();
        }
        // Not before the port, whose requests under way are answered first.
        self.world.sender.send(Message::End).ok();
        if let Some(living) = self.living.take() {
            living.join().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Clone)]
struct Port {
    world: World,
    stopped: watch::Receiver<bool>,
}

impl Port {
    async fn serve(self, listener: StdListener, keeper: oneshot::Receiver<ProcessKeeper>) {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let mut stopped = self.stopped.clone();
        let mut connections = JoinSet::new();
        let clock = tokio::spawn(self.clone().keep_clock());
        let processes = tokio::spawn(keep_processes(keeper));
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(self.clone().serve_connection(stream));
                    }
                    // Out of descriptors, most likely: wait until some are given back.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
            }
        }
        clock.abort();
        // Before the connections are waited for: theirs are open for as long as they live.
        processes.abort();
        let all = async { while connections.join_next().await.is_some() {} };
        tokio::time::timeout(GRACE, all).await.ok();
        connections.shutdown().await;
    }

    /// Moves the clock as real time passes, if it runs at all.
    async fn keep_clock(self) {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            // Whole milliseconds only, so that nothing is lost to rounding.
            let millis = u64::try_from(last.elapsed().as_millis()).unwrap_or(u64::MAX);
            last += Duration::from_millis(millis);
            // Real programs live on the machine's time, and so must their world.
            let Ok(bound) = self.world.act(Cloud::clock_is_bound).await else { return };
            let speed = if bound { 1 } else { u64::from(self.world.speed) };
            let span = Duration::from_millis(millis.saturating_mul(speed));
            if speed > 0 && self.world.advance(span).await.is_err() {
                return;
            }
        }
    }

    async fn serve_connection(self, stream: TcpStream) {
        let mut stopped = self.stopped.clone();
        let answer = service_fn(|request| {
            let port = self.clone();
            async move { port.answer(request).await }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .preserve_header_case(false)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = std::pin::pin!(connection);
        let stop = async { stopped.wait_for(|stopped| *stopped).await.is_ok() };
        tokio::select! {
            biased;
            // A client that breaks off is no error of ours.
            _ = connection.as_mut() => return,
            _ = stop => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await.ok();
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, Unanswered> {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(_) => {
                let text = format!("The request body is larger than {BODY_BYTES_MAX} bytes\n");
                return write(Response::new(413, "text/plain", text));
            }
        };
        let headers = parts.headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let request = Request {
            method: parts.method.to_string(),
            path: parts.uri.path().to_string(),
            query: parts.uri.query().unwrap_or_default().to_string(),
            headers: headers.collect(),
            body,
        };
        if request.path.starts_with(control::PREFIX) {
            return write(control::answer(&self.world, &request).await);
        }
        if let Some(environment) = runtime_api::environment_of(&request.path) {
            let answer = self.world.serve_environment(environment, request).await;
            return answer.map_or_else(|Ended| Err(Unanswered), write);
        }
        match self.world.call(request).await {
            Ok(Answer::Reply(response)) => write(response),
            Ok(Answer::Silence | Answer::Killed) => std::future::pending().await,
            // The connection breaks off, which is what a client sees of a dark region.
            Ok(Answer::Unreachable) | Err(Ended) => Err(Unanswered),
        }
    }
}

/// The URL by which programs on this machine reach the port.
fn endpoint(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}

/// Runs the processes of functions that are real programs.
async fn keep_processes(keeper: oneshot::Receiver<ProcessKeeper>) {
    if let Ok(keeper) = keeper.await {
        keeper.keep().await;
    }
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct Unanswered;

impl From<Infallible> for Unanswered {
    fn from(never: Infallible) -> Unanswered {
        match never {}
    }
}

fn write(response: Response) -> Result<hyper::Response<Full<Bytes>>, Unanswered> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(response.body))).map_err(|_| Unanswered)
}
