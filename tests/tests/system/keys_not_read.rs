//! Keys that KMS does not describe: nobody knows if what is under them can be used, and a person is
//! told that.

use afterimage_cloud::faults::{Rule, When};

use crate::keys::UNDER_A_KEY;
use crate::scene::{self, HOME, IRELAND, Item, Launch, Scene, codes, disk};

const AN_HOUR: u64 = 60;
const A_DAY: u64 = 24 * AN_HOUR;

impl Scene {
    /// The findings that are open with this code.
    async fn open_of(&self, code: &str) -> Vec<Item> {
        let mut findings = self.open_findings().await;
        findings.retain(|finding| codes(finding, "reason") == [code]);
        findings
    }

    /// Protects a machine whose disk has a key at home, with a copy under a key in Ireland, and
    /// disables both keys where these rules hold.
    async fn disable_unseen(&self, rule: Rule) -> [String; 2] {
        let keys = [self.make_key_in(HOME), self.make_key()];
        let disks = vec![disk("/dev/sdf", Some(&keys[0]))];
        let machine = self.launch_one(Launch { disks, ..Launch::default() }).await;
        self.policies(UNDER_A_KEY).await;
        self.stop(&machine).await;
        self.pass(2 * AN_HOUR).await;
        assert_eq!(self.the_point().await["status"], "protected");
        self.fault(rule);
        self.disable(HOME, &keys[0]).await;
        self.disable(IRELAND, &keys[1]).await;
        keys
    }

    async fn is_known_again(&self) {
        self.no_more_faults();
        self.pass(2 * AN_HOUR).await;
        for code in ["keys-not-read", "not-audited"] {
            assert_eq!(self.open_of(code).await, Vec::<Item>::new(), "it is over");
        }
        assert_eq!(self.open_of("key-unusable").await.len(), 2);
        assert_eq!(codes(&self.the_point().await, "reason"), ["key-unusable"]);
        self.assert_true().await;
    }
}

/// KMS does not describe the keys of what is good to any function.
fn unread(rule: Rule, answer: &str) {
    scene::play(async |scene| {
        let keys = scene.disable_unseen(rule).await;
        let before = scene.the_point().await;
        scene.pass(2 * AN_HOUR).await;
        assert_eq!(scene.open_of("keys-not-read").await, Vec::<Item>::new(), "it may be over soon");
        scene.pass(2 * AN_HOUR).await;
        let told = scene.open_of("keys-not-read").await;
        assert_eq!(told.len(), 2, "once for each region: {told:#?}");
        for (finding, key) in told.iter().zip([&keys[1], &keys[0]]) {
            assert!(finding["reason"].contains(answer), "{finding:#?}");
            assert!(finding["reason"].contains("the state of 1 key in"), "{finding:#?}");
            assert!(finding["reason"].contains(key), "{finding:#?}");
        }
        scene.pass(A_DAY).await;
        assert_eq!(scene.open_of("keys-not-read").await, told, "it is told once");
        assert_eq!(scene.the_point().await, before, "nothing is known, and nothing is written");
        scene.is_known_again().await;
    });
}

#[test]
fn keys_of_which_kms_tells_nothing_are_told_once_for_each_region() {
    let rule = Rule::fail(When::Before, 500, "KMSInternalException").action("DescribeKey");
    unread(rule, "KMSInternalException");
}

#[test]
fn keys_that_the_functions_may_not_describe_are_told_with_the_answer() {
    let rule = Rule::fail(When::Before, 400, "AccessDeniedException").action("DescribeKey");
    unread(rule, "KMS answers AccessDeniedException");
}

#[test]
fn a_place_whose_key_only_the_audit_can_read_is_told_as_not_confirmed() {
    scene::play(async |scene| {
        let rule = Rule::fail(When::Before, 400, "AccessDeniedException").action("DescribeKey");
        scene.disable_unseen(rule.principal("*WorkRequested*")).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.open_of("key-unusable").await.len(), 2, "the audit reads the keys");
        let told = scene.open_of("not-audited").await;
        assert_eq!(told.len(), 2, "{told:#?}");
        for finding in &told {
            assert!(finding["reason"].contains("1 of our images"), "{finding:#?}");
        }
        scene.pass(A_DAY).await;
        assert_eq!(scene.open_of("not-audited").await, told, "it is told once");
        scene.is_known_again().await;
    });
}
