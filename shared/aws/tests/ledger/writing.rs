//! Writes of records: lost races, writes that succeeded unheard, transactions in each other's way.

use afterimage_aws::Ledger;
use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::command::Change;
use afterimage_core::point::Point;
use afterimage_core::reason::{Code, Reason};
use afterimage_core::status::Event;

use super::records::{all_new, latest, new, requested, snapshotted, telling, waiting};
use super::stand_in::{self, Answer};
use super::{SEAT, TABLE, World, instance, lease, second, world};

async fn stored(world: &World, point: &Point) -> Option<Point> {
    let found = world.ledger.points(std::slice::from_ref(&point.id)).await;
    found.expect("the ledger can be read").remove(&point.id)
}

/// The point after it was missed.
fn missed(point: &Point, why: &str) -> Point {
    let mut missed = point.after(Event::Miss).expect("it may be");
    missed.reason = Some(Reason::new(Code::TooLong, why));
    missed
}

#[test]
fn a_point_comes_back_as_it_was_written() {
    world(async |world| {
        for point in [requested(instance(1), 0), snapshotted(instance(2), 0)] {
            assert_eq!(world.write(&new(&point), "a").await, Written::Done);
            assert_eq!(stored(&world, &point).await, Some(point));
        }
    });
}

#[test]
fn a_slot_has_one_point_whoever_asks_and_how_often() {
    world(async |world| {
        let first = requested(instance(1), 0);
        let mut second_time = first.clone();
        second_time.requested_at = second(9);
        assert_eq!(world.write(&telling(&first), "a").await, Written::Done);
        assert_eq!(world.write(&telling(&second_time), "b").await, Written::Lost);
        assert_eq!(world.write(&new(&second_time), "b").await, Written::Lost);
        assert_eq!(stored(&world, &first).await, Some(first));
    });
}

#[test]
fn of_two_who_read_the_same_version_one_writes() {
    world(async |world| {
        let point = requested(instance(1), 0);
        world.write(&new(&point), "a").await;
        let (ones, others) = (missed(&point, "one"), missed(&point, "other"));
        assert_eq!(world.write(&Change::point(ones), "one").await, Written::Done);
        assert_eq!(world.write(&Change::point(others.clone()), "other").await, Written::Lost);
        let told = Change::point(others).telling(Some(latest(&point)));
        assert_eq!(world.write(&told, "other").await, Written::Lost);
        let stored = stored(&world, &point).await.expect("it is there");
        assert_eq!((stored.version, stored.reason.expect("one").text.as_str()), (2, "one"));
    });
}

#[test]
fn a_record_that_is_gone_has_no_version_to_follow() {
    world(async |world| {
        let point = requested(instance(1), 0);
        assert_eq!(world.write(&Change::point(point.clone()), "a").await, Written::Lost);
        assert_eq!(stored(&world, &point).await, None);
    });
}

#[test]
fn one_record_is_one_put_and_more_are_one_transaction() {
    world(async |world| {
        let points = [requested(instance(1), 0), requested(instance(2), 0)];
        let (_, made) = world.requests(world.write(&new(&points[0]), "a")).await;
        assert_eq!(made, ["PutItem"]);
        let change = Change::point(points[0].clone()).telling(Some(latest(&points[0])));
        let taken = lease("a", 0, 60);
        let write = world.write_with(&change, LeaseUse::Take(&taken), "b");
        let (written, made) = world.requests(write).await;
        assert_eq!((written, made), (Written::Done, vec!["TransactWriteItems".to_string()]));
        let nothing = Change { writes: Vec::new(), summary: None };
        let (written, made) = world.requests(world.write(&nothing, "c")).await;
        assert_eq!((written, made.len()), (Written::Done, 0));
    });
}

#[test]
fn a_change_is_written_as_a_whole_or_not_at_all() {
    world(async |world| {
        let (there, fresh) = (requested(instance(1), 0), requested(instance(2), 0));
        world.write(&new(&there), "a").await;
        let change = all_new(&[fresh.clone(), there], &[waiting(&fresh, 0)]);
        assert_eq!(world.write(&change, "b").await, Written::Lost);
        assert_eq!(stored(&world, &fresh).await, None);
    });
}

/// Writes a point and then, one after the other, two changes of it, while things go wrong: each
/// must be done, and be done once.
async fn write_through(world: &World, change: impl Fn(Change, &Point) -> Change) {
    let point = requested(instance(1), 0);
    let first = change(new(&point), &point);
    assert_eq!(world.write(&first, "a").await, Written::Done);
    assert_eq!(stored(world, &point).await.map(|point| point.version), Some(1));
    let second = change(Change::point(missed(&point, "one")), &point);
    assert_eq!(world.write(&second, "b").await, Written::Done);
    assert_eq!(world.write(&second, "c").await, Written::Lost);
    assert_eq!(stored(world, &point).await.map(|point| point.version), Some(2));
}

#[test]
fn a_put_that_succeeded_unheard_is_done() {
    for unheard in [
        Rule::fail(When::After, 500, "InternalServerError"),
        Rule::fail(When::After, 503, "ServiceUnavailable"),
        Rule::time_out(When::After),
    ] {
        world(async |world| {
            world.fault(unheard.clone().action("PutItem").every(2));
            world.fault(unheard.action("PutItem").nth(1));
            write_through(&world, |change, _| change).await;
        });
    }
}

#[test]
fn a_transaction_that_succeeded_unheard_is_done() {
    for unheard in
        [Rule::fail(When::After, 500, "InternalServerError"), Rule::time_out(When::After)]
    {
        world(async |world| {
            world.fault(unheard.clone().action("TransactWriteItems").every(2));
            world.fault(unheard.action("TransactWriteItems").nth(1));
            write_through(&world, |change, point| change.telling(Some(latest(point)))).await;
        });
    }
}

#[test]
fn a_transaction_whose_token_is_of_no_help_meets_what_it_wrote_itself() {
    // The SDK sends it three times under one token; the next try has another one.
    world(async |world| {
        let unheard = Rule::fail(When::After, 400, "TransactionInProgressException");
        world.fault(unheard.action("TransactWriteItems").times(3));
        let point = requested(instance(1), 0);
        let (change, taken) = (telling(&point), lease("a", 0, 60));
        let write = world.write_with(&change, LeaseUse::Take(&taken), "a");
        let (written, made) = world.requests(write).await;
        assert_eq!((written, made.len()), (Written::Done, 4));
        assert_eq!(world.write(&change, "b").await, Written::Lost);
    });
}

#[test]
fn a_call_that_is_never_answered_ends() {
    world(async |world| {
        world.fault(Rule::time_out(When::Before).action("PutItem"));
        let begun = world.cloud.now();
        let change = new(&requested(instance(1), 0));
        let mut writer = Writer::new("a".into());
        let failed = world.ledger.write(&change, LeaseUse::None, &mut writer).await;
        let failure = failed.expect_err("nobody answers");
        assert_eq!((failure.code(), failure.is_retryable()), ("ledger-unavailable", true));
        assert!(world.cloud.now().since(begun).as_secs() <= 30);
    });
}

#[test]
fn a_put_waits_for_a_transaction_that_is_in_its_way() {
    world(async |world| {
        let rule = Rule::fail(When::Before, 400, "TransactionConflictException");
        world.fault(rule.action("PutItem").times(2));
        let change = new(&requested(instance(1), 0));
        let (written, made) = world.requests(world.write(&change, "a")).await;
        assert_eq!((written, made.len()), (Written::Done, 3));
    });
}

/// A transaction that another one is in the way of, so many times; what became of it, and how
/// long it took.
async fn conflicting(world: &World, times: u64) -> (Result<Written, String>, u128) {
    let answer = Answer {
        operation: "TransactWriteItems",
        status: 400,
        body: r#"{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled",
            "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]}"#,
        times,
    };
    let config = stand_in::config(&world.cloud.sdk_config(SEAT), answer);
    let ledger = Ledger::new(&config, TABLE, "second");
    let begun = world.cloud.now();
    let change = telling(&requested(instance(1), 0));
    let written = ledger.write(&change, LeaseUse::None, &mut Writer::new("a".into())).await;
    let took = world.cloud.now().since(begun).as_millis();
    (written.map_err(|failure| failure.code().to_string()), took)
}

#[test]
fn a_transaction_waits_for_another_in_its_way_but_not_for_ever() {
    world(async |world| {
        let (written, took) = conflicting(&world, 2).await;
        assert_eq!(written, Ok(Written::Done));
        assert!(took >= 150, "it paused for 50 ms and for 100 ms: {took}");
    });
    world(async |world| {
        assert_eq!(conflicting(&world, 3).await.0, Err("ledger-unavailable".to_string()));
    });
}

/// What must not be written, whoever asks for it.
async fn unfit(world: &World, change: &Change, point: &Point) {
    let mut writer = Writer::new("a".into());
    let written = world.ledger.write(change, LeaseUse::None, &mut writer);
    let (written, made) = world.requests(written).await;
    let failure = written.expect_err("it is unfit");
    assert_eq!((failure.code(), failure.is_retryable()), ("ledger-item-unreadable", false));
    assert!(failure.to_string().contains(point.id.as_str()), "{failure}");
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn what_breaks_an_invariant_is_not_written() {
    world(async |world| {
        let mut broken = snapshotted(instance(1), 0);
        broken.snapshots.pop_first();
        unfit(&world, &new(&broken), &broken).await;
        let point = requested(instance(1), 0);
        for expected in [1, 2] {
            let mut uncounted = new(&point);
            uncounted.writes[0].expected = expected;
            unfit(&world, &uncounted, &point).await;
        }
    });
}

#[test]
fn a_ledger_without_a_table_says_so() {
    world(async |world| {
        let elsewhere = Ledger::new(&world.cloud.sdk_config(SEAT), "elsewhere", "second");
        let change = new(&requested(instance(1), 0));
        let mut writer = Writer::new("a".into());
        let written = elsewhere.write(&change, LeaseUse::None, &mut writer).await;
        assert!(written.expect_err("no table").is_table_missing());
        assert!(elsewhere.in_force().await.expect_err("no table").is_table_missing());
        world.fault(Rule::fail(When::Before, 400, "AccessDeniedException").action("Query"));
        assert!(!world.ledger.in_force().await.expect_err("refused").is_table_missing());
    });
}

/// Held by the compiler: a function may move between threads while it waits for the ledger.
const _: fn(&Ledger, &Change, &mut Writer) = |ledger, change, writer| {
    fn moves<T: Send>(_: T) {}
    moves(ledger.write(change, LeaseUse::None, writer));
    moves(ledger.in_force());
    moves(ledger.points(&[]));
    moves(ledger.fleet());
};
