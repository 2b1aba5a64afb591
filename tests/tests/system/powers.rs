//! Powers that the stack has to grant: machines are rebooted only where it allows that, only those
//! are stopped that can be started again, and a tag does neither again and again.

use std::collections::BTreeMap;

use afterimage::system::{self, Options};
use afterimage_cloud::deploy::Deployment;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::model::Scope;
use afterimage_cloud::time::Time;
use afterimage_cloud::{Cloud, Config};

use crate::scene::{
    self, ACCOUNT, HOME, Launch, STOP_START, Scene, Stage, TAG_ANSWER, TAG_ASK, codes,
};

const AN_HOUR: u64 = 60;

/// Machines that are rebooted for their images whenever somebody asks.
const REBOOT: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    consistency: reboot
";

/// Machines that are stopped for their images whenever somebody asks.
const STOP_ON_TAG: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    consistency: stop-start
  plain:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
";

fn stage(options: Options) -> Stage {
    Stage { options, ..Stage::default() }
}

fn stopping() -> Stage {
    stage(Options::default().allowing_stop_start())
}

fn rebooting() -> Stage {
    stage(Options::default().allowing_reboot())
}

impl Scene {
    /// Time since which a machine has been up. No event tells of a reboot.
    fn up_since(&self, machine: &str) -> Option<Time> {
        self.cloud.with(|model| {
            let region = model.ec2_region(&Scope::new(ACCOUNT, HOME));
            region.instances[machine].running_since
        })
    }

    /// Number of calls of our functions that had EC2 take a machine down to image it.
    fn reboots(&self) -> usize {
        let calls = self.calls().into_iter().filter(|call| call.action == "CreateImage");
        let said = calls.map(|call| call.detail.to_string().replace(['"', ' '], ""));
        said.filter(|said| !said.contains("NoReboot:true")).count()
    }

    /// The state and the text of the reason of each point, by its machine.
    async fn outcomes(&self) -> BTreeMap<String, (String, Vec<String>, String)> {
        let points = self.points().await;
        let told = points.iter().map(|point| {
            let reason = point.get("reason").cloned().unwrap_or_default();
            let machine = point["pk"].trim_start_matches("machine#").to_string();
            (machine, (point["status"].clone(), codes(point, "reason"), reason))
        });
        told.collect()
    }
}

/// The only point is refused under a code, with a text; and the machine was left as it was.
async fn assert_not_rebooted(scene: &Scene, machine: &str, code: &str, says: &str) {
    let before = scene.up_since(machine);
    assert!(before.is_some(), "it runs");
    scene.policies(REBOOT).await;
    scene.ask(HOME, machine, "gold").await;
    scene.pass(30).await;
    let point = scene.the_point().await;
    assert_eq!(point["status"], "refused", "{point:#?}");
    assert_eq!(codes(&point, "reason"), [code], "{point:#?}");
    assert!(point["reason"].contains(says), "{point:#?}");
    assert_eq!(scene.reboots(), 0);
    assert_eq!(scene.up_since(machine), before);
    assert_eq!(scene.images(HOME).await, []);
}

#[test]
fn where_the_stack_does_not_allow_it_nothing_is_rebooted() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        assert_not_rebooted(&scene, &machine, "reboot-not-allowed", "AllowReboot=true").await;
    });
}

#[test]
fn where_the_stack_allows_it_a_machine_is_rebooted_once_for_its_image() {
    scene::play_on(rebooting(), async |scene| {
        let machine = scene.machine(0).await;
        let before = scene.up_since(&machine);
        scene.policies(REBOOT).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(30).await;
        let point = scene.the_point().await;
        assert_eq!((&*point["status"], &*point["grade"]), ("protected", "reboot"), "{point:#?}");
        assert_eq!(scene.reboots(), 1);
        assert_ne!(scene.up_since(&machine), before);
    });
}

#[test]
fn a_member_of_an_auto_scaling_group_and_a_spot_instance_are_not_rebooted() {
    scene::play_on(rebooting(), async |scene| {
        let machine = scene.machine(0).await;
        scene.with_instance(&machine, |instance| {
            instance.tags.insert("aws:autoscaling:groupName".to_string(), "web".to_string());
        });
        let says = "its Auto Scaling group web would replace it; use `consistency: crash`";
        assert_not_rebooted(&scene, &machine, "auto-scaling", says).await;
    });
    scene::play_on(rebooting(), async |scene| {
        let machine = scene.machine(0).await;
        scene.with_instance(&machine, |instance| instance.spot = true);
        assert_not_rebooted(&scene, &machine, "spot", "use `consistency: crash`").await;
    });
}

#[test]
fn a_limit_of_downtimes_that_no_function_could_read_is_refused() {
    let is_accepted = |limit: &str| {
        let mut options = Options::default().allowing_stop_start();
        options.parameters.insert("StopStartAtOnce".to_string(), limit.to_string());
        Cloud::run(Config::seeded(1), async move |cloud| system::deploy(&cloud, &options).is_ok())
    };
    assert!(is_accepted("1") && is_accepted("1000"));
    for limit in ["0", "-1", "2.5", "1001", "ten"] {
        assert!(!is_accepted(limit), "{limit}");
    }
}

/// A key in an account, with its policy.
fn make_key(scene: &Scene, account: &str, statement: &str) -> String {
    let template = format!(
        "
Resources:
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy:
        Version: \"2012-10-17\"
        Statement:
          - {{Effect: Allow, Principal: {{AWS: !Sub \"arn:aws:iam::${{AWS::AccountId}}:root\"}},
              Action: \"kms:*\", Resource: \"*\"}}
          - {statement}
"
    );
    let deployment = Deployment {
        account: account.to_string(),
        region: HOME.to_string(),
        stack_name: "keys".to_string(),
        ..Deployment::default()
    };
    let stack = scene.cloud.deploy(&template, deployment).expect("a key is made");
    format!("arn:aws:kms:{HOME}:{account}:key/{}", stack.resources["Key"])
}

fn key_of_ours(scene: &Scene) -> String {
    let statement = format!(
        "{{Effect: Allow, Principal: {{AWS: \"arn:aws:iam::{ACCOUNT}:root\"}}, \
         Action: \"kms:DescribeKey\", Resource: \"*\"}}"
    );
    make_key(scene, ACCOUNT, &statement)
}

async fn machine_with_key(scene: &Scene, key: &str) -> String {
    let disks = vec![scene::disk("/dev/sdf", Some(key))];
    scene.launch_one(Launch { disks, ..Launch::default() }).await
}

/// One of two machines could not be started again: it is never stopped, and its point says why;
/// the other is stopped, imaged and started. Both have encrypted disks.
fn not_startable(says: &str, spoil: impl AsyncFnOnce(&Scene) -> String) {
    scene::play_on(stopping(), async |scene| {
        let other = machine_with_key(&scene, "alias/aws/ebs").await;
        let machine = spoil(&scene).await;
        scene.policies(STOP_START).await;
        scene.pass(2 * AN_HOUR).await;
        let told = scene.outcomes().await;
        let (status, codes, reason) = &told[&machine];
        assert_eq!(status, "refused", "{told:#?}");
        assert_eq!(*codes, ["not-startable"], "{told:#?}");
        assert!(reason.contains(says), "{reason}");
        assert_eq!(told[&other].0, "protected", "{told:#?}");
        assert_eq!(scene.powered(), (1, 1), "the other is stopped and started");
        assert!(scene.states().await.values().all(|state| state == "running"));
    });
}

#[test]
fn a_machine_with_a_disk_under_a_key_of_another_account_is_not_stopped() {
    not_startable("belongs to another account", async |scene| {
        let statement = format!(
            "{{Effect: Allow, Principal: {{AWS: \"arn:aws:iam::{ACCOUNT}:root\"}}, \
             Action: \"kms:*\", Resource: \"*\"}}"
        );
        let key = make_key(scene, "111122223333", &statement);
        machine_with_key(scene, &key).await
    });
}

#[test]
fn a_machine_with_a_disk_under_a_key_that_is_disabled_or_goes_is_not_stopped() {
    not_startable("is Disabled", async |scene| {
        let key = key_of_ours(scene);
        let machine = machine_with_key(scene, &key).await;
        scene.disable(HOME, &key).await;
        machine
    });
    not_startable("is PendingDeletion", async |scene| {
        let key = key_of_ours(scene);
        let machine = machine_with_key(scene, &key).await;
        let call = scene.kms(HOME).schedule_key_deletion().key_id(&key).pending_window_in_days(7);
        call.send().await.expect("it is to be deleted");
        machine
    });
}

#[test]
fn a_machine_with_a_disk_under_a_key_that_shuts_our_role_out_is_not_stopped() {
    not_startable("AccessDenied", async |scene| {
        let key = make_key(
            scene,
            ACCOUNT,
            "{Effect: Deny, Principal: \"*\", Action: [\"kms:DescribeKey\", \"kms:CreateGrant\"], \
             Resource: \"*\", Condition: {ArnLike: \
             {\"aws:PrincipalArn\": \"arn:aws:iam::*:role/afterimage-*\"}}}",
        );
        machine_with_key(scene, &key).await
    });
}

#[test]
fn where_the_role_may_not_start_machines_none_is_stopped() {
    let mut stage = stopping();
    let start = "Action: ec2:StartInstances";
    assert_eq!(stage.options.template.matches(start).count(), 1);
    stage.options.template = stage.options.template.replace(start, "Action: ec2:RebootInstances");
    scene::play_on(stage, async |scene| {
        scene.machine(0).await;
        scene.policies(STOP_START).await;
        scene.pass(2 * AN_HOUR).await;
        let point = scene.the_point().await;
        assert_eq!(codes(&point, "reason"), ["not-startable"], "{point:#?}");
        assert!(point["reason"].contains("UnauthorizedOperation"), "{point:#?}");
        assert_eq!(scene.powered(), (0, 0));
    });
}

#[test]
fn while_kms_does_not_answer_a_machine_with_an_encrypted_disk_waits() {
    scene::play_on(stopping(), async |scene| {
        machine_with_key(&scene, "alias/aws/ebs").await;
        scene.policies(STOP_START).await;
        let down = Rule::fail(When::Before, 500, "KMSInternalException").service("kms");
        scene.fault(down.times(30));
        scene.pass(18).await;
        assert_eq!(scene.powered(), (0, 0));
        scene.pass(AN_HOUR).await;
        scene.assert_protected_once(2).await;
        assert_eq!(scene.powered(), (1, 1));
    });
}

#[test]
fn a_tag_stops_a_machine_once_an_hour_and_is_answered_in_between() {
    scene::play_on(stopping(), async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(STOP_ON_TAG).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(10).await;
        assert_eq!(scene.powered(), (1, 1));
        for _ in 0..4 {
            scene.ask(HOME, &machine, "gold").await;
            scene.pass(11).await;
            let tags = scene.tags_of(HOME, &machine).await;
            let answer = &tags[TAG_ANSWER];
            assert!(answer.contains("refused: policy gold stops this machine"), "{answer}");
            assert!(answer.contains("again from 2026-01-01T01:0"), "{answer}");
            assert!(!tags.contains_key(TAG_ASK), "{tags:?}");
        }
        assert_eq!(scene.powered(), (1, 1), "no tag has stopped it again");
        // A policy that leaves the machine running is not held back by that.
        for count in 1..=2 {
            scene.ask(HOME, &machine, "plain").await;
            scene.pass(11).await;
            let points = scene.points().await;
            let plain = points.iter().filter(|point| point["sk"].contains("plain-")).count();
            assert_eq!(plain, count, "{points:#?}");
        }
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(11).await;
        assert_eq!(scene.powered(), (2, 2), "an hour later it is heard");
    });
}

#[test]
fn a_tag_reboots_a_machine_once_an_hour() {
    scene::play_on(rebooting(), async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(REBOOT).await;
        for _ in 0..4 {
            scene.ask(HOME, &machine, "gold").await;
            scene.pass(12).await;
        }
        assert_eq!(scene.reboots(), 1);
        let answer = scene.tags_of(HOME, &machine).await.remove(TAG_ANSWER);
        let answer = answer.expect("it is answered");
        assert!(answer.contains("refused: policy gold reboots this machine"), "{answer}");
    });
}
