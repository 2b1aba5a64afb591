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
    let key = text.strip_prefix("arn:").map_or(Some((None, text)), in_arn);
    let Some((at, _)) = key.filter(|(_, key)| is_key(key) && text.len() <= KEY_CHARS_MAX) else {
        let what = format!("`{text}` does not name a KMS key");
        problems.add(node.at, what, "write an alias like alias/dr, a key id, or the ARN of either");
        return None;
    };
    if let (Some(at), Some(region)) = (at, region)
        && at != region.as_str()
    {
        let what = format!("a key in {at} cannot encrypt images in {region}");
        problems.add(node.at, what, format!("name a key in {region}"));
    }
    Some(text.to_string())
}

/// The region of an ARN, and the key in it, from what stands behind `arn:`.
fn in_arn(rest: &str) -> Option<(Option<&str>, &str)> {
    let parts: Vec<&str> = rest.splitn(5, ':').collect();
    let [partition, "kms", region, account, resource] = parts[..] else { return None };
    AccountId::parse(account).ok()?;
    let key = resource.strip_prefix("key/").filter(|id| !id.starts_with("alias/"));
    let key = key.or_else(|| resource.starts_with("alias/").then_some(resource))?;
    partition.starts_with("aws").then_some((Some(region), key))
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
