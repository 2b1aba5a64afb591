//! Files that are wrong, and all that is said of them.

use afterimage_core::ids::AccountId;
use afterimage_core::policy::file::{read, read_at};

/// Every problem of a file, as `line:column: what; instead`.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let problems = read(text).expect_err("the file is wrong");
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "expected {expected}\n     got {said}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_at_its_place() {
    let text = r#"policies:
  gold:
    select:
      regions: [us-eats-1]
      tags: gold
      exclude_tag: {a: b}
    triggers:
      - schedule: cron(0 2 * * *)
        timezone: Asia/Saigon City
      - on: started
    image: {share: {accounts: [123456789012]}}
    replicate:
      - region: eu-west-1
        deadline: soon
  gold:
    select: {regions: [eu-west-1], tags: {a: b}}
    triggers: [{on: stopped}]
    replicate: [{region: eu-west-1}]
"#;
    check(
        text,
        &[
            "4:17: `us-eats-1` is not a region; did you mean us-east-1?",
            "5:13: `tags` must be a group of keys, not a single value",
            "6:7: unknown key `exclude_tag`; did you mean `exclude_tags`?",
            "8:19: a cron expression has 6 fields",
            "9:19: `Asia/Saigon City` is not a time zone of the IANA database",
            "10:13: `on: started` is not a known event; write `on: stopped` or `on: tag`",
            "11:32: the account id 123456789012 is not in quotes; write \"123456789012\"",
            "14:19: `deadline`: `soon` is not a duration",
            "15:3: policy `gold` is defined twice (first at 2:3)",
            "18:16: no replica region is left for machines in eu-west-1",
        ],
    );
}

#[test]
fn a_schedule_that_never_comes_again_is_refused_in_a_file_that_is_put_in_force_now() {
    let text = "policies:
  gold:
    select: {regions: [us-east-1], tags: {a: b}}
    triggers: [{schedule: 'cron(0 3 1 1 ? YEAR)'}, {on: tag}]
";
    let now = "2026-01-01T03:00:00Z".parse().expect("an instant");
    for over in ["1999", "2025,2026", "1970-2026"] {
        let text = text.replace("YEAR", over);
        let problems = read_at(&text, now, None).expect_err(over);
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected = format!(
            "4:27: `cron(0 3 1 1 ? {over})` never comes again: the last of its years is past; \
             write a year that is to come, or `*` for every year"
        );
        assert_eq!(said, [expected]);
        read(&text).expect("it was right once, and the ledger may still have it");
    }
    for to_come in ["*", "2027", "2020-2030"] {
        read_at(&text.replace("YEAR", to_come), now, None).expect(to_come);
    }
}

#[test]
fn one_mistake_in_a_trigger_does_not_hide_another() {
    let text = "policies:
  gold:
    select: {regions: [us-east-1], tags: {a: b}}
    triggers:
      - {on: started, min_interval: soon}
      - {schedule: rate(0 hours), timezone: [UTC]}
";
    check(
        text,
        &[
            "5:14: `on: started` is not a known event",
            "5:37: `min_interval`: `soon` is not a duration",
            "6:20: ",
            "6:45: `timezone` must be a single value",
        ],
    );
}

#[test]
fn what_is_not_the_yaml_that_is_read_here_is_told_at_its_place() {
    check("", &["1:1: the file is empty"]);
    check("policies: {a: [}", &["1:16: this is not YAML"]);
    check("policies: &x {a: b}", &["1:11: an anchor"]);
    check("policies: !tag {a: b}", &["1:11: a tag of YAML"]);
    check("policies: {}\n---\npolicies: {}\n", &["2:1: a second document"]);
    check("- a\n- b\n", &["1:1: the file must be a group of keys, not a list"]);
    check("policy: {}\n", &["1:1: `policies` is missing", "1:1: unknown key `policy`"]);
}

/// The one problem of a policy with these lines (a line of YAML each) behind its selection.
#[track_caller]
fn check_policy(lines: &str, expected: &[&str]) {
    let text = format!(
        "policies:\n  gold:\n    select: {{regions: [us-east-1], tags: {{a: b}}}}\n    {}\n",
        lines.replace('\n', "\n    ")
    );
    check(&text, expected);
}

#[test]
fn a_word_that_is_not_one_of_the_few_is_told_with_those() {
    check_policy(
        "triggers: [{schedule: rate(1 day), catch_up: all}]
consistency: at_rest
image: {method: createimage, kind: [image], copy_tags: yes}",
        &[
            "4:50: `catch_up` cannot be `all`; write latest or none",
            "5:18: `consistency` cannot be `at_rest`; write at-rest, stop-start, reboot or crash",
            "6:21: `method` cannot be `createimage`; write auto, create-image or snapshot-register",
            "6:40: `kind` must be a single value, not a list",
            "6:60: `copy_tags` cannot be `yes`; write true or false, without quotes",
        ],
    );
}

#[test]
fn a_number_is_written_with_digits_and_within_bounds() {
    check_policy(
        "triggers: [{on: tag}]
stop_start: {at_once: 0, timeout: 30s}
retain: {last: 0, hourly: -1, daily: \"7\", weekly: 4.0, monthly: 1e2, yearly: 100001, within: 0d}",
        &[
            "5:27: `at_once` cannot be `0`; write a whole number from 1 to 1000, without quotes",
            "5:39: `timeout`: 30s is too short; the minimum is 1m",
            "6:20: `last` cannot be `0`; write a whole number from 1 to 100000",
            "6:31: `hourly` cannot be `-1`",
            "6:42: `daily` cannot be `7`; write a whole number from 1 to 100000, without quotes",
            "6:55: `weekly` cannot be `4.0`",
            "6:69: `monthly` cannot be `1e2`",
            "6:82: `yearly` cannot be `100001`",
            "6:98: `within`: 0d is too short; the minimum is 1s",
        ],
    );
}

#[test]
fn a_length_of_time_is_neither_too_short_nor_too_long() {
    check_policy(
        "triggers:
  - {schedule: rate(1 day), window: 8d}
  - {schedule: rate(1 hour), window: 5s}
  - {on: stopped, min_interval: 99999999999999999999999w}
rpo: +4h
stop_start: {timeout: 1d}",
        &[
            "5:41: `window`: 8d is too long; the maximum is 7d",
            "6:42: `window`: 5s is too short; the minimum is 1m",
            "7:37: `min_interval`: 99999999999999999999999w is too long; the maximum is 36500d",
            "8:10: `rpo`: `+4h` is not a duration",
            "9:27: `timeout`: 1d is too long; the maximum is 2h",
        ],
    );
}

#[test]
fn a_key_that_belongs_to_another_trigger_is_sent_there() {
    check_policy(
        "triggers:
  - {schedule: rate(1 day), min_interval: 1h}
  - {on: stopped, window: 1h, timezone: UTC}
  - {on: tag, catch_up: latest, min_interval: 1h, every: day}",
        &[
            "5:33: `min_interval` belongs to `on: stopped`; leave it out here",
            "6:23: `window` belongs to a schedule; leave it out here",
            "6:35: `timezone` belongs to a schedule",
            "7:19: `catch_up` belongs to a schedule",
            "7:37: `min_interval` belongs to `on: stopped`",
            "7:55: unknown key `every`",
        ],
    );
}

#[test]
fn nothing_stands_anywhere_twice() {
    check(
        "policies:
  gold:
    select: {regions: [us-east-1, us-east-1], tags: {a: b}, states: [stopped, stopped]}
    triggers:
      - {schedule: rate(1 day), window: 1h}
      - {schedule: rate(1 day), timezone: UTC}
      - {on: stopped}
      - {on: stopped, min_interval: 1h}
      - {on: tag}
      - {on: tag}
    image:
      exclude_volumes: {devices: [/dev/sdh, /dev/sdh]}
      share: {accounts: [\"111122223333\", \"111122223333\"]}
",
        &[
            "3:35: `us-east-1` is given twice; keep one of them",
            "3:79: `stopped` is given twice",
            "6:9: this trigger repeats the one at 5:9; keep one of them",
            "8:9: this trigger repeats the one at 7:9",
            "10:9: this trigger repeats the one at 9:9",
            "12:45: `/dev/sdh` is given twice",
            "13:42: `111122223333` is given twice",
        ],
    );
}

#[test]
fn what_is_empty_says_nothing() {
    check_policy(
        "triggers: []
image: {exclude_volumes: {}, share: {}, tags: {a: }}
retain: {}
replicate: [{region: eu-west-1, retain: {}}]",
        &[
            "4:15: `triggers` is an empty list; name at least one",
            "5:30: `exclude_volumes` names no volumes",
            "5:41: `accounts` is missing",
            "5:53: the value of a tag is missing; write a value after the colon, or \"\"",
            "6:13: `retain` keeps nothing",
            "7:45: `retain` keeps nothing",
        ],
    );
    check(
        "policies: {gold: {select: {regions: [], tags: {}, exclude_tags: {a: []}, states: []}, \
         triggers: [{on: tag}]}}",
        &[
            "1:37: `regions` is an empty list",
            "1:47: `tags` is empty",
            "1:69: the values of `a` is an empty list",
            "1:82: `states` is an empty list",
        ],
    );
}

#[test]
fn a_machine_that_is_gone_cannot_be_selected() {
    check(
        "policies: {gold: {select: {regions: [us-east-1], tags: {a: b}, states: [terminated]}, \
         triggers: [{on: tag}]}}",
        &["1:73: a state cannot be `terminated`; write running, stopped, pending or stopping"],
    );
}

#[test]
fn tags_that_ec2_would_refuse_are_refused_here() {
    let key = "k".repeat(129);
    let value = "é".repeat(257);
    check_policy(
        &format!(
            "triggers: [{{on: tag}}]
image:
  tags: {{aws:a: b, AfterImage:b: c, \"\": d}}
  exclude_volumes: {{tags: {{{key}: {value}}}}}"
        ),
        &[
            "6:14: the tag `aws:a` is reserved",
            "6:24: the tag `AfterImage:b` is reserved",
            "6:41: the key of a tag is empty",
            "7:32: the key of a tag has 129 characters; the maximum is 128",
            "7:163: the value of a tag has 257 characters; the maximum is 256",
        ],
    );
    let tags = |count: u32| -> String { (0..count).map(|n| format!("t{n}: x, ")).collect() };
    let image = |count| format!("triggers: [{{on: tag}}]\nimage: {{tags: {{{}}}}}", tags(count));
    check_policy(&image(31), &["5:19: `tags` has 31 tags; the maximum is 30"]);
    let select = |count| {
        let tags = tags(count);
        format!(
            "policies: {{g: {{select: {{regions: [us-east-1], tags: {{{tags}}}}}, \
             triggers: [{{on: tag}}]}}}}"
        )
    };
    check(&select(51), &["1:53: `tags` has 51 tags; the maximum is 50"]);
    assert!(read(&select(50)).is_ok());
}

#[test]
fn a_list_has_an_end() {
    let values = "x, ".repeat(101);
    check(
        &format!(
            "policies: {{g: {{select: {{regions: [us-east-1], tags: {{a: [{values}]}}}}, \
             triggers: [{{on: tag}}]}}}}"
        ),
        &["1:57: the values of `a` has 101 entries; the maximum is 100"],
    );
}

#[test]
fn a_device_is_named_as_ec2_names_it() {
    check_policy(
        "triggers: [{on: tag}]
image: {exclude_volumes: {devices: [sdh, /dev/, \"/dev/s h\", \"D:\", /dev/sdh, xvdf]}}",
        &[
            "5:41: `sdh` is not the name of a device; write it as EC2 shows it",
            "5:46: `/dev/` is not the name of a device",
            "5:53: `/dev/s h` is not the name of a device",
            "5:65: `D:` is not the name of a device",
        ],
    );
}

#[test]
fn a_key_is_named_so_that_it_can_be_found_in_its_region() {
    check_policy(
        "triggers: [{on: tag}]
replicate:
  - {region: eu-west-1, kms_key: dr}
  - {region: eu-west-2, kms_key: alias/}
  - {region: eu-west-3, kms_key: \"arn:aws:kms:eu-west-1:123456789012:alias/dr\"}
  - {region: eu-north-1, kms_key: \"arn:aws:kms:eu-north-1:123456789012:dr\"}
  - {region: eu-south-1, kms_key: \"arn:aws:s3:eu-south-1:123456789012:alias/dr\"}
  - {region: eu-south-2, kms_key: mrk-12}
  - {region: sa-east-1, kms_key: 1234abcd-12ab-34cd-56ef-1234567890ab}
  - region: us-west-2
    kms_key: arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        &[
            "6:38: `dr` does not name a KMS key; write an alias like alias/dr",
            "7:38: `alias/` does not name a KMS key",
            "8:38: a key in eu-west-1 cannot encrypt images in eu-west-3; name a key in eu-west-3",
            "9:39: `arn:aws:kms:eu-north-1:123456789012:dr` does not name a KMS",
            "10:39: `arn:aws:s3:eu-south-1:123456789012:alias/dr` does not name a KMS",
            "11:39: `mrk-12` does not name a KMS key",
        ],
    );
}

#[test]
fn snapshots_alone_leave_no_image_to_work_with() {
    check_policy(
        "triggers: [{on: tag}]
consistency: reboot
image: {kind: snapshots, method: create-image, share: {accounts: [\"111122223333\"]}}
replicate: [{region: eu-west-1}]",
        &[
            "5:18: `consistency: reboot` needs CreateImage, and `kind: snapshots` makes no image",
            "6:38: `method: create-image` makes an image, and `kind: snapshots` asks for none",
            "6:59: `kind: snapshots` leaves no image to share",
            "7:16: `kind: snapshots` leaves no image to replicate; leave `replicate` out",
        ],
    );
}

#[test]
fn only_create_image_reboots() {
    check_policy(
        "triggers: [{on: tag}]
consistency: reboot
image: {method: snapshot-register}",
        &["6:21: `method: snapshot-register` cannot reboot the machine, which CreateImage does"],
    );
}

#[test]
fn what_is_encrypted_with_a_key_of_aws_cannot_be_shared() {
    check_policy(
        "triggers: [{on: tag}]
image: {share: {accounts: [\"111122223333\"]}}
replicate:
  - {region: eu-west-1, kms_key: alias/aws/ebs}
  - {region: eu-west-2, kms_key: \"arn:aws:kms:eu-west-2:123456789012:alias/aws/ebs\"}
  - {region: eu-west-3, kms_key: alias/mine}",
        &[
            "7:9: images that are encrypted with a key of AWS (alias/aws/...) cannot be shared",
            "8:9: images that are encrypted with a key of AWS",
        ],
    );
}

#[test]
fn a_stop_triggers_nothing_where_what_is_stopped_is_not_selected() {
    check(
        "policies:
  gold:
    select: {regions: [us-east-1], tags: {a: b}, states: [running]}
    triggers:
      - schedule: rate(1 day)
      - on: stopped
",
        &["6:9: `on: stopped` can never trigger: `states` does not name stopped; add stopped"],
    );
}

#[test]
fn what_is_wrong_in_the_selection_does_not_hide_the_rest() {
    check(
        "policies:
  Gold:
    select: {regions: [us-east-1]}
    triggers: [{on: tag}]
    image: {kind: snapshots}
    replicate: [{region: eu-west-1, retain: {day: 7}}]
",
        &[
            "2:3: `Gold` is not a policy name",
            "3:13: `tags` is missing",
            "6:16: `kind: snapshots` leaves no image to replicate",
            "6:46: unknown key `day`; did you mean",
        ],
    );
}

/// What is said of a name in `regions`; empty if nothing is.
#[track_caller]
fn check_region(name: &str, expected: &str) {
    let text = format!(
        "policies: {{g: {{select: {{regions: [{name}], tags: {{a: b}}}}, \
         triggers: [{{on: tag}}]}}}}"
    );
    let said: Vec<String> = match read(&text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.instead).collect(),
    };
    assert_eq!(said.join(" "), expected, "{name}");
}

#[test]
fn a_region_that_is_new_is_taken_and_one_that_is_misspelt_is_not() {
    let known = ["us-east-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1"];
    let new = ["us-east-9", "ap-southeast-12", "sa-west-1", "nz-central-1", "eu-southwest-1"];
    for name in known.into_iter().chain(new) {
        check_region(name, "");
    }
    for name in ["us-eats-1", "us-est-1", "us-easst-1", "us-east1", "us-east-1a"] {
        check_region(name, "did you mean us-east-1?");
    }
    check_region("ue-west-2", "did you mean eu-west-2?");
    check_region("eu-wset-3", "did you mean eu-west-3?");
    check_region("us-gvo-west-1", "did you mean us-gov-west-1?");
    check_region("US-EAST-1", "write the name of a region, such as us-east-1");
    for name in ["europe", "eu-1"] {
        check_region(name, "write the name of a region, such as us-east-1");
    }
    for name in ["eu--west-1", "eu-west-", "eu-west-01", "eu-west-100"] {
        check_region(name, "did you mean eu-west-1?");
    }
}

/// The problems of a policy with these regions that is put in force now.
#[track_caller]
fn check_partitions(regions: &str, replicas: &str, expected: &[&str]) {
    let text = format!(
        "policies:
  gold:
    select: {{regions: [{regions}], tags: {{a: b}}}}
    triggers: [{{on: tag}}]
    replicate: [{replicas}]
"
    );
    let now = "2026-01-01T03:00:00Z".parse().expect("an instant");
    let problems = read_at(&text, now, None).err().unwrap_or_default();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said, expected);
    read(&text).expect("it may be in force, and images its machines");
}

#[test]
fn regions_of_two_partitions_are_refused_in_a_file_that_is_put_in_force_now() {
    check_partitions(
        "us-east-1, eu-west-1",
        "{region: eusouth-new-1}, {region: il-central-1}",
        &[],
    );
    check_partitions("cn-north-1", "{region: cn-northwest-1}", &[]);
    check_partitions("us-gov-east-1", "{region: us-gov-west-1}", &[]);
    check_partitions(
        "us-east-1, us-gov-west-1",
        "{region: eu-west-1}, {region: cn-north-1}",
        &[
            "3:35: us-gov-west-1 is in the partition aws-us-gov of AWS, and us-east-1 is in aws: \
             nothing can be copied from one partition to another; name regions of aws only",
            "5:47: cn-north-1 is in the partition aws-cn of AWS, and us-east-1 is in aws: nothing \
             can be copied from one partition to another; name regions of aws only",
        ],
    );
    check_partitions(
        "cn-north-1",
        "{region: cn-northwest-1, kms_key: 'arn:aws:kms:cn-northwest-1:123456789012:alias/dr'}",
        &["5:17: a key in the partition aws cannot encrypt images in cn-northwest-1; name a key \
           in the partition aws-cn"],
    );
}

/// Two policies that copy under keys that their ARNs name.
const KEYS: &str = "policies:
  gold:
    select: {regions: [us-east-1], tags: {a: b}}
    triggers: [{on: tag}]
    replicate: [{region: eu-west-1, kms_key: 'arn:aws:kms:eu-west-1:111122223333:alias/dr'}]
  silver:
    select: {regions: [us-east-1], tags: {a: c}}
    triggers: [{on: tag}]
    replicate:
      - {region: eu-west-1, kms_key: alias/dr}
      - {region: eu-west-2, kms_key: 'arn:aws:kms:eu-west-2:123456789012:alias/dr'}
";

#[test]
fn a_key_of_another_account_is_refused_in_a_file_that_is_put_in_force_now() {
    let now = "2026-01-01T03:00:00Z".parse().expect("an instant");
    let said = |stack: Option<&str>| -> Vec<String> {
        let stack = stack.map(|id| AccountId::parse(id).expect("twelve digits"));
        let problems = read_at(KEYS, now, stack.as_ref()).expect_err("there are two accounts");
        problems.iter().map(ToString::to_string).collect()
    };
    let may = "the functions may use only keys of";
    let expected = format!(
        "5:46: this key belongs to account 111122223333, and {may} 123456789012, the account of \
         the stack; name a key of account 123456789012"
    );
    assert_eq!(said(Some("123456789012")), [expected]);
    let expected = format!(
        "11:38: this key belongs to account 123456789012, and {may} 111122223333, the account of \
         the stack; name a key of account 111122223333"
    );
    assert_eq!(said(Some("111122223333")), [expected]);
    let expected = format!(
        "11:38: this key belongs to account 123456789012, and the key at 5:46 to 111122223333: \
         {may} the account of the stack; name keys of the account of the stack"
    );
    assert_eq!(said(None), [expected]);
    read(KEYS).expect("it may be in force, and images its machines");
    let ours = KEYS.replace("111122223333", "123456789012");
    read_at(&ours, now, None).expect("all keys are of one account");
}
