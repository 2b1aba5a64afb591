//! Requests by tag: what is written and called for each, in which order, and what a failure of one
//! means for the others.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_aws::{Aws, apply::apply};
use afterimage_cloud::Cloud;
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::command::Decision;
use afterimage_core::flow::{InForce, on_demand};
use afterimage_core::ids::InstanceId;
use afterimage_core::machine::Instance;
use afterimage_core::names::{TAG_ANSWER, TAG_ASK};
use afterimage_core::policy::file;
use afterimage_support::{SEAT, in_process, machines, records};

use afterimage_aws::ec2::Find;

use super::{actions, context, deeds};

const POLICY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
";

/// What the sweep decides on so many machines that ask.
async fn requests(cloud: &Cloud, aws: &Aws, count: i32) -> Decision {
    let config = cloud.sdk_config(SEAT);
    let ids = machines::launch(&config, count, ("backup", "gold")).await;
    cloud.advance(Duration::from_secs(60)).await;
    let mut machines = seen(aws, &ids).await;
    for machine in &mut machines {
        machine.tags.insert(TAG_ASK.to_string(), "gold".to_string());
        put(cloud, &machine.id, TAG_ASK, "gold").await;
    }
    let policies = file::read(POLICY).expect("the policy is right");
    let in_force = InForce { policies, ..InForce::default() };
    let requests = on_demand::TagRequests { machines, ..on_demand::TagRequests::default() };
    on_demand::sweep(&requests, &in_force, aws.clock.now())
}

async fn seen(aws: &Aws, ids: &[InstanceId]) -> Vec<Instance> {
    aws.ec2.instances(&records::region(SEAT), Find::Ids(ids)).await.expect("they are described")
}

async fn put(cloud: &Cloud, id: &InstanceId, key: &str, value: &str) {
    let tag = aws_sdk_ec2::types::Tag::builder().key(key).value(value).build();
    let call = aws_sdk_ec2::Client::new(&cloud.sdk_config(SEAT)).create_tags();
    call.resources(id.as_str()).tags(tag).send().await.expect("it is tagged");
}

/// The tags of the only machine there is.
async fn tags(aws: &Aws) -> BTreeMap<String, String> {
    let all = aws.ec2.instances(&records::region(SEAT), Find::All).await;
    let all = all.expect("they are described");
    assert_eq!(all.len(), 1);
    all.into_iter().next().expect("it is one").tags
}

#[test]
fn a_request_is_written_before_its_tag_goes_and_its_end_after_the_answer() {
    in_process(async |cloud, aws| {
        let decision = requests(&cloud, &aws, 1).await;
        let begun = cloud.now();
        apply(&aws, &context(&aws, 300), decision).await.expect("all is well");
        let deeds = deeds(&cloud, begun);
        let expected =
            ["TransactWriteItems", "DeleteTags", "PutItem", "CreateTags", "PutItem", "PutEvents"];
        assert_eq!(actions(&deeds), expected);
        let tags = tags(&aws).await;
        assert!(!tags.contains_key(TAG_ASK), "{tags:?}");
        assert!(tags[TAG_ANSWER].contains(" gold: gold-"), "{tags:?}");
        assert_eq!(tags["backup"], "gold");
    });
}

#[test]
fn a_request_that_is_refused_is_answered_before_its_tag_goes() {
    in_process(async |cloud, aws| {
        let id = machines::launch(&cloud.sdk_config(SEAT), 1, (TAG_ASK, "glod")).await;
        cloud.advance(Duration::from_secs(60)).await;
        let requests =
            on_demand::TagRequests { machines: seen(&aws, &id).await, ..Default::default() };
        let decision = on_demand::sweep(&requests, &InForce::default(), aws.clock.now());
        let begun = cloud.now();
        apply(&aws, &context(&aws, 300), decision).await.expect("all is well");
        assert_eq!(actions(&deeds(&cloud, begun)), ["CreateTags", "DeleteTags"]);
        let tags = tags(&aws).await;
        assert!(tags[TAG_ANSWER].ends_with(" refused: no policy is called glod"), "{tags:?}");
        assert!(!tags.contains_key(TAG_ASK));
    });
}

#[test]
fn whoever_is_slower_to_write_a_request_touches_no_tag() {
    in_process(async |cloud, aws| {
        let decision = requests(&cloud, &aws, 1).await;
        apply(&aws, &context(&aws, 300), decision.clone()).await.expect("all is well");
        let begun = cloud.now();
        let applied = apply(&aws, &context(&aws, 300), decision).await.expect("nothing failed");
        assert_eq!((applied.wrote, applied.lost), (0, 1));
        assert_eq!(actions(&deeds(&cloud, begun)), ["TransactWriteItems", "PutEvents"]);
    });
}

#[test]
fn another_request_that_was_put_meanwhile_stays() {
    in_process(async |cloud, aws| {
        let decision = requests(&cloud, &aws, 1).await;
        let machine = aws.ec2.instances(&records::region(SEAT), Find::All).await;
        let id = machine.expect("they are described")[0].id.clone();
        put(&cloud, &id, TAG_ASK, "silver").await;
        apply(&aws, &context(&aws, 300), decision).await.expect("all is well");
        assert_eq!(tags(&aws).await[TAG_ASK], "silver");
    });
}

#[test]
fn a_machine_whose_tags_cannot_be_changed_holds_up_no_other_and_is_told_at_the_end() {
    in_process(async |cloud, aws| {
        let decision = requests(&cloud, &aws, 3).await;
        let denied = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("DeleteTags");
        cloud.with(|model| model.faults.add(denied.times(1)));
        let begun = cloud.now();
        let failure = apply(&aws, &context(&aws, 300), decision).await.expect_err("one failed");
        assert_eq!(failure.code(), "ec2-unavailable");
        let deeds = deeds(&cloud, begun);
        let count = |action| deeds.iter().filter(|deed| deed.action == action).count();
        assert_eq!((count("TransactWriteItems"), count("CreateTags")), (3, 2));
        assert_eq!(count("PutEvents"), 1, "their worker is woken all the same");
    });
}

#[test]
fn a_request_whose_answer_is_denied_ends_without_it() {
    in_process(async |cloud, aws| {
        let decision = requests(&cloud, &aws, 1).await;
        let denied = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("CreateTags");
        cloud.with(|model| model.faults.add(denied));
        apply(&aws, &context(&aws, 300), decision).await.expect("nothing is left to do");
        let tags = tags(&aws).await;
        assert!(!tags.contains_key(TAG_ASK) && !tags.contains_key(TAG_ANSWER), "{tags:?}");
        let left = aws.ledger.counters_left(&records::region(SEAT), jiff::Timestamp::MAX).await;
        assert_eq!(left.expect("the ledger is read"), []);
    });
}

#[test]
fn a_machine_that_is_gone_needs_no_answer() {
    in_process(async |cloud, aws| {
        let decision = requests(&cloud, &aws, 1).await;
        let gone = |action: &str| {
            Rule::fail(When::Before, 400, "InvalidInstanceID.NotFound").action(action)
        };
        cloud.with(|model| {
            model.faults.add(gone("DeleteTags"));
            model.faults.add(gone("CreateTags"));
        });
        apply(&aws, &context(&aws, 300), decision).await.expect("nothing is left to do");
        let left = aws.ledger.counters_left(&records::region(SEAT), jiff::Timestamp::MAX).await;
        assert_eq!(left.expect("the ledger is read"), []);
    });
}

#[test]
fn changes_of_tags_keep_their_pace() {
    in_process(async |cloud, aws| {
        let decision = requests(&cloud, &aws, 5).await;
        let begun = cloud.now();
        apply(&aws, &context(&aws, 300), decision).await.expect("all is well");
        let calls = deeds(&cloud, begun).into_iter().filter(|deed| deed.action == "DeleteTags");
        let at: Vec<_> = calls.map(|call| call.at).collect();
        assert_eq!(at.len(), 5);
        // A call is answered up to so much later than it was begun.
        let least = Duration::from_millis(200 - 40);
        assert!(at.windows(2).all(|pair| pair[1].since(pair[0]) >= least), "{at:?}");
    });
}
