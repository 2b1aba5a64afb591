//! Calls that create: intents, leases, pace, outcomes.

use std::time::Duration;

use afterimage_aws::apply::{Applied, apply, apply_leased, lease};
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::command::Command;
use afterimage_core::limits::WIND_UP;
use afterimage_core::status::Status;
use afterimage_core::work::Kind;
use afterimage_support::in_process;

use super::{actions, context, deeds, is_free, of_lease, queue, snapshots_of};

#[test]
fn an_intent_is_written_before_its_call_and_the_outcome_after_it() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 2).await;
        let begun = cloud.now();
        let applied = apply(&aws, &context(&aws, 900), decision).await;
        let applied = applied.expect("all is well");
        assert_eq!(applied, Applied { made: 2, wrote: 4, ..Applied::default() });
        let deeds = deeds(&cloud, begun);
        // The lease makes a transaction of the first intent, and of the last outcome.
        assert_eq!(
            actions(&deeds),
            [
                "TransactWriteItems",
                "CreateSnapshots",
                "PutItem",
                "PutItem",
                "CreateSnapshots",
                "TransactWriteItems",
            ]
        );
        assert!(is_free(&aws).await);
    });
}

#[test]
fn calls_keep_the_pace_of_their_queue() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 4).await;
        let begun = cloud.now();
        apply(&aws, &context(&aws, 900), decision).await.expect("all is well");
        let calls = deeds(&cloud, begun).into_iter().filter(|it| it.action == "CreateSnapshots");
        let at: Vec<_> = calls.map(|call| call.at).collect();
        assert_eq!(at.len(), 4);
        // A call is answered up to so much later than it was begun.
        let travel = Duration::from_millis(40);
        let pace = Duration::try_from(Kind::Snapshot.pace()).expect("it is positive") - travel;
        for pair in at.windows(2) {
            assert!(pair[1].since(pair[0]) >= pace, "{at:?}");
        }
    });
}

#[test]
fn being_asked_to_wait_halves_the_pace() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 3).await;
        let mut throttled = Rule::throttle().action("CreateSnapshots");
        throttled.turns.nth = Some(1);
        cloud.with(|model| model.faults.add(throttled));
        let begun = cloud.now();
        let applied = apply(&aws, &context(&aws, 900), decision).await.expect("it is heeded");
        assert_eq!((applied.made, applied.wrote), (2, 6));
        let calls = deeds(&cloud, begun).into_iter().filter(|it| it.action == "CreateSnapshots");
        let made: Vec<_> = calls.filter(|call| call.outcome == "ok").map(|call| call.at).collect();
        assert_eq!(made.len(), 2);
        let pause = made[1].since(made[0]);
        assert!(pause >= Duration::from_millis(760), "{pause:?}");
    });
}

#[test]
fn who_cannot_write_the_intent_does_not_call() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 2).await;
        apply(&aws, &context(&aws, 900), decision.clone()).await.expect("all is well");
        let begun = cloud.now();
        let again = apply(&aws, &context(&aws, 900), decision).await.expect("it is an outcome");
        assert_eq!(again, Applied { lost: 2, ..Applied::default() });
        assert!(!actions(&deeds(&cloud, begun)).contains(&"CreateSnapshots"));
        assert!(is_free(&aws).await);
    });
}

#[test]
fn a_record_that_cannot_be_written_as_it_is_stops_nothing_but_itself() {
    in_process(async |cloud, aws| {
        let mut decision = snapshots_of(&cloud, &aws, 3).await;
        let Some(Command::Call(intent)) = decision.commands.first_mut() else {
            panic!("{decision:#?}")
        };
        // It does not follow on the version that was read, which no later try makes any better.
        intent.change.writes[0].expected += 1;
        let applied = apply(&aws, &context(&aws, 900), decision).await.expect("the others go on");
        assert_eq!(applied, Applied { made: 2, wrote: 4, ..Applied::default() });
        assert!(is_free(&aws).await);
    });
}

#[test]
fn a_queue_that_another_worker_is_at_is_left_to_it() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 3).await;
        assert!(is_free(&aws).await, "and now it is not any more");
        let begun = cloud.now();
        let applied = apply(&aws, &context(&aws, 900), decision).await.expect("it is an outcome");
        assert_eq!(applied, Applied { no_lease: true, ..Applied::default() });
        assert_eq!(actions(&deeds(&cloud, begun)), ["TransactWriteItems"], "it is asked once");
        let due = aws.ledger.queue(&queue(), None).await.expect("the ledger is read");
        assert_eq!(due.len(), 3);
    });
}

#[test]
fn a_lease_that_was_taken_before_is_not_taken_again_and_is_given_back() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 2).await;
        let until = lease(&aws, &queue()).await.expect("the ledger is written");
        let held = Some((queue(), until.expect("nobody else is at it")));
        let begun = cloud.now();
        let applied = apply_leased(&aws, &context(&aws, 900), decision, held).await;
        assert_eq!(applied.expect("all is well").made, 2);
        let deeds = deeds(&cloud, begun);
        assert_eq!(of_lease(&deeds).len(), 1, "given back: {:?}", actions(&deeds));
        assert!(is_free(&aws).await, "and now it is not any more");
        assert_eq!(lease(&aws, &queue()).await.expect("the ledger is written"), None);
    });
}

#[test]
fn a_lease_that_nears_its_end_is_renewed_with_an_intent() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 90).await;
        let begun = cloud.now();
        let applied = apply(&aws, &context(&aws, 900), decision).await.expect("all is well");
        assert_eq!(applied.made, 90);
        let deeds = deeds(&cloud, begun);
        // Ninety calls take 36 seconds and more; the lease must have 30 of its 60 left.
        let of_lease = of_lease(&deeds);
        assert_eq!(of_lease.len(), 3, "taken, renewed, given back: {:?}", actions(&deeds));
        assert!(of_lease[1].at.since(of_lease[0].at) >= Duration::from_secs(29));
        assert!(is_free(&aws).await);
    });
}

#[test]
fn what_there_is_no_time_for_is_not_begun_and_the_lease_is_given_back() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 20).await;
        // WIND_UP is kept; three calls fit into the rest.
        let secs = WIND_UP.as_secs() + 1;
        let applied = apply(&aws, &context(&aws, secs), decision).await.expect("it is an outcome");
        assert!(applied.out_of_time);
        assert!((1..=3).contains(&applied.made), "{applied:?}");
        assert_eq!(applied.wrote, 2 * applied.made);
        assert!(is_free(&aws).await);
        // What was read about the others is kept for the next worker.
        let in_flight = aws.ledger.queue(&queue(), None).await.expect("the ledger is read");
        let (points, _) = aws.ledger.records(&in_flight, &queue()).await.expect("it is read");
        assert_eq!(points.len(), 20 - applied.made);
        assert!(points.iter().all(|point| point.status == Status::Requested));
        assert!(points.iter().all(|point| point.machine.is_some()));
    });
}

#[test]
fn a_failure_ends_it_and_what_was_intended_is_in_the_ledger() {
    in_process(async |cloud, aws| {
        let decision = snapshots_of(&cloud, &aws, 2).await;
        // The outcome of the first call cannot be written, however often it is tried.
        let broken = Rule::fail(When::Before, 500, "InternalServerError").action("PutItem");
        cloud.with(|model| model.faults.add(broken));
        let begun = cloud.now();
        let failure = apply(&aws, &context(&aws, 900), decision).await.expect_err("it is broken");
        assert_eq!(failure.code(), "ledger-unavailable");
        cloud.with(|model| model.faults.set(Vec::new()));
        let calls = deeds(&cloud, begun);
        let created = calls.iter().filter(|call| call.action == "CreateSnapshots");
        assert_eq!(created.count(), 1);
        cloud.advance(Duration::from_secs(10)).await;
        let in_flight = aws.ledger.queue(&queue(), None).await.expect("the ledger is read");
        let (points, _) = aws.ledger.records(&in_flight, &queue()).await.expect("it is read");
        let mut status: Vec<Status> = points.iter().map(|point| point.status).collect();
        status.sort();
        assert_eq!(status, [Status::Requested, Status::Snapshotting]);
    });
}
