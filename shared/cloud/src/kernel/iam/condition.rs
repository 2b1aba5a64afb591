//! The `Condition` element: operators, set operators and absent keys.
//!
//! An absent key fails a positive operator and satisfies a negated one; `IfExists` and
//! `ForAllValues` are satisfied by it, `ForAnyValue` is not. Several values in the policy are
//! alternatives, for a negated operator all of them forbidden.

use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use super::element::{PolicyError, object, scalars};
use super::keys::Keys;
use super::variable::{Template, is_key};
use crate::kernel::glob::ARN_PARTS;

/// One key of one operator; a `Condition` element is all of them together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// `Null`: whether the key has to be absent.
    Absent(Vec<bool>),
    Values {
        set: Set,
        negated: bool,
        if_exists: bool,
        wanted: Vec<Wanted>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    One,
    ForAll,
    ForAny,
}

/// One value of a condition, ready to be held against one value of the request.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Equal(Template),
    EqualIgnoringCase(Template),
    Like(Template),
    Arn(Template),
    Number(Relation, f64),
    Date(Relation, Timestamp),
    Bool(bool),
    Ip(Range),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Equal,
    EqualIgnoringCase,
    Like,
    Arn,
    Number(Relation),
    Date(Relation),
    Bool,
    Ip,
}

/// The relation that the request's value must have to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    base: IpAddr,
    bits: u32,
}

impl Condition {
    pub(super) fn holds(&self, keys: &Keys) -> bool {
        let values = keys.get(&self.key);
        match &self.test {
            Test::Absent(wanted) => wanted.contains(&values.is_empty()),
            Test::Values { set, negated, if_exists, wanted } => {
                let fits = |value: &String| wanted.iter().any(|want| want.fits(value, keys));
                match set {
                    _ if values.is_empty() && *if_exists => true,
                    Set::One => values.iter().any(fits) != *negated,
                    // An empty text counts as no value for this operator alone.
                    Set::ForAll => {
                        values.iter().all(String::is_empty)
                            || values.iter().all(|value| fits(value) != *negated)
                    }
                    Set::ForAny => values.iter().any(|value| fits(value) != *negated),
                }
            }
        }
    }

    /// Reads a whole `Condition` element.
    pub(super) fn parse_all(
        path: &str,
        value: &Value,
        with_variables: bool,
    ) -> Result<Vec<Condition>, PolicyError> {
        let mut conditions = Vec::new();
        for (name, tests) in object(path, value)? {
            let path = format!("{path}.{name}");
            let operator =
                Operator::parse(name).map_err(|problem| PolicyError::new(&path, problem))?;
            for (key, values) in object(&path, tests)? {
                let path = format!("{path}.{key}");
                if !is_key(key) {
                    return Err(PolicyError::new(&path, "not a condition key"));
                }
                let values = scalars(&path, values)?;
                let test = operator
                    .test(&values, with_variables)
                    .map_err(|problem| PolicyError::new(&path, problem))?;
                conditions.push(Condition { key: key.clone(), test });
            }
        }
        Ok(conditions)
    }
}

/// An operator's name, read.
#[derive(Clone, Copy, Debug)]
enum Operator {
    Null,
    Compare { set: Set, if_exists: bool, negated: bool, kind: Kind },
}

impl Operator {
    fn parse(name: &str) -> Result<Operator, String> {
        let (set, rest) = if let Some(rest) = name.strip_prefix("ForAllValues:") {
            (Set::ForAll, rest)
        } else if let Some(rest) = name.strip_prefix("ForAnyValue:") {
            (Set::ForAny, rest)
        } else {
            (Set::One, name)
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        match base {
            "Null" if base == name => Ok(Operator::Null),
            "Null" => Err("Null takes neither a set operator nor IfExists".to_owned()),
            "BinaryEquals" => Err("BinaryEquals is not modelled".to_owned()),
            _ => {
                let (kind, negated) = comparison(base).ok_or("not a condition operator")?;
                Ok(Operator::Compare { set, if_exists, negated, kind })
            }
        }
    }

    fn test(self, values: &[String], with_variables: bool) -> Result<Test, String> {
        match self {
            Operator::Null => {
                let wanted = values.iter().map(|text| boolean(text)).collect::<Result<_, _>>()?;
                Ok(Test::Absent(wanted))
            }
            Operator::Compare { set, if_exists, negated, kind } => {
                let wanted = values
                    .iter()
                    .map(|text| Wanted::parse(kind, text, with_variables))
                    .collect::<Result<_, _>>()?;
                Ok(Test::Values { set, negated, if_exists, wanted })
            }
        }
    }
}

/// The operator without its prefix and suffix, and whether it is the negated one of its pair.
fn comparison(base: &str) -> Option<(Kind, bool)> {
    if let Some(relation) = base.strip_prefix("Numeric") {
        return ordered(relation).map(|(relation, negated)| (Kind::Number(relation), negated));
    }
    if let Some(relation) = base.strip_prefix("Date") {
        return ordered(relation).map(|(relation, negated)| (Kind::Date(relation), negated));
    }
    Some(match base {
        "StringEquals" => (Kind::Equal, false),
        "StringNotEquals" => (Kind::Equal, true),
        "StringEqualsIgnoreCase" => (Kind::EqualIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (Kind::EqualIgnoringCase, true),
        "StringLike" => (Kind::Like, false),
        "StringNotLike" => (Kind::Like, true),
        "ArnEquals" | "ArnLike" => (Kind::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Kind::Arn, true),
        "Bool" => (Kind::Bool, false),
        "IpAddress" => (Kind::Ip, false),
        "NotIpAddress" => (Kind::Ip, true),
        _ => return None,
    })
}

fn ordered(name: &str) -> Option<(Relation, bool)> {
    Some(match name {
        "Equals" => (Relation::Equal, false),
        "NotEquals" => (Relation::Equal, true),
        "LessThan" => (Relation::Less, false),
        "LessThanEquals" => (Relation::LessOrEqual, false),
        "GreaterThan" => (Relation::Greater, false),
        "GreaterThanEquals" => (Relation::GreaterOrEqual, false),
        _ => return None,
    })
}

impl Wanted {
    fn parse(kind: Kind, text: &str, with_variables: bool) -> Result<Wanted, String> {
        let template = || match with_variables {
            true => Template::parse(text),
            false => Ok(Template::without_variables(text)),
        };
        match kind {
            Kind::Equal => template().map(Wanted::Equal),
            Kind::EqualIgnoringCase => template().map(Wanted::EqualIgnoringCase),
            Kind::Like => template().map(Wanted::Like),
            Kind::Arn => {
                let arn = template()?;
                // A variable may hold a whole ARN, so only plain text can be judged here.
                if arn.has_keys() || text.splitn(ARN_PARTS, ':').count() == ARN_PARTS {
                    Ok(Wanted::Arn(arn))
                } else {
                    Err(format!("{text:?} has not the six parts of an ARN"))
                }
            }
            Kind::Number(relation) => number(text)
                .map(|number| Wanted::Number(relation, number))
                .ok_or_else(|| format!("{text:?} is not a number")),
            Kind::Date(relation) => date(text)
                .map(|date| Wanted::Date(relation, date))
                .ok_or_else(|| format!("{text:?} is not a date")),
            Kind::Bool => boolean(text).map(Wanted::Bool),
            Kind::Ip => Range::parse(text)
                .map(Wanted::Ip)
                .ok_or_else(|| format!("{text:?} is not an address or a range of addresses")),
        }
    }

    /// Whether one value of the request fits. A value of the wrong form fits nothing, and neither
    /// does a variable without a value.
    fn fits(&self, value: &str, keys: &Keys) -> bool {
        match self {
            Wanted::Equal(text) => text.text(keys).is_some_and(|text| text == value),
            Wanted::EqualIgnoringCase(text) => {
                text.text(keys).is_some_and(|text| text.to_lowercase() == value.to_lowercase())
            }
            Wanted::Like(pattern) => pattern.glob(keys).is_some_and(|glob| glob.matches(value)),
            Wanted::Arn(pattern) => pattern.glob(keys).is_some_and(|glob| glob.matches_arn(value)),
            Wanted::Number(relation, wanted) => number(value)
                .and_then(|number| number.partial_cmp(wanted))
                .is_some_and(|order| relation.holds(order)),
            Wanted::Date(relation, wanted) => {
                date(value).is_some_and(|date| relation.holds(date.cmp(wanted)))
            }
            Wanted::Bool(wanted) => boolean(value).is_ok_and(|value| value == *wanted),
            Wanted::Ip(range) => value.parse().is_ok_and(|address| range.contains(address)),
        }
    }
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Equal => order.is_eq(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Range {
    /// An address without a prefix is the range of that address alone.
    fn parse(text: &str) -> Option<Range> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { u32::BITS } else { u128::BITS };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Range { base, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(u32::BITS - self.bits).unwrap_or(0);
                (base.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(u128::BITS - self.bits).unwrap_or(0);
                (base.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(format!("{text:?} is neither true nor false"))
    }
}

/// Decimal notation only: the words for infinity are no numbers to IAM.
fn number(text: &str) -> Option<f64> {
    let decimal = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    let number: f64 = text.bytes().all(decimal).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

/// The forms of ISO 8601 that W3C selected, or seconds since the epoch. Four digits are a year.
fn date(text: &str) -> Option<Timestamp> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        4 if is_number => format!("{text}-01-01T00:00:00Z").parse().ok(),
        _ if is_number => Timestamp::from_second(text.parse().ok()?).ok(),
        7 => format!("{text}-01T00:00:00Z").parse().ok(),
        10 => format!("{text}T00:00:00Z").parse().ok(),
        _ => text.parse().ok(),
    }
}
