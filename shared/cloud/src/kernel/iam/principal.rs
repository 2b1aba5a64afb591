//! Who asks, and whom a resource's policy names.

use crate::kernel::glob::ARN_PARTS;

/// A principal as an ARN or a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalRef {
    /// As the one who asks, the root user; in a policy, the account as a whole.
    Account(String),
    /// A user, or anyone else that only its own ARN names.
    User { account: String, arn: String },
    /// The names of roles are unique in an account, so the path in a role's ARN tells nothing.
    Role { account: String, name: String },
    /// A session of a role: what a caller with a role's credentials is.
    Session { account: String, role: String, name: String },
    /// `events.amazonaws.com`: a service that acts on its own behalf.
    Service(String),
}

/// Whom one entry of `Principal` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PrincipalPattern {
    Everyone,
    One(PrincipalRef),
}

/// The way in which a policy names a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Through its account: what is granted is for that account to hand on.
    Account,
    /// By its own name, its role's name or `*`.
    Direct,
}

impl PrincipalRef {
    /// Reads an ARN, an account id or a service principal; `None` if it is none of them.
    pub fn parse(text: &str) -> Option<PrincipalRef> {
        PrincipalRef::parse_aws(text).or_else(|| PrincipalRef::parse_service(text))
    }

    /// What may stand beside `AWS` in a policy.
    pub(super) fn parse_aws(text: &str) -> Option<PrincipalRef> {
        if is_account(text) {
            return Some(PrincipalRef::Account(text.to_owned()));
        }
        if text.contains(['*', '?']) {
            return None;
        }
        let parts: Vec<&str> = text.splitn(ARN_PARTS, ':').collect();
        let ["arn", _, service, "", account, name] = parts.as_slice() else { return None };
        if !is_account(account) {
            return None;
        }
        let account = (*account).to_owned();
        let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
        match (*service, kind, rest) {
            ("iam", "root", "") => Some(PrincipalRef::Account(account)),
            (_, _, "") => None,
            ("iam", "role", path) => {
                let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
                Some(PrincipalRef::Role { account, name: name.to_owned() })
            }
            ("sts", "assumed-role", session) => {
                let (role, name) = session.split_once('/')?;
                Some(PrincipalRef::Session {
                    account,
                    role: role.to_owned(),
                    name: name.to_owned(),
                })
            }
            ("iam", "user", _) | ("sts", "federated-user", _) => {
                Some(PrincipalRef::User { account, arn: text.to_owned() })
            }
            _ => None,
        }
    }

    /// What may stand beside `Service` in a policy: a host name without wildcards.
    pub(super) fn parse_service(text: &str) -> Option<PrincipalRef> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let named = text.contains('.') && text.chars().all(plain);
        named.then(|| PrincipalRef::Service(text.to_owned()))
    }

    /// The account it belongs to; services belong to none.
    pub fn account(&self) -> Option<&str> {
        match self {
            PrincipalRef::Account(account)
            | PrincipalRef::User { account, .. }
            | PrincipalRef::Role { account, .. }
            | PrincipalRef::Session { account, .. } => Some(account),
            PrincipalRef::Service(_) => None,
        }
    }
}

impl PrincipalPattern {
    pub(super) fn reach(&self, who: &PrincipalRef) -> Option<Reach> {
        match (self, who) {
            (PrincipalPattern::Everyone, _) => Some(Reach::Direct),
            (PrincipalPattern::One(named), _) if named == who => Some(Reach::Direct),
            (PrincipalPattern::One(PrincipalRef::Account(account)), _) => {
                (who.account() == Some(account)).then_some(Reach::Account)
            }
            (
                PrincipalPattern::One(PrincipalRef::Role { account, name }),
                PrincipalRef::Session { account: home, role, .. },
            ) => (account == home && name == role).then_some(Reach::Direct),
            (PrincipalPattern::One(_), _) => None,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
