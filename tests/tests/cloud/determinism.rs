//! Determinism: same seed, same trace, byte for byte, with everything going wrong that can.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use afterimage_cloud::config::{Config, Lag};
use afterimage_cloud::faults::Chaos;
use afterimage_cloud::lambda::{
    BoxFuture, Code, Context, Environment, Factory, FunctionError, FunctionSpec, Instance,
    add_permission,
};
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Time};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::error::DisplayErrorContext;
use aws_sdk_ec2::types::InstanceSpecification;
use aws_sdk_eventbridge::Client as EventBridge;
use aws_sdk_eventbridge::types::Target;
use aws_types::SdkConfig;
use serde_json::Value;

use crate::sdk::{AWAY, HOME, ec2, machine, own_partition};

const ROLE: &str = "arn:aws:iam::123456789012:role/keeper";
const TABLE: &str = "seen";
const HOURS: u64 = 3;

/// A backup tool of a few lines: at every tick it snapshots each machine, images it, copies the
/// image away, and counts what it did in a table. Whatever fails, fails.
struct Keeper {
    home: Ec2,
    away: Ec2,
    table: DynamoDb,
    ticks: u64,
}

impl Keeper {
    fn start(config: &SdkConfig) -> Keeper {
        let ec2 = |region: &'static str| {
            let builder = aws_sdk_ec2::config::Builder::from(config)
                .region(aws_sdk_ec2::config::Region::new(region))
                .retry_partition(own_partition());
            Ec2::from_conf(builder.build())
        };
        let table = aws_sdk_dynamodb::config::Builder::from(config);
        let table = DynamoDb::from_conf(table.retry_partition(own_partition()).build());
        Keeper { home: ec2(HOME), away: ec2(AWAY), table, ticks: 0 }
    }

    async fn tick(&mut self, now: Time) -> Result<(), String> {
        self.ticks += 1;
        let found = self.home.describe_instances().send().await.map_err(told)?;
        let machines = found.reservations().iter().flat_map(|group| group.instances());
        for machine in machines {
            let id = machine.instance_id().unwrap_or_default().to_string();
            self.snapshot(&id).await?;
            if self.ticks % 5 == 1 {
                self.image(&id, now).await?;
            }
            self.count(&id).await?;
        }
        Ok(())
    }

    async fn snapshot(&self, machine: &str) -> Result<(), String> {
        let of = InstanceSpecification::builder().instance_id(machine).build();
        self.home.create_snapshots().instance_specification(of).send().await.map_err(told)?;
        Ok(())
    }

    async fn image(&self, machine: &str, now: Time) -> Result<(), String> {
        let name = format!("{machine} {}", now.secs());
        let call = self.home.create_image().instance_id(machine).name(&name).no_reboot(true);
        call.send().await.map_err(told)?;
        let own = self.home.describe_images().owners("self").send().await.map_err(told)?;
        for image in own.images().iter().filter(|image| image.state().is_some()) {
            let id = image.image_id().unwrap_or_default();
            let copy = self.away.copy_image().source_image_id(id).source_region(HOME).name(id);
            copy.send().await.map_err(told)?;
        }
        Ok(())
    }

    async fn count(&self, machine: &str) -> Result<(), String> {
        // Several names and values: the SDK sends them in whichever order its maps have.
        let names = [("#n", "count"), ("#m", "machine"), ("#p", "part"), ("#q", "quantity")];
        let names = names.map(|(key, name)| (key.to_string(), name.to_string()));
        let one = AttributeValue::N("1".to_string());
        let text = |text: &str| AttributeValue::S(text.to_string());
        let values = [(":one", one.clone()), (":m", text(machine)), (":p", text("a")), (":q", one)];
        let values = values.map(|(key, value)| (key.to_string(), value));
        let call = self
            .table
            .update_item()
            .table_name(TABLE)
            .key("pk", text(machine))
            .update_expression("ADD #n :one SET #m = :m, #p = :p, #q = :q")
            .set_expression_attribute_names(Some(HashMap::from(names)))
            .set_expression_attribute_values(Some(HashMap::from(values)));
        call.send().await.map_err(told)?;
        Ok(())
    }
}

fn told(error: impl std::error::Error) -> String {
    DisplayErrorContext(error).to_string()
}

impl Instance for Keeper {
    fn handle(
        &mut self,
        _event: Value,
        context: Context,
    ) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async move {
            let done = self.tick(context.now).await;
            done.map(|()| Value::Null).map_err(|text| FunctionError::new("Failed", text))
        })
    }
}

/// Everything goes wrong far more often than anywhere.
fn stormy(seed: u64) -> Config {
    let mut config = Config::seeded(seed);
    config.lag = Lag::as_observed();
    let chaos =
        Chaos { lost_events: 0.1, failed_after: 0.05, killed: 0.02, ..Chaos::as_observed() };
    config.faults = chaos.rules();
    config
}

async fn prepare(cloud: &Cloud) {
    cloud.with(|model| model.faults.set(Vec::new()));
    let table = DynamoDb::new(&cloud.sdk_config(HOME));
    let key = aws_sdk_dynamodb::types::KeySchemaElement::builder()
        .attribute_name("pk")
        .key_type(aws_sdk_dynamodb::types::KeyType::Hash);
    let attribute = aws_sdk_dynamodb::types::AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(aws_sdk_dynamodb::types::ScalarAttributeType::S);
    let create = table
        .create_table()
        .table_name(TABLE)
        .billing_mode(aws_sdk_dynamodb::types::BillingMode::PayPerRequest)
        .key_schema(key.build().expect("a key"))
        .attribute_definitions(attribute.build().expect("an attribute"));
    create.send().await.expect("the table is made");
    let client = ec2(cloud, HOME);
    for _ in 0..2 {
        machine(cloud, &client, &[]).await;
    }
    let arn = declare(cloud);
    let events = EventBridge::new(&cloud.sdk_config(HOME));
    let rule = events.put_rule().name("tick").schedule_expression("rate(5 minutes)");
    rule.send().await.expect("the rule is made");
    let target = Target::builder().id("keeper").arn(arn).build().expect("a target");
    events.put_targets().rule("tick").targets(target).send().await.expect("it has a target");
    cloud.with(|model| model.faults.set(model.config.faults.clone()));
}

fn declare(cloud: &Cloud) -> String {
    let factory: Factory = Arc::new(|_: Environment, config: SdkConfig| {
        Box::pin(async move { Ok(Box::new(Keeper::start(&config)) as Box<dyn Instance>) })
    });
    let scope = Scope::new("123456789012", HOME);
    let mut spec = FunctionSpec::new(&scope, "keeper", ROLE, Code::InProcess(factory));
    spec.timeout = Duration::from_secs(60);
    let arn = cloud.add_function(spec).expect("the function is declared");
    let everything = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": ["ec2:*", "dynamodb:*"], "Resource": "*" }],
    });
    cloud.with(|model| {
        let declared = model.principals.declare_role(ROLE, &[everything], None);
        declared.expect("the role's policy is one");
        add_permission(model, &arn, "rules", "events.amazonaws.com", None).expect("rules may");
    });
    arn
}

/// What one world came to: the hash of its trace, and how often each kind of thing happened in it.
#[derive(Debug, PartialEq, Eq)]
struct Lived {
    hash: String,
    lines: usize,
    faults: usize,
    invocations: usize,
}

fn live(seed: u64) -> Lived {
    Cloud::run(stormy(seed), async |cloud| {
        prepare(&cloud).await;
        cloud.advance(Duration::from_secs(HOURS * 3600)).await;
        cloud.with(|model| {
            let count = |what| model.trace.entries().iter().filter(|e| e.what == what).count();
            Lived {
                hash: model.trace.hash(),
                lines: model.trace.entries().len(),
                faults: count(What::Fault),
                invocations: count(What::Invocation),
            }
        })
    })
}

#[test]
fn a_seed_gives_the_same_trace_alone_and_after_ten_other_worlds() {
    let alone = live(1);
    // A world in which little happened would prove little.
    assert!(alone.faults > 20 && alone.invocations > 30 && alone.lines > 500, "{alone:?}");
    let others: BTreeSet<String> = (2..=11).map(|seed| live(seed).hash).collect();
    assert_eq!(others.len(), 10, "ten seeds, ten traces");
    assert_eq!(live(1), alone, "after ten other worlds in the same process");
    println!("{alone:?}");
}

#[test]
fn worlds_on_other_threads_at_the_same_time_change_nothing() {
    let alone = live(12);
    let beside = std::thread::scope(|threads| {
        let others: Vec<_> = (13..16).map(|seed| threads.spawn(move || live(seed))).collect();
        let again = threads.spawn(|| live(12)).join().expect("it lives");
        for other in others {
            other.join().expect("it lives");
        }
        again
    });
    assert_eq!(beside, alone);
}
