//! `afterimage capture`: requests a recovery point of a machine, now.
//!
//! The command writes the request to the ledger, as every other request is written, and wakes a
//! worker. The functions do the rest.

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
use crate::stack::{self, STREAM, Stack};
use crate::text::printable;
use crate::{Failure, machine_name, print};

/// Name of the bus where neither an argument nor the environment gives one.
const BUS_DEFAULT: &str = "afterimage";

/// Number of attempts to write a request. An attempt fails when somebody else writes a request for
/// the same machine and policy at the same time.
const ATTEMPTS_MAX: u32 = 5;

/// Requests a recovery point of a machine now, under a policy that selects it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Id of the machine (i-...), or its Name if no other machine has it.
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// Policy to use; required if more than one selects the machine.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Event bus of the stack; default: AFTERIMAGE_BUS, then `afterimage`.
    #[arg(long, value_name = "NAME")]
    bus: Option<String>,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// # Errors
/// The machine does not exist, no policy selects it, or AWS does not answer.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    stack::block_on(capture(arguments))
}

async fn capture(arguments: &Arguments) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let ledger = stack.ledger();
    let in_force = ledger.in_force().await.map_err(|failure| stack.failed(&failure))?;
    if in_force.policies.is_empty() {
        let text = "no policy is in force; run `afterimage policy apply FILE`";
        return Err(Failure::Input(text.to_string()));
    }
    let id = machine_name::find(&stack, &in_force, &arguments.instance).await?;
    let instance = find(&stack, &in_force, &id).await?;
    let policy = choose(&in_force, &instance, arguments.policy.as_deref())?;
    let point = request(&stack, &ledger, policy, &instance).await?;
    wake(&stack, arguments, &point).await;
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
        eprintln!("the point waits for {} to stop, until {until}", instance.id);
    }
    eprintln!("`afterimage status` shows its progress");
    Ok(())
}

/// Finds the machine in the regions of the policies.
async fn find(stack: &Stack, in_force: &InForce, id: &InstanceId) -> Result<Instance, Failure> {
    let policies = in_force.policies.iter();
    let regions: BTreeSet<&Region> = policies.flat_map(|policy| &policy.select.regions).collect();
    let ec2 = Ec2::new(&stack.config, STREAM);
    let (mut searched, mut failures) = (Vec::new(), Vec::new());
    for region in regions {
        match ec2.instances(region, Find::Ids(std::slice::from_ref(id))).await {
            Ok(found) => match found.into_iter().next() {
                Some(instance) if instance.state.is_gone() => {
                    let state = instance.state.as_str();
                    let text = format!("cannot capture {id}: the machine in {region} is {state}");
                    return Err(Failure::Input(text));
                }
                Some(instance) => return Ok(instance),
                None => searched.push(region.as_str()),
            },
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(failure) = failures.first() {
        return Err(stack.failed(failure));
    }
    Err(Failure::Input(format!(
        "machine {id} was not found in {}, the regions of the policies in force\n  check the id \
         and the account\n  if the machine is in another region, add the region to the `select` of \
         a policy",
        searched.join(", ")
    )))
}

/// Chooses the policy that was named, or else the only one that selects the machine.
fn choose<'a>(
    in_force: &'a InForce,
    instance: &Instance,
    named: Option<&str>,
) -> Result<&'a Policy, Failure> {
    if let Some(name) = named {
        let policy = in_force.policies.iter().find(|policy| policy.name.as_str() == name);
        let policy = policy.ok_or_else(|| {
            let names = names(in_force.policies.iter());
            Failure::Input(format!("policy {name} is not in force\n  policies in force: {names}"))
        })?;
        return match why_not_selected(policy, instance) {
            None => Ok(policy),
            Some(why) => {
                let why = printable(&why);
                let text = format!("policy {name} does not select {}: {why}", instance.id);
                Err(Failure::Input(text))
            }
        };
    }
    let (mut selecting, mut others) = (Vec::new(), Vec::new());
    for policy in &in_force.policies {
        match why_not_selected(policy, instance) {
            None => selecting.push(policy),
            Some(why) => others.push(printable(&why)),
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
            "more than one policy selects {}\n  name one with --policy: {}",
            instance.id,
            names(selecting.into_iter())
        ))),
    }
}

fn names<'a>(policies: impl Iterator<Item = &'a Policy>) -> String {
    let names: Vec<&str> = policies.map(|policy| policy.name.as_str()).collect();
    names.join(", ")
}

/// Writes the request. Requests that are made at the same time get one number each.
async fn request(
    stack: &Stack,
    ledger: &Ledger,
    policy: &Policy,
    instance: &Instance,
) -> Result<Point, Failure> {
    let failed = |failure| stack.failed(&failure);
    let key: (InstanceId, PolicyName) = (instance.id.clone(), policy.name.clone());
    let now = Clock::of(&stack.config).now();
    let holder = format!("{STREAM}/{}/{}", std::process::id(), now.as_nanosecond());
    let mut writer = Writer::new(holder);
    for _ in 0..ATTEMPTS_MAX {
        let known = ledger.counters_to_raise(std::slice::from_ref(&key)).await.map_err(failed)?;
        let (point, change) = by_hand(policy, instance, known.get(&key), now);
        match ledger.write(&change, LeaseUse::None, &mut writer).await {
            Ok(Written::Done) => return Ok(point),
            Ok(Written::Lost | Written::NoLease) => {}
            Err(failure) => return after_no_answer(stack, ledger, point, &failure).await,
        }
    }
    Err(Failure::Ours(format!(
        "cannot request a point of {}: {ATTEMPTS_MAX} times somebody else requested one at the \
         same time\n  run the command again",
        instance.id
    )))
}

/// Looks if a request was written whose answer is an error or did not come.
async fn after_no_answer(
    stack: &Stack,
    ledger: &Ledger,
    point: Point,
    failure: &afterimage_aws::Failure,
) -> Result<Point, Failure> {
    match ledger.points(std::slice::from_ref(&point.id)).await {
        // Somebody else may have asked for a point of this name, but not at this very time.
        Ok(found) => match found.get(&point.id).map(|found| found.requested_at) {
            Some(at) if at == point.requested_at => Ok(point),
            _ => Err(stack.failed(failure)),
        },
        Err(_) => Err(Failure::Ours(format!(
            "{}\n  the point may be requested all the same: `afterimage status` shows {} then",
            stack.failed(failure),
            point.id
        ))),
    }
}

/// Wakes the worker, so that the work begins at once. A failure is only told: the request stands.
async fn wake(stack: &Stack, arguments: &Arguments, point: &Point) {
    #[expect(clippy::disallowed_methods, reason = "a command is where the environment is read")]
    let named = std::env::var(environment::BUS).ok().filter(|name| !name.is_empty());
    let name = arguments.bus.clone().or(named).unwrap_or_else(|| BUS_DEFAULT.to_string());
    let queue = Queue { region: point.home.clone(), kind: Kind::Snapshot };
    let wakes = BTreeSet::from([Wake { queue, hop: 0 }]);
    let bus = Bus::new(&stack.config, &name, STREAM);
    if let Err(failure) = bus.wake(&Clock::of(&stack.config), &wakes).await {
        eprintln!(
            "{}\n  the point is requested; the sweep starts it within five minutes\n  --bus names \
             the bus of the stack",
            chain(&failure)
        );
    }
}
