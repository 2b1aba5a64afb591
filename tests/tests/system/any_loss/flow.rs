//! The flows in which something is lost, and their moments.

use std::time::Duration;

use afterimage_cloud::Time;
use afterimage_cloud::trace::Entry;

use crate::scene::{self, CREATED, HOME, ON_STOP, SNAPSHOTS, STOP_START, Scene, Stage};

/// The calls that change something in EC2.
const CHANGES: [&str; 7] = [
    "CreateSnapshots",
    "CreateImage",
    "RegisterImage",
    "CopyImage",
    "CreateTags",
    "StopInstances",
    "StartInstances",
];

/// Time in which every flow comes to its end.
const FLOW: Duration = Duration::from_secs(50 * 60);

/// The shortest time between two calls in which EC2 completes something.
const GAP: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// A machine stops, its image is registered and copied twice.
    Stopped,
    /// EC2 creates the image of a machine that runs.
    Created,
    /// The machine is stopped for its image and started again.
    StopStart,
    /// A machine stops, and snapshots are all that is made.
    Snapshots,
}

pub const FLOWS: [Flow; 4] = [Flow::Stopped, Flow::Created, Flow::StopStart, Flow::Snapshots];

/// A moment of a flow.
#[derive(Clone, Debug)]
pub struct Moment {
    pub at: Time,
    pub name: String,
}

impl Flow {
    fn policies(self) -> &'static str {
        match self {
            Flow::Stopped => ON_STOP,
            Flow::Created => CREATED,
            Flow::StopStart => STOP_START,
            Flow::Snapshots => SNAPSHOTS,
        }
    }

    pub fn stage(self) -> Stage {
        let mut stage = Stage::default();
        if self == Flow::StopStart {
            stage.options = stage.options.allowing_stop_start();
        }
        stage
    }

    /// Prepares a world up to the moment before the functions begin.
    pub async fn begin(self, scene: &Scene) {
        let machine = scene.machine(1).await;
        scene.policies(self.policies()).await;
        scene.pass(10).await;
        match self {
            Flow::Stopped | Flow::Snapshots => {
                let stop = scene.ec2(HOME).stop_instances().instance_ids(machine);
                stop.send().await.expect("the machine stops");
            }
            Flow::Created => scene.ask(HOME, &machine, "gold").await,
            Flow::StopStart => {}
        }
    }

    /// The moments of the flow in which nothing is lost: right after each call that changes
    /// something, right before the next if there is time between them, and long after the last.
    pub fn moments(self) -> Vec<Moment> {
        let calls = scene::play_on(self.stage(), async |scene| {
            self.begin(&scene).await;
            scene.cloud.advance(FLOW).await;
            scene.calls()
        });
        let is_change = |call: &&Entry| CHANGES.contains(&call.action.as_str());
        let changes: Vec<(Time, String)> = calls
            .iter()
            .filter(|call| call.outcome == "ok")
            .filter(is_change)
            .map(|call| (call.at, format!("{} in {}", call.action, call.region)))
            .collect();
        let last = changes.last().expect("something is made").0;
        let next = changes.iter().skip(1).map(|(at, name)| (*at, format!("before {name}")));
        let next = next.chain([(last + FLOW, "long after the last call".to_string())]);
        let mut moments = Vec::new();
        for ((at, name), (then, until)) in changes.iter().zip(next) {
            if then == *at {
                continue;
            }
            moments.push(Moment { at: *at, name: format!("after {name}") });
            if then.since(*at) > GAP {
                moments.push(Moment { at: then - Duration::from_secs(1), name: until });
            }
        }
        moments
    }

    /// Tells whether the machine still stands as the policy wants it when everything is lost.
    pub fn stands(self) -> bool {
        self != Flow::StopStart
    }

    /// The regions in which the policy wants an image of the point, or its snapshots.
    pub fn places(self) -> &'static [&'static str] {
        match self {
            Flow::Snapshots => &[HOME],
            _ => &[HOME, scene::IRELAND, scene::FRANKFURT],
        }
    }
}
