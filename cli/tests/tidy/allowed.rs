//! What the tidy test lets pass, each with its reason. What is on a list and no longer needed
//! fails too.

/// A circle of modules that may import each other.
pub struct Circle {
    /// The sources of its crate, such as `shared/core/src/`.
    pub folder: &'static str,
    /// The modules in the order of their names, with blanks between them.
    pub modules: &'static str,
    pub why: &'static str,
}

impl Circle {
    pub fn modules(&self) -> Vec<&'static str> {
        self.modules.split_whitespace().collect()
    }
}

/// The circles that stay.
pub const CIRCLES: &[Circle] = &[];

/// The circles that are on their way out.
pub const CIRCLES_FOR_NOW: &[Circle] = &[
    Circle {
        folder: "cli/src/",
        modules: "demo demo/check demo/fleet demo/mishap demo/mishaps demo/story demo/table \
             demo/teller demo/watch",
        why: "FOR NOW: the root of the folder has both its types and its command",
    },
    Circle {
        folder: "cli/src/",
        modules: "policy policy/apply policy/check policy/next policy/preview",
        why: "FOR NOW: the root of the folder has both its types and its command",
    },
    Circle {
        folder: "cli/src/",
        modules: "rebuild rebuild/show",
        why: "FOR NOW: the root of the folder has both its types and its command",
    },
    Circle {
        folder: "shared/aws/src/",
        modules: "load/work_requested load/work_requested/copy load/work_requested/power \
             load/work_requested/register load/work_requested/snapshot",
        why: "FOR NOW: the wait of a worker is being moved into the core",
    },
    Circle {
        folder: "shared/cloud/src/",
        modules: "access agenda arn cloud config dispatch door/sdk dynamodb dynamodb/read \
             dynamodb/shadow dynamodb/tables dynamodb/ttl dynamodb/wants ec2 ec2/catalogue \
             ec2/filter ec2/furniture ec2/groups ec2/images ec2/images/attributes ec2/images/copy \
             ec2/images/create ec2/images/deregister ec2/images/describe ec2/images/lifecycle \
             ec2/images/mapping ec2/images/references ec2/images/register ec2/images/settle \
             ec2/instances ec2/instances/alias ec2/instances/attributes ec2/instances/describe \
             ec2/instances/filters ec2/instances/launch ec2/instances/lifecycle \
             ec2/instances/mapping ec2/instances/plan ec2/instances/run ec2/instances/status \
             ec2/instances/template ec2/launch_templates ec2/launch_templates/create \
             ec2/launch_templates/data ec2/launch_templates/describe \
             ec2/launch_templates/versions ec2/lookup ec2/merge ec2/network ec2/page \
             ec2/snapshots ec2/snapshots/attributes ec2/snapshots/copy ec2/snapshots/create \
             ec2/snapshots/delete ec2/snapshots/describe ec2/snapshots/events \
             ec2/snapshots/lifecycle ec2/snapshots/lock ec2/state ec2/tags ec2/tokens ec2/types \
             ec2/volumes ec2/volumes/attach ec2/volumes/create ec2/volumes/describe \
             ec2/volumes/key eventbridge eventbridge/buses eventbridge/deliver eventbridge/input \
             eventbridge/put eventbridge/rules eventbridge/targets faults faults/json faults/rule \
             kms kms/aliases kms/grants kms/keys kms/policy lambda lambda/environment \
             lambda/function lambda/queue lambda/run model permit sqs sqs/queues sqs/receive ssm \
             ssm/put ssm/read sts throttle",
        why: "FOR NOW: the cloud is being split into a kernel and services",
    },
    Circle {
        folder: "shared/cloud/src/",
        modules: "deploy deploy/make deploy/parameters",
        why: "FOR NOW: the cloud is being split into a kernel and services",
    },
    Circle {
        folder: "shared/cloud/src/",
        modules: "door/control door/port",
        why: "FOR NOW: the cloud is being split into a kernel and services",
    },
    Circle {
        folder: "shared/cloud/src/",
        modules: "dynamodb/answer dynamodb/items",
        why: "FOR NOW: the cloud is being split into a kernel and services",
    },
    Circle {
        folder: "shared/cloud/src/",
        modules: "iam/condition iam/document",
        why: "FOR NOW: the cloud is being split into a kernel and services",
    },
    Circle {
        folder: "shared/core/src/",
        modules: "conclude flow/work_requested/made",
        why: "FOR NOW: the records and their transitions are being brought together",
    },
    Circle {
        folder: "shared/core/src/",
        modules: "flow/artefact_audit flow/reconcile_tick",
        why: "FOR NOW: the records and their transitions are being brought together",
    },
    Circle {
        folder: "shared/core/src/",
        modules: "flow/work_requested/guards flow/work_requested/power",
        why: "FOR NOW: the records and their transitions are being brought together",
    },
    Circle {
        folder: "shared/core/src/",
        modules: "policy/file policy/file/combine",
        why: "FOR NOW: the records and their transitions are being brought together",
    },
    Circle {
        folder: "shared/core/src/",
        modules: "rebuild rebuild/home rebuild/machine rebuild/point rebuild/replicas",
        why: "FOR NOW: the records and their transitions are being brought together",
    },
];

/// Public items that nothing of the product names, and why they are there.
pub const UNUSED: &[(&str, &str)] = &[];

/// Items that nothing names and that are on their way out.
pub const UNUSED_FOR_NOW: &[(&str, &str)] = &[
    ("CATCH_UP", "FOR NOW: a bound that nothing keeps; it goes"),
    ("render", "FOR NOW: a language of tests only; it moves to the support of tests"),
];
