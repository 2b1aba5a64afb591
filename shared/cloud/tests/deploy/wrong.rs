//! What is wrong with a template is told before anything is made, each at its place.

use afterimage_cloud::Cloud;
use afterimage_cloud::deploy::DeployError;
use serde_json::json;

use super::world;
use super::{ADMINISTRATOR, HOME, Log, TEMPLATE, ask, changed, deployed, errors_of, home, putting};

/// The line of the template on which a part of it is, which must be there once.
#[track_caller]
fn line_of(template: &str, part: &str) -> usize {
    assert_eq!(template.matches(part).count(), 1, "{part} is in the template once");
    template.lines().position(|line| line.contains(part)).expect("the part is on a line") + 1
}

/// The one error of a template in which `part` is replaced; it has to be on the last line of `by`.
#[track_caller]
fn one_error(part: &str, by: &str) -> DeployError {
    let template = changed(part, by);
    let mut found = None;
    world(async |cloud| found = Some(errors_of(&cloud, &template)));
    let errors = found.expect("the world was lived through");
    let [error] = errors.try_into().expect("one error");
    let last = by.lines().last().expect("something takes its place");
    assert_eq!(error.at.line, line_of(&template, last), "{error}");
    error
}

#[track_caller]
fn refused(part: &str, by: &str, path: &str, what: &str) {
    let error = one_error(part, by);
    assert_eq!(error.path, format!("Resources.{path}"), "{error}");
    assert!(error.what.contains(what), "{error}");
}

#[test]
fn an_unknown_property_is_named_with_those_that_are_known() {
    refused(
        "Timeout: 5",
        "Timout: 5",
        "Receive.Properties.Timout",
        "not a property that is modelled; known: Architectures, CodeUri,",
    );
    let error = one_error("Timeout: 5", "Timout: 5");
    assert_eq!(error.at.column, 7);
    refused(
        "{AttributeName: ttl, Enabled: true}",
        "{AttributeNames: ttl, Enabled: true}",
        "Parcels.Properties.TimeToLiveSpecification.AttributeNames",
        "not a property that is modelled; known: AttributeName, Enabled",
    );
    refused(
        "OnFailure: {Type: SQS, ",
        "OnFailure: {Typ: 1, Type: SQS, ",
        "Receive.Properties.EventInvokeConfig.DestinationConfig.OnFailure.Typ",
        "not a property that is modelled; known: Destination, Type",
    );
}

#[test]
fn an_unknown_type_is_named_with_those_that_are_known() {
    refused(
        "AWS::SNS::Topic",
        "AWS::SNS::Topics",
        "Trouble.Type",
        "AWS::SNS::Topics is not a type that is modelled; known: AWS::CloudWatch::Alarm,",
    );
    refused(
        "Minute:\n          Type: Schedule",
        "Minute:\n          Type: ScheduleV2",
        "Tick.Properties.Events.Minute.Type",
        "ScheduleV2 is not modelled here; known: CloudWatchEvent, EventBridgeRule, Schedule",
    );
}

#[test]
fn a_pattern_or_a_schedule_that_eventbridge_refuses_is_refused() {
    let pattern = "Receive.Properties.Events.Sent.Properties.Pattern";
    refused(
        "source: [!Ref Sender]",
        "source: !Ref Sender",
        pattern,
        "InvalidEventPatternException",
    );
    refused(
        "source: [!Ref Sender]",
        "source: [{prefixed: a}]",
        pattern,
        "Event pattern is not valid",
    );
    refused(
        "rate(1 minute)",
        "rate(1 minutes)",
        "Tick.Properties.Events.Minute.Properties.Schedule",
        "ScheduleExpression is not valid",
    );
}

#[test]
fn words_that_yaml_makes_something_else_of_are_to_be_quoted() {
    let path = "Receive.Properties.Events.Stopped.Properties.Pattern.source[0]";
    refused("source: [aws.ec2]", "source: [on]", path, "on is read as a truth value");
    refused("source: [aws.ec2]", "source: [0123]", path, "0123 is read as an octal number");
}

#[test]
fn a_reference_to_nothing_is_refused() {
    refused(
        "KEEP_DAYS: !Ref KeepDays",
        "KEEP_DAYS: !Ref KeepDay",
        "Tick.Properties.Environment.Variables.KEEP_DAYS",
        "KeepDay is neither a parameter nor a resource of the template",
    );
}

#[test]
fn what_is_wrong_for_every_function_is_told_once() {
    let error = one_error("TABLE: !Ref Parcels", "TABLE: !Ref Parcel");
    assert_eq!(error.path, "Globals.Function.Environment.Variables.TABLE");
    assert_eq!(error.what, "Parcel is neither a parameter nor a resource of the template");
    let error = one_error("Timeout: 20", "Timeout: 0");
    assert_eq!(error.path, "Globals.Function.Timeout");
}

#[test]
fn a_policy_that_iam_refuses_is_refused_at_its_statement() {
    let start = "Tick.Properties.Policies";
    refused(
        "Action: dynamodb:PutItem",
        "Action: PutItem",
        &format!("{start}[1].Statement[0].Action"),
        "\"PutItem\" is neither \"*\" nor service:Action",
    );
    refused(
        "- AWSLambdaBasicExecutionRole",
        "- AmazonDynamoDBFullAccess",
        &format!("{start}[0]"),
        "the managed policy AmazonDynamoDBFullAccess is not modelled",
    );
    refused(
        "- AWSLambdaBasicExecutionRole",
        "- DynamoDBCrudPolicy: {TableName: parcels}",
        &format!("{start}[0]"),
        "the policy templates of SAM are not modelled",
    );
}

#[test]
fn a_permissions_boundary_is_not_modelled_and_loops_are_allowed_or_not() {
    refused(
        "Timeout: 5",
        "Timeout: 5\n      PermissionsBoundary: arn:aws:iam::aws:policy/PowerUserAccess",
        "Receive.Properties.PermissionsBoundary",
        "not a property that is modelled",
    );
    refused(
        "Timeout: 5",
        "Timeout: 5\n      RecursiveLoop: Forbid",
        "Receive.Properties.RecursiveLoop",
        "known: Allow, Terminate",
    );
}

#[test]
fn settings_beyond_the_limits_are_refused() {
    refused(
        "Timeout: 5",
        "Timeout: 901",
        "Receive.Properties.Timeout",
        "less than or equal to 900",
    );
    refused("Timeout: 5", "Timeout: soon", "Receive.Properties.Timeout", "not a whole number");
    refused(
        "MessageRetentionPeriod: 1209600",
        "MessageRetentionPeriod: 1209601",
        "Undelivered.Properties.MessageRetentionPeriod",
        "InvalidAttributeValue",
    );
    refused(
        "RetentionInDays: 30",
        "RetentionInDays: 31",
        "ReceiveLogs.Properties.RetentionInDays",
        "has to be one of 1, 3, 5,",
    );
    refused(
        "MaximumRetryAttempts: 2,",
        "MaximumRetryAttempts: 186,",
        "Receive.Properties.Events.Sent.Properties.RetryPolicy",
        "less than or equal to 185",
    );
}

#[test]
fn a_metric_filter_is_held_against_its_properties() {
    let metric = "Counted.Properties.MetricTransformations[0]";
    for (part, missing, path) in [
        ("      FilterPattern: \"{ $.code = * }\"\n", "FilterPattern", "Counted.Properties"),
        ("          MetricName: Said\n", "MetricName", metric),
        ("Value: $.code}", "Value", &format!("{metric}.Dimensions[0]")),
    ] {
        let template = changed(part, if part.ends_with('}') { "}" } else { "" });
        world(async |cloud| {
            let errors = errors_of(&cloud, &template);
            let [error] = errors.try_into().expect("one error");
            assert_eq!(error.path, format!("Resources.{path}"), "{error}");
            assert!(error.what.contains(&format!("{missing} is missing")), "{error}");
        });
    }
    refused("MetricValue: \"1\"", "MetricValue: [1]", &format!("{metric}.MetricValue"), "a text");
    refused(
        "Dimensions: [{Key: Code, Value: $.code}]",
        "Dimensions: [{Key: Code, Value: $.code, Unit: Count}]",
        &format!("{metric}.Dimensions[0].Unit"),
        "not a property that is modelled",
    );
    refused(
        "Dimensions: [{Key: Code, Value: $.code}]",
        "Dimensions: {Code: $.code}",
        &format!("{metric}.Dimensions"),
        "a list is wanted here",
    );
}

#[test]
fn a_table_whose_keys_do_not_fit_is_refused() {
    world(async |cloud| {
        let errors = errors_of(
            &cloud,
            &changed("AttributeName: pk, AttributeType: S", "AttributeName: p, AttributeType: S"),
        );
        let [error] = errors.try_into().expect("one error");
        assert_eq!(error.path, "Resources.Parcels.Properties.AttributeDefinitions");
        assert!(error.what.contains("ValidationException"), "{error}");
    });
}

#[test]
fn a_destination_that_an_own_role_may_not_send_to_is_refused() {
    world(async |cloud| {
        let template = format!(
            "{}\n",
            changed(
                "      FunctionName: tick\n",
                "      FunctionName: tick\n      Role: !GetAtt Rights.Arn\n      DeadLetterQueue: \
                 {Type: SQS, TargetArn: !GetAtt Undelivered.Arn}\n",
            )
        );
        let (head, tail) = template.split_once("      Policies:\n").expect("Tick's policies");
        let (_, tail) = tail.split_once("      Events:\n").expect("Tick's events");
        let role = "  Rights:\n    Type: AWS::IAM::Role\n    Properties:\n      \
                    AssumeRolePolicyDocument:\n        Version: \"2012-10-17\"\n        \
                    Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, \
                    Action: \"sts:AssumeRole\"}]\n";
        let template = format!("{head}      Events:\n{tail}");
        let template = template.replace("\nOutputs:\n", &format!("\n{role}\nOutputs:\n"));
        let [error] = errors_of(&cloud, &template).try_into().expect("one error");
        assert_eq!(error.path, "Resources.Tick.Properties.DeadLetterQueue.TargetArn");
        assert_eq!(error.what, "the function's role does not allow sqs:SendMessage on it");

        let template = template.replace("lambda.amazonaws.com", "ec2.amazonaws.com");
        let errors = errors_of(&cloud, &template);
        let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        assert!(paths.contains(&"Resources.Tick.Properties.Role"), "{errors:?}");
    });
}

#[test]
fn resources_that_need_each_other_are_refused() {
    let template = "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: \
                    !GetAtt B.QueueName}\n  B:\n    Type: AWS::SQS::Queue\n    DependsOn: A\n";
    world(async |cloud| {
        let mut deployment = home(&cloud, &Log::default());
        deployment.code.clear();
        let errors = cloud.deploy(template, deployment).expect_err("a circle");
        let [error] = errors.try_into().expect("one error");
        assert_eq!(error.to_string(), "2:3: Resources.A: depends on itself: A -> B -> A");
    });
}

#[test]
fn code_and_functions_have_to_match() {
    world(async |cloud| {
        let log = Log::default();
        let mut deployment = home(&cloud, &log);
        deployment.code.remove("tick");
        deployment.code.insert("tock".to_string(), putting(&cloud, "tock", &log));
        let errors = cloud.deploy(TEMPLATE, deployment).expect_err("no code for tick");
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let line = line_of(TEMPLATE, "  Tick:");
        let expected = [
            "1:1: code.tock: given at deployment, and no function of the template is called so"
                .to_string(),
            format!(
                "{line}:3: Resources.Tick: no code is given at deployment for the function tick"
            ),
        ];
        assert_eq!(texts, expected);
    });
}

#[test]
fn parameters_are_held_against_what_they_may_be() {
    world(async |cloud| {
        let mut deployment = home(&cloud, &Log::default());
        let given = [("Stage", "dev"), ("Sender", "Shop 1"), ("KeepDays", "400"), ("Sage", "x")];
        for (name, value) in given {
            deployment.parameters.insert(name.to_string(), value.to_string());
        }
        let errors = cloud.deploy(TEMPLATE, deployment).expect_err("four wrong parameters");
        let told: Vec<_> =
            errors.iter().map(|error| (error.path.as_str(), error.what.as_str())).collect();
        let expected = [
            ("Parameters.Sage", "given at deployment, and not a parameter of the template"),
            ("Parameters.Stage", "'dev' is not one of AllowedValues: test, live"),
            ("Parameters.Sender", "'Shop 1' does not match AllowedPattern [a-z]+"),
            ("Parameters.KeepDays", "'400' is beyond MinValue or MaxValue"),
        ];
        assert_eq!(told, expected);
    });
}

fn describe_table(cloud: &Cloud) -> u16 {
    let table = json!({ "TableName": "parcels" });
    ask(cloud, (ADMINISTRATOR, HOME), "DynamoDB_20120810.DescribeTable", &table).0
}

#[test]
fn everything_wrong_is_told_at_once_and_nothing_is_made() {
    world(async |cloud| {
        let template = changed("Timeout: 5", "Timout: 5")
            .replace("rate(1 minute)", "rate(0 minutes)")
            .replace("TABLE: !Ref Parcels", "TABLE: !Ref Parcel")
            .replace("Name: parcels\n\n", "Name: parcels\n      Color: red\n\n")
            .replace("!GetAtt Bus.Arn", "!GetAtt Bus.Ar");
        let errors = errors_of(&cloud, &template);
        let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        let expected = [
            "Globals.Function.Environment.Variables.TABLE",
            "Resources.Bus.Properties.Color",
            "Resources.Tick.Properties.Events.Minute.Properties.Schedule",
            "Resources.Receive.Properties.Timout",
            "Outputs.BusArn.Value",
        ];
        assert_eq!(paths, expected, "in the order of the template");
        assert_eq!(describe_table(&cloud), 400);
        deployed(&cloud, TEMPLATE, home(&cloud, &Log::default()));
        assert_eq!(describe_table(&cloud), 200);
    });
}

#[test]
fn names_that_are_taken_are_found_out_before_anything_is_made() {
    world(async |cloud| {
        deployed(&cloud, TEMPLATE, home(&cloud, &Log::default()));
        let mut again = home(&cloud, &Log::default());
        again.stack_name = "other".to_string();
        let errors = cloud.deploy(TEMPLATE, again).expect_err("everything is there");
        let taken = |error: &&DeployError| error.what.ends_with("exists already");
        let paths: Vec<_> = errors.iter().filter(taken).map(|error| error.path.as_str()).collect();
        let expected = [
            "Resources.Parcels.Properties.TableName",
            "Resources.KeyName.Properties.AliasName",
            "Resources.Bus.Properties.Name",
            "Resources.Undelivered.Properties.QueueName",
            "Resources.Tick.Properties.FunctionName",
            "Resources.Receive.Properties.FunctionName",
        ];
        assert_eq!(paths, expected);
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
    });
}

#[test]
fn a_text_that_is_no_template_is_refused() {
    for (text, expected) in [
        ("", "1:1: the template: the template is empty"),
        ("Resources:\n  A: !Reff B\n", "2:6: the template: the tag !Reff is no intrinsic function"),
        ("Resources: {}\nResource: {}\n", "2:1: Resource: not a section that is modelled; known: "),
        ("A: 1\nA: 2\n", "2:1: the template: the key A is there twice, first at 1:1"),
    ] {
        world(async |cloud| {
            let errors = errors_of(&cloud, text);
            let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
            let found = texts.iter().any(|text| text.starts_with(expected));
            assert!(found, "{expected}: {texts:?}");
        });
    }
}
