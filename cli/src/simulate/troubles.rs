//! Fault rules of a world. All of them strike only Afterimage's own functions, and end with the
//! span of the world.

use afterimage_cloud::Time;
use afterimage_cloud::faults::{Creation, Rule, When};

use super::world::{Mishap, Trouble, World};

/// Names of the functions of the stack.
const OURS: &str = "afterimage-*";

const CREATIONS: [Creation; 4] =
    [Creation::SnapshotSet, Creation::Image, Creation::ImageRegistration, Creation::ImageCopy];

/// Makes the rules of a world, which are in force until this time.
pub fn rules(world: &World, until: Time) -> Vec<Rule> {
    let often = world.mishaps.iter().filter_map(|mishap| match mishap {
        Mishap::Often { what, per_mille } => Some((*what, f64::from(*per_mille) / 1000.0)),
        Mishap::Dark { .. } => None,
    });
    often.map(|(what, probability)| rule(what).probability(probability).until(until)).collect()
}

fn rule(what: Trouble) -> Rule {
    let of_ec2 = |rule: Rule| rule.function(OURS).service("ec2");
    match what {
        Trouble::FailedBefore => of_ec2(Rule::fail(When::Before, 500, "InternalError")),
        Trouble::FailedAfter => of_ec2(Rule::fail(When::After, 500, "InternalError")),
        Trouble::TimedOutBefore => of_ec2(Rule::time_out(When::Before)),
        Trouble::TimedOutAfter => of_ec2(Rule::time_out(When::After)),
        Trouble::Throttled => of_ec2(Rule::throttle()),
        Trouble::KilledBefore => Rule::kill(When::Before).function(OURS),
        Trouble::KilledAfter => Rule::kill(When::After).function(OURS),
        Trouble::LedgerFailedAfter => {
            let fails = Rule::fail(When::After, 500, "InternalServerError");
            fails.function(OURS).service("dynamodb")
        }
        Trouble::EventsLost => Rule::lose(),
        Trouble::EventsDoubled => Rule::duplicate(1, 0..=60_000),
        Trouble::EventsLate => Rule::reorder(120_000),
        Trouble::InvokedTwice => Rule::duplicate_invocation().function(OURS),
        Trouble::CreationsFailed => Rule::fail_creation(&CREATIONS, "Internal error"),
    }
}
