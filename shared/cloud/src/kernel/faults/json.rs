//! Reads rules from JSON, strictly: a rule with a typing error would strike nothing, and a test
//! that relies on it would hold for the wrong reason.
//!
//! ```json
//! {"rules": [
//!   {"service": "ec2", "action": "CreateImage", "nth": 2,
//!    "fail": {"when": "after", "status": 500, "code": "InternalError"}},
//!   {"function": "backup-*", "every": 5, "kill": "before"},
//!   {"source": "aws.ec2", "detail": {"State": "available"}, "probability": 0.1, "lose": true},
//!   {"region": "eu-west-1", "times": 1, "fail_copy": "The key is disabled"}
//! ]}
//! ```

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::rule::{COPIES_MAX, Chaos, Creation, Fault, INJECTED, LATE_MS_MAX};
use super::rule::{Rule, Turns, When, Which};
use crate::kernel::regions;
use crate::kernel::time::Time;

/// Every call looks at every rule.
const RULES_MAX: usize = 1000;

const TURNS: [&str; 7] = ["name", "from", "until", "nth", "every", "probability", "times"];
const CALLS: [&str; 7] =
    ["service", "action", "region", "account", "principal", "function", "environment"];
const EVENTS: [&str; 5] = ["source", "detail-type", "detail", "region", "account"];
const CREATIONS: [&str; 2] = ["region", "account"];
const INVOCATIONS: [&str; 1] = ["function"];

/// The faults by name, and what a rule with each may look at.
const FAULTS: [(&str, &[&str]); 16] = [
    ("fail", &CALLS),
    ("throttle", &CALLS),
    ("time_out", &CALLS),
    ("kill", &CALLS),
    ("lose", &EVENTS),
    ("duplicate", &EVENTS),
    ("delay", &EVENTS),
    ("reorder", &EVENTS),
    ("fail_snapshot_set", &CREATIONS),
    ("fail_snapshot", &CREATIONS),
    ("fail_snapshot_copy", &CREATIONS),
    ("fail_image", &CREATIONS),
    ("fail_image_registration", &CREATIONS),
    ("fail_image_copy", &CREATIONS),
    ("fail_copy", &CREATIONS),
    ("duplicate_invocation", &INVOCATIONS),
];

/// Reads `{"rules": [...]}`, `{"chaos": "as_observed"}`, or both. Rules may name these services.
pub(super) fn read(body: &Value, services: &[&str]) -> Result<Vec<Rule>, String> {
    let place = Place::new("", body)?;
    place.only(&["rules", "chaos"])?;
    let mut all = Vec::new();
    match place.get("rules") {
        Some(Value::Array(rules)) => {
            for (index, rule) in rules.iter().enumerate() {
                let place = Place::new(&format!("rules[{index}]"), rule)?;
                all.push(read_rule(&place, services)?);
            }
        }
        Some(_) => return Err("rules must be an array".to_string()),
        None if place.get("chaos").is_none() => {
            return Err("rules is missing: an array, which may be empty".to_string());
        }
        None => {}
    }
    match place.text("chaos")? {
        None => {}
        Some("as_observed") => all.extend(Chaos::as_observed().rules()),
        Some(_) => return Err(place.must("chaos", "be \"as_observed\"")),
    }
    if all.len() > RULES_MAX {
        return Err(format!("there are more than {RULES_MAX} rules"));
    }
    Ok(all)
}

fn read_rule(place: &Place<'_>, services: &[&str]) -> Result<Rule, String> {
    let given = FAULTS.into_iter().filter(|(name, _)| place.get(name).is_some());
    let given: Vec<_> = given.collect();
    let [(name, subjects)] = given.as_slice() else {
        let known = FAULTS.map(|(name, _)| name).join(", ");
        let path = &place.path;
        return Err(format!("{path} must say what to do with exactly one of: {known}"));
    };
    place.only(&[&[*name], *subjects, &TURNS].concat())?;
    let name_given = place.text("name")?.map(str::to_string);
    let (which, turns) = (read_which(place, services)?, read_turns(place)?);
    Ok(Rule { name: name_given, which, turns, fault: read_fault(place, name)? })
}

fn read_fault(place: &Place<'_>, name: &str) -> Result<Fault, String> {
    use Creation::{Image, ImageCopy, ImageRegistration, Snapshot, SnapshotCopy, SnapshotSet};
    let creation = |of: &[Creation]| {
        let message = place.required_text(name)?.to_string();
        Ok(Fault::FailCreation { of: of.to_vec(), message })
    };
    match name {
        "fail" => read_fail(&place.inner(name)?),
        "throttle" => place.yes(name).map(|()| Fault::Throttle),
        "time_out" => Ok(Fault::TimeOut(place.when(name)?)),
        "kill" => Ok(Fault::Kill(place.when(name)?)),
        "lose" => place.yes(name).map(|()| Fault::Lose),
        "duplicate" => {
            let inner = place.inner(name)?;
            inner.only(&["copies", "late_ms"])?;
            let copies = inner.whole("copies", 1..=COPIES_MAX.into())?.unwrap_or(1);
            let copies = u32::try_from(copies).unwrap_or(COPIES_MAX);
            Ok(Fault::Duplicate { copies, late_ms: inner.late("late_ms")?.unwrap_or(0..=0) })
        }
        "delay" => {
            let inner = place.inner(name)?;
            inner.only(&["late_ms"])?;
            let late_ms = inner.late("late_ms")?.ok_or_else(|| inner.missing("late_ms"))?;
            Ok(Fault::Delay { late_ms })
        }
        "reorder" => {
            let inner = place.inner(name)?;
            inner.only(&["within_ms"])?;
            let within = inner.whole("within_ms", 1..=LATE_MS_MAX)?;
            Ok(Fault::Reorder { within_ms: within.ok_or_else(|| inner.missing("within_ms"))? })
        }
        "fail_snapshot_set" => creation(&[SnapshotSet]),
        "fail_snapshot" => creation(&[Snapshot]),
        "fail_snapshot_copy" => creation(&[SnapshotCopy]),
        "fail_image" => creation(&[Image]),
        "fail_image_registration" => creation(&[ImageRegistration]),
        "fail_image_copy" => creation(&[ImageCopy]),
        "fail_copy" => creation(&[SnapshotCopy, ImageCopy]),
        _ => place.yes(name).map(|()| Fault::DuplicateInvocation),
    }
}

fn read_fail(place: &Place<'_>) -> Result<Fault, String> {
    place.only(&["when", "status", "code", "message"])?;
    let status = place.whole("status", 400..=599)?.ok_or_else(|| place.missing("status"))?;
    Ok(Fault::Fail {
        when: place.when("when")?,
        status: u16::try_from(status).unwrap_or(500),
        code: place.required_text("code")?.to_string(),
        message: place.text("message")?.unwrap_or(INJECTED).to_string(),
    })
}

fn read_which(place: &Place<'_>, services: &[&str]) -> Result<Which, String> {
    let text = |name: &str| place.text(name).map(|text| text.map(str::to_string));
    let region_names: Vec<&str> = regions::REGIONS.iter().map(|(name, _)| *name).collect();
    let detail = place.get("detail").cloned();
    if detail.as_ref().is_some_and(|detail| !detail.is_object()) {
        return Err(place.must("detail", "be an object"));
    }
    Ok(Which {
        service: place.name_among("service", services)?,
        action: text("action")?,
        region: place.name_among("region", &region_names)?,
        account: text("account")?,
        principal: text("principal")?,
        function: text("function")?,
        environment: place.whole("environment", 0..=u64::MAX)?,
        source: text("source")?,
        detail_type: text("detail-type")?,
        detail,
        from: place.instant("from")?,
        until: place.instant("until")?,
    })
}

fn read_turns(place: &Place<'_>) -> Result<Turns, String> {
    let turns = Turns {
        nth: place.whole("nth", 1..=u64::MAX)?,
        every: place.whole("every", 1..=u64::MAX)?,
        probability: place.probability("probability")?,
        times: place.whole("times", 1..=u64::MAX)?,
    };
    if turns.nth.is_some() && turns.every.is_some() {
        return Err(format!("{} must not have both nth and every", place.path));
    }
    Ok(turns)
}

/// An object in the body, and where it is.
struct Place<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Place<'a> {
    fn new(path: &str, value: &'a Value) -> Result<Place<'a>, String> {
        let Value::Object(map) = value else {
            let path = if path.is_empty() { "the body" } else { path };
            return Err(format!("{path} must be an object"));
        };
        Ok(Place { path: path.to_string(), map })
    }

    fn inner(&self, name: &str) -> Result<Place<'a>, String> {
        match self.map.get(name) {
            Some(value) => Place::new(&self.at(name), value),
            None => Err(self.missing(name)),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name)
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    fn must(&self, name: &str, what: &str) -> String {
        format!("{} must {what}", self.at(name))
    }

    fn missing(&self, name: &str) -> String {
        format!("{} is missing", self.at(name))
    }

    fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let known = known.join(", ");
                Err(format!("{} is not known there; known: {known}", self.at(key)))
            }
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(self.must(name, "be a text that is not empty")),
        }
    }

    fn required_text(&self, name: &str) -> Result<&'a str, String> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// A text with wildcards, or else one of these names.
    fn name_among(&self, name: &str, known: &[&str]) -> Result<Option<String>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if text.contains(['*', '?']) || known.contains(&text) {
            return Ok(Some(text.to_string()));
        }
        Err(self.must(name, &format!("be one of: {}", known.join(", "))))
    }

    fn whole(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None if *range.end() == u64::MAX => {
                let from = range.start();
                Err(self.must(name, &format!("be a whole number from {from} on")))
            }
            None => {
                let (from, to) = (range.start(), range.end());
                Err(self.must(name, &format!("be a whole number from {from} to {to}")))
            }
        }
    }

    fn probability(&self, name: &str) -> Result<Option<f64>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_f64().filter(|number| (0.0..=1.0).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.must(name, "be a number from 0 to 1")),
        }
    }

    fn instant(&self, name: &str) -> Result<Option<Time>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match Time::parse(text) {
            Some(time) => Ok(Some(time)),
            None => Err(self.must(name, "be an instant such as 2026-01-01T00:00:00Z")),
        }
    }

    fn late(&self, name: &str) -> Result<Option<RangeInclusive<u64>>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let numbers: Option<Vec<u64>> =
            value.as_array().and_then(|items| items.iter().map(Value::as_u64).collect());
        match numbers.as_deref() {
            Some([low, high]) if low <= high && *high <= LATE_MS_MAX => Ok(Some(*low..=*high)),
            _ => {
                let what = format!(
                    "be two whole numbers of milliseconds, the lesser first, up to {LATE_MS_MAX}"
                );
                Err(self.must(name, &what))
            }
        }
    }

    fn when(&self, name: &str) -> Result<When, String> {
        match self.get(name).map(Value::as_str) {
            Some(Some("before")) => Ok(When::Before),
            Some(Some("after")) => Ok(When::After),
            Some(_) => Err(self.must(name, "be \"before\" or \"after\"")),
            None => Err(self.missing(name)),
        }
    }

    fn yes(&self, name: &str) -> Result<(), String> {
        match self.get(name) {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err(self.must(name, "be true")),
        }
    }
}
