//! The machines of the demo, and the people who stop and start them.

use std::collections::BTreeMap;
use std::time::Duration;

use afterimage_cloud::Cloud;
use afterimage_cloud::time::Time;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice};

use crate::Failure;
use crate::system::launch;

/// Regions of the machines.
pub const HOMES: [&str; 2] = ["us-east-1", "ap-southeast-1"];
/// Other regions that get replicas.
pub const REPLICAS: [&str; 2] = ["eu-west-1", "eu-central-1"];
/// Region of the stack.
pub const SEAT: &str = "us-east-1";

/// Policies of the demo.
pub const POLICIES: &str = include_str!("policies.yaml");

/// Machine to launch.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub name: &'static str,
    pub region: &'static str,
    image: &'static str,
    kind: &'static str,
    /// Value of the tag `backup`.
    pub backup: Option<&'static str>,
    /// Size of a second disk, in GiB.
    data_gib: Option<i32>,
    encrypted: bool,
    habit: Habit,
}

/// Times at which people stop and start a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Always,
    /// On working days, from the one hour (UTC) to the other.
    Working {
        from: u64,
        until: u64,
    },
    /// Prepared by hand and then stopped: a golden image.
    Prepared,
}

const AMAZON: &str = "al2023-ami-*-x86_64";
const AMAZON_ARM: &str = "al2023-ami-*-arm64";
const UBUNTU: &str = "ubuntu/images/*-amd64-server-*";
const WINDOWS: &str = "Windows_Server-2022-English-Full-Base-*";

const US: &str = HOMES[0];
const SG: &str = HOMES[1];

const fn order(name: &'static str, region: &'static str, backup: &'static str) -> Order {
    Order {
        name,
        region,
        image: AMAZON,
        kind: "t3.small",
        backup: Some(backup),
        data_gib: None,
        encrypted: false,
        habit: Habit::Always,
    }
}

impl Order {
    const fn of(self, image: &'static str, kind: &'static str) -> Order {
        Order { image, kind, ..self }
    }

    const fn data(self, gib: i32) -> Order {
        Order { data_gib: Some(gib), ..self }
    }

    const fn encrypted(self) -> Order {
        Order { encrypted: true, ..self }
    }

    const fn habit(self, habit: Habit) -> Order {
        Order { habit, ..self }
    }

    /// True if people stop the machine now and then.
    pub fn is_stopped_at_times(&self) -> bool {
        self.habit != Habit::Always
    }
}

/// Machines of the demo.
pub const FLEET: [Order; 24] = [
    order("web-1", US, "gold"),
    order("web-2", US, "gold"),
    order("web-3", US, "gold"),
    order("web-4", US, "gold"),
    order("web-5", US, "gold"),
    order("api-1", US, "gold").of(UBUNTU, "t3.medium"),
    order("api-2", US, "gold").of(UBUNTU, "t3.medium"),
    order("db-1", US, "gold").of(AMAZON, "m5.large").data(40),
    order("db-2", US, "gold").of(AMAZON, "m5.large").data(40).encrypted(),
    order("win-1", US, "gold").of(WINDOWS, "m5.large"),
    order("mail-1", US, "silver"),
    order("wiki-1", US, "silver"),
    order("metrics-1", US, "silver").data(30),
    order("build-1", US, "on-stop")
        .of(UBUNTU, "m5.xlarge")
        .habit(Habit::Working { from: 12, until: 22 }),
    order("golden-web", US, "on-stop").habit(Habit::Prepared),
    order("sg-web-1", SG, "gold"),
    order("sg-web-2", SG, "gold"),
    order("sg-web-3", SG, "gold"),
    order("sg-api-1", SG, "gold").of(AMAZON_ARM, "t4g.small"),
    order("sg-db-1", SG, "gold").of(AMAZON, "m5.large").data(40),
    order("sg-mail-1", SG, "silver"),
    order("sg-files-1", SG, "silver").data(60),
    order("sg-build-1", SG, "on-stop")
        .of(UBUNTU, "t3.large")
        .habit(Habit::Working { from: 1, until: 10 }),
    Order { backup: None, ..order("sg-lab-1", SG, "") },
];

/// Machine that was launched.
#[derive(Clone, Debug)]
pub struct Machine {
    pub id: String,
    pub order: Order,
}

/// Action of a person on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Stop,
    Start,
}

/// Action of a person at a certain time.
#[derive(Clone, Debug)]
pub struct Act {
    pub at: Time,
    /// Index of the machine in the fleet.
    pub machine: usize,
    pub action: Action,
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Plans the actions of people. They are never on the minute, and do not work at weekends.
pub fn acts(seed: u64, start: Time, days: u64) -> Vec<Act> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x7065_6f70_6c65);
    let mut acts = Vec::new();
    for day in 0..days {
        for (machine, order) in FLEET.iter().enumerate() {
            let hours = match order.habit {
                Habit::Always => continue,
                Habit::Working { from, until } => {
                    is_working_day(start, day).then_some((from, until))
                }
                Habit::Prepared => (day % 4 == 0).then_some((13, 15)),
            };
            let late = [rng.u64(0..40 * 60), rng.u64(0..40 * 60)];
            let Some((from, until)) = hours else { continue };
            let at =
                |hour: u64, late: u64| start + Duration::from_secs(day * DAY + hour * HOUR + late);
            // On the first day everything runs already.
            if day > 0 {
                acts.push(Act { at: at(from, late[0]), machine, action: Action::Start });
            }
            acts.push(Act { at: at(until, late[1]), machine, action: Action::Stop });
        }
    }
    acts.sort_by_key(|act| (act.at, act.machine));
    acts
}

fn is_working_day(start: Time, day: u64) -> bool {
    // The first of January 1970 was a Thursday; 0 is Monday.
    let weekday = (start.secs() / DAY + day + 3) % 7;
    weekday < 5
}

/// People who stop and start machines, with a client for each region.
#[derive(Debug)]
pub struct People {
    clients: BTreeMap<&'static str, Client>,
}

impl People {
    pub fn new(cloud: &Cloud) -> People {
        let client = |region| (region, Client::new(&cloud.sdk_config(region)));
        People { clients: HOMES.into_iter().map(client).collect() }
    }

    fn client(&self, region: &str) -> Result<&Client, Failure> {
        self.clients
            .get(region)
            .ok_or_else(|| Failure::Ours(format!("there is no client for {region}")))
    }

    /// Launches the fleet, at the pace that EC2 allows.
    ///
    /// # Errors
    /// A machine cannot be launched.
    pub async fn launch(&self, cloud: &Cloud) -> Result<Vec<Machine>, Failure> {
        let mut machines = Vec::new();
        for order in FLEET {
            let mut tags = vec![("Name", order.name)];
            tags.extend(order.backup.map(|backup| ("backup", backup)));
            let (client, what) = (self.client(order.region)?, (order.image, order.kind));
            let id = launch(client, what, &tags, |root| disks(order, root)).await?;
            machines.push(Machine { id, order });
            cloud.advance(Duration::from_secs(1)).await;
        }
        Ok(machines)
    }

    /// Carries out an action.
    ///
    /// # Errors
    /// EC2 refuses the action.
    pub async fn act(&self, machine: &Machine, action: Action) -> Result<(), Failure> {
        let client = self.client(machine.order.region)?;
        match action {
            Action::Stop => {
                client
                    .stop_instances()
                    .instance_ids(&machine.id)
                    .send()
                    .await
                    .map_err(Failure::unexpected)?;
            }
            Action::Start => {
                client
                    .start_instances()
                    .instance_ids(&machine.id)
                    .send()
                    .await
                    .map_err(Failure::unexpected)?;
            }
        }
        Ok(())
    }
}

/// Lists the disks that differ from those of the image.
fn disks(order: Order, root: &str) -> Vec<BlockDeviceMapping> {
    let encrypted = order.encrypted.then_some(true);
    let disk = |device: &str, gib: Option<i32>| {
        let ebs = EbsBlockDevice::builder().set_encrypted(encrypted).set_volume_size(gib);
        BlockDeviceMapping::builder().device_name(device).ebs(ebs.build()).build()
    };
    let mut disks = Vec::new();
    if order.encrypted {
        disks.push(disk(root, None));
    }
    disks.extend(order.data_gib.map(|gib| disk("/dev/sdf", Some(gib))));
    disks
}
