//! The knobs: all that can be set about a world, with the reason for each default.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::kernel::faults::Rule;
use crate::kernel::time::Time;
use crate::kernel::trace::Recording;

/// The settings of a world.
#[derive(Clone, Debug)]
pub struct Config {
    /// Same seed, same world.
    pub seed: u64,
    /// What the clock shows at first.
    pub start: Time,
    pub recording: Recording,
    pub pace: Pace,
    pub lag: Lag,
    pub limits: Limits,
    pub quirks: Quirks,
    /// The fault rules in force from the start: none by default.
    pub faults: Vec<Rule>,
    /// A role that nobody declared may do everything when a service acts in it (EventBridge for a
    /// target, Lambda for its queues), as an access key that nobody declared is an administrator's.
    /// It is nothing to AssumeRole and to the calls of functions. Off where roles come from a
    /// template, so that a name that is wrong there is found out; the command has it on.
    pub open_roles: bool,
    /// Days for which the Recycle Bin keeps deregistered images and deleted snapshots, as if each
    /// region had a rule for all of them; none are kept if 0.
    pub recycle_bin_days: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            seed: 1,
            start: Time::START,
            recording: Recording::default(),
            pace: Pace::default(),
            lag: Lag::default(),
            limits: Limits::default(),
            quirks: Quirks::default(),
            faults: Vec::new(),
            open_roles: false,
            recycle_bin_days: 0,
        }
    }
}

impl Config {
    pub fn seeded(seed: u64) -> Config {
        Config { seed, ..Config::default() }
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Durations. Those that vary are drawn from the seed.
#[derive(Clone, Debug)]
pub struct Pace {
    /// There and back of one call in process, in milliseconds; a call through the port takes none.
    pub latency_ms: RangeInclusive<u64>,
    pub instance_starts: Duration,
    pub instance_stops: Duration,
    pub instance_terminates: Duration,
    /// A terminated instance is described for this long.
    pub instance_vanishes: Duration,
    /// From `running` until both status checks are `ok`.
    pub status_checks: Duration,
    pub volume_creates: Duration,
    /// Attaching, detaching and deleting a volume take this long each.
    pub volume_moves: Duration,
    /// From `running` until GetConsoleOutput has something to say.
    pub console_output: Duration,
    pub snapshot_base: Duration,
    /// Added per GiB of a full snapshot; one that has a completed ancestor takes a tenth of it.
    pub snapshot_per_gib: Duration,
    pub image_registers: Duration,
    /// A deregistered image is described, by its id, for this long.
    pub image_vanishes: Duration,
    /// From then on its id finds nothing, and is an error only after this long.
    pub image_forgotten: Duration,
    pub copy_base: Duration,
    /// Added per GiB of a full copy; an incremental one takes a tenth of it.
    pub copy_per_gib: Duration,
    /// Spread of the times of snapshots, copies and `image_registers`, in percent.
    pub spread_percent: u64,
    /// A snapshot, copy or image that cannot be made (a key that cannot be used, a fault) fails
    /// after this long.
    pub kms_failure: Duration,
    /// From the effect of a call to the event about it, in milliseconds.
    pub event_delay_ms: RangeInclusive<u64>,
    /// From the need of a new execution environment of Lambda until its code is started. It is for
    /// functions in process; a real program takes its own time.
    pub cold_start: Duration,
    /// An execution environment that gets no invocation for this long ends. Lambda names no time.
    pub environment_idles: Duration,
    /// From one sweep of expired items of DynamoDB to the next; it promises no more than days.
    pub ttl_sweep: Duration,
    /// Until SSM has looked for the image that a parameter names.
    pub parameter_validation: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            latency_ms: 8..=40,
            instance_starts: secs(15),
            instance_stops: secs(30),
            instance_terminates: secs(30),
            instance_vanishes: secs(3600),
            status_checks: secs(120),
            volume_creates: secs(5),
            volume_moves: secs(3),
            console_output: secs(60),
            snapshot_base: secs(60),
            snapshot_per_gib: secs(4),
            image_registers: secs(20),
            image_vanishes: secs(60),
            image_forgotten: secs(3600),
            copy_base: secs(180),
            copy_per_gib: secs(10),
            spread_percent: 20,
            kms_failure: secs(60),
            event_delay_ms: 300..=2500,
            cold_start: Duration::from_millis(250),
            environment_idles: secs(15 * 60),
            ttl_sweep: secs(3600),
            parameter_validation: secs(5),
        }
    }
}

/// Eventual consistency. Off by default: a simulation and the scenarios turn it on.
#[derive(Clone, Debug, Default)]
pub struct Lag {
    /// After its creation a resource stays invisible to describes for a time out of this range.
    pub visibility_ms: Option<RangeInclusive<u64>>,
    /// A pending image shows its mapping without snapshot ids.
    pub empty_mapping_while_pending: bool,
    /// A snapshot stays in use for a time out of this range after its image is deregistered.
    pub in_use_after_deregister_ms: Option<RangeInclusive<u64>>,
    /// A read of a global secondary index shows the table as it was this long ago.
    pub index_reads: Option<Duration>,
}

impl Lag {
    /// What AWS has been seen to do: a resource can stay invisible for seconds, seldom minutes, and
    /// a snapshot in use for minutes after its image has gone.
    pub fn as_observed() -> Lag {
        Lag {
            visibility_ms: Some(0..=30_000),
            empty_mapping_while_pending: true,
            in_use_after_deregister_ms: Some(0..=120_000),
            index_reads: Some(secs(5)),
        }
    }
}

/// Throttles and quotas. On by default, with the published values.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The token buckets of EC2's actions and of PutEvents.
    pub throttles: bool,
    /// Share of every bucket's refill that other users of the account take, in percent.
    pub other_users_take: u32,
    /// Requests, not entries; the published figure of the region if absent.
    pub put_events_per_second: Option<u32>,
    pub images_per_region: usize,
    pub public_images_per_region: usize,
    pub snapshots_per_region: usize,
    pub image_shares: usize,
    pub tags_per_resource: usize,
    pub pending_snapshots_per_region: usize,
    /// At a time of one volume of type gp2, gp3, io1, io2 or standard.
    pub snapshots_of_volume: usize,
    /// At a time of one volume of type st1 or sc1.
    pub snapshots_of_cold_volume: usize,
    /// Between two snapshots of one volume.
    pub snapshot_spacing: Duration,
    pub snapshot_copies_per_region: usize,
    pub image_copies_per_region: usize,
    pub rules_per_bus: usize,
    pub targets_per_rule: usize,
    pub buses_per_region: usize,
    /// Invocations of all functions of an account and region at a time.
    pub lambda_concurrency: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            throttles: true,
            other_users_take: 0,
            put_events_per_second: None,
            images_per_region: 50_000,
            public_images_per_region: 5,
            snapshots_per_region: 100_000,
            image_shares: 1_000,
            tags_per_resource: 50,
            pending_snapshots_per_region: 100,
            snapshots_of_volume: 5,
            snapshots_of_cold_volume: 1,
            snapshot_spacing: secs(15),
            snapshot_copies_per_region: 20,
            image_copies_per_region: 300,
            rules_per_bus: 300,
            targets_per_rule: 5,
            buses_per_region: 100,
            lambda_concurrency: 1_000,
        }
    }
}

/// What nobody has written down of the real services. Each default is the likelier behaviour, or
/// the one that is harder on the caller.
#[derive(Clone, Debug)]
pub struct Quirks {
    /// CreateImage and CopyImage also send the events of their backing snapshots.
    pub images_send_snapshot_events: bool,
    /// CreateSnapshots also sends one createSnapshot event per snapshot.
    pub sets_send_single_events: bool,
    /// Tags given in a create call send Tag Change on Resource too.
    pub tag_on_create_sends_event: bool,
    /// The name of a failed image is still taken.
    pub failed_image_keeps_name: bool,
    /// CreateImage's reboot sends instance state events.
    pub create_image_reboot_sends_events: bool,
    /// An image that CreateImage makes has the UEFI variables of its machine.
    pub create_image_keeps_uefi_variables: bool,
    /// An own image of a Marketplace machine can be copied within the account.
    pub own_marketplace_image_copies: bool,
    /// Volumes that come and go with an instance send createVolume and deleteVolume too.
    pub instance_volumes_send_events: bool,
    /// The code of the state reason of a copy that failed.
    pub copy_failure_code: String,
    /// MaxResults of DescribeImages and DescribeSnapshots.
    pub page_size: RangeInclusive<i64>,
    /// Before each page of an EC2 listing that was asked for by MaxResults comes an empty one, with
    /// nothing in it but a token. AWS says that this can happen; how often it does, nobody knows.
    pub empty_pages: bool,
    /// RegisterImage accepts a pending snapshot (the image then waits for it).
    pub register_accepts_pending_snapshot: bool,
    /// A platform image registered from snapshots keeps its billing code.
    pub register_derives_billing: bool,
    /// A describe that names ids is throttled as a filtered one. AWS's page on throttling speaks of
    /// filters and pages only; its page on pagination calls a describe without ids unpaginated.
    pub ids_count_as_filter: bool,
    /// A copy of an own encrypted snapshot within its region, for which no key is named, stays
    /// under its key (so the guide to images); otherwise it is under the default key of EBS (so the
    /// guide to snapshots).
    pub plain_copy_keeps_key: bool,
    /// The code for a copy of an image that is not available.
    pub copy_unavailable_code: String,
    /// The code for deregistering a protected image.
    pub protected_image_code: String,
    /// The code for deleting a locked snapshot.
    pub locked_snapshot_code: String,
    /// The owner in a shareSnapshot event is a JSON number, as the documentation prints it (which
    /// then cannot have the leading zeros that it prints).
    pub share_event_owner_is_number: bool,
    /// A parameter of the data type aws:ec2:image keeps its previous value until the image of a new
    /// one was found, and for good if it was not. Otherwise the new value is in force at once.
    pub image_parameter_waits: bool,
}

impl Default for Quirks {
    fn default() -> Quirks {
        Quirks {
            images_send_snapshot_events: true,
            sets_send_single_events: false,
            tag_on_create_sends_event: true,
            failed_image_keeps_name: true,
            create_image_reboot_sends_events: false,
            create_image_keeps_uefi_variables: true,
            own_marketplace_image_copies: true,
            instance_volumes_send_events: true,
            copy_failure_code: "Server.InternalError".to_string(),
            page_size: 5..=1000,
            empty_pages: false,
            register_accepts_pending_snapshot: false,
            register_derives_billing: false,
            ids_count_as_filter: true,
            plain_copy_keeps_key: true,
            copy_unavailable_code: "InvalidAMIID.Unavailable".to_string(),
            protected_image_code: "OperationNotPermitted".to_string(),
            locked_snapshot_code: "OperationNotPermitted".to_string(),
            share_event_owner_is_number: false,
            image_parameter_waits: true,
        }
    }
}
