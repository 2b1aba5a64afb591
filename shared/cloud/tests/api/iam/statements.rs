//! Effects, actions, resources, variables; and the patterns below them all.

use std::time::{Duration, Instant};

use afterimage_cloud::iam::{Glob, PolicyDocument, Verdict, evaluate};
use serde_json::json;

use super::{INSTANCE, SNAPSHOT, allow, ask, check, document};

#[test]
fn effects_actions_and_exceptions() {
    use Verdict::{Allowed, ExplicitDeny, ImplicitDeny};
    let everything = allow(json!("*"), json!("*"));
    let deny = json!({"Effect": "Deny", "Action": "ec2:Delete*", "Resource": "*"});
    let not_action = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
    let deny_not_action =
        json!({"Effect": "Deny", "NotAction": ["ec2:*", "kms:*"], "Resource": "*"});
    let not_resource = json!({"Effect": "Allow", "Action": "ec2:*", "NotResource": SNAPSHOT});
    let unset_not_resource = json!({"Effect": "Deny", "Action": "*",
        "NotResource": "arn:aws:ec2:*::snapshot/${aws:PrincipalTag/x}"});
    let images = "arn:aws:ec2:*::image/*";
    let snap = "ec2:DeleteSnapshot";
    let one = |action: &str, resource: &str| allow(json!(action), json!(resource));
    let both = json!([everything, deny]);
    let turned = json!([deny, everything]);
    let two = allow(json!(["s3:Get", snap]), json!([images, SNAPSHOT]));
    #[rustfmt::skip]
    check(&[
        ("a matching statement allows", everything.clone(), snap, SNAPSHOT, &[], Allowed),
        ("a single statement needs no list", one(snap, SNAPSHOT), snap, SNAPSHOT, &[], Allowed),
        ("deny wins over an earlier allow", both.clone(), snap, SNAPSHOT, &[], ExplicitDeny),
        ("deny wins over a later allow", turned, snap, SNAPSHOT, &[], ExplicitDeny),
        ("a deny of something else is no deny", both, "ec2:CreateImage", INSTANCE, &[], Allowed),
        ("silence denies", one(snap, "*"), "ec2:CopyImage", SNAPSHOT, &[], ImplicitDeny),
        ("another resource is not covered", one(snap, images), snap, SNAPSHOT, &[], ImplicitDeny),
        ("lists are alternatives", two, snap, SNAPSHOT, &[], Allowed),
        ("actions do not mind case", one("EC2:deleteSNAPSHOT", "*"), snap, SNAPSHOT, &[], Allowed),
        ("an action may hold a star", one("ec2:Delete*", "*"), snap, SNAPSHOT, &[], Allowed),
        ("an action may hold a question mark", one("ec2:DeleteSnapsho?", "*"),
         snap, SNAPSHOT, &[], Allowed),
        ("the star of an action needs its ending", one("ec2:*Image", "*"),
         snap, SNAPSHOT, &[], ImplicitDeny),
        ("NotAction allows the others", not_action.clone(), snap, SNAPSHOT, &[], Allowed),
        ("NotAction is silent on its own", not_action, "iam:PassRole", "*", &[], ImplicitDeny),
        ("a NotAction deny spares the listed", json!([everything, deny_not_action]),
         snap, SNAPSHOT, &[], Allowed),
        ("a NotAction deny denies the others", json!([everything, deny_not_action]),
         "s3:GetObject", "*", &[], ExplicitDeny),
        ("NotResource spares the listed", not_resource.clone(), snap, SNAPSHOT, &[], ImplicitDeny),
        ("NotResource covers the others", not_resource, snap, INSTANCE, &[], Allowed),
        ("NotResource with an unset variable spares nothing", unset_not_resource,
         snap, SNAPSHOT, &[], ExplicitDeny),
    ]);
}

#[test]
fn resources() {
    use Verdict::{Allowed, ImplicitDeny};
    let snap = "ec2:DeleteSnapshot";
    let one = |action: &str, resource: &str| allow(json!(action), json!(resource));
    let partial = one("s3:*", "arn:aws:s3:::logs-?");
    #[rustfmt::skip]
    check(&[
        ("resources mind case", one("*", "arn:aws:ec2:*::Snapshot/*"),
         snap, SNAPSHOT, &[], ImplicitDeny),
        ("a star in a resource passes slashes", one("s3:*", "arn:aws:s3:::b/*/test/*"),
         "s3:GetObject", "arn:aws:s3:::b/1/2/test/3/o.jpg", &[], Allowed),
        ("a star in a resource passes colons", one("ec2:*", "arn:aws:ec2:*"),
         snap, SNAPSHOT, &[], Allowed),
        ("an ARN that breaks off covers what is below", one("ec2:*", "arn:aws:ec2"),
         snap, SNAPSHOT, &[], Allowed),
        ("an ARN that breaks off stays in its service", one("*", "arn:aws:ec2"),
         "sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:q", &[], ImplicitDeny),
        ("a question mark is exactly one", partial.clone(), "s3:X", "arn:aws:s3:::logs-1", &[],
         Allowed),
        ("a question mark is not none", partial, "s3:X", "arn:aws:s3:::logs-", &[], ImplicitDeny),
        ("a snapshot's ARN has no account", one("*", "arn:aws:ec2:*:123456789012:snapshot/*"),
         snap, SNAPSHOT, &[], ImplicitDeny),
        ("a new thing is asked for with a star", one("*", "arn:aws:ec2:eu-*::snapshot/*"),
         "ec2:CreateSnapshot", "arn:aws:ec2:eu-central-1::snapshot/*", &[], Allowed),
        ("an action without resources needs a star", one("ec2:*", "arn:aws:ec2:*:*:*"),
         "ec2:DescribeImages", "*", &[], ImplicitDeny),
    ]);
}

#[test]
fn several_documents_are_one() {
    let allows = document(allow(json!("*"), json!("*")));
    let denies = document(json!({"Effect": "Deny", "Action": "*", "Resource": INSTANCE}));
    let question = ask("ec2:StopInstances", INSTANCE, &[]);
    assert_eq!(evaluate(&[], &question), Verdict::ImplicitDeny);
    assert_eq!(evaluate(std::slice::from_ref(&allows), &question), Verdict::Allowed);
    assert_eq!(evaluate(&[allows, denies], &question), Verdict::ExplicitDeny);
}

#[test]
fn policy_variables() {
    use Verdict::{Allowed, ImplicitDeny};
    let bucket = |name: &str| allow(json!("s3:*"), json!(format!("arn:aws:s3:::{name}")));
    let own = bucket("b-${aws:PrincipalTag/team}");
    let or_default = bucket("b-${aws:PrincipalTag/team, 'company-wide'}");
    let red = [("aws:principaltag/TEAM", "red")];
    let star = [("aws:PrincipalTag/team", "*")];
    let twice = [("aws:PrincipalTag/team", "red"), ("aws:PrincipalTag/team", "blue")];
    #[rustfmt::skip]
    check(&[
        ("a variable is its key's value", own.clone(), "s3:X", "arn:aws:s3:::b-red", &red, Allowed),
        ("another value is another resource", own.clone(), "s3:X", "arn:aws:s3:::b-blue", &red,
         ImplicitDeny),
        ("a variable without a value covers nothing", own.clone(), "s3:X", "arn:aws:s3:::b-", &[],
         ImplicitDeny),
        ("a value brings no wildcard", own.clone(), "s3:X", "arn:aws:s3:::b-blue", &star,
         ImplicitDeny),
        ("a key of several values is no variable", own, "s3:X", "arn:aws:s3:::b-red", &twice,
         ImplicitDeny),
        ("a default stands in", or_default.clone(), "s3:X", "arn:aws:s3:::b-company-wide", &[],
         Allowed),
        ("a value is preferred to the default", or_default, "s3:X", "arn:aws:s3:::b-company-wide",
         &red, ImplicitDeny),
        ("a literal star", bucket("a${*}"), "s3:X", "arn:aws:s3:::a*", &[], Allowed),
        ("a literal star is only a star", bucket("a${*}"), "s3:X", "arn:aws:s3:::ab", &[],
         ImplicitDeny),
        ("a literal question mark", bucket("a${?}"), "s3:X", "arn:aws:s3:::ab", &[], ImplicitDeny),
        ("a literal dollar", bucket("a${$}{b}"), "s3:X", "arn:aws:s3:::a${b}", &[], Allowed),
    ]);
}

#[test]
fn older_documents_have_no_variables() {
    let statement = allow(json!("s3:*"), json!("arn:aws:s3:::${aws:username}"));
    for version in [json!({"Version": "2008-10-17"}), json!({})] {
        let mut whole = version;
        whole["Statement"] = statement.clone();
        let policy = [PolicyDocument::parse(&whole).unwrap()];
        let username = [("aws:username", "ann")];
        let literal = ask("s3:X", "arn:aws:s3:::${aws:username}", &username);
        assert_eq!(evaluate(&policy, &literal), Verdict::Allowed);
        let filled = ask("s3:X", "arn:aws:s3:::ann", &username);
        assert_eq!(evaluate(&policy, &filled), Verdict::ImplicitDeny);
    }
}

/// `ec2:CreateTags` is asked for each thing that a call creates with tags.
#[test]
fn tags_on_create() {
    use Verdict::{Allowed, ImplicitDeny};
    let policy = json!({"Effect": "Allow", "Action": "ec2:CreateTags",
        "Resource": ["arn:aws:ec2:*::image/*", "arn:aws:ec2:*::snapshot/*"],
        "Condition": {"StringEquals": {"ec2:CreateAction": ["CreateImage", "CreateSnapshot",
            "CreateSnapshots", "RegisterImage", "CopyImage", "CopySnapshot"]}}});
    let new = "arn:aws:ec2:eu-central-1::snapshot/*";
    let volume = "arn:aws:ec2:eu-central-1:123456789012:volume/*";
    let by = |action| [("ec2:CreateAction", action)];
    let tags = "ec2:CreateTags";
    #[rustfmt::skip]
    check(&[
        ("on a new snapshot", policy.clone(), tags, new, &by("CreateSnapshots"), Allowed),
        ("on a copy", policy.clone(), tags, new, &by("CopySnapshot"), Allowed),
        ("by another action", policy.clone(), tags, new, &by("RunInstances"), ImplicitDeny),
        ("on something that is there already", policy.clone(), tags, SNAPSHOT, &[], ImplicitDeny),
        ("on a new volume", policy.clone(), tags, volume, &by("CreateVolume"), ImplicitDeny),
        ("removing them", policy, "ec2:DeleteTags", new, &by("CreateImage"), ImplicitDeny),
    ]);
}

#[test]
fn patterns() {
    #[rustfmt::skip]
    let rows = [
        ("", "", true), ("", "a", false), ("*", "", true), ("**", "ab", true), ("?", "", false),
        ("?", "é", true), ("a*", "a", true), ("*a", "ba", true), ("*a", "ab", false),
        ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-c-b", false), ("*ab", "aab", true),
        ("a?c*", "abc", true), ("a*?", "a", false), ("*.*", "no dot", false),
    ];
    for (pattern, text, expected) in rows {
        assert_eq!(Glob::parse(pattern).matches(text), expected, "{pattern:?} on {text:?}");
    }
}

/// A matcher that tries every way to share out the stars would not finish.
#[test]
fn many_stars_take_no_time() {
    let pattern = Glob::parse(&format!("{}b", "*a".repeat(200)));
    let text = "a".repeat(10_000);
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let start = Instant::now();
    assert!(!pattern.matches(&text));
    assert!(start.elapsed() < Duration::from_secs(5));
}
