//! KMS: symmetric keys, their states, policies, aliases and grants, as far as EBS and DynamoDB
//! need them. Nothing is encrypted here.
//!
//! Every account has in every region a key of AWS's behind `alias/aws/ebs`, and, once it is asked
//! for, one behind `alias/aws/dynamodb`.

mod aliases;
pub mod answer;
mod document;
pub mod ebs;
mod grants;
mod keys;
mod policy;
pub(crate) mod state;

use std::collections::BTreeMap;

use serde_json::Value;

use state::{Alias, Key, Region, State};

use crate::kernel::access::Tags;
use crate::kernel::error::ApiError;
use crate::kernel::json::Members;
use crate::kernel::scope::Scope;
use crate::kernel::time::Time;
use crate::kernel::{hash, ids};
use crate::model::Model;

/// A key that exists, perhaps in another account.
#[derive(Clone, Debug)]
struct Found {
    scope: Scope,
    id: String,
}

impl Found {
    fn arn(&self) -> String {
        key_arn(&self.scope, &self.id)
    }
}

fn key_arn(scope: &Scope, id: &str) -> String {
    format!("arn:aws:kms:{}:{}:key/{id}", scope.region, scope.account)
}

fn alias_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:kms:{}:{}:{name}", scope.region, scope.account)
}

const EBS_ALIAS: &str = "alias/aws/ebs";

/// The state of KMS in a region, with the key that EBS always has.
fn region<'a>(model: &'a mut Model, scope: &Scope) -> &'a mut Region {
    let now = model.now;
    let region = model.kms.entry(scope.clone()).or_default();
    region.furnish(scope, EBS_ALIAS, now);
    region
}

impl Region {
    /// Makes the key of AWS's behind an alias, unless it is there. Its id follows from where it is,
    /// so that asking for it earlier or later changes nothing else.
    fn furnish(&mut self, scope: &Scope, alias: &str, now: Time) {
        let Some(service) = alias.strip_prefix("alias/aws/") else { return };
        if self.aliases.contains_key(alias) {
            return;
        }
        let name = alias_arn(scope, alias);
        let seed = hash::of_texts(&[&name]);
        let mut rng = fastrand::Rng::with_seed(seed);
        let id = ids::uuid(&mut rng);
        let policy = document::of_service(scope, service);
        let Ok(document) = document::parse(&policy) else { return };
        let key = Key {
            state: State::Enabled,
            created_at: now,
            description: service_description(service),
            service: Some(service.to_string()),
            external: false,
            policy,
            document,
            tags: Tags::new(),
            grants: BTreeMap::new(),
            material_id: material_id(&mut rng),
        };
        self.keys.insert(id.clone(), key);
        let alias_of = Alias { key_id: id, created_at: now, updated_at: now };
        self.aliases.insert(alias.to_string(), alias_of);
    }
}

/// AWS's description of a key of its own.
fn service_description(service: &str) -> String {
    match service {
        "ebs" => "Default key that protects my EBS volumes when no other key is defined".into(),
        _ => format!("Default key that protects my {service} data when no other key is defined"),
    }
}

/// The id of a key's material: 64 hex digits.
fn material_id(rng: &mut fastrand::Rng) -> String {
    format!("{:032x}{:032x}", rng.u128(..), rng.u128(..))
}

/// The ARN of the key that `name` means in the region: an id, an alias (`alias/x`), or the ARN of
/// either. Nothing if there is none.
pub fn resolve(model: &mut Model, scope: &Scope, name: &str) -> Option<String> {
    if name.ends_with("alias/aws/dynamodb") {
        let now = model.now;
        region(model, scope).furnish(scope, "alias/aws/dynamodb", now);
    }
    find(model, scope, name).ok().map(|found| found.arn())
}

/// The ARN of the key behind `alias/aws/ebs`, which every account and region has.
pub fn default_ebs_key(model: &mut Model, scope: &Scope) -> String {
    let region = region(model, scope);
    let id = region.aliases.get(EBS_ALIAS).map(|alias| alias.key_id.as_str());
    key_arn(scope, id.unwrap_or_default())
}

/// The key that a name means: an id, an alias, or the ARN of either.
fn find(model: &mut Model, scope: &Scope, name: &str) -> Result<Found, ApiError> {
    let Some(rest) = name.strip_prefix("arn:") else {
        return find_local(model, scope, name);
    };
    let mut parts = rest.splitn(5, ':');
    let (Some("aws"), Some("kms"), Some(region), Some(account), Some(local)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(not_found(format!("Invalid arn {name}")));
    };
    if region != &*scope.region {
        return Err(not_found(format!("Invalid arn {region}")));
    }
    let home = Scope::new(account, region);
    match local.strip_prefix("key/") {
        Some(id) => find_local(model, &home, id),
        None if local.starts_with("alias/") => find_local(model, &home, local),
        None => Err(not_found(format!("Invalid arn {name}"))),
    }
}

fn find_local(model: &mut Model, scope: &Scope, name: &str) -> Result<Found, ApiError> {
    let known = region(model, scope);
    if name.starts_with("alias/") {
        return match known.aliases.get(name) {
            Some(alias) => Ok(Found { scope: scope.clone(), id: alias.key_id.clone() }),
            None => Err(no_alias(scope, name)),
        };
    }
    if known.keys.contains_key(name) {
        return Ok(Found { scope: scope.clone(), id: name.to_string() });
    }
    Err(match is_uuid(name) {
        true => not_found(format!("Key '{}' does not exist", key_arn(scope, name))),
        false => not_found(format!("Invalid keyId '{name}'")),
    })
}

/// The key of operations that take no alias.
fn find_key(model: &mut Model, scope: &Scope, name: &str) -> Result<Found, ApiError> {
    if name.contains("alias/") {
        return Err(not_found(format!("Invalid keyId '{name}'")));
    }
    find(model, scope, name)
}

fn key<'a>(model: &'a mut Model, found: &Found) -> Result<&'a mut Key, ApiError> {
    let missing = not_found(format!("Key '{}' does not exist", found.arn()));
    region(model, &found.scope).keys.get_mut(&found.id).ok_or(missing)
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

fn not_found(text: String) -> ApiError {
    ApiError::bad("NotFoundException", text)
}

fn no_alias(scope: &Scope, name: &str) -> ApiError {
    not_found(format!("Alias {} is not found.", alias_arn(scope, name)))
}

/// Refuses what a key in its state cannot do.
fn require(found: &Found, key: &Key, fits: impl Fn(State) -> bool) -> Result<(), ApiError> {
    if fits(key.state) {
        return Ok(());
    }
    let arn = found.arn();
    Err(match key.state {
        State::Enabled => invalid_state(format!("{arn} is not pending deletion.")),
        State::Disabled => ApiError::bad("DisabledException", format!("{arn} is disabled.")),
        State::PendingDeletion(_) => invalid_state(format!("{arn} is pending deletion.")),
        State::PendingImport => invalid_state(format!("{arn} is pending import.")),
    })
}

fn invalid_state(text: String) -> ApiError {
    ApiError::bad("KMSInvalidStateException", text)
}

/// A part of a list, and the marker of the rest.
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// The page that `Limit` and `Marker` ask for, of entries in the order of their names.
fn page<T>(
    members: &Members<'_>,
    most: i64,
    default: usize,
    all: impl Iterator<Item = (String, T)>,
) -> Result<Page<T>, ApiError> {
    let limit = match members.integer("Limit")? {
        None => default,
        Some(limit) if (1..=most).contains(&limit) => usize::try_from(limit).unwrap_or(default),
        Some(limit) => {
            let bound = format!("Member must have value between 1 and {most}");
            return Err(members.unfit("Limit", &limit.to_string(), &bound));
        }
    };
    let marker = members.text("Marker")?.unwrap_or_default();
    let mut rest = all.skip_while(|(name, _)| !marker.is_empty() && name.as_str() <= marker);
    let taken: Vec<_> = rest.by_ref().take(limit).collect();
    let last = taken.last().map(|(name, _)| name.clone());
    let next = rest.next().and(last);
    Ok(Page { items: taken.into_iter().map(|(_, item)| item).collect(), next })
}

impl<T> Page<T> {
    /// The answer of a list operation.
    fn answer(self, name: &str) -> Value
    where
        Value: From<Vec<T>>,
    {
        let mut answer = serde_json::json!({ "Truncated": self.next.is_some() });
        if let Some(next) = self.next {
            answer["NextMarker"] = next.into();
        }
        answer[name] = Value::from(self.items);
        answer
    }
}
