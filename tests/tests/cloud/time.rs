//! Time: it stands still while the world waits, and passes for everybody alike.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use afterimage_cloud::config::Config;
use afterimage_cloud::dispatch::Answer;
use afterimage_cloud::http::Request;
use afterimage_cloud::lambda::{
    self, BoxFuture, Code, Context, Environment, Factory, FunctionError, FunctionSpec, Instance,
};
use afterimage_cloud::model::Scope;
use afterimage_cloud::{Cloud, Time};
use aws_types::SdkConfig;
use serde_json::{Value, json};

use crate::served;

const ROLE: &str = "arn:aws:iam::123456789012:role/functions";

/// When something happened, on the world's clock.
type Moments = Arc<Mutex<Vec<Time>>>;

/// A function that sleeps, and then notes what its clock shows.
struct Sleeper {
    sleeps: Duration,
    cloud: Cloud,
    woken: Moments,
}

impl Instance for Sleeper {
    fn handle(
        &mut self,
        _event: Value,
        _context: Context,
    ) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async move {
            tokio::time::sleep(self.sleeps).await;
            self.woken.lock().expect("nobody panicked").push(self.cloud.now());
            Ok(Value::Null)
        })
    }
}

/// Declares a function that a rule may invoke, and gives its ARN.
fn sleeper(cloud: &Cloud, name: &str, sleeps: Duration, woken: &Moments) -> String {
    let (world, woken) = (cloud.clone(), woken.clone());
    let factory: Factory = Arc::new(move |_: Environment, _: SdkConfig| {
        let instance = Sleeper { sleeps, cloud: world.clone(), woken: woken.clone() };
        Box::pin(async move { Ok(Box::new(instance) as Box<dyn Instance>) })
    });
    let scope = Scope::new("123456789012", "us-east-1");
    let mut spec = FunctionSpec::new(&scope, name, ROLE, Code::InProcess(factory));
    spec.timeout = Duration::from_secs(300);
    let arn = cloud.add_function(spec).expect("the function is declared");
    cloud.with(|model| {
        let allowed = lambda::add_permission(model, &arn, "rules", "events.amazonaws.com", None);
        allowed.expect("the permission is added");
    });
    arn
}

fn events(action: &str, body: &Value) -> Request {
    let scope = "AKIAEXAMPLE/20260101/us-east-1/events/aws4_request";
    Request {
        method: "POST".into(),
        path: "/".into(),
        headers: vec![
            ("authorization".into(), format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=0")),
            ("x-amz-target".into(), format!("AWSEvents.{action}")),
        ],
        body: body.to_string().into_bytes(),
        ..Request::default()
    }
}

/// A call that must succeed.
fn call(cloud: &Cloud, request: &Request) -> Value {
    let Answer::Reply(response) = cloud.answer(request) else { panic!("no answer") };
    let body = String::from_utf8(response.body).expect("an answer is text");
    assert_eq!(response.status, 200, "{body}");
    serde_json::from_str(&body).unwrap_or_default()
}

fn every_minute(cloud: &Cloud, arn: &str) {
    let rule = json!({ "Name": "every-minute", "ScheduleExpression": "rate(1 minute)" });
    call(cloud, &events("PutRule", &rule));
    let targets = json!({ "Rule": "every-minute", "Targets": [{ "Id": "1", "Arn": arn }] });
    let put = call(cloud, &events("PutTargets", &targets));
    assert_eq!(put["FailedEntryCount"], 0, "{put}");
}

#[test]
fn a_worker_a_tick_and_a_request_from_outside_do_not_disturb_one_another() {
    let server = served::world(Config::default());
    let world = server.world().clone();
    let (ticked, worked) = (Moments::default(), Moments::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let (ticks, works) = (ticked.clone(), worked.clone());
        let started = world.act(move |cloud| {
            let ticker = sleeper(cloud, "ticker", Duration::ZERO, &ticks);
            every_minute(cloud, &ticker);
            let worker = sleeper(cloud, "worker", Duration::from_secs(90), &works);
            cloud.with(|model| lambda::enqueue(model, &worker, json!({}))).expect("it is queued");
        });
        started.await.expect("the world is there");

        // Idle waiting moves nothing, though a worker sleeps and a rule is due: each question wakes
        // the world, and the next finds that it was idle again.
        for _ in 0..100 {
            let now = world.with(|model| model.now).await.expect("the world is there");
            assert_eq!(now, Time::START);
        }

        // While five minutes pass, requests come in and are answered.
        let passing = world.advance(Duration::from_secs(300));
        let asking = async {
            let mut answers = 0;
            for _ in 0..20 {
                let list = events("ListRules", &json!({}));
                let answer = world.call(list).await.expect("the world is there");
                assert!(matches!(answer, Answer::Reply(reply) if reply.status == 200));
                answers += 1;
            }
            answers
        };
        let (passed, answers) = tokio::join!(passing, asking);
        assert_eq!(passed.expect("the world is there"), Time::START + Duration::from_secs(300));
        assert_eq!(answers, 20);
    });

    // A cold start comes before the first run of a function.
    let cold = Config::default().pace.cold_start;
    let worked = worked.lock().expect("nobody panicked").clone();
    assert_eq!(worked, [Time::START + Duration::from_secs(90) + cold]);
    let ticked = ticked.lock().expect("nobody panicked").clone();
    let minutes: Vec<u64> = ticked.iter().map(|at| at.since(Time::START).as_secs() / 60).collect();
    assert_eq!(minutes, [1, 2, 3, 4, 5], "what is due at the last instant has happened too");
}

#[test]
fn timers_of_different_moments_fire_at_their_own() {
    Cloud::run(Config::default(), async |cloud| {
        let begun = cloud.now();
        let wakes = [3, 1, 2].map(|secs| {
            let cloud = cloud.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(secs)).await;
                cloud.now().since(begun).as_secs()
            }
        });
        let [third, first, second] = wakes;
        let (third, first, second, _) =
            tokio::join!(third, first, second, cloud.advance(Duration::from_secs(60)));
        assert_eq!([first, second, third], [1, 2, 3]);
        assert_eq!(cloud.now().since(begun), Duration::from_secs(60));
    });
}
