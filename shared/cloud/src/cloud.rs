//! The world around the model: its clock, its thread, and what runs beside it.
//!
//! One world is one thread: a current-thread Tokio runtime whose time is paused. Time moves when
//! everybody in the world sleeps, to the moment at which the first of them wakes. Nobody moves it
//! by hand: `tokio::time::advance` would let timers of different moments fire at once.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::dispatch::{self, Answer};
use crate::kernel::config::Config;
use crate::kernel::http::Request;
use crate::kernel::scope::EnvironmentId;
use crate::kernel::time::Time;
use crate::lambda::Processes;
use crate::model::Model;

/// A handle to a world; clones are the same world.
#[derive(Clone)]
pub struct Cloud {
    inner: Arc<Inner>,
}

struct Inner {
    model: Mutex<Model>,
    /// The world's time at `origin`.
    start: Time,
    origin: Instant,
    /// The agenda has a new first entry.
    agenda_changed: Notify,
    /// Counts every time that a task of the world was polled: at rest, it stands still.
    polls: AtomicU64,
    running: Mutex<BTreeMap<EnvironmentId, AbortHandle>>,
    processes: Mutex<Option<Processes>>,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Cloud {
    /// Makes a world and lives through `scenario` in it, on this thread.
    pub fn run<T>(config: Config, scenario: impl AsyncFnOnce(Cloud) -> T) -> T {
        // Retry jitter, invocation ids and tokens of the SDK come from this thread's generator.
        fastrand::seed(config.seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime without threads or sockets can be built");
        runtime.block_on(async move {
            let cloud = Cloud::begin(config);
            scenario(cloud).await
        })
    }

    /// Makes a world in the paused runtime of this thread.
    pub(crate) fn begin(config: Config) -> Cloud {
        let inner = Inner {
            start: config.start,
            origin: Instant::now(),
            model: Mutex::new(Model::new(config)),
            agenda_changed: Notify::new(),
            polls: AtomicU64::new(0),
            running: Mutex::default(),
            processes: Mutex::default(),
        };
        let cloud = Cloud { inner: Arc::new(inner) };
        cloud.spawn(cloud.clone().keep_agenda());
        cloud
    }

    /// The present time of the world.
    pub fn now(&self) -> Time {
        self.inner.start + self.inner.origin.elapsed()
    }

    /// Looks at the model, or changes it, at the present moment.
    pub fn with<T>(&self, act: impl FnOnce(&mut Model) -> T) -> T {
        let mut model = lock(&self.inner.model);
        let first = model.agenda.next_at();
        model.run_until(self.now());
        let result = act(&mut model);
        model.run_until(self.now());
        let effects = std::mem::take(&mut model.effects);
        let changed = model.agenda.next_at() != first;
        drop(model);
        for effect in effects {
            self.carry_out(effect);
        }
        if changed {
            self.inner.agenda_changed.notify_one();
        }
        result
    }

    /// Answers a request at the present moment.
    pub fn answer(&self, request: &Request) -> Answer {
        self.with(|model| dispatch::answer(model, request))
    }

    /// Lets time pass, and everything happen that is due by then.
    pub async fn advance(&self, span: Duration) {
        tokio::time::sleep(span).await;
        self.settle().await;
    }

    /// Waits until nothing is left to do at this moment.
    pub(crate) async fn settle(&self) {
        // A task that is woken is polled within one turn of the scheduler, and waking one another
        // in a chain shows as polls; a few quiet turns on end mean that all of them wait for later.
        const QUIET_TURNS: u32 = 8;
        let mut quiet = 0;
        while quiet < QUIET_TURNS {
            let before = self.inner.polls.load(Ordering::Relaxed);
            self.with(|_| ());
            tokio::task::yield_now().await;
            let moved = self.inner.polls.load(Ordering::Relaxed) != before;
            quiet = if moved { 0 } else { quiet + 1 };
        }
    }

    /// Runs a task of the world.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let watched = Watched { task: Box::pin(task), cloud: self.clone() };
        tokio::spawn(watched).abort_handle()
    }

    /// Runs what an execution environment does, until it ends or is killed.
    pub(crate) fn spawn_in(
        &self,
        environment: EnvironmentId,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.spawn(task);
        lock(&self.inner.running).insert(environment, handle);
    }

    /// The way to start real programs, if the world has one.
    pub(crate) fn processes(&self) -> Option<Processes> {
        lock(&self.inner.processes).clone()
    }

    pub(crate) fn set_processes(&self, processes: Processes) {
        *lock(&self.inner.processes) = Some(processes);
    }

    /// Ends what an execution environment does in process, on the spot.
    pub(crate) fn abort(&self, environment: EnvironmentId) {
        if let Some(handle) = lock(&self.inner.running).remove(&environment) {
            handle.abort();
        }
    }

    /// Wakes at the time of each entry of the agenda.
    async fn keep_agenda(self) {
        loop {
            let next = self.with(|model| model.agenda.next_at());
            let changed = self.inner.agenda_changed.notified();
            match next {
                None => changed.await,
                Some(at) => {
                    let wake = self.inner.origin + at.since(self.inner.start);
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = tokio::time::sleep_until(wake) => {}
                    }
                }
            }
        }
    }
}

/// A poisoned lock means that a scenario failed while it looked at the model; what it left is still
/// the best there is to look at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task that counts its polls.
struct Watched {
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
    cloud: Cloud,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.cloud.inner.polls.fetch_add(1, Ordering::Relaxed);
        self.task.as_mut().poll(context)
    }
}
