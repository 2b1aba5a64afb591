//! Policies printed as the file that says the same: reading it again gives these policies.
//!
//! What is as it would be without a word is left out. Texts that another reader of YAML could take
//! for something else (`yes`, `1.10`) stand in quotes, though ours takes every scalar for its text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::select::Select;
use super::{
    Artefact, CatchUp, Consistency, ExcludeVolumes, ImageOptions, Method, Policy, Replicate,
    Retain, StopStart, Timed, Trigger,
};

/// The file that holds these policies.
pub fn file(policies: &[Policy]) -> String {
    let mut page = Page::default();
    if policies.is_empty() {
        page.line(0, "policies: {}");
        return page.0;
    }
    page.line(0, "policies:");
    for policy in policies {
        page.line(1, &format!("{}:", scalar(policy.name.as_str())));
        self::policy(&mut page, policy);
    }
    page.0
}

/// `90s`, `10m`, `4h`, `2d`: the largest unit that is exact.
pub fn span(secs: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let exact = units.iter().find(|(unit, _)| secs >= *unit && secs.is_multiple_of(*unit));
    match exact {
        Some((unit, letter)) => format!("{}{letter}", secs / unit),
        None => format!("{secs}s"),
    }
}

impl Consistency {
    /// Word for it in a policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Consistency::AtRest => "at-rest",
            Consistency::StopStart => "stop-start",
            Consistency::Reboot => "reboot",
            Consistency::Crash => "crash",
        }
    }
}

impl Method {
    /// Word for it in a policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Auto => "auto",
            Method::CreateImage => "create-image",
            Method::SnapshotRegister => "snapshot-register",
        }
    }
}

impl Artefact {
    /// Word for it in a policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Artefact::Image => "image",
            Artefact::Snapshots => "snapshots",
        }
    }
}

impl CatchUp {
    /// Word for it in a policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            CatchUp::Latest => "latest",
            CatchUp::None => "none",
        }
    }
}

/// Text that was printed so far.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(self.0, "{}{text}", "  ".repeat(depth));
    }

    fn pair(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &format!("{key}: {value}"));
    }

    /// A key with a list of texts, if there are any.
    fn list<T: AsRef<str>>(&mut self, depth: usize, key: &str, items: &[T]) {
        if !items.is_empty() {
            self.pair(depth, key, &list(items));
        }
    }

    /// Tags and their patterns, if there are any.
    fn patterns(&mut self, depth: usize, key: &str, tags: &BTreeMap<String, Vec<String>>) {
        if tags.is_empty() {
            return;
        }
        self.line(depth, &format!("{key}:"));
        for (key, values) in tags {
            let values = match &values[..] {
                [value] => scalar(value),
                several => list(several),
            };
            self.pair(depth + 1, &scalar(key), &values);
        }
    }
}

fn policy(page: &mut Page, policy: &Policy) {
    select(page, &policy.select);
    page.line(2, "triggers:");
    for trigger in &policy.triggers {
        self::trigger(page, trigger);
    }
    if policy.consistency != Consistency::default() {
        page.pair(2, "consistency", policy.consistency.as_str());
    }
    if policy.stop_start != StopStart::default() {
        page.line(2, "stop_start:");
        page.pair(3, "at_once", &policy.stop_start.at_once.to_string());
        page.pair(3, "timeout", &span(policy.stop_start.timeout_secs));
    }
    image(page, &policy.image);
    if !policy.replicate.is_empty() {
        page.line(2, "replicate:");
    }
    for replica in &policy.replicate {
        self::replica(page, replica);
    }
    if !policy.heal {
        page.pair(2, "heal", "false");
    }
    retain(page, 2, policy.retain.as_ref());
    if let Some(secs) = policy.rpo_secs {
        page.pair(2, "rpo", &span(secs));
    }
}

fn select(page: &mut Page, select: &Select) {
    page.line(2, "select:");
    let regions: Vec<&str> = select.regions.iter().map(|region| region.as_str()).collect();
    page.list(3, "regions", &regions);
    page.patterns(3, "tags", &select.tags);
    page.patterns(3, "exclude_tags", &select.exclude_tags);
    let states: Vec<&str> = select.states.iter().map(|state| state.as_str()).collect();
    page.list(3, "states", &states);
}

fn trigger(page: &mut Page, trigger: &Trigger) {
    match trigger {
        Trigger::Schedule(timed) => schedule(page, timed),
        Trigger::Stopped(stopped) => {
            page.pair(3, "- on", "stopped");
            page.pair(4, "min_interval", &span(stopped.min_interval_secs));
        }
        Trigger::Tag => page.pair(3, "- on", "tag"),
    }
}

fn schedule(page: &mut Page, timed: &Timed) {
    page.pair(3, "- schedule", &expression(timed.expression()));
    if timed.timezone() != "UTC" {
        page.pair(4, "timezone", &scalar(timed.timezone()));
    }
    if let Some(secs) = timed.text.window_secs {
        page.pair(4, "window", &span(secs));
    }
    if timed.catch_up != CatchUp::default() {
        page.pair(4, "catch_up", timed.catch_up.as_str());
    }
}

fn image(page: &mut Page, image: &ImageOptions) {
    let default = ImageOptions::default();
    if *image == default {
        return;
    }
    page.line(2, "image:");
    if image.method != default.method {
        page.pair(3, "method", image.method.as_str());
    }
    if image.kind != default.kind {
        page.pair(3, "kind", image.kind.as_str());
    }
    if image.exclude_volumes != ExcludeVolumes::default() {
        page.line(3, "exclude_volumes:");
        page.patterns(4, "tags", &image.exclude_volumes.tags);
        page.list(4, "devices", &image.exclude_volumes.devices);
    }
    if image.copy_tags != default.copy_tags {
        page.pair(3, "copy_tags", if image.copy_tags { "true" } else { "false" });
    }
    if !image.tags.is_empty() {
        page.line(3, "tags:");
    }
    for (key, value) in &image.tags {
        page.pair(4, &scalar(key), &scalar(value));
    }
    if !image.share.is_empty() {
        page.line(3, "share:");
        let accounts: Vec<String> = image.share.iter().map(|id| quoted(id.as_str())).collect();
        page.pair(4, "accounts", &format!("[{}]", accounts.join(", ")));
    }
}

fn replica(page: &mut Page, replica: &Replicate) {
    page.pair(3, "- region", replica.region.as_str());
    if let Some(key) = &replica.kms_key {
        page.pair(4, "kms_key", &scalar(key));
    }
    if let Some(secs) = replica.deadline_secs {
        page.pair(4, "deadline", &span(secs));
    }
    retain(page, 4, replica.retain.as_ref());
}

fn retain(page: &mut Page, depth: usize, retain: Option<&Retain>) {
    let Some(retain) = retain else { return };
    page.line(depth, "retain:");
    let Retain { last, hourly, daily, weekly, monthly, yearly, within_secs } = retain;
    let counts = [
        ("last", last),
        ("hourly", hourly),
        ("daily", daily),
        ("weekly", weekly),
        ("monthly", monthly),
        ("yearly", yearly),
    ];
    for (key, count) in counts {
        if let Some(count) = count {
            page.pair(depth + 1, key, &count.to_string());
        }
    }
    if let Some(secs) = within_secs {
        page.pair(depth + 1, "within", &span(*secs));
    }
}

fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| scalar(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A text: as it is where every reader takes it for that, and in quotes where not.
fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_string() } else { quoted(text) }
}

/// A schedule, which is read more easily without quotes, where its characters allow that.
fn expression(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ()*?,/#-".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    // A `#` behind a space begins a comment.
    if begins && text.chars().all(plain) && !text.contains(" #") && !text.ends_with(' ') {
        return text.to_string();
    }
    quoted(text)
}

/// Words that other versions of YAML take for truths and for nothing.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

fn is_plain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_./@+-".contains(c);
    // Spaces only between words: what begins with a sign may be taken for something else.
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(inner)
    };
    let path = text.strip_prefix('/').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && path.split(' ').all(is_word)
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Writes a text in double quotes, on one line, with nothing that a file could lose on its way.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_lost(c) => {
                let _infallible = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Control characters, what YAML takes for the end of a line, the mark of byte order, and what it
/// does not allow in a file at all. All of them have four hexadecimal digits.
fn is_lost(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
