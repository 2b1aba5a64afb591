//! Functions as they are declared: Lambda's limits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use afterimage_cloud::lambda::{Code, FunctionSpec};
use afterimage_cloud::{Cloud, Config};
use serde_json::json;

use crate::lambda::support::*;

/// The code of the error with which a function is refused.
fn refused(change: impl FnOnce(&mut FunctionSpec)) -> Option<String> {
    Cloud::run(Config::seeded(1), async |cloud| {
        let mut spec = worker(code(async |_, _| Ok(json!(null))));
        change(&mut spec);
        cloud.add_function(spec).err().map(|error| error.code)
    })
}

#[test]
fn a_function_out_of_lambdas_limits_is_refused() {
    let validation = Some("ValidationException".to_string());
    assert_eq!(refused(|spec| spec.name = String::new()), validation);
    assert_eq!(refused(|spec| spec.name = "a b".to_string()), validation);
    assert_eq!(refused(|spec| spec.name = "a".repeat(65)), validation);
    assert_eq!(refused(|spec| spec.timeout = secs(0)), validation);
    assert_eq!(refused(|spec| spec.timeout = secs(901)), validation);
    assert_eq!(refused(|spec| spec.memory_mb = 127), validation);
    assert_eq!(refused(|spec| spec.memory_mb = 10_241), validation);
    assert_eq!(refused(|spec| spec.retry_attempts = 3), validation);
    assert_eq!(refused(|spec| spec.event_age_max = secs(59)), validation);
    assert_eq!(refused(|spec| spec.event_age_max = secs(21_601)), validation);
}

#[test]
fn the_limits_themselves_are_allowed() {
    assert_eq!(refused(|spec| spec.name = "a".repeat(64)), None);
    assert_eq!(refused(|spec| spec.timeout = secs(1)), None);
    assert_eq!(refused(|spec| spec.timeout = secs(900)), None);
    assert_eq!(refused(|spec| spec.memory_mb = 10_240), None);
    assert_eq!(refused(|spec| spec.event_age_max = secs(60)), None);
    assert_eq!(refused(|spec| spec.event_age_max = secs(21_600)), None);
}

#[test]
fn variables_that_lambda_sets_itself_and_too_many_of_them_are_refused() {
    let with = |name: &str, value: &str| {
        let (name, value) = (name.to_string(), value.to_string());
        refused(move |spec| spec.variables = BTreeMap::from([(name, value)]))
    };
    let invalid = Some("InvalidParameterValueException".to_string());
    assert_eq!(with("AWS_REGION", "eu-west-1"), invalid);
    assert_eq!(with("TABLE", &"x".repeat(4091)), None);
    assert_eq!(with("TABLE", &"x".repeat(4092)), invalid);
    assert_eq!(with("2ND", "x"), Some("ValidationException".to_string()));
}

#[test]
fn a_role_of_another_account_is_refused() {
    let role = "arn:aws:iam::111122223333:role/worker-role";
    let refused = refused(|spec| spec.role_arn = role.to_string());
    assert_eq!(refused.as_deref(), Some("InvalidParameterValueException"));
}

#[test]
fn a_hundred_of_the_accounts_concurrency_cannot_be_reserved() {
    assert_eq!(refused(|spec| spec.reserved_concurrency = Some(900)), None);
    let refused = refused(|spec| spec.reserved_concurrency = Some(901));
    assert_eq!(refused.as_deref(), Some("InvalidParameterValueException"));
}

#[test]
fn a_name_is_taken_once_per_account_and_region() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let spec = || worker(code(async |_, _| Ok(json!(null))));
        let arn = add(&cloud, spec());
        assert_eq!(arn, "arn:aws:lambda:us-east-1:123456789012:function:worker");
        let error = cloud.add_function(spec()).expect_err("the name is taken");
        assert_eq!((error.status, error.code.as_str()), (409, "ResourceConflictException"));
        let mut elsewhere = spec();
        elsewhere.region = "eu-west-1".to_string();
        assert!(cloud.add_function(elsewhere).is_ok());
    });
}

#[test]
fn real_programs_bind_the_clock() {
    Cloud::run(Config::seeded(1), async |cloud| {
        add(&cloud, worker(code(async |_, _| Ok(json!(null)))));
        assert!(!cloud.clock_is_bound());
        let mut real = worker(Code::Binary(PathBuf::from("bootstrap")));
        real.name = "real".to_string();
        add(&cloud, real);
        assert!(cloud.clock_is_bound());
    });
}
