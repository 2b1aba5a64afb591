//! Who may do what: every command with the policies of `infra/operators.yaml`, and without them.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_cloud::access::{Identity, Role};
use afterimage_cloud::deploy::Deployment;
use afterimage_cloud::trace::{Entry, What};

use crate::served::{Served, said, squeezed, text};

const TEMPLATE: &str = include_str!("../../../infra/operators.yaml");

const ACCOUNT: &str = "123456789012";
const TABLE: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/afterimage";

/// A person, with the policies that they are trusted with beside `reader`.
#[derive(Clone, Copy)]
struct Person {
    name: &'static str,
    policies: &'static [&'static str],
}

const READER: Person = Person { name: "Reader", policies: &["Reader"] };
const AUTHOR: Person = Person { name: "Author", policies: &["Reader", "Author"] };
const OPERATOR: Person = Person { name: "Operator", policies: &["Reader", "Operator"] };
const REBUILDER: Person = Person { name: "Rebuilder", policies: &["Reader", "Rebuilder"] };
const EVERYBODY: [Person; 4] = [READER, AUTHOR, OPERATOR, REBUILDER];

/// Two policies whose points are asked for. One has copies under a key that its ARN names, and
/// leaves what is lost to a person.
const BOTH: &str = "\
policies:
  gold:
    select: {regions: [us-east-1], tags: {backup: gold}}
    triggers: [{on: tag}]
    heal: false
    replicate:
      - {region: eu-west-1, kms_key: 'arn:aws:kms:eu-west-1:123456789012:alias/dr'}
  silver:
    select: {regions: [us-east-1], tags: {backup: silver}}
    triggers: [{schedule: rate(30 days), timezone: UTC}]
";

/// The same without the policy `silver`.
fn gold() -> &'static str {
    BOTH.split("  silver").next().expect("it is there")
}

/// Makes roles of the managed policies, which the embedded cloud does not attach: each has the
/// document of one, word for word.
fn with_roles(template: &str) -> String {
    let trust = "      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{\
                 Effect: Allow, Principal: {AWS: !Ref AWS::AccountId}, Action: 'sts:AssumeRole'}]}";
    let mut is_document = false;
    let line = |line: &str| {
        is_document &= line.is_empty() || line.starts_with("        ");
        if is_document {
            return format!("    {line}\n");
        }
        is_document = line == "      PolicyDocument:";
        match line {
            "    Type: AWS::IAM::ManagedPolicy" => "    Type: AWS::IAM::Role\n".to_string(),
            "      PolicyDocument:" => {
                let policy = "      Policies:\n        - PolicyName: it\n          PolicyDocument:";
                format!("{trust}\n{policy}\n")
            }
            other => format!("{}\n", other.replace("ManagedPolicyName", "RoleName")),
        }
    };
    template.lines().map(line).collect()
}

impl Person {
    fn arn(self) -> String {
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/people/{}", self.name)
    }

    fn does(self, served: &Served, arguments: &[&str], stdin: &str) -> String {
        let output = served.run_as(self.name, arguments, stdin);
        let told = said(&output);
        let name = self.name;
        assert_eq!(output.status.code(), Some(0), "{name} {arguments:?}: {told}");
        assert!(!told.contains("not authorized"), "{name} {arguments:?}: {told}");
        text(&output.stdout).trim().to_string()
    }

    /// Runs a command that is refused with a line that says what is missing.
    fn is_refused(self, served: &Served, arguments: &[&str], stdin: &str, missing: &str) {
        let output = served.run_as(self.name, arguments, stdin);
        let (told, name) = (text(&output.stderr), self.name);
        assert_eq!(output.status.code(), Some(2), "{name} {arguments:?}: {told}");
        let says = format!("User: {} is not authorized to perform: {missing} ", self.arn());
        let mut lines = told.lines().map(str::trim_start);
        let codes = ["because AccessDeniedException: ", "because UnauthorizedOperation: "];
        let is_told = lines
            .any(|line| codes.iter().any(|code| line.starts_with(code)) && line.contains(&says));
        assert!(is_told, "{name} {arguments:?}: {says}: {told}");
    }
}

/// Deploys the policies, and gives every person theirs.
fn hire(served: &Served) {
    let hired = served.world().act(|cloud| {
        let deployment = Deployment {
            account: ACCOUNT.to_string(),
            region: "us-east-1".to_string(),
            stack_name: "afterimage-operators".to_string(),
            ..Deployment::default()
        };
        let stack = cloud.deploy(&with_roles(TEMPLATE), deployment).expect("the template is right");
        cloud.with(|model| {
            for person in EVERYBODY {
                let policies = person.policies.iter().flat_map(|id| {
                    let arn = format!("arn:aws:iam::{ACCOUNT}:role/{}", stack.resources[*id]);
                    model.principals.roles[&arn].policies.clone()
                });
                let role = Role { policies: policies.collect(), trust: None };
                let arn = format!("arn:aws:iam::{ACCOUNT}:role/{}", person.name);
                model.principals.roles.insert(arn.clone(), role);
                let identity = Identity {
                    account: ACCOUNT.into(),
                    arn: person.arn(),
                    role: Some(arn),
                    environment: None,
                };
                model.principals.declare_key(person.name, identity);
            }
        });
    });
    let hired = afterimage::stack::block_on(async {
        hired.await.expect("the world goes on");
        Ok(())
    });
    hired.expect("nothing fails");
}

const APPLY: [&str; 4] = ["policy", "apply", "-", "--yes"];

fn writes() -> String {
    format!("dynamodb:PutItem on resource: {TABLE}")
}

/// Policies are put in force and removed.
fn policies_are_applied(served: &Served) {
    READER.does(served, &["policy", "apply", "-", "--dry-run"], BOTH);
    READER.is_refused(served, &APPLY, BOTH, &writes());
    OPERATOR.is_refused(served, &APPLY, BOTH, &writes());
    assert_eq!(served.in_force().policies.len(), 0);
    let stops = BOTH.replace("heal: false", "consistency: stop-start");
    AUTHOR.does(served, &APPLY, &stops);
    let output = served.run_as(READER.name, &["explain", "web"], "");
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("the forecast does not consider stop protection"), "{told}");
    AUTHOR.does(served, &["policy", "apply", "-", "--prune", "--yes"], gold());
}

/// Everybody looks at everything. What waits for a key that cannot be used is read too.
fn everybody_looks(served: &Served, machine: &str) {
    for person in EVERYBODY {
        person.does(served, &["policy", "show"], "");
        person.does(served, &["policy", "next"], "");
        let told = person.does(served, &["explain", "web"], "");
        assert!(told.contains("image       snapshot-register"), "{told}");
        let told = said(&served.run_as(person.name, &["doctor", "--no-test-event"], ""));
        assert!(told.contains("keys") && !told.contains("not authorized"), "{told}");
        person.does(served, &["explain", machine], "");
        person.does(served, &["status", "--json"], "");
        let told = person.does(served, &["status"], "");
        assert!(squeezed(&told).contains("no replica in eu-west-1 yet"), "{told}");
    }
}

/// Points are requested, called off and healed.
fn points_are_operated(served: &Served, machine: &str, key: &str) {
    for person in [READER, AUTHOR] {
        person.is_refused(served, &["capture", "web"], "", &writes());
    }
    let point = OPERATOR.does(served, &["capture", "web"], "");
    OPERATOR.does(served, &["cancel", &point], "");
    let told = said(&served.run_as(OPERATOR.name, &["doctor"], ""));
    assert!(told.contains("bus") && !told.contains("not authorized"), "{told}");
    // The clock of a command is that of the cloud at its start: two would be the same.
    served.pass(60);
    served.disable_key("eu-west-1", key);
    let point = OPERATOR.does(served, &["capture", machine], "");
    served.pass(3600);
    everybody_looks(served, machine);
    served.enable_key("eu-west-1", key);
    served.pass(2 * 3600);
    served.delete_image(&served.image_named(&format!("{point}-*")).expect("there is one"));
    served.pass(2 * 3600);
    let told = READER.does(served, &["status"], "");
    assert!(told.contains("(lost)"), "{told}");
    for person in [READER, AUTHOR] {
        person.is_refused(served, &["cancel", &point], "", &writes());
        person.is_refused(served, &["heal", &point], "", &writes());
    }
    OPERATOR.does(served, &["cancel", "--policy", "gold"], "");
    assert!(!READER.does(served, &["status"], "").contains("(lost)"), "its finding is over");
    OPERATOR.does(served, &["heal", &point], "");
    served.pass(2 * 3600);
    assert!(served.image_named(&format!("{point}-*")).is_some(), "it is made again");
}

/// The ledger is lost and rebuilt, from a restored table and from tags.
fn the_ledger_is_rebuilt(served: &Served) {
    served.restore_into("afterimage-restored");
    served.restore_into("elsewhere");
    served.lose_the_table();
    let from = ["rebuild", "--yes", "--from", "afterimage-restored"];
    let reads = format!("dynamodb:Scan on resource: {TABLE}-restored");
    let (snapshots, writes) = ("ec2:DescribeSnapshots", writes());
    for (person, missing) in [(READER, snapshots), (AUTHOR, snapshots), (OPERATOR, &*writes)] {
        person.is_refused(served, &["rebuild", "--yes"], "", missing);
        person.is_refused(served, &from, "", &reads);
    }
    let elsewhere = "dynamodb:Scan on resource: \
                     arn:aws:dynamodb:us-east-1:123456789012:table/elsewhere";
    REBUILDER.is_refused(served, &["rebuild", "--yes", "--from", "elsewhere"], "", elsewhere);
    REBUILDER.does(served, &from, "");
    assert_eq!(served.in_force().policies.len(), 1, "the policies are copied");
    served.lose_the_table();
    let told = REBUILDER.does(served, &["rebuild", "--yes"], "");
    assert!(told.contains("written as unverified: 1 point"), "{told}");
}

/// The actions that the template grants, by the logical id of the policy. What stands in quotes are
/// condition keys.
fn granted() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut all: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let resources = TEMPLATE.split("\nResources:\n").nth(1).expect("it has resources");
    let resources = resources.split("\nOutputs:\n").next().unwrap_or_default();
    let mut policy = "";
    for line in resources.lines() {
        let code = line.split('#').next().unwrap_or_default();
        if let Some(id) = code.strip_prefix("  ").and_then(|code| code.strip_suffix(':'))
            && !id.starts_with(' ')
        {
            policy = id;
        }
        let services = ["dynamodb:", "ec2:", "events:", "kms:"];
        let words = code.split([' ', ',', '[', ']']);
        let actions = words.filter(|word| services.iter().any(|name| word.starts_with(name)));
        all.entry(policy).or_default().extend(actions.map(str::to_string));
    }
    all.remove("");
    all
}

/// The actions that a call stands for, as policies name them.
fn actions_of(call: &Entry) -> Vec<String> {
    let named = |action: &str| format!("{}:{action}", call.service);
    if call.action != "TransactWriteItems" {
        return vec![named(&call.action)];
    }
    let items = call.detail["TransactItems"].as_array().expect("a transaction has items");
    let members = items.iter().flat_map(|item| item.as_object().expect("an item is one").keys());
    members.map(|member| named(&format!("{member}Item"))).collect()
}

/// The table or index that a query reads, as policies name it.
fn read_by(call: &Entry) -> Option<String> {
    let table = call.detail["TableName"].as_str().filter(|_| call.action == "Query")?;
    Some(match call.detail["IndexName"].as_str() {
        None => table.to_string(),
        Some(index) => format!("{table}/index/{index}"),
    })
}

/// What a person was allowed to do, and did: the actions, and what was queried.
#[derive(Debug, Default)]
struct Used {
    actions: BTreeSet<String>,
    queried: BTreeSet<String>,
}

fn used(served: &Served) -> BTreeMap<&'static str, Used> {
    let used = served.world().with(|model| {
        let mut used: BTreeMap<&str, Used> = BTreeMap::new();
        let calls = model.trace.entries().iter().filter(|entry| entry.what == What::Call);
        for call in calls.filter(|call| call.outcome == "ok") {
            let by = EVERYBODY.into_iter().find(|person| call.principal == person.arn());
            if let Some(person) = by {
                let used = used.entry(person.name).or_default();
                used.actions.extend(actions_of(call));
                used.queried.extend(read_by(call));
            }
        }
        used
    });
    let used = afterimage::stack::block_on(async { Ok(used.await.expect("the world goes on")) });
    used.expect("nothing fails")
}

#[test]
fn everybody_can_do_what_their_policy_is_for_and_nothing_else() {
    let served = Served::start_here();
    let key = served.make_key("eu-west-1", "alias/dr");
    hire(&served);
    let machine = served.machine("al2023-ami-*-x86_64", "web", "gold");
    served.pass(120);
    policies_are_applied(&served);
    points_are_operated(&served, &machine, &key);
    the_ledger_is_rebuilt(&served);

    let (granted, used) = (granted(), used(&served));
    assert_eq!(granted.len(), EVERYBODY.len(), "{granted:#?}");
    for person in EVERYBODY {
        let used = &used[person.name].actions;
        let idle: Vec<&String> = granted[person.name].difference(used).collect();
        assert!(idle.is_empty(), "{} is granted {idle:?} for no command", person.name);
        let policies = person.policies.iter().flat_map(|id| &granted[id]);
        let policies: BTreeSet<&String> = policies.collect();
        assert!(used.iter().all(|action| policies.contains(action)), "{}: {used:?}", person.name);
    }
    let readable = ["", "-witness", "/index/due", "/index/fleet"];
    let readable = readable.map(|rest| format!("afterimage{rest}"));
    assert_eq!(used["Reader"].queried, readable.into(), "what a reader may query");
}
