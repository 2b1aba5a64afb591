//! The small calls that a backup makes most, by the AWS SDK for Rust: the same through both doors.

use aws_sdk_dynamodb::Client as Dynamo;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{Filter, InstanceType, Tag};
use aws_sdk_eventbridge::Client as Events;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;

pub const HOME: &str = "us-east-1";
const TABLE: &str = "ledger";

/// The calls of the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    DescribeInstances,
    CreateTags,
    DescribeImages,
    PutItem,
    GetItem,
    PutEvents,
}

pub const KINDS: [Kind; 6] = [
    Kind::DescribeInstances,
    Kind::CreateTags,
    Kind::DescribeImages,
    Kind::PutItem,
    Kind::GetItem,
    Kind::PutEvents,
];

/// Clients, and what they call about.
#[derive(Clone)]
pub struct Mix {
    ec2: Ec2,
    dynamo: Dynamo,
    events: Events,
    machine: String,
    image: String,
}

impl Mix {
    /// Launches a machine and makes a table. The clock has to move before they are of use.
    pub async fn prepare(config: &SdkConfig) -> Mix {
        let ec2 = Ec2::new(config);
        let dynamo = Dynamo::new(config);
        let image = amazon_linux(&ec2).await;
        let machine = launch(&ec2, &image).await;
        make_table(&dynamo).await;
        Mix { ec2, dynamo, events: Events::new(config), machine, image }
    }

    /// Makes one call; `number` keeps what the calls write apart.
    pub async fn call(&self, kind: Kind, number: usize) {
        match kind {
            Kind::DescribeInstances => self.describe_instances().await,
            Kind::CreateTags => self.create_tags(number).await,
            Kind::DescribeImages => self.describe_images().await,
            Kind::PutItem => self.put_item(number).await,
            Kind::GetItem => self.get_item(number).await,
            Kind::PutEvents => self.put_events(number).await,
        }
    }

    /// Makes `rounds` calls of each kind, in turn.
    pub async fn rounds(&self, rounds: usize) {
        for number in 0..rounds {
            for kind in KINDS {
                self.call(kind, number).await;
            }
        }
    }

    async fn describe_instances(&self) {
        let call = self.ec2.describe_instances().instance_ids(&self.machine);
        let found = call.send().await.expect("the machine is described");
        assert_eq!(found.reservations().len(), 1);
    }

    async fn create_tags(&self, number: usize) {
        let tag = Tag::builder().key("run").value(number.to_string()).build();
        let call = self.ec2.create_tags().resources(&self.machine).tags(tag);
        call.send().await.expect("the machine is tagged");
    }

    async fn describe_images(&self) {
        let call = self.ec2.describe_images().image_ids(&self.image);
        let found = call.send().await.expect("the image is described");
        assert_eq!(found.images().len(), 1);
    }

    async fn put_item(&self, number: usize) {
        let call = self.dynamo.put_item().table_name(TABLE).item("pk", key(number));
        let call = call.item("state", AttributeValue::S("pending".to_string()));
        call.send().await.expect("an item is put");
    }

    async fn get_item(&self, number: usize) {
        let call = self.dynamo.get_item().table_name(TABLE).key("pk", key(number));
        let found = call.consistent_read(true).send().await.expect("the table is read");
        assert!(found.item().is_some());
    }

    async fn put_events(&self, number: usize) {
        let entry = PutEventsRequestEntry::builder()
            .source("my.app")
            .detail_type("Done")
            .detail(format!("{{\"number\": {number}}}"))
            .build();
        let done = self.events.put_events().entries(entry).send().await.expect("an event is put");
        assert_eq!(done.failed_entry_count(), 0);
    }
}

/// A few hundred items, written again and again.
fn key(number: usize) -> AttributeValue {
    AttributeValue::S(format!("job-{}", number % 500))
}

/// The Amazon Linux image for x86.
pub async fn amazon_linux(ec2: &Ec2) -> String {
    let named = Filter::builder().name("name").values("al2023-ami-*-x86_64").build();
    let call = ec2.describe_images().owners("amazon").filters(named);
    let found = call.send().await.expect("public images are described");
    let image = found.images().first().and_then(|image| image.image_id());
    image.expect("every region has Amazon Linux").to_string()
}

async fn launch(ec2: &Ec2, image: &str) -> String {
    let call = ec2.run_instances().image_id(image).instance_type(InstanceType::T3Micro);
    let made = call.min_count(1).max_count(1).send().await.expect("a machine is launched");
    let machine = made.instances().first().and_then(|machine| machine.instance_id());
    machine.expect("one was asked for").to_string()
}

async fn make_table(dynamo: &Dynamo) {
    let hash = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build();
    let text = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::S)
        .build();
    let call = dynamo
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(hash.expect("name and type are given"))
        .attribute_definitions(text.expect("name and type are given"));
    call.send().await.expect("a table is made");
}
