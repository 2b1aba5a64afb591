//! Reads the form parameters of the query protocols (EC2, STS).
//!
//! Whatever an operation did not read is an error: a parameter that is silently ignored is how an
//! emulator lies.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::kernel::error::ApiError;
use crate::kernel::time::Time;

/// More parameters than any real call carries; AWS has a limit on the size of a request too.
const PARAMETERS_MAX: usize = 20_000;

/// The parameters of one call, or of one structure in it.
#[derive(Clone, Debug)]
pub struct Fields {
    all: Rc<BTreeMap<String, String>>,
    used: Rc<RefCell<BTreeSet<String>>>,
    prefix: String,
}

impl Fields {
    /// Decodes `a=1&b.1=x`; a blank may come as `+` or `%20`.
    pub fn parse(body: &[u8]) -> Result<Fields, ApiError> {
        let text = std::str::from_utf8(body).map_err(|_| not_a_form())?;
        let mut all = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (decode(key), decode(value)) else {
                return Err(not_a_form());
            };
            all.insert(key, value);
            if all.len() > PARAMETERS_MAX {
                let text = format!("A request has at most {PARAMETERS_MAX} parameters");
                return Err(ApiError::bad("InvalidParameterCombination", text));
            }
        }
        Ok(Fields::of(all))
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The text of a parameter; it may be empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let path = self.path(name);
        let value = self.all.get(&path)?;
        self.used.borrow_mut().insert(path);
        Some(value)
    }

    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        match self.text(name) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(ApiError::missing_parameter(&self.path(name))),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(text) => Err(self.invalid(name, text, "Expected a boolean.")),
        }
    }

    pub fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.invalid(name, text, "Expected an integer.")),
            },
        }
    }

    pub fn instant(&self, name: &str) -> Result<Option<Time>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => match Time::parse(text) {
                Some(time) => Ok(Some(time)),
                None => Err(self.invalid(name, text, "Expected an ISO 8601 date and time.")),
            },
        }
    }

    /// A scalar list: `ImageId.1=..&ImageId.2=..`, in the order of its numbers.
    pub fn list(&self, name: &str) -> Vec<String> {
        let paths = self.numbers(name);
        paths
            .into_iter()
            .filter_map(|n| self.text(&format!("{name}.{n}")))
            .map(Into::into)
            .collect()
    }

    /// A list of structures: `Filter.1.Name=..&Filter.1.Value.1=..`.
    pub fn groups(&self, name: &str) -> Vec<Fields> {
        let numbers = self.numbers(name);
        numbers.into_iter().map(|n| self.scope(&format!("{name}.{n}"))).collect()
    }

    /// A structure: `InstanceSpecification.InstanceId=..`; absent if nothing begins so.
    pub fn group(&self, name: &str) -> Option<Fields> {
        let scope = self.scope(name);
        let begins = |key: &String| key.starts_with(&scope.prefix);
        let first = self.all.range(scope.prefix.clone()..).next();
        first.is_some_and(|(key, _)| begins(key)).then_some(scope)
    }

    fn scope(&self, name: &str) -> Fields {
        let prefix = format!("{}.", self.path(name));
        Fields { all: self.all.clone(), used: self.used.clone(), prefix }
    }

    fn numbers(&self, name: &str) -> BTreeSet<u32> {
        let prefix = format!("{}.", self.path(name));
        let from = self.all.range(prefix.clone()..);
        let within = from.take_while(|(key, _)| key.starts_with(&prefix));
        within.filter_map(|(key, _)| key[prefix.len()..].split('.').next()?.parse().ok()).collect()
    }

    pub fn invalid(&self, name: &str, value: &str, why: &str) -> ApiError {
        ApiError::invalid_value(&self.path(name), value, why)
    }

    /// The full name of a parameter of this structure, for messages.
    pub fn name_of(&self, name: &str) -> String {
        self.path(name)
    }

    /// Refuses what nobody read. Called by every operation once it has read what it knows.
    pub fn finish(&self) -> Result<(), ApiError> {
        let used = self.used.borrow();
        match self.all.keys().find(|key| !used.contains(*key)) {
            None => Ok(()),
            Some(key) => Err(unknown(key)),
        }
    }

    /// Refuses a parameter that only another structure with otherwise the same members has.
    pub fn refuse(&self, name: &str) -> Result<(), ApiError> {
        let path = self.path(name);
        if self.all.contains_key(&path) { Err(unknown(&path)) } else { Ok(()) }
    }

    /// Every parameter of this structure, by its name within it.
    pub fn members(&self) -> BTreeMap<String, String> {
        let within = self.all.range(self.prefix.clone()..);
        let within =
            within.map_while(|(key, value)| Some((key.strip_prefix(&self.prefix)?, value)));
        within.map(|(key, value)| (key.to_string(), value.clone())).collect()
    }

    /// Parameters that are not, or no longer, those of a call.
    pub fn of(all: BTreeMap<String, String>) -> Fields {
        Fields { all: Rc::new(all), used: Rc::default(), prefix: String::new() }
    }

    /// Every parameter but the client token, as one text: two calls are the same if these are.
    pub fn fingerprint(&self) -> String {
        let parts = self.all.iter().filter(|(key, _)| *key != "ClientToken");
        parts.map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    /// Name and value of each parameter, for the trace.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

fn unknown(key: &str) -> ApiError {
    let text = format!("The parameter {key} is not recognized (or not modelled here)");
    ApiError::bad("UnknownParameter", text)
}

fn not_a_form() -> ApiError {
    ApiError::bad("MalformedQueryString", "The request body is not a form in UTF-8")
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}
