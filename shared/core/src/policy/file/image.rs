//! `image`: what is made of a machine, and how.

use std::collections::BTreeMap;

use super::reader::{self, Group, Problems};
use crate::ids::AccountId;
use crate::policy::{Artefact, ExcludeVolumes, ImageOptions, Method};
use crate::tags::is_reserved;
use crate::yaml::{Node, Value};

/// The most tags that a policy may set. EC2 takes 50. Ours are about a dozen, and one more for
/// every seven disks of a machine: the policy's still fit beside those of a machine with fifty.
const SET_TAGS_MAX: usize = 30;

/// Longest name of a device, in characters.
const DEVICE_CHARS_MAX: usize = 32;

pub fn read(node: &Node, problems: &mut Problems) -> Option<ImageOptions> {
    let mut group = Group::of(node, "`image`", problems)?;
    let method = group.get("method");
    let kind = group.get("kind");
    let excluded = group.get("exclude_volumes");
    let copied = group.get("copy_tags");
    let tagged = group.get("tags");
    let shared = group.get("share");
    group.finish(problems);
    let methods = [
        ("auto", Method::Auto),
        ("create-image", Method::CreateImage),
        ("snapshot-register", Method::SnapshotRegister),
    ];
    let method = method.and_then(|node| reader::choice(node, "`method`", &methods, problems));
    let kinds = [("image", Artefact::Image), ("snapshots", Artefact::Snapshots)];
    let kind = kind.and_then(|node| reader::choice(node, "`kind`", &kinds, problems));
    let copied = copied.and_then(|node| reader::flag(node, "`copy_tags`", problems));
    let default = ImageOptions::default();
    Some(ImageOptions {
        method: method.unwrap_or_default(),
        kind: kind.unwrap_or_default(),
        exclude_volumes: excluded
            .and_then(|node| exclude_volumes(node, problems))
            .unwrap_or_default(),
        copy_tags: copied.unwrap_or(default.copy_tags),
        tags: tagged.map(|node| tags(node, problems)).unwrap_or_default(),
        share: shared.map(|node| share(node, problems)).unwrap_or_default(),
    })
}

fn tags(node: &Node, problems: &mut Problems) -> BTreeMap<String, String> {
    if let Value::Map(pairs) = &node.value {
        let texts = pairs.iter().filter_map(|(key, _)| Some((key.at, key.text()?)));
        for (at, key) in texts.filter(|(_, key)| is_reserved(key)) {
            let what = format!("the tag `{key}` is reserved");
            problems.add(at, what, "choose keys that begin with neither aws: nor afterimage:");
        }
    }
    reader::tags(node, "`tags`", SET_TAGS_MAX, problems)
}

fn exclude_volumes(node: &Node, problems: &mut Problems) -> Option<ExcludeVolumes> {
    let mut group = Group::of(node, "`exclude_volumes`", problems)?;
    let tagged = group.get("tags");
    let named = group.get("devices");
    group.finish(problems);
    if tagged.is_none() && named.is_none() {
        let instead = "write `tags:` or `devices:` below it, or leave it out";
        problems.add(node.at, "`exclude_volumes` names no volumes", instead);
    }
    let tags = tagged
        .map(|node| reader::patterns(node, "`tags`", reader::ENTRIES_MAX, problems))
        .unwrap_or_default();
    let devices = named.map(|node| {
        let items = reader::list(node, "`devices`", problems);
        let known = items.iter().filter_map(|item| Some((item.at, device(item, problems)?)));
        let known: Vec<_> = known.collect();
        reader::once_each(known, problems)
    });
    Some(ExcludeVolumes { tags, devices: devices.unwrap_or_default() })
}

/// Reads the name of a device as EC2 writes it; Windows machines may leave `/dev/` out.
fn device(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = reader::text(node, "a device", problems)?;
    let name = text.strip_prefix("/dev/").or_else(|| text.starts_with("xvd").then_some(text));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '/';
    if name.is_some_and(|name| !name.is_empty() && name.chars().all(plain))
        && text.len() <= DEVICE_CHARS_MAX
    {
        return Some(text.to_string());
    }
    let what = format!("`{text}` is not the name of a device");
    problems.add(node.at, what, "write it as EC2 shows it, like /dev/sdh or xvdf");
    None
}

fn share(node: &Node, problems: &mut Problems) -> Vec<AccountId> {
    let Some(mut group) = Group::of(node, "`share`", problems) else { return Vec::new() };
    let accounts = group.need("accounts", problems);
    group.finish(problems);
    let Some(accounts) = accounts else { return Vec::new() };
    let items = reader::list(accounts, "`accounts`", problems);
    let known = items.iter().filter_map(|item| Some((item.at, account(item, problems)?)));
    let known: Vec<_> = known.collect();
    reader::once_each(known, problems)
}

/// An account id must be quoted: other readers of YAML take it for a number, and lose its zeros.
fn account(node: &Node, problems: &mut Problems) -> Option<AccountId> {
    let text = reader::text(node, "an account id", problems)?;
    let quoted = matches!(&node.value, Value::Scalar { quoted: true, .. });
    if !quoted {
        let what = format!("the account id {text} is not in quotes");
        problems.add(node.at, what, format!("write \"{text}\""));
        return None;
    }
    match AccountId::parse(text) {
        Ok(account) => Some(account),
        Err(error) => {
            problems.add(node.at, error.to_string(), "write its 12 digits in quotes");
            None
        }
    }
}
