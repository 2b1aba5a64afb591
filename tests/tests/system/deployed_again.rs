//! The stack is deleted, which leaves the tables, and deployed again: with the old ledger, or in
//! another region without it, by the procedures of `docs/deploy.md`.

use std::collections::BTreeSet;

use afterimage::doctor::Level;
use afterimage::rebuild::{self, Part};
use afterimage::right_table;
use afterimage::stack::Stack;
use afterimage::system::{self, Options};
use afterimage_cloud::lambda;
use afterimage_core::ids::Region;

use crate::scene::{self, ACCOUNT, FRANKFURT, FUNCTIONS, HOME, IRELAND, Item, Scene, codes};
use crate::went_back::{HOURLY, assert_protected};

/// The table of the second deployment.
const AGAIN: &str = "afterimage-2";

/// Ends a stack as far as it acts: its functions are gone.
fn delete_stack(scene: &Scene) {
    scene.cloud.with(|model| {
        for name in FUNCTIONS {
            let arn = format!("arn:aws:lambda:{HOME}:{ACCOUNT}:function:afterimage-{name}");
            lambda::remove_function(model, &arn).expect("it was there");
        }
    });
}

/// The second deployment. The embedded cloud cannot delete the rest of the first, so it has other
/// names.
fn options(table: &str) -> Options {
    let mut options = Options {
        stack: "afterimage-again".to_string(),
        regions: Vec::new(),
        ..Options::default()
    };
    let parameters = [("BusName", "afterimage-again"), ("TableName", table)];
    options.parameters.extend(parameters.map(|(name, value)| (name.into(), value.into())));
    options
}

/// `afterimage rebuild --table afterimage-2 --from afterimage`.
async fn rebuild_from(scene: &Scene, from: &str) {
    let (config, table) = (scene.cloud.sdk_config(HOME), scene.system.table.clone());
    let copied = rebuild::copy(&config, &table, from, Part::Machines).await.expect("it is copied");
    assert!(copied.items > 6 && copied.left_alone == 0, "{copied:?}");
    let overview = rebuild::look(&config, &table, &[], &|_| {}).await.expect("regions answer");
    assert_eq!((overview.known.len(), overview.missing().count()), (2, 0), "{overview:#?}");
    rebuild::write(&config, &table, &overview, &|_| {}).await.expect("it is written");
    rebuild::copy(&config, &table, from, Part::Policies).await.expect("it is copied");
}

/// Two slots are protected, the stack is deleted, and the next slot passes.
async fn two_slots_and_no_stack(scene: &Scene) {
    scene.machine(0).await;
    scene.policies(HOURLY).await;
    scene.pass(148).await;
    assert_protected(&scene.points().await, &["01", "02"], false);
    delete_stack(scene);
    scene.pass(60).await;
}

#[test]
fn a_stack_that_is_deployed_again_goes_on_with_the_old_ledger() {
    scene::play(async |scene| {
        two_slots_and_no_stack(&scene).await;
        let taken = system::deploy(&scene.cloud, &options("afterimage"));
        let taken = taken.expect_err("the table is there").to_string();
        assert!(taken.contains("TableName: afterimage exists already"), "{taken}");
        let system = system::deploy(&scene.cloud, &options(AGAIN)).expect("it is another table");
        let again = Scene { cloud: scene.cloud.clone(), system };
        // Nothing happens before somebody has rebuilt the ledger.
        again.pass(15).await;
        assert_eq!(again.count("CreateSnapshots", HOME), 2);
        rebuild_from(&again, "afterimage").await;
        again.pass(60).await;

        // The slot of the time without a stack is made up for, and the next comes as ever.
        let points = again.points().await;
        assert_protected(&points, &["01", "02", "03", "04"], false);
        assert_eq!(points.len(), 4, "{points:#?}");
        assert_eq!(again.count("CreateSnapshots", HOME), 4);
        assert_eq!(again.doubled().await, BTreeSet::new());
        assert_eq!(again.open_findings().await, []);

        // What the first stack has made is looked after: a copy that is deleted is copied again.
        let newest = again.newest_copy(IRELAND).await;
        again.deregister(IRELAND, &newest, true).await;
        again.pass(40).await;
        // With that of the slot at 05:00.
        for region in [HOME, IRELAND, FRANKFURT] {
            assert_eq!(again.available(region).await.len(), 5, "{region}");
        }
        let copied = again.available(IRELAND).await;
        assert!(copied.iter().all(|image| image.id != newest.id), "{copied:#?}");
    });
}

#[test]
fn a_seat_that_moves_to_another_region_knows_what_was_made_and_makes_no_slot_twice() {
    scene::play(async |scene| {
        two_slots_and_no_stack(&scene).await;
        let options = Options { seat: IRELAND.to_string(), ..options("afterimage") };
        let system = system::deploy(&scene.cloud, &options).expect("nothing is there");
        let moved = Scene { cloud: scene.cloud.clone(), system };
        assert_eq!(moved.points().await, Vec::<Item>::new());
        let (config, table) = (moved.cloud.sdk_config(IRELAND), moved.system.table.clone());
        let overview = rebuild::look(&config, &table, &[], &|_| {}).await.expect("regions answer");
        assert_eq!(overview.missing().count(), 2, "{overview:#?}");
        rebuild::write(&config, &table, &overview, &|_| {}).await.expect("it is written");
        moved.policies(HOURLY).await;
        moved.pass(75).await;

        let points = moved.points().await;
        assert_protected(&points, &["01", "02"], true);
        // The slot at 03:00 came while there was no seat.
        assert_protected(&points, &["04"], false);
        assert_eq!(points.len(), 3, "{points:#?}");
        assert_eq!(moved.doubled().await, BTreeSet::new());
        assert_eq!(moved.count("CreateSnapshots", HOME), 3);
        assert_eq!(moved.open_findings().await, []);
    });
}

#[test]
fn a_ledger_under_another_name_does_not_begin_anew_in_silence() {
    scene::play(async |scene| {
        two_slots_and_no_stack(&scene).await;
        let system = system::deploy(&scene.cloud, &options(AGAIN)).expect("it is another table");
        let again = Scene { cloud: scene.cloud.clone(), system };
        again.pass(10).await;
        let told = again.open_findings().await;
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(
            (codes(&told[0], "reason"), &*told[0]["region"]),
            (vec!["ledger-empty".to_string()], HOME)
        );
        let says =
            "2 images in this region have our tag: nothing is made; if the parameter TableName";
        assert!(told[0]["reason"].contains(says), "{told:#?}");
        let lines = again.doctor_of(AGAIN).await;
        let failed: Vec<_> = lines.iter().filter(|line| line.level == Level::Fail).collect();
        assert_eq!(failed.len(), 1, "{lines:#?}");
        let found = format!(
            "the ledger is empty, but 2 images in {FRANKFURT}, 2 images in {IRELAND}, 2 images in \
             {HOME} have our tag"
        );
        assert_eq!((failed[0].check, &failed[0].found), ("identity", &found));
        let notes = again.notes(AGAIN).await;
        assert!(notes.len() == 1 && notes[0].starts_with(&found), "{notes:#?}");
        // The command that still uses the old one learns that nobody else does.
        again.pass(130).await;
        let notes = again.notes("afterimage").await;
        let says = "no function has used this ledger for 3h";
        assert!(notes.len() == 1 && notes[0].starts_with(says), "{notes:#?}");

        // Whoever does not copy the old one makes nothing twice.
        again.policies(HOURLY).await;
        again.pass(60).await;
        assert_eq!(again.doubled().await, BTreeSet::new());
        assert_protected(&again.points().await, &["01", "02"], true);
        let told = again.open_findings().await;
        assert!(told.iter().all(|told| !told["reason"].contains("TableName")), "{told:#?}");
    });
}

impl Scene {
    /// What `afterimage status` says about its table.
    async fn notes(&self, table: &str) -> Vec<String> {
        let region = Region::parse(HOME).expect("a region");
        let config = self.cloud.sdk_config(HOME);
        let stack = Stack { table: table.to_string(), region, config };
        let in_force = stack.ledger().in_force().await.expect("it is read");
        let now = jiff::Timestamp::from_millisecond(
            i64::try_from(self.cloud.now().millis()).expect("in range"),
        )
        .expect("in range");
        right_table::notes(&stack, &in_force, now).await
    }

    /// The image of the newest point in a region.
    async fn newest_copy(&self, region: &str) -> scene::Image {
        let images = self.available(region).await.into_iter();
        let newest = images.max_by_key(|image| image.tags["afterimage:slot"].clone());
        newest.expect("there is one")
    }
}
