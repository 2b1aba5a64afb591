//! `AWS::Lambda::Permission`: who may invoke a function beside its account.

use super::super::order::Step;
use super::super::props::Props;
use super::{Maker, blame};
use crate::lambda;

impl Maker<'_> {
    pub(super) fn permission(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        props.require("Action");
        props.one_of("Action", &["lambda:InvokeFunction"]);
        let function = props.required("FunctionName");
        let principal = props.required("Principal");
        let source_arn = props.text("SourceArn");
        props.finish();
        let id = self.made_up_name(&step.id, 100);
        self.register(&step.id, id.as_str(), &[]);
        let Some((function, service)) = function.zip(principal) else { return };
        if !service.ends_with(".amazonaws.com") {
            let what = "only services are modelled, such as events.amazonaws.com";
            props.wrong("Principal", what);
        }
        if self.errors.count() > before {
            return;
        }
        let arn = match function.starts_with("arn:") {
            true => function,
            false => self.function_arn(&function),
        };
        let elsewhere = self.world.as_ref().is_some_and(|world| lambda::exists(world, &arn));
        if self.failed.contains(&arn) || (elsewhere && !lambda::exists(self.model, &arn)) {
            return;
        }
        let source_arn = source_arn.as_deref();
        let added = lambda::add_permission(self.model, &arn, &id, &service, source_arn);
        if let Err(error) = added {
            blame(self.errors, props, &error, &[("Function not found", "FunctionName")]);
        }
    }
}
