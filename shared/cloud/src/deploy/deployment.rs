//! The input of a deployment, and its result.

use std::collections::BTreeMap;

use crate::kernel::scope::Scope;
use crate::lambda::Code;

/// The place where a template is deployed, and what it is deployed with.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub account: String,
    pub region: String,
    pub stack_name: String,
    pub parameters: BTreeMap<String, String>,
    /// Code of the functions, by `FunctionName`; by logical id where a function has no such name.
    pub code: BTreeMap<String, Code>,
}

impl Deployment {
    /// The account and region of the stack.
    pub(super) fn scope(&self) -> Scope {
        Scope::new(&self.account, &self.region)
    }
}

/// The result of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    pub outputs: BTreeMap<String, String>,
    /// The ARN of each function, by logical id.
    pub functions: BTreeMap<String, String>,
    /// The value of `Ref` for each resource, by logical id, with those that SAM adds.
    pub resources: BTreeMap<String, String>,
}
