//! IAM's decision, as a pure function of documents and a question.
//!
//! Nothing here knows a service, a clock or an account: the caller gathers the policies that apply,
//! fills the condition keys its service documents, and asks. The rules are those of the IAM User
//! Guide: every document is read strictly, an explicit deny wins, silence denies, and a resource's
//! own policy widens or gates what identities may do.
//!
//! Absent on purpose: organizations' control policies, permissions boundaries and session policies.
//! All of them only ever take away, and a world that has none of them answers as if they allowed.

mod condition;
mod document;
mod element;
mod evaluate;
mod keys;
mod message;
mod principal;
mod variable;

pub use crate::kernel::glob::Glob;
pub use document::PolicyDocument;
pub use element::PolicyError;
pub use evaluate::{
    Ask, ResourceVerdict, Verdict, combine, combine_gated, evaluate, evaluate_resource_policy,
};
pub use keys::Keys;
pub use message::{Refusal, ec2_refusal, json_refusal};
pub use principal::PrincipalRef;
