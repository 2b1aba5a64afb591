//! What is wrong with a deployment is told in one line by the first function that meets it, with a
//! code, what was tried, and the answer of AWS; and by `afterimage doctor`.

use std::collections::BTreeSet;

use afterimage::doctor::{self, Level};
use afterimage::stack::Stack;
use afterimage::system::{Options, TEMPLATE};
use afterimage_cloud::trace::Entry;
use afterimage_core::ids::Region;

use crate::scene::{self, FUNCTIONS, HOME, NIGHTLY, Scene, Stage};

impl Scene {
    /// The errors with which functions failed, as their logs have them: the code and the text.
    pub fn failures(&self) -> BTreeSet<String> {
        let ends = FUNCTIONS.into_iter().flat_map(|function| self.ends(function));
        let failed = ends.filter(|end| end.outcome != "ok");
        let text = |end: &Entry| end.detail["error"].as_str().unwrap_or_default().to_string();
        failed.map(|end| format!("{}: {}", end.outcome, text(&end))).collect()
    }
}

/// Deploys a copy of the template in which one text is replaced. After a slot, a function has
/// logged exactly such a line as an error, and the doctor has failed this check.
fn check(before: &str, after: &str, line: &str, check: &str) {
    assert!(TEMPLATE.contains(before), "{before}");
    let template = TEMPLATE.replacen(before, after, 1);
    let options = Options { template, ..Options::default() };
    scene::play_on(Stage { options, ..Stage::default() }, async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(60).await;
        let told = scene.failures();
        assert!(told.iter().any(|told| told.starts_with(line)), "{told:#?}");
        assert!(told.iter().all(|told| !told.contains("service error")), "{told:#?}");
        let region = Region::parse(HOME).expect("a region");
        let config = scene.cloud.sdk_config(HOME);
        let stack = Stack { table: scene.system.table.clone(), region, config };
        let lines = doctor::look(&stack, true).await;
        let failed = lines.iter().filter(|line| line.level == Level::Fail);
        let failed: BTreeSet<&str> = failed.map(|line| line.check).collect();
        assert_eq!(failed, BTreeSet::from([check]), "{lines:#?}");
    });
}

#[test]
fn a_permission_that_is_missing() {
    // The first grant of the template is that of backup-tick.
    check(
        "Action: [dynamodb:Query, dynamodb:PutItem, dynamodb:UpdateItem]",
        "Action: [dynamodb:PutItem, dynamodb:UpdateItem]",
        "ledger-unavailable: the ledger (afterimage) could not be read: AccessDeniedException: \
         User: arn:aws:sts::123456789012:assumed-role/",
        "schedules",
    );
}

#[test]
fn a_table_of_an_earlier_version_without_an_index() {
    let index = "        - IndexName: places\n";
    check(
        index,
        "        - IndexName: places-of-old\n",
        "ledger-unavailable: the ledger (afterimage) could not be read: ValidationException: The \
         table does not have the specified index: places",
        "table",
    );
}
