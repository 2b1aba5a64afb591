//! A ledger that went back in time: who doubts it, and what the counts of rounds say.

use std::collections::BTreeMap;

use afterimage_core::flow::InForce;
use afterimage_core::flow::went_back::{Doubt, doubts};
use afterimage_core::ids::Region;
use afterimage_core::witness::{Identity, Mark, Testimony, Trust, Witness, is_doubted};
use jiff::{SignedDuration, Timestamp};

fn home() -> Region {
    Region::parse("us-east-1").expect("a region")
}

fn at(minutes: i64) -> Timestamp {
    let midnight: Timestamp = "2026-01-06T00:00:00Z".parse().expect("an instant");
    midnight + SignedDuration::from_mins(minutes)
}

fn identity(count: u64, doubted_since: Option<Timestamp>) -> Option<Identity> {
    Some(Identity { count, doubted_since })
}

fn witness(count: u64) -> Option<Witness> {
    Some(Witness { count, at: at(0) })
}

fn read(witness: Option<Witness>) -> Testimony {
    Testimony::Read(witness.into_iter().map(|witness| (home(), witness)).collect())
}

#[test]
fn a_ledger_is_doubted_that_knows_fewer_rounds_than_its_witness_or_none() {
    let table = [
        (identity(7, None), witness(7), false),
        (identity(6, None), witness(7), true),
        (None, witness(7), true),
        // The first deployment, or both tables are lost: what there is has to be looked at.
        (None, None, true),
        // The witness was lost, or could not be written.
        (identity(8, None), witness(7), false),
        (identity(7, None), None, false),
        // The sweep has not looked at everything yet.
        (identity(7, Some(at(1))), witness(7), true),
    ];
    for (identity, witness, expected) in table {
        let told = is_doubted(identity.as_ref(), witness.as_ref());
        assert_eq!(told, expected, "{identity:?} {witness:?}");
    }
}

#[test]
fn a_round_is_counted_by_the_witness_before_it_begins_and_by_the_ledger_after_it() {
    let trust =
        Trust { identity: identity(7, None), testimony: read(witness(7)), ..Trust::default() };
    let (before, after) = trust.marks(&home(), true, at(60));
    let round = Witness { count: 8, at: at(60) };
    let (known, counted) = (Some(7), Some(7));
    let begin = Mark::Begin { region: home(), known, before: counted, witness: round };
    assert_eq!(before, Some(begin));
    assert_eq!(after, Some(Mark::End { region: home(), round, doubted_since: None }));
    assert_eq!(trust.marks(&home(), false, at(60)), (None, None));
}

#[test]
fn a_doubted_ledger_stays_doubted_when_its_count_rises() {
    let trust =
        Trust { identity: identity(3, None), testimony: read(witness(7)), ..Trust::default() };
    let (_, after) = trust.marks(&home(), true, at(60));
    let round = Witness { count: 8, at: at(60) };
    assert_eq!(after, Some(Mark::End { region: home(), round, doubted_since: Some(at(60)) }));
    // The doubt that is recorded keeps its time, from which the hour counts.
    let trust = Trust { identity: identity(8, Some(at(60))), ..trust };
    let (_, after) = trust.marks(&home(), true, at(70));
    let round = Witness { count: 9, at: at(70) };
    assert_eq!(after, Some(Mark::End { region: home(), round, doubted_since: None }));
    // One of the time to which the ledger was put back says nothing of this doubt.
    let trust = Trust { identity: identity(3, Some(at(1))), ..trust };
    let (_, after) = trust.marks(&home(), true, at(60));
    let round = Witness { count: 8, at: at(60) };
    assert_eq!(after, Some(Mark::End { region: home(), round, doubted_since: Some(at(60)) }));
}

#[test]
fn a_witness_that_does_not_answer_raises_no_doubt_and_counts_nothing() {
    let unreadable = Testimony::Unreadable("the table is gone".into());
    let trust = Trust { identity: identity(3, None), testimony: unreadable, ..Trust::default() };
    assert!(!trust.is_doubted(&home()));
    assert_eq!(trust.marks(&home(), true, at(60)), (None, None));
}

#[test]
fn the_sweep_doubts_no_ledger_for_a_round_that_may_be_under_way() {
    let of = |count, minutes| {
        let in_force = InForce {
            identities: BTreeMap::from([(home(), identity(6, None).expect("one"))]),
            ..InForce::default()
        };
        doubts(&in_force, &read(witness(count)), at(minutes)).remove(&home())
    };
    assert_eq!(of(7, 14), None);
    assert_eq!(of(7, 15), Some(Doubt { since: None, count: 7, is_behind: true }));
    assert_eq!(of(6, 15), None);
}
