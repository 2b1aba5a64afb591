//! The counts of rounds, in the ledger and in its witness.

use std::collections::HashMap;
use std::time::Duration;

use afterimage_core::witness::{Identity, Mark, Testimony, Witness, is_behind};
use aws_sdk_dynamodb::types::{AttributeValue, BillingMode, KeyType, ScalarAttributeType};

use super::table::{attribute, client, key};
use super::{SEAT, TABLE, World, region, second, world};

const WITNESS: &str = "afterimage-witness";

type Item = HashMap<String, AttributeValue>;

impl World {
    async fn create_witness(&self) {
        let call = client(&self.cloud)
            .create_table()
            .table_name(WITNESS)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range))
            .attribute_definitions(attribute("pk", ScalarAttributeType::S))
            .attribute_definitions(attribute("sk", ScalarAttributeType::S));
        call.send().await.expect("a table is created");
        self.cloud.advance(Duration::from_secs(60)).await;
    }

    async fn mark(&self, mark: Mark) -> bool {
        self.ledger.mark(&mark).await.expect("the tables can be written")
    }

    async fn begin(&self, known: Option<u64>, round: Witness) -> bool {
        let before = self.witness().await.map(|witness| witness.count);
        self.mark(Mark::Begin { region: region(SEAT), known, before, witness: round }).await
    }

    async fn end(&self, round: Witness) -> bool {
        self.mark(Mark::End { region: region(SEAT), round, doubted_since: None }).await
    }

    async fn identity(&self) -> Option<Identity> {
        let in_force = self.ledger.in_force().await.expect("the ledger can be read");
        in_force.identities.get(&region(SEAT)).copied()
    }

    async fn witness(&self) -> Option<Witness> {
        match self.ledger.testimony().await {
            Testimony::Read(all) => all.get(&region(SEAT)).copied(),
            other => panic!("the witness is there: {other:?}"),
        }
    }

    /// The item of the count, as a backup has it.
    async fn saved(&self) -> Item {
        let scan = client(&self.cloud).scan().table_name(TABLE).consistent_read(true);
        let mut items = scan.send().await.expect("it is scanned").items.unwrap_or_default();
        items.retain(|item| item.contains_key("count"));
        assert_eq!(items.len(), 1);
        items.remove(0)
    }

    async fn put_back(&self, item: Item) {
        let put = client(&self.cloud).put_item().table_name(TABLE).set_item(Some(item));
        put.send().await.expect("it is put");
    }
}

/// The round of that number, each a minute after the one before.
fn round(count: u32) -> Witness {
    Witness { count: count.into(), at: second(60 * i64::from(count)) }
}

#[test]
fn a_round_does_not_vouch_for_a_ledger_that_was_put_back_meanwhile() {
    world(async |world| {
        world.create_witness().await;
        for count in [1, 2] {
            let known = world.identity().await.map(|known| known.count);
            assert!(world.begin(known, round(count)).await && world.end(round(count)).await);
            assert_eq!(world.identity().await.map(|known| known.count), Some(count.into()));
        }
        let saved = world.saved().await;
        assert!(world.begin(Some(2), round(3)).await);
        world.put_back(saved).await;
        assert!(!world.end(round(3)).await, "it is not the ledger of its beginning");
        let (identity, witness) = (world.identity().await, world.witness().await);
        assert_eq!(identity.map(|known| known.count), Some(2));
        assert!(is_behind(identity.as_ref(), witness.as_ref()), "{identity:?} {witness:?}");
    });
}

#[test]
fn no_round_begins_over_a_ledger_with_another_count_than_was_read() {
    world(async |world| {
        world.create_witness().await;
        assert!(world.begin(None, round(1)).await && world.end(round(1)).await);
        assert!(!world.begin(Some(7), round(2)).await);
        let (identity, witness) = (world.identity().await, world.witness().await);
        assert!(is_behind(identity.as_ref(), witness.as_ref()), "{identity:?} {witness:?}");
    });
}

#[test]
fn a_worker_that_another_was_faster_than_leaves_the_round_of_that_one_alone() {
    world(async |world| {
        world.create_witness().await;
        assert!(world.begin(None, round(1)).await && world.end(round(1)).await);
        // Both have read the same counts.
        let begin = |at| Mark::Begin {
            region: region(SEAT),
            known: Some(1),
            before: Some(1),
            witness: Witness { count: 2, at: second(at) },
        };
        assert!(world.mark(begin(120)).await);
        assert!(!world.mark(begin(121)).await);
        assert!(world.end(round(2)).await, "its mark is there");
        let (identity, witness) = (world.identity().await, world.witness().await);
        assert_eq!(identity, Some(Identity { count: 2, doubted_since: None }));
        assert!(!is_behind(identity.as_ref(), witness.as_ref()), "{identity:?} {witness:?}");
    });
}
