//! Templates without SAM's help: rules, permissions, policies and roles written out.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::deploy::{DeployError, Deployment, Stack};
use serde_json::{Value, json};

use super::{ACCOUNT, HOME, Log, deployed, done, logged, putting, world};

/// A function with a role of its own, a rule with its permission, and a bus others may use.
const TEMPLATE: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Period: {Type: String, Default: ""}
Conditions:
  HasPeriod: !Not [!Equals [!Ref Period, ""]]
Resources:
  Notes:
    Type: AWS::DynamoDB::Table
    DependsOn: Bus
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      SSESpecification: {SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !Ref Key}
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {AWS: !Ref AWS::AccountId}, Action: "kms:*", Resource: "*"}
          - Effect: Allow
            Principal: {AWS: !GetAtt OtherRole.Arn}
            Action: kms:Decrypt
            Resource: "*"
  Writer:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: .
      Role: !GetAtt Rights.Arn
      Environment: {Variables: {TABLE: !Ref Notes, KEY: !GetAtt Key.Arn}}
  Other:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: .
      Environment: {Variables: {TABLE: !Ref Notes, KEY: !GetAtt Key.Arn}}
  Rights:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
  MoreRights:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: more
      Roles: [!Ref Rights]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt Notes.Arn}]
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: notes}
  Partner:
    Type: AWS::Events::EventBusPolicy
    Properties:
      EventBusName: !Ref Bus
      StatementId: partner
      Action: events:PutEvents
      Principal: "111122223333"
  Self:
    Type: AWS::Events::EventBusPolicy
    Properties:
      EventBusName: !Ref Bus
      StatementId: self
      Statement:
        Effect: Allow
        Principal: {AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root"}
        Action: events:PutEvents
        Resource: !GetAtt Bus.Arn
  Heard:
    Type: AWS::Events::Rule
    Properties:
      Name: heard
      EventBusName: !Ref Bus
      EventPattern: {source: [{prefix: ""}]}
      ScheduleExpression: !If [HasPeriod, !Ref Period, !Ref AWS::NoValue]
      Targets:
        - {Id: writer, Arn: !GetAtt Writer.Arn, RetryPolicy: {MaximumRetryAttempts: 0}}
  Heeded:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Writer
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Heard.Arn
Outputs:
  Rule: {Value: !Ref Heard}
  Table: {Value: !Ref Notes}
"#;

fn deployment(cloud: &Cloud, log: &Log) -> Deployment {
    Deployment {
        account: ACCOUNT.to_string(),
        region: HOME.to_string(),
        stack_name: "notes".to_string(),
        parameters: BTreeMap::new(),
        code: BTreeMap::from([
            ("Writer".to_string(), putting(cloud, "writer", log)),
            ("Other".to_string(), putting(cloud, "other", log)),
        ]),
    }
}

/// Deploys, puts an event on the bus, and tells what the function did.
fn lived(template: &str) -> (Stack, Vec<(String, u16, Value)>) {
    let mut found = None;
    world(async |cloud| {
        let log = Log::default();
        let stack = deployed(&cloud, template, deployment(&cloud, &log));
        let entry = json!({
            "EventBusName": "notes", "Source": "me", "DetailType": "Note", "Detail": "{}",
        });
        done(&cloud, HOME, "AWSEvents.PutEvents", &json!({ "Entries": [entry] }));
        cloud.advance(Duration::from_secs(10)).await;
        found = Some((stack, logged(&log)));
    });
    found.expect("the world was lived through")
}

/// The template with one line of it replaced, and the one error that this makes.
#[track_caller]
fn error(line: &str, by: &str) -> DeployError {
    assert_eq!(TEMPLATE.matches(line).count(), 1, "{line} is in the template once");
    let template = TEMPLATE.replace(line, by);
    let mut found = Vec::new();
    world(async |cloud| {
        let deployment = deployment(&cloud, &Log::default());
        found = cloud.deploy(&template, deployment).expect_err("the template is wrong");
    });
    let [error] = found.try_into().expect("one error");
    error
}

#[test]
fn a_rule_a_permission_and_a_role_work_together() {
    let (stack, log) = lived(TEMPLATE);
    assert_eq!(stack.outputs["Rule"], "notes|heard");
    assert!(stack.outputs["Table"].starts_with("notes-Notes-"), "a name is made up");
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].0.as_str(), log[0].1), ("writer", 200), "{log:?}");
}

#[test]
fn without_the_permission_the_function_is_not_invoked() {
    let template = TEMPLATE.replace("SourceArn: !GetAtt Heard.Arn", "SourceArn: arn:aws:events:*");
    assert_eq!(lived(&template).1, []);
}

#[test]
fn without_the_policy_the_role_allows_nothing() {
    let template = TEMPLATE.replace("Action: dynamodb:PutItem", "Action: dynamodb:GetItem");
    let (_, log) = lived(&template);
    assert!(log[0].2["message"].to_string().contains("dynamodb:PutItem"), "{log:?}");
}

#[test]
fn statements_of_a_bus_add_up() {
    world(async |cloud| {
        deployed(&cloud, TEMPLATE, deployment(&cloud, &Log::default()));
        let bus = done(&cloud, HOME, "AWSEvents.DescribeEventBus", &json!({ "Name": "notes" }));
        let policy = bus["Policy"].as_str().expect("a policy");
        let policy: Value = serde_json::from_str(policy).expect("JSON");
        let statements = policy["Statement"].as_array().expect("statements").iter();
        let sids: Vec<_> = statements.map(|statement| &statement["Sid"]).collect();
        assert_eq!(sids, ["partner", "self"]);
        let partner = "arn:aws:iam::111122223333:root";
        assert_eq!(policy["Statement"][0]["Principal"]["AWS"], partner);
    });
}

#[test]
fn what_only_shows_when_it_is_put_together_is_told() {
    let found = error("Roles: [!Ref Rights]", "Roles: [nobody]");
    assert_eq!(found.path, "Resources.MoreRights.Properties.Roles");
    let found = error(
        "Principal: {Service: lambda.amazonaws.com}",
        "Principal: {Service: ec2.amazonaws.com}",
    );
    assert_eq!(found.path, "Resources.Writer.Properties.Role");
    assert!(found.what.starts_with("lambda.amazonaws.com cannot assume the role"), "{found}");
    let found = error("      StatementId: self", "      StatementId: partner");
    assert_eq!(found.path, "Resources.Self.Properties.StatementId");
    let found = error("FunctionName: !Ref Writer", "FunctionName: nobody");
    assert_eq!(found.path, "Resources.Heeded.Properties.FunctionName");
    let found = error(
        "Period: {Type: String, Default: \"\"}",
        "Period: {Type: String, Default: rate(1 day)}",
    );
    assert_eq!(found.path, "Resources.Heard.Properties.ScheduleExpression");
    assert!(found.what.contains("only on the default event bus"), "{found}");
    let found = error("    DependsOn: Bus", "    DependsOn: Buss");
    assert_eq!(found.path, "Resources.Notes.DependsOn");
    let found = error("Action: kms:Decrypt", "Action: [kms:Decrypt, Encrypt]");
    assert_eq!(found.path, "Resources.Key.Properties.KeyPolicy.Statement[1].Action[1]");
    let found = error("      Name: heard\n", "      Name: heard!\n");
    assert_eq!(found.path, "Resources.Heard.Properties.Name");
}

#[test]
fn a_second_policy_for_a_queue_is_refused() {
    let policy = |id: &str| {
        format!(
            "  {id}:\n    Type: AWS::SQS::QueuePolicy\n    Properties:\n      \
             Queues: [!Ref Queue]\n      PolicyDocument:\n        Version: \"2012-10-17\"\n        \
             Statement: [{{Effect: Allow, Principal: \"*\", Action: \"sqs:SendMessage\", \
             Resource: !GetAtt Queue.Arn}}]\n"
        )
    };
    let queue = "Resources:\n  Queue: {Type: AWS::SQS::Queue}\n";
    let one = format!("{queue}{}", policy("One"));
    let two = format!("{one}{}", policy("Two"));
    world(async |cloud| {
        let mut deployment = deployment(&cloud, &Log::default());
        deployment.code.clear();
        let errors = cloud.deploy(&two, deployment.clone()).expect_err("two policies");
        let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, ["Resources.Two.Properties.Queues"]);
        deployed(&cloud, &one, deployment);
    });
}

#[test]
fn an_event_cannot_refer_to_the_queue_that_it_asks_for() {
    let template = super::TEMPLATE.replace("source: [aws.ec2]", "source: [!GetAtt Late.Arn]");
    let letters = "            DeadLetterConfig: {Type: SQS, QueueLogicalId: Late}\n";
    let pattern = "            Pattern:\n              source: [!GetAtt";
    let template = template.replace(pattern, &format!("{letters}{pattern}"));
    world(async |cloud| {
        let errors = super::errors_of(&cloud, &template);
        let [error] = errors.try_into().expect("one error");
        assert!(error.path.ends_with("Stopped.Properties.Pattern.source[0]"), "{error}");
        assert_eq!(error.what, "Late cannot be referred to here");
    });
}
