//! The same seed, the same world; and a rule for each call of a run.

use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::trace::calls_of;
use afterimage_cloud::{Cloud, Config};

use crate::faults::{FUNCTION_ARN, broken, by_function, event, failing, fate, look, run};
use crate::raw::{ADMINISTRATOR, ec2_of, reply};

/// The hash of the trace after a hundred calls.
fn hash(seed: u64, rules: Vec<Rule>) -> String {
    let config = Config { faults: rules, ..Config::seeded(seed) };
    Cloud::run(config, async |cloud| {
        for _ in 0..100 {
            reply(&cloud, &look());
        }
        cloud.with(|model| model.trace.hash())
    })
}

#[test]
fn the_same_seed_strikes_the_same_calls_and_another_seed_others() {
    let rules = || vec![broken().probability(0.3)];
    assert_eq!(hash(7, rules()), hash(7, rules()));
    let outcomes = |seed| {
        let config = Config { faults: rules(), ..Config::seeded(seed) };
        Cloud::run(config, async |cloud| failing(&cloud, &look(), 100))
    };
    assert_eq!(outcomes(7), outcomes(7));
    assert_ne!(outcomes(7), outcomes(8));
}

#[test]
fn a_rule_that_never_strikes_changes_nothing() {
    assert_eq!(hash(7, vec![]), hash(7, vec![broken().probability(0.0)]));
    assert_eq!(hash(7, vec![]), hash(7, vec![Rule::lose(), Rule::kill(When::After)]));
}

#[test]
fn a_rule_added_behind_does_not_change_what_the_others_draw() {
    let one = || broken().probability(0.3);
    let two = || Rule::lose().probability(0.5);
    let strikes = |rules: Vec<Rule>| {
        run(rules, async |cloud| {
            let mut calls = Vec::new();
            for call in 0..90 {
                fate(&cloud, &event("available"));
                if reply(&cloud, &look()).status != 200 {
                    calls.push(call);
                }
            }
            calls
        })
    };
    assert_eq!(strikes(vec![one()]), strikes(vec![one(), two()]));
}

/// Three calls of the administrator and two of the function.
fn scenario(cloud: &Cloud) -> Vec<Answer> {
    let elsewhere = ec2_of(ADMINISTRATOR, "eu-west-1", "DescribeTags", "");
    let calls = [look(), by_function("DescribeTags"), look(), by_function("DescribeTags")];
    calls.iter().chain([&elsewhere]).map(|request| cloud.answer(request)).collect()
}

#[test]
fn two_rules_of_the_same_probability_do_not_strike_together() {
    let (late, twice) = (Rule::delay(1..=1), Rule::duplicate(1, 0..=0));
    run(vec![late.probability(0.5), twice.probability(0.5)], async |cloud| {
        let fates: Vec<_> = (0..100).map(|_| fate(&cloud, &event("available"))).collect();
        let alone = |copies: &[u128]| copies == [1] || copies == [0, 0];
        assert!(fates.iter().any(|copies| alone(copies)), "always both or neither");
        assert!(fates.iter().any(|copies| !alone(copies)), "never both nor neither");
    });
}

#[test]
fn the_calls_of_a_run_are_counted_by_caller_action_and_region() {
    run(vec![], async |cloud| {
        scenario(&cloud);
        let calls = cloud.with(|model| calls_of(&model.trace, |_| true));
        let administrator = "arn:aws:iam::123456789012:user/administrator";
        let seen: Vec<_> = calls
            .iter()
            .map(|call| (call.principal.as_str(), call.region.as_str(), call.nth))
            .collect();
        let expected = [
            (administrator, "us-east-1", 1),
            (FUNCTION_ARN, "us-east-1", 1),
            (administrator, "us-east-1", 2),
            (FUNCTION_ARN, "us-east-1", 2),
            (administrator, "eu-west-1", 1),
        ];
        assert_eq!(seen, expected);
        assert!(calls.iter().all(|call| call.service == "ec2" && call.action == "DescribeTags"));
        let far = cloud.with(|model| calls_of(&model.trace, |line| line.region == "eu-west-1"));
        assert_eq!(far, calls[4..]);
        let late = cloud.with(|model| calls_of(&model.trace, |line| line.number >= 2));
        assert_eq!(late, calls[2..], "those that were not picked are counted all the same");
    });
}

#[test]
fn a_rule_for_each_call_of_a_run_strikes_that_call_alone() {
    let calls = run(vec![], async |cloud| {
        scenario(&cloud);
        cloud.with(|model| calls_of(&model.trace, |_| true))
    });
    assert_eq!(calls.len(), 5);
    for (index, call) in calls.iter().enumerate() {
        for when in [When::Before, When::After] {
            let faults = [Rule::kill(when), Rule::fail(when, 500, "InternalError")];
            for rule in faults {
                let kills = rule == Rule::kill(when);
                let answers = run(vec![rule.at(call)], async |cloud| scenario(&cloud));
                for (other, answer) in answers.iter().enumerate() {
                    let is_function = call.principal == FUNCTION_ARN;
                    let strikes = other == index && (is_function || !kills);
                    let struck = match answer {
                        Answer::Reply(response) => response.status != 200,
                        other => *other == Answer::Killed,
                    };
                    assert_eq!(struck, strikes, "call {other} with a rule for {call:?}");
                }
            }
        }
    }
}
