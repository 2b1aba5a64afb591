//! Rules that fire by the clock.

use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::faults::Rule;
use serde_json::{Value, json};

use super::{ACCOUNT, HOME, at, world};

const MINUTE: Duration = Duration::from_secs(60);

async fn minutes(cloud: &Cloud, count: u32) {
    cloud.advance(MINUTE * count).await;
}

fn every_minute(cloud: &Cloud) {
    let home = at(cloud, HOME);
    let queue = home.queue("q");
    home.rule("tick", json!({ "ScheduleExpression": "rate(1 minute)" }), json!({ "Arn": queue }));
}

fn times(cloud: &Cloud) -> Vec<String> {
    let bodies = at(cloud, HOME).bodies("q");
    bodies.iter().map(|body| body["time"].as_str().expect("a time").to_string()).collect()
}

#[test]
fn a_rate_of_a_minute_fires_sixty_times_an_hour() {
    world(async |cloud| {
        every_minute(&cloud);
        minutes(&cloud, 60).await;
        let bodies = at(&cloud, HOME).bodies("q");
        assert_eq!(bodies.len(), 60);
        assert_eq!(
            bodies[0],
            json!({
                "version": "0",
                "id": bodies[0]["id"],
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": ACCOUNT,
                "time": "2026-01-01T00:01:00Z",
                "region": HOME,
                "resources": [format!("arn:aws:events:{HOME}:{ACCOUNT}:rule/tick")],
                "detail": {},
            })
        );
        assert_eq!(bodies[59]["time"], "2026-01-01T01:00:00Z");
        assert_ne!(bodies[0]["id"], bodies[1]["id"]);
    });
}

#[test]
fn a_rate_counts_from_when_the_rule_was_enabled() {
    world(async |cloud| {
        every_minute(&cloud);
        let home = at(&cloud, HOME);
        cloud.advance(Duration::from_secs(90)).await;
        home.events("DisableRule", json!({ "Name": "tick" }));
        cloud.advance(Duration::from_secs(600)).await;
        assert_eq!(times(&cloud), ["2026-01-01T00:01:00Z"]);
        home.events("EnableRule", json!({ "Name": "tick" }));
        cloud.advance(Duration::from_secs(120)).await;
        assert_eq!(times(&cloud), ["2026-01-01T00:12:30Z", "2026-01-01T00:13:30Z"]);
    });
}

#[test]
fn a_rule_that_is_put_again_keeps_its_rhythm_or_takes_the_new_one() {
    world(async |cloud| {
        every_minute(&cloud);
        let home = at(&cloud, HOME);
        let put = |rate: &str| {
            home.events("PutRule", json!({ "Name": "tick", "ScheduleExpression": rate }));
        };
        cloud.advance(Duration::from_secs(30)).await;
        put("rate(1 minute)");
        cloud.advance(Duration::from_secs(30)).await;
        assert_eq!(times(&cloud), ["2026-01-01T00:01:00Z"], "once, at its old time");
        cloud.advance(Duration::from_secs(30)).await;
        put("rate(5 minutes)");
        minutes(&cloud, 5).await;
        assert_eq!(times(&cloud), ["2026-01-01T00:06:30Z"]);
    });
}

#[test]
fn a_rule_that_is_gone_fires_no_more() {
    world(async |cloud| {
        every_minute(&cloud);
        let home = at(&cloud, HOME);
        home.events("RemoveTargets", json!({ "Rule": "tick", "Ids": ["target"] }));
        home.events("DeleteRule", json!({ "Name": "tick" }));
        cloud.advance(Duration::from_secs(30)).await;
        let queue = format!("arn:aws:sqs:{HOME}:{ACCOUNT}:q");
        let rate = json!({ "ScheduleExpression": "rate(1 minute)" });
        home.rule("tick", rate, json!({ "Arn": queue }));
        minutes(&cloud, 1).await;
        assert_eq!(times(&cloud), ["2026-01-01T00:01:30Z"], "only by its new time");
    });
}

#[test]
fn a_cron_expression_fires_by_the_calendar() {
    world(async |cloud| {
        let home = at(&cloud, HOME);
        let queue = home.queue("q");
        let cron = json!({ "ScheduleExpression": "cron(15 6 * * ? *)" });
        home.rule("daily", cron, json!({ "Arn": queue }));
        minutes(&cloud, 2 * 24 * 60).await;
        assert_eq!(times(&cloud), ["2026-01-01T06:15:00Z", "2026-01-02T06:15:00Z"]);
    });
}

#[test]
fn a_scheduled_event_is_for_its_own_rule_and_comes_at_least_once() {
    world(async |cloud| {
        every_minute(&cloud);
        let home = at(&cloud, HOME);
        let other = home.queue("other");
        let pattern = json!({ "source": ["aws.events"] }).to_string();
        home.rule("other", json!({ "EventPattern": pattern }), json!({ "Arn": other }));
        cloud.with(|model| model.faults.set(vec![Rule::lose()]));
        minutes(&cloud, 1).await;
        assert_eq!(times(&cloud).len(), 1);
        assert_eq!(home.bodies("other"), [Value::Null; 0]);
        cloud.with(|model| model.faults.set(vec![Rule::duplicate(1, 0..=0)]));
        minutes(&cloud, 1).await;
        assert_eq!(times(&cloud).len(), 2);
    });
}
