//! `afterimage cancel`: calls off points and copies that have not begun, and images that are lost.
//!
//! The command writes to the ledger, each record on condition of its version. A worker that begins
//! a point at the same moment is faster or slower, and the command says which. What has begun is
//! finished.

use std::collections::BTreeSet;

use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_aws::{Clock, Ec2, Ledger};
use afterimage_core::call::copy_image;
use afterimage_core::flow::InForce;
use afterimage_core::flow::cancel::{Cancelled, Scope, Target, decide, open_calls};
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::observed::Complete;
use afterimage_core::point::{Point, Replica};
use afterimage_core::slot::PointId;
use afterimage_core::work::Kind;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::chain;
use crate::stack::{self, STREAM, Stack};
use crate::{Failure, print};

/// Number of attempts to write. An attempt fails when a worker writes the same record at the same
/// time.
const ATTEMPTS_MAX: u32 = 5;

/// Calls off points and copies that have not begun, and images that are lost, so that they are not
/// made again. Says what goes on, and what is kept.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Id of a point, or of a machine (i-...).
    #[arg(value_name = "POINT|INSTANCE", required_unless_present = "policy")]
    target: Option<String>,
    /// Call off everything of this policy; with a machine, everything of it under this policy.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Call off only the image of the point in this region.
    #[arg(long, value_name = "REGION", requires = "target")]
    place: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// The points that are meant.
enum Meant {
    Point(PointId),
    Machine(InstanceId),
    All,
}

/// # Errors
/// The arguments name nothing, or the ledger does not answer.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let meant = match arguments.target.as_deref() {
        None => Meant::All,
        Some(text) => match (InstanceId::parse(text), PointId::parse(text)) {
            (Ok(id), _) => Meant::Machine(id),
            (_, Ok(id)) => Meant::Point(id),
            _ => {
                let text = format!("`{text}` is not the id of a point or of a machine (i-...)");
                return Err(Failure::Input(text));
            }
        },
    };
    let scope = match &arguments.place {
        None => Scope::All,
        Some(_) if !matches!(meant, Meant::Point(_)) => {
            return Err(Failure::Input("--place needs the id of a point".to_string()));
        }
        Some(region) => {
            let region = Region::parse(region);
            Scope::Place(region.map_err(|error| Failure::Input(error.to_string()))?)
        }
    };
    let policy = arguments.policy.as_deref().map(PolicyName::parse);
    let policy = policy.transpose().map_err(|error| Failure::Input(error.to_string()))?;
    stack::block_on(cancel(arguments, &meant, &scope, policy.as_ref()))
}

async fn cancel(
    arguments: &Arguments,
    meant: &Meant,
    scope: &Scope,
    policy: Option<&PolicyName>,
) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let ledger = stack.ledger();
    let now = Clock::of(&stack.config).now();
    let in_force = ledger.in_force().await.map_err(|failure| stack.failed(&failure))?;
    let mut ids = points(&ledger, &in_force, meant).await.map_err(|why| stack.failed(&why))?;
    ids.retain(|id| policy.is_none_or(|policy| id.policy() == policy.as_str()));
    let mut done = Vec::new();
    for id in ids {
        if let Some(cancelled) = call_off(&stack, &ledger, &id, scope, now).await? {
            done.push((id, cancelled));
        }
    }
    if let (Meant::Point(id), true) = (meant, done.is_empty()) {
        return Err(Failure::Input(format!("the ledger has no point {id}")));
    }
    if let Some(policy) = policy
        && done.is_empty()
        && in_force.policy(policy).is_none()
    {
        let text = format!("policy {policy} is not in force, and nothing of it waits");
        return Err(Failure::Input(text));
    }
    if let (Meant::Point(id), [(_, one)]) = (meant, done.as_slice())
        && one.change.is_none()
    {
        let reasons = one.not.iter().map(|(region, why)| format!("\n  {region}: {why}"));
        let reasons: String = reasons.collect();
        return Err(Failure::Input(format!("nothing of point {id} can be called off{reasons}")));
    }
    let counts = |of: fn(&Cancelled) -> bool| done.iter().filter(|(_, one)| of(one)).count();
    let is_off = |one: &Cancelled| one.change.is_some();
    let goes_on = |one: &Cancelled| {
        one.image_goes_on || !one.copies_go_on.is_empty() || !one.copies_unknown.is_empty()
    };
    let (off, on) = (counts(is_off), counts(goes_on));
    if arguments.json {
        let points: Vec<Value> = done.iter().map(|(id, one)| to_json(id, one)).collect();
        print(&json!({ "now": now, "points": points }).to_string())?;
    } else {
        for line in done.iter().flat_map(|(id, one)| lines(id, one)) {
            print(&line)?;
        }
    }
    match (off, on) {
        (0, 0) => eprintln!("nothing waits that could be called off"),
        (0, _) => eprintln!("nothing is called off: what has begun is finished"),
        (_, 0) => eprintln!("called off: {off}"),
        (_, _) => eprintln!("called off: {off}; what has begun goes on: {on}"),
    }
    Ok(())
}

/// Returns the points that are meant, as far as anything of them waits.
async fn points(
    ledger: &Ledger,
    in_force: &InForce,
    meant: &Meant,
) -> Result<BTreeSet<PointId>, afterimage_aws::Failure> {
    match meant {
        Meant::Point(id) => Ok(BTreeSet::from([id.clone()])),
        Meant::Machine(id) => {
            let points = ledger.points_of(id).await?.into_iter();
            let open = points.filter(|(point, replicas)| {
                point.queue().is_some() || replicas.iter().any(|one| one.queue().is_some())
            });
            Ok(open.map(|(point, _)| point.id).collect())
        }
        Meant::All => {
            let mut points = BTreeSet::new();
            for queue in in_force.all_queues() {
                if queue.kind != Kind::Power {
                    let in_flight = ledger.queue(&queue, None).await?;
                    points.extend(in_flight.into_iter().map(|nominated| nominated.point));
                }
            }
            Ok(points)
        }
    }
}

/// Calls off what has not begun of one point. None if there is no such point.
async fn call_off(
    stack: &Stack,
    ledger: &Ledger,
    id: &PointId,
    scope: &Scope,
    now: Timestamp,
) -> Result<Option<Cancelled>, Failure> {
    let failed = |failure| stack.failed(&failure);
    let holder = format!("{STREAM}/{}/{}", std::process::id(), now.as_nanosecond());
    let mut writer = Writer::new(holder);
    for _ in 0..ATTEMPTS_MAX {
        let point = ledger.points(std::slice::from_ref(id)).await.map_err(failed)?.remove(id);
        let Some(point) = point else { return Ok(None) };
        let places = point.replicas.keys().map(|region| (id.clone(), region.clone()));
        let places: Vec<(PointId, Region)> = places.collect();
        let replicas = ledger.replicas_of(&places).await.map_err(failed)?;
        let replicas: Vec<Replica> = replicas.into_values().collect();
        let made_nothing = made_nothing(stack, &point, &replicas, scope, now).await;
        let cancelled = decide(&Target { point, replicas, made_nothing }, scope, now);
        let cancelled = cancelled.map_err(|illegal| Failure::Ours(illegal.to_string()))?;
        if let Some(change) = &cancelled.change {
            let written =
                ledger.write(change, LeaseUse::None, &mut writer).await.map_err(failed)?;
            if written != Written::Done {
                continue;
            }
        }
        for over in &cancelled.over {
            ledger.resolve(over).await.map_err(failed)?;
        }
        return Ok(Some(cancelled));
    }
    Err(Failure::Ours(format!(
        "cannot call off {id}: {ATTEMPTS_MAX} times a worker wrote it at the same time\n  run the \
         command again"
    )))
}

/// Lists the images with the names of copies whose calls had no outcome, and returns the regions of
/// those that made nothing. A region that does not answer shows nothing.
async fn made_nothing(
    stack: &Stack,
    point: &Point,
    replicas: &[Replica],
    scope: &Scope,
    now: Timestamp,
) -> BTreeSet<Region> {
    let ec2 = Ec2::new(&stack.config, STREAM);
    let mut regions = BTreeSet::new();
    for replica in open_calls(replicas, scope, now) {
        match ec2.images_named(&replica.region, &[copy_image::name(replica)]).await {
            Ok(Complete(listed)) if copy_image::made_nothing(point, replica, &listed, now) => {
                regions.insert(replica.region.clone());
            }
            Ok(Complete(_)) => {}
            Err(failure) => eprintln!("{}", chain(&failure)),
        }
    }
    regions
}

/// Formats what becomes of a point: a line for what is called off, and one for what goes on.
fn lines(id: &PointId, cancelled: &Cancelled) -> Vec<String> {
    let mut lines = Vec::new();
    if cancelled.point {
        lines.push(format!("{id}: called off"));
    }
    if let Some(home) = &cancelled.home {
        lines.push(format!("{id}: image at home called off: {home}"));
    }
    if !cancelled.places.is_empty() {
        lines.push(format!("{id}: copy called off: {}", joined(&cancelled.places)));
    }
    if cancelled.change.is_some() && !cancelled.kept.is_empty() {
        lines.push(format!("{id}: kept: {}", joined(&cancelled.kept)));
    }
    if cancelled.image_goes_on {
        lines.push(format!("{id}: goes on: its image is being made"));
    }
    if !cancelled.copies_unknown.is_empty() {
        let regions = joined(&cancelled.copies_unknown);
        lines.push(format!(
            "{id}: not known yet: copy to {regions} (its call was not answered); run the command \
             again in some minutes, or when the region answers"
        ));
    }
    if !cancelled.copies_go_on.is_empty() {
        lines.push(format!("{id}: goes on: copy to {}", joined(&cancelled.copies_go_on)));
    }
    lines
}

fn joined(regions: &BTreeSet<Region>) -> String {
    regions.iter().map(Region::as_str).collect::<Vec<&str>>().join(", ")
}

fn to_json(id: &PointId, cancelled: &Cancelled) -> Value {
    json!({
        "point": id,
        "cancelled": cancelled.point,
        "cancelled_home": cancelled.home.is_some(),
        "cancelled_places": cancelled.places,
        "kept": cancelled.kept,
        "image_goes_on": cancelled.image_goes_on,
        "copies_go_on": cancelled.copies_go_on,
        "copies_unknown": cancelled.copies_unknown,
    })
}
