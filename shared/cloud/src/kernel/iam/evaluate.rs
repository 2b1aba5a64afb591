//! From documents and a question to an answer.
//!
//! ```text
//!   identity \ resource  none      allows    delegates  silent
//!   same account:
//!     allows             yes       yes       yes        yes
//!     silent             no        yes       no         no
//!   same account, the resource's policy gates (a key, a role's trust):
//!     allows             -         yes       yes        no
//!     silent             -         yes       no         no
//!   other account:
//!     allows             no        yes       yes        no
//!     silent             no        no        no         no
//! ```
//!
//! An explicit deny on either side is a no everywhere.

use super::document::{Effect, PolicyDocument, Scope, Statement};
use super::keys::Keys;
use super::principal::{PrincipalPattern, PrincipalRef, Reach};
use super::variable::Template;

/// One question. A call may ask several: one for each resource that it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// `ec2:CreateSnapshots`.
    pub action: String,
    /// An ARN, with `*` for an id that is still to be made; or `*`, if the action has no resources.
    pub resource: String,
    pub keys: Keys,
}

/// The verdict of the policies of an identity, or of all policies together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    ExplicitDeny,
    ImplicitDeny,
}

/// The verdict of the policy of a resource about one principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceVerdict {
    /// To the principal itself, or to everyone.
    Allowed,
    /// To the principal's account, whose own policies decide.
    Delegated,
    ExplicitDeny,
    ImplicitDeny,
}

/// Asks the policies of an identity. Statements that name a principal say nothing about it.
pub fn evaluate(identity: &[PolicyDocument], ask: &Ask) -> Verdict {
    let mut verdict = Verdict::ImplicitDeny;
    let statements = identity.iter().flat_map(|document| &document.statements);
    for statement in statements.filter(|one| one.principals.is_none()) {
        if statement.applies(ask) {
            match statement.effect {
                Effect::Deny => return Verdict::ExplicitDeny,
                Effect::Allow => verdict = Verdict::Allowed,
            }
        }
    }
    verdict
}

/// Asks the policy of a resource. Statements that name no principal say nothing about anyone.
pub fn evaluate_resource_policy(
    policy: &PolicyDocument,
    principal: &PrincipalRef,
    ask: &Ask,
) -> ResourceVerdict {
    let mut verdict = ResourceVerdict::ImplicitDeny;
    for statement in &policy.statements {
        let Some(reach) = statement.reach(principal) else { continue };
        if statement.applies(ask) {
            match (statement.effect, reach) {
                (Effect::Deny, _) => return ResourceVerdict::ExplicitDeny,
                (Effect::Allow, Reach::Direct) => verdict = ResourceVerdict::Allowed,
                (Effect::Allow, Reach::Account) => {
                    if verdict == ResourceVerdict::ImplicitDeny {
                        verdict = ResourceVerdict::Delegated;
                    }
                }
            }
        }
    }
    verdict
}

/// The answer for a resource that most services keep: in one account either side may allow, across
/// accounts both have to. `resource` is `None` if the resource has no policy.
pub fn combine(
    identity: Verdict,
    resource: Option<ResourceVerdict>,
    same_account: bool,
) -> Verdict {
    let resource = resource.unwrap_or(ResourceVerdict::ImplicitDeny);
    if identity == Verdict::Allowed && same_account && resource == ResourceVerdict::ImplicitDeny {
        return Verdict::Allowed;
    }
    combine_gated(identity, resource, same_account)
}

/// The answer for a key and for a role to assume, whose own policy has to allow even at home.
pub fn combine_gated(identity: Verdict, resource: ResourceVerdict, same_account: bool) -> Verdict {
    match (identity, resource) {
        (Verdict::ExplicitDeny, _) | (_, ResourceVerdict::ExplicitDeny) => Verdict::ExplicitDeny,
        (Verdict::Allowed, ResourceVerdict::Allowed | ResourceVerdict::Delegated) => {
            Verdict::Allowed
        }
        (Verdict::ImplicitDeny, ResourceVerdict::Allowed) if same_account => Verdict::Allowed,
        (_, ResourceVerdict::ImplicitDeny) | (Verdict::ImplicitDeny, _) => Verdict::ImplicitDeny,
    }
}

impl Statement {
    fn applies(&self, ask: &Ask) -> bool {
        let action = ask.action.to_lowercase();
        let names_resource = |resources: &Scope<Template>| {
            resources
                .covers(|one| one.glob(&ask.keys).is_some_and(|glob| glob.matches(&ask.resource)))
        };
        self.actions.covers(|glob| glob.matches(&action))
            && self.resources.as_ref().is_none_or(names_resource)
            && self.conditions.iter().all(|condition| condition.holds(&ask.keys))
    }

    /// How the statement's principals include `who`, if they do. An exception in `NotPrincipal`
    /// frees whomever it would include, accounts with all that is in them.
    fn reach(&self, who: &PrincipalRef) -> Option<Reach> {
        let reach_of = |pattern: &PrincipalPattern| pattern.reach(who);
        match self.principals.as_ref()? {
            Scope::Only(listed) => listed.iter().filter_map(reach_of).max(),
            Scope::AllBut(listed) => {
                listed.iter().filter_map(reach_of).next().is_none().then_some(Reach::Direct)
            }
        }
    }
}
