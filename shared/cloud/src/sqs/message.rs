//! Messages with their attributes and digests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::digest::hex;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::kernel::time::Time;

/// A message of a standard queue.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub attributes: BTreeMap<String, Attribute>,
    pub sent: Time,
    /// Until then nobody receives it: delayed, or in the hands of a receiver.
    pub visible_from: Time,
    pub received: u32,
    pub first_received: Option<Time>,
}

/// An attribute that the sender gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, with the sender's own label after a dot.
    data_type: String,
    value: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    /// In base 64, as it came, and decoded.
    Binary(String, Vec<u8>),
}

impl Message {
    pub fn new(
        id: String,
        body: String,
        attributes: BTreeMap<String, Attribute>,
        sent: Time,
        visible_from: Time,
    ) -> Message {
        let (received, first_received) = (0, None);
        Message { id, body, attributes, sent, visible_from, received, first_received }
    }

    pub fn is_expired(&self, now: Time, retention: Duration) -> bool {
        now >= self.sent + retention
    }

    /// Every receipt has a handle of its own; only the latest one deletes the message.
    pub fn handle(&self) -> String {
        format!("{}.{}", self.id, self.received)
    }

    /// The attributes that are text, with their values.
    pub fn texts(&self) -> BTreeMap<&str, &str> {
        self.attributes
            .iter()
            .filter_map(|(name, one)| Some((name.as_str(), one.as_text()?)))
            .collect()
    }
}

impl Attribute {
    pub fn text(value: String) -> Attribute {
        Attribute { data_type: "String".to_string(), value: Content::Text(value) }
    }

    fn as_text(&self) -> Option<&str> {
        match &self.value {
            Content::Text(text) => Some(text),
            Content::Binary(..) => None,
        }
    }

    /// What counts of the attribute towards the size of its message.
    fn size(&self) -> usize {
        let value = match &self.value {
            Content::Text(text) => text.len(),
            Content::Binary(_, bytes) => bytes.len(),
        };
        self.data_type.len() + value
    }

    pub fn to_json(&self) -> Value {
        match &self.value {
            Content::Text(text) => json!({ "StringValue": text, "DataType": self.data_type }),
            Content::Binary(text, _) => json!({ "BinaryValue": text, "DataType": self.data_type }),
        }
    }
}

/// The digest over attributes: of each in the order of their names, with every part preceded by its
/// length, and a mark for text or binary.
pub fn digest(attributes: &BTreeMap<&str, &Attribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut part = |mark: Option<u8>, data: &[u8]| {
        bytes.extend(mark);
        bytes.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(data);
    };
    for (name, attribute) in attributes {
        part(None, name.as_bytes());
        part(None, attribute.data_type.as_bytes());
        match &attribute.value {
            Content::Text(text) => part(Some(1), text.as_bytes()),
            Content::Binary(_, data) => part(Some(2), data),
        }
    }
    Some(hex(&bytes))
}

pub fn to_json(attributes: &BTreeMap<&str, &Attribute>) -> Value {
    let pair = |(name, one): (&&str, &&Attribute)| ((*name).to_string(), one.to_json());
    Value::Object(attributes.iter().map(pair).collect::<Map<_, _>>())
}

/// How much a message weighs against the largest that its queue takes.
pub fn size(body: &str, attributes: &BTreeMap<String, Attribute>) -> usize {
    let parts = attributes.iter().map(|(name, attribute)| name.len() + attribute.size());
    body.len() + parts.sum::<usize>()
}

const ATTRIBUTES_MAX: usize = 10;

/// Reads `MessageAttributes`.
pub fn read(members: &Members) -> Result<BTreeMap<String, Attribute>, ApiError> {
    let mut attributes = BTreeMap::new();
    for (name, given) in members.named_groups("MessageAttributes")? {
        let attribute = read_one(name, &given)?;
        attributes.insert(name.to_string(), attribute);
    }
    if attributes.len() > ATTRIBUTES_MAX {
        let text = format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
            attributes.len()
        );
        return Err(invalid(text));
    }
    Ok(attributes)
}

fn read_one(name: &str, given: &Members) -> Result<Attribute, ApiError> {
    let data_type = given.required("DataType")?.to_string();
    let kind = data_type.split('.').next().unwrap_or_default();
    let text = given.text("StringValue")?;
    let binary = given.text("BinaryValue")?;
    let value = match (kind, text, binary) {
        ("String" | "Number", Some(text), None) if !text.is_empty() => {
            Content::Text(text.to_string())
        }
        ("Binary", None, Some(text)) if !text.is_empty() => {
            let bytes = aws_smithy_types::base64::decode(text);
            let bytes = bytes.map_err(|_| invalid(format!("{name} is not base 64")))?;
            Content::Binary(text.to_string(), bytes)
        }
        ("String" | "Number" | "Binary", ..) => {
            let text = format!(
                "The message attribute '{name}' must contain a non-empty message attribute value \
                 for message attribute type '{data_type}'."
            );
            return Err(invalid(text));
        }
        _ => {
            let text = format!(
                "The type of message attribute '{name}' is invalid. You must use only the \
                 following supported type prefixes: Binary, Number, String."
            );
            return Err(invalid(text));
        }
    };
    Ok(Attribute { data_type, value })
}

fn invalid(text: String) -> ApiError {
    ApiError::bad("InvalidParameterValue", text)
}
