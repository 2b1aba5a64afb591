//! What is in force: policies, cursors, regions, and when everything was last looked through.

use afterimage_core::command::{Cursor, Finding, Resolved};
use afterimage_core::flow::InForce;
use afterimage_core::ids::PolicyName;
use afterimage_core::policy::select::Select;
use afterimage_core::policy::{ImageOptions, OnStopped, Policy, Replicate, Timed, Trigger};
use afterimage_core::reason::{Code, Reason};
use afterimage_core::still::{AllStill, StillWork};
use afterimage_core::unaudited::{AllUnaudited, AllUnreadKeys, Unaudited, UnreadKeys};
use afterimage_core::work::Kind;
use aws_sdk_dynamodb::types::AttributeValue;

use super::records::policy_name;
use super::{AWAY, SEAT, TABLE, World, region, second, table, world};

fn policy(name: &str, filling: usize) -> Policy {
    let schedule = Timed::new("cron(0 2 * * ? *)", "Asia/Ho_Chi_Minh").expect("a schedule");
    let tags = [("team".to_string(), "x".repeat(filling))];
    Policy {
        name: policy_name(name),
        select: Select {
            regions: vec![region(SEAT)],
            tags: [("backup".to_string(), vec!["gold".to_string()])].into(),
            exclude_tags: Default::default(),
            states: Vec::new(),
        },
        consistency: Default::default(),
        stop_start: Default::default(),
        heal: true,
        retain: None,
        rpo_secs: None,
        triggers: vec![
            Trigger::Schedule(schedule),
            Trigger::Stopped(OnStopped { min_interval_secs: 43_200 }),
        ],
        image: ImageOptions { tags: tags.into(), ..ImageOptions::default() },
        replicate: vec![Replicate {
            region: region(AWAY),
            kms_key: None,
            deadline_secs: Some(14_400),
            retain: None,
        }],
    }
}

fn cursor(name: &str, at: i64) -> Cursor {
    let schedule = "cron(0 2 * * ? *) Asia/Ho_Chi_Minh".to_string();
    let region = Some(region(SEAT));
    Cursor { policy: policy_name(name), schedule, region, done_until: second(at) }
}

async fn in_force(world: &World) -> InForce {
    world.ledger.in_force().await.expect("the ledger can be read")
}

#[test]
fn all_that_is_in_force_is_one_request() {
    world(async |world| {
        assert_eq!(in_force(&world).await, InForce::default());
        for name in ["gold", "silver"] {
            world.ledger.put_policy(&policy(name, 1), second(0)).await.expect("it is put");
        }
        for name in [SEAT, AWAY, SEAT] {
            world.ledger.put_region(&region(name)).await.expect("it is put");
        }
        world.ledger.advance(&cursor("gold", 1)).await.expect("it is put");
        world
            .ledger
            .looked(second(2), &unaudited(), &unread_keys(), &still())
            .await
            .expect("it is put");
        let (in_force, made) = world.requests(in_force(&world)).await;
        assert_eq!(made, ["Query"]);
        let expected = InForce {
            policies: vec![policy("gold", 1), policy("silver", 1)],
            cursors: vec![cursor("gold", 1)],
            regions: vec![region(AWAY), region(SEAT)],
            looked_at: Some(second(2)),
            unaudited: unaudited(),
            unread_keys: unread_keys(),
            still: still(),
            applied_at: ["gold", "silver"].map(|name| (policy_name(name), second(0))).into(),
            removed_at: None,
            roster: Default::default(),
            brakes: Default::default(),
            identities: Default::default(),
            unreadable: Vec::new(),
        };
        assert_eq!(in_force, expected);
    });
}

#[test]
fn policies_of_more_than_a_page_are_all_in_force() {
    // DynamoDB guide, Query: a page is at most 1 MB.
    world(async |world| {
        for number in 0..60 {
            let policy = policy(&format!("p{number:02}"), 40_000);
            world.ledger.put_policy(&policy, second(0)).await.expect("it is put");
        }
        let (in_force, made) = world.requests(in_force(&world)).await;
        assert!(made.len() > 1, "{made:?}");
        let names: Vec<String> =
            in_force.policies.iter().map(|policy| policy.name.to_string()).collect();
        let expected: Vec<String> = (0..60).map(|number| format!("p{number:02}")).collect();
        assert_eq!(names, expected);
    });
}

#[test]
fn a_policy_that_is_applied_again_replaces_itself() {
    world(async |world| {
        world.ledger.put_policy(&policy("gold", 1), second(0)).await.expect("it is put");
        world.ledger.put_policy(&policy("gold", 2), second(1)).await.expect("it is put");
        assert_eq!(in_force(&world).await.policies, [policy("gold", 2)]);
    });
}

#[test]
fn a_policy_that_cannot_be_read_leaves_the_others_in_force() {
    world(async |world| {
        world.ledger.put_policy(&policy("gold", 1), second(0)).await.expect("it is put");
        let text = |text: &str| AttributeValue::S(text.to_string());
        for name in ["bent", "empty"] {
            let call = table::client(&world.cloud).put_item().table_name(TABLE);
            let call =
                call.item("pk", text("policies")).item("sk", text(&format!("policy#{name}")));
            let call = if name == "bent" { call.item("policy", text("gold")) } else { call };
            call.send().await.expect("an item is put");
        }
        let in_force = in_force(&world).await;
        assert_eq!(in_force.policies, [policy("gold", 1)]);
        let names: Vec<&str> =
            in_force.unreadable.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(names, ["bent", "empty"]);
    });
}

#[test]
fn a_cursor_only_goes_forward() {
    world(async |world| {
        let ledger = &world.ledger;
        let at = async || in_force(&world).await.cursors;
        for (told, expected) in [(100, 100), (160, 160), (130, 160), (160, 160), (220, 220)] {
            ledger.advance(&cursor("gold", told)).await.expect("late is no error");
            assert_eq!(at().await, [cursor("gold", expected)]);
        }
        ledger.advance(&cursor("silver", 5)).await.expect("one that never began begins");
        assert_eq!(at().await, [cursor("gold", 220), cursor("silver", 5)]);
    });
}

#[test]
fn a_cursor_that_cannot_be_read_is_made_anew() {
    world(async |world| {
        world.ledger.advance(&cursor("gold", 100)).await.expect("it begins");
        let text = |text: &str| AttributeValue::S(text.to_string());
        let sk = "cursor#gold#cron(0 2 * * ? *) Asia/Ho_Chi_Minh#us-east-1";
        let call = table::client(&world.cloud).put_item().table_name(TABLE);
        let call = call.item("pk", text("policies")).item("sk", text(sk)).item("at", text("x"));
        call.send().await.expect("an item is put");
        assert!(in_force(&world).await.cursors.is_empty());
        world.ledger.advance(&cursor("gold", 50)).await.expect("it is put");
        assert_eq!(in_force(&world).await.cursors, [cursor("gold", 50)]);
    });
}

#[test]
fn a_policy_goes_with_its_cursors_and_with_nothing_else() {
    world(async |world| {
        for name in ["gold", "gold-daily"] {
            world.ledger.put_policy(&policy(name, 1), second(0)).await.expect("it is put");
            world.ledger.advance(&cursor(name, 1)).await.expect("it is put");
        }
        world.ledger.put_region(&region(SEAT)).await.expect("it is put");
        let gold: PolicyName = policy_name("gold");
        for at in [second(7), second(5)] {
            world.ledger.remove_policy(&gold, at).await.expect("it is removed");
            let left = in_force(&world).await;
            assert_eq!(left.removed_at, Some(second(7)), "the last time counts");
            assert_eq!(left.policies, [policy("gold-daily", 1)]);
            assert_eq!(left.cursors, [cursor("gold-daily", 1)]);
            assert_eq!(left.regions, [region(SEAT)]);
        }
    });
}

fn still() -> AllStill {
    let work = StillWork { since: second(1), kinds: [Kind::Copy].into(), slots: false, audits: 1 };
    [(region(AWAY), work)].into()
}

fn unread_keys() -> AllUnreadKeys {
    let (answer, arns) = ("it is dark".to_string(), ["a key".to_string()].into());
    [(region(AWAY), UnreadKeys { since: second(1), answer, arns })].into()
}

fn unaudited() -> AllUnaudited {
    let unread = Unaudited { since: second(1), answer: "it is dark".to_string(), unconfirmed: 0 };
    [(region(AWAY), unread)].into()
}

#[test]
fn a_look_is_never_unmade_by_an_earlier_one() {
    world(async |world| {
        for (told, expected) in [(10, 10), (5, 10), (20, 20)] {
            world
                .ledger
                .looked(second(told), &AllUnaudited::new(), &AllUnreadKeys::new(), &AllStill::new())
                .await
                .expect("late is no error");
            assert_eq!(in_force(&world).await.looked_at, Some(second(expected)));
        }
    });
}

#[test]
fn a_finding_is_kept_once() {
    world(async |world| {
        let finding = |artefact: &str, at: i64| Finding {
            region: region(AWAY),
            artefact: artefact.into(),
            reason: Reason::new(Code::Foreign, "somebody else's"),
            seen_at: second(at),
        };
        let report = async |finding: &Finding| {
            world.ledger.report(finding).await.expect("the ledger can be written")
        };
        assert!(report(&finding("ami-00000001", 1)).await);
        assert!(!report(&finding("ami-00000001", 2)).await);
        assert!(report(&finding("snap-00000001", 1)).await);
        let kept = world.ledger.findings().await.expect("the ledger can be read");
        assert_eq!(kept, [finding("ami-00000001", 1), finding("snap-00000001", 1)]);
    });
}

#[test]
fn what_says_more_of_an_artefact_takes_the_place_of_what_says_less() {
    world(async |world| {
        let order = [Code::TagGone, Code::ImageDisabled, Code::Lost];
        for (known, code) in order.into_iter().enumerate() {
            let finding = |code| Finding {
                region: region(AWAY),
                artefact: "ami-00000001".into(),
                reason: Reason::new(code, "it is so"),
                seen_at: second(1),
            };
            let report = async |code| {
                world.ledger.report(&finding(code)).await.expect("the ledger can be written")
            };
            assert!(report(code).await, "{code}");
            for less in &order[..known] {
                assert!(!report(*less).await, "{less} after {code}");
            }
            let kept = world.ledger.findings().await.expect("the ledger can be read");
            assert_eq!(kept, [finding(code)]);
        }
    });
}

#[test]
fn a_finding_that_is_resolved_is_left_out_until_it_is_found_again() {
    world(async |world| {
        let finding = |at: i64| Finding {
            region: region(AWAY),
            artefact: "policy gold".into(),
            reason: Reason::new(Code::PolicyMatchesNothing, "nothing has its tags"),
            seen_at: second(at),
        };
        let resolve = async |code: Code| {
            let (region, artefact) = (region(AWAY), "policy gold".into());
            let resolved = Resolved { region, artefact, code, at: second(2) };
            world.ledger.resolve(&resolved).await.expect("the ledger can be written")
        };
        let found = async || world.ledger.findings().await.expect("the ledger can be read");
        assert!(!resolve(Code::PolicyMatchesNothing).await, "there is no such finding");
        assert_eq!(found().await, []);
        assert!(world.ledger.report(&finding(1)).await.expect("it is written"));
        assert!(!resolve(Code::Foreign).await, "it is another finding");
        assert_eq!(found().await, [finding(1)]);
        assert!(resolve(Code::PolicyMatchesNothing).await);
        assert!(!resolve(Code::PolicyMatchesNothing).await, "it was before");
        assert_eq!(found().await, []);
        assert!(world.ledger.report(&finding(3)).await.expect("it is written"));
        assert_eq!(found().await, [finding(3)]);
    });
}
