//! Events as they come from EventBridge: the samples of `events/` are understood, and whatever else
//! may come is either understood or said to be of no use, with a stable code.

mod bad;
mod mutated;
mod samples;

use afterimage_aws::decode::Unusable;
use afterimage_aws::{Environment, decode};
use afterimage_core::ids::{AccountId, Region};
use serde_json::Value;

/// The functions by their names, each with the sample of its event.
const SAMPLES: [(&str, &str); 7] = [
    ("backup-tick", include_str!("../../../../events/backup-tick.json")),
    ("instance-state-changed", include_str!("../../../../events/instance-state-changed.json")),
    ("instance-tagged", include_str!("../../../../events/instance-tagged.json")),
    ("work-requested", include_str!("../../../../events/work-requested.json")),
    ("snapshots-completed", include_str!("../../../../events/snapshots-completed.json")),
    ("image-state-changed", include_str!("../../../../events/image-state-changed.json")),
    ("reconcile-tick", include_str!("../../../../events/reconcile-tick.json")),
];

fn environment() -> Environment {
    Environment {
        table: "afterimage".to_string(),
        bus: "afterimage".to_string(),
        account: AccountId::parse("123456789012").expect("it is an account"),
        seat: Region::parse("us-east-1").expect("it is a region"),
        stream: "test".to_string(),
        function: "afterimage-here".to_string(),
        stop_start_at_once: 0,
        allow_reboot: false,
        heal_gib_per_day: 1024,
        template: None,
    }
}

fn sample(name: &str) -> Value {
    let (_, text) = SAMPLES.iter().find(|(known, _)| *known == name).expect("there is a sample");
    serde_json::from_str(text).expect("it is JSON")
}

/// What the decoder of a function makes of an event, as text.
fn decoded(name: &str, event: &Value) -> Result<String, Unusable> {
    let environment = environment();
    match name {
        "backup-tick" => decode::backup_tick(event, &environment).map(|e| format!("{e:?}")),
        "instance-state-changed" => {
            decode::instance_state_changed(event, &environment).map(|e| format!("{e:?}"))
        }
        "instance-tagged" => decode::instance_tagged(event, &environment).map(|e| format!("{e:?}")),
        "work-requested" => decode::work_requested(event, &environment).map(|e| format!("{e:?}")),
        "snapshots-completed" => {
            decode::snapshots_completed(event, &environment).map(|e| format!("{e:?}"))
        }
        "image-state-changed" => {
            decode::image_state_changed(event, &environment).map(|e| format!("{e:?}"))
        }
        "reconcile-tick" => decode::reconcile_tick(event, &environment).map(|e| format!("{e:?}")),
        _ => panic!("there is no function {name}"),
    }
}
