//! Items that nobody of ours wrote so: each is left out, and stops nothing else.

use afterimage_core::work::Kind;
use aws_sdk_dynamodb::types::AttributeValue;

use super::records::{all_new, protected, requested, telling, waiting};
use super::{AWAY, SEAT, TABLE, World, instance, queue, region, table, world};

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

/// Sets an attribute of an item behind the ledger's back.
async fn tamper(world: &World, pk: &str, sk: &str, name: &str, value: AttributeValue) {
    let call = table::client(&world.cloud)
        .update_item()
        .table_name(TABLE)
        .key("pk", text(pk))
        .key("sk", text(sk))
        .update_expression("SET #name = :value")
        .expression_attribute_names("#name", name)
        .expression_attribute_values(":value", value);
    call.send().await.expect("the item is updated");
}

/// What must not be taken for a point.
fn wrongs() -> Vec<(&'static str, AttributeValue)> {
    let number = |text: &str| AttributeValue::N(text.to_string());
    vec![
        ("surprise", text("an attribute that no point has")),
        ("status", text("levitating")),
        ("status", number("1")),
        ("version", text("1")),
        ("version", number("0")),
        ("version", number("1.5")),
        ("home", text("us-nowhere")),
        ("requested_at", text("yesterday")),
        ("leftovers", AttributeValue::Ss(vec!["snap-00000001".into()])),
        ("leftovers", AttributeValue::L(vec![text("no id")])),
        ("id", text("gold-00000000000000002-at-20260101T000000Z")),
        ("status", text("registered")),
    ]
}

#[test]
fn a_point_that_cannot_be_read_leaves_the_others() {
    for (name, value) in wrongs() {
        world(async |world| {
            let points = [requested(instance(1), 0), requested(instance(2), 0)];
            world.write(&all_new(&points, &[]), "a").await;
            let [bad, good] = &points;
            let (pk, sk) = (format!("machine#{}", instance(1)), format!("point#{}", bad.id));
            tamper(&world, &pk, &sk, name, value.clone()).await;
            let ids = [bad.id.clone(), good.id.clone()];
            let found = world.ledger.points(&ids).await.expect("the ledger can be read");
            let found: Vec<_> = found.into_values().collect();
            assert_eq!(found, std::slice::from_ref(good), "{name} {value:?}");
            let snapshots = queue(Kind::Snapshot, SEAT);
            let nominated = world.ledger.queue(&snapshots, None).await;
            let nominated = nominated.expect("the ledger can be read");
            assert_eq!(nominated.len(), 2);
            let records = world.ledger.records(&nominated, &snapshots).await;
            let (records, _) = records.expect("the ledger can be read");
            assert_eq!(records, std::slice::from_ref(good));
            let of_machine = world.ledger.points_of(&instance(1)).await;
            assert_eq!(of_machine.expect("the ledger can be read"), []);
        });
    }
}

#[test]
fn a_replica_that_is_not_where_it_says_leaves_the_others() {
    world(async |world| {
        let point = protected(instance(1), 0);
        let mut other = waiting(&point, 0);
        other.region = region("eu-central-1");
        let replicas = [waiting(&point, 0), other];
        world.write(&all_new(std::slice::from_ref(&point), &replicas), "a").await;
        let (pk, sk) = (format!("machine#{}", instance(1)), format!("point#{}", point.id));
        tamper(&world, &pk, &format!("{sk}#replica#{AWAY}"), "region", text("eu-west-3")).await;
        let found = world.ledger.points_of(&instance(1)).await.expect("the ledger can be read");
        assert_eq!(found, [(point.clone(), vec![replicas[1].clone()])]);
        let names = ["eu-west-1", "eu-west-3", "eu-central-1"];
        let names = names.map(|name| (point.id.clone(), region(name)));
        let found = world.ledger.replicas_of(&names).await.expect("the ledger can be read");
        assert_eq!(found.into_values().collect::<Vec<_>>(), replicas[1..]);
    });
}

#[test]
fn what_stands_in_a_queue_and_is_no_record_is_left_out() {
    world(async |world| {
        let point = requested(instance(1), 0);
        world.write(&all_new(std::slice::from_ref(&point), &[]), "a").await;
        for (sk, awaits) in [("machine", text("a text")), ("point#gibberish", text("a text"))] {
            let call = table::client(&world.cloud)
                .put_item()
                .table_name(TABLE)
                .item("pk", text("machine#i-00000001"))
                .item("sk", text(sk))
                .item("queue", text("snapshot#us-east-1"))
                .item("due_at", AttributeValue::N("1".into()))
                .item("awaits", awaits);
            call.send().await.expect("an item is put");
        }
        let found = world.ledger.queue(&queue(Kind::Snapshot, SEAT), None).await;
        let found: Vec<_> =
            found.expect("the ledger can be read").into_iter().map(|found| found.point).collect();
        assert_eq!(found, [point.id]);
    });
}

#[test]
fn a_summary_that_cannot_be_read_leaves_the_others() {
    let wrongs = [
        ("surprise", text("x")),
        ("surprise#gold", text("x")),
        ("latest#NOT A POLICY", text("x")),
        ("latest#gold", text("x")),
        ("name", AttributeValue::N("1".into())),
        ("instance", text("i-00000000000000002")),
    ];
    for (name, value) in wrongs {
        world(async |world| {
            for number in [1, 2] {
                world.write(&telling(&requested(instance(number), 0)), "a").await;
            }
            let pk = format!("machine#{}", instance(1));
            tamper(&world, &pk, "machine", name, value).await;
            let ids = [instance(1), instance(2)];
            let found = world.ledger.summaries(&ids).await.expect("the ledger can be read");
            assert_eq!(found.into_keys().collect::<Vec<_>>(), [instance(2)], "{name}");
            let fleet = world.ledger.fleet().await.expect("the ledger can be read");
            assert_eq!(fleet.len(), 1, "{name}");
        });
    }
}

#[test]
fn a_summary_whose_time_is_no_time_never_stops_a_point() {
    world(async |world| {
        world.write(&telling(&requested(instance(1), 10)), "a").await;
        let pk = format!("machine#{}", instance(1));
        tamper(&world, &pk, "machine", "latest_at#gold", text("noon")).await;
        let newer = requested(instance(1), 20);
        world.write(&telling(&newer), "b").await;
        let found = world.ledger.summaries(&[instance(1)]).await.expect("the ledger can be read");
        let latest = &found[&instance(1)].latest;
        assert_eq!(latest.values().next().map(|latest| &latest.point), Some(&newer.id));
    });
}
