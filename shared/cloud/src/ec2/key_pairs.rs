//! Key pairs: their names, which a launch must know. No machine has anybody log in to it, so that
//! there is no key behind a name.

use std::collections::BTreeSet;

use super::{filter, state::KeyPair};
use crate::kernel::access::{Call, Tags, Want};
use crate::kernel::error::ApiError;
use crate::kernel::hash;
use crate::kernel::ids;
use crate::kernel::query::Fields;
use crate::kernel::scope::Scope;
use crate::kernel::xml::Xml;
use crate::model::Model;

const NAME_LENGTH_MAX: usize = 255;

/// Refuses a launch with a key pair that is not there.
pub fn check(model: &mut Model, scope: &Scope, name: &str) -> Result<(), ApiError> {
    let known = model.ec2_region(scope).furniture.key_pairs.contains_key(name);
    if known { Ok(()) } else { Err(missing(name)) }
}

fn missing(name: &str) -> ApiError {
    ApiError::bad("InvalidKeyPair.NotFound", format!("The key pair '{name}' does not exist"))
}

/// The authorisation of something to be done with a key pair.
fn want(call: &Call, name: &str) -> Want {
    let (region, account) = (&call.scope.region, &call.scope.account);
    let arn = format!("arn:aws:ec2:{region}:{account}:key-pair/{name}");
    Want::new(&format!("ec2:{}", call.action), arn)
}

/// CreateKeyPair, and ImportKeyPair of a public key.
pub fn create(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let is_import = call.action == "ImportKeyPair";
    let name = fields.required("KeyName")?.to_string();
    let given = if is_import { Some(fields.required("PublicKeyMaterial")?) } else { None };
    let seed = given.unwrap_or("made here").to_string();
    let kind = match fields.text("KeyType").filter(|_| !is_import) {
        None | Some("rsa") => "rsa",
        Some("ed25519") => "ed25519",
        Some(other) => return Err(fields.invalid("KeyType", other, "Try rsa or ed25519.")),
    };
    fields.finish()?;
    if name.is_empty() || name.chars().count() > NAME_LENGTH_MAX {
        return Err(fields.invalid("KeyName", &name, "It has 1 to 255 characters."));
    }
    model.permit(call, &[want(call, &name)])?;
    if model.ec2_region(&call.scope).furniture.key_pairs.contains_key(&name) {
        let text = format!("The keypair '{name}' already exists.");
        return Err(ApiError::bad("InvalidKeyPair.Duplicate", text));
    }
    let id = ids::numbered(&mut model.rng, "key");
    let pair = KeyPair { fingerprint: fingerprint(&seed, &id), id, kind, created_at: model.now };
    let mut xml = Xml::new();
    xml.leaf("keyName", &name).leaf("keyFingerprint", &pair.fingerprint);
    if !is_import {
        xml.leaf("keyMaterial", format!("no key: {} of a cloud without machines", pair.id));
    }
    xml.leaf("keyPairId", &pair.id);
    model.ec2_region(&call.scope).furniture.key_pairs.insert(name, pair);
    Ok(xml)
}

/// Sixteen bytes between colons.
fn fingerprint(material: &str, id: &str) -> String {
    let halves = ["1", "2"].map(|half| hash::of_texts(&[material, id, half]).to_be_bytes());
    let bytes = halves.as_flattened().iter().map(|byte| format!("{byte:02x}"));
    bytes.collect::<Vec<_>>().join(":")
}

/// A key pair that is not there is deleted all the same.
pub fn delete(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let (name, id) = (fields.text("KeyName"), fields.text("KeyPairId"));
    let (name, id) = (name.map(str::to_string), id.map(str::to_string));
    fields.finish()?;
    if name.is_none() && id.is_none() {
        return Err(ApiError::missing_parameter("KeyName"));
    }
    let pairs = &model.ec2_region(&call.scope).furniture.key_pairs;
    let named = |known: &&String| name.as_ref() == Some(*known);
    let found = match &id {
        Some(id) => pairs.iter().find(|(_, pair)| pair.id == *id).map(|(name, _)| name.clone()),
        None => pairs.keys().find(named).cloned(),
    };
    let wanted = found.clone().or(name).unwrap_or_else(|| "*".to_string());
    model.permit(call, &[want(call, &wanted)])?;
    let pairs = &mut model.ec2_region(&call.scope).furniture.key_pairs;
    let removed = found.and_then(|name| pairs.remove(&name));
    let mut xml = Xml::new();
    xml.flag("return", true);
    xml.maybe("keyPairId", removed.map(|pair| pair.id));
    Ok(xml)
}

const FILTERS: [&str; 3] = ["fingerprint", "key-name", "key-pair-id"];

pub fn describe(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    let (names, ids) = (filter::ids(fields, "KeyName"), filter::ids(fields, "KeyPairId"));
    let filters = filter::read(fields)?;
    filter::check(&filters, &FILTERS)?;
    fields.finish()?;
    model.permit(call, &[Want::anywhere("ec2:DescribeKeyPairs")])?;
    let pairs = &model.ec2_region(&call.scope).furniture.key_pairs;
    if let Some(name) = names.iter().find(|name| !pairs.contains_key(*name)) {
        return Err(missing(name));
    }
    let known: BTreeSet<&String> = pairs.values().map(|pair| &pair.id).collect();
    if let Some(id) = ids.iter().find(|id| !known.contains(id)) {
        return Err(missing(id));
    }
    let chosen = pairs.iter().filter(|(name, pair)| {
        (names.is_empty() || names.contains(*name))
            && (ids.is_empty() || ids.contains(&pair.id))
            && filter::passes(&filters, &Tags::new(), |filter| match filter {
                "fingerprint" => vec![pair.fingerprint.clone()],
                "key-name" => vec![name.to_string()],
                "key-pair-id" => vec![pair.id.clone()],
                _ => Vec::new(),
            })
    });
    let mut xml = Xml::new();
    xml.list("keySet", chosen, |xml, (name, pair)| {
        xml.leaf("keyPairId", &pair.id).leaf("keyFingerprint", &pair.fingerprint);
        xml.leaf("keyName", name).leaf("keyType", pair.kind);
        xml.leaf("createTime", pair.created_at.to_millis_text());
    });
    Ok(xml)
}
