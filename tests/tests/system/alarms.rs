//! The alarms of the templates: the codes of which one is raised, which `docs/deploy.md` lists with
//! every alarm; and what the functions log while they do their work, and while they cannot.

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage::system::{Options, REGION_TEMPLATE, TEMPLATE};
use afterimage_cloud::faults::{Rule, When};
use afterimage_core::reason::Code;

use crate::bad_events::Log;
use crate::parameters::{DOCUMENT, rows};
use crate::scene::{self, HOME, IRELAND, NIGHTLY, STOP_START, Scene, Stage};

const AN_HOUR: u64 = 60;

/// Codes that raise no alarm: they tell of work that goes well, of what passes by itself, of what a
/// person asked for, or of what can wait until a person looks at `afterimage status`.
const QUIET: &[Code] = &[
    Code::Adopted,
    Code::AlreadyRequested,
    Code::AnswerRefused,
    Code::AskedFor,
    Code::BilledByUsage,
    Code::CallFailed,
    Code::Cancelled,
    Code::Foreign,
    Code::GradeNotCorrected,
    Code::Healing,
    Code::Hibernated,
    Code::LooksUncovered,
    Code::MachineGone,
    Code::MachineStopped,
    Code::NameTaken,
    Code::NeedsReboot,
    Code::NotAsked,
    Code::NotCovered,
    Code::NotInFlight,
    Code::NotListed,
    Code::NotOurStop,
    Code::NotRebuilt,
    Code::NotShareable,
    Code::NotStopped,
    Code::OutcomeUnknown,
    Code::Overdue,
    Code::PolicyMatchesNothing,
    Code::ProductCode,
    Code::ReplicaFailed,
    Code::RequestLeft,
    Code::RequestRefused,
    Code::Resolved,
    Code::RunsAgain,
    Code::SharedVolume,
    Code::SlotDue,
    Code::SlotsCollapsed,
    Code::SourceUnreadable,
    Code::StoppedForPoint,
    Code::Superseded,
    Code::Surplus,
    Code::TagGone,
    Code::TagsLeftOut,
    Code::Throttled,
    Code::TooManyHops,
    Code::TooManyLeftOut,
    Code::TooSoon,
    Code::TpmBootMode,
    Code::TriesUsedUp,
    Code::WaitsForStop,
    Code::WantedAgain,
    Code::Withdrawn,
];

/// Characters that CloudWatch takes in a pattern.
const PATTERN_CHARS_MAX: usize = 1024;

/// The ids of the resources of a template of a type, with the text of each.
fn resources<'a>(template: &'a str, kind: &str) -> Vec<(&'a str, &'a str)> {
    let (_, section) = template.split_once("\nResources:\n").expect("there are some");
    let section = section.split("\nOutputs:").next().unwrap_or_default();
    let parts = section.split("\n\n").filter_map(|part| {
        let is_head = |line: &&str| line.starts_with("  ") && !line[2..].starts_with([' ', '#']);
        let head = part.lines().find(is_head)?;
        Some((head.trim().trim_end_matches(':'), part))
    });
    let of_kind = format!("    Type: {kind}\n");
    parts.filter(|(_, text)| text.contains(&of_kind)).collect()
}

/// The codes that a pattern of a metric filter names, and its length.
fn codes_of(filter: &str) -> (Vec<&str>, usize) {
    let (_, pattern) = filter.split_once("FilterPattern: >-\n").expect("it has a pattern");
    let lines = pattern.lines().take_while(|line| line.starts_with("        "));
    let chars = lines.map(|line| line.trim().len() + 1).sum::<usize>() - 1;
    let codes = pattern.split("$.code = \"").skip(1);
    (codes.filter_map(|rest| rest.split('"').next()).collect(), chars)
}

/// The codes that the metric `Failed` counts.
fn counted() -> BTreeSet<&'static str> {
    let mut all = BTreeSet::new();
    let filters = resources(TEMPLATE, "AWS::Logs::MetricFilter");
    for (id, filter) in filters.into_iter().filter(|(_, text)| text.contains(" Failed,")) {
        let (codes, chars) = codes_of(filter);
        assert!(chars <= PATTERN_CHARS_MAX, "{id}: the pattern has {chars} characters");
        for code in codes {
            assert!(all.insert(code), "{code} would be counted twice");
        }
    }
    all
}

#[test]
fn every_code_raises_the_alarm_or_is_known_to_raise_none() {
    let mut known: BTreeSet<&str> = QUIET.iter().map(|code| code.as_str()).collect();
    for code in counted() {
        assert!(known.insert(code), "{code} raises the alarm");
    }
    assert_eq!(known, Code::ALL.iter().map(|code| code.as_str()).collect());
}

#[test]
fn the_document_lists_the_codes_that_raise_the_alarm() {
    let listed = rows("### Codes that raise `FailedAlarm`");
    let listed: Vec<_> = listed.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(listed.len(), listed.iter().collect::<BTreeSet<_>>().len(), "one stands twice");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), counted());
}

#[test]
fn the_document_says_of_every_alarm_what_to_do() {
    let templates = [
        (TEMPLATE, "### Alarms of the seat"),
        (REGION_TEMPLATE, "### Alarms of the other regions"),
    ];
    for (template, heading) in templates {
        let alarms = resources(template, "AWS::CloudWatch::Alarm");
        for (id, text) in &alarms {
            let actions = "AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopic], !Ref AWS::NoValue]";
            assert!(text.contains(actions), "{id} tells nobody");
        }
        let rows = rows(heading);
        assert!(rows.iter().all(|row| row.len() == 3 && row[2].len() > 10), "{rows:#?}");
        let listed: BTreeSet<_> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(listed, alarms.iter().map(|(id, _)| *id).collect(), "{heading}");
    }
}

#[test]
fn every_queue_of_dead_letters_has_an_alarm() {
    for (template, count) in [(TEMPLATE, 2), (REGION_TEMPLATE, 1)] {
        let queues = resources(template, "AWS::SQS::Queue");
        assert_eq!(queues.len(), count);
        let alarms = resources(template, "AWS::CloudWatch::Alarm");
        for (id, _) in queues {
            let name = format!("!GetAtt {id}.QueueName");
            assert!(alarms.iter().any(|(_, text)| text.contains(&name)), "{id}");
        }
    }
}

#[test]
fn an_alarm_over_all_functions_leaves_none_out() {
    let functions: BTreeSet<_> = resources(TEMPLATE, "AWS::Serverless::Function")
        .into_iter()
        .map(|(id, _)| id.to_string())
        .collect();
    assert_eq!(functions.len(), 7);
    let alarms = resources(TEMPLATE, "AWS::CloudWatch::Alarm");
    let over_all = alarms.iter().filter(|(_, text)| text.contains("Name: FunctionName, Value: "));
    let over_all = over_all.filter(|(_, text)| text.contains("METRICS()"));
    let over_all: Vec<_> = over_all.collect();
    assert_eq!(over_all.len(), 4);
    for (id, text) in over_all {
        let named = text.split("Name: FunctionName, Value: !Ref ").skip(1);
        let mut named: BTreeSet<_> =
            named.filter_map(|rest| Some(rest.split('}').next()?.to_string())).collect();
        // The worker uses all of its time, and hands over.
        if *id == "SlowAlarm" {
            assert!(named.insert("WorkRequested".to_string()));
        }
        assert_eq!(named, functions, "{id}");
    }
}

/// CloudWatch takes no more metrics in one alarm.
const METRICS_MAX: usize = 10;

#[test]
fn every_rule_that_has_a_queue_of_dead_letters_has_an_alarm_for_what_it_loses() {
    for (template, count) in [(TEMPLATE, 11), (REGION_TEMPLATE, 4)] {
        let alarms = resources(template, "AWS::CloudWatch::Alarm");
        let lost =
            alarms.iter().filter(|(_, text)| text.contains("InvocationsFailedToBeSentToDlq"));
        let mut watched: BTreeSet<String> = BTreeSet::new();
        for (id, text) in lost {
            assert!(text.matches("MetricName: ").count() <= METRICS_MAX, "{id}");
            for dimensions in text.split("Dimensions: ").skip(1) {
                let on_ours = dimensions.starts_with("[{Name: EventBusName, Value: !Ref BusName}");
                let value = match on_ours {
                    true => dimensions.split("!GetAtt ").nth(1).and_then(|it| it.split('.').next()),
                    false => dimensions.split("!Ref ").nth(1).and_then(|it| it.split('}').next()),
                };
                let rule = value.expect("it names a rule").to_string();
                // The rules of the functions on our bus are those for other regions, and the wakes.
                let is_on_ours = rule.ends_with("Elsewhere") || rule.ends_with("Asked");
                assert_eq!(on_ours, is_on_ours, "{id}: {rule}");
                assert!(watched.insert(rule), "{id}");
            }
        }
        let (_, policy) = template.split_once("\n  UndeliveredPolicy:\n").expect("it has one");
        let policy = policy.split("\n\n").next().unwrap_or_default();
        let (_, sources) = policy.split_once("aws:SourceArn").expect("it names the rules");
        let sources = sources.split("!GetAtt ").skip(1);
        let rules = sources.filter_map(|rest| Some(rest.split('.').next()?.to_string()));
        assert_eq!(watched, rules.collect());
        assert_eq!(watched.len(), count);
    }
}

#[test]
fn the_document_counts_the_metrics_for_which_alarms_are_billed() {
    let count = |template| -> usize {
        let alarms = resources(template, "AWS::CloudWatch::Alarm").into_iter();
        alarms.map(|(_, text)| text.matches("MetricName: ").count()).sum()
    };
    let (seat, region) = (count(TEMPLATE), count(REGION_TEMPLATE));
    let told = format!("| {seat} alarm metrics at the seat, {region} in each other region");
    assert!(DOCUMENT.contains(&told), "{told}");
}

/// Plays a scene, and returns the codes of what the functions logged in it that raise the alarm.
fn told(options: Options, scene: impl AsyncFnOnce(Scene)) -> BTreeSet<String> {
    let (log, _told) = Log::begin();
    scene::play_on(Stage { options, ..Stage::default() }, scene);
    let codes = log.take().into_iter().filter_map(|line| Some(line["code"].as_str()?.to_string()));
    let all: BTreeSet<String> = codes.collect();
    assert!(all.contains("slot-due"), "something was logged: {all:?}");
    let counted = counted();
    all.into_iter().filter(|code| counted.contains(&**code)).collect()
}

fn named(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_string()).collect()
}

#[test]
fn where_all_goes_well_no_alarm_is_raised() {
    let quiet = told(Options::default().allowing_stop_start(), async |scene| {
        scene.machine(1).await;
        scene.policies(NIGHTLY).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
    assert_eq!(quiet, named(&[]));
    let quiet = told(Options::default().allowing_stop_start(), async |scene| {
        scene.machine(1).await;
        scene.policies(STOP_START).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "protected");
    });
    assert_eq!(quiet, named(&[]));
}

#[test]
fn the_alarm_is_raised_when_a_point_is_missed() {
    let missed = told(Options::default(), async |scene| {
        scene.machine(0).await;
        scene.policies(&NIGHTLY.replace("triggers:", "consistency: at-rest\n    triggers:")).await;
        scene.pass(6 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "missed");
    });
    assert_eq!(missed, named(&["window-closed"]));
}

#[test]
fn the_alarm_is_raised_when_a_machine_cannot_be_imaged() {
    let refused = told(Options::default(), async |scene| {
        scene.machine(0).await;
        scene.policies(STOP_START).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "refused");
    });
    assert_eq!(refused, named(&["stop-start-not-allowed"]));
    let refused = told(Options::default(), async |scene| {
        scene.machine(0).await;
        let root = "image: {exclude_volumes: {devices: [/dev/xvda]}}\n    triggers:";
        scene.policies(&NIGHTLY.replace("triggers:", root)).await;
        scene.pass(3 * AN_HOUR).await;
        assert_eq!(scene.the_point().await["status"], "refused");
    });
    assert_eq!(refused, named(&["root-left-out"]));
}

#[test]
fn the_alarm_is_raised_when_a_machine_is_not_started_again() {
    let down = told(Options::default().allowing_stop_start(), async |scene| {
        scene.machine(0).await;
        scene.policies(STOP_START).await;
        // The trial passes.
        let refused = Rule::fail(When::Before, 500, "InsufficientInstanceCapacity");
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        scene.pass_until(second, hour, async |scene| scene.powered().0 > 0).await;
        scene.fault(refused.action("StartInstances").times(60));
        scene.pass(AN_HOUR).await;
    });
    assert_eq!(down, named(&["not-started"]));
}

#[test]
fn the_alarm_is_raised_when_an_image_is_lost() {
    let lost = told(Options::default(), async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        scene.pass(3 * AN_HOUR).await;
        let image = scene.available(IRELAND).await.remove(0);
        scene.deregister(IRELAND, &image, true).await;
        scene.pass(2 * AN_HOUR).await;
    });
    assert_eq!(lost, named(&["lost"]));
}

#[test]
fn the_alarm_is_raised_when_ec2_refuses_all_snapshots() {
    let held_up = told(Options::default(), async |scene| {
        scene.machine(0).await;
        scene.policies(NIGHTLY).await;
        let refused = Rule::fail(When::Before, 403, "UnauthorizedOperation");
        scene.fault(refused.action("CreateSnapshots"));
        scene.pass(4 * AN_HOUR).await;
        assert_eq!(scene.available(HOME).await, []);
    });
    assert_eq!(held_up, named(&["calls-held-up"]));
}
