//! Keys of KMS and their aliases.

use serde_json::{Value as Json, json};

use super::super::order::Step;
use super::super::props::Props;
use super::{Maker, object};
use crate::kernel::iam::PolicyDocument;
use crate::kms;

impl Maker<'_> {
    pub(super) fn key(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let before = self.errors.count();
        let policy = props.any("KeyPolicy").and_then(|node| {
            let path = props.path_of("KeyPolicy");
            self.document(node, &path, PolicyDocument::parse_resource)
        });
        let tags = props.tags().into_iter();
        let tags: Vec<_> =
            tags.map(|(key, value)| json!({ "TagKey": key, "TagValue": value })).collect();
        let unchecked = props.flag("BypassPolicyLockoutSafetyCheck");
        let body = object([
            ("Description", props.text("Description").map(Json::from)),
            ("KeySpec", props.text("KeySpec").map(Json::from)),
            ("KeyUsage", props.text("KeyUsage").map(Json::from)),
            ("MultiRegion", props.flag("MultiRegion").map(Json::from)),
            ("BypassPolicyLockoutSafetyCheck", unchecked.map(Json::from)),
            ("Policy", policy.map(|policy| json!(policy.to_string()))),
            ("Tags", Some(json!(tags))),
        ]);
        let enabled = props.flag("Enabled");
        // New material does not show to those who use the key.
        props.flag("EnableKeyRotation");
        props.integer("RotationPeriodInDays");
        let days = props.integer("PendingWindowInDays");
        if days.is_some_and(|days| !(7..=30).contains(&days)) {
            props.wrong("PendingWindowInDays", "has to be between 7 and 30");
        }
        props.finish();
        if self.errors.count() > before {
            return;
        }
        let hints = [
            ("olicy", "KeyPolicy"),
            ("KeySpec", "KeySpec"),
            ("KeyUsage", "KeyUsage"),
            ("several regions", "MultiRegion"),
            ("description", "Description"),
            ("ag", "Tags"),
        ];
        let made = self.ask(("kms", "CreateKey"), &body, props, &hints);
        let Some(made) = made else { return };
        let text = |name: &str| made["KeyMetadata"][name].as_str().unwrap_or_default();
        let (id, arn) = (text("KeyId"), text("Arn"));
        self.register(&step.id, id, &[("Arn", arn), ("KeyId", id)]);
        if enabled == Some(false) {
            let body = json!({ "KeyId": id });
            self.ask(("kms", "DisableKey"), &body, props, &[("", "Enabled")]);
        }
    }

    pub(super) fn alias(&mut self, step: &Step<'_>, props: &Props<'_>) {
        let name = props.required("AliasName");
        let target = props.required("TargetKeyId");
        props.finish();
        let Some(name) = name else { return };
        self.register(&step.id, name.as_str(), &[]);
        let Some(target) = target else { return };
        if self.world_has_key(&name) {
            props.wrong("AliasName", format!("{name} exists already"));
            return;
        }
        let elsewhere = kms::resolve(self.model, &self.scope, &target).is_none();
        if elsewhere && self.world_has_key(&target) {
            return;
        }
        let body = json!({ "AliasName": name, "TargetKeyId": target });
        let hints = [("NotFoundException", "TargetKeyId"), ("", "AliasName")];
        self.ask(("kms", "CreateAlias"), &body, props, &hints);
    }
}
