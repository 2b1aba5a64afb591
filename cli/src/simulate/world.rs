//! World of a simulation: machines, policies, acts and mishaps, as plain values that can be printed
//! and made smaller. Nothing here decides anything.

use std::fmt;

/// Account of the world.
pub const ACCOUNT: &str = afterimage_cloud::model::DEFAULT_ACCOUNT;
/// Region of the stack, and home of most machines.
pub const SEAT: &str = "us-east-1";
/// Regions in which a world has machines and images.
pub const REGIONS: [&str; 3] = [SEAT, "eu-west-1", "eu-central-1"];

/// Everything that a simulation plays. The same world is always played in the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub seed: u64,
    /// Time in which people act and mishaps happen, in minutes. A quiet time follows.
    pub span: u32,
    /// Minutes between two runs of `backup-tick`.
    pub tick: u32,
    /// Minutes between two runs of `reconcile-tick`.
    pub sweep: u32,
    pub machines: Vec<Machine>,
    pub policies: Vec<Policy>,
    /// Acts, in the order of their times.
    pub acts: Vec<Act>,
    pub mishaps: Vec<Mishap>,
}

/// Machine that is launched at the start. Its number stays when others are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub number: u32,
    pub home: &'static str,
    /// Value of the tag `backup`.
    pub backup: &'static str,
    pub kind: Kind,
    /// Disks beside the root.
    pub disks: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Linux,
    Arm,
    Windows,
    /// Linux whose disks are encrypted under the key `alias/disks` of its region.
    Encrypted,
}

/// Policy, as far as worlds vary it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: &'static str,
    /// Value of the tag `backup` that it selects.
    pub backup: &'static str,
    pub trigger: Trigger,
    pub consistency: Consistency,
    pub replicas: Vec<Replica>,
    pub heals: bool,
    pub artefact: Artefact,
    /// In force from the start.
    pub at_start: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Every so many hours.
    Hours(u32),
    Stopped,
    Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    Crash,
    AtRest,
    StopStart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artefact {
    Image,
    /// An image that CreateImage makes.
    Created,
    Snapshots,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replica {
    pub region: &'static str,
    /// Encrypted under the key `alias/dr` of the region.
    pub key: bool,
}

/// Act of a user or of another tool, at a minute of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub minute: u32,
    pub deed: Deed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Stop(u32),
    Start(u32),
    Terminate(u32),
    /// Remove the tag `backup`.
    Untag(u32),
    /// Set the tag `backup`.
    Tag(u32, &'static str),
    /// Set the tag that asks for a point.
    Ask(u32, &'static str),
    /// Detach a disk that is not the root.
    Detach(u32),
    Deregister {
        image: Pick,
        with_snapshots: bool,
    },
    Disable(Pick),
    Enable(Pick),
    /// Restore an image from the Recycle Bin, after its snapshots.
    Restore(Pick),
    DisableKey(&'static str, Alias),
    EnableKey(&'static str, Alias),
    Remove(&'static str),
    Apply(&'static str),
    Change(&'static str, Change),
    /// Delete items of the ledger: of the newest good point of a machine, or its summary.
    DeleteItems(u32, Items),
}

/// Items of the ledger that somebody deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    Point,
    PointAndReplicas,
    Replica(&'static str),
    Summary,
}

/// Choice among what a region has at that moment: the number, modulo their count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    pub region: &'static str,
    pub number: u32,
}

/// Key of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alias {
    /// Key of the disks of machines.
    Disks,
    /// Key of copies.
    Copies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Heals(bool),
    /// The region gets no replica any more, or gets one again.
    Region(&'static str, bool),
    Hours(u32),
}

/// Something that goes wrong without anybody's act. All of it ends with the span.
#[derive(Clone, Debug, PartialEq)]
pub enum Mishap {
    /// The region answers nobody.
    Dark { region: &'static str, minute: u32, minutes: u32 },
    /// Something goes wrong with this probability, in thousandths.
    Often { what: Trouble, per_mille: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    FailedBefore,
    FailedAfter,
    TimedOutBefore,
    TimedOutAfter,
    Throttled,
    KilledBefore,
    KilledAfter,
    LedgerFailedAfter,
    EventsLost,
    EventsDoubled,
    EventsLate,
    InvokedTwice,
    CreationsFailed,
}

impl Alias {
    pub const fn name(self) -> &'static str {
        match self {
            Alias::Disks => "alias/disks",
            Alias::Copies => "alias/dr",
        }
    }
}

impl Policy {
    /// Regions whose machines it selects. A policy may not name a region whose machines would have
    /// no replica although it wants replicas.
    pub fn homes(&self) -> Vec<&'static str> {
        let replicas = match self.artefact {
            Artefact::Snapshots => &[],
            Artefact::Image | Artefact::Created => self.replicas.as_slice(),
        };
        let has_other = |home: &str| replicas.iter().any(|replica| replica.region != home);
        let homes = REGIONS[..2].iter().filter(|home| replicas.is_empty() || has_other(home));
        homes.copied().collect()
    }

    /// Tells whether it selects a machine in this region with this value of the tag `backup`.
    pub fn selects(&self, region: &str, backup: Option<&str>) -> bool {
        self.homes().contains(&region) && backup == Some(self.backup)
    }

    /// Writes the policy as a member of the file of policies.
    pub fn yaml(&self) -> String {
        let Policy { name, backup, .. } = self;
        let trigger = match self.trigger {
            Trigger::Hours(hours) => format!("schedule: rate({hours} hours), timezone: UTC"),
            Trigger::Stopped => "on: stopped".to_string(),
            Trigger::Asked => "on: tag".to_string(),
        };
        let regions = self.homes().join(", ");
        let mut yaml = format!(
            "  {name}:\n    select: {{regions: [{regions}], tags: {{backup: {backup}}}}}\n    \
             triggers: [{{{trigger}}}]\n"
        );
        match self.consistency {
            Consistency::Crash => {}
            Consistency::AtRest => yaml.push_str("    consistency: at-rest\n"),
            Consistency::StopStart => yaml.push_str(
                "    consistency: stop-start\n    stop_start: {at_once: 2, timeout: 15m}\n",
            ),
        }
        match self.artefact {
            Artefact::Image => {}
            Artefact::Created => yaml.push_str("    image: {method: create-image}\n"),
            Artefact::Snapshots => yaml.push_str("    image: {kind: snapshots}\n"),
        }
        if !self.replicas.is_empty() && self.artefact != Artefact::Snapshots {
            let replicas = self.replicas.iter().map(|replica| match replica.key {
                true => {
                    format!("{{region: {}, kms_key: {}}}", replica.region, Alias::Copies.name())
                }
                false => format!("{{region: {}}}", replica.region),
            });
            let replicas = replicas.collect::<Vec<_>>().join(", ");
            yaml.push_str(&format!("    replicate: [{replicas}]\n"));
        }
        if !self.heals {
            yaml.push_str("    heal: false\n");
        }
        yaml
    }
}

impl Machine {
    pub fn name(&self) -> String {
        format!("m{}", self.number)
    }
}

/// Day and time of a minute of a world: `2 03:30`.
pub fn moment(minute: u32) -> String {
    format!("{} {:02}:{:02}", minute / 1440 + 1, minute / 60 % 24, minute % 60)
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let World { seed, span, tick, sweep, .. } = self;
        writeln!(
            f,
            "seed {seed}: until day {}; ticks {tick} min, sweeps {sweep} min apart",
            moment(*span)
        )?;
        for machine in &self.machines {
            let Machine { home, backup, kind, disks, .. } = machine;
            let name = machine.name();
            writeln!(f, "  {name}: {kind:?} in {home}, {disks} more disks, backup={backup}")?;
        }
        for policy in &self.policies {
            let when = if policy.at_start { "from the start" } else { "not from the start" };
            writeln!(f, "  policy, {when}:")?;
            policy.yaml().lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        self.mishaps.iter().try_for_each(|mishap| writeln!(f, "  {mishap}"))?;
        self.acts
            .iter()
            .try_for_each(|act| writeln!(f, "  day {}: {}", moment(act.minute), act.deed))
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mishap::Dark { region, minute, minutes } => {
                write!(f, "day {}: {region} is dark for {minutes} min", moment(*minute))
            }
            Mishap::Often { what, per_mille } => write!(f, "{what:?}: {per_mille} in 1000"),
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {} in {}", self.number, self.region)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deed::Stop(machine) => write!(f, "stop m{machine}"),
            Deed::Start(machine) => write!(f, "start m{machine}"),
            Deed::Terminate(machine) => write!(f, "terminate m{machine}"),
            Deed::Untag(machine) => write!(f, "remove the tag backup of m{machine}"),
            Deed::Tag(machine, value) => write!(f, "tag m{machine} backup={value}"),
            Deed::Ask(machine, policy) => write!(f, "ask for a point of m{machine} under {policy}"),
            Deed::Detach(machine) => write!(f, "detach a disk of m{machine}"),
            Deed::Deregister { image, with_snapshots: true } => {
                write!(f, "deregister {image}, with its snapshots")
            }
            Deed::Deregister { image, with_snapshots: false } => write!(f, "deregister {image}"),
            Deed::Disable(image) => write!(f, "disable {image}"),
            Deed::Enable(image) => write!(f, "enable disabled {image}"),
            Deed::Restore(image) => write!(f, "restore {image} from the Recycle Bin"),
            Deed::DisableKey(region, key) => write!(f, "disable {} in {region}", key.name()),
            Deed::EnableKey(region, key) => write!(f, "enable {} in {region}", key.name()),
            Deed::Remove(policy) => write!(f, "remove policy {policy}"),
            Deed::Apply(policy) => write!(f, "apply policy {policy}"),
            Deed::DeleteItems(machine, items) => match items {
                Items::Point => write!(f, "delete the item of the newest point of m{machine}"),
                Items::PointAndReplicas => {
                    write!(f, "delete all items of the newest point of m{machine}")
                }
                Items::Replica(region) => {
                    write!(f, "delete the item of the newest replica of m{machine} in {region}")
                }
                Items::Summary => write!(f, "delete the summary of m{machine}"),
            },
            Deed::Change(policy, change) => match change {
                Change::Heals(heals) => write!(f, "policy {policy}: heal: {heals}"),
                Change::Region(region, true) => write!(f, "policy {policy}: replicate to {region}"),
                Change::Region(region, false) => {
                    write!(f, "policy {policy}: do not replicate to {region}")
                }
                Change::Hours(hours) => write!(f, "policy {policy}: every {hours} hours"),
            },
        }
    }
}
