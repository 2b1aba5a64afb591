//! `afterimage capture`: asks for a point of a machine, now.
//!
//! The request is written to the ledger as every other is, and a worker is woken: what follows is
//! the work of the functions.

use std::collections::BTreeSet;

use afterimage_aws::ec2::Find;
use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_aws::{Bus, Clock, Ec2, Ledger, environment};
use afterimage_core::command::Wake;
use afterimage_core::flow::InForce;
use afterimage_core::flow::on_demand::{by_hand, why_not_selected};
use afterimage_core::ids::{InstanceId, PolicyName, Region};
use afterimage_core::machine::{Instance, State};
use afterimage_core::point::Point;
use afterimage_core::policy::{Consistency, Policy};
use afterimage_core::work::{Kind, Queue};
use serde_json::json;

use crate::failure::chain;
use crate::place::{self, Place, STREAM};
use crate::{Failure, print};

/// The bus, if nobody says otherwise.
const BUS_DEFAULT: &str = "afterimage";

/// So often is a request counted anew that somebody else was faster to count.
const TRIES_MAX: u32 = 5;

/// Asks for a recovery point of a machine now, under a policy that selects it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The machine, as i-...
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// The policy, if more than one selects the machine.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    /// The bus of the stack; or else AFTERIMAGE_BUS, or else `afterimage`.
    #[arg(long, value_name = "NAME")]
    bus: Option<String>,
    #[command(flatten)]
    place: place::Where,
}

/// # Errors
/// There is no such machine, no policy selects it, or AWS cannot be worked with.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let id = InstanceId::parse(&arguments.instance);
    let id = id.map_err(|error| Failure::Input(error.to_string()))?;
    place::block_on(ask(arguments, &id))
}

async fn ask(arguments: &Arguments, id: &InstanceId) -> Result<(), Failure> {
    let place = Place::find(&arguments.place).await?;
    let ledger = place.ledger();
    let in_force = ledger.in_force().await.map_err(|failure| place.failed(&failure))?;
    if in_force.policies.is_empty() {
        let text = "no policy is in force: `afterimage policy apply FILE`";
        return Err(Failure::Input(text.to_string()));
    }
    let instance = find(&place, &in_force, id).await?;
    let policy = choose(&in_force, &instance, arguments.policy.as_deref())?;
    let point = request(&place, &ledger, policy, &instance).await?;
    wake(&place, arguments, &point).await;
    if arguments.json {
        let answer = json!({
            "point": point.id,
            "policy": policy.name,
            "instance": instance.id,
            "region": instance.region,
            "requested_at": point.requested_at,
            "until": point.until,
        });
        return print(&answer.to_string());
    }
    print(point.id.as_str())?;
    if let Some(until) = point.until
        && point.plan.consistency == Consistency::AtRest
        && instance.state != State::Stopped
    {
        eprintln!("it waits for the machine to stop, until {until}");
    }
    eprintln!("`afterimage status` shows how it stands");
    Ok(())
}

/// The machine, in whichever region of a policy it is.
async fn find(place: &Place, in_force: &InForce, id: &InstanceId) -> Result<Instance, Failure> {
    let policies = in_force.policies.iter();
    let regions: BTreeSet<&Region> = policies.flat_map(|policy| &policy.select.regions).collect();
    let ec2 = Ec2::new(&place.config, STREAM);
    let (mut looked, mut silent) = (Vec::new(), Vec::new());
    for region in regions {
        match ec2.instances(region, Find::Ids(std::slice::from_ref(id))).await {
            Ok(found) => match found.into_iter().next() {
                Some(instance) if instance.state.is_gone() => {
                    let state = instance.state.as_str();
                    let text = format!("{id} in {region} is {state}: nothing is left to image");
                    return Err(Failure::Input(text));
                }
                Some(instance) => return Ok(instance),
                None => looked.push(region.as_str()),
            },
            Err(failure) => silent.push(failure),
        }
    }
    if let Some(failure) = silent.first() {
        return Err(place.failed(failure));
    }
    Err(Failure::Input(format!(
        "there is no {id} where a policy protects machines: {}\n  check the id and the account; a \
         machine elsewhere needs a policy whose `select` names its region",
        looked.join(", ")
    )))
}

/// The policy that was named, or the only one that selects the machine.
fn choose<'a>(
    in_force: &'a InForce,
    instance: &Instance,
    named: Option<&str>,
) -> Result<&'a Policy, Failure> {
    if let Some(name) = named {
        let policy = in_force.policies.iter().find(|policy| policy.name.as_str() == name);
        let policy = policy.ok_or_else(|| {
            let names = names(in_force.policies.iter());
            Failure::Input(format!("no policy in force is called {name}; there are: {names}"))
        })?;
        return match why_not_selected(policy, instance) {
            None => Ok(policy),
            Some(why) => {
                Err(Failure::Input(format!("{name} does not select {}: {why}", instance.id)))
            }
        };
    }
    let (mut selecting, mut others) = (Vec::new(), Vec::new());
    for policy in &in_force.policies {
        match why_not_selected(policy, instance) {
            None => selecting.push(policy),
            Some(why) => others.push(why),
        }
    }
    match selecting[..] {
        [policy] => Ok(policy),
        [] => Err(Failure::Input(format!(
            "no policy selects {}\n  {}",
            instance.id,
            others.join("\n  ")
        ))),
        _ => Err(Failure::Input(format!(
            "more than one policy selects {}: say which with --policy\n  {}",
            instance.id,
            names(selecting.into_iter())
        ))),
    }
}

fn names<'a>(policies: impl Iterator<Item = &'a Policy>) -> String {
    let names: Vec<&str> = policies.map(|policy| policy.name.as_str()).collect();
    names.join(", ")
}

/// Writes the request; whoever counts at the same time is counted one by one.
async fn request(
    place: &Place,
    ledger: &Ledger,
    policy: &Policy,
    instance: &Instance,
) -> Result<Point, Failure> {
    let failed = |failure| place.failed(&failure);
    let key: (InstanceId, PolicyName) = (instance.id.clone(), policy.name.clone());
    let now = Clock::of(&place.config).now();
    let holder = format!("{STREAM}/{}/{}", std::process::id(), now.as_nanosecond());
    let mut writer = Writer::new(holder);
    for _ in 0..TRIES_MAX {
        let known = ledger.request_counters(std::slice::from_ref(&key)).await.map_err(failed)?;
        let (point, change) = by_hand(policy, instance, known.get(&key), now);
        let written = ledger.write(&change, LeaseUse::None, &mut writer).await.map_err(failed)?;
        if written == Written::Done {
            return Ok(point);
        }
    }
    let text = format!("others ask for {} at the same time, again and again", instance.id);
    Err(Failure::Ours(text))
}

/// Has the work begun at once. The request stands, whatever becomes of this.
async fn wake(place: &Place, arguments: &Arguments, point: &Point) {
    #[expect(clippy::disallowed_methods, reason = "a command is where the environment is read")]
    let named = std::env::var(environment::BUS).ok().filter(|name| !name.is_empty());
    let name = arguments.bus.clone().or(named).unwrap_or_else(|| BUS_DEFAULT.to_string());
    let queue = Queue { region: point.home.clone(), kind: Kind::Snapshot };
    let wakes = BTreeSet::from([Wake { queue, hop: 0 }]);
    let bus = Bus::new(&place.config, &name, STREAM);
    if let Err(failure) = bus.wake(&Clock::of(&place.config), &wakes).await {
        eprintln!(
            "{}\n  the point is requested all the same, and begun by the sweep within five \
             minutes; --bus says what the bus is called",
            chain(&failure)
        );
    }
}
