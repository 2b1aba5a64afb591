//! `afterimage heal`: has the lost places of a recovery point made again.
//!
//! Afterimage makes the places of the newest good point again by itself, but not a third time
//! within a week. This command makes them again, and also those of an older point.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_aws::ec2::Find;
use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_aws::{Clock, Ec2, Failure as AwsFailure, Kms};
use afterimage_core::flow::heal::{Facts, Healed, Shown, decide, keys_at_home, keys_of_sources};
use afterimage_core::flow::work_requested::disk_keys::{Keys, KeysByRegion};
use afterimage_core::ids::{Region, SnapshotId};
use afterimage_core::machine::Instance;
use afterimage_core::observed::ObservedSnapshot;
use afterimage_core::point::{Point, Replica};
use afterimage_core::slot::PointId;
use afterimage_core::transition::loss;
use afterimage_core::work::{Kind, Queue};
use serde_json::json;

use crate::failure::chain;
use crate::stack::{self, STREAM, Stack};
use crate::{Failure, print};

/// Makes the lost images of a recovery point again, however old it is and however often they were
/// lost before.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Id of the point, as `afterimage status --json` and the findings show it.
    #[arg(value_name = "POINT")]
    point: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// # Errors
/// There is no such point, nothing of it is lost, or AWS does not answer.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let id = PointId::parse(&arguments.point);
    let id = id.map_err(|error| Failure::Input(error.to_string()))?;
    stack::block_on(heal(arguments, &id))
}

async fn heal(arguments: &Arguments, id: &PointId) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let ledger = stack.ledger();
    let in_force = ledger.in_force().await.map_err(|error| stack.failed(&error))?;
    let mut points = ledger.points_of(id.instance()).await.map_err(|error| stack.failed(&error))?;
    let Some(index) = points.iter().position(|(point, _)| point.id == *id) else {
        let text =
            format!("point {id} is not in the ledger\n  `afterimage status` shows the points");
        return Err(Failure::Input(text));
    };
    let (point, replicas) = points.swap_remove(index);
    let now = Clock::of(&stack.config).now();
    let seen = seen(&stack, &point, &replicas).await;
    let mut obstacles = Vec::new();
    for queue in queues(&point) {
        obstacles.push(ledger.obstacles(&queue).await.map_err(|error| stack.failed(&error))?);
    }
    let shown = seen
        .at_home
        .as_ref()
        .map(|(snapshots, machine)| Shown { snapshots, machine: machine.as_ref() });
    let facts = Facts {
        now,
        point: &point,
        replicas: replicas.iter().collect(),
        others: points.iter().map(|(point, _)| point).collect(),
        in_force: &in_force,
        shown,
        keys: &seen.keys,
        sources: &seen.sources,
        obstacles: obstacles.iter().collect(),
    };
    let healed = decide(&facts).map_err(|illegal| Failure::Ours(illegal.to_string()))?;
    let Some(change) = &healed.change else { return Err(refused(id, &healed)) };
    let mut writer =
        Writer::new(format!("{STREAM}/{}/{}", std::process::id(), now.as_nanosecond()));
    let written = ledger.write(change, LeaseUse::None, &mut writer).await;
    match written.map_err(|error| stack.failed(&error))? {
        Written::Done => {}
        Written::Lost | Written::NoLease => {
            let text = format!("point {id} has just changed\n  run the command again");
            return Err(Failure::Ours(text));
        }
    }
    if arguments.json {
        let places = healed.again.len();
        let (again, not) = (&healed.again, &healed.not);
        let answer = json!({ "point": id, "places": places, "again": again, "not_again": not });
        return print(&answer.to_string());
    }
    for (region, way) in &healed.again {
        print(&format!("{region}: {way}"))?;
    }
    for (region, why) in &healed.not {
        eprintln!("{region}: not made again: {why}");
    }
    Ok(())
}

/// The queues whose workers make the places of a point.
fn queues(point: &Point) -> Vec<Queue> {
    let home = [Kind::Snapshot, Kind::Register, Kind::Copy].map(|kind| (&point.home, kind));
    let replicas = point.plan.replicate.iter().map(|place| (&place.region, Kind::Copy));
    let all: BTreeSet<(&Region, Kind)> = home.into_iter().chain(replicas).collect();
    all.into_iter().map(|(region, kind)| Queue { region: region.clone(), kind }).collect()
}

/// What AWS shows of a point, as far as it answers.
#[derive(Default)]
struct Seen {
    /// The snapshots and the machine; none if EC2 does not answer, or nothing is lost at home.
    at_home: Option<(BTreeMap<SnapshotId, ObservedSnapshot>, Option<Instance>)>,
    keys: Keys,
    sources: KeysByRegion,
}

async fn seen(stack: &Stack, point: &Point, replicas: &[Replica]) -> Seen {
    let kms = Kms::new(&stack.config, None);
    let mut seen = Seen::default();
    if loss::lacks_home(point) {
        let told = |failure: &AwsFailure| eprintln!("{}", chain(failure));
        seen.at_home = at_home(stack, point).await.inspect_err(told).ok();
        let none = BTreeMap::new();
        let snapshots = seen.at_home.as_ref().map_or(&none, |(snapshots, _)| snapshots);
        seen.keys = keys(&kms, &point.home, keys_at_home(point, snapshots)).await;
    }
    for (region, key) in keys_of_sources(point, replicas) {
        let read = keys(&kms, &region, [key]).await;
        seen.sources.entry(region).or_default().extend(read);
    }
    seen
}

async fn at_home(
    stack: &Stack,
    point: &Point,
) -> Result<(BTreeMap<SnapshotId, ObservedSnapshot>, Option<Instance>), AwsFailure> {
    let ec2 = Ec2::new(&stack.config, STREAM);
    let ids: Vec<SnapshotId> = point.snapshots.values().cloned().collect();
    let snapshots = ec2.snapshots(&point.home, &ids).await?;
    let machine = std::slice::from_ref(point.instance());
    let machines = ec2.instances(&point.home, Find::Ids(machine)).await?;
    Ok((snapshots, machines.into_iter().next()))
}

/// Reads the state of keys. One that KMS does not tell is not known.
async fn keys(kms: &Kms, region: &Region, arns: impl IntoIterator<Item = String>) -> Keys {
    let told = |failure: &AwsFailure| eprintln!("{}", chain(failure));
    let mut keys = Keys::new();
    for arn in arns {
        let read = kms.disk_keys(region, [arn]).await.inspect_err(told).unwrap_or_default();
        keys.extend(read.into_iter().map(|key| (key.arn, key.access)));
    }
    keys
}

/// Returns the reasons why nothing is made again.
fn refused(id: &PointId, healed: &Healed) -> Failure {
    if healed.not.is_empty() {
        return Failure::Input(format!("nothing of point {id} is lost"));
    }
    let reasons = healed.not.iter().map(|(region, why)| format!("\n  {region}: {why}"));
    let reasons: String = reasons.collect();
    Failure::Input(format!("nothing of point {id} can be made again{reasons}"))
}
