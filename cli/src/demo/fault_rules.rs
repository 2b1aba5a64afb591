//! Fault rules of the demo. All of these faults happen at AWS, most of them seldom. Only calls of
//! Afterimage's own functions are struck.

use afterimage_cloud::faults::{Creation, Rule, When};
use serde_json::json;

use crate::demo::fleet::Machine;

/// Names of the functions of the stack.
pub const OURS: &str = "afterimage-*";

/// Message of EC2 about an artefact that it could not make.
const INTERNAL: &str = "Internal error";

/// Makes the rules. The story recognises a rule in the trace by its name.
pub fn rules(seed: u64, machines: &[Machine]) -> Vec<Rule> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x6d69_7368_6170);
    let ec2 = |rule: Rule| rule.function(OURS).service("ec2");
    let stopped: Vec<&Machine> =
        machines.iter().filter(|machine| machine.order.is_stopped_at_times()).collect();
    // One event is lost for certain. The seed decides which one.
    let unlucky = rng.usize(0..stopped.len().max(1));
    let mut rules: Vec<Rule> = Vec::new();
    for (place, machine) in stopped.into_iter().enumerate() {
        let lost = Rule::lose()
            .source("aws.ec2")
            .detail(json!({ "instance-id": machine.id, "state": "stopped" }))
            .named(&format!("{LOST_STOP}{}", machine.id));
        rules.push(if place == unlucky { lost.nth(1) } else { lost.probability(0.2) });
    }
    let lost = |kind: &str, name: &str| {
        Rule::lose().source("aws.ec2").detail_type(kind).probability(0.04).named(name)
    };
    rules.extend([
        lost("EBS Multi-Volume Snapshots Completion Status", LOST_SET),
        lost("EC2 AMI State Change", LOST_IMAGE),
        Rule::duplicate(1, 0..=60_000).source("aws.ec2").probability(0.05).named(DOUBLED),
        Rule::reorder(120_000).source("aws.ec2").probability(0.1).named(LATE),
        ec2(Rule::fail(When::Before, 500, "InternalError")).probability(0.004).named(FAILED),
        ec2(Rule::throttle()).probability(0.004).named(THROTTLED),
        // The worst fault: something was made, and the caller got no answer.
        ec2(Rule::fail(When::After, 500, "InternalError")).action("C*").probability(0.01),
        ec2(Rule::fail(When::After, 500, "InternalError")).action("R*").probability(0.01),
        ec2(Rule::kill(When::After)).action("C*").probability(0.008),
        ec2(Rule::kill(When::After)).action("RegisterImage").probability(0.008),
        Rule::kill(When::Before).function(OURS).service("dynamodb").probability(0.000_1),
        Rule::fail(When::After, 500, "InternalServerError")
            .function(OURS)
            .service("dynamodb")
            .probability(0.000_5)
            .named(FAILED),
        Rule::duplicate_invocation().function(OURS).probability(0.005).named(INVOKED_TWICE),
        // One copy of the first day fails for certain, and now and then another.
        Rule::fail_creation(&[Creation::ImageCopy], INTERNAL).nth(rng.u64(2..=24)),
        Rule::fail_creation(&[Creation::ImageCopy], INTERNAL).probability(0.006),
        Rule::fail_creation(&[Creation::SnapshotSet], INTERNAL).probability(0.01),
        Rule::fail_creation(&[Creation::ImageRegistration], INTERNAL).probability(0.004),
    ]);
    rules
}

/// Prefix of the names of rules that lose events.
pub const LOST: &str = "lost-";
/// Prefix of the name of a rule that loses the event of a stop. The id of the machine follows.
pub const LOST_STOP: &str = "lost-stop:";
pub const LOST_SET: &str = "lost-set";
pub const LOST_IMAGE: &str = "lost-image";
pub const DOUBLED: &str = "doubled";
pub const LATE: &str = "late";
/// Name of the rule of a region that does not answer.
pub const DARK: &str = "dark";
pub const INVOKED_TWICE: &str = "invoked-twice";
const FAILED: &str = "failed";
const THROTTLED: &str = "throttled";
