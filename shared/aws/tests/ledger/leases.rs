//! Leases and claims: taken, kept, lost, released, run out.

use afterimage_aws::ledger::{LeaseUse, Written};
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::command::Change;
use afterimage_core::work::Kind;

use super::records::{new, requested};
use super::{AWAY, SEAT, World, instance, lease, queue, second, world};

/// Writes the nth point with the lease taken, at `now` and until then.
async fn take(world: &World, nth: usize, holder: &str, now: i64, until: i64) -> Written {
    let change = new(&requested(instance(nth), 0));
    world.write_with(&change, LeaseUse::Take(&lease(holder, now, until)), holder).await
}

fn nothing() -> Change {
    Change { writes: Vec::new(), summary: None }
}

#[test]
fn a_lease_keeps_others_from_writing() {
    world(async |world| {
        assert_eq!(take(&world, 1, "a", 0, 60).await, Written::Done);
        assert_eq!(take(&world, 2, "b", 30, 90).await, Written::NoLease);
        let id = requested(instance(2), 0).id;
        let found = world.ledger.points(&[id]).await.expect("the ledger can be read");
        assert!(found.is_empty(), "nothing was written");
    });
}

#[test]
fn a_lease_that_ran_out_is_anybodys() {
    world(async |world| {
        assert_eq!(take(&world, 1, "a", 0, 60).await, Written::Done);
        assert_eq!(take(&world, 2, "b", 59, 120).await, Written::NoLease);
        assert_eq!(take(&world, 2, "b", 60, 120).await, Written::Done);
        assert_eq!(take(&world, 3, "a", 61, 180).await, Written::NoLease);
    });
}

#[test]
fn its_holder_keeps_a_lease_for_longer() {
    world(async |world| {
        assert_eq!(take(&world, 1, "a", 0, 60).await, Written::Done);
        assert_eq!(take(&world, 2, "a", 50, 120).await, Written::Done);
        assert_eq!(take(&world, 3, "b", 90, 150).await, Written::NoLease);
    });
}

#[test]
fn a_queue_has_a_lease_of_its_own() {
    world(async |world| {
        assert_eq!(take(&world, 1, "a", 0, 60).await, Written::Done);
        for other in [queue(Kind::Register, SEAT), queue(Kind::Snapshot, AWAY)] {
            let lease = super::Lease { queue: other, ..lease("b", 0, 60) };
            let written = world.write_with(&nothing(), LeaseUse::Take(&lease), "b").await;
            assert_eq!(written, Written::Done);
        }
    });
}

#[test]
fn a_released_lease_is_free_at_once() {
    world(async |world| {
        take(&world, 1, "a", 0, 60).await;
        let change = new(&requested(instance(2), 0));
        let released = lease("a", 10, 60);
        let written = world.write_with(&change, LeaseUse::Release(&released), "a");
        let (written, made) = world.requests(written).await;
        assert_eq!((written, made.len()), (Written::Done, 1));
        assert_eq!(take(&world, 3, "b", 11, 90).await, Written::Done);
    });
}

#[test]
fn a_lease_is_released_with_nothing_else_to_write() {
    world(async |world| {
        take(&world, 1, "a", 0, 60).await;
        let released = lease("a", 10, 60);
        for _ in 0..2 {
            let written = world.write_with(&nothing(), LeaseUse::Release(&released), "a").await;
            assert_eq!(written, Written::Done);
        }
        assert_eq!(take(&world, 2, "b", 11, 90).await, Written::Done);
    });
}

#[test]
fn an_outcome_is_written_though_the_lease_was_lost_meanwhile() {
    world(async |world| {
        take(&world, 1, "a", 0, 60).await;
        take(&world, 2, "b", 60, 120).await;
        let outcome = new(&requested(instance(3), 0));
        let released = lease("a", 70, 60);
        let written = world.write_with(&outcome, LeaseUse::Release(&released), "a").await;
        assert_eq!(written, Written::Done);
        assert_eq!(take(&world, 4, "c", 80, 140).await, Written::NoLease, "b has it still");
    });
}

#[test]
fn of_a_lost_race_and_a_lost_lease_the_race_is_told() {
    // Whoever lost the record has nothing to do with it any more, lease or no lease.
    world(async |world| {
        take(&world, 1, "a", 0, 60).await;
        assert_eq!(take(&world, 1, "b", 0, 60).await, Written::Lost);
    });
}

#[test]
fn one_claims_the_next_look_and_after_it_one_claims_anew() {
    world(async |world| {
        let confirm = queue(Kind::Confirm, AWAY);
        let claim = async |until, now| {
            let claimed = world.ledger.claim(&confirm, second(until), second(now)).await;
            claimed.expect("the ledger can be written")
        };
        assert!(claim(30, 0).await);
        assert!(!claim(40, 10).await);
        assert!(!claim(30, 0).await, "the same look, claimed by another in the same instant");
        assert!(claim(60, 30).await);
        let other = world.ledger.claim(&queue(Kind::Confirm, SEAT), second(90), second(31)).await;
        assert!(other.expect("the ledger can be written"), "another queue");
    });
}

#[test]
fn a_claim_that_succeeded_unheard_is_ours() {
    world(async |world| {
        world.fault(Rule::fail(When::After, 500, "InternalServerError").action("PutItem").nth(1));
        let confirm = queue(Kind::Confirm, AWAY);
        let claim = world.ledger.claim(&confirm, second(30), second(0));
        let (claimed, made) = world.requests(claim).await;
        assert!(claimed.expect("the ledger can be written"));
        assert_eq!(made.len(), 2);
    });
}
