//! `replicate`: where else.

use super::reader::{self, Group, Problems};
use super::{retain, select};
use crate::ids::{AccountId, Region};
use crate::policy::Replicate;
use crate::yaml::{Node, Position};

/// KMS takes no longer name for a key.
const KEY_CHARS_MAX: usize = 2048;

pub fn read(node: &Node, problems: &mut Problems) -> Vec<(Position, Replicate)> {
    let mut all: Vec<(Position, Replicate)> = Vec::new();
    for item in reader::list(node, "`replicate`", problems) {
        let Some(mut group) = Group::of(item, "a replica", problems) else { continue };
        let place = group.need("region", problems);
        let key = group.get("kms_key");
        let deadline = group.get("deadline");
        let retained = group.get("retain");
        group.finish(problems);
        let region = place.and_then(|node| select::region(node, problems));
        let kms_key = key.and_then(|node| kms_key(node, region.as_ref(), problems));
        let deadline_secs =
            deadline.and_then(|node| reader::duration(node, "`deadline`", problems));
        let retain = retained.and_then(|node| retain::read(node, problems));
        let (Some(place), Some(region)) = (place, region) else { continue };
        if all.iter().any(|(_, replica)| replica.region == region) {
            problems.add(place.at, format!("`{region}` is given twice"), "keep one of them");
            continue;
        }
        all.push((item.at, Replicate { region, kms_key, deadline_secs, retain }));
    }
    all
}

/// An alias, a key id or an ARN. An ARN says where its key is, and a key works nowhere else.
fn kms_key(node: &Node, region: Option<&Region>, problems: &mut Problems) -> Option<String> {
    let text = reader::text(node, "`kms_key`", problems)?;
    let (arn, key) = match text.strip_prefix("arn:") {
        None => (None, Some(text)),
        Some(rest) => {
            let arn = in_arn(rest);
            let key = arn.as_ref().map(|arn| arn.key);
            (arn, key)
        }
    };
    if key.is_none_or(|key| !is_key(key) || text.len() > KEY_CHARS_MAX) {
        let what = format!("`{text}` does not name a KMS key");
        problems.add(node.at, what, "write an alias like alias/dr, a key id, or the ARN of either");
        return None;
    }
    if let Some(arn) = arn {
        if let Some(region) = region.filter(|region| region.as_str() != arn.region) {
            let what = format!("a key in {} cannot encrypt images in {region}", arn.region);
            problems.add(node.at, what, format!("name a key in {region}"));
        }
        of_stack(arn.account, node.at, problems);
    }
    Some(text.to_string())
}

/// Refuses a key of another account than the stack's: its roles allow the functions no such key. If
/// the account of the stack is not known, all keys of a file have to be of one account.
fn of_stack(account: AccountId, at: Position, problems: &mut Problems) {
    if problems.now.is_none() {
        // A policy that is in force already still images its machines.
        return;
    }
    if let Some(stack) = problems.stack.clone() {
        if account != stack {
            let what = format!(
                "this key belongs to account {account}, and the functions may use only keys of \
                 {stack}, the account of the stack"
            );
            problems.add(at, what, format!("name a key of account {stack}"));
        }
        return;
    }
    let (first, place) = problems.first_key.get_or_insert((account.clone(), at)).clone();
    if account != first {
        let what = format!(
            "this key belongs to account {account}, and the key at {place} to {first}: the \
             functions may use only keys of the account of the stack"
        );
        problems.add(at, what, "name keys of the account of the stack");
    }
}

/// The ARN of a key or an alias.
struct Arn<'a> {
    region: &'a str,
    account: AccountId,
    key: &'a str,
}

/// Reads what stands behind `arn:`.
fn in_arn(rest: &str) -> Option<Arn<'_>> {
    let parts: Vec<&str> = rest.splitn(5, ':').collect();
    let [partition, "kms", region, account, resource] = parts[..] else { return None };
    let account = AccountId::parse(account).ok()?;
    let key = resource.strip_prefix("key/").filter(|id| !id.starts_with("alias/"));
    let key = key.or_else(|| resource.starts_with("alias/").then_some(resource))?;
    partition.starts_with("aws").then_some(Arn { region, account, key })
}

fn is_key(text: &str) -> bool {
    if let Some(alias) = text.strip_prefix("alias/") {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-');
        return !alias.is_empty() && alias.chars().all(plain);
    }
    let hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if let Some(id) = text.strip_prefix("mrk-") {
        return hex(id, 32);
    }
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5 && groups.iter().zip([8, 4, 4, 4, 12]).all(|(group, len)| hex(group, len))
}
