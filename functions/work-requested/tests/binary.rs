//! The real binary, in the embedded cloud, with the role that the template gives it.

use afterimage_core::status::Status;
use afterimage_support::{now, records, sample, with_binary};

const NAME: &str = "work-requested";
const BINARY: &str = env!("CARGO_BIN_EXE_work-requested");
const EVENT: &str = include_str!("../../../events/work-requested.json");

/// The policy of the point, in force.
const POLICY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
";

/// The calls of a worker that change anything.
const WRITES: [&str; 7] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "TransactWriteItems",
    "CreateSnapshots",
    "RegisterImage",
    "CopyImage",
];

#[test]
fn the_worker_of_snapshots_takes_them_and_gives_its_lease_back() {
    with_binary(NAME, BINARY, async |world| {
        world.policies(POLICY).await;
        let machine = world.machine("backup", "gold").await;
        let point = records::requested("gold", &machine, now());
        let id = point.id.clone();
        records::put(&world.ledger, point).await;

        let ended = world.invoke(sample(EVENT, &[])).await;
        assert_eq!(ended.outcome, "ok", "{ended:#?}");

        let points = world.ledger.points_of(&machine).await.expect("the ledger is read");
        let [(point, _)] = &points[..] else { panic!("{points:#?}") };
        assert_eq!(point.status, Status::Snapshotted, "{point:#?}");
        let own = world.ec2().describe_snapshots().owner_ids("self").send().await;
        let own = own.expect("snapshots are described");
        let tagged = own.snapshots().iter().filter(|snapshot| {
            let mut tags = snapshot.tags().iter();
            tags.any(|tag| {
                (tag.key(), tag.value()) == (Some("afterimage:point"), Some(id.as_str()))
            })
        });
        let seen: Vec<&str> = tagged.filter_map(|snapshot| snapshot.snapshot_id()).collect();
        let known: Vec<&str> = point.snapshots.values().map(|it| it.as_str()).collect();
        assert_eq!(seen, known);

        // The intent takes the lease, the outcome gives it back: each in one write. The witness
        // counts the round before, the ledger after.
        let mut deeds = world.calls().await;
        deeds.retain(|(action, _)| WRITES.contains(&action.as_str()));
        let ok = |action: &str| (action.to_string(), "ok".to_string());
        let expected = [
            "PutItem",
            // The mark of the round, in the ledger.
            "UpdateItem",
            "TransactWriteItems",
            "CreateSnapshots",
            "TransactWriteItems",
            "UpdateItem",
        ];
        assert_eq!(deeds, expected.map(ok));
    });
}
