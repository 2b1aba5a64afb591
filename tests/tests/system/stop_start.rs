//! Machines that are stopped for their images, and started again: what a user sees of it, and what
//! a checker says that knows nothing of how it is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use afterimage::system::Options;
use afterimage_cloud::faults::{Creation, Rule, When};
use afterimage_cloud::model::Scope;
use afterimage_cloud::time::Time;
use afterimage_cloud::trace::{Entry, What};
use aws_sdk_ec2::types as ec2;

use crate::scene::{self, ACCOUNT, HOME, Item, Launch, STOP_START, Scene, Stage, codes};

const AN_HOUR: u64 = 60;

/// Two policies: as many as four machines of gold may be down together, and four of silver.
const GOLD_AND_SILVER: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    consistency: stop-start
    stop_start: {at_once: 2, timeout: 15m}
  silver:
    select: {regions: [us-east-1], tags: {backup: silver}}
    triggers: [{schedule: cron(15 0 * * ? *), timezone: UTC}]
    consistency: stop-start
    stop_start: {at_once: 4, timeout: 15m}
";

/// Beside the time that EC2 takes to stop a machine and to start it: what is ours of a downtime.
const OURS_SECS_MAX: i64 = 20;

pub fn allowed() -> Stage {
    let options = Options::default().allowing_stop_start();
    Stage { options, ..Stage::default() }
}

/// Plays a scene in which machines may be stopped, and holds it to what must hold of every one.
pub fn play(scene: impl AsyncFnOnce(&Scene)) {
    play_on(allowed(), scene);
}

pub fn play_on(stage: Stage, scene: impl AsyncFnOnce(&Scene)) {
    scene::play_on(stage, async |world| {
        scene(&world).await;
        Power::of(&world).check();
    });
}

/// What happened to each machine, from the events of EC2 and from who called it: read from the
/// trace, by nothing that the product is made of.
pub struct Power {
    changes: BTreeMap<String, Vec<Change>>,
    /// The calls of our functions that were to stop or start a machine.
    ours: Vec<Entry>,
}

/// One change of the state of a machine.
#[derive(Debug)]
struct Change {
    at: Time,
    state: String,
    /// Whether the last call before it that was to stop or start the machine was ours.
    ours: bool,
}

impl Power {
    pub fn of(scene: &Scene) -> Power {
        scene.cloud.with(|model| {
            let mut power = Power { changes: BTreeMap::new(), ours: Vec::new() };
            // Who first called for what is under way: whoever called after that did nothing.
            let mut callers: BTreeMap<String, (&str, bool)> = BTreeMap::new();
            for entry in model.trace.entries() {
                match entry.what {
                    What::Call if is_power(&entry.action) && !is_tried_out(entry) => {
                        let ours = scene::is_ours(&entry.principal);
                        if ours {
                            power.ours.push(entry.clone());
                        }
                        for id in ids(&entry.detail).into_iter().filter(|_| entry.outcome == "ok") {
                            let caller = callers.entry(id).or_insert(("", false));
                            if caller.0 != entry.action {
                                *caller = (&entry.action, ours);
                            }
                        }
                    }
                    What::Event if entry.action == "EC2 Instance State-change Notification" => {
                        let detail = &entry.detail["detail"];
                        let text =
                            |name: &str| detail[name].as_str().unwrap_or_default().to_string();
                        let id = text("instance-id");
                        let ours = callers.get(&id).is_some_and(|(_, ours)| *ours);
                        let change = Change { at: changed_at(entry), state: text("state"), ours };
                        power.changes.entry(id).or_default().push(change);
                    }
                    _ => {}
                }
            }
            for changes in power.changes.values_mut() {
                changes.sort_by_key(|change| change.at);
            }
            power
        })
    }

    /// No machine that we stopped is left stopped, and none is started that somebody else stopped.
    pub fn check(&self) {
        for (id, changes) in &self.changes {
            let mut stopped_by_us = None;
            for change in changes {
                match change.state.as_str() {
                    "stopping" => stopped_by_us = Some(change.ours),
                    "pending" => {
                        let theirs = stopped_by_us == Some(false);
                        assert!(
                            !(theirs && change.ours),
                            "{id} was not ours to start: {changes:?}"
                        );
                    }
                    "running" | "terminated" => stopped_by_us = None,
                    _ => {}
                }
            }
            assert_ne!(stopped_by_us, Some(true), "{id} is left stopped: {changes:#?}");
        }
        for call in &self.ours {
            assert!(!call.detail.to_string().contains("Force"), "by force: {call:?}");
            assert!(!call.detail.to_string().contains("Hibernate"), "{call:?}");
        }
    }

    /// How long each machine was down by our doing, from the call on until it ran again, in
    /// seconds.
    pub fn downtimes(&self) -> Vec<i64> {
        let mut all = Vec::new();
        for changes in self.changes.values() {
            let mut since = None;
            for change in changes {
                match change.state.as_str() {
                    "stopping" if change.ours => since = Some(change.at),
                    "running" => all.extend(since.take().map(|since| secs(since, change.at))),
                    _ => {}
                }
            }
        }
        all
    }

    /// How many machines of some were down together, at most.
    fn down_together(&self, of: &[String]) -> usize {
        let mut moves: Vec<(Time, i32)> = Vec::new();
        for (_, changes) in self.changes.iter().filter(|(id, _)| of.contains(id)) {
            let mut is_down = false;
            for change in changes {
                match change.state.as_str() {
                    "stopping" => moves.push((change.at, 1)),
                    "running" if is_down => moves.push((change.at, -1)),
                    _ => {}
                }
                is_down |= change.state == "stopping";
                is_down &= change.state != "running";
            }
        }
        moves.sort();
        let (mut down, mut most) = (0, 0);
        for (_, by) in moves {
            down += by;
            most = most.max(down);
        }
        usize::try_from(most).expect("not fewer than none")
    }
}

fn is_power(action: &str) -> bool {
    ["StopInstances", "StartInstances"].contains(&action)
}

/// Tells whether a call only asked if it would be allowed.
fn is_tried_out(call: &Entry) -> bool {
    call.detail.to_string().contains("DryRun")
}

/// Everything in a request that is the id of an instance.
fn ids(detail: &serde_json::Value) -> Vec<String> {
    let text = detail.to_string();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.starts_with("i-")).map(str::to_string).collect()
}

/// When it happened, as the event says; it is put on the bus some time later.
fn changed_at(entry: &Entry) -> Time {
    let time = entry.detail["time"].as_str().and_then(Time::parse);
    time.unwrap_or_else(|| panic!("it says no time: {entry:?}"))
}

fn secs(from: Time, to: Time) -> i64 {
    i64::try_from(to.since(from).as_secs()).expect("not so long")
}

impl Scene {
    pub async fn states(&self) -> BTreeMap<String, String> {
        let listed = self.ec2(HOME).describe_instances().send().await.expect("they are listed");
        let all = listed.reservations().iter().flat_map(|reservation| reservation.instances());
        let state = |instance: &ec2::Instance| {
            let state =
                instance.state().and_then(|state| state.name()).map(ec2::InstanceStateName::as_str);
            let id = instance.instance_id().unwrap_or_default();
            (id.to_string(), state.unwrap_or_default().to_string())
        };
        all.map(state).collect()
    }

    pub async fn assert_all_run(&self) {
        let states = self.states().await;
        assert!(states.values().all(|state| state == "running"), "{states:?}");
    }

    /// How often our functions stopped and started machines.
    pub fn powered(&self) -> (usize, usize) {
        let calls = self.calls();
        let calls = calls.iter().filter(|call| call.region == HOME && !is_tried_out(call));
        let (mut stops, mut starts) = (0, 0);
        for call in calls {
            stops += usize::from(call.action == "StopInstances");
            starts += usize::from(call.action == "StartInstances");
        }
        (stops, starts)
    }

    pub fn with_instance(
        &self,
        id: &str,
        change: impl FnOnce(&mut afterimage_cloud::ec2::state::Instance),
    ) {
        self.cloud.with(|model| {
            let scope = Scope::new(ACCOUNT, HOME);
            let instance = model.ec2_region(&scope).instances.get_mut(id).expect("it is there");
            change(instance);
        });
    }
}

/// What stands in a point as why it is where it is.
fn why(point: &Item) -> &str {
    point.get("reason").map_or("", String::as_str)
}

#[test]
fn a_machine_is_stopped_imaged_at_rest_and_started_again() {
    play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(STOP_START).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(2).await;
        let home = scene.available(HOME).await.remove(0);
        assert_eq!(home.tags["afterimage:grade"], "at-rest");
        assert_eq!(scene.powered(), (1, 1));
        assert_eq!(scene.states().await, [(machine, "running".to_string())].into());
        let downtimes = Power::of(scene).downtimes();
        assert_eq!(downtimes.len(), 1, "{downtimes:?}");
        // EC2 takes 30 seconds to stop it, and 15 to start it.
        let ours = downtimes[0] - 45;
        println!("down for {} s, of which {ours} s are ours", downtimes[0]);
        assert!(ours <= OURS_SECS_MAX, "down for {} s", downtimes[0]);
    });
}

#[test]
fn a_policy_has_no_more_machines_down_than_it_says() {
    play(async |scene| {
        let machines = scene.launch(Launch { count: 5, ..Launch::default() }).await;
        scene.policies(GOLD_AND_SILVER).await;
        scene.pass(AN_HOUR).await;
        let power = Power::of(scene);
        assert_eq!(power.down_together(&machines), 2);
        assert_eq!(power.downtimes().len(), 5);
        assert_eq!(scene.available(HOME).await.len(), 5);
        scene.assert_all_run().await;
    });
}

#[test]
fn the_account_has_no_more_machines_down_than_the_stack_says() {
    let mut stage = allowed();
    stage.options.parameters.insert("StopStartAtOnce".to_string(), "3".to_string());
    play_on(stage, async |scene| {
        let gold = scene.launch(Launch { count: 3, ..Launch::default() }).await;
        let silver = scene.launch(Launch { count: 4, ..Launch::default() }).await;
        for machine in &silver {
            let tags = scene.ec2(HOME).create_tags().resources(machine);
            let tags = tags.tags(scene::tag("backup", "silver"));
            tags.send().await.expect("it is tagged");
        }
        scene.policies(GOLD_AND_SILVER).await;
        scene.pass(2 * AN_HOUR).await;
        let all: Vec<String> = gold.iter().chain(&silver).cloned().collect();
        let power = Power::of(scene);
        assert_eq!(power.down_together(&all), 3);
        assert!(power.down_together(&gold) <= 2);
        assert_eq!(scene.available(HOME).await.len(), 7);
        scene.assert_all_run().await;
    });
}

/// One of two machines may not be stopped: it is not, and its point says why; the other is.
fn guarded(code: &str, guard: impl AsyncFnOnce(&Scene, &str)) {
    play(async |scene| {
        let machines = scene.launch(Launch { count: 2, ..Launch::default() }).await;
        guard(scene, &machines[0]).await;
        scene.policies(STOP_START).await;
        scene.pass(AN_HOUR).await;
        let points = scene.points().await;
        let of = |machine: &String| {
            let found = points.iter().find(|point| point["pk"].ends_with(machine.as_str()));
            found.expect("it has a point")
        };
        let (guarded, other) = (of(&machines[0]), of(&machines[1]));
        assert_eq!(guarded["status"], "refused", "{guarded:#?}");
        assert!(why(guarded).contains(code), "{guarded:#?}");
        assert_eq!(other["status"], "protected", "{other:#?}");
        assert_eq!(scene.powered(), (1, 1), "the other is stopped and started");
        scene.assert_all_run().await;
    });
}

#[test]
fn a_member_of_an_auto_scaling_group_is_not_stopped() {
    guarded("auto-scaling", async |scene, machine| {
        scene.with_instance(machine, |instance| {
            instance.tags.insert("aws:autoscaling:groupName".to_string(), "web".to_string());
        });
    });
}

#[test]
fn a_spot_instance_is_not_stopped() {
    guarded("spot", async |scene, machine| {
        scene.with_instance(machine, |instance| instance.spot = true);
    });
}

#[test]
fn a_machine_that_is_protected_is_not_stopped() {
    guarded("stop-protected", async |scene, machine| {
        let protected = ec2::AttributeBooleanValue::builder().value(true).build();
        let call = scene.ec2(HOME).modify_instance_attribute().instance_id(machine);
        call.disable_api_stop(protected).send().await.expect("it is protected");
    });
}

#[test]
fn a_machine_with_an_instance_store_is_not_stopped() {
    guarded("instance-store-volumes", async |scene, machine| {
        scene.stop(machine).await;
        let kind = ec2::AttributeValue::builder().value("m5d.large").build();
        let call = scene.ec2(HOME).modify_instance_attribute().instance_id(machine);
        call.instance_type(kind).send().await.expect("it is of another type");
        scene.start(machine).await;
    });
}

#[test]
fn where_the_stack_does_not_allow_it_nothing_is_stopped() {
    play_on(Stage::default(), async |scene| {
        scene.machine(0).await;
        scene.policies(STOP_START).await;
        scene.pass(AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "refused", "{point:#?}");
        assert!(why(&point).contains("stop-start-not-allowed"), "{point:#?}");
        assert_eq!(scene.powered(), (0, 0));
        scene.assert_all_run().await;
    });
}

#[test]
fn a_machine_that_is_stopped_already_is_imaged_at_rest_and_not_started() {
    play(async |scene| {
        let machine = scene.machine(0).await;
        scene.stop(&machine).await;
        scene.policies(STOP_START).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(1).await;
        assert_eq!(scene.available(HOME).await[0].tags["afterimage:grade"], "at-rest");
        assert_eq!(scene.powered(), (0, 0));
        assert_eq!(scene.states().await[&machine], "stopped");
    });
}

#[test]
fn a_machine_that_somebody_stops_while_it_waits_is_imaged_and_not_started() {
    play(async |scene| {
        let machines = scene.launch(Launch { count: 2, ..Launch::default() }).await;
        scene.policies(STOP_START).await;
        // One of them is down, the other waits for its place.
        let is_down = async |scene: &Scene| scene.powered().0 > 0;
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        scene.pass_until(second, hour, is_down).await;
        let states = scene.states().await;
        let waits = machines.iter().find(|id| states[*id] == "running").expect("one waits");
        scene.ec2(HOME).stop_instances().instance_ids(waits).send().await.expect("it stops");
        scene.pass(AN_HOUR).await;
        assert_eq!(scene.powered(), (1, 1));
        assert_eq!(scene.states().await[waits], "stopped");
        assert_eq!(scene.available(HOME).await.len(), 2);
    });
}

#[test]
fn a_machine_that_somebody_stops_just_before_us_is_theirs_to_start() {
    play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(STOP_START).await;
        scene.pass(13).await;
        // It was seen to run, and was asked about; the call to stop it is next.
        let is_asked = async |scene: &Scene| scene.count("DescribeInstanceTypes", HOME) > 0;
        let (moment, bound) = (Duration::from_millis(5), Duration::from_secs(600));
        scene.pass_until(moment, bound, is_asked).await;
        assert_eq!(scene.powered(), (0, 0));
        scene.ec2(HOME).stop_instances().instance_ids(&machine).send().await.expect("it stops");
        scene.pass(AN_HOUR).await;
        assert_eq!(scene.powered(), (1, 0), "EC2 told that it was stopping before");
        assert_eq!(scene.states().await[&machine], "stopped");
        assert_eq!(scene.available(HOME).await.len(), 1);
    });
}

#[test]
fn a_machine_that_hangs_in_stopping_is_started_when_it_can_be() {
    let mut stage = allowed();
    stage.config.pace.instance_stops = Duration::from_secs(40 * 60);
    play_on(stage, async |scene| {
        scene.machine(0).await;
        scene.policies(STOP_START).await;
        scene.pass(2 * AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "missed", "{point:#?}");
        assert!(why(&point).contains("stop-timeout"), "{point:#?}");
        assert!(scene.snapshots(HOME).await.is_empty());
        scene.assert_all_run().await;
        let downtimes = Power::of(scene).downtimes();
        assert!(downtimes[0] <= 40 * 60 + 15 + 45, "it is started at once: {downtimes:?}");
    });
}

#[test]
fn our_own_stop_asks_for_no_other_image() {
    play(async |scene| {
        scene.machine(0).await;
        scene.policies(&STOP_START.replace("triggers: [", "triggers: [{on: stopped}, ")).await;
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(1).await;
        scene.assert_all_run().await;
    });
}

#[test]
fn with_no_event_at_all_it_is_stopped_imaged_and_started() {
    play(async |scene| {
        scene.machine(1).await;
        scene.policies(STOP_START).await;
        scene.fault(Rule::lose());
        scene.pass(3 * AN_HOUR).await;
        scene.assert_protected_once(2).await;
        assert_eq!(scene.available(HOME).await[0].tags["afterimage:grade"], "at-rest");
        assert_eq!(scene.powered(), (1, 1));
        scene.assert_all_run().await;
        // What is lost is not in the trace either: the calls tell. EC2 takes 30 seconds to stop it.
        let calls = Power::of(scene).ours;
        let between = secs(calls[0].at, calls[1].at);
        assert!(between - 30 <= OURS_SECS_MAX, "no event is needed for that: {between} s");
    });
}

/// Whatever goes wrong with the point, and at whatever stage: the machine runs within its time.
#[test]
fn whatever_becomes_of_its_point_the_machine_runs_again() {
    let faults: [(&str, Rule); 7] = [
        ("the snapshots are refused", Rule::fail(When::Before, 403, "UnauthorizedOperation")),
        ("the snapshots fail at once", Rule::fail(When::Before, 400, "SnapshotLimitExceeded")),
        ("they are made, and nobody hears", Rule::time_out(When::After)),
        ("they are never answered", Rule::time_out(When::Before)),
        ("EC2 asks to wait", Rule::throttle()),
        ("whoever makes them dies after", Rule::kill(When::After)),
        ("whoever makes them dies before", Rule::kill(When::Before)),
    ];
    for (what, rule) in faults {
        play(async |scene| {
            scene.machine(0).await;
            scene.policies(STOP_START).await;
            scene.fault(rule.action("CreateSnapshots"));
            scene.pass(2 * AN_HOUR).await;
            assert!(scene.strikes()[0] > 0, "{what}");
            scene.assert_all_run().await;
            let downtimes = Power::of(scene).downtimes();
            assert!(downtimes[0] <= 15 * 60 + 60, "{what}: {downtimes:?}");
        });
    }
    let creations = [Creation::SnapshotSet, Creation::ImageRegistration];
    for creation in creations {
        play(async |scene| {
            scene.machine(0).await;
            scene.policies(STOP_START).await;
            scene.fault(Rule::fail_creation(&[creation], "it failed"));
            scene.pass(3 * AN_HOUR).await;
            scene.assert_all_run().await;
            assert_eq!(scene.powered(), (1, 1), "{creation:?}: not stopped twice for one point");
            let downtimes = Power::of(scene).downtimes();
            assert!(downtimes[0] - 45 <= OURS_SECS_MAX, "{creation:?}: {downtimes:?}");
        });
    }
}

#[test]
fn a_machine_that_ec2_does_not_start_is_started_for_as_long_as_it_takes() {
    play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(STOP_START).await;
        // It could be started when it was tried out.
        let is_stopped = async |scene: &Scene| scene.powered().0 > 0;
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        scene.pass_until(second, hour, is_stopped).await;
        let refused = Rule::fail(When::Before, 500, "InsufficientInstanceCapacity");
        scene.fault(refused.action("StartInstances").times(60));
        scene.pass(AN_HOUR).await;
        assert_eq!(scene.states().await[&machine], "stopped");
        let items = scene.ledger().await;
        let found: BTreeSet<&str> = items
            .iter()
            .filter(|item| item["pk"] == "findings" && codes(item, "reason") == ["not-started"])
            .map(|item| item["artefact"].as_str())
            .collect();
        assert_eq!(found, BTreeSet::from([machine.as_str()]), "a person is told");
        scene.pass(4 * AN_HOUR).await;
        scene.assert_all_run().await;
        let mut items = scene.ledger().await;
        items.retain(|item| item["pk"] == "findings" && item["artefact"] == machine);
        assert!(items.iter().all(|item| item.contains_key("resolved_at")), "{items:#?}");
    });
}
