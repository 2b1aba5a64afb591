//! `afterimage rebuild`: makes the ledger new from tags and facts, for when its table is lost.
//!
//! Looks at everything with our tag in every region, works out the points that tags and facts
//! vouch for, shows them, asks, and writes those of which the ledger has nothing. What is in the
//! ledger is never touched, so that it may be run as often as one likes.

mod show;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write as _};

use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_aws::{Clock, Ec2, Failure as AwsFailure, Ledger};
use afterimage_core::command::{Change, Write};
use afterimage_core::ids::Region;
use afterimage_core::rebuild::{Found, Rebuilt, Seen, decide};
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::slot::PointId;
use aws_types::SdkConfig;

use crate::place::{self, Place, STREAM};
use crate::text::count;
use crate::{Failure, print};

pub use show::{table, to_json};

/// Makes the ledger new from the tags of images and snapshots, for when its table is lost.
///
/// What it writes is unverified: nothing of it is deleted until a person confirms it. What is in
/// the ledger stays as it is.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to look; or else every region that the account may use.
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    regions: Vec<String>,
    /// Write without asking.
    #[arg(long)]
    yes: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: place::Where,
}

/// What was found, held against what the ledger has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Where was looked.
    pub regions: Vec<Region>,
    pub found: Found,
    /// Of the points that were found, those that are in the ledger already.
    pub known: BTreeSet<PointId>,
}

/// What was written of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub points: usize,
    pub replicas: usize,
    /// Points that came into the ledger in the meantime, or of which something was there already.
    pub left_alone: usize,
}

/// # Errors
/// A region or the ledger does not answer, or nobody said that it may be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    place::block_on(rebuild(arguments))
}

async fn rebuild(arguments: &Arguments) -> Result<(), Failure> {
    let place = Place::find(&arguments.place).await?;
    let failed = |failure| place.failed(&failure);
    let asked: Result<Vec<Region>, _> =
        arguments.regions.iter().map(|name| Region::parse(name)).collect();
    let asked = asked.map_err(|error| Failure::Input(error.to_string()))?;
    // A table that is not there is told before an hour of listing, not after.
    let in_force = place.ledger().in_force().await.map_err(failed)?;
    let tell = |text: &str| eprintln!("{text}");
    let overview = look(&place.config, &place.table, &asked, &tell).await.map_err(failed)?;
    if !arguments.json {
        print(table(&overview).trim_end())?;
    }
    let new = overview.missing().count();
    let may_write = new == 0 || arguments.yes || confirmed(new)?;
    if !may_write {
        return Err(Failure::Input("nothing was written".into()));
    }
    let done = write(&place.config, &place.table, &overview, &tell).await.map_err(failed)?;
    if in_force.policies.is_empty() {
        eprintln!("no policy is in force: policies are not rebuilt, apply your file again");
    }
    if arguments.json {
        return print(&to_json(&overview, &done).to_string());
    }
    print(&show::told(&done))
}

impl Overview {
    /// What the ledger has nothing of.
    pub fn missing(&self) -> impl Iterator<Item = &Rebuilt> {
        let points = self.found.points.iter();
        points.filter(|rebuilt| !self.known.contains(&rebuilt.point.id))
    }
}

/// Looks in these regions, or in every one there is, and works out what can be made of what is
/// there.
///
/// # Errors
/// EC2 does not answer in one of the regions, or the ledger does not: from what was not looked
/// through nothing follows.
pub async fn look(
    config: &SdkConfig,
    table: &str,
    regions: &[Region],
    tell: &dyn Fn(&str),
) -> Result<Overview, AwsFailure> {
    let ec2 = Ec2::new(config, STREAM);
    let regions = if regions.is_empty() { ec2.regions().await? } else { regions.to_vec() };
    let mut seen = Seen::default();
    for (number, region) in (1..).zip(&regions) {
        let images = ec2.images_tagged(region).await?;
        let snapshots = ec2.snapshots_tagged(region, None).await?;
        let (i, s, all) = (images.0.len(), snapshots.0.len(), regions.len());
        tell(&format!("{region}: {i} images, {s} snapshots ({number} of {all} regions)"));
        seen.images.insert(region.clone(), images);
        seen.snapshots.insert(region.clone(), snapshots);
    }
    let found = decide(&seen);
    let ids: Vec<PointId> = found.points.iter().map(|it| it.point.id.clone()).collect();
    let ledger = Ledger::new(config, table, STREAM);
    let known = ledger.points(&ids).await?.into_keys().collect();
    Ok(Overview { regions, found, known })
}

/// So many points between two lines that tell how far it has come.
const TELL_EVERY: usize = 100;

/// Writes what the ledger has nothing of.
///
/// # Errors
/// The ledger does not answer. What was written until then stays, and running it again completes
/// it.
pub async fn write(
    config: &SdkConfig,
    table: &str,
    overview: &Overview,
    tell: &dyn Fn(&str),
) -> Result<Done, AwsFailure> {
    let ledger = Ledger::new(config, table, STREAM);
    let mut done = Done::default();
    // Whatever becomes of the points, the sweep looks wherever there is something of ours.
    for region in overview.found.regions() {
        ledger.put_region(&region).await?;
    }
    let started = Clock::of(config).now().as_millisecond();
    let mut writer = Writer::new(format!("{STREAM}/rebuild/{started}"));
    let all = overview.missing().count();
    for (number, rebuilt) in (1..).zip(overview.missing()) {
        match ledger.write(&rebuilt.change(), LeaseUse::None, &mut writer).await? {
            Written::Done => {
                done.points += 1;
                done.replicas += rebuilt.replicas.len();
            }
            Written::Lost | Written::NoLease => done.left_alone += 1,
        }
        if number % TELL_EVERY == 0 {
            tell(&format!("{number} of {all} points written"));
        }
    }
    count_requests(&ledger, &overview.found, &mut writer).await?;
    Ok(done)
}

/// Requests are counted on from those that there are points of, whoever has asked since.
async fn count_requests(
    ledger: &Ledger,
    found: &Found,
    writer: &mut Writer,
) -> Result<(), AwsFailure> {
    let asked = found.asked();
    let name = |asked: &RequestCounter| (asked.instance.clone(), asked.policy.clone());
    let known = ledger.request_counters(&asked.iter().map(name).collect::<Vec<_>>()).await?;
    for asked in asked {
        let there = known.get(&name(&asked));
        if there.is_some_and(|there| there.ordinal >= asked.ordinal) {
            continue;
        }
        let counted = there.map(|there| RequestCounter { ordinal: asked.ordinal, ..there.clone() });
        let write = Write::request_counter(counted.unwrap_or(asked));
        let change = Change { writes: vec![write], summary: None };
        ledger.write(&change, LeaseUse::None, writer).await?;
    }
    Ok(())
}

fn confirmed(points: usize) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let text = format!(
            "{} would be written\n  say --yes; nothing was written",
            count(points, "point")
        );
        return Err(Failure::Input(text));
    }
    eprint!("write {}, unverified? [y/N] ", count(points, "point"));
    io::stderr().flush().ok();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}
