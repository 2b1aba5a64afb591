//! A region that cannot be looked at: nothing is called lost there, and a person is told that
//! nobody knows.

use afterimage_cloud::faults::{Rule, When};

use crate::economy::is_write;
use crate::scene::{self, HOME, IRELAND, Item, ON_STOP, Scene, codes};

const AN_HOUR: u64 = 60;
const A_DAY: u64 = 24 * AN_HOUR;

impl Scene {
    async fn told_not_audited(&self) -> Vec<Item> {
        let mut findings = self.open_findings().await;
        findings.retain(|finding| codes(finding, "reason") == ["not-audited"]);
        findings
    }

    /// The writes of the functions, since so many calls of theirs.
    fn writes_since(&self, calls: usize) -> usize {
        self.calls()[calls..].iter().filter(|call| is_write(call)).count()
    }
}

/// A replica is deleted, and nobody can see it.
fn unseen(rules: &[Rule], answer: &str) {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.fault(Rule::lose());
        scene.delete_images(IRELAND, true).await;
        for rule in rules {
            scene.fault(rule.clone());
        }
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.told_not_audited().await, Vec::<Item>::new(), "it may be over soon");
        scene.pass(3 * AN_HOUR).await;
        let told = scene.told_not_audited().await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0]["reason"].contains(answer), "{told:#?}");
        assert!(told[0]["sk"].contains(IRELAND), "{told:#?}");
        let before = (scene.the_point().await, scene.calls().len());
        scene.pass(A_DAY).await;
        assert_eq!(scene.the_point().await, before.0, "nothing is known, and nothing is written");
        let writes = scene.writes_since(before.1);
        assert!(writes <= 24, "{writes} writes: that of each audit, and no other");
        assert_eq!(scene.told_not_audited().await, told, "it is told once");

        scene.no_more_faults();
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.told_not_audited().await, Vec::<Item>::new(), "it is over");
        assert_eq!(scene.count("CopyImage", IRELAND), 2, "the loss was noticed, and healed");
        scene.assert_true().await;
    });
}

/// Images are deleted while the function that looks at them cannot: they are listed by the audit,
/// and nobody knows what became of them.
fn unconfirmed(rule: Rule) {
    scene::play(async |scene| {
        scene.protect_one(ON_STOP).await;
        scene.fault(Rule::lose());
        scene.fault(rule);
        scene.delete_images(IRELAND, true).await;
        scene.delete_images(HOME, true).await;
        let deleted = scene.cloud.now();
        let two_hours = std::time::Duration::from_secs(2 * 3600);
        let minute = std::time::Duration::from_secs(60);
        let is_told = async |scene: &Scene| scene.told_not_audited().await.len() == 2;
        scene.pass_until(minute, two_hours, is_told).await;
        println!("told after {} minutes", scene.cloud.now().since(deleted).as_secs() / 60);
        let told = scene.told_not_audited().await;
        for finding in &told {
            assert!(finding["reason"].contains("1 of our images"), "{finding:#?}");
        }
        scene.pass(A_DAY).await;
        assert_eq!(scene.told_not_audited().await, told, "it is told once");

        scene.no_more_faults();
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.told_not_audited().await, Vec::<Item>::new(), "it is over");
        scene.assert_true().await;
    });
}

#[test]
fn what_is_deleted_while_its_worker_may_not_look_is_told_as_not_confirmed() {
    let rule = Rule::fail(When::Before, 403, "UnauthorizedOperation").action("DescribeImages");
    unconfirmed(rule.principal("*WorkRequested*"));
}

#[test]
fn what_is_deleted_while_nobody_wakes_its_worker_is_told_as_not_confirmed() {
    unconfirmed(Rule::fail(When::Before, 403, "AccessDeniedException").action("PutEvents"));
}

#[test]
fn a_region_that_is_dark_is_not_audited_and_a_person_is_told_once() {
    unseen(&[Rule::time_out(When::Before).service("ec2").region(IRELAND)], "DescribeSnapshots");
}

#[test]
fn a_policy_that_forbids_the_look_is_told_with_what_is_to_be_allowed() {
    let forbidden = Rule::fail(When::Before, 403, "UnauthorizedOperation").region(IRELAND);
    unseen(&[forbidden.action("DescribeImages")], "UnauthorizedOperation");
}
