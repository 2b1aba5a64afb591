//! The operands of event patterns that are small languages of their own: wildcards, numeric ranges
//! and blocks of addresses. Reasons of refusal are those of EventBridge's rule engine.

use std::net::IpAddr;

use serde_json::{Number, Value};

/// The largest magnitude that numeric matching knows, in a pattern as well as in an event.
pub const NUMBER_MAX: f64 = 5.0e9;

/// A string with wildcards: literal texts, any characters between two of them.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    first: String,
    /// What follows each wildcard character.
    rest: Vec<String>,
}

impl Wildcard {
    pub(super) fn parse(text: &str) -> Result<Wildcard, String> {
        let mut first = String::new();
        let mut rest: Vec<String> = Vec::new();
        let mut chars = text.char_indices().peekable();
        while let Some((index, character)) = chars.next() {
            // EventBridge counts bytes, and the opening quote as the first.
            let position = index + 1;
            let next = chars.peek().map(|&(_, next)| next);
            let literal = match (character, next) {
                ('*', Some('*')) => {
                    return Err(format!("Consecutive wildcard characters at pos {position}"));
                }
                ('*', _) => {
                    rest.push(String::new());
                    continue;
                }
                ('\\', Some(escaped @ ('*' | '\\'))) => {
                    chars.next();
                    escaped
                }
                ('\\', _) => return Err(format!("Invalid escape character at pos {position}")),
                (other, _) => other,
            };
            rest.last_mut().unwrap_or(&mut first).push(literal);
        }
        Ok(Wildcard { first, rest })
    }

    /// Taking each literal as early as possible leaves the most room for those after it, so no
    /// second attempt is ever needed.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some((last, middle)) = self.rest.split_last() else {
            return text == self.first;
        };
        let Some(mut left) = text.strip_prefix(self.first.as_str()) else {
            return false;
        };
        for literal in middle {
            match left.split_once(literal.as_str()) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        left.ends_with(last.as_str())
    }
}

/// The values that satisfy a `numeric` expression. A side that the expression leaves open ends at
/// the largest magnitude.
#[derive(Clone, Debug)]
pub(super) struct Range {
    bottom: f64,
    top: f64,
    open_bottom: bool,
    open_top: bool,
}

impl Range {
    /// Reads `[operator, number]`, or a lower bound and then an upper one.
    pub(super) fn parse(operand: &Value) -> Result<Range, String> {
        let Value::Array(terms) = operand else {
            return Err("Value of numeric must be an array.".to_owned());
        };
        let mut terms = terms.iter();
        let operator = match terms.next() {
            Some(Value::String(operator)) => operator.as_str(),
            Some(other) => return Err(format!("Invalid member in numeric match: {other}")),
            None => return Err("Invalid member in numeric match: ]".to_owned()),
        };
        let full =
            Range { bottom: -NUMBER_MAX, top: NUMBER_MAX, open_bottom: false, open_top: false };
        let value = match operator {
            "=" => numeric_operand("equals", terms.next())?,
            "<" | "<=" | ">" | ">=" => numeric_operand(operator, terms.next())?,
            _ => return Err(format!("Unrecognized numeric range operator: {operator}")),
        };
        let range = match operator {
            "<" | "<=" => Range { top: value, open_top: operator == "<", ..full },
            ">" | ">=" => {
                let half = Range { bottom: value, open_bottom: operator == ">", ..full };
                half.closed_by(&mut terms)?
            }
            _ => Range { bottom: value, top: value, ..full },
        };
        match terms.next() {
            Some(_) => Err("Too many elements in numeric expression".to_owned()),
            None => Ok(range),
        }
    }

    /// Reads the upper bound that may follow a lower one.
    fn closed_by<'a>(self, terms: &mut impl Iterator<Item = &'a Value>) -> Result<Range, String> {
        let operator = match terms.next() {
            None => return Ok(self),
            Some(Value::String(operator)) => operator.as_str(),
            Some(other) => return Err(format!("Bad value in numeric range: {other}")),
        };
        if operator != "<" && operator != "<=" {
            return Err(format!("Bad numeric range operator: {operator}"));
        }
        let top = numeric_operand(operator, terms.next())?;
        if terms.next().is_some() {
            return Err("Too many terms in numeric range expression".to_owned());
        }
        if self.bottom >= top {
            return Err("Bottom must be less than top".to_owned());
        }
        Ok(Range { top, open_top: operator == "<", ..self })
    }

    pub(super) fn contains(&self, number: &Number) -> bool {
        let Some(value) = number.as_f64() else {
            return false;
        };
        let above = if self.open_bottom { value > self.bottom } else { value >= self.bottom };
        let below = if self.open_top { value < self.top } else { value <= self.top };
        above && below
    }
}

fn numeric_operand(operator: &str, operand: Option<&Value>) -> Result<f64, String> {
    let value = operand
        .and_then(Value::as_f64)
        .ok_or_else(|| format!("Value of {operator} must be numeric"))?;
    if value.abs() > NUMBER_MAX {
        return Err("Value must be between -5.0E9 and 5.0E9, inclusive".to_owned());
    }
    Ok(value)
}

/// A block of IPv4 or IPv6 addresses. Bits of the written address below the mask do not count.
#[derive(Clone, Debug)]
pub(super) struct Cidr {
    address: IpAddr,
    mask_bits: u32,
}

impl Cidr {
    pub(super) fn parse(text: &str) -> Result<Cidr, String> {
        let Some((address, mask_bits)) =
            text.split_once('/').filter(|(_, bits)| !bits.is_empty() && !bits.contains('/'))
        else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let mask_bits: i32 = mask_bits
            .parse()
            .map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
        let mask_bits = u32::try_from(mask_bits)
            .map_err(|_| "Malformed CIDR, mask bits must not be negative".to_owned())?;
        let address: IpAddr =
            address.parse().map_err(|_| format!("Nonstandard IP address: {address}"))?;
        match address {
            IpAddr::V4(_) if mask_bits > 31 => Err("IPv4 mask bits must be < 32".to_owned()),
            IpAddr::V6(_) if mask_bits > 127 => Err("IPv6 mask bits must be < 128".to_owned()),
            _ => Ok(Cidr { address, mask_bits }),
        }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                let free_bits = 32 - self.mask_bits.min(32);
                let differing = block.to_bits() ^ address.to_bits();
                differing.checked_shr(free_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                let free_bits = 128 - self.mask_bits.min(128);
                let differing = block.to_bits() ^ address.to_bits();
                differing.checked_shr(free_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}
