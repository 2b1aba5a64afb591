//! The token buckets: what a burst gets, what a second gives back, and what has a bucket at all.
//!
//! A call that is let through may well fail afterwards, since most of these carry no parameters;
//! all that counts here is whether it was refused for coming too fast.

use std::time::Duration;

use afterimage_cloud::access::{Call, Identity};
use afterimage_cloud::ec2::throttle;
use afterimage_cloud::http::Request;
use afterimage_cloud::model::Scope;
use afterimage_cloud::query::Fields;
use afterimage_cloud::services;
use afterimage_cloud::{Cloud, Config};

use crate::raw::{ADMINISTRATOR, ec2, ec2_of, json, reply, text};

const SECOND: Duration = Duration::from_secs(1);

/// How many of so many calls, all at this moment, were let through.
fn admitted(cloud: &Cloud, request: &Request, calls: usize) -> usize {
    let refused = |_: &usize| {
        let response = reply(cloud, request);
        let body = text(&response);
        body.contains("RequestLimitExceeded") || body.contains("ThrottlingException")
    };
    calls - (0..calls).filter(refused).count()
}

/// `InstanceId.1` to `InstanceId.{count}`.
fn instance_ids(count: u32) -> String {
    (1..=count).map(|n| format!("&InstanceId.{n}=i-0{n:016x}")).collect()
}

#[test]
fn a_full_bucket_lets_its_maximum_through_and_the_next_call_gets_503() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let request = ec2("DescribeTags", "");
        for call in 1..=100 {
            assert_eq!(reply(&cloud, &request).status, 200, "call {call}");
        }
        let response = reply(&cloud, &request);
        assert_eq!(response.status, 503);
        let error = "<Errors><Error><Code>RequestLimitExceeded</Code>\
                     <Message>Request limit exceeded.</Message></Error></Errors>";
        assert!(text(&response).contains(error), "{}", text(&response));
    });
}

#[test]
fn a_refused_call_is_in_the_trace_under_its_code() {
    Cloud::run(Config::seeded(1), async |cloud| {
        admitted(&cloud, &ec2("DescribeTags", ""), 101);
        let outcomes: Vec<String> = cloud
            .with(|model| model.trace.entries().iter().map(|line| line.outcome.clone()).collect());
        assert_eq!(outcomes.len(), 101);
        assert!(outcomes[..100].iter().all(|outcome| outcome == "ok"));
        assert_eq!(outcomes[100], "RequestLimitExceeded");
    });
}

#[test]
fn tokens_come_back_at_the_whole_second_and_not_before() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let request = ec2("CopyImage", "");
        assert_eq!(admitted(&cloud, &request, 150), 100);
        cloud.advance(Duration::from_millis(999)).await;
        assert_eq!(admitted(&cloud, &request, 5), 0);
        cloud.advance(Duration::from_millis(1)).await;
        assert_eq!(admitted(&cloud, &request, 5), 1);
        cloud.advance(SECOND).await;
        assert_eq!(admitted(&cloud, &request, 5), 1);
        cloud.advance(7 * SECOND).await;
        assert_eq!(admitted(&cloud, &request, 50), 7);
    });
}

#[test]
fn a_bucket_never_holds_more_than_its_maximum() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let request = ec2("DescribeTags", "");
        assert_eq!(admitted(&cloud, &request, 10), 10);
        cloud.advance(3600 * SECOND).await;
        assert_eq!(admitted(&cloud, &request, 300), 100);
        cloud.advance(5 * SECOND).await;
        assert_eq!(admitted(&cloud, &request, 300), 100, "an empty bucket is full after 5 s");
    });
}

/// Action, maximum, and what ten seconds put back.
const PUBLISHED: &[(&str, usize, usize)] = &[
    ("DescribeImages", 100, 100),
    ("DescribeImageAttribute", 100, 100),
    ("GetConsoleOutput", 100, 100),
    ("ListSnapshotsInRecycleBin", 100, 100),
    ("DescribeSnapshots", 50, 50),
    ("DescribeVolumes", 50, 50),
    ("DescribeInstances", 50, 50),
    ("DescribeInstanceStatus", 50, 50),
    ("DescribeSecurityGroups", 50, 50),
    ("DescribeNetworkInterfaces", 50, 50),
    ("DescribeSpotInstanceRequests", 50, 50),
    ("CreateImage", 50, 50),
    ("RegisterImage", 50, 50),
    ("CopySnapshot", 50, 50),
    ("EnableImageDeprecation", 50, 50),
    ("DisableImage", 50, 50),
    ("LockSnapshot", 50, 50),
    ("UnlockSnapshot", 50, 50),
    ("CreateLaunchTemplate", 50, 50),
    ("StopInstances", 50, 50),
    ("RebootInstances", 50, 50),
    ("CopyImage", 100, 10),
    ("CreateSnapshot", 100, 50),
    ("CreateSnapshots", 100, 50),
    ("DeleteSnapshot", 100, 50),
    ("DeregisterImage", 100, 50),
    ("ModifyImageAttribute", 100, 50),
    ("ModifySnapshotAttribute", 100, 50),
    ("CreateVolume", 100, 50),
    ("TerminateInstances", 100, 50),
    ("CreateLaunchTemplateVersion", 100, 50),
    ("CreateTags", 100, 100),
    ("DeleteTags", 100, 100),
    ("RunInstances", 5, 5),
    ("StartInstances", 5, 5),
    ("CreateStoreImageTask", 50, 1),
    ("CreateRestoreImageTask", 50, 1),
    ("DescribeStoreImageTasks", 50, 5),
];

#[test]
fn every_action_has_the_published_maximum_and_refill() {
    Cloud::run(Config::seeded(1), async |cloud| {
        for (action, maximum, _) in PUBLISHED {
            assert_eq!(admitted(&cloud, &ec2(action, ""), 120), *maximum, "{action} at first");
        }
        cloud.advance(10 * SECOND).await;
        for (action, _, refill) in PUBLISHED {
            assert_eq!(admitted(&cloud, &ec2(action, ""), 120), *refill, "{action} after 10 s");
        }
    });
}

#[test]
fn the_refill_of_one_second_is_the_published_one() {
    let cases = [
        ("DescribeImages", 20),
        ("DescribeInstances", 10),
        ("CreateImage", 5),
        ("CopyImage", 1),
        ("CreateSnapshots", 5),
        ("CreateTags", 10),
        ("RunInstances", 2),
        ("StartInstances", 2),
        ("DescribeStoreImageTasks", 0),
    ];
    Cloud::run(Config::seeded(1), async |cloud| {
        for (action, _) in cases {
            admitted(&cloud, &ec2(action, ""), 120);
        }
        cloud.advance(SECOND).await;
        for (action, refill) in cases {
            assert_eq!(admitted(&cloud, &ec2(action, ""), 120), refill, "{action}");
        }
    });
}

#[test]
fn a_refill_below_one_adds_up_over_the_seconds() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let request = ec2("CreateStoreImageTask", "");
        assert_eq!(admitted(&cloud, &request, 60), 50);
        for second in 1..=9 {
            cloud.advance(SECOND).await;
            assert_eq!(admitted(&cloud, &request, 1), 0, "second {second}");
        }
        cloud.advance(SECOND).await;
        assert_eq!(admitted(&cloud, &request, 3), 1);
    });
}

#[test]
fn accounts_regions_and_actions_do_not_share_a_bucket() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let other = Identity::administrator("111122223333");
        cloud.with(|model| model.principals.declare_key("AKIAOTHER", other));
        assert_eq!(admitted(&cloud, &ec2("CreateImage", ""), 60), 50);
        assert_eq!(admitted(&cloud, &ec2("RegisterImage", ""), 60), 50);
        let elsewhere = ec2_of(ADMINISTRATOR, "eu-west-1", "CreateImage", "");
        assert_eq!(admitted(&cloud, &elsewhere, 60), 50);
        let others = ec2_of("AKIAOTHER", "us-east-1", "CreateImage", "");
        assert_eq!(admitted(&cloud, &others, 60), 50);
        assert_eq!(admitted(&cloud, &ec2("CreateImage", ""), 1), 0);
    });
}

#[test]
fn two_callers_of_one_account_share_its_buckets() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let second = ec2_of("AKIASECOND", "us-east-1", "CreateImage", "");
        assert_eq!(admitted(&cloud, &ec2("CreateImage", ""), 30), 30);
        assert_eq!(admitted(&cloud, &second, 30), 20);
    });
}

#[test]
fn a_describe_of_everything_at_once_spends_from_a_smaller_bucket_of_its_own() {
    Cloud::run(Config::seeded(1), async |cloud| {
        assert_eq!(admitted(&cloud, &ec2("DescribeSnapshots", "&Owner.1=self"), 200), 50);
        let filtered = ec2("DescribeSnapshots", "&Filter.1.Name=status&Filter.1.Value.1=completed");
        assert_eq!(admitted(&cloud, &filtered, 200), 100, "the other bucket is still full");
        cloud.advance(SECOND).await;
        assert_eq!(admitted(&cloud, &ec2("DescribeSnapshots", ""), 200), 10);
        assert_eq!(admitted(&cloud, &filtered, 200), 20);
    });
}

#[test]
fn a_filter_a_page_or_ids_make_a_describe_an_ordinary_one() {
    let narrowed = [
        "&Filter.1.Name=instance-state-name&Filter.1.Value.1=running",
        "&MaxResults=100",
        "&NextToken=abcd",
        "&InstanceId.1=i-00000000000000001",
    ];
    for rest in narrowed {
        Cloud::run(Config::seeded(1), async |cloud| {
            let request = ec2("DescribeInstances", rest);
            assert_eq!(admitted(&cloud, &request, 200), 100, "{rest}");
        });
    }
    Cloud::run(Config::seeded(1), async |cloud| {
        let empty = ec2("DescribeInstances", "&NextToken=");
        assert_eq!(admitted(&cloud, &empty, 200), 50, "an empty token is none");
    });
}

#[test]
fn ids_do_not_narrow_a_describe_if_the_knob_says_so() {
    let mut config = Config::seeded(1);
    config.quirks.ids_count_as_filter = false;
    Cloud::run(config, async |cloud| {
        let by_id = ec2("DescribeInstances", "&InstanceId.1=i-00000000000000001");
        assert_eq!(admitted(&cloud, &by_id, 200), 50);
        let filtered = ec2("DescribeInstances", "&MaxResults=100");
        assert_eq!(admitted(&cloud, &filtered, 200), 100);
    });
}

#[test]
fn a_parameter_that_only_the_throttle_looked_at_still_counts_as_unread() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let call = Call {
            scope: Scope::new("123456789012", "us-east-1"),
            service: services::find("ec2").expect("EC2 is modelled").service,
            action: "DescribeVolumes".to_string(),
            caller: Identity::administrator("123456789012"),
            request_id: String::new(),
            dry_run: false,
        };
        let fields = Fields::parse(b"MaxResults=5").expect("a form");
        cloud.with(|model| throttle::admit(model, &call, &fields)).expect("the bucket is full");
        let error = fields.finish().expect_err("no operation read it");
        assert_eq!(error.code, "UnknownParameter");
    });
}

#[test]
fn a_thousand_instances_may_be_launched_at_once_and_two_more_each_second() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let launch = |count: u32| ec2("RunInstances", &format!("&MinCount=1&MaxCount={count}"));
        assert_eq!(admitted(&cloud, &launch(1001), 1), 0, "more than the bucket can ever hold");
        assert_eq!(admitted(&cloud, &launch(1000), 1), 1);
        assert_eq!(admitted(&cloud, &launch(1), 1), 0);
        cloud.advance(SECOND).await;
        assert_eq!(admitted(&cloud, &launch(3), 1), 0);
        assert_eq!(admitted(&cloud, &launch(2), 1), 1);
    });
}

#[test]
fn instances_to_stop_start_or_terminate_are_counted_by_their_ids() {
    let cases = [("StartInstances", 2), ("StopInstances", 20), ("TerminateInstances", 20)];
    Cloud::run(Config::seeded(1), async |cloud| {
        for (action, _) in cases {
            let some = ec2(action, &instance_ids(500));
            assert_eq!(admitted(&cloud, &some, 2), 2, "{action}");
            assert_eq!(admitted(&cloud, &ec2(action, &instance_ids(1)), 1), 0, "{action}");
        }
        cloud.advance(SECOND).await;
        for (action, refill) in cases {
            let too_many = ec2(action, &instance_ids(refill + 1));
            assert_eq!(admitted(&cloud, &too_many, 1), 0, "{action}");
            let enough = ec2(action, &instance_ids(refill));
            assert_eq!(admitted(&cloud, &enough, 1), 1, "{action}");
        }
    });
}

#[test]
fn a_dry_run_spends_a_request_and_no_instances() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let dry = ec2("RunInstances", "&MinCount=1&MaxCount=1000&DryRun=true");
        assert_eq!(admitted(&cloud, &dry, 2), 2);
        let launch = ec2("RunInstances", "&MinCount=1&MaxCount=1000");
        assert_eq!(admitted(&cloud, &launch, 1), 1);
        let one = ec2("RunInstances", "&MinCount=1&MaxCount=1&DryRun=true");
        assert_eq!(admitted(&cloud, &one, 9), 2, "three of five requests are spent");
    });
}

#[test]
fn without_throttles_nothing_is_refused() {
    let mut config = Config::seeded(1);
    config.limits.throttles = false;
    Cloud::run(config, async |cloud| {
        for action in ["DescribeInstances", "CreateImage", "RunInstances"] {
            assert_eq!(admitted(&cloud, &ec2(action, ""), 2000), 2000, "{action}");
        }
    });
}

#[test]
fn other_users_of_the_account_take_their_share_of_the_refill() {
    for (take, refill) in [(0, 20), (50, 10), (75, 5), (100, 0), (250, 0)] {
        let mut config = Config::seeded(1);
        config.limits.other_users_take = take;
        Cloud::run(config, async |cloud| {
            let request = ec2("DescribeImages", "");
            assert_eq!(admitted(&cloud, &request, 150), 100, "at {take} percent");
            cloud.advance(SECOND).await;
            assert_eq!(admitted(&cloud, &request, 150), refill, "at {take} percent");
        });
    }
}

#[test]
fn an_action_that_ec2_cannot_have_has_no_bucket() {
    Cloud::run(Config::seeded(1), async |cloud| {
        let response = reply(&cloud, &ec2("Frobnicate", ""));
        assert!(text(&response).contains("InvalidAction"), "{}", text(&response));
        assert_eq!(admitted(&cloud, &ec2("Frobnicate", ""), 500), 500);
    });
}

fn put_events(region: &str) -> Request {
    json(region, "events", "AWSEvents.PutEvents", r#"{"Entries":[]}"#)
}

#[test]
fn put_events_has_the_published_rate_of_its_region() {
    let cases = [("af-south-1", 400), ("ca-central-1", 600), ("us-east-2", 2400)];
    Cloud::run(Config::seeded(1), async |cloud| {
        for (region, rate) in cases {
            assert_eq!(admitted(&cloud, &put_events(region), 2500), rate, "{region}");
        }
        let response = reply(&cloud, &put_events("af-south-1"));
        assert_eq!(response.status, 400);
        let body: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!(body["__type"], "ThrottlingException");
        cloud.advance(SECOND).await;
        assert_eq!(admitted(&cloud, &put_events("af-south-1"), 500), 400);
    });
}

#[test]
fn put_events_follows_the_knob() {
    let mut config = Config::seeded(1);
    config.limits.put_events_per_second = Some(3);
    Cloud::run(config, async |cloud| {
        assert_eq!(admitted(&cloud, &put_events("us-east-1"), 10), 3);
        cloud.advance(SECOND).await;
        assert_eq!(admitted(&cloud, &put_events("us-east-1"), 10), 3);
    });
}

#[test]
fn services_without_published_buckets_are_not_throttled() {
    let calls = [
        ("kms", "TrentService.DescribeKey"),
        ("ssm", "AmazonSSM.GetParameter"),
        ("sqs", "AmazonSQS.ReceiveMessage"),
        ("events", "AWSEvents.DescribeRule"),
    ];
    Cloud::run(Config::seeded(1), async |cloud| {
        for (service, target) in calls {
            let request = json("us-east-1", service, target, "{}");
            assert_eq!(admitted(&cloud, &request, 1000), 1000, "{target}");
        }
    });
}
