//! `docs/policies.md` against the program: every example is read, every message is the one that is
//! given, and no key is missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use afterimage::Failure;
use afterimage::policy::{SCHEMA, from_file, notes};
use afterimage_cloud::iam::{Ask, Keys, PolicyDocument, Verdict, evaluate};
use serde_json::{Value as Json, json};

use crate::{good, keys, text};

const DOCUMENT: &str = "docs/policies.md";

/// An example of the document, as a whole file.
pub struct Example {
    /// Where it begins.
    pub line: usize,
    pub file: String,
    /// What is said of it, if it is wrong.
    pub said: Option<String>,
}

/// The fenced blocks: the line of the fence, its language, what it holds and the line of its end.
fn blocks(document: &str) -> Vec<(usize, &str, String, usize)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, &str, String)> = None;
    for (number, line) in (1..).zip(document.lines()) {
        match (open.take(), line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((number, language, String::new())),
            (None, None) => {}
            (Some((first, language, held)), Some("")) => {
                blocks.push((first, language, held, number));
            }
            (Some((first, language, held)), _) => {
                open = Some((first, language, held + line + "\n"));
            }
        }
    }
    assert!(open.is_none(), "a block does not end");
    blocks
}

/// What stands before a part of a policy, of which the part lacks something.
const SELECT: &str = "    select:\n      regions: [us-east-1]\n      tags: {backup: gold}\n";
const TRIGGERS: &str = "    triggers:\n      - on: tag\n";

fn completed(block: &str) -> String {
    let begins = |key: &str| block.lines().any(|line| line.starts_with(key));
    if begins("policies:") {
        return block.to_string();
    }
    let mut file = "policies:\n  example:\n".to_string();
    for (key, part) in [("select:", SELECT), ("triggers:", TRIGGERS)] {
        if !begins(key) {
            file += part;
        }
    }
    file + &block.lines().map(|line| format!("    {line}\n")).collect::<String>()
}

pub fn examples() -> Vec<Example> {
    let document = text(DOCUMENT);
    let mut examples: Vec<Example> = Vec::new();
    let mut end_of_example = 0;
    for (line, language, held, end) in blocks(&document) {
        match language {
            "yaml" => {
                examples.push(Example { line, file: completed(&held), said: None });
                end_of_example = end;
            }
            "text" => {
                assert_eq!(line, end_of_example + 2, "line {line} belongs to no example");
                examples.last_mut().expect("there is one").said = Some(held);
            }
            other => panic!("line {line}: a block of `{other}` is read by nobody"),
        }
    }
    examples
}

#[test]
fn what_completes_an_example_is_what_the_document_says() {
    let shown = format!("policies:\n  example:\n{SELECT}{TRIGGERS}");
    assert!(text(DOCUMENT).contains(&format!("```yaml\n{shown}```")));
    assert_eq!(completed("consistency: crash\n"), format!("{shown}    consistency: crash\n"));
}

#[test]
fn every_example_is_as_right_or_as_wrong_as_the_document_says() {
    let examples = examples();
    let wrong = examples.iter().filter(|example| example.said.is_some()).count();
    assert!(examples.len() > 25 && wrong > 0, "{} examples, {wrong} wrong", examples.len());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("policies-document");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let path = folder.join("policies.yaml");
    for Example { line, file, said } in examples {
        fs::write(&path, &file).expect("a file can be written");
        let told = match from_file(&path, "") {
            Ok(_) => None,
            Err(Failure::Input(told) | Failure::Declined(told) | Failure::Ours(told)) => Some(told),
        };
        let shown = |told: String| told.replace(&path.display().to_string(), "policies.yaml");
        let told = told.map(|told| format!("error: {}\n", shown(told)));
        assert_eq!(told, said, "{DOCUMENT}:{line}");
    }
}

#[test]
fn every_key_of_the_language_has_an_example_and_a_word() {
    let schema: Json = serde_json::from_str(SCHEMA).expect("it is JSON");
    let known = keys::of_schema(&schema);
    let right = examples().into_iter().filter(|example| example.said.is_none());
    let used = right.map(|example| keys::of_file(&example.file, &known));
    // The one with every key would cover for all others.
    let (all, used): (Vec<_>, Vec<_>) = used.partition(|used| *used == known);
    assert_eq!(all.len(), 1, "one example has every key");
    let used: BTreeSet<String> = used.into_iter().flatten().collect();
    assert_eq!(used, known);
    let document = text(DOCUMENT);
    for key in &known {
        let last = key.rsplit('.').next().unwrap_or_default();
        let told = [key, last].iter().any(|key| document.contains(&format!("`{key}`")));
        assert!(told, "{key} has no word of its own");
    }
}

/// What is said to be accepted and not acted on is what the command says.
#[test]
fn what_is_not_acted_on_is_what_is_noted() {
    let document = text(DOCUMENT);
    let (_, section) = document.split_once("## What is not acted on yet").expect("it is there");
    let (section, _) = section.split_once("\n## ").expect("it is not the last");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<&str> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap_or_default().split(','))
        .map(|key| key.trim().trim_matches('`'))
        .collect();
    let whole = "policies:\n  example:\n".to_string() + SELECT + TRIGGERS;
    let said = [
        ("retain", "    retain: {daily: 1}\n"),
        ("replicate.retain", "    replicate: [{region: eu-west-1, retain: {daily: 1}}]\n"),
        ("rpo", "    rpo: 1d\n"),
        ("image.share", "    image: {share: {accounts: [\"111122223333\"]}}\n"),
    ];
    assert_eq!(told, said.iter().map(|(key, _)| *key).collect());
    for (key, lines) in said {
        let notes = notes(&good(&(whole.clone() + lines)));
        assert!(notes[0].contains("is not acted on yet"), "{key}: {notes:?}");
    }
    assert_eq!(notes(&good(&whole)), [""; 0]);
}

#[test]
fn the_file_to_begin_with_is_right() {
    let policies = good(&text("docs/example.yaml"));
    assert!(policies.len() > 1);
    assert_eq!(notes(&policies), [""; 0], "it promises nothing that is not kept");
}

/// Every tag of ours but the one that people set is in the service control policy, and no other.
#[test]
fn the_tags_that_are_reserved_are_ours() {
    let names = text("shared/core/src/names.rs");
    let quoted = names.lines().filter_map(|line| line.split('"').nth(1));
    let ours = quoted.filter(|text| text.starts_with("afterimage:"));
    let ours = ours.filter(|key| !["afterimage:", "afterimage:now"].contains(key));
    let ours: BTreeSet<String> = ours
        .map(|key| if key.ends_with('-') { format!("{key}*") } else { key.to_string() })
        .collect();
    let document = text("SECURITY.md");
    let blocks = blocks(&document);
    let (_, _, policy, _) =
        blocks.iter().find(|(_, language, ..)| *language == "json").expect("it is there");
    let policy: Json = serde_json::from_str(policy).expect("it is JSON");
    let keys = &policy["Statement"][0]["Condition"]["ForAnyValue:StringLike"]["aws:TagKeys"];
    let keys = keys.as_array().into_iter().flatten().filter_map(Json::as_str);
    assert_eq!(keys.map(str::to_string).collect::<BTreeSet<_>>(), ours);
}

/// The policies of SECURITY.md: those of an organization, and those of keys, which name principals.
fn given_to_aws() -> (Vec<Json>, Vec<Json>) {
    let document = text("SECURITY.md");
    let blocks = blocks(&document).into_iter().filter(|(_, language, ..)| *language == "json");
    let policies = blocks.map(|(line, _, block, _)| {
        let policy: Result<Json, _> = serde_json::from_str(&block);
        policy.unwrap_or_else(|error| panic!("SECURITY.md:{line}: {error}"))
    });
    policies.partition(|policy| policy["Statement"][0].get("Principal").is_none())
}

/// The longest policy that an organization takes, in characters without spaces.
const CONTROL_POLICY_MAX: usize = 5120;

/// What AWS says of a call of an administrator of the account under the policies of the
/// organization.
fn verdict(principal: &str, action: &str, resource: &str, keys: &[(&str, &str)]) -> Verdict {
    let all = json!({ "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let policies = given_to_aws().0.into_iter().chain([all]);
    let read = |policy| PolicyDocument::parse_identity(&policy).expect("IAM takes it");
    let policies: Vec<PolicyDocument> = policies.map(read).collect();
    let mut given = Keys::new();
    given.insert("aws:PrincipalArn", format!("arn:aws:iam::123456789012:role/{principal}"));
    keys.iter().for_each(|(key, value)| given.insert(key, *value));
    let ask = Ask { action: action.to_string(), resource: resource.to_string(), keys: given };
    evaluate(&policies, &ask)
}

#[test]
fn the_policies_for_an_organization_and_for_keys_are_such_that_aws_takes_them() {
    let (of_organization, of_keys) = given_to_aws();
    assert_eq!((of_organization.len(), of_keys.len()), (2, 1));
    for policy in of_organization {
        PolicyDocument::parse_identity(&policy).unwrap_or_else(|error| panic!("{error}"));
        let length = policy.to_string().len();
        assert!(length <= CONTROL_POLICY_MAX, "{length}");
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            assert_eq!(statement["Effect"], "Deny", "{statement}");
            let but = statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"].as_str();
            let but = but.unwrap_or_else(|| panic!("nobody is left to do it: {statement}"));
            assert!(but.starts_with("arn:aws:iam::*:role/"), "{but}");
        }
    }
    for policy in of_keys {
        PolicyDocument::parse_resource(&policy).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn what_ends_backups_is_left_to_those_who_deploy_the_stack() {
    let aws =
        |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:123456789012:{rest}");
    let rule = "rule/afterimage/afterimage-WorkRequestedAsked-1ABC";
    let region_rule = "rule/afterimage-region-InstanceTagged-1ABC";
    let stack = "stack/afterimage-region/1234abcd-12ab-34cd-56ef-1234567890ab";
    let killing = [
        ("kms:ScheduleKeyDeletion", aws("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")),
        ("kms:DisableKey", aws("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")),
        ("dynamodb:DeleteTable", aws("dynamodb", "table/afterimage")),
        ("dynamodb:DeleteTable", aws("dynamodb", "table/afterimage-witness")),
        ("dynamodb:UpdateContinuousBackups", aws("dynamodb", "table/afterimage")),
        ("dynamodb:DeleteBackup", aws("dynamodb", "table/afterimage/backup/01-1ABC")),
        ("events:DisableRule", aws("events", "rule/afterimage-BackupTickMinute-1ABC")),
        ("events:DeleteRule", aws("events", rule)),
        ("events:RemoveTargets", aws("events", region_rule)),
        ("lambda:DeleteFunction", aws("lambda", "function:afterimage-work-requested")),
        ("lambda:PutFunctionConcurrency", aws("lambda", "function:afterimage-reconcile-tick")),
        ("cloudformation:DeleteStack", aws("cloudformation", stack)),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/afterimage-mine".to_string()),
    ];
    for (action, resource) in killing {
        let may = |who: &str| verdict(who, action, &resource, &[]) == Verdict::Allowed;
        assert!(!may("administrator"), "{action} on {resource}");
        assert!(!may("afterimage-WorkRequestedRole-1ABC"), "{action} on {resource}");
        assert!(may("backup-admin"), "{action} on {resource}");
    }
    let others = [
        ("dynamodb:DeleteTable", aws("dynamodb", "table/orders")),
        ("dynamodb:DeleteTable", aws("dynamodb", "table/afterimage-restored")),
        ("dynamodb:Query", aws("dynamodb", "table/afterimage")),
        ("events:DisableRule", aws("events", "rule/nightly")),
        ("lambda:InvokeFunction", aws("lambda", "function:afterimage-work-requested")),
        ("kms:DescribeKey", aws("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/web".to_string()),
    ];
    for (action, resource) in others {
        let verdict = verdict("administrator", action, &resource, &[]);
        assert_eq!(verdict, Verdict::Allowed, "{action} on {resource}");
    }
    let ours = [("aws:ResourceTag/afterimage:point", "gold-0abc-run-1")];
    let image = "arn:aws:ec2:us-east-1::image/ami-0123456789abcdef0";
    let may = |who: &str| verdict(who, "ec2:DeregisterImage", image, &ours) == Verdict::Allowed;
    assert!(!may("administrator") && may("afterimage-WorkRequestedRole-1ABC"));
}
