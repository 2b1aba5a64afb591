//! Functions as they are declared, and who may invoke them.

use std::collections::{BTreeMap, BTreeSet};

use super::environment;
use super::spec::{FunctionSpec, check_variables, invalid};
use super::state::{Function, Statement};
use crate::kernel::error::ApiError;
use crate::kernel::glob::glob;
use crate::kernel::scope::{EnvironmentId, Invoker, Scope};
use crate::model::Model;

/// The account keeps this much concurrency for functions that reserve none.
const UNRESERVED_CONCURRENCY_MIN: usize = 100;

impl Statement {
    pub(super) fn allows(&self, invoker: &Invoker) -> bool {
        let from = |pattern: &String| arn_like(pattern, &invoker.source_arn);
        self.service == invoker.service && self.source_arn.as_ref().is_none_or(from)
    }
}

/// Wildcards in an ARN do not reach across the colons of its first five parts.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if glob(pattern, part) => {}
            _ => return false,
        }
    }
}

/// Declares a function; the result is its ARN.
pub fn add_function(model: &mut Model, spec: FunctionSpec) -> Result<String, ApiError> {
    spec.check()?;
    let arn = spec.arn();
    if model.lambda.functions.contains_key(&arn) {
        let text = format!("Function already exist: {}", spec.name);
        return Err(ApiError::new(409, "ResourceConflictException", text));
    }
    let scope = Scope::new(&spec.account, &spec.region);
    let reserved = model.lambda.reserved_in(&scope) + spec.reserved_concurrency.unwrap_or(0);
    let limit = model.config.limits.lambda_concurrency;
    let left = limit.saturating_sub(UNRESERVED_CONCURRENCY_MIN.min(limit));
    if spec.reserved_concurrency.is_some() && reserved > left {
        let text = format!(
            "Specified ReservedConcurrentExecutions for function decreases account's \
             UnreservedConcurrentExecution below its minimum value of \
             [{UNRESERVED_CONCURRENCY_MIN}]."
        );
        return Err(invalid(text));
    }
    let function = Function { spec, scope, statements: BTreeMap::new(), generation: 0 };
    model.lambda.functions.insert(arn.clone(), function);
    Ok(arn)
}

/// Tells whether there is a function of that ARN.
pub fn exists(model: &Model, function_arn: &str) -> bool {
    model.lambda.functions.contains_key(function_arn)
}

fn no_function(arn: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
}

/// Takes a function away, with its environments and the events that wait for it.
pub fn remove_function(model: &mut Model, function_arn: &str) -> Result<(), ApiError> {
    if model.lambda.functions.remove(function_arn).is_none() {
        return Err(no_function(function_arn));
    }
    for environment in environments_of(model, function_arn) {
        environment::end(model, environment, environment::Ending::Killed);
    }
    model.lambda.queue.retain(|_, invocation| invocation.function != function_arn);
    Ok(())
}

/// Sets the variables. An environment that has the old ones takes no further event.
pub fn set_variables(
    model: &mut Model,
    function_arn: &str,
    variables: BTreeMap<String, String>,
) -> Result<(), ApiError> {
    check_variables(&variables)?;
    let function = model.lambda.functions.get_mut(function_arn);
    let function = function.ok_or_else(|| no_function(function_arn))?;
    function.spec.variables = variables;
    function.generation += 1;
    for environment in environments_of(model, function_arn) {
        environment::retire_if_idle(model, environment);
    }
    Ok(())
}

/// Adds a statement to the function's resource policy: `service` may invoke it, on behalf of
/// whatever `source_arn` says, which may have wildcards.
pub fn add_permission(
    model: &mut Model,
    function_arn: &str,
    statement_id: &str,
    service: &str,
    source_arn: Option<&str>,
) -> Result<(), ApiError> {
    let function = model.lambda.functions.get_mut(function_arn);
    let function = function.ok_or_else(|| no_function(function_arn))?;
    if function.statements.contains_key(statement_id) {
        let text = format!("The statement id ({statement_id}) provided already exists.");
        return Err(ApiError::new(409, "ResourceConflictException", text));
    }
    let source_arn = source_arn.map(str::to_string);
    let statement = Statement { service: service.to_string(), source_arn };
    function.statements.insert(statement_id.to_string(), statement);
    Ok(())
}

/// The settings of a function.
pub fn spec_of<'m>(model: &'m Model, function_arn: &str) -> Option<&'m FunctionSpec> {
    model.lambda.functions.get(function_arn).map(|function| &function.spec)
}

/// The services that may invoke a function, each with the ARN on whose behalf.
pub fn permissions_of<'m>(
    model: &'m Model,
    function_arn: &str,
) -> BTreeSet<(&'m str, Option<&'m str>)> {
    let function = model.lambda.functions.get(function_arn).into_iter();
    let all = function.flat_map(|function| function.statements.values());
    all.map(|one| (one.service.as_str(), one.source_arn.as_deref())).collect()
}

/// The execution environments that a function has now, the oldest first.
pub fn environments_of(model: &Model, function_arn: &str) -> Vec<EnvironmentId> {
    let all = model.lambda.environments.iter();
    let own = all.filter(|(_, execution)| execution.function == function_arn);
    own.map(|(id, _)| *id).collect()
}
