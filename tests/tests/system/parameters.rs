//! The parameters of the templates: a wrong value is refused at deployment, under the name of its
//! parameter, and a right one reaches what it is for. `docs/deploy.md` lists all of them.

use std::collections::BTreeMap;

use afterimage::system::{self, Options, REGION_TEMPLATE, TEMPLATE};
use afterimage_cloud::deploy::{DeployError, Deployment};
use afterimage_cloud::trace::What;
use afterimage_cloud::{Cloud, Config};
use afterimage_core::policy::file;

use crate::scene::{self, ACCOUNT, EVERY_SIX_HOURS, HOME, IRELAND, Launch, Stage};

/// The document that explains the parameters.
pub const DOCUMENT: &str = include_str!("../../../docs/deploy.md");

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-1111-2222-33334444555e";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:operators";
const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/limits/boundary";

/// Values of one parameter.
struct Values {
    name: &'static str,
    right: &'static [&'static str],
    wrong: &'static [&'static str],
}

const FLAG_RIGHT: &[&str] = &["true", "false"];
const FLAG_WRONG: &[&str] = &["", "yes", "True", "1"];
const MEMORY_RIGHT: &[&str] = &["128", "256", "3008"];
const MEMORY_WRONG: &[&str] = &["", "64", "256.5", "3009", "256 MB", "-256"];
const KEY_RIGHT: &[&str] = &["", KEY];
const KEY_WRONG: &[&str] =
    &["alias/logs", "0a1b2c3d-0000-1111-2222-33334444555e", "arn:aws:kms:us-east-1:1:key/0"];
const TOPIC_RIGHT: &[&str] = &["", TOPIC];
const TOPIC_WRONG: &[&str] = &[
    "operators",
    "operators@example.com",
    "arn:aws:sqs:us-east-1:123456789012:operators",
    "arn:aws:sns:us-east-1:12345:operators",
];
const BOUNDARY_RIGHT: &[&str] = &["", BOUNDARY, "arn:aws:iam::aws:policy/PowerUserAccess"];
const BOUNDARY_WRONG: &[&str] =
    &["boundary", "arn:aws:iam::123456789012:role/boundary", "arn:aws:iam::123456789012:policy/"];
const BUS_RIGHT: &[&str] = &["afterimage", "ours.of_all-1"];
const BUS_WRONG: &[&str] = &["", "our bus", "arn:aws:events:us-east-1:123456789012:event-bus/ours"];

const AT_SEAT: [Values; 16] = [
    Values { name: "AlarmTopic", right: TOPIC_RIGHT, wrong: TOPIC_WRONG },
    Values { name: "AllowReboot", right: FLAG_RIGHT, wrong: FLAG_WRONG },
    Values { name: "AllowStopStart", right: FLAG_RIGHT, wrong: FLAG_WRONG },
    Values { name: "Architecture", right: &["arm64", "x86_64"], wrong: &["", "amd64", "aarch64"] },
    Values { name: "BusName", right: BUS_RIGHT, wrong: BUS_WRONG },
    Values {
        name: "HealGiBPerDay",
        right: &["0", "1024", "9999999"],
        wrong: &["", "-1", "1.5", "1 TiB", "10000000"],
    },
    Values { name: "LedgerDeletionProtection", right: FLAG_RIGHT, wrong: FLAG_WRONG },
    Values { name: "LedgerKey", right: KEY_RIGHT, wrong: KEY_WRONG },
    Values { name: "LogKey", right: KEY_RIGHT, wrong: KEY_WRONG },
    Values { name: "LogRetentionDays", right: &["1", "90"], wrong: &["", "0", "2", "ninety"] },
    Values { name: "MemorySize", right: MEMORY_RIGHT, wrong: MEMORY_WRONG },
    Values { name: "PermissionsBoundary", right: BOUNDARY_RIGHT, wrong: BOUNDARY_WRONG },
    Values {
        name: "StopStartAtOnce",
        right: &["1", "1000"],
        wrong: &["", "0", "-1", "2.5", "1001", "ten"],
    },
    Values {
        name: "TableName",
        right: &["abc", "afterimage_2.test-1"],
        wrong: &["", "ab", "after image", "table/afterimage"],
    },
    Values { name: "Timeout", right: &["300", "900"], wrong: &["", "3", "300.5", "901"] },
    Values {
        name: "WorkerConcurrency",
        right: &["0", "1", "1000"],
        wrong: &["", "-1", "00", "2.5", "1001", "many"],
    },
];

/// The one that has the same values as another.
const WORKER_MEMORY: Values =
    Values { name: "WorkerMemorySize", right: MEMORY_RIGHT, wrong: MEMORY_WRONG };

const ELSEWHERE: [Values; 4] = [
    Values { name: "AlarmTopic", right: TOPIC_RIGHT, wrong: TOPIC_WRONG },
    Values { name: "BusName", right: BUS_RIGHT, wrong: BUS_WRONG },
    Values { name: "PermissionsBoundary", right: BOUNDARY_RIGHT, wrong: BOUNDARY_WRONG },
    Values {
        name: "SeatRegion",
        right: &["us-east-1", "ap-southeast-7"],
        wrong: &["", "us-east", "us-east-1a", "US-EAST-1", "Virginia"],
    },
];

/// What a deployment of the seat says of a value.
fn at_seat(name: &str, value: &str) -> Vec<DeployError> {
    let mut options = Options { regions: Vec::new(), ..Options::default() };
    options.parameters.insert((*name).to_string(), (*value).to_string());
    Cloud::run(Config::seeded(1), async move |cloud| {
        system::deploy(&cloud, &options).map_or_else(|refused| refused.errors, |_| Vec::new())
    })
}

/// What a deployment of another region says of a value.
fn elsewhere(name: &str, value: &str) -> Vec<DeployError> {
    let mut parameters = BTreeMap::from([("SeatRegion".to_string(), HOME.to_string())]);
    parameters.insert((*name).to_string(), (*value).to_string());
    let deployment = Deployment {
        account: ACCOUNT.to_string(),
        region: IRELAND.to_string(),
        stack_name: "afterimage-region".to_string(),
        parameters,
        ..Deployment::default()
    };
    Cloud::run(Config::seeded(1), async move |cloud| {
        cloud.deploy(REGION_TEMPLATE, deployment).err().unwrap_or_default()
    })
}

fn check(values: &Values, errors_of: impl Fn(&str, &str) -> Vec<DeployError>) {
    let Values { name, right, wrong } = values;
    let path = format!("Parameters.{name}");
    for value in *wrong {
        let errors = errors_of(name, value);
        assert!(errors.iter().any(|error| error.path == path), "{name}={value}: {errors:#?}");
    }
    for value in *right {
        let errors = errors_of(name, value);
        assert!(errors.iter().all(|error| error.path != path), "{name}={value}: {errors:#?}");
    }
}

#[test]
fn a_wrong_value_is_refused_under_the_name_of_its_parameter() {
    AT_SEAT.iter().chain([&WORKER_MEMORY]).for_each(|values| check(values, at_seat));
    ELSEWHERE.iter().for_each(|values| check(values, elsewhere));
}

/// The parameters of a template with their defaults; `required` where there is none, and `none`
/// where it is empty.
pub fn parameters(template: &str) -> BTreeMap<String, String> {
    let (_, section) = template.split_once("\nParameters:\n").expect("there are parameters");
    let lines = section.lines().take_while(|line| line.starts_with("  "));
    let mut found = BTreeMap::new();
    let mut name = "";
    for line in lines {
        if let Some(id) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'))
            && !id.starts_with(' ')
        {
            name = id;
            found.insert(name.to_string(), "required".to_string());
        } else if let Some(default) = line.strip_prefix("    Default: ") {
            let default = default.trim_matches('"');
            let default = if default.is_empty() { "none" } else { default };
            found.insert(name.to_string(), default.to_string());
        }
    }
    found
}

/// The rows of the tables beneath a heading of the document, as their cells.
pub fn rows(heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = DOCUMENT.split_once(&format!("\n{heading}\n")).expect("it has that heading");
    let section = rest.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_string()).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn the_document_lists_every_parameter_with_its_default_and_no_other() {
    let templates = [
        (TEMPLATE, "### Parameters of the seat"),
        (REGION_TEMPLATE, "### Parameters of the other regions"),
    ];
    for (template, heading) in templates {
        let rows = rows(heading);
        let listed = rows.iter().map(|row| (row[0].clone(), row[1].clone()));
        assert_eq!(listed.collect::<BTreeMap<_, _>>(), parameters(template), "{heading}");
    }
    let tried = AT_SEAT.iter().chain([&WORKER_MEMORY]).map(|values| values.name);
    let tried: Vec<_> = tried.collect();
    let seat = parameters(TEMPLATE);
    assert!(seat.keys().all(|name| tried.contains(&&**name)), "{seat:?}: some were not tried");
    let tried: Vec<_> = ELSEWHERE.iter().map(|values| values.name).collect();
    let region = parameters(REGION_TEMPLATE);
    assert!(region.keys().all(|name| tried.contains(&&**name)), "{region:?}: not all were tried");
}

#[test]
fn in_a_partition_that_is_not_supported_the_template_is_refused_before_anything_is_made() {
    let ours = "\n    aws: {Name:";
    assert_eq!(TEMPLATE.matches(ours).count(), 1);
    let template = TEMPLATE.replace(ours, "\n    aws-cn: {Name:");
    Cloud::run(Config::seeded(1), async move |cloud| {
        let options = Options { template, ..Options::default() };
        let refused = system::deploy(&cloud, &options).expect_err("this is the partition aws");
        let path = "Outputs.Partition.Value";
        assert!(refused.errors.iter().any(|error| error.path == path), "{refused}");
        let whole = Options::default();
        system::deploy(&cloud, &whole).expect("nothing of the first one is in the way");
    });
}

/// A stage on which the parameters that the functions notice differ from their defaults.
fn stage(parameters: &[(&str, &str)]) -> Stage {
    let mut options = Options::default();
    let given = parameters.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string()));
    options.parameters.extend(given);
    Stage { options, ..Stage::default() }
}

#[test]
fn with_other_names_and_sizes_machines_of_all_regions_are_protected() {
    let parameters = [
        ("Architecture", "x86_64"),
        ("BusName", "ours"),
        ("LogRetentionDays", "7"),
        ("MemorySize", "512"),
        ("TableName", "ledger-of-images"),
        ("Timeout", "900"),
        ("WorkerMemorySize", "1024"),
    ];
    scene::play_on(stage(&parameters), async |scene| {
        assert_eq!((&*scene.system.table, &*scene.system.bus), ("ledger-of-images", "ours"));
        let machine = scene.launch_one(Launch { region: IRELAND, ..Launch::default() }).await;
        scene.policies(ON_STOP_IN_IRELAND).await;
        scene.stop_in(IRELAND, &machine).await;
        // Too soon for the sweep: the event came over our own bus.
        scene.pass(4).await;
        assert_eq!(scene.ends("instance-state-changed").len(), 1);
        scene.pass(20).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
}

const ON_STOP_IN_IRELAND: &str = "
policies:
  gold:
    select: {regions: [eu-west-1], tags: {backup: gold}}
    triggers: [{on: stopped}]
    replicate: [{region: us-east-1}]
";

/// Intervals, in milliseconds, in which the worker ran.
fn runs(scene: &scene::Scene) -> Vec<(u64, u64)> {
    let ends = scene.ends("work-requested").into_iter();
    ends.map(|end| {
        assert_eq!(end.what, What::Invocation, "{end:#?}");
        let end_ms = end.at.millis();
        (end_ms - end.detail["durationMs"].as_u64().expect("it took time"), end_ms)
    })
    .collect()
}

#[test]
fn with_one_worker_at_a_time_everything_is_protected_all_the_same() {
    scene::play_on(stage(&[("WorkerConcurrency", "1")]), async |scene| {
        for region in [HOME, IRELAND] {
            scene.launch(Launch { region, count: 3, ..Launch::default() }).await;
        }
        let both = EVERY_SIX_HOURS.replace("[us-east-1]", "[us-east-1, eu-west-1]");
        let both = both.replace("{region: eu-west-1}", "{region: eu-central-1}");
        scene.policies(&both).await;
        scene.pass(7 * 60).await;
        let points = scene.points().await;
        assert_eq!(points.len(), 6);
        assert!(points.iter().all(|point| point["status"] == "protected"), "{points:#?}");
        let mut runs = runs(&scene);
        runs.sort_unstable();
        assert!(runs.len() > 5, "{runs:?}");
        let apart = |pair: &[(u64, u64)]| pair[0].1 <= pair[1].0;
        assert!(runs.windows(2).all(apart), "two workers ran at the same time: {runs:?}");
    });
}

#[test]
fn the_policy_of_the_document_is_accepted() {
    let (_, rest) = DOCUMENT.split_once("```yaml\n").expect("there is a policy");
    let policy = rest.split("```").next().unwrap_or_default();
    let read = file::read(policy).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(read.len(), 1);
    assert_eq!(DOCUMENT.matches("```yaml\n").count(), 1, "another is not read here");
}
