//! The templates of `infra/` as they are deployed: what each rule takes, where what nobody took
//! goes, and what each role may do. What the functions make of it all is in the other scenarios.

use std::collections::{BTreeMap, BTreeSet};

use afterimage::system::{Options, TEMPLATE};
use afterimage_cloud::access::Want;
use afterimage_cloud::deploy::Deployment;
use afterimage_cloud::eventbridge::pattern::Pattern;
use afterimage_cloud::faults::{Rule, When};
use afterimage_cloud::model::Scope;
use afterimage_cloud::trace::{Entry, What};
use afterimage_cloud::{Config, lambda, sqs};
use aws_sdk_ec2::types as ec2;
use aws_sdk_eventbridge::types::Target;
use serde_json::{Value, json};

use crate::scene::{
    self, ACCOUNT, FRANKFURT as FAR, FUNCTIONS, HOME, IRELAND as ELSEWHERE, Launch, Scene, Stage,
    TAG_ANSWER, TAG_ASK, sample,
};

const BUS: &str = "afterimage";

/// Plays a scene in a world in which nothing lags, with a template of its own.
fn deployed<T>(template: &str, scene: impl AsyncFnOnce(Scene) -> T) -> T {
    let options = Options { template: template.to_string(), ..Options::default() };
    let options = options.allowing_stop_start();
    scene::play_on(Stage { config: Config::seeded(1), options }, scene)
}

/// A rule as EventBridge lists it.
struct Listed {
    /// Where it is: `REGION/BUS`.
    place: String,
    name: String,
    pattern: Option<String>,
    targets: Vec<Target>,
}

async fn rules(scene: &Scene) -> Vec<Listed> {
    let mut all = Vec::new();
    for (region, bus) in [(HOME, "default"), (HOME, BUS), (ELSEWHERE, "default"), (FAR, "default")]
    {
        let client = aws_sdk_eventbridge::Client::new(&scene.cloud.sdk_config(region));
        let listed =
            client.list_rules().event_bus_name(bus).send().await.expect("rules are listed");
        for rule in listed.rules() {
            let name = rule.name().expect("a rule has a name").to_string();
            let targets = client.list_targets_by_rule().event_bus_name(bus).rule(&name);
            let targets = targets.send().await.expect("targets are listed");
            all.push(Listed {
                place: format!("{region}/{bus}"),
                name,
                pattern: rule.event_pattern().map(str::to_string),
                targets: targets.targets().to_vec(),
            });
        }
    }
    all
}

/// `afterimage-ImageStateChangedHere-…` is about `image-state-changed`.
fn function_of(rule: &str) -> &'static str {
    let is_of = |name: &&str| {
        let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        rule.contains(&words.collect::<String>())
    };
    FUNCTIONS.into_iter().find(is_of).unwrap_or_else(|| panic!("{rule} is about nothing known"))
}

#[test]
fn every_pattern_takes_the_sample_of_its_event_and_no_other() {
    deployed(TEMPLATE, async |scene| {
        let mut seen = BTreeSet::new();
        for rule in rules(&scene).await {
            let Some(pattern) = &rule.pattern else { continue };
            let pattern = Pattern::parse(pattern).expect("it was accepted");
            let own = function_of(&rule.name);
            for name in FUNCTIONS {
                let at = format!("{} at {} and {name}", rule.name, rule.place);
                assert_eq!(pattern.matches(&sample(name)), name == own, "{at}");
            }
            let mut foreign = sample(own);
            foreign["account"] = json!("111122223333");
            assert!(!pattern.matches(&foreign), "{} takes events of others", rule.name);
            seen.insert(format!("{own} {}", rule.place));
        }
        let expected = [
            "image-state-changed",
            "instance-state-changed",
            "instance-tagged",
            "snapshots-completed",
        ];
        let places = [
            format!("{HOME}/default"),
            format!("{HOME}/{BUS}"),
            format!("{ELSEWHERE}/default"),
            format!("{FAR}/default"),
        ];
        let both = expected.iter().flat_map(|name| places.iter().map(move |at| (name, at)));
        let mut expected: BTreeSet<_> = both.map(|(name, at)| format!("{name} {at}")).collect();
        expected.insert(format!("work-requested {HOME}/{BUS}"));
        assert_eq!(seen, expected);
    });
}

#[test]
fn what_no_function_would_act_on_wakes_none() {
    deployed(TEMPLATE, async |scene| {
        let others = [
            ("instance-state-changed", "state", ["pending", "running", "stopping", "terminated"]),
            ("image-state-changed", "State", ["pending", "invalid", "Deregistered", "Available"]),
        ];
        let mut woken = BTreeSet::new();
        for rule in rules(&scene).await {
            let Some(pattern) = &rule.pattern else { continue };
            let pattern = Pattern::parse(pattern).expect("it was accepted");
            let names = ["image-state-changed", "instance-state-changed", "instance-tagged"];
            woken.extend(names.into_iter().filter(|name| pattern.matches(&sample(name))));
            for (name, member, states) in &others {
                for state in states {
                    let mut event = sample(name);
                    event["detail"][*member] = json!(state);
                    assert!(!pattern.matches(&event), "{} takes {state}", rule.name);
                }
            }
            let of_tags = [
                // A request that was taken off, and the answer to it.
                json!({"changed-tag-keys": [TAG_ASK], "tags": {"backup": "gold"}}),
                json!({"changed-tag-keys": [TAG_ANSWER], "tags": {TAG_ASK: "gold"}}),
                json!({"changed-tag-keys": ["backup"], "tags": {TAG_ASK: "gold"}}),
                // An artefact, and somebody else's machine.
                json!({"resource-type": "image"}),
                json!({"service": "lightsail"}),
            ];
            for change in of_tags {
                let mut event = sample("instance-tagged");
                for (name, value) in change.as_object().expect("it is one") {
                    event["detail"][name] = value.clone();
                }
                assert!(!pattern.matches(&event), "{} takes {change}", rule.name);
            }
        }
        assert_eq!(woken.len(), 3, "the samples themselves are taken: {woken:?}");
    });
}

#[test]
fn a_machine_that_stops_elsewhere_is_heard_of_at_the_seat() {
    deployed(TEMPLATE, async |scene| {
        let machine = launch(&scene, ELSEWHERE, None).await;
        scene.stop_in(ELSEWHERE, &machine).await;
        let heard = scene.ends("instance-state-changed");
        assert_eq!(heard.len(), 1, "{heard:#?}");
        assert_eq!((heard[0].region.as_str(), heard[0].outcome.as_str()), (HOME, "ok"));
    });
}

#[test]
fn every_target_has_a_queue_for_its_dead_letters_that_takes_them() {
    deployed(TEMPLATE, async |scene| {
        let rules = rules(&scene).await;
        assert_eq!(rules.len(), 11 + 4 + 4);
        for rule in &rules {
            for target in &rule.targets {
                let queue = target.dead_letter_config().and_then(|config| config.arn());
                assert!(queue.is_some_and(|arn| arn.ends_with("-undelivered")), "{}", rule.name);
            }
        }
        // With every function and the bus gone, what happens can only become dead letters.
        let functions: Vec<String> = FUNCTIONS
            .map(|name| format!("arn:aws:lambda:{HOME}:123456789012:function:afterimage-{name}"))
            .to_vec();
        for region in [HOME, ELSEWHERE] {
            let machine = launch(&scene, region, None).await;
            scene.stop_in(region, &machine).await;
        }
        scene.cloud.with(|model| {
            for arn in &functions {
                lambda::remove_function(model, arn).expect("it was there");
            }
        });
        put_work_requested(&scene).await;
        everything_happens(&scene, HOME).await;
        everything_happens(&scene, ELSEWHERE).await;
        let letters = dead_letters(&scene);
        let told: BTreeSet<&str> = letters.iter().map(|(_, rule)| function_of(rule)).collect();
        assert_eq!(told, BTreeSet::from(FUNCTIONS), "{letters:#?}");
    });
}

#[test]
fn an_event_that_a_function_fails_at_three_times_is_kept_with_its_error() {
    deployed(TEMPLATE, async |scene| {
        let down = Rule::fail(When::Before, 400, "AccessDeniedException").service("dynamodb");
        scene.cloud.with(|model| model.faults.add(down));
        put_work_requested(&scene).await;
        everything_happens(&scene, HOME).await;
        // Lambda tries again after one minute and after two more.
        scene.pass(15).await;
        let letters = scene.cloud.with(|model| sqs::dead_letters(model));
        let letters = letters.as_array().expect("a list").iter();
        let letters = letters.filter(|letter| letter["queue"].to_string().contains("given-up"));
        let told: BTreeSet<String> = letters
            .map(|letter| letter["body"].as_str().expect("a body is text").to_string())
            .filter_map(|body| {
                let name = |name: &&str| body.contains(&format!(":function:afterimage-{name}"));
                FUNCTIONS.iter().find(|happening| name(happening)).map(ToString::to_string)
            })
            .collect();
        assert_eq!(told, FUNCTIONS.map(str::to_string).into());
    });
}

/// What a client of our bus would send.
async fn put_work_requested(scene: &Scene) {
    let event = sample("work-requested");
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
        .event_bus_name(BUS)
        .source("afterimage")
        .detail_type("Work Requested")
        .detail(event["detail"].to_string())
        .build();
    let client = aws_sdk_eventbridge::Client::new(&scene.cloud.sdk_config(HOME));
    client.put_events().entries(entry).send().await.expect("events are taken");
}

/// Snapshots, an image and a stop in a region, and all ticks, with the events of all of it.
async fn everything_happens(scene: &Scene, region: &'static str) {
    let machine = launch(scene, region, None).await;
    let client = aws_sdk_ec2::Client::new(&scene.cloud.sdk_config(region));
    let set = ec2::InstanceSpecification::builder().instance_id(&machine).build();
    client.create_snapshots().instance_specification(set).send().await.expect("it snapshots");
    client.create_image().instance_id(&machine).name(&machine).send().await.expect("it images");
    scene.ask(region, &machine, "gold").await;
    scene.stop_in(region, &machine).await;
    scene.pass(10).await;
}

/// The dead letters of rules: the queue, and the ARN of the rule.
fn dead_letters(scene: &Scene) -> Vec<(String, String)> {
    let all = scene.cloud.with(|model| sqs::dead_letters(model));
    let letters = all.as_array().expect("a list").iter();
    let rule = |letter: &Value| Some(letter["attributes"]["RULE_ARN"].as_str()?.to_string());
    letters.filter_map(|letter| Some((letter["queue"].to_string(), rule(letter)?))).collect()
}

/// A machine that runs, with a second disk under a key or none.
async fn launch(scene: &Scene, region: &'static str, key: Option<&str>) -> String {
    let disks = vec![scene::disk("/dev/sdf", key)];
    scene.launch_one(Launch { region, disks, ..Launch::default() }).await
}

/// A key of the account's own, whose use is for the account's policies to decide: that of AWS's
/// lets everybody in who comes by way of EC2.
const KEY: &str = "alias/backup";
const KEY_TEMPLATE: &str = "
Resources:
  Key: {Type: AWS::KMS::Key}
  Alias: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/backup, TargetKeyId: !Ref Key}}
";

/// Makes the key in both regions.
fn make_keys(scene: &Scene) {
    for region in [HOME, ELSEWHERE] {
        let (account, region) = (scene.system.account.clone(), region.to_string());
        let stack_name = "keys".to_string();
        let deployment = Deployment { account, region, stack_name, ..Deployment::default() };
        scene.cloud.deploy(KEY_TEMPLATE, deployment).expect("a key is made");
    }
}

/// Everything of `backup: gold` every half an hour, and at every stop, into another region; and
/// when somebody asks, by the other way to make an image.
const POLICY: &str = "
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{schedule: rate(30 minutes), timezone: UTC}]
    replicate: [{region: eu-west-1, kms_key: alias/backup}]
  stops:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1, kms_key: alias/backup}]
  asked:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    image: {method: create-image}
  downtimes:
    select: {regions: [us-east-1], tags: {backup: downtime}}
    triggers: [{schedule: rate(30 minutes), timezone: UTC}]
    consistency: stop-start
";

/// A day in short: machines with all that asks for a permission, schedules, a stop that is heard of
/// and one that only the sweep sees.
async fn a_day(scene: &Scene) {
    make_keys(scene);
    launch(scene, HOME, Some(KEY)).await;
    let (heard, unheard) = (launch(scene, HOME, None).await, launch(scene, HOME, None).await);
    let stopped_for_it = launch(scene, HOME, Some(KEY)).await;
    let tags = scene.ec2(HOME).create_tags().resources(stopped_for_it);
    tags.tags(scene::tag("backup", "downtime")).send().await.expect("it is tagged");
    scene.policies(POLICY).await;
    let stopped = json!({ "instance-id": unheard, "state": "stopped" });
    scene.cloud.with(|model| model.faults.add(Rule::lose().source("aws.ec2").detail(stopped)));
    scene.pass(60).await;
    scene.ask(HOME, &heard, "asked").await;
    scene.pass(5).await;
    let asked = json!({ "changed-tag-keys": [TAG_ASK] });
    scene.cloud.with(|model| model.faults.add(Rule::lose().source("aws.tag").detail(asked)));
    scene.ask(HOME, &unheard, "asked").await;
    scene.stop_in(HOME, &heard).await;
    scene.stop_in(HOME, &unheard).await;
    scene.pass(60).await;
    // A copy that somebody deletes, and an event that says so.
    let image = scene.available(ELSEWHERE).await.remove(0).id;
    let deleted = scene.ec2(ELSEWHERE).deregister_image().image_id(image).send().await;
    deleted.expect("an image is deregistered");
    scene.pass(60).await;
}

/// The actions that the template grants to each function, by its logical id. What stands in quotes
/// are condition keys.
fn granted(template: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut lines = template.lines().peekable();
    let mut function = None;
    while let Some(line) = lines.next() {
        if let Some(id) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'))
            && !id.starts_with(' ')
        {
            let is_function =
                lines.peek().is_some_and(|line| line.ends_with("AWS::Serverless::Function"));
            function = is_function.then(|| id.to_string());
        }
        let Some(function) = &function else { continue };
        let code = line.split('#').next().unwrap_or_default();
        let words = code.split([' ', ',', '[', ']']).filter(|word| is_action(word));
        all.entry(function.clone()).or_default().extend(words.map(str::to_string));
    }
    all
}

fn is_action(word: &str) -> bool {
    let service = word.split_once(':').map(|(service, _)| service);
    service.is_some_and(|service| ["dynamodb", "ec2", "events", "kms"].contains(&service))
}

/// The actions that a call stands for, as policies name them.
fn actions_of(call: &Entry) -> BTreeSet<String> {
    let named = |action: &str| format!("{}:{action}", call.service);
    if call.action != "TransactWriteItems" {
        return BTreeSet::from([named(&call.action)]);
    }
    let items = call.detail["TransactItems"].as_array().expect("a transaction has items");
    let members = items.iter().flat_map(|item| item.as_object().expect("an item is one").keys());
    members.map(|member| named(&format!("{member}Item"))).collect()
}

/// What each function was allowed to do, and did.
fn used(scene: &Scene) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    scene.cloud.with(|model| {
        for call in model.trace.entries().iter().filter(|entry| entry.what == What::Call) {
            let by = |role: &String| call.principal.contains(&format!(":assumed-role/{role}/"));
            let Some(role) = scene.system.roles.values().find(|role| by(role)) else { continue };
            assert!(!call.outcome.contains("AccessDenied"), "{call:?}");
            assert_ne!(call.outcome, "UnauthorizedOperation", "{call:?}");
            let function = role.trim_start_matches("afterimage-").split("Role-").next();
            let function = function.expect("a role is called after its function").to_string();
            all.entry(function).or_default().extend(actions_of(call));
        }
    });
    all
}

/// The one function that makes something.
const MAKER: &str = "WorkRequested";

/// What no call of the maker is named after: tags in the calls that make something, and what EBS
/// does with keys. That these are needed is the next test.
fn is_implied(action: &str) -> bool {
    action == "ec2:CreateTags" || action.starts_with("kms:")
}

/// What the template says of the maker.
fn of_maker(template: &str) -> &str {
    let from = template.find("  WorkRequested:\n").expect("it is there");
    let rest = &template[from..];
    &rest[..rest.find("\n\n").expect("something follows")]
}

#[test]
fn each_function_uses_what_it_is_granted_and_nothing_else() {
    deployed(TEMPLATE, async |scene| {
        a_day(&scene).await;
        let mut granted = granted(TEMPLATE);
        let maker = granted.get_mut(MAKER).expect("it is granted something");
        // The function asks for the state of keys itself too, before it stops a machine, and it
        // answers requests with a tag.
        let calls = ["kms:DescribeKey", "ec2:CreateTags"];
        maker.retain(|action| calls.contains(&action.as_str()) || !is_implied(action));
        assert_eq!(used(&scene), granted);
    });
}

/// Tells whether the role of the maker may do something to an image, which has an owner, in a call
/// that sets our tag or not.
fn may(scene: &Scene, action: &str, owner: &str, has_our_tag: bool) -> bool {
    let tags = BTreeMap::from([("afterimage:point".to_string(), "gold-1".to_string())]);
    let image = format!("arn:aws:ec2:{HOME}::image/ami-0123456789abcdef0");
    let want = Want::new(action, image).key("ec2:Owner", owner);
    let want = if has_our_tag { want.request_tags(&tags) } else { want };
    let role = &scene.system.roles["afterimage-work-requested"];
    let role = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
    scene.cloud.with(|model| model.role_may(&role, &Scope::new(ACCOUNT, HOME), &want))
}

#[test]
fn an_image_of_another_account_is_not_copied_even_in_a_call_that_sets_our_tag() {
    deployed(TEMPLATE, async |scene| {
        assert!(may(&scene, "ec2:CopyImage", ACCOUNT, true));
        assert!(may(&scene, "ec2:CopyImage", ACCOUNT, false), "the source of a copy");
        for owner in ["111122223333", "amazon"] {
            assert!(!may(&scene, "ec2:CopyImage", owner, false), "{owner}");
            assert!(!may(&scene, "ec2:CopyImage", owner, true), "{owner}");
        }
    });
}

#[test]
fn an_image_without_our_tag_is_not_registered() {
    deployed(TEMPLATE, async |scene| {
        assert!(may(&scene, "ec2:RegisterImage", ACCOUNT, true));
        assert!(!may(&scene, "ec2:RegisterImage", ACCOUNT, false));
    });
}

#[test]
fn without_any_of_what_ec2_does_in_its_name_nothing_is_protected() {
    let granted = granted(TEMPLATE);
    let implied: Vec<_> = granted[MAKER].iter().filter(|action| is_implied(action)).collect();
    assert_eq!(implied.len(), 7, "{implied:?}");
    for action in implied {
        let maker = of_maker(TEMPLATE);
        // The first grant of it is the one for what is made; CreateTags has others, for what is
        // there already.
        let less = maker.replacen(action.as_str(), "ec2:DescribeTags", 1);
        assert_ne!(maker, less, "{action}");
        let without = TEMPLATE.replace(maker, &less);
        deployed(&without, async |scene| {
            make_keys(&scene);
            launch(&scene, HOME, Some(KEY)).await;
            scene.policies(POLICY).await;
            scene.pass(60).await;
            assert_eq!(scene.available(ELSEWHERE).await.len(), 0, "without {action}");
        });
    }
    deployed(TEMPLATE, async |scene| {
        a_day(&scene).await;
        assert!(!scene.available(ELSEWHERE).await.is_empty(), "with all of it");
    });
}
