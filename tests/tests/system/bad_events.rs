//! Bad events: answered with success at the first delivery, told with a stable code, counted; never
//! retried, and never a panic.

use std::io;
use std::sync::{Arc, Mutex};

use afterimage_cloud::lambda;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::scene::{self, FUNCTIONS, HOME, NIGHTLY, sample};

/// What the functions of a world log, which all run on the thread of their world.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics while writing").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;
    fn make_writer(&self) -> Log {
        self.clone()
    }
}

impl Log {
    /// Begins a log of what this thread tells, for as long as the guard lives.
    pub fn begin() -> (Log, tracing::subscriber::DefaultGuard) {
        let log = Log::default();
        let lines = tracing_subscriber::fmt().json().flatten_event(true);
        let subscriber = lines.with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Takes what was logged since the last time, line by line.
    pub fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("nobody panics while writing"));
        let text = String::from_utf8(bytes).expect("a log is text");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

/// What can be wrong with the sample of a function, and the code that has to be told; none where
/// such an event is an ordinary one after all.
fn bad(function: &str, sample: &Value) -> Vec<(&'static str, Value, Option<&'static str>)> {
    let with = |path: &str, value: Value| {
        let mut event = sample.clone();
        *event.pointer_mut(path).unwrap_or_else(|| panic!("{function} has no {path}")) = value;
        event
    };
    let mut bad = vec![
        ("of another account", with("/account", json!("111122223333")), Some("event-not-ours")),
        ("of another source", with("/source", json!("aws.s3")), Some("event-not-ours")),
        ("of another kind", with("/detail-type", json!("Object Created")), Some("event-not-ours")),
        ("with nothing in it", json!({}), Some("event-unreadable")),
        ("that is a text", json!("stopped"), Some("event-unreadable")),
        ("that is nothing", Value::Null, Some("event-unreadable")),
        ("with an impossible timestamp", with("/time", json!("2021-05-45T15:30:00Z")), None),
    ];
    if !function.ends_with("-tick") {
        bad.push(("without its detail", with("/detail", json!({})), Some("event-unreadable")));
    }
    match function {
        "instance-state-changed" => {
            let event = with("/detail/state", json!("evaporated"));
            bad.push(("with an unknown state", event, Some("event-unknown-state")));
            let event = with("/detail/instance-id", json!("i-../../etc"));
            bad.push(("with an id that is none", event, Some("event-impossible")));
        }
        "instance-tagged" => {
            let event = with("/resources", json!([]));
            bad.push(("about nothing", event, Some("event-impossible")));
            let event = with("/detail/resource-type", json!("image"));
            bad.push(("about an image", event, Some("event-not-ours")));
        }
        "image-state-changed" => {
            let event = with("/detail/State", json!("evaporated"));
            bad.push(("with an unknown state", event, Some("event-unknown-state")));
        }
        "work-requested" => {
            let event = with("/detail/kind", json!("delete"));
            bad.push(("with an unknown kind", event, Some("event-impossible")));
            let event = with("/detail/region", json!("mars-north"));
            bad.push(("of an unknown region", event, Some("event-impossible")));
        }
        _ => {}
    }
    bad
}

#[test]
fn bad_events_are_answered_at_once_and_told_with_a_code() {
    let (log, _told) = Log::begin();
    scene::play(async |scene| {
        scene.machine(0).await;
        // No slot comes before all have been tried.
        scene.policies(&NIGHTLY.replace("cron(15 0", "cron(15 3")).await;
        let mut tried = 0;
        for function in FUNCTIONS {
            for (what, event, code) in bad(function, &sample(function)) {
                log.take();
                let before = scene.ends(function).len();
                let arn = format!(
                    "arn:aws:lambda:{HOME}:{}:function:afterimage-{function}",
                    scene::ACCOUNT
                );
                let queued = scene.cloud.with(|model| lambda::enqueue(model, &arn, event.clone()));
                queued.unwrap_or_else(|why| panic!("{function}: {why:?}"));
                // Not long enough for a scheduled event, and long enough for an answer.
                scene.cloud.advance(std::time::Duration::from_secs(15)).await;
                let ends = scene.ends(function).split_off(before);
                assert!(!ends.is_empty(), "{function}: an event {what} was not answered");
                assert!(ends.iter().all(|end| end.outcome == "ok"), "{function}, {what}: {ends:?}");
                // The ticks have come meanwhile too.
                let is_once = ends.len() == 1 || function.ends_with("-tick");
                assert!(is_once, "{function}: an event {what} came again: {ends:#?}");
                if let Some(code) = code {
                    let lines = log.take();
                    let told = lines.iter().any(|line| line["code"] == code);
                    assert!(told, "{function}: of an event {what} nothing says {code}: {lines:#?}");
                }
                tried += 1;
            }
        }
        println!("{tried} bad events");
        assert!(scene.points().await.is_empty(), "nothing came of any of them");
        assert_eq!(scene.dead_letters(), 0);
    });
}
