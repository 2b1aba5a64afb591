//! Roles: those of the template, and those that SAM makes for functions.

use serde_json::{Value as Json, json};

use super::super::order::Step;
use super::super::props::{Props, to_json};
use super::super::yaml::{Node, Value};
use super::Maker;
use crate::kernel::arn::Arn;
use crate::kernel::iam::{PolicyDocument, PolicyError};

const ROLE_NAME_MAX: usize = 64;

/// Managed policies that allow nothing that is modelled here: logs and traces.
const MANAGED_POLICIES: [&str; 2] = ["AWSLambdaBasicExecutionRole", "AWSXRayDaemonWriteAccess"];

impl Maker<'_> {
    /// The role that SAM makes for a function.
    pub(super) fn function_role(&mut self, step: &Step<'_>) {
        let resource = step.resource;
        let wanted = ["DeadLetterQueue", "EventInvokeConfig", "Policies"];
        let node = self.evaluated(resource, |name| wanted.contains(&name));
        let errors = self.errors;
        let props = Props::of(Some(&node), resource.at, resource.properties_path(), errors);
        let mut policies = self.inline_policies(&props);
        let destination = props
            .group("EventInvokeConfig")
            .and_then(|config| config.group("DestinationConfig"))
            .and_then(|config| config.group("OnFailure"))
            .and_then(|failure| failure.text("Destination"));
        let dead_letters = props.group("DeadLetterQueue").and_then(|queue| queue.text("TargetArn"));
        for arn in destination.iter().chain(&dead_letters) {
            // What is no queue is reported with the function itself.
            if Arn::parse(arn).is_some_and(|arn| arn.service == "sqs") {
                policies.push(allow("sqs:SendMessage", arn));
            }
        }
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": ["lambda.amazonaws.com"] },
                "Action": ["sts:AssumeRole"],
            }],
        });
        let name = self.made_up_name(&step.id, ROLE_NAME_MAX);
        self.declare_role(&step.id, &props, ("/", &name), &policies, &trust);
    }

    /// `Policies` of a function: one policy or several, each a name or a document.
    fn inline_policies(&self, props: &Props<'_>) -> Vec<Json> {
        let Some(node) = props.any("Policies") else { return Vec::new() };
        let path = props.path_of("Policies");
        match &node.value {
            Value::List(items) => {
                let items = items.iter().enumerate();
                let read = |(index, item)| self.inline_policy(item, &format!("{path}[{index}]"));
                items.filter_map(read).collect()
            }
            _ => self.inline_policy(node, &path).into_iter().collect(),
        }
    }

    fn inline_policy(&self, node: &Node, path: &str) -> Option<Json> {
        if let Some(name) = node.text() {
            self.check_managed(name, node, path);
            return None;
        }
        if node.get("Statement").is_none() {
            if !node.is_broken() {
                let what = "not a policy with a Statement; the policy templates of SAM are not \
                            modelled: write out what they allow";
                self.errors.add(node.at, path, what);
            }
            return None;
        }
        self.document(node, path, PolicyDocument::parse_identity)
    }

    fn check_managed(&self, name: &str, node: &Node, path: &str) {
        let short = name.rsplit('/').next().unwrap_or_default();
        if !MANAGED_POLICIES.contains(&short) {
            let known = MANAGED_POLICIES.join(", ");
            let what = format!("the managed policy {name} is not modelled; known: {known}");
            self.errors.add(node.at, path, what);
        }
    }

    /// A policy document as JSON, once it was read without errors.
    pub(super) fn document(
        &self,
        node: &Node,
        path: &str,
        parse: fn(&Json) -> Result<PolicyDocument, PolicyError>,
    ) -> Option<Json> {
        let before = self.errors.count();
        let json = to_json(node, path, self.errors);
        if self.errors.count() > before || has_broken(node) {
            return None;
        }
        match parse(&json) {
            Ok(_) => Some(json),
            Err(error) => {
                let at = node.nearest(&error.path).at;
                self.errors.add(at, &format!("{path}.{}", error.path), error.problem);
                None
            }
        }
    }

    fn declare_role(
        &mut self,
        id: &str,
        props: &Props<'_>,
        (role_path, name): (&str, &str),
        policies: &[Json],
        trust: &Json,
    ) {
        let arn = format!("arn:aws:iam::{}:role{role_path}{name}", self.scope.account);
        self.register(id, name, &[("Arn", &arn)]);
        if self.model.principals.roles.contains_key(&arn) {
            props.wrong("RoleName", format!("the role {arn} exists already"));
            return;
        }
        if let Err(error) = self.model.principals.declare_role(&arn, policies, Some(trust)) {
            self.errors.add(props.at, &props.path, error.to_string());
        }
    }

    pub(super) fn role(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        let name = self.name(&step.id, props.text("RoleName"), ROLE_NAME_MAX);
        let role_path = props.text("Path").unwrap_or_else(|| "/".to_string());
        if !role_path.starts_with('/') || !role_path.ends_with('/') {
            props.wrong("Path", "a path begins and ends with a slash");
        }
        props.text("Description");
        props.tags();
        let session = props.integer("MaxSessionDuration");
        if session.is_some_and(|seconds| !(3600..=43_200).contains(&seconds)) {
            props.wrong("MaxSessionDuration", "has to be between 3600 and 43200");
        }
        for (path, node) in props.list("ManagedPolicyArns") {
            self.check_managed(node.text().unwrap_or_default(), node, &path);
        }
        let mut policies = Vec::new();
        for policy in props.groups("Policies") {
            policy.required("PolicyName");
            policies.extend(self.identity_policy(&policy));
            policy.finish();
        }
        props.require("AssumeRolePolicyDocument");
        let trust = props.any("AssumeRolePolicyDocument").and_then(|node| {
            let path = props.path_of("AssumeRolePolicyDocument");
            self.document(node, &path, PolicyDocument::parse_resource)
        });
        props.finish();
        let trust = trust.unwrap_or_default();
        if self.errors.count() == before {
            self.declare_role(&step.id, props, (&role_path, &name), &policies, &trust);
        } else {
            let arn = format!("arn:aws:iam::{}:role{role_path}{name}", self.scope.account);
            self.register(&step.id, name, &[("Arn", &arn)]);
        }
    }

    fn identity_policy(&self, props: &Props<'_>) -> Option<Json> {
        props.require("PolicyDocument");
        let node = props.any("PolicyDocument")?;
        self.document(node, &props.path_of("PolicyDocument"), PolicyDocument::parse_identity)
    }

    /// A policy that is attached to roles.
    pub(super) fn policy(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let name = props.required("PolicyName");
        let json = self.identity_policy(props);
        props.require("Roles");
        let roles = props.texts("Roles");
        props.finish();
        self.register(&step.id, name.unwrap_or_default(), &[]);
        let document = json.and_then(|json| PolicyDocument::parse_identity(&json).ok());
        let Some(document) = document else { return };
        for role in roles {
            let (start, end) =
                (format!("arn:aws:iam::{}:", self.scope.account), format!("/{role}"));
            let fits = |arn: &String| arn.starts_with(&start) && arn.ends_with(&end);
            let mut all = self.model.principals.roles.iter_mut();
            match all.find(|(arn, _)| fits(arn)) {
                Some((_, role)) => role.policies.push(document.clone()),
                None if self.failed.contains(&role) => {}
                None => props.wrong("Roles", format!("there is no role {role}")),
            }
        }
    }

    /// Refuses a role that the service cannot act in.
    pub(super) fn check_trust(&self, role_arn: &str, service: &str, props: &Props<'_>, name: &str) {
        let fits = self.failed.contains(role_arn) || self.model.role_trusts(role_arn, service);
        if !fits {
            let what = format!("{service} cannot assume the role {role_arn}");
            props.wrong(name, what);
        }
    }
}

fn allow(action: &str, resource: &str) -> Json {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": action, "Resource": resource }],
    })
}

/// Whether something in the node was reported already.
fn has_broken(node: &Node) -> bool {
    match &node.value {
        Value::Broken => true,
        Value::Scalar { .. } => false,
        Value::List(items) => items.iter().any(has_broken),
        Value::Map(entries) => entries.iter().any(|(_, node)| has_broken(node)),
    }
}
