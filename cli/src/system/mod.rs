//! Afterimage deployed in an embedded cloud from the templates in `infra/`, with its functions in
//! process. The scenarios, the demo and `afterimage cloud --system` run it so.

mod code;
mod launch;

use std::collections::BTreeMap;
use std::fmt;

use afterimage_cloud::Cloud;
use afterimage_cloud::deploy::{DeployError, Deployment, Stack};
use afterimage_core::policy::file;

use crate::failure::chain;
use crate::policy::{Changes, apply};

pub use launch::launch;

/// Template of the stack at the seat, as it is deployed.
pub const TEMPLATE: &str = include_str!("../../../infra/template.yaml");
/// Template of the stack in every other region, as it is deployed.
pub const REGION_TEMPLATE: &str = include_str!("../../../infra/region.yaml");

/// Name of the stack in every other region.
const REGION_STACK: &str = "afterimage-region";

/// Options of a deployment: account, regions, templates and parameters.
#[derive(Clone, Debug)]
pub struct Options {
    pub account: String,
    /// Name of the stack at the seat. The names of its functions, roles and queues begin with it.
    pub stack: String,
    /// Region of the ledger, the bus and the functions.
    pub seat: String,
    /// Every other region with machines or images.
    pub regions: Vec<String>,
    /// Template for the seat.
    pub template: String,
    /// Template for the other regions.
    pub region_template: String,
    /// Parameters of the template at the seat that differ from its defaults.
    pub parameters: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            account: "123456789012".to_string(),
            stack: "afterimage".to_string(),
            seat: "us-east-1".to_string(),
            regions: vec!["eu-west-1".to_string(), "eu-central-1".to_string()],
            template: TEMPLATE.to_string(),
            region_template: REGION_TEMPLATE.to_string(),
            parameters: BTreeMap::new(),
        }
    }
}

impl Options {
    /// Allows stopping machines to image them, and starting them again.
    #[must_use]
    pub fn allowing_stop_start(mut self) -> Options {
        self.parameters.insert("AllowStopStart".to_string(), "true".to_string());
        self
    }

    /// Allows having EC2 reboot machines for their images.
    #[must_use]
    pub fn allowing_reboot(mut self) -> Options {
        self.parameters.insert("AllowReboot".to_string(), "true".to_string());
        self
    }
}

/// Deployed system, as far as its callers need to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    pub account: String,
    pub seat: String,
    /// Table of the ledger.
    pub table: String,
    /// Name of our own bus.
    pub bus: String,
    /// Names of the roles of the functions, by the names of the functions.
    pub roles: BTreeMap<String, String>,
}

/// Refusal of a template, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Template, and the region it was for.
    pub template: String,
    pub errors: Vec<DeployError>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be deployed", self.template)?;
        self.errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for Refused {}

/// Deploys Afterimage. From then on, it works by itself.
///
/// # Errors
/// A template is refused. If it is the template of the other regions, the seat stays deployed.
pub fn deploy(cloud: &Cloud, options: &Options) -> Result<System, Refused> {
    let at_seat = Deployment {
        account: options.account.clone(),
        region: options.seat.clone(),
        stack_name: options.stack.clone(),
        parameters: options.parameters.clone(),
        code: code::of_stack(&options.stack),
    };
    let stack = cloud.deploy(&options.template, at_seat).map_err(|errors| {
        let template = format!("infra/template.yaml in {}", options.seat);
        Refused { template, errors }
    })?;
    let output = |name: &str| stack.outputs.get(name).cloned().unwrap_or_default();
    let bus = stack.resources.get("Bus").cloned().unwrap_or_default();
    for region in options.regions.iter().filter(|region| **region != options.seat) {
        let elsewhere = Deployment {
            account: options.account.clone(),
            region: region.clone(),
            stack_name: REGION_STACK.to_string(),
            parameters: BTreeMap::from([
                ("SeatRegion".to_string(), options.seat.clone()),
                ("BusName".to_string(), bus.clone()),
            ]),
            code: BTreeMap::new(),
        };
        cloud.deploy(&options.region_template, elsewhere).map_err(|errors| {
            let template = format!("infra/region.yaml in {region}");
            Refused { template, errors }
        })?;
    }
    Ok(System {
        account: options.account.clone(),
        seat: options.seat.clone(),
        table: output("LedgerName"),
        bus,
        roles: roles(&stack),
    })
}

impl System {
    /// Puts policies in force, as `afterimage policy apply` does.
    ///
    /// # Errors
    /// A policy is wrong, or the ledger cannot be written.
    pub async fn apply_policies(&self, cloud: &Cloud, yaml: &str) -> Result<Changes, String> {
        let policies = file::read(yaml).map_err(|problems| {
            let told = problems.iter().map(|problem| format!("{}: {}", problem.at, problem.what));
            told.collect::<Vec<_>>().join("\n")
        })?;
        let config = cloud.sdk_config(&self.seat);
        let applied = apply::apply(&config, &self.table, &policies, false).await;
        applied.map_err(|failure| chain(&failure))
    }
}

/// Finds the role of each function. SAM names it after the logical id of the function.
fn roles(stack: &Stack) -> BTreeMap<String, String> {
    let named = stack.functions.keys().filter_map(|id| {
        let function = stack.resources.get(id)?;
        Some((function.clone(), stack.resources.get(&format!("{id}Role"))?.clone()))
    });
    named.collect()
}
