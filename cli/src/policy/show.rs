//! `afterimage policy show`: what is in force, as the file that says it.

use afterimage_core::flow::InForce;
use afterimage_core::policy::{Policy, print};
use serde_json::json;

use crate::place::{self, Place};
use crate::{Failure, print as put};

/// Prints the policies that are in force, as a file that could be applied.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this policy.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: place::Where,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    place::block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<(), Failure> {
    let place = Place::find(&arguments.place).await?;
    let in_force = place.ledger().in_force().await.map_err(|failure| place.failed(&failure))?;
    let policies = chosen(&in_force, arguments.name.as_deref())?;
    if arguments.json {
        return put(&json!({ "policies": policies }).to_string());
    }
    put(print::file(&policies).trim_end())
}

/// The policies in force, or the one of this name. Those that cannot be read are told.
///
/// # Errors
/// There is none of this name, or it cannot be read.
pub fn chosen(in_force: &InForce, name: Option<&str>) -> Result<Vec<Policy>, Failure> {
    let Some(name) = name else {
        for policy in &in_force.unreadable {
            eprintln!("policy {} cannot be read, and is left out: {}", policy.name, policy.why);
        }
        return Ok(in_force.policies.clone());
    };
    if let Some(policy) = in_force.unreadable.iter().find(|policy| policy.name == name) {
        let why = &policy.why;
        let text = format!("policy {name} cannot be read: {why}\n  apply its file again");
        return Err(Failure::Input(text));
    }
    one(&in_force.policies, name, "in force")
}

/// The policy of this name.
///
/// # Errors
/// There is none; the text says which there are, and where.
pub fn one(policies: &[Policy], name: &str, place: &str) -> Result<Vec<Policy>, Failure> {
    let found = policies.iter().find(|policy| policy.name.as_str() == name);
    found.map(|policy| vec![policy.clone()]).ok_or_else(|| {
        let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_string() } else { names.join(", ") };
        Failure::Input(format!("no policy is called {name}\n  {place}: {names}"))
    })
}
