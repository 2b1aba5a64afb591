//! Policy variables: `${aws:PrincipalAccount}`, `${aws:PrincipalTag/team, 'none'}`, `${*}`.
//!
//! Only documents of version 2012-10-17 have them; in older ones the same text is literal.

use super::keys::Keys;
use crate::kernel::glob::Glob;

/// Text with holes that a request fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Text as written: its `*` and `?` are wildcards wherever wildcards are read.
    Text(String),
    /// `${*}`, `${?}` and `${$}` stand for the character itself.
    Literal(&'static str),
    Key {
        name: String,
        default: Option<String>,
    },
}

impl Template {
    pub(super) fn without_variables(text: &str) -> Template {
        Template(vec![Part::Text(text.to_owned())])
    }

    /// The error is a sentence that lacks only the place.
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            parts.push(Part::Text(before.to_owned()));
            let (part, tail) = hole(after)?;
            parts.push(part);
            rest = tail;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Template(parts))
    }

    pub(super) fn has_keys(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Key { .. }))
    }

    /// How many colons the policy itself wrote ahead of its first variable.
    pub(super) fn colons_before_first_key(&self) -> usize {
        self.0
            .iter()
            .take_while(|part| !matches!(part, Part::Key { .. }))
            .map(|part| match part {
                Part::Text(text) => text.matches(':').count(),
                Part::Literal(_) | Part::Key { .. } => 0,
            })
            .sum()
    }

    /// The text with its wildcards taken literally; `None` if a variable has no value.
    pub(super) fn text(&self, keys: &Keys) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(match part {
                Part::Text(written) => written,
                Part::Literal(character) => character,
                Part::Key { name, default } => value(keys, name, default.as_deref())?,
            });
        }
        Some(text)
    }

    /// The text as a pattern; `None` if a variable has no value. A star that comes out of a
    /// variable's value is only a star: the sender of a request does not write wildcards.
    pub(super) fn glob(&self, keys: &Keys) -> Option<Glob> {
        let mut glob = Glob::empty();
        for part in &self.0 {
            match part {
                Part::Text(written) => glob.push_pattern(written),
                Part::Literal(character) => glob.push_literal(character),
                Part::Key { name, default } => {
                    glob.push_literal(value(keys, name, default.as_deref())?);
                }
            }
        }
        Some(glob)
    }
}

/// A key of several values cannot be a variable, so it has no value here.
fn value<'a>(keys: &'a Keys, name: &str, default: Option<&'a str>) -> Option<&'a str> {
    match keys.get(name) {
        [only] => Some(only),
        _ => default,
    }
}

/// Reads what follows `${`, and returns what follows the closing brace.
fn hole(after: &str) -> Result<(Part, &str), String> {
    for literal in ["*", "?", "$"] {
        let tail = after.strip_prefix(literal).and_then(|tail| tail.strip_prefix('}'));
        if let Some(tail) = tail {
            return Ok((Part::Literal(literal), tail));
        }
    }
    let end = after.find([',', '}']).unwrap_or(after.len());
    let (name, rest) = after.split_at(end);
    let (default, tail) = if let Some(tail) = rest.strip_prefix('}') {
        (None, tail)
    } else if let Some(quoted) = rest.strip_prefix(", '") {
        let (default, tail) = quoted
            .split_once("'}")
            .ok_or_else(|| format!("the default value of ${{{name}}} has no closing quote"))?;
        (Some(default.to_owned()), tail)
    } else {
        return Err(format!("the variable ${{{name} has no closing brace"));
    };
    if is_key(name) {
        Ok((Part::Key { name: name.to_owned(), default }, tail))
    } else {
        Err(format!("${{{name}}} is not a policy variable"))
    }
}

/// `service:name`. Two colons in a row are a pseudo parameter that a template left unresolved.
pub(super) fn is_key(name: &str) -> bool {
    let Some((service, key)) = name.split_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/');
    !service.is_empty() && service.chars().all(plain) && !key.is_empty() && !key.starts_with(':')
}
