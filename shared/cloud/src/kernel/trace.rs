//! The trace: every call and every event, in order, with its virtual time.
//!
//! Same seed, same trace, byte for byte. It is made from decoded requests, never from bytes off
//! the wire, because clients serialise maps in any order.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::io;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::kernel::hash::Fnv;
use crate::kernel::time::Time;

/// One line of the trace, whose fields go into its JSON in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    pub number: u64,
    #[serde(serialize_with = "write_time")]
    pub at: Time,
    #[serde(serialize_with = "write_what")]
    pub what: What,
    /// The ARN of a principal, or the name of a service.
    pub principal: String,
    pub service: String,
    /// The action of a call, the detail-type of an event, the name of an invoked function.
    pub action: String,
    pub account: String,
    pub region: String,
    /// `ok`, or the code of the error, or what became of the event.
    pub outcome: String,
    /// The request id of a call, the id of an event.
    pub id: String,
    /// The decoded request, or the event.
    pub detail: Value,
}

/// The kind of a line of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A call of an API.
    Call,
    /// An event put on a bus.
    Event,
    /// An event delivered to a target, or given up.
    Delivery,
    /// An invocation of a function that ended.
    Invocation,
    /// A fault that a rule injected.
    Fault,
}

impl What {
    pub const fn name(self) -> &'static str {
        match self {
            What::Call => "call",
            What::Event => "event",
            What::Delivery => "delivery",
            What::Invocation => "invocation",
            What::Fault => "fault",
        }
    }
}

impl Entry {
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("all of it is text, a number or JSON already")
    }
}

fn write_time<S: Serializer>(at: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_millis_text())
}

fn write_what<S: Serializer>(what: &What, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(what.name())
}

/// All lines so far, and a running hash over them.
#[derive(Debug, Default)]
pub struct Trace {
    entries: Vec<Entry>,
    lines: Lines,
    recording: Recording,
}

/// The fate of entries: kept, or only hashed and counted (for benchmarks and long simulations).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    #[default]
    Keep,
    HashOnly,
}

impl Trace {
    pub fn new(recording: Recording) -> Trace {
        Trace { recording, ..Trace::default() }
    }

    pub fn add(&mut self, mut entry: Entry) {
        entry.number = self.lines.count;
        self.lines.add(&entry);
        if self.recording == Recording::Keep {
            self.entries.push(entry);
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Forgets the lines before a time, which count in the hash as before.
    pub fn forget_before(&mut self, at: Time) {
        self.entries.retain(|entry| entry.at >= at);
    }

    /// A hash over every line so far: two runs that did the same have the same.
    pub fn hash(&self) -> String {
        format!("{:016x}", self.lines.hash.finish())
    }
}

/// One call of a run, so that a fault rule can find it again in a run of the same seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedCall {
    /// The ARN of the caller.
    pub principal: String,
    pub service: String,
    pub action: String,
    pub region: String,
    /// The number among the calls of this principal, service, action and region; the first is 1.
    pub nth: u64,
}

/// The calls of a kept trace that `wanted` picks, in their order. They are counted before they are
/// picked, as a rule counts them (see [`crate::kernel::faults::Rule::at`]). A call that a rule
/// struck before its effect is not among them, so the run must be one without faults.
pub fn calls_of(trace: &Trace, wanted: impl Fn(&Entry) -> bool) -> Vec<TracedCall> {
    let mut counts: BTreeMap<[&str; 4], u64> = BTreeMap::new();
    let mut calls = Vec::new();
    for entry in trace.entries().iter().filter(|entry| entry.what == What::Call) {
        let key = [&entry.principal, &entry.service, &entry.action, &entry.region];
        let nth = counts.entry(key.map(String::as_str)).or_default();
        *nth += 1;
        if wanted(entry) {
            let [principal, service, action, region] = key.map(String::clone);
            calls.push(TracedCall { principal, service, action, region, nth: *nth });
        }
    }
    calls
}

/// The running hash over the lines of a trace.
#[derive(Debug, Default)]
struct Lines {
    hash: Fnv,
    count: u64,
}

impl Lines {
    /// Takes the line as it is written: its text is never put together.
    fn add(&mut self, entry: &Entry) {
        let written = serde_json::to_writer(&mut *self, entry);
        written.expect("all of it is JSON, and every byte is taken");
        self.hash.write(b"\n");
        self.count += 1;
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
