//! What artefacts say of themselves is true in the end, whatever is in the way of saying it.

use afterimage_cloud::faults::{Rule, When};

use crate::scene::{self, FRANKFURT, HOME, IRELAND, ON_STOP, Scene, Stage, codes};

/// Long enough for the path, Lambda's retries and a sweep or two.
const TWO_HOURS: u64 = 120;

impl Scene {
    /// A machine is started again between the call that makes its snapshots and the look at it.
    async fn started_again_too_soon(&self) {
        let machine = self.machine(1).await;
        self.policies(ON_STOP).await;
        self.fault(Rule::time_out(When::After).action("CreateSnapshots"));
        self.stop(&machine).await;
        assert_eq!(self.count("CreateSnapshots", HOME), 1, "it was stopped when they were begun");
        let told = self.snapshots(HOME).await;
        assert!(told.iter().all(|snapshot| snapshot.tags["afterimage:grade"] == "at-rest"));
        self.start(&machine).await;
    }

    /// Every artefact in every region says this.
    async fn assert_all_say(&self, grade: &str) {
        let point = self.the_point().await;
        assert_eq!(point["grade"], grade, "{point:#?}");
        for region in [HOME, IRELAND, FRANKFURT] {
            let images = self.images(region).await.into_iter().map(|image| (image.id, image.tags));
            let snapshots = self.snapshots(region).await.into_iter();
            let all: Vec<_> = images.chain(snapshots.map(|snap| (snap.id, snap.tags))).collect();
            assert_eq!(all.len(), 3, "{region}: an image and two snapshots");
            for (id, tags) in all {
                assert_eq!(tags["afterimage:grade"], grade, "{id} in {region}");
            }
        }
    }
}

/// `calls` are those that EC2 heard of.
fn check(blow: Option<Rule>, calls: usize) {
    scene::play(async |scene| {
        scene.started_again_too_soon().await;
        let told = format!("{blow:?}");
        scene.cloud.with(|model| model.faults.set(blow.into_iter().collect()));
        scene.pass(TWO_HOURS).await;
        assert!(scene.strikes().iter().all(|times| *times == 1), "{told}: {:?}", scene.strikes());
        scene.assert_protected_once(2).await;
        scene.assert_all_say("crash").await;
        assert_eq!(scene.count("CreateTags", HOME), calls, "{told}");
        assert_eq!(scene.count("RegisterImage", HOME), 1, "{told}");
    });
}

#[test]
fn what_turned_out_otherwise_is_put_right_before_anything_is_made_of_it() {
    check(None, 1);
}

#[test]
fn a_correction_that_fails_is_made_at_the_next_look() {
    let tags = |rule: Rule| Some(rule.action("CreateTags").times(1));
    check(tags(Rule::fail(When::Before, 403, "UnauthorizedOperation")), 1);
    check(tags(Rule::fail(When::Before, 500, "InternalError")), 1);
    // The SDK sends it again: to say the same twice is to say it once.
    check(tags(Rule::fail(When::After, 500, "InternalError")), 2);
}

#[test]
fn death_around_a_correction_is_made_up_for() {
    let tags = |rule: Rule| Some(rule.action("CreateTags").times(1));
    check(tags(Rule::kill(When::Before)), 1);
    // What was put right is not put right once more.
    check(tags(Rule::kill(When::After)), 1);
    check(Some(Rule::kill(When::Before).action("RegisterImage").times(1)), 1);
}

#[test]
fn a_machine_that_stays_stopped_says_so_from_the_first_call_on() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_STOP).await;
        scene.stop(&machine).await;
        scene.pass(TWO_HOURS).await;
        scene.assert_protected_once(2).await;
        scene.assert_all_say("at-rest").await;
        assert_eq!(scene.count("CreateTags", HOME), 0, "nothing was to be put right");
    });
}

#[test]
fn a_role_that_may_not_correct_makes_the_image_in_the_end_and_a_person_is_told() {
    let mut stage = Stage::default();
    // It may put right another tag than the grade, which shows that it may only the grade.
    let granted = r#"{"aws:TagKeys": ["afterimage:grade"]}"#;
    assert_eq!(stage.options.template.matches(granted).count(), 1);
    let other = granted.replace("grade", "attempt");
    stage.options.template = stage.options.template.replace(granted, &other);
    scene::play_on(stage, async |scene| {
        scene.started_again_too_soon().await;
        scene.no_more_faults();
        scene.pass(TWO_HOURS).await;
        assert_eq!(scene.the_point().await["status"], "snapshotted", "it waits to be put right");
        let tries = scene.calls().into_iter().filter(|call| call.action == "CreateTags");
        let outcomes: Vec<String> = tries.map(|call| call.outcome).collect();
        assert!(outcomes.len() > 2, "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| outcome == "UnauthorizedOperation"), "{outcomes:?}");
        scene.pass(24 * 60).await;
        let point = scene.the_point().await;
        assert_eq!(point["status"], "protected", "{point:#?}");
        let told = codes(&point, "findings");
        assert!(told.iter().any(|code| code == "grade-not-corrected"), "{point:#?}");
        for image in scene.images(HOME).await {
            assert_eq!(image.tags["afterimage:grade"], "crash");
        }
    });
}
