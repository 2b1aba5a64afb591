//! The template is what is tested: what is wrong in a copy of it fails a scene, with a message that
//! leads to what is wrong.

use std::time::Duration;

use afterimage_cloud::Config;
use afterimage_cloud::trace::What;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::scene::{self, Item, NIGHTLY, ON_STOP, Scene, Stage};

/// So long does a point take from its occasion to its last replica, when events arrive; by the
/// sweep it would take longer.
const PROMPT_MINUTES: u64 = 12;

/// How often the sweep runs, as the template has it.
const SWEEP_SECS: u64 = 5 * 60;

impl Scene {
    /// The points of an occasion. The audit may write one of another again, which was taken out of
    /// the ledger ([`Scene::forget`]) while its artefacts are there.
    async fn points_of(&self, occasion: &str) -> Vec<Item> {
        let mut points = self.points().await;
        points.retain(|point| point["sk"].contains(occasion));
        points
    }

    /// Whether the one machine is protected by now; if not, what stands in the way.
    async fn protected(&self, occasion: &str) -> Result<(), String> {
        let points = self.points_of(occasion).await;
        if points.len() == 1 && points.iter().all(|point| point["status"] == "protected") {
            return Ok(());
        }
        let mut told = vec![format!("{} points", points.len())];
        for point in points {
            let reason = point.get("reason").map(String::as_str).unwrap_or_default();
            told.push(format!("{} is {} {reason}", point["sk"], point["status"]));
        }
        Err(self.told(&told.join("\n")))
    }

    /// What is wrong, and all that may have led to it.
    fn told(&self, what: &str) -> String {
        let mut told = vec![what.to_string()];
        told.extend(self.diagnosis());
        told.join("\n")
    }

    /// Takes all that is known of machines out of the ledger, so that the next point is the only
    /// one, and follows no other.
    async fn forget(&self) {
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config(scene::HOME));
        let items = self.ledger().await.into_iter();
        for item in items.filter(|item| item["pk"].starts_with("machine#")) {
            let key = |name: &str| AttributeValue::S(item[name].clone());
            let gone = client.delete_item().table_name(&self.system.table);
            let gone = gone.key("pk", key("pk")).key("sk", key("sk")).send().await;
            gone.expect("the item is deleted");
        }
    }

    /// What went wrong in this world: calls that were refused, functions that failed, and events
    /// that nobody took.
    fn diagnosis(&self) -> Vec<String> {
        self.cloud.with(|model| {
            let entries = model.trace.entries();
            let mut told: Vec<String> = Vec::new();
            for entry in entries {
                let line = match entry.what {
                    What::Call if is_denied(&entry.outcome) => {
                        format!("{} may not {}:{}", entry.principal, entry.service, entry.action)
                    }
                    What::Invocation if entry.outcome != "ok" => {
                        let error = entry.detail["error"].as_str().unwrap_or_default();
                        format!("{} failed: {} {error}", entry.action, entry.outcome)
                    }
                    What::Delivery if entry.outcome == "no rule" => {
                        let events = entries.iter().filter(|event| event.what == What::Event);
                        let event = events.into_iter().find(|event| event.id == entry.id);
                        let detail = event.map(|event| &event.detail["detail"]);
                        let state = detail.and_then(|detail| detail["state"].as_str());
                        let what = format!("`{}` {}", entry.action, state.unwrap_or_default());
                        format!("no enabled rule takes {what} in {}", entry.region)
                    }
                    _ => continue,
                };
                if !told.contains(&line) {
                    told.push(line);
                }
            }
            told
        })
    }
}

fn is_denied(outcome: &str) -> bool {
    ["UnauthorizedOperation", "AccessDeniedException", "AccessDenied"].contains(&outcome)
}

/// A world in which nothing lags: an event that is ahead of what EC2 shows leaves its work to the
/// sweep, and that is not what is wrong with a template.
fn in_time() -> Stage {
    Stage { config: Config::seeded(1), ..Stage::default() }
}

/// The template with one text in it replaced; it must be there, and so often.
fn template_with(before: &str, times: usize, after: &str) -> Stage {
    let mut stage = in_time();
    let found = stage.options.template.matches(before).count();
    assert_eq!(found, times, "`{before}` is {found} times in the template");
    stage.options.template = stage.options.template.replace(before, after);
    stage
}

/// A machine is due by the schedule and, some time later, one stops: both are protected as soon as
/// they can be, without any sweep.
async fn both_at_once(scene: Scene) -> Result<(), String> {
    let machine = scene.machine(0).await;
    for (policies, occasion) in [(NIGHTLY, "-at-"), (ON_STOP, "-run-")] {
        scene.policies(policies).await;
        if policies == ON_STOP {
            // A sweep has just been, and the next one comes too late to be of help.
            let since = scene.cloud.now().secs() % SWEEP_SECS;
            scene.cloud.advance(Duration::from_secs(SWEEP_SECS - since + 10)).await;
            scene.stop(&machine).await;
            scene.pass(2).await;
            if scene.points_of(occasion).await.is_empty() {
                return Err(scene.told("two minutes after the stop nobody has asked for a point"));
            }
        } else {
            // Until the schedule is due.
            scene.pass(14).await;
        }
        scene.pass(PROMPT_MINUTES).await;
        scene.protected(occasion).await?;
        scene.forget().await;
    }
    Ok(())
}

/// What the scene says of a copy of the template.
fn told(stage: Stage) -> String {
    let told = scene::play_on(stage, both_at_once);
    told.expect_err("the scene passes, whatever the template says")
}

fn assert_leads_to(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "nothing leads to `{word}`:\n{told}");
    }
}

#[test]
fn the_template_as_it_is_passes() {
    let told = scene::play_on(in_time(), both_at_once);
    told.unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_disabled_rule_is_found() {
    let here = "(infra/region.yaml).\n        Here:\n          Type: EventBridgeRule\n          \
                Properties:\n";
    let disabled = format!("{here}            State: DISABLED\n");
    let told = told(template_with(here, 1, &disabled));
    assert_leads_to(
        &told,
        &["no enabled rule takes `EC2 Instance State-change Notification` stopped"],
    );
}

#[test]
fn a_changed_pattern_is_found() {
    let pattern = "detail-type: [Work Requested]";
    let told = told(template_with(pattern, 1, "detail-type: [Work Wanted]"));
    assert_leads_to(&told, &["no enabled rule takes `Work Requested`"]);
}

#[test]
fn a_permission_removed_is_found() {
    let granted = "Action: ec2:RegisterImage, Condition: {";
    let other = granted.replace("ec2:RegisterImage", "ec2:EnableImage");
    let told = told(template_with(granted, 1, &other));
    assert_leads_to(&told, &["work-requested", "may not ec2:RegisterImage"]);
}

#[test]
fn a_renamed_index_key_is_found() {
    let told = told(template_with("AttributeName: queue,", 2, "AttributeName: line,"));
    // The key that the index has, and that nobody fills.
    assert_leads_to(&told, &["ledger-unavailable", "key schema element: line"]);
}
