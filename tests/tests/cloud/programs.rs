//! Real Lambda binaries: built with `lambda_runtime` and the SDK, they know nothing of this cloud
//! but what their environment says.

use std::time::{Duration, Instant};

use afterimage_cloud::Config;
use afterimage_cloud::door::port::{Options, Server, World};
use afterimage_cloud::lambda::{Code, FunctionSpec, enqueue};
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::{Entry, What};
use serde_json::{Value, json};

use crate::served;

const ROLE: &str = "arn:aws:iam::123456789012:role/tagger";
/// A hang is a failure, after longer than any machine should need.
const PATIENCE: Duration = Duration::from_secs(60);

async fn serve() -> (Server, String) {
    let listen = ([127, 0, 0, 1], 0).into();
    let options = Options { listen, speed: 1, config: Config::default() };
    let server = Server::start(options).expect("a free port can be had");
    let program = env!("CARGO_BIN_EXE_tagging-function").into();
    let scope = Scope::new("123456789012", "us-east-1");
    let mut spec = FunctionSpec::new(&scope, "tagger", ROLE, Code::Binary(program));
    spec.timeout = Duration::from_secs(20);
    spec.retry_attempts = 0;
    let declared = server.world().act(move |cloud| {
        cloud.with(|model| {
            let policy = json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": "ec2:CreateTags",
                    "Resource": "arn:aws:ec2:*:123456789012:instance/*",
                }],
            });
            let role = model.principals.declare_role(ROLE, &[policy], None);
            role.expect("the policy is one");
        });
        cloud.add_function(spec).expect("the function is declared")
    });
    let arn = declared.await.expect("the world is there");
    (server, arn)
}

/// Puts an event into the function's queue, and waits for the end of that try.
async fn invoke(world: &World, arn: &str, event: Value, number: usize) -> Entry {
    let arn = arn.to_string();
    let queued = world.with(move |model| enqueue(model, &arn, event)).await;
    queued.expect("the world is there").expect("the function is there");
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let begun = Instant::now();
    loop {
        let tries = world.with(|model| {
            let tries = model.trace.entries().iter().filter(|e| e.what == What::Invocation);
            tries.cloned().collect::<Vec<_>>()
        });
        let tries = tries.await.expect("the world is there");
        if let Some(ended) = tries.get(number) {
            return ended.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "the function does not end: {tries:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Launches a machine through the port, as the administrator, and gives its id.
fn launch(server: &Server) -> String {
    let script = "
import boto3, sys
ec2 = boto3.client('ec2', endpoint_url=sys.argv[1], region_name='us-east-1',
                   aws_access_key_id='any', aws_secret_access_key='any')
image = ec2.describe_images(Owners=['amazon'],
    Filters=[{'Name': 'name', 'Values': ['al2023-ami-*-x86_64']}])['Images'][0]['ImageId']
run = ec2.run_instances(ImageId=image, InstanceType='t3.micro', MinCount=1, MaxCount=1)
print(run['Instances'][0]['InstanceId'])
";
    let output = served::python(&["-c", script, &server.url()]).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

#[test]
fn a_real_binary_is_started_fed_and_held_to_its_role() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let (server, arn) = serve().await;
        let machine = launch(&server);
        let world = server.world().clone();

        let good = invoke(&world, &arn, json!({ "machine": machine }), 0).await;
        assert_eq!(good.outcome, "ok", "{good:#?}");
        let id = machine.clone();
        let tags = world.with(move |model| {
            let scope = Scope::new("123456789012", "us-east-1");
            model.ec2_region(&scope).instances[&id].tags.clone()
        });
        let tags = tags.await.expect("the world is there");
        assert_eq!(tags.get("tagged-by"), Some(&good.id), "{tags:?}");

        // Its role allows machines only.
        let volume = "vol-0123456789abcdef0";
        let refused = invoke(&world, &arn, json!({ "machine": volume }), 1).await;
        assert_ne!(refused.outcome, "ok", "{refused:#?}");
        let lines = world.with(|model| model.trace.entries().to_vec()).await;
        let lines = lines.expect("the world is there");
        let calls: Vec<_> = lines
            .iter()
            .filter(|e| e.what == What::Call && e.principal.contains("assumed-role/tagger/"))
            .map(|e| (e.action.as_str(), e.outcome.as_str()))
            .collect();
        assert_eq!(
            calls,
            [("CreateTags", "ok"), ("CreateTags", "InvalidVolume.NotFound")],
            "{lines:#?}"
        );
        server.stop();
    });
}
