//! `afterimage cloud --system`: Afterimage itself, deployed in the served cloud.

use std::collections::BTreeSet;
use std::path::PathBuf;

use afterimage_cloud::door::port::Server;
use afterimage_core::policy::Policy;
use aws_types::SdkConfig;

use crate::failure::chain;
use crate::system::{self, Options, System};
use crate::{Failure, policy, stack};

#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Arguments {
    /// Deploy Afterimage itself: its functions protect the machines of the default account.
    #[arg(long)]
    system: bool,
    /// Put the policies of this file in force.
    #[arg(long, value_name = "FILE", requires = "system")]
    policies: Option<PathBuf>,
    /// Regions to watch, beside the seat us-east-1 and the regions of the policies.
    #[arg(
        long, value_name = "REGION,...", value_delimiter = ',', requires = "system",
        default_values = ["eu-west-1", "eu-central-1"]
    )]
    regions: Vec<String>,
    /// Deploy with AllowStopStart=true: policies may stop machines to image them.
    #[arg(long, requires = "system")]
    allow_stop_start: bool,
    /// Deploy with AllowReboot=true: policies may have EC2 reboot machines to image them.
    #[arg(long, requires = "system")]
    allow_reboot: bool,
}

/// Deployment to carry out: its options, and the policies to put in force.
#[derive(Debug)]
pub struct Plan {
    options: Options,
    policies: Vec<Policy>,
}

impl Arguments {
    /// Plans the deployment. Without `--system` there is none.
    pub fn plan(&self) -> Result<Option<Plan>, Failure> {
        if !self.system {
            return Ok(None);
        }
        let policies = match &self.policies {
            None => Vec::new(),
            Some(file) => policy::from_file(file, "; nothing was started")?,
        };
        let mut regions: BTreeSet<String> = self.regions.iter().cloned().collect();
        for policy in &policies {
            regions.extend(policy.select.regions.iter().map(ToString::to_string));
            regions.extend(policy.replicate.iter().map(|replica| replica.region.to_string()));
        }
        let options = Options::default();
        regions.remove(&options.seat);
        let mut options = Options { regions: regions.into_iter().collect(), ..options };
        if self.allow_stop_start {
            options = options.allowing_stop_start();
        }
        if self.allow_reboot {
            options = options.allowing_reboot();
        }
        Ok(Some(Plan { options, policies }))
    }
}

impl Plan {
    /// Deploys, puts the policies in force as a user would, and tells the next steps.
    pub async fn carry_out(self, server: &Server) -> Result<(), Failure> {
        let Plan { options, policies } = self;
        let regions = options.regions.join(", ");
        let deployed = server.world().act(move |cloud| system::deploy(cloud, &options)).await;
        let deployed = deployed.map_err(|ended| Failure::Ours(ended.to_string()))?;
        let system = deployed.map_err(|refused| Failure::Input(refused.to_string()))?;
        let config = stack::cloud_config(&server.url(), &system.seat);
        put_in_force(&config, &system, &policies).await?;
        eprintln!("{}", next_steps(&system, &regions, &policies, &server.url()));
        Ok(())
    }
}

async fn put_in_force(
    config: &SdkConfig,
    system: &System,
    policies: &[Policy],
) -> Result<(), Failure> {
    if policies.is_empty() {
        return Ok(());
    }
    let applied = policy::apply::apply(config, &system.table, policies, false).await;
    applied.map(drop).map_err(|failure| Failure::Ours(chain(&failure)))
}

fn next_steps(system: &System, regions: &str, policies: &[Policy], url: &str) -> String {
    let seat = &system.seat;
    let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    let in_force = match names.is_empty() {
        true => "No policy is in force yet; run `afterimage policy apply FILE`.".to_string(),
        false => format!("In force: {}.", names.join(", ")),
    };
    format!(
        "Afterimage has its seat in {seat}, and watches {regions} as well.\n{in_force}\n\
         In another terminal:\n  \
         export AWS_ENDPOINT_URL={url}\n  \
         export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION={seat}\n  \
         afterimage status"
    )
}
