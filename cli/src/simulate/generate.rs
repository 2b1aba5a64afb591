//! Worlds from seeds. Each seed has its own subset of machines, policies, acts and mishaps, and its
//! own rates: a world in which everything happens at once hides what a quiet one shows.

use fastrand::Rng;

use super::world::{
    Act, Alias, Artefact, Change, Consistency, Deed, Items, Kind, Machine, Mishap, Pick, Policy,
    REGIONS, Replica, SEAT, Trigger, Trouble, World,
};

const BACKUPS: [&str; 2] = ["gold", "silver"];
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
const HOURS: [u32; 4] = [3, 4, 6, 12];
/// Hours in which people act: short worlds find most, and cost least.
const SPANS: [u32; 8] = [8, 12, 12, 18, 24, 24, 48, 72];
/// Minutes between two ticks, and between two sweeps: one seed in ten keeps those of the template.
/// Ticks are most of what an idle day costs.
const TICKS: [u32; 10] = [1, 10, 15, 15, 15, 30, 30, 30, 30, 30];
const SWEEPS: [u32; 10] = [5, 10, 15, 15, 15, 15, 15, 15, 15, 15];
/// One world in so many is a dense one.
const DENSE_EVERY: u64 = 5;
const DAY: u32 = 24 * 60;
/// Time at the start in which nobody acts, so that there is something to lose.
const CALM: u32 = 90;
/// The most picks of images: more than there are.
const PICKS: u32 = 1000;

const TROUBLES: [Trouble; 13] = [
    Trouble::FailedBefore,
    Trouble::FailedAfter,
    Trouble::TimedOutBefore,
    Trouble::TimedOutAfter,
    Trouble::Throttled,
    Trouble::KilledBefore,
    Trouble::KilledAfter,
    Trouble::LedgerFailedAfter,
    Trouble::EventsLost,
    Trouble::EventsDoubled,
    Trouble::EventsLate,
    Trouble::InvokedTwice,
    Trouble::CreationsFailed,
];

impl World {
    /// Makes the world of a seed.
    pub fn of(seed: u64) -> World {
        let mut rng = Rng::with_seed(seed ^ 0x7072_6f6d_6973_6573);
        if seed % DENSE_EVERY == DENSE_EVERY - 1 {
            return dense(seed, rng);
        }
        let span = 60 * one(&mut rng, &SPANS);
        let (tick, sweep) = (one(&mut rng, &TICKS), one(&mut rng, &SWEEPS));
        let policies = policies(&mut rng);
        let count = rng.u32(1..=5);
        let machines = (0..count).map(|number| machine(&mut rng, number, &policies)).collect();
        let mishaps = mishaps(&mut rng, span);
        let acts = Vec::new();
        let mut world = World { seed, span, tick, sweep, machines, policies, acts, mishaps };
        world.acts = all_acts(&mut rng, &world);
        world
    }
}

/// Makes a world of one machine whose images people keep taking, disabling and bringing back. It is
/// cheap to play, and meets most acts in most states of a point.
fn dense(seed: u64, mut rng: Rng) -> World {
    let span = 60 * one(&mut rng, &[12, 18, 24]);
    let mut policies = policies(&mut rng);
    policies.truncate(1);
    let mut machine = machine(&mut rng, 0, &policies);
    machine.backup = policies[0].backup;
    machine.home = SEAT;
    let (tick, sweep) = (one(&mut rng, &[10, 15, 30]), 15);
    let (machines, mishaps) = (vec![machine], Vec::new());
    let mut world =
        World { seed, span, tick, sweep, machines, policies, acts: Vec::new(), mishaps };
    world.policies[0].at_start = true;
    let mut acts = occasions(&mut rng, &world);
    for _ in 0..rng.u32(8..=24) {
        let family = one(&mut rng, &[2, 2, 3, 3, 4, 5]);
        let mut at = CALM + rng.u32(0..span - CALM);
        for deed in of_family(&mut rng, &world, family) {
            acts.push(Act { minute: at.min(span - 1), deed });
            at += if rng.bool() { rng.u32(1..=20) } else { rng.u32(30..=200) };
        }
    }
    acts.sort_by_key(|act| act.minute);
    World { acts, ..world }
}

fn one<T: Copy>(rng: &mut Rng, among: &[T]) -> T {
    among[rng.usize(0..among.len())]
}

/// Makes a machine. Most are selected by a policy.
fn machine(rng: &mut Rng, number: u32, policies: &[Policy]) -> Machine {
    let selected = policies[rng.usize(0..policies.len())].backup;
    let kinds = [Kind::Linux, Kind::Linux, Kind::Linux, Kind::Arm, Kind::Windows, Kind::Encrypted];
    Machine {
        number,
        home: if rng.u8(0..4) == 0 { REGIONS[1] } else { SEAT },
        backup: if rng.u8(0..8) > 0 { selected } else { one(rng, &BACKUPS) },
        kind: one(rng, &kinds),
        disks: rng.u32(0..=2),
    }
}

fn policies(rng: &mut Rng) -> Vec<Policy> {
    let count = rng.usize(1..=3);
    let heals_all = rng.u8(0..4) > 0;
    let policy = |name: &'static str| {
        let trigger = match rng.u8(0..4) {
            0 | 1 => Trigger::Hours(one(rng, &HOURS)),
            2 => Trigger::Stopped,
            _ => Trigger::Asked,
        };
        let consistency = match (trigger, rng.u8(0..6)) {
            (Trigger::Hours(_), 0) => Consistency::AtRest,
            (Trigger::Hours(_), 1 | 2) => Consistency::StopStart,
            _ => Consistency::Crash,
        };
        let artefact = match rng.u8(0..8) {
            0 => Artefact::Snapshots,
            1 => Artefact::Created,
            _ => Artefact::Image,
        };
        let mut regions = REGIONS[1..].to_vec();
        regions.retain(|_| rng.u8(0..4) > 0);
        let key = rng.u8(0..4) == 0;
        Policy {
            name,
            backup: one(rng, &BACKUPS),
            trigger,
            consistency,
            replicas: regions.into_iter().map(|region| Replica { region, key }).collect(),
            heals: heals_all || rng.bool(),
            artefact,
            at_start: rng.u8(0..6) > 0,
        }
    };
    NAMES[..count].iter().copied().map(policy).collect()
}

fn mishaps(rng: &mut Rng, span: u32) -> Vec<Mishap> {
    let mut mishaps = Vec::new();
    // A third of the worlds is without any, and a third without dark regions.
    if rng.u8(0..3) == 0 {
        return mishaps;
    }
    if rng.u8(0..3) > 0 {
        for _ in 0..rng.u32(1..=2) {
            let region = if rng.u8(0..4) == 0 { SEAT } else { one(rng, &REGIONS) };
            let minutes = [3, 15, 60, 240, DAY];
            let (minute, minutes) = (rng.u32(0..span), one(rng, &minutes));
            mishaps.push(Mishap::Dark { region, minute, minutes });
        }
    }
    let share = rng.u8(0..6);
    for what in TROUBLES {
        if rng.u8(0..6) >= share {
            continue;
        }
        let per_mille = match what {
            Trouble::EventsLost | Trouble::EventsDoubled | Trouble::EventsLate => {
                one(rng, &[20, 100, 500])
            }
            Trouble::InvokedTwice => one(rng, &[10, 100]),
            Trouble::CreationsFailed => one(rng, &[20, 100, 300]),
            Trouble::KilledBefore | Trouble::KilledAfter | Trouble::LedgerFailedAfter => {
                one(rng, &[1, 5])
            }
            _ => one(rng, &[2, 10, 50]),
        };
        mishaps.push(Mishap::Often { what, per_mille });
    }
    mishaps
}

/// Families of acts. A seed has its own weights, many of them zero.
const FAMILIES: usize = 7;

fn all_acts(rng: &mut Rng, world: &World) -> Vec<Act> {
    let weights: [u32; FAMILIES] =
        std::array::from_fn(|_| if rng.bool() { rng.u32(1..=4) } else { 0 });
    let total: u32 = weights.iter().sum();
    let count = rng.u32(0..=8) * world.span / DAY + rng.u32(1..=8);
    let mut acts = Vec::new();
    while acts.len() < count as usize && total > 0 {
        let mut drawn = rng.u32(0..total);
        let family = weights.iter().position(|weight| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        let minute = CALM + rng.u32(0..world.span - CALM);
        let deeds = family.map(|family| of_family(rng, world, family)).unwrap_or_default();
        let mut at = minute;
        for deed in deeds {
            acts.push(Act { minute: at.min(world.span - 1), deed });
            // What belongs together is a while apart, or nearly at once.
            at += if rng.bool() { rng.u32(1..=20) } else { rng.u32(30..=600) };
        }
    }
    acts.extend(occasions(rng, world));
    acts.sort_by_key(|act| act.minute);
    acts
}

/// Stops machines and asks for points, or policies that wait for that would do nothing.
fn occasions(rng: &mut Rng, world: &World) -> Vec<Act> {
    let mut acts = Vec::new();
    for policy in &world.policies {
        for machine in &world.machines {
            if !policy.selects(machine.home, Some(machine.backup)) {
                continue;
            }
            let m = machine.number;
            let mut minute = 5 + rng.u32(0..world.span / 4);
            while minute < world.span {
                match policy.trigger {
                    Trigger::Stopped => {
                        acts.push(Act { minute, deed: Deed::Stop(m) });
                        let minute = (minute + rng.u32(2..240)).min(world.span - 1);
                        acts.push(Act { minute, deed: Deed::Start(m) });
                    }
                    Trigger::Asked => acts.push(Act { minute, deed: Deed::Ask(m, policy.name) }),
                    Trigger::Hours(_) => break,
                }
                minute += rng.u32(240..=DAY);
            }
        }
    }
    acts
}

fn of_family(rng: &mut Rng, world: &World, family: usize) -> Vec<Deed> {
    let machine = one(rng, &world.machines.iter().map(|it| it.number).collect::<Vec<_>>());
    let policy = one(rng, &world.policies.iter().map(|it| it.name).collect::<Vec<_>>());
    let region = one(rng, &REGIONS);
    let image = Pick { region, number: rng.u32(0..PICKS) };
    match (family, rng.u8(0..4)) {
        (0, 0) => vec![Deed::Stop(machine)],
        (0, _) => vec![Deed::Stop(machine), Deed::Start(machine)],
        (1, 0) => vec![Deed::Terminate(machine)],
        (1, 1) => vec![Deed::Untag(machine)],
        (1, 2) => vec![Deed::Tag(machine, one(rng, &BACKUPS))],
        (1, _) => vec![Deed::Detach(machine)],
        (2, 0) => vec![Deed::Deregister { image, with_snapshots: false }],
        (2, 1) => vec![Deed::Deregister { image, with_snapshots: true }],
        (2, 2) => vec![Deed::Deregister { image, with_snapshots: true }, Deed::Restore(image)],
        (2, _) => {
            let elsewhere = Pick { region: one(rng, &REGIONS), ..image };
            [image, elsewhere].map(|image| Deed::Deregister { image, with_snapshots: true }).into()
        }
        (3, 0) => vec![Deed::Disable(image)],
        (3, 1) => {
            let alias = if rng.bool() { Alias::Disks } else { Alias::Copies };
            vec![Deed::DisableKey(region, alias), Deed::EnableKey(region, alias)]
        }
        (3, _) => vec![Deed::Disable(image), Deed::Enable(image)],
        (4, 0) => vec![Deed::Change(policy, Change::Heals(rng.bool()))],
        (4, 1) => {
            let region = one(rng, &REGIONS[1..]);
            let change = |wanted| Deed::Change(policy, Change::Region(region, wanted));
            vec![change(false), change(true)]
        }
        (4, 2) => vec![Deed::Change(policy, Change::Hours(one(rng, &HOURS)))],
        (4, _) => vec![Deed::Remove(policy), Deed::Apply(policy)],
        (5, 0) => vec![Deed::DeleteItems(machine, Items::Point)],
        (5, 1) => vec![Deed::DeleteItems(machine, Items::PointAndReplicas)],
        (5, 2) => vec![Deed::DeleteItems(machine, Items::Replica(region))],
        (5, _) => vec![Deed::DeleteItems(machine, Items::Summary)],
        _ => vec![Deed::Ask(machine, policy)],
    }
}
