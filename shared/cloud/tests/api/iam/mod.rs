//! IAM as its user guide describes it: one table for each chapter, one row for each rule.

mod conditions;
mod documents;
mod resources;
mod statements;

use afterimage_cloud::iam::{Ask, Keys, PolicyDocument, Verdict, evaluate};
use serde_json::{Value, json};

const SNAPSHOT: &str = "arn:aws:ec2:eu-central-1::snapshot/snap-1";
const INSTANCE: &str = "arn:aws:ec2:eu-central-1:123456789012:instance/i-1";
const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/backup/run-1";

fn keys(pairs: &[(&str, &str)]) -> Keys {
    let mut keys = Keys::new();
    for (key, value) in pairs {
        keys.insert(key, *value);
    }
    keys
}

fn ask(action: &str, resource: &str, pairs: &[(&str, &str)]) -> Ask {
    Ask { action: action.to_owned(), resource: resource.to_owned(), keys: keys(pairs) }
}

fn document(statements: Value) -> PolicyDocument {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    PolicyDocument::parse(&document).unwrap_or_else(|error| panic!("{error} in {document}"))
}

fn allow(action: Value, resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

/// A row: its name, the policy's statements, the action, the resource, the keys, the answer.
type Row<'a> = (&'a str, Value, &'a str, &'a str, &'a [(&'a str, &'a str)], Verdict);

fn check(rows: &[Row]) {
    for (name, statements, action, resource, pairs, expected) in rows {
        let policy = document(statements.clone());
        let verdict = evaluate(&[policy], &ask(action, resource, pairs));
        assert_eq!(verdict, *expected, "{name}");
    }
}
