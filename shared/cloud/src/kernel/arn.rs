//! Names of resources: `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.

use crate::kernel::error::Kind;
use crate::kernel::scope::Scope;

/// The parts of an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    /// What follows the account, with all its colons and slashes.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some("aws"), Some(service), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let whole = !service.is_empty() && !resource.is_empty();
        whole.then_some(Arn { service, region, account, resource })
    }

    /// Where the resource is.
    pub fn scope(&self) -> Scope {
        Scope::new(self.account, self.region)
    }

    pub fn is_in(&self, scope: &Scope) -> bool {
        self.region == &*scope.region && self.account == &*scope.account
    }
}

/// The ARN of a resource of EC2; images and snapshots carry no account in theirs.
pub fn of_ec2(scope: &Scope, kind: Kind, id: &str) -> String {
    let account = match kind {
        Kind::Image | Kind::Snapshot => "",
        _ => &scope.account,
    };
    format!("arn:aws:ec2:{}:{account}:{}/{id}", scope.region, kind.resource_type())
}
