//! Authorisation of calls: IAM as every operation asks for it.

use crate::kernel::access::{Call, Identity, Principals, Want};
use crate::kernel::error::ApiError;
use crate::kernel::iam::{
    Ask, PolicyDocument, PrincipalRef, Refusal, ResourceVerdict, Verdict, combine, combine_gated,
    ec2_refusal, evaluate, evaluate_resource_policy, json_refusal,
};
use crate::kernel::scope::Scope;
use crate::kernel::service::Denial;
use crate::kernel::time::Time;

/// The policy on a resource, and how it joins with the policies of the caller.
#[derive(Clone, Copy, Debug)]
pub struct OnResource<'a> {
    pub policy: &'a PolicyDocument,
    /// The account that owns the resource.
    pub owner: &'a str,
    /// Keys and roles open only if their own policy says so, even at home.
    pub gated: bool,
}

/// The roles and settings by which a call is judged.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    pub principals: &'a Principals,
    /// As [`crate::kernel::config::Config::open_roles`].
    pub open_roles: bool,
    pub now: Time,
}

impl Judge<'_> {
    /// Authorises each want by itself, and answers a dry run. An operation calls this exactly once,
    /// after it has read its parameters and before it changes anything.
    ///
    /// # Errors
    /// The refusal of the service, or that the dry run would have succeeded.
    pub fn permit(&self, call: &Call, wants: &[Want]) -> Result<(), ApiError> {
        for want in wants {
            self.permit_on(call, want, None)?;
        }
        if call.dry_run {
            let text = "Request would have succeeded, but DryRun flag is set.";
            return Err(ApiError::new(412, "DryRunOperation", text));
        }
        Ok(())
    }

    /// Authorises one want on a resource that has a policy of its own.
    ///
    /// # Errors
    /// The refusal of the service.
    pub fn permit_on(
        &self,
        call: &Call,
        want: &Want,
        resource: Option<OnResource<'_>>,
    ) -> Result<(), ApiError> {
        if call.caller.role.is_none() && resource.is_none() {
            // Nothing could speak against an administrator, so the question need not be put.
            return Ok(());
        }
        let ask = self.ask(&call.caller, &call.scope, want);
        let (identity, on_resource, verdict) = self.verdicts(&call.caller, &ask, resource);
        if verdict == Verdict::Allowed {
            return Ok(());
        }
        let refusal = Refusal::of(identity, on_resource);
        let user = &call.caller.arn;
        Err(match call.service.denial {
            Denial::Encoded => {
                let text = ec2_refusal(user, &ask, refusal);
                ApiError::new(403, "UnauthorizedOperation", text)
            }
            Denial::Plain(status, code) => {
                ApiError::new(status, code, json_refusal(user, &ask, refusal))
            }
        })
    }

    /// Tells whether a service can act in a role at all: the role is there and trusts the service.
    /// A role that was declared without a trust policy trusts every service.
    pub fn role_trusts(&self, role_arn: &str, service: &str) -> bool {
        let Some(role) = self.principals.roles.get(role_arn) else {
            return self.open_roles;
        };
        let Some(trust) = &role.trust else { return true };
        let want = Want::new("sts:AssumeRole", role_arn);
        resource_admits(trust, &PrincipalRef::Service(service.to_string()), &want)
    }

    /// Tells whether a role may, on a resource that has a policy of its own.
    pub fn role_may_on(
        &self,
        role_arn: &str,
        scope: &Scope,
        want: &Want,
        resource: Option<OnResource<'_>>,
    ) -> bool {
        if !self.principals.roles.contains_key(role_arn) {
            return self.open_roles;
        }
        let account = match PrincipalRef::parse(role_arn) {
            Some(principal) => principal.account().unwrap_or_default().to_string(),
            None => return false,
        };
        let caller = Identity {
            account: account.as_str().into(),
            arn: role_arn.to_string(),
            role: Some(role_arn.to_string()),
            environment: None,
        };
        let ask = self.ask(&caller, scope, want);
        self.verdicts(&caller, &ask, resource).2 == Verdict::Allowed
    }

    /// The verdicts of the caller's policies, of the resource's policy, and of both together.
    fn verdicts(
        &self,
        caller: &Identity,
        ask: &Ask,
        resource: Option<OnResource<'_>>,
    ) -> (Verdict, Option<ResourceVerdict>, Verdict) {
        let identity = match &caller.role {
            None => Verdict::Allowed,
            Some(role) => match self.principals.roles.get(role) {
                Some(role) => evaluate(&role.policies, ask),
                None if self.open_roles => Verdict::Allowed,
                None => Verdict::ImplicitDeny,
            },
        };
        let Some(resource) = resource else {
            return (identity, None, combine(identity, None, true));
        };
        let same_account = *caller.account == *resource.owner;
        let on_resource = match PrincipalRef::parse(&caller.arn) {
            Some(principal) => evaluate_resource_policy(resource.policy, &principal, ask),
            None => ResourceVerdict::ImplicitDeny,
        };
        let verdict = if resource.gated {
            combine_gated(identity, on_resource, same_account)
        } else {
            combine(identity, Some(on_resource), same_account)
        };
        (identity, Some(on_resource), verdict)
    }

    /// The want with the condition keys that every call has.
    fn ask(&self, caller: &Identity, scope: &Scope, want: &Want) -> Ask {
        let Ask { action, resource, mut keys } = want.to_ask();
        let region: &str = &scope.region;
        keys.insert("aws:RequestedRegion", region);
        if want.action.starts_with("ec2:") {
            keys.insert("ec2:Region", region);
        }
        let account: &str = &caller.account;
        keys.insert("aws:PrincipalAccount", account);
        keys.insert("aws:PrincipalArn", caller.role.as_deref().unwrap_or(&caller.arn));
        let kind = if caller.role.is_some() { "AssumedRole" } else { "User" };
        keys.insert("aws:PrincipalType", kind);
        keys.insert("aws:CurrentTime", self.now.to_seconds_text());
        keys.insert("aws:EpochTime", self.now.secs().to_string());
        Ask { action, resource, keys }
    }
}

/// Tells whether the policy on a resource lets a principal in: itself, or by way of its account.
pub fn resource_admits(policy: &PolicyDocument, principal: &PrincipalRef, want: &Want) -> bool {
    let verdict = evaluate_resource_policy(policy, principal, &want.to_ask());
    matches!(verdict, ResourceVerdict::Allowed | ResourceVerdict::Delegated)
}
