//! `afterimage policy show`: the policies in force, as a policy file.

use afterimage_core::flow::InForce;
use afterimage_core::policy::{Policy, print};
use serde_json::json;

use super::unreadable::unreadable_text;
use crate::stack::{self, Stack};
use crate::{Failure, print as put};

/// Prints the policies in force, as a file that could be applied.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Show only this policy.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    stack::block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let in_force = stack.ledger().in_force().await.map_err(|failure| stack.failed(&failure))?;
    let policies = in_force_named(&in_force, arguments.name.as_deref())?;
    if arguments.json {
        return put(&json!({ "policies": policies }).to_string());
    }
    put(print::file(&policies).trim_end())
}

/// Finds the policy in force of this name, or all of them. Policies that cannot be read are told.
///
/// # Errors
/// No policy in force has this name, or the policy cannot be read.
pub fn in_force_named(in_force: &InForce, name: Option<&str>) -> Result<Vec<Policy>, Failure> {
    let Some(name) = name else {
        for policy in &in_force.unreadable {
            eprintln!("{}", unreadable_text(policy));
        }
        return Ok(in_force.policies.clone());
    };
    if let Some(policy) = in_force.unreadable.iter().find(|policy| policy.name == name) {
        return Err(Failure::Input(unreadable_text(policy)));
    }
    named(&in_force.policies, name, "in force")
}

/// Finds the policy of this name.
///
/// # Errors
/// No policy has this name. The failure lists the names that there are; `whose` says where.
pub fn named(policies: &[Policy], name: &str, whose: &str) -> Result<Vec<Policy>, Failure> {
    let found = policies.iter().find(|policy| policy.name.as_str() == name);
    found.map(|policy| vec![policy.clone()]).ok_or_else(|| {
        let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_string() } else { names.join(", ") };
        Failure::Input(format!("policy {name} was not found\n  policies {whose}: {names}"))
    })
}
