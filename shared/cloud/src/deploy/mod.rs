//! Deploys templates of AWS SAM and CloudFormation: [`Cloud::deploy`] makes what one says.
//!
//! # Everything is checked before anything is made
//! A template is deployed twice: first into an empty world that is thrown away, then, if nothing
//! was wrong, into this one. What it takes goes through the same code as the calls of the API, as
//! the administrator of the account, so that what AWS would refuse (a pattern, a schedule, a key
//! schema, a policy) is refused with the path of the property that is to blame. Names that are
//! taken already are found out in the rehearsal. Only limits of the account that other stacks use
//! up show when it comes to making; then what was made before stays, and the error says what
//! failed.
//!
//! # What is modelled
//! A closed subset; anything else is an error that names its path. `docs/cloud.md` has it in full.
//! - Sections: all but `Rules` and `Hooks`; `Transform` is `AWS::Serverless-2016-10-31`; `Globals`
//!   knows `Function`. `Export` and `Fn::ImportValue` are refused.
//! - Parameters of the types `String`, `Number` and `CommaDelimitedList`, with their constraints.
//! - `Ref`, `Fn::GetAtt`, `Fn::Sub`, `Fn::Join`, `Fn::Select`, `Fn::Split`, `Fn::FindInMap`,
//!   `Fn::If`, and `Fn::Equals`, `Fn::And`, `Fn::Or`, `Fn::Not` and `Condition` under `Conditions`;
//!   in their long and their short forms. All the pseudo parameters but `AWS::NotificationARNs` and
//!   `AWS::StackId`.
//! - The resource types in [`TYPES`], with the properties that the errors list.
//!   `AWS::Logs::LogGroup`, `AWS::Logs::MetricFilter`, `AWS::SNS::Topic` and
//!   `AWS::CloudWatch::Alarm` are held against the names of their properties, and nothing is made.
//! - Of a function, events of the types `Schedule`, `EventBridgeRule` and `CloudWatchEvent`;
//!   policies as statements. SAM policy templates are refused, and of the managed policies only
//!   those that allow nothing but logs and traces are known.
//!
//! What SAM makes without being told is made too, under SAM's ids: the role of a function with its
//! trust, its policies and the right to send to its dead letter queue and failure destination; a
//! rule for each event, the permission for that rule to invoke the function, and where an event
//! asks for it by `Type: SQS`, a dead letter queue with its policy.
//!
//! YAML is read by the rules of CloudFormation, which are those of YAML 1.1. Where they make of a
//! plain word something surprising (`on`, `0123`), in a pattern or a policy, quotes are asked for.

mod deployment;
mod errors;
mod eval;
mod make;
mod order;
mod parameters;
mod props;
mod sub;
mod template;
mod yaml;

use std::collections::BTreeMap;

pub use deployment::{Deployment, Stack};
pub use errors::DeployError;
pub use template::TYPES;
pub use yaml::Position;

use errors::Errors;
use eval::{Eval, Known};
use make::Maker;
use order::Step;
use template::Template;

use crate::cloud::Cloud;
use crate::kernel::regions;
use crate::model::Model;

impl Cloud {
    /// Makes what a template says.
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its place; then nothing was made.
    pub fn deploy(
        &self,
        template: &str,
        deployment: Deployment,
    ) -> Result<Stack, Vec<DeployError>> {
        self.with(|model| deploy(model, template, &deployment))
    }
}

fn deploy(
    model: &mut Model,
    text: &str,
    deployment: &Deployment,
) -> Result<Stack, Vec<DeployError>> {
    let errors = Errors::default();
    check(deployment, &errors);
    let Some(template) = template::read(text, &errors) else {
        return Err(errors.into_sorted(None));
    };
    let made = make(model, &template, deployment, &errors);
    made.filter(|_| errors.count() == 0).ok_or_else(|| errors.into_sorted(Some(&template.root)))
}

fn make(
    model: &mut Model,
    template: &Template,
    deployment: &Deployment,
    errors: &Errors,
) -> Option<Stack> {
    let section = |name| template.root.get(name);
    let mut known = Known {
        given: parameters::read(section("Parameters"), deployment, errors),
        conditions: BTreeMap::new(),
        mappings: section("Mappings"),
        resources: BTreeMap::new(),
        made: BTreeMap::new(),
    };
    known.conditions = eval::conditions(section("Conditions"), &known, errors);
    let steps = order::steps(template);
    let ids = order::ids(&steps, &template.unusable, errors);
    for (id, number) in &ids {
        let step = steps.get(*number)?;
        known.resources.insert(id.clone(), holds(step, &known, errors));
    }
    known.resources.extend(template.unusable.iter().map(|id| (id.clone(), true)));
    check_unused(template, &known, errors);
    let wanted = |step: &Step<'_>| known.resources.get(&step.id) == Some(&true);
    let order = order::sorted(&steps, &ids, wanted, errors)?;
    let mut stage = stage(model);
    Maker::new(&mut stage, Some(model), known.clone(), deployment, errors).run(template, &order);
    if errors.count() > 0 {
        return None;
    }
    Some(Maker::new(model, None, known, deployment, errors).run(template, &order))
}

fn check(deployment: &Deployment, errors: &Errors) {
    let start = Position { line: 1, column: 1 };
    let Deployment { account, region, stack_name, .. } = deployment;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        errors.add(start, "the deployment", format!("{account} is not an account id"));
    }
    if !regions::is_known(region) {
        errors.add(start, "the deployment", format!("there is no region {region}"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let begins = stack_name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !begins || stack_name.len() > 128 || !stack_name.bytes().all(plain) {
        let what = format!(
            "'{stack_name}' is not the name of a stack: a letter, then letters, digits and \
             hyphens, 128 in all"
        );
        errors.add(start, "the deployment", what);
    }
}

/// Whether the condition of a step's resource holds.
fn holds(step: &Step<'_>, known: &Known<'_>, errors: &Errors) -> bool {
    let Some(name) = &step.resource.condition else { return true };
    known.conditions.get(name).copied().unwrap_or_else(|| {
        let path = format!("{}.Condition", step.resource.path());
        let what = format!("{name} is not a condition of the template");
        errors.add(step.resource.at, &path, what);
        false
    })
}

/// Holds the resources that are not made against the names that there are.
fn check_unused(template: &Template, known: &Known<'_>, errors: &Errors) {
    let eval = Eval { known, errors, unused: true };
    for resource in &template.resources {
        if known.resources.get(&resource.id) == Some(&false) {
            eval.node(&resource.properties, &resource.properties_path());
        }
    }
}

/// The world of the rehearsal: empty but for the roles, which others may refer to by name alone.
fn stage(model: &Model) -> Model {
    let mut stage = Model::new(model.config.clone());
    stage.run_until(model.now);
    stage.principals.roles = model.principals.roles.clone();
    stage
}
