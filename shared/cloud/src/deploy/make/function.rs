//! Functions: `AWS::Serverless::Function`, without its role and its events.

use std::path::PathBuf;
use std::time::Duration;

use super::super::order::{ROLE_PROPERTIES, Step};
use super::super::props::Props;
use super::{Hints, Maker, blame};
use crate::kernel::access::Want;
use crate::kernel::arn::Arn;
use crate::lambda::{self, Code, FunctionSpec};

const NAME_MAX: usize = 64;

/// What in Lambda's errors speaks of which property.
const HINTS: Hints<'static> = &[
    ("'timeout'", "Timeout"),
    ("'memorySize'", "MemorySize"),
    ("'maximumRetryAttempts'", "EventInvokeConfig"),
    ("'maximumEventAgeInSeconds'", "EventInvokeConfig"),
    ("environment", "Environment"),
    ("'functionName'", "FunctionName"),
    ("Function already exist", "FunctionName"),
    ("ReservedConcurrentExecutions", "ReservedConcurrentExecutions"),
    ("role defined", "Role"),
];

impl Maker<'_> {
    pub(super) fn function(&mut self, step: &Step<'_>) {
        let resource = step.resource;
        let elsewhere = |name: &str| ROLE_PROPERTIES.contains(&name) || name == "Events";
        let node = self.evaluated(resource, |name| !elsewhere(name));
        let errors = self.errors;
        let props = Props::of(Some(&node), resource.at, resource.properties_path(), errors);
        let before = errors.count();
        let name = self.name(&resource.id, props.text("FunctionName"), NAME_MAX);
        let arn = self.function_arn(&name);
        self.register(&resource.id, name.as_str(), &[("Arn", &arn)]);
        check_code(&props);
        if let Some(events) = resource.properties.get("Events")
            && (events.map().is_none() || events.intrinsic().is_some())
        {
            let what = "a map of events is wanted here, without an intrinsic function";
            errors.add(events.at, &props.path_of("Events"), what);
        }
        let role_arn = self.role_of(step, &props);
        let key = match props.has("FunctionName") {
            true => name.clone(),
            false => resource.id.clone(),
        };
        self.used_code.insert(key.clone());
        let code = self.deployment.code.get(&key).cloned().unwrap_or_else(|| {
            let what = format!("no code is given at deployment for the function {key}");
            errors.add(resource.at, &resource.path(), what);
            Code::Binary(PathBuf::new())
        });
        let mut spec = FunctionSpec::new(&self.scope, &name, &role_arn, code);
        settings(&props, &mut spec);
        self.give_ups(&props, &mut spec);
        props.accept(&["Events", "Policies"]);
        props.finish();
        let taken = self.world.as_ref().is_some_and(|world| lambda::exists(world, &arn));
        if taken {
            props.wrong("FunctionName", format!("the function {arn} exists already"));
        }
        if errors.count() > before {
            return;
        }
        match lambda::add_function(self.model, spec) {
            Ok(arn) => drop(self.stack.functions.insert(resource.id.clone(), arn)),
            Err(error) => blame(errors, &props, &error, HINTS),
        }
    }

    pub(super) fn function_arn(&self, name: &str) -> String {
        let (region, account) = (&self.scope.region, &self.scope.account);
        format!("arn:aws:lambda:{region}:{account}:function:{name}")
    }

    /// The ARN of the role that the function runs in.
    fn role_of(&mut self, step: &Step<'_>, props: &Props<'_>) -> String {
        let resource = step.resource;
        if let Some(role_arn) = props.text("Role") {
            if resource.properties.get("Policies").is_some() {
                props.wrong("Role", "SAM ignores Policies beside a Role; give one of the two");
            }
            self.check_trust(&role_arn, "lambda.amazonaws.com", props, "Role");
            return role_arn;
        }
        let made = self.known.made.get(&format!("{}Role", resource.id));
        let arn = made.and_then(|made| made.attributes.get("Arn"));
        arn.cloned().unwrap_or_default()
    }

    /// Where events go that are given up, and how soon they are. Lambda asks when the function is
    /// made whether its role may send there.
    fn give_ups(&self, props: &Props<'_>, spec: &mut FunctionSpec) {
        if let Some(config) = props.group("EventInvokeConfig") {
            if let Some(retries) = config.unsigned("MaximumRetryAttempts") {
                spec.retry_attempts = u32::try_from(retries).unwrap_or(u32::MAX);
            }
            if let Some(age) = config.unsigned("MaximumEventAgeInSeconds") {
                spec.event_age_max = Duration::from_secs(age);
            }
            if let Some(destinations) = config.group("DestinationConfig") {
                if let Some(failure) = destinations.group("OnFailure") {
                    spec.on_failure = self.queue_of(&failure, "Destination", &spec.role_arn);
                }
                destinations.finish();
            }
            config.finish();
        }
        if let Some(letters) = props.group("DeadLetterQueue") {
            spec.dead_letter = self.queue_of(&letters, "TargetArn", &spec.role_arn);
        }
    }

    fn queue_of(&self, props: &Props<'_>, name: &str, role_arn: &str) -> Option<String> {
        props.require("Type");
        props.one_of("Type", &["SQS"]);
        let arn = props.required(name);
        props.finish();
        let arn = arn?;
        if Arn::parse(&arn).is_none_or(|arn| arn.service != "sqs") {
            props.wrong(name, format!("{arn} is not the ARN of a queue"));
            return None;
        }
        let want = Want::new("sqs:SendMessage", arn.as_str());
        let is_there = self.model.principals.roles.contains_key(role_arn);
        if is_there && !self.model.role_may(role_arn, &self.scope, &want) {
            let what = "the function's role does not allow sqs:SendMessage on it";
            props.wrong(name, what);
        }
        Some(arn)
    }
}

/// What only says how the code was built, which whoever gives the code has seen to.
fn check_code(props: &Props<'_>) {
    props.require("CodeUri");
    props.any("CodeUri");
    props.require("Handler");
    props.text("Handler");
    props.require("Runtime");
    props.one_of("Runtime", &["provided.al2023"]);
    if props.has("Architectures") {
        let all = props.texts("Architectures");
        let known = ["arm64", "x86_64"];
        if all.len() != 1 || !all.iter().all(|one| known.contains(&one.as_str())) {
            props.wrong("Architectures", "has to be one of arm64 and x86_64");
        }
    }
    props.one_of("Tracing", &["Active", "Disabled", "PassThrough"]);
    // No loop is stopped here, with either value.
    props.one_of("RecursiveLoop", &["Allow", "Terminate"]);
    props.text("Description");
    props.texts_by_name("Tags");
    if let Some(logging) = props.group("LoggingConfig") {
        logging.one_of("LogFormat", &["JSON", "Text"]);
        let levels = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];
        logging.one_of("ApplicationLogLevel", &levels);
        logging.one_of("SystemLogLevel", &["DEBUG", "INFO", "WARN"]);
        logging.text("LogGroup");
        logging.finish();
    }
}

fn settings(props: &Props<'_>, spec: &mut FunctionSpec) {
    if let Some(seconds) = props.unsigned("Timeout") {
        spec.timeout = Duration::from_secs(seconds);
    }
    if let Some(megabytes) = props.unsigned("MemorySize") {
        spec.memory_mb = megabytes;
    }
    let reserved = props.unsigned("ReservedConcurrentExecutions");
    spec.reserved_concurrency = reserved.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    if let Some(environment) = props.group("Environment") {
        spec.variables = environment.texts_by_name("Variables");
        environment.finish();
    }
}
