//! Machines and points that want them stopped, a ledger that takes what is written on the right
//! version only, and an EC2 that stops and starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use afterimage_core::call::{self, Answer, Call, Outcome, Reply};
use afterimage_core::command::{Command, Decision, Record};
use afterimage_core::downtime::{Downtime, DowntimeStatus, Roster};
use afterimage_core::flow::InForce;
use afterimage_core::flow::work_requested::power::{self, DiskKey, Guarded, Input, StopGate, next};
use afterimage_core::flow::work_requested::snapshot;
use afterimage_core::ids::{AmiId, InstanceId, Region, VolumeId};
use afterimage_core::machine::{Build, Grade, Instance, Machine, State, Volume};
use afterimage_core::observed::ObservedMachine;
use afterimage_core::obstacle::Obstacles;
use afterimage_core::point::{Plan, Point, Step};
use afterimage_core::policy::file::read;
use afterimage_core::policy::{Consistency, Policy, StopStart};
use afterimage_core::reason::Code;
use afterimage_core::slot::{Occasion, PointId, Slot};
use afterimage_core::status::Status;
use afterimage_core::work::{Kind, Queue};
use jiff::{SignedDuration, Timestamp};

/// So many seconds after the points were requested.
pub fn at(secs: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T02:00:00Z".parse().expect("an instant");
    start + SignedDuration::from_secs(secs)
}

pub fn home() -> Region {
    Region::parse("us-east-1").expect("a region")
}

pub fn id(number: u32) -> InstanceId {
    InstanceId::parse(&format!("i-{number:017}")).expect("an instance id")
}

/// A point that wants that machine stopped, one at a time, for ten minutes at most.
pub fn point(policy: &str, machine: u32) -> Point {
    let policy = policy.to_string().try_into().expect("a policy name");
    let slot = Slot { policy, instance: id(machine), occasion: Occasion::Scheduled(at(0)) };
    let plan = Plan {
        consistency: Consistency::StopStart,
        stop_start: StopStart { at_once: 1, timeout_secs: 600 },
        ..Plan::default()
    };
    let until = Some(at(4 * 3600));
    Point { until, ..Point::requested(slot, home(), plan, at(0)) }
}

/// The policies of the points. Every round wants them in force, and reads them only once: most of
/// the time of a long story would be spent on reading YAML.
static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let policy = |name: &str| {
        format!(
            "  {name}:\n    select: {{regions: [us-east-1], tags: {{backup: '*'}}}}\n    triggers: \
             [{{on: tag}}]\n"
        )
    };
    let policies = ["gold", "silver", "tin"].map(policy).concat();
    let policies = read(&format!("policies:\n{policies}"));
    policies.unwrap_or_else(|problems| panic!("{problems:#?}"))
});

/// The policies of the points, in force.
pub fn in_force() -> InForce {
    InForce { policies: POLICIES.clone(), ..InForce::default() }
}

pub fn wanted(point: &Point) -> Downtime {
    Downtime::wanted(point, at(0))
}

/// We stopped machine 1 for a point of `gold` then.
pub fn down(begun_at: Timestamp) -> Downtime {
    Downtime {
        status: DowntimeStatus::Down,
        launched: Some(at(-3600)),
        begun_at: Some(begun_at),
        step: Step { due_at: Some(begun_at), begun_at: Some(begun_at), ..Step::default() },
        ..wanted(&point("gold", 1))
    }
}

pub fn running(number: u32) -> ObservedMachine {
    ObservedMachine {
        instance: Instance {
            id: id(number),
            region: home(),
            state: State::Running,
            launched: at(-3600),
            hibernated: false,
            instance_type: "t3.micro".to_string(),
            spot: false,
            tags: BTreeMap::from([("backup".to_string(), "yes".to_string())]),
        },
        root_device_type: "ebs".into(),
        state_reason: None,
    }
}

/// A machine as the worker sees it that makes snapshots.
fn machine(seen: &ObservedMachine) -> Machine {
    let volume = Volume {
        id: VolumeId::parse("vol-00000000000000001").expect("a volume id"),
        device: "/dev/xvda".to_string(),
        size_gib: 8,
        volume_type: "gp3".into(),
        iops: None,
        throughput: None,
        delete_on_termination: true,
        encrypted: false,
        kms_key: None,
        shared: false,
        tags: BTreeMap::new(),
    };
    Machine {
        instance: seen.instance.clone(),
        build: Build {
            image: AmiId::parse("ami-00000000000000001").expect("an image id"),
            architecture: "x86_64".into(),
            virtualization: "hvm".into(),
            root_device_type: seen.root_device_type.clone(),
            root_device: "/dev/xvda".to_string(),
            ena: true,
            sriov: None,
            boot_mode: None,
            tpm: None,
            imds: None,
            uefi_data: None,
            instance_store: BTreeMap::new(),
            usage_operation: "RunInstances".into(),
            platform: None,
            product_codes: Vec::new(),
            image_readable: true,
        },
        volumes: vec![volume],
        left_out: Vec::new(),
    }
}

/// What there is, and what time it is.
#[derive(Clone, Debug)]
pub struct World {
    pub now: Timestamp,
    pub at_once: u32,
    pub roster: Roster,
    pub downtimes: BTreeMap<PointId, Downtime>,
    pub points: BTreeMap<PointId, Point>,
    pub machines: BTreeMap<InstanceId, ObservedMachine>,
    pub stop_protected: BTreeSet<InstanceId>,
    pub instance_store: BTreeSet<InstanceId>,
    pub start_refused: BTreeMap<InstanceId, String>,
    pub keys: BTreeMap<InstanceId, Vec<DiskKey>>,
    /// What was decided last.
    pub decided: Decision,
    /// What stands in the way of snapshots.
    pub obstacles: Obstacles,
    pub trial: Option<Outcome<()>>,
}

impl World {
    /// Running machines, 1 and up, each with a point of one of these policies.
    pub fn of(policies: &[&str]) -> World {
        let mut world = World {
            now: at(0),
            at_once: 10,
            roster: Roster::default(),
            downtimes: BTreeMap::new(),
            points: BTreeMap::new(),
            machines: BTreeMap::new(),
            stop_protected: BTreeSet::new(),
            instance_store: BTreeSet::new(),
            start_refused: BTreeMap::new(),
            keys: BTreeMap::new(),
            decided: Decision::default(),
            obstacles: Obstacles::none(Queue { region: home(), kind: Kind::Snapshot }),
            trial: None,
        };
        for (number, policy) in (1..).zip(policies) {
            let point = point(policy, number);
            world.machines.insert(id(number), running(number));
            world.points.insert(point.id.clone(), point);
        }
        world
    }

    /// The same, whose points have asked for their downtimes.
    pub fn asked(policies: &[&str]) -> World {
        let mut world = World::of(policies);
        let decision = world.look_at_points();
        world.take(&decision);
        world
    }

    pub fn pass(&mut self, secs: i64) {
        self.now += SignedDuration::from_secs(secs);
    }

    /// What the worker of snapshots decides.
    pub fn look_at_points(&self) -> Decision {
        let points: Vec<Point> = self.points.values().cloned().collect();
        let machines = self.machines.iter();
        snapshot::decide(&snapshot::Input {
            now: self.now,
            points,
            machines: machines.map(|(id, seen)| (id.clone(), machine(seen))).collect(),
            unsettled: BTreeSet::new(),
            unasked: BTreeMap::new(),
            tagged: BTreeMap::new(),
            named: BTreeMap::new(),
            images: BTreeMap::new(),
            taken: BTreeMap::new(),
            downtimes: self.downtimes.clone(),
            allow_reboot: false,
            trust: Default::default(),
            in_force: InForce { roster: self.roster.clone(), ..in_force() },
            obstacles: self.obstacles.clone(),
            sets: BTreeMap::new(),
            others: BTreeMap::new(),
            keys: BTreeMap::new(),
        })
    }

    pub fn input(&self) -> Input {
        let mut input = Input {
            now: self.now,
            region: home(),
            at_once: self.at_once,
            roster: self.roster.clone(),
            downtimes: self.downtimes.values().cloned().collect(),
            points: self.points.clone(),
            machines: self.machines.clone(),
            in_force: Some(in_force()),
            guarded: None,
            stop_gate: StopGate {
                obstacles: Some(self.obstacles.clone()),
                trial: self.trial.clone(),
            },
        };
        input.guarded = next(&input).map(|downtime| Guarded {
            instance: downtime.instance().clone(),
            stop_protected: self.stop_protected.contains(downtime.instance()),
            instance_store: self.instance_store.contains(downtime.instance()),
            start_refused: self.start_refused.get(downtime.instance()).cloned(),
            keys: self.keys.get(downtime.instance()).cloned().unwrap_or_default(),
        });
        input
    }

    /// One round of the worker that stops and starts, in which EC2 answers every call.
    pub fn round(&mut self) -> Vec<String> {
        self.round_with(World::call)
    }

    /// The same, with an EC2 of one's own; what was called.
    pub fn round_with(
        &mut self,
        mut ec2: impl FnMut(&mut World, &Command) -> Outcome<State>,
    ) -> Vec<String> {
        let decision = power::decide(&self.input());
        let mut called = Vec::new();
        for command in &decision.commands {
            if !self.write(command) {
                continue;
            }
            let Command::Call(intent) = command else { continue };
            let reply = match &intent.call {
                Call::StopInstance(call) => {
                    called.push(format!("stop {}", number(&call.instance)));
                    Reply::StopInstance(ec2(self, command))
                }
                Call::StartInstance(call) => {
                    called.push(format!("start {}", number(&call.instance)));
                    Reply::StartInstance(ec2(self, command))
                }
                _ => continue,
            };
            self.take(&call::conclude(None, &intent.change, reply, self.now).into());
        }
        self.decided = decision;
        called
    }

    /// Writes all that a decision wants to have written.
    pub fn take(&mut self, decision: &Decision) {
        for command in &decision.commands {
            self.write(command);
        }
    }

    /// All of a change, or nothing of it.
    fn write(&mut self, command: &Command) -> bool {
        let Some(change) = command.change() else { return false };
        let fits = change.writes.iter().all(|write| {
            let there = match &write.record {
                Record::Point(point) => self.points.get(&point.id).map(|point| point.version),
                Record::Downtime(downtime) => {
                    downtime.check().expect("a downtime is as it must be");
                    self.downtimes.get(&downtime.point).map(|downtime| downtime.version)
                }
                Record::Roster(_) => Some(self.roster.version).filter(|version| *version > 0),
                Record::Replica(_)
                | Record::RequestCounter(_)
                | Record::Obstacles(_)
                | Record::Brake(_) => None,
            };
            there.unwrap_or(0) == write.expected
        });
        for write in change.writes.iter().filter(|_| fits) {
            match &write.record {
                Record::Point(point) => {
                    drop(self.points.insert(point.id.clone(), (**point).clone()))
                }
                Record::Downtime(downtime) => {
                    drop(self.downtimes.insert(downtime.point.clone(), (**downtime).clone()));
                }
                Record::Roster(roster) => self.roster = (**roster).clone(),
                Record::Replica(_)
                | Record::RequestCounter(_)
                | Record::Obstacles(_)
                | Record::Brake(_) => {}
            }
        }
        fits
    }

    /// EC2 as it answers when all goes well.
    pub fn call(&mut self, command: &Command) -> Outcome<State> {
        let now = self.now;
        let Command::Call(intent) = command else { panic!("no call: {command:?}") };
        match &intent.call {
            Call::StopInstance(call) => {
                let seen = self.machines.get_mut(&call.instance).expect("a machine");
                let before = seen.instance.state;
                match before {
                    State::Running => begin_stop(seen),
                    State::Stopping | State::Stopped => {}
                    State::Pending | State::ShuttingDown | State::Terminated => {
                        return Outcome::Failed(answer("IncorrectInstanceState"));
                    }
                }
                Outcome::Made(before)
            }
            Call::StartInstance(call) => {
                let seen = self.machines.get_mut(&call.instance).expect("a machine");
                let before = seen.instance.state;
                match before {
                    State::Stopped => {
                        seen.instance.state = State::Pending;
                        seen.instance.launched = now;
                        seen.state_reason = None;
                    }
                    State::Running | State::Pending => {}
                    State::Stopping | State::ShuttingDown | State::Terminated => {
                        return Outcome::Failed(answer("IncorrectInstanceState"));
                    }
                }
                Outcome::Made(before)
            }
            _ => panic!("no call to EC2: {command:?}"),
        }
    }

    pub fn set(&mut self, machine: u32, state: State) {
        self.seen(machine).instance.state = state;
    }

    pub fn seen(&mut self, machine: u32) -> &mut ObservedMachine {
        self.machines.get_mut(&id(machine)).expect("a machine")
    }

    pub fn point(&self, machine: u32) -> &Point {
        let found = self.points.values().find(|point| *point.instance() == id(machine));
        found.expect("a point")
    }

    pub fn downtime(&self, machine: u32) -> &Downtime {
        self.downtimes.get(&self.point(machine).id).expect("a downtime")
    }

    pub fn status(&self, machine: u32) -> DowntimeStatus {
        self.downtime(machine).status
    }

    /// Why a point is where it is.
    pub fn code(&self, machine: u32) -> Option<Code> {
        self.point(machine).reason.as_ref().map(|reason| reason.code)
    }

    /// The snapshots of a point exist, and were graded.
    pub fn snapshotted(&mut self, machine: u32) {
        self.change_point(machine, |point| {
            point.status = Status::Snapshotted;
            point.grade = Some(Grade::AtRest);
        });
    }

    pub fn change_point(&mut self, machine: u32, change: impl FnOnce(&mut Point)) {
        let key = self.point(machine).id.clone();
        let point = self.points.get_mut(&key).expect("a point");
        change(point);
        point.version += 1;
    }
}

/// It was asked to stop, by a call.
pub fn begin_stop(seen: &mut ObservedMachine) {
    seen.instance.state = State::Stopping;
    seen.state_reason = Some("Client.UserInitiatedShutdown".into());
}

fn number(instance: &InstanceId) -> &str {
    instance.as_str().trim_start_matches("i-").trim_start_matches('0')
}

pub fn answer(code: &str) -> Answer {
    Answer { code: code.to_string(), message: "as EC2 put it".to_string() }
}

/// Whether a command begins the snapshots of a point.
pub fn is_snapshots(command: &Command) -> bool {
    matches!(command, Command::Call(intent) if matches!(intent.call, Call::CreateSnapshots(_)))
}

pub fn codes_said(decision: &Decision) -> Vec<Code> {
    decision.explanations.iter().map(|said| said.reason.code).collect()
}
