//! The rules of EventBridge that send events to a target. No function reads them, only the command.

use std::collections::BTreeSet;

use afterimage_core::ids::Region;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::Builder;
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::types::RuleState;
use aws_types::SdkConfig;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::error::Failure;

/// The longest that a call may take, with all its tries.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(10);

/// Number of pages of names that are read. A page has a hundred.
const PAGES_MAX: usize = 10;

/// A rule that sends events to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    pub is_enabled: bool,
    /// The detail types that its pattern takes; none of a schedule.
    pub detail_types: BTreeSet<String>,
    /// The version of the template that made it; none of a rule without one.
    pub version: Option<String>,
}

/// A client of EventBridge in a region, which only reads.
#[derive(Clone, Debug)]
pub struct Rules {
    client: Client,
    region: Region,
}

/// The part of a pattern that is read.
#[derive(Deserialize)]
struct Pattern {
    #[serde(rename = "detail-type", default)]
    detail_types: BTreeSet<String>,
}

/// The words of a description before the version of the template.
const BEFORE_VERSION: &str = " Afterimage ";

/// Returns the version of the template in the description of a rule.
fn version(description: &str) -> Option<&str> {
    let (_, version) = description.rsplit_once(BEFORE_VERSION)?;
    (!version.is_empty() && !version.contains(' ')).then_some(version)
}

impl Rules {
    pub fn new(config: &SdkConfig, region: &Region) -> Rules {
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT.unsigned_abs()).build();
        let config = Builder::from(config)
            .region(aws_types::region::Region::new(region.to_string()))
            .timeout_config(timeouts);
        Rules { client: Client::from_conf(config.build()), region: region.clone() }
    }

    /// Reads the rules of a bus that have this target. The default bus is called `default`.
    ///
    /// # Errors
    /// EventBridge does not answer, or refuses.
    pub async fn with_target(&self, bus: &str, target_arn: &str) -> Result<Vec<Rule>, Failure> {
        let mut rules = Vec::new();
        for name in self.names(bus, target_arn).await? {
            let call = self.client.describe_rule().event_bus_name(bus).name(&name);
            let rule = call.send().await.map_err(|error| self.failed("DescribeRule", error))?;
            let pattern = rule.event_pattern().and_then(|text| serde_json::from_str(text).ok());
            let version = rule.description().and_then(version).map(str::to_string);
            rules.push(Rule {
                version,
                name,
                is_enabled: rule.state() != Some(&RuleState::Disabled),
                detail_types: pattern
                    .map(|pattern: Pattern| pattern.detail_types)
                    .unwrap_or_default(),
            });
        }
        Ok(rules)
    }

    async fn names(&self, bus: &str, target_arn: &str) -> Result<Vec<String>, Failure> {
        const OPERATION: &str = "ListRuleNamesByTarget";
        let (mut names, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let call = self.client.list_rule_names_by_target().event_bus_name(bus);
            let call = call.target_arn(target_arn).set_next_token(next);
            let page = call.send().await.map_err(|error| self.failed(OPERATION, error))?;
            names.extend(page.rule_names.unwrap_or_default());
            next = page.next_token;
            if next.is_none() {
                return Ok(names);
            }
        }
        Err(self.failed(OPERATION, format!("there are more than {PAGES_MAX} pages")))
    }

    fn failed(
        &self,
        operation: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Failure {
        Failure::Ec2 { operation, region: self.region.to_string(), source: source.into() }
    }
}
