//! Summaries: what is newer stays, and nothing waits for them.

use afterimage_aws::ledger::Written;
use afterimage_core::machine::Grade;
use afterimage_core::point::Point;
use afterimage_core::summary::{Good, Latest, MachineSummary, News, Stop, Summary};

use super::records::{latest, new, policy_name, protected, requested, telling};
use super::{SEAT, World, instance, region, second, world};

async fn summary(world: &World, number: usize) -> MachineSummary {
    let found = world.ledger.summaries(&[instance(number), instance(99)]).await;
    let mut found = found.expect("the ledger can be read");
    let summary = found.remove(&instance(number)).expect("there is one");
    assert!(found.is_empty(), "the other machine has none");
    summary
}

fn good(point: &Point) -> News {
    News::Good(Good::of(point).expect("one can recover from it"))
}

#[test]
fn a_summary_tells_what_it_was_told() {
    world(async |world| {
        let point = requested(instance(1), 10);
        let stop = Stop { launched: second(5), point: point.id.clone() };
        let news = latest(&point).telling(News::Stop(stop.clone()));
        let change = new(&point).telling(Some(Summary { name: Some("web".into()), ..news }));
        assert_eq!(world.write(&change, "a").await, Written::Done);
        let gold = policy_name("gold");
        let told = summary(&world, 1).await;
        assert_eq!((told.instance, told.home), (instance(1), region(SEAT)));
        assert_eq!(told.name.as_deref(), Some("web"));
        assert_eq!(
            told.latest.into_iter().collect::<Vec<_>>(),
            [(gold.clone(), Latest::of(&point))]
        );
        assert_eq!(told.stops.into_iter().collect::<Vec<_>>(), [(gold, stop)]);
        assert!(told.good.is_empty());
    });
}

#[test]
fn what_is_older_is_written_without_a_word_to_the_summary() {
    world(async |world| {
        let (older, newer) = (requested(instance(1), 10), requested(instance(1), 20));
        world.write(&telling(&newer), "a").await;
        let (written, made) = world.requests(world.write(&telling(&older), "b")).await;
        assert_eq!(written, Written::Done);
        assert_eq!(made, ["TransactWriteItems", "PutItem"]);
        let told = summary(&world, 1).await;
        assert_eq!(told.latest[&policy_name("gold")].point, newer.id);
        let both = world.ledger.points(&[older.id, newer.id]).await;
        assert_eq!(both.expect("the ledger can be read").len(), 2);
    });
}

#[test]
fn what_is_newer_takes_the_place_of_what_is_older() {
    world(async |world| {
        // A fraction of a second, which a comparison of texts would get wrong.
        let older = requested(instance(1), 20);
        let mut newer = requested(instance(1), 21);
        newer.requested_at = "2026-01-01T00:00:20.5Z".parse().expect("an instant");
        world.write(&telling(&older), "a").await;
        let (written, made) = world.requests(world.write(&telling(&newer), "b")).await;
        assert_eq!((written, made.len()), (Written::Done, 1));
        assert_eq!(summary(&world, 1).await.latest[&policy_name("gold")].point, newer.id);
    });
}

#[test]
fn the_same_point_is_told_of_again() {
    world(async |world| {
        let point = protected(instance(1), 10);
        let news = |point: &Point| Summary::of(point).telling(good(point));
        world.write(&new(&point).telling(Some(news(&point))), "a").await;
        let mut again = point.clone();
        again.grade = Some(Grade::Crash);
        let change = afterimage_core::command::Change::point(again.clone());
        let change = change.telling(Some(news(&again)));
        assert_eq!(world.write(&change, "b").await, Written::Done);
        assert_eq!(summary(&world, 1).await.good[&policy_name("gold")].grade, Grade::Crash);
    });
}

#[test]
fn a_point_that_takes_the_place_of_its_later_request_is_told() {
    world(async |world| {
        let again = requested(instance(1), 20);
        let newest = protected(instance(1), 30);
        world.write(&telling(&again), "a").await;
        let better = Summary::of(&newest).telling(good(&newest));
        world.write(&new(&newest).telling(Some(better)), "a").await;
        // It was made for the first request of its slot, and is adopted by a ledger that went back.
        let adopted = Point { requested_at: second(10), ..again.clone() };
        let older = protected(instance(1), 10);
        let change = afterimage_core::command::Change::point(adopted.clone());
        let news = latest(&adopted).telling(good(&older));
        assert_eq!(world.write(&change.telling(Some(news)), "b").await, Written::Done);
        let (gold, told) = (policy_name("gold"), summary(&world, 1).await);
        assert_eq!(told.latest[&gold], Latest::of(&adopted));
        assert_eq!(told.good[&gold].point, newest.id, "what is good of another point stays");
    });
}

#[test]
fn of_several_news_only_those_that_are_older_are_left_out() {
    world(async |world| {
        let (older, newer) = (protected(instance(1), 10), requested(instance(1), 20));
        world.write(&telling(&newer), "a").await;
        let news = latest(&older).telling(good(&older));
        let change = new(&older).telling(Some(news));
        assert_eq!(world.write(&change, "b").await, Written::Done);
        let told = summary(&world, 1).await;
        let gold = policy_name("gold");
        assert_eq!((&told.latest[&gold].point, &told.good[&gold].point), (&newer.id, &older.id));
    });
}

#[test]
fn policies_do_not_touch_each_other() {
    world(async |world| {
        let gold = requested(instance(1), 20);
        let mut slot = gold.slot.clone();
        slot.policy = policy_name("silver");
        let silver = Point::requested(slot, region(SEAT), gold.plan.clone(), second(10));
        world.write(&telling(&gold), "a").await;
        let (_, made) = world.requests(world.write(&telling(&silver), "b")).await;
        assert_eq!(made.len(), 1);
        assert_eq!(summary(&world, 1).await.latest.len(), 2);
    });
}

#[test]
fn a_machine_keeps_its_name_until_it_has_another() {
    world(async |world| {
        for (at, name, expected) in
            [(1, Some("web"), "web"), (2, None, "web"), (3, Some("db"), "db")]
        {
            let point = requested(instance(1), at);
            let news = Summary { name: name.map(str::to_string), ..latest(&point) };
            world.write(&new(&point).telling(Some(news)), "a").await;
            assert_eq!(summary(&world, 1).await.name.as_deref(), Some(expected));
        }
    });
}

#[test]
fn no_news_are_no_summary() {
    world(async |world| {
        let point = requested(instance(1), 0);
        let change = new(&point).telling(Some(Summary::of(&point)));
        let (_, made) = world.requests(world.write(&change, "a")).await;
        assert_eq!(made, ["PutItem"]);
    });
}

#[test]
fn the_fleet_is_every_machine() {
    world(async |world| {
        for number in 0..40 {
            world.write(&telling(&requested(instance(number), 0)), "a").await;
        }
        let (fleet, made) = world.requests(world.ledger.fleet()).await;
        let fleet = fleet.expect("the ledger can be read");
        let mut seen: Vec<_> = fleet.into_iter().map(|machine| machine.instance).collect();
        seen.sort();
        assert_eq!(seen, (0..40).map(instance).collect::<Vec<_>>());
        assert_eq!(made, vec!["Query"; 16]);
    });
}
