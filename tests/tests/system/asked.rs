//! Points that somebody asks for by a tag: what comes of it, whatever becomes of the event.

use afterimage_cloud::faults::{Rule, When};
use serde_json::json;

use crate::scene::{self, HOME, IRELAND, ON_TAG, Scene, TAG_ANSWER, TAG_ASK};

/// Two policies of the same machines, one of which takes requests.
const TWO: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
  silver:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
  nightly:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: cron(15 3 * * ? *), timezone: UTC}]
";

/// No event of a change of this tag arrives any more.
fn lose_events(scene: &Scene) {
    let detail = json!({ "changed-tag-keys": [TAG_ASK] });
    scene.fault(Rule::lose().source("aws.tag").detail(detail));
}

impl Scene {
    /// What the machine says of requests: the one that it carries, and the answer to the last one.
    async fn request(&self, machine: &str) -> (Option<String>, Option<String>) {
        let mut tags = self.tags_of(HOME, machine).await;
        (tags.remove(TAG_ASK), tags.remove(TAG_ANSWER))
    }

    /// The names of all points, without the machine in them.
    async fn point_names(&self, machine: &str) -> Vec<String> {
        let digits = machine.trim_start_matches("i-");
        let name = |sk: &str| sk.trim_start_matches("point#").replace(&format!("-{digits}-"), " ");
        self.points().await.iter().map(|point| name(&point["sk"])).collect()
    }
}

#[test]
fn a_tag_brings_an_image_in_every_region_and_an_answer_and_goes() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_TAG).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(2).await;
        let (asks, answer) = scene.request(&machine).await;
        let digits = machine.trim_start_matches("i-");
        let answer = answer.expect("it is answered");
        let (when, what) = answer.split_once(' ').expect("it begins with a time");
        assert!(when.starts_with("2026-01-01T00:0") && when.ends_with('Z'), "{when}");
        assert_eq!((asks, what), (None, format!("gold: gold-{digits}-ask-1").as_str()));
        scene.pass(30).await;
        scene.assert_protected_once(2).await;
        // Neither that the tag went nor the answer has woken anybody.
        assert_eq!(scene.ends("instance-tagged").len(), 1);
    });
}

#[test]
fn a_machine_elsewhere_asks_too() {
    scene::play(async |scene| {
        let launch = scene::Launch { region: IRELAND, ..scene::Launch::default() };
        let machine = scene.launch_one(launch).await;
        scene.policies(&ON_TAG.replace("[us-east-1]", "[eu-west-1]")).await;
        scene.ask(IRELAND, &machine, "gold").await;
        scene.pass(2).await;
        let tags = scene.tags_of(IRELAND, &machine).await;
        assert!(tags.contains_key(TAG_ANSWER) && !tags.contains_key(TAG_ASK), "{tags:?}");
        assert_eq!(scene.points().await.len(), 1);
    });
}

#[test]
fn a_request_whose_event_is_lost_is_seen_by_the_sweep() {
    scene::play(async |scene| {
        let machine = scene.machine(1).await;
        scene.policies(ON_TAG).await;
        lose_events(&scene);
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(6).await;
        let (asks, answer) = scene.request(&machine).await;
        assert!(asks.is_none() && answer.is_some_and(|answer| answer.ends_with("-ask-1")));
        scene.pass(40).await;
        scene.assert_protected_once(2).await;
        assert!(scene.ends("instance-tagged").is_empty());
    });
}

#[test]
fn a_request_that_means_no_policy_of_the_machine_is_refused_on_the_machine() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(TWO).await;
        let refused = [
            ("glod", "no policy is called glod"),
            ("nightly", "policy nightly accepts no requests by tag: add on: tag to its triggers"),
        ];
        for (value, why) in refused {
            scene.ask(HOME, &machine, value).await;
            scene.pass(2).await;
            let (asks, answer) = scene.request(&machine).await;
            let answer = answer.expect("it is answered");
            let what = answer.split_once(' ').map(|(_, what)| what);
            assert_eq!((asks, what), (None, Some(format!("refused: {why}").as_str())));
        }
        assert_eq!(scene.points().await.len(), 0);
    });
}

#[test]
fn a_request_that_is_put_while_another_is_dealt_with_is_dealt_with_too() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(TWO).await;
        // The first one is taken off on the second try, half a minute later: by then there is
        // another one.
        scene.fault(Rule::time_out(When::Before).action("DeleteTags").times(1));
        scene.ask(HOME, &machine, "gold").await;
        scene.cloud.advance(std::time::Duration::from_secs(15)).await;
        assert_eq!(scene.point_names(&machine).await, ["gold ask-1"]);
        scene.ask(HOME, &machine, "silver").await;
        scene.pass(12).await;
        assert_eq!(scene.point_names(&machine).await, ["gold ask-1", "silver ask-1"]);
        assert_eq!(scene.request(&machine).await.0, None);
        // And the next one of the same value is another one.
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(12).await;
        let names = ["gold ask-1", "gold ask-2", "silver ask-1"];
        assert_eq!(scene.point_names(&machine).await, names);
        assert_eq!(scene.strikes(), [1]);
    });
}

#[test]
fn an_event_that_comes_five_times_and_the_sweep_beside_it_make_one_point() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_TAG).await;
        let detail = json!({ "changed-tag-keys": [TAG_ASK] });
        scene.fault(Rule::duplicate(4, 0..=5_000).source("aws.tag").detail(detail));
        // Just before a sweep.
        let since = scene.cloud.now().secs() % (5 * 60);
        scene.cloud.advance(std::time::Duration::from_secs(5 * 60 - since - 1)).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(60).await;
        scene.assert_protected_once(1).await;
        assert_eq!(scene.ends("instance-tagged").len(), 5);
        assert_eq!(scene.request(&machine).await.0, None);
    });
}

#[test]
fn a_function_that_may_not_change_tags_says_so_and_images_once() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_TAG).await;
        let refused = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("DeleteTags");
        scene.fault(refused);
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(60).await;
        scene.assert_protected_once(1).await;
        assert_eq!(scene.request(&machine).await, (Some("gold".to_string()), None));
        let ends = scene.ends("work-requested");
        assert_eq!(ends[0].outcome, "ec2-unavailable", "{ends:#?}");
    });
}

/// The calls of our functions, and not those of the person who asks.
const OURS: &str = "*:assumed-role/afterimage*";

#[test]
fn a_request_that_is_put_again_after_a_function_died_before_the_answer_is_another() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_TAG).await;
        let dies = Rule::kill(When::Before).principal(OURS).action("CreateTags");
        scene.fault(dies.times(1));
        scene.ask(HOME, &machine, "gold").await;
        scene.cloud.advance(std::time::Duration::from_secs(30)).await;
        assert_eq!(scene.request(&machine).await, (None, None));
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(20).await;
        assert_eq!(scene.point_names(&machine).await, ["gold ask-1", "gold ask-2"]);
        let (asks, answer) = scene.request(&machine).await;
        assert!(asks.is_none() && answer.is_some_and(|answer| answer.ends_with("-ask-2")));
        assert_eq!(scene.strikes(), [1]);
    });
}

#[test]
fn a_request_whose_answer_is_denied_ends_and_the_next_one_is_heard() {
    scene::play(async |scene| {
        let machine = scene.machine(0).await;
        scene.policies(ON_TAG).await;
        let denied = Rule::fail(When::Before, 403, "UnauthorizedOperation").principal(OURS);
        scene.fault(denied.action("CreateTags"));
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(60).await;
        scene.assert_protected_once(1).await;
        assert_eq!(scene.request(&machine).await, (None, None));
        // A policy that nobody has is refused, and that cannot be answered either.
        scene.ask(HOME, &machine, "glod").await;
        scene.pass(60).await;
        scene.ask(HOME, &machine, "gold").await;
        scene.pass(60).await;
        assert_eq!(scene.request(&machine).await, (None, None));
        assert_eq!(scene.point_names(&machine).await, ["gold ask-1", "gold ask-2"]);
        assert_eq!((scene.strikes(), scene.dead_letters()), (vec![3], 0));
        for function in ["instance-tagged", "work-requested", "reconcile-tick"] {
            let ends = scene.ends(function);
            assert!(ends.iter().all(|end| end.outcome == "ok"), "{function}: {ends:#?}");
        }
    });
}
