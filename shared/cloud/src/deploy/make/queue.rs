//! Queues and their policies.

use serde_json::{Map, Value as Json, json};

use super::super::order::Step;
use super::super::props::Props;
use super::Maker;
use crate::kernel::iam::PolicyDocument;

pub(super) const NAME_MAX: usize = 80;

/// Properties that are attributes of a queue by the same name.
const ATTRIBUTES: [&str; 6] = [
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

impl Maker<'_> {
    pub(super) fn queue(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        let name = self.name(&step.id, props.text("QueueName"), NAME_MAX);
        let mut attributes = Map::new();
        for attribute in ATTRIBUTES {
            let text = props.text(attribute).map(Json::from);
            attributes.extend(text.map(|text| (attribute.to_string(), text)));
        }
        props.tags();
        props.finish();
        self.register_queue(&step.id, &name);
        if self.errors.count() > before {
            return;
        }
        let body = json!({ "QueueName": name });
        self.refuse_taken(("sqs", "GetQueueUrl"), &body, props, ("QueueName", &name));
        let body = json!({ "QueueName": name, "Attributes": attributes });
        let mut hints: Vec<_> = ATTRIBUTES.map(|attribute| (attribute, attribute)).to_vec();
        hints.push(("", "QueueName"));
        self.ask(("sqs", "CreateQueue"), &body, props, &hints);
    }

    /// Gives the ARN of the queue.
    pub(super) fn register_queue(&mut self, id: &str, name: &str) -> String {
        let (region, account) = (&self.scope.region, &self.scope.account);
        let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
        let url = format!("https://sqs.{region}.amazonaws.com/{account}/{name}");
        let attributes = [("Arn", arn.as_str()), ("QueueName", name), ("QueueUrl", &url)];
        self.register(id, url.as_str(), &attributes);
        arn
    }

    /// A queue that SAM makes, with its policy.
    pub(super) fn make_queue(&mut self, name: &str, policy: &Json, props: &Props<'_>) {
        let body = json!({ "QueueName": name, "Attributes": { "Policy": policy.to_string() } });
        self.ask(("sqs", "CreateQueue"), &body, props, &[("", "DeadLetterConfig")]);
    }

    pub(super) fn queue_policy(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        props.require("Queues");
        let queues = props.texts("Queues");
        props.require("PolicyDocument");
        let policy = props.any("PolicyDocument").and_then(|node| {
            let path = props.path_of("PolicyDocument");
            self.document(node, &path, PolicyDocument::parse_resource)
        });
        props.finish();
        self.register(&step.id, self.made_up_name(&step.id, 100), &[]);
        let Some(policy) = policy.filter(|_| self.errors.count() == before) else { return };
        for url in queues {
            if self.failed.contains(&url) {
                continue;
            }
            let body = json!({ "QueueUrl": url, "AttributeNames": ["Policy"] });
            let here = self.call("sqs", "GetQueueAttributes", &body);
            if here.is_err() && self.call_world("sqs", "GetQueueAttributes", &body).is_some() {
                continue;
            }
            // The later policy would take the place of the earlier, and nobody would be told.
            if here.is_ok_and(|shown| shown["Attributes"]["Policy"].is_string()) {
                props.wrong("Queues", format!("{url} has a policy already"));
                continue;
            }
            let attributes = json!({ "Policy": policy.to_string() });
            let body = json!({ "QueueUrl": url, "Attributes": attributes });
            self.ask(("sqs", "SetQueueAttributes"), &body, props, &[("", "Queues")]);
        }
    }
}
