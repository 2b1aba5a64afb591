//! What is no policy, and where it says so.

use afterimage_cloud::iam::{
    PolicyDocument, PrincipalRef, ResourceVerdict, Verdict, evaluate, evaluate_resource_policy,
};
use serde_json::{Value, json};

use super::{SESSION, allow, ask};

/// A document whose only statement has one element more, or another.
fn with(key: &str, value: Value) -> Value {
    let mut statement = allow(json!("ec2:*"), json!("*"));
    statement[key] = value;
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn check_errors(rows: &[(Value, &str)]) {
    for (policy, expected) in rows {
        let error = PolicyDocument::parse(policy).expect_err(expected);
        assert_eq!(error.to_string(), *expected);
    }
}

#[test]
fn malformed_statements_name_the_place() {
    let twice = json!({"Sid": "a", "Effect": "Deny", "Action": "*", "Resource": "*"});
    #[rustfmt::skip]
    check_errors(&[
        (json!([]), "document: not an object"),
        (json!({"Version": "2012-10-17"}), "Statement: missing"),
        (json!({"Statement": []}), "Statement: the list is empty"),
        (json!({"Version": "2020-01-01", "Statement": []}),
         "Version: \"2020-01-01\" is not a version of the policy language"),
        (json!({"Statements": []}), "Statements: not an element of a policy"),
        (json!({"Statement": {"Effect": "Allow", "Resource": "*"}}), "Statement.Action: missing"),
        (json!({"Statement": [{"Effect": "Allow", "Action": "*"}]}),
         "Statement[0].Resource: missing"),
        (json!({"Statement": [twice, twice]}),
         "Statement[1].Sid: \"a\" names an earlier statement"),
        (with("Effect", json!("allow")), "Statement[0].Effect: neither Allow nor Deny"),
        (with("Resources", json!("*")), "Statement[0].Resources: not an element of a policy"),
        (with("NotAction", json!("*")), "Statement[0].NotAction: Action is there as well"),
        (with("Action", json!(["ec2:*", "RunInstances"])),
         "Statement[0].Action[1]: \"RunInstances\" is neither \"*\" nor service:Action"),
        (with("Resource", json!({"Fn::Sub": "x"})), "Statement[0].Resource: not a text"),
        (with("Resource", json!("snap-1")),
         "Statement[0].Resource: \"snap-1\" is neither \"*\" nor an ARN"),
        (with("Resource", json!("arn:aws:ec2:*::image/${AWS::StackName}")),
         "Statement[0].Resource: ${AWS::StackName} is not a policy variable"),
        (with("Resource", json!("arn:aws:ec2:*::image/${aws:username")),
         "Statement[0].Resource: the variable ${aws:username has no closing brace"),
        (with("Resource", json!("arn:aws:ec2:*:${aws:PrincipalAccount}:instance/*")),
         "Statement[0].Resource: \"arn:aws:ec2:*:${aws:PrincipalAccount}:instance/*\" \
          has a variable before the fifth colon"),
        (with("NotPrincipal", json!({"AWS": "123456789012"})),
         "Statement[0].NotPrincipal: only a Deny may have it"),
        (with("Principal", json!({"AWS": "arn:aws:iam::123456789012:role/*"})),
         "Statement[0].Principal.AWS: \"arn:aws:iam::123456789012:role/*\" is not \"*\", \
          an account or the ARN of a principal"),
        (with("Principal", json!({"Service": "*"})),
         "Statement[0].Principal.Service: \"*\" is not a service principal"),
        (with("Principal", json!({"Robot": "x"})),
         "Statement[0].Principal.Robot: not a kind of principal"),
    ]);
}

#[test]
fn malformed_conditions_name_the_place() {
    let when = |condition: Value| with("Condition", condition);
    #[rustfmt::skip]
    check_errors(&[
        (when(json!({"StringEqualz": {"a:b": "c"}})),
         "Statement[0].Condition.StringEqualz: not a condition operator"),
        (when(json!({"BinaryEquals": {"a:b": "c"}})),
         "Statement[0].Condition.BinaryEquals: BinaryEquals is not modelled"),
        (when(json!({"NullIfExists": {"a:b": "true"}})),
         "Statement[0].Condition.NullIfExists: Null takes neither a set operator nor IfExists"),
        (when(json!({"StringEquals": {"Owner": "c"}})),
         "Statement[0].Condition.StringEquals.Owner: not a condition key"),
        (when(json!({"StringEquals": {"a:b": []}})),
         "Statement[0].Condition.StringEquals.a:b: the list is empty"),
        (when(json!({"Bool": {"a:b": "yes"}})),
         "Statement[0].Condition.Bool.a:b: \"yes\" is neither true nor false"),
        (when(json!({"NumericEquals": {"a:b": "inf"}})),
         "Statement[0].Condition.NumericEquals.a:b: \"inf\" is not a number"),
        (when(json!({"DateEquals": {"a:b": "today"}})),
         "Statement[0].Condition.DateEquals.a:b: \"today\" is not a date"),
        (when(json!({"IpAddress": {"a:b": "10.0.0.0/33"}})),
         "Statement[0].Condition.IpAddress.a:b: \"10.0.0.0/33\" is not an address \
          or a range of addresses"),
        (when(json!({"ArnLike": {"a:b": "arn:aws:sns"}})),
         "Statement[0].Condition.ArnLike.a:b: \"arn:aws:sns\" has not the six parts of an ARN"),
    ]);
}

#[test]
fn identities_name_no_principals_and_resources_do() {
    let identity = json!({"Statement": allow(json!("*"), json!("*"))});
    let mut resource = identity.clone();
    resource["Statement"]["Principal"] = json!("*");
    assert!(PolicyDocument::parse_identity(&identity).is_ok());
    assert!(PolicyDocument::parse_resource(&resource).is_ok());
    assert!(PolicyDocument::parse_identity(&resource).is_err());
    assert!(PolicyDocument::parse_resource(&identity).is_err());

    let question = ask("kms:Decrypt", "*", &[]);
    let resource = PolicyDocument::parse(&resource).unwrap();
    assert_eq!(evaluate(&[resource], &question), Verdict::ImplicitDeny);
    let identity = PolicyDocument::parse(&identity).unwrap();
    assert_eq!(
        evaluate_resource_policy(&identity, &PrincipalRef::parse(SESSION).unwrap(), &question),
        ResourceVerdict::ImplicitDeny
    );
}
