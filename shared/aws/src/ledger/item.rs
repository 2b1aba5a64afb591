//! Conversion between records and items: the members of a record are the attributes of its item.
//!
//! `serde_dynamo` converts. Three things are added to it:
//!
//! - An absent member is an absent attribute, never `NULL`: an index has no place for an item
//!   without its attribute, and a condition tells the two apart.
//! - Bytes and sets, which the ledger never writes, make an item unreadable. `serde_dynamo` takes a
//!   set for a list.
//! - The attributes of an item are read in the order of their names, and an error names its
//!   attribute: an item with several mistakes is always reported with the same one.

use std::collections::{BTreeMap, HashMap, btree_map};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess};
use serde_dynamo::{Deserializer, Error, to_attribute_value};

pub type Item = HashMap<String, AttributeValue>;

/// The attributes of a record.
pub fn item_of(record: &impl Serialize) -> Result<Item, String> {
    match attribute_of(record)? {
        AttributeValue::M(members) => Ok(members),
        other => Err(format!("a record has members, and this is {other:?}")),
    }
}

/// A part of a record as one attribute.
pub fn attribute_of(part: &impl Serialize) -> Result<AttributeValue, String> {
    to_attribute_value(part).map(without_nulls).map_err(|why| why.to_string())
}

/// The record with these attributes. Those in `apart` are the ledger's own and no members of it.
pub fn record_of<T: DeserializeOwned>(item: &Item, apart: &[&str]) -> Result<T, String> {
    let members = item.iter().map(|(name, attribute)| (name.as_str(), attribute));
    let members: BTreeMap<&str, &AttributeValue> =
        members.filter(|(name, _)| !apart.contains(name)).collect();
    let members = Members { rest: members.into_iter(), value: None };
    T::deserialize(MapAccessDeserializer::new(members)).map_err(|why| why.to_string())
}

/// The part of a record that one attribute is.
pub fn part_of<T: DeserializeOwned>(name: &str, attribute: &AttributeValue) -> Result<T, String> {
    read(std::marker::PhantomData, name, attribute).map_err(|why| why.to_string())
}

fn read<'de, S: DeserializeSeed<'de>>(
    seed: S,
    name: &str,
    attribute: &AttributeValue,
) -> Result<S::Value, Error> {
    if !is_written(attribute) {
        return Err(Error::custom(format!("`{name}` is of a type that is never written")));
    }
    let deserializer = Deserializer::from_attribute_value(attribute.clone().into());
    seed.deserialize(deserializer).map_err(|why| Error::custom(format!("`{name}`: {why}")))
}

/// Tells whether an attribute is of a type that the ledger writes.
fn is_written(attribute: &AttributeValue) -> bool {
    match attribute {
        AttributeValue::L(values) => values.iter().all(is_written),
        AttributeValue::M(members) => members.values().all(is_written),
        AttributeValue::Bool(_)
        | AttributeValue::N(_)
        | AttributeValue::Null(_)
        | AttributeValue::S(_) => true,
        _ => false,
    }
}

fn without_nulls(attribute: AttributeValue) -> AttributeValue {
    match attribute {
        AttributeValue::L(values) => {
            AttributeValue::L(values.into_iter().map(without_nulls).collect())
        }
        AttributeValue::M(members) => {
            let present = members.into_iter().filter(|(_, member)| !member.is_null());
            AttributeValue::M(present.map(|(name, it)| (name, without_nulls(it))).collect())
        }
        other => other,
    }
}

/// The attributes of an item in the order of their names.
struct Members<'i> {
    rest: btree_map::IntoIter<&'i str, &'i AttributeValue>,
    /// The attribute whose name was read last.
    value: Option<(&'i str, &'i AttributeValue)>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.value = self.rest.next();
        self.value.map(|(name, _)| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take();
        let (name, attribute) = value.ok_or_else(|| Error::custom("a value before its name"))?;
        read(seed, name, attribute)
    }
}

#[cfg(test)]
mod tests {
    use afterimage_core::command::Cursor;

    use super::*;

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_string())
    }

    #[track_caller]
    fn check(item: &[(&str, AttributeValue)], expected: &str) {
        let item = item.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect();
        let read: Result<Cursor, String> = record_of(&item, &["pk"]);
        assert_eq!(read.map_err(|why| why.to_string()), Err(expected.to_string()));
    }

    #[test]
    fn the_first_mistake_in_the_order_of_names_is_reported() {
        let number = AttributeValue::N("1".to_string());
        check(
            &[("schedule", number.clone()), ("policy", number), ("pk", text("its key"))],
            "`policy`: Expected string",
        );
        check(&[("policy", text("gold"))], "missing field `schedule`");
        let unknown = "unknown field `extra`, expected one of `policy`, `schedule`, \
                       `region`, `done_until`";
        check(&[("extra", text("x")), ("policy", text("gold"))], unknown);
    }

    #[test]
    fn what_is_never_written_is_not_read() {
        let set = AttributeValue::Ss(vec!["gold".to_string()]);
        let within = AttributeValue::L(vec![AttributeValue::M(HashMap::from([(
            "a".to_string(),
            set.clone(),
        )]))]);
        for value in [set, within] {
            check(&[("policy", value)], "`policy` is of a type that is never written");
        }
    }

    #[test]
    fn an_absent_member_is_an_absent_attribute() {
        let record = BTreeMap::from([("one", Some(BTreeMap::from([("two", None::<u8>)])))]);
        let one = AttributeValue::M(HashMap::new());
        assert_eq!(item_of(&record), Ok(HashMap::from([("one".to_string(), one)])));
        assert_eq!(item_of(&BTreeMap::from([("one", None::<u8>)])), Ok(HashMap::new()));
    }
}
