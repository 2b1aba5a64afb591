//! Points: every pair of status and event, and names that cannot collide.

use std::collections::BTreeSet;

use afterimage_core::point::{IllegalForReplica, ReplicaEvent, ReplicaStatus, next_of_replica};
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::status::{Event, IllegalTransition, Status, next};

/// The transitions there are, as an operator would tell them; all others are illegal.
const LEGAL: [(&str, &str, &str); 46] = [
    ("requested", "begin a step", "snapshotting"),
    ("requested", "have an image made", "creating"),
    ("requested", "be refused", "refused"),
    ("requested", "be missed", "missed"),
    ("requested", "fail", "failed"),
    ("snapshotting", "have made something", "snapshotted"),
    ("snapshotting", "try a step again", "requested"),
    ("snapshotting", "fail", "failed"),
    ("snapshotted", "have completed snapshots", "ready"),
    ("snapshotted", "try a step again", "requested"),
    ("snapshotted", "fail", "failed"),
    ("snapshotted", "be kept as snapshots", "protected"),
    ("creating", "have made something", "created"),
    ("creating", "try a step again", "requested"),
    ("creating", "fail", "failed"),
    ("created", "have an available image", "imaged"),
    ("created", "try a step again", "requested"),
    ("created", "fail", "failed"),
    ("ready", "begin a step", "registering"),
    ("ready", "fail", "failed"),
    ("registering", "have made something", "registered"),
    ("registering", "try a step again", "ready"),
    ("registering", "fail", "failed"),
    ("registered", "have an available image", "imaged"),
    ("registered", "try a step again", "ready"),
    ("registered", "be made again from the start", "requested"),
    ("registering", "be made again from the start", "requested"),
    ("ready", "be made again from the start", "requested"),
    ("registered", "fail", "failed"),
    ("imaged", "be protected", "protected"),
    ("imaged", "fail", "failed"),
    ("requested", "be withdrawn", "withdrawn"),
    ("imaged", "lose an artefact", "imaged"),
    ("protected", "lose an artefact", "imaged"),
    ("requested", "lose its last artefact", "lost"),
    ("imaged", "lose its last artefact", "lost"),
    ("protected", "lose its last artefact", "lost"),
    ("imaged", "have its image made again", "ready"),
    ("lost", "have its image made again", "ready"),
    ("lost", "have an artefact back", "imaged"),
    ("failed", "have an artefact back", "imaged"),
    ("ready", "have an artefact back", "imaged"),
    ("failed", "begin again", "requested"),
    ("refused", "begin again", "requested"),
    ("withdrawn", "begin again", "requested"),
    ("lost", "begin again", "requested"),
];

#[test]
fn every_pair_is_in_the_table_or_illegal() {
    for status in Status::ALL {
        for event in Event::ALL {
            let told = (status.to_string(), event.to_string());
            let legal = LEGAL.iter().find(|(from, what, _)| (*from, *what) == (&*told.0, &*told.1));
            match legal {
                Some((.., to)) => assert_eq!(next(status, event).expect("legal").to_string(), *to),
                None => {
                    assert_eq!(next(status, event), Err(IllegalTransition { status, event }));
                }
            }
        }
    }
}

#[test]
fn every_pair_is_in_the_table_of_replicas_or_illegal() {
    use ReplicaStatus::{Available, Copying, Failed, Lost, Pending, Unusable, Waiting, Withdrawn};
    let legal = [
        (Waiting, ReplicaEvent::Begin, Copying),
        (Copying, ReplicaEvent::Made, Pending),
        (Copying, ReplicaEvent::Retry, Waiting),
        (Pending, ReplicaEvent::Available, Available),
        (Pending, ReplicaEvent::Retry, Waiting),
        (Waiting, ReplicaEvent::Lose, Lost),
        (Available, ReplicaEvent::Lose, Lost),
        (Unusable, ReplicaEvent::Lose, Lost),
        (Withdrawn, ReplicaEvent::Lose, Lost),
        (Available, ReplicaEvent::Disable, Unusable),
        (Unusable, ReplicaEvent::Restore, Available),
        (Lost, ReplicaEvent::Restore, Available),
        (Waiting, ReplicaEvent::Restore, Available),
        (Waiting, ReplicaEvent::Withdraw, Withdrawn),
        (Failed, ReplicaEvent::Withdraw, Withdrawn),
        (Lost, ReplicaEvent::Withdraw, Withdrawn),
        (Failed, ReplicaEvent::Again, Waiting),
        (Lost, ReplicaEvent::Again, Waiting),
        (Withdrawn, ReplicaEvent::Again, Waiting),
    ];
    for status in ReplicaStatus::ALL {
        for event in ReplicaEvent::ALL {
            let to = legal.iter().find(|(from, what, _)| (*from, *what) == (status, event));
            let expected = to.map(|(.., to)| *to).ok_or(IllegalForReplica { status, event });
            assert_eq!(next_of_replica(status, event), expected);
        }
    }
}

#[test]
fn every_status_leads_to_one_in_which_nothing_is_under_way() {
    for status in Status::ALL {
        let mut seen = BTreeSet::from([status]);
        let mut open = vec![status];
        while let Some(from) = open.pop() {
            let next = Event::ALL.iter().filter_map(|event| next(from, *event).ok());
            open.extend(next.filter(|to| seen.insert(*to)));
        }
        assert!(seen.iter().any(|status| status.is_settled()), "{status}");
    }
}

fn slot(policy: &str, instance: &str, occasion: Occasion) -> Slot {
    let policy = policy.to_string().try_into().expect("a policy name");
    let instance = instance.to_string().try_into().expect("an instance id");
    Slot { policy, instance, occasion }
}

#[test]
fn a_slot_has_one_point_and_no_two_slots_share_one() {
    let at = |text: &str| Occasion::Scheduled(text.parse().expect("an instant"));
    let run = |text: &str| Occasion::Stopped { launched: text.parse().expect("an instant") };
    let noon = "2026-01-01T12:00:00Z";
    let slots = [
        slot("gold", "i-0123456789abcdef0", at(noon)),
        slot("gold", "i-0123456789abcdef0", run(noon)),
        slot("gold", "i-0123456789abcdef0", at("2026-01-01T12:00:01Z")),
        slot("gold", "i-0123456789abcdef1", at(noon)),
        slot("gold-daily", "i-0123456789abcdef0", at(noon)),
    ];
    let names: BTreeSet<String> =
        slots.iter().map(|slot| PointId::of(slot).as_str().to_string()).collect();
    assert_eq!(names.len(), slots.len());
    assert!(names.contains("gold-0123456789abcdef0-at-20260101T120000Z"), "{names:?}");
    // An image is named after its point and its attempt: 128 characters at most, of a plain kind.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    assert!(names.iter().all(|name| name.len() <= 100 && name.chars().all(plain)), "{names:?}");
}

#[test]
fn a_point_knows_its_instance() {
    let id = PointId::parse("gold-0aaaaaaaaaaaaaaa1-at-20260106T190000Z").expect("an id");
    assert_eq!(id.instance().as_str(), "i-0aaaaaaaaaaaaaaa1");
}
