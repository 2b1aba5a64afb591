//! Intrinsic functions, read off the outputs of a stack.

use std::collections::BTreeMap;

use afterimage_cloud::deploy::{DeployError, Deployment, Stack};
use afterimage_cloud::{Cloud, Config};

use super::{ACCOUNT, HOME};

/// Deploys a queue, and outputs `value`.
fn deploy(value: &str) -> Result<Stack, Vec<DeployError>> {
    let template = format!(
        "Parameters:\n  Names: {{Type: CommaDelimitedList, Default: \"ann, bob\"}}\n  \
         Stage: {{Type: String, Default: test}}\n\
         Conditions:\n  IsTest: !Equals [!Ref Stage, test]\n  \
         IsBoth: !And [!Condition IsTest, !Equals [!Ref AWS::Region, us-east-1]]\n  \
         IsEither: {{\"Fn::Or\": [!Not [!Condition IsTest], !Equals [a, b]]}}\n\
         Mappings:\n  Ports: {{us-east-1: {{http: 80}}}}\n\
         Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {{QueueName: q}}\n\
         Outputs:\n  Out:\n    Value: {value}\n"
    );
    let deployment = Deployment {
        account: ACCOUNT.to_string(),
        region: HOME.to_string(),
        stack_name: "s".to_string(),
        parameters: BTreeMap::new(),
        code: BTreeMap::new(),
    };
    Cloud::run(Config::seeded(1), async |cloud| cloud.deploy(&template, deployment))
}

#[track_caller]
fn gives(value: &str, expected: &str) {
    match deploy(value) {
        Ok(stack) => assert_eq!(stack.outputs["Out"], expected, "{value}"),
        Err(errors) => panic!("{value}: {errors:?}"),
    }
}

#[track_caller]
fn fails(value: &str, expected: &str) {
    let errors = deploy(value).expect_err(value);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((errors[0].path.as_str(), errors[0].what.as_str()), ("Outputs.Out.Value", expected));
    assert_eq!(errors[0].at.line, 16, "{errors:?}");
}

#[test]
fn pseudo_parameters_are_those_of_the_deployment() {
    gives("!Ref AWS::Region", "us-east-1");
    gives("!Ref AWS::AccountId", "123456789012");
    gives("!Ref AWS::StackName", "s");
    gives("!Ref AWS::Partition", "aws");
    gives("!Ref AWS::URLSuffix", "amazonaws.com");
}

#[test]
fn references_follow_their_type() {
    gives("!Ref Queue", "https://sqs.us-east-1.amazonaws.com/123456789012/q");
    gives("!GetAtt Queue.Arn", "arn:aws:sqs:us-east-1:123456789012:q");
    gives("{\"Fn::GetAtt\": [Queue, QueueName]}", "q");
}

#[test]
fn texts_are_put_together_and_taken_apart() {
    gives("!Join [\"-\", !Ref Names]", "ann-bob");
    gives("!Select [1, !Ref Names]", "bob");
    gives("!Select [2, !Split [\":\", !GetAtt Queue.Arn]]", "sqs");
    gives("!Sub \"${Stage}/${Queue.QueueName}/${!Stage}\"", "test/q/${Stage}");
    gives("!Sub [\"${a}${Stage}\", {a: !Select [0, !Ref Names]}]", "anntest");
    gives("!FindInMap [Ports, !Ref AWS::Region, http]", "80");
    gives("!If [IsBoth, !If [IsEither, a, b], c]", "b");
}

#[test]
fn what_leads_nowhere_is_told() {
    fails("!Ref Quue", "Quue is neither a parameter nor a resource of the template");
    fails("!Sub \"${Quue.Arn}\"", "Quue is neither a parameter nor a resource of the template");
    let known = "known: Arn, QueueName, QueueUrl";
    let text = format!("Queue has no attribute Url that is modelled; {known}");
    fails("!GetAtt Queue.Url", &text);
    fails("!Select [2, !Ref Names]", "there is no item 2 in a list of 2");
    fails("!FindInMap [Ports, !Ref AWS::Region, ftp]", "no mapping has ftp there");
    fails("!If [IsLive, a, b]", "IsLive is not a condition of the template");
    fails(
        "!If [IsTest, a, !Ref Quue]",
        "Quue is neither a parameter nor a resource of the template",
    );
    fails("!Base64 a", "Fn::Base64 is not modelled");
    let imports = "Fn::ImportValue is not modelled: stacks share nothing here, pass the value as \
                   a parameter";
    fails("!ImportValue a", imports);
}
