//! The policies of resources, the two sides together, and the words of a refusal.

use afterimage_cloud::iam::{
    PrincipalRef, Refusal, ResourceVerdict, Verdict, combine, combine_gated, ec2_refusal,
    evaluate_resource_policy, json_refusal,
};
use serde_json::{Value, json};

use super::{SESSION, SNAPSHOT, ask, document};

fn principal(text: &str) -> PrincipalRef {
    PrincipalRef::parse(text).unwrap_or_else(|| panic!("{text} is no principal"))
}

#[test]
fn principals_of_a_resource_policy() {
    use ResourceVerdict::{Allowed, Delegated, ExplicitDeny, ImplicitDeny};
    let bus = "arn:aws:events:eu-central-1:123456789012:event-bus/main";
    let root = "arn:aws:iam::123456789012:root";
    let role = "arn:aws:iam::123456789012:role/service-role/backup";
    let user = "arn:aws:iam::123456789012:user/ann";
    let foreign = "arn:aws:sts::111122223333:assumed-role/backup/run-1";
    let service = "events.amazonaws.com";
    let aws = |named: &str| json!({"Principal": {"AWS": named}});
    let listed = json!({"Principal": {"AWS": ["111122223333", role], "Service": service}});
    let not = |named: &str| json!({"Effect": "Deny", "NotPrincipal": {"AWS": named}});
    let deny = json!({"Effect": "Deny", "Principal": {"AWS": "123456789012"}});
    #[rustfmt::skip]
    let rows = [
        ("everyone", json!({"Principal": "*"}), SESSION, Allowed),
        ("everyone, the long way", aws("*"), foreign, Allowed),
        ("everyone has services in it", json!({"Principal": "*"}), service, Allowed),
        ("the account by its root", aws(root), SESSION, Delegated),
        ("the account by its id", aws("123456789012"), user, Delegated),
        ("the root user itself", aws(root), root, Allowed),
        ("another account", aws(root), foreign, ImplicitDeny),
        ("an account has no services", aws(root), service, ImplicitDeny),
        ("a role, and its session asks", aws(role), SESSION, Allowed),
        ("a role of the same name elsewhere", aws(role), foreign, ImplicitDeny),
        ("another role", aws("arn:aws:iam::123456789012:role/x"), SESSION, ImplicitDeny),
        ("one session", aws(SESSION), SESSION, Allowed),
        ("another session of the role",
         aws("arn:aws:sts::123456789012:assumed-role/backup/run-2"), SESSION, ImplicitDeny),
        ("a user", aws(user), user, Allowed),
        ("users mind case", aws("arn:aws:iam::123456789012:user/Ann"), user, ImplicitDeny),
        ("a service", json!({"Principal": {"Service": service}}), service, Allowed),
        ("another service", json!({"Principal": {"Service": "s3.amazonaws.com"}}), service,
         ImplicitDeny),
        ("one of several, by role", listed.clone(), SESSION, Allowed),
        ("one of several, by account", listed.clone(), foreign, Delegated),
        ("one of several, by service", listed, service, Allowed),
        ("a deny of the account is a deny of all in it", deny, SESSION, ExplicitDeny),
        ("a deny of all but others", not("111122223333"), SESSION, ExplicitDeny),
        ("a deny of all but oneself", not(role), SESSION, ImplicitDeny),
    ];
    for (name, fields, who, expected) in rows {
        let mut statement = json!({"Effect": "Allow", "Action": "events:PutEvents",
            "Resource": bus});
        for (key, value) in fields.as_object().unwrap() {
            statement[key] = value.clone();
        }
        let question = ask("events:PutEvents", bus, &[]);
        let verdict = evaluate_resource_policy(&document(statement), &principal(who), &question);
        assert_eq!(verdict, expected, "{name}");
    }
}

/// A grant to the principal itself is not weakened by one to its account, whichever comes first.
#[test]
fn the_most_direct_grant_counts() {
    let account = json!("123456789012");
    let role = json!("arn:aws:iam::123456789012:role/backup");
    let grant = |named: Value| json!({"Effect": "Allow", "Principal": {"AWS": named}, "Action": "kms:*", "Resource": "*"});
    let policies = [
        grant(json!([account, role])),
        grant(json!([role, account])),
        json!([grant(account.clone()), grant(role.clone())]),
        json!([grant(role), grant(account)]),
    ];
    for policy in policies {
        let verdict = evaluate_resource_policy(
            &document(policy.clone()),
            &principal(SESSION),
            &ask("kms:Decrypt", "*", &[]),
        );
        assert_eq!(verdict, ResourceVerdict::Allowed, "{policy}");
    }
}

/// What `AddPermission` writes for a rule's target, and a rule that it was not written for.
#[test]
fn a_functions_policy_may_name_the_rule() {
    let function = "arn:aws:lambda:eu-central-1:123456789012:function:drop";
    let rule = "arn:aws:events:eu-central-1:123456789012:rule/main/drop";
    let policy = document(json!([{"Sid": "rule", "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"}, "Action": "lambda:InvokeFunction",
        "Resource": function, "Condition": {"ArnLike": {"AWS:SourceArn": rule}}}]));
    let events = principal("events.amazonaws.com");
    let verdict = |source: &str| {
        let question = ask("lambda:InvokeFunction", function, &[("aws:SourceArn", source)]);
        evaluate_resource_policy(&policy, &events, &question)
    };
    assert_eq!(verdict(rule), ResourceVerdict::Allowed);
    assert_eq!(
        verdict("arn:aws:events:eu-central-1:123456789012:rule/main/other"),
        ResourceVerdict::ImplicitDeny
    );
}

#[test]
fn the_two_sides_together() {
    use ResourceVerdict as R;
    use Verdict::{Allowed as Yes, ExplicitDeny as Deny, ImplicitDeny as No};
    // Identity, resource, same account, other account, gated at home, gated from elsewhere.
    #[rustfmt::skip]
    let rows = [
        (Yes, R::Allowed, Yes, Yes, Yes, Yes),
        (Yes, R::Delegated, Yes, Yes, Yes, Yes),
        (Yes, R::ImplicitDeny, Yes, No, No, No),
        (Yes, R::ExplicitDeny, Deny, Deny, Deny, Deny),
        (No, R::Allowed, Yes, No, Yes, No),
        (No, R::Delegated, No, No, No, No),
        (No, R::ImplicitDeny, No, No, No, No),
        (No, R::ExplicitDeny, Deny, Deny, Deny, Deny),
        (Deny, R::Allowed, Deny, Deny, Deny, Deny),
        (Deny, R::Delegated, Deny, Deny, Deny, Deny),
        (Deny, R::ImplicitDeny, Deny, Deny, Deny, Deny),
        (Deny, R::ExplicitDeny, Deny, Deny, Deny, Deny),
    ];
    for (identity, resource, home, away, gated_home, gated_away) in rows {
        let name = format!("{identity:?} and {resource:?}");
        assert_eq!(combine(identity, Some(resource), true), home, "{name}");
        assert_eq!(combine(identity, Some(resource), false), away, "{name}");
        assert_eq!(combine_gated(identity, resource, true), gated_home, "{name}");
        assert_eq!(combine_gated(identity, resource, false), gated_away, "{name}");
    }
    assert_eq!(combine(Yes, None, true), Yes, "a resource without a policy, at home");
    assert_eq!(combine(Yes, None, false), No, "a resource without a policy, elsewhere");
    assert_eq!(combine(No, None, true), No, "nobody allows");
}

#[test]
fn ec2_refuses_with_an_encoded_message() {
    let question = ask("ec2:DeleteSnapshot", SNAPSHOT, &[]);
    let message = ec2_refusal(SESSION, &question, Refusal::NoIdentityAllows);
    let opening = "You are not authorized to perform this operation. User: \
        arn:aws:sts::123456789012:assumed-role/backup/run-1 is not authorized to perform: \
        ec2:DeleteSnapshot on resource: arn:aws:ec2:eu-central-1::snapshot/snap-1 because no \
        identity-based policy allows the ec2:DeleteSnapshot action. Encoded authorization \
        failure message: ";
    let token = message.strip_prefix(opening).unwrap_or_else(|| panic!("{message}"));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(token.len() > 100 && token.chars().all(plain), "{token}");

    assert_eq!(ec2_refusal(SESSION, &question, Refusal::NoIdentityAllows), message);
    let other = ask("ec2:DeleteSnapshot", SNAPSHOT, &[("ec2:Owner", "123456789012")]);
    assert_ne!(ec2_refusal(SESSION, &other, Refusal::NoIdentityAllows), message);

    let denied = ec2_refusal(SESSION, &question, Refusal::DeniedByIdentity);
    let phrase = "snap-1 with an explicit deny in an identity-based policy. Encoded \
        authorization failure message: ";
    assert!(denied.contains(phrase), "{denied}");
}

#[test]
fn ec2_names_no_resource_where_there_is_none() {
    let message =
        ec2_refusal(SESSION, &ask("ec2:DescribeImages", "*", &[]), Refusal::NoIdentityAllows);
    assert_eq!(
        message,
        "You are not authorized to perform this operation. User: \
         arn:aws:sts::123456789012:assumed-role/backup/run-1 is not authorized to perform: \
         ec2:DescribeImages because no identity-based policy allows the ec2:DescribeImages action"
    );
}

#[test]
fn json_services_name_the_side_that_refused() {
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1";
    let opening = "User: arn:aws:sts::123456789012:assumed-role/backup/run-1 is not \
        authorized to perform: kms:CreateGrant on resource: \
        arn:aws:kms:eu-central-1:111122223333:key/1";
    use ResourceVerdict as R;
    #[rustfmt::skip]
    let rows = [
        (Verdict::ImplicitDeny, None,
         "because no identity-based policy allows the kms:CreateGrant action"),
        (Verdict::ImplicitDeny, Some(R::Delegated),
         "because no identity-based policy allows the kms:CreateGrant action"),
        (Verdict::Allowed, Some(R::ImplicitDeny),
         "because no resource-based policy allows the kms:CreateGrant action"),
        (Verdict::ExplicitDeny, Some(R::Allowed),
         "with an explicit deny in an identity-based policy"),
        (Verdict::Allowed, Some(R::ExplicitDeny),
         "with an explicit deny in a resource-based policy"),
    ];
    for (identity, resource, phrase) in rows {
        let refusal = Refusal::of(identity, resource);
        let message = json_refusal(SESSION, &ask("kms:CreateGrant", key, &[]), refusal);
        assert_eq!(message, format!("{opening} {phrase}"));
    }
    let any = json_refusal(SESSION, &ask("kms:CreateKey", "*", &[]), Refusal::NoIdentityAllows);
    assert!(any.contains("kms:CreateKey on resource: * because"), "{any}");
}
