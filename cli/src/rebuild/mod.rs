//! `afterimage rebuild`: rebuilds the ledger from tags and facts, for when its table is lost.
//!
//! The command lists everything with our tag in every region, decides which points tags and facts
//! prove, shows them, asks, and writes the points that the ledger has no record of, or knows only
//! as they were before a later attempt. It changes no other record, so that it can be run again at
//! any time.

mod overview;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write as _};

use afterimage_aws::ledger::{LeaseUse, Writer, Written};
use afterimage_aws::{Clock, Ec2, Failure as AwsFailure, Ledger};
use afterimage_core::command::{Change, Write};
use afterimage_core::ids::{Region, SnapshotId};
use afterimage_core::names::TAG_POINT;
use afterimage_core::observed::{Complete, ObservedImage, ObservedSnapshot};
use afterimage_core::point::Point;
use afterimage_core::rebuild::{Found, Rebuilt, Seen, decide, made_later};
use afterimage_core::request_counter::RequestCounter;
use afterimage_core::slot::PointId;
use afterimage_core::witness::is_to_be_replaced;
use aws_types::SdkConfig;

use crate::stack::{self, STREAM, Stack};
use crate::text::count;
use crate::{Failure, print};

pub use afterimage_aws::ledger::{Copied, Part};
pub use overview::{Done, Overview};
pub use table::{table, to_json};

/// Rebuilds the ledger from the tags of images and snapshots, for when its table is lost.
///
/// Rebuilt points are unverified: nothing of them is deleted until a person confirms them. A point
/// that the ledger knows only as it was before a later attempt is replaced; all other records stay
/// as they are.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Regions to search; default: every region that the account may use.
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    regions: Vec<String>,
    /// Table into which the ledger was restored: its items are copied first, where the ledger has
    /// nothing.
    #[arg(long, value_name = "TABLE")]
    from: Option<String>,
    /// Write without asking.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: stack::Arguments,
}

/// # Errors
/// A region or the ledger does not answer, or the user did not agree to the write.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    stack::block_on(rebuild(arguments))
}

async fn rebuild(arguments: &Arguments) -> Result<(), Failure> {
    let stack = Stack::find(&arguments.stack).await?;
    let failed = |failure| stack.failed(&failure);
    let regions: Result<Vec<Region>, _> =
        arguments.regions.iter().map(|name| Region::parse(name)).collect();
    let regions = regions.map_err(|error| Failure::Input(error.to_string()))?;
    // A missing table is told before an hour of listing, not after.
    let in_force = stack.ledger().in_force().await.map_err(failed)?;
    let tell = |text: &str| eprintln!("{text}");
    let mut copied = Copied::default();
    if let Some(table) = &arguments.from {
        let question = format!("copy the points of table `{table}` into `{}`?", stack.table);
        may_write(arguments, &question, "copy them")?;
        // The ledger was read above: a table that is missing is the one that is copied.
        let source = Stack { table: table.clone(), ..stack.clone() };
        let machines = copy(&stack.config, &stack.table, table, Part::Machines).await;
        copied = machines.map_err(|failure| source.failed(&failure))?;
    }
    let overview = look(&stack.config, &stack.table, &regions, &tell).await.map_err(failed)?;
    if !arguments.json {
        print(table(&overview).trim_end())?;
    }
    let new = overview.missing().count();
    if new > 0 {
        let points = count(new, "point");
        may_write(
            arguments,
            &format!("write {points} as unverified?"),
            &format!("write {points}"),
        )?;
    }
    let done = write(&stack.config, &stack.table, &overview, &tell).await.map_err(failed)?;
    let mut is_without_policies = in_force.policies.is_empty();
    if let Some(table) = &arguments.from {
        // The functions begin once policies are in force: then everything else is there.
        let policies = copy(&stack.config, &stack.table, table, Part::Policies).await;
        let policies = policies.map_err(failed)?;
        copied.items += policies.items;
        copied.left_alone += policies.left_alone;
        let in_force = stack.ledger().in_force().await.map_err(failed)?;
        is_without_policies = in_force.policies.is_empty();
    }
    if is_without_policies {
        eprintln!("no policy is in force: policies are not rebuilt; apply your policy file again");
    }
    if arguments.json {
        return print(
            &to_json(&overview, &done, arguments.from.is_some().then_some(copied)).to_string(),
        );
    }
    if arguments.from.is_some() {
        print(&table::copied_text(&copied))?;
    }
    print(&table::written_text(&done))
}

/// Copies a part of a table into which the ledger was restored.
///
/// # Errors
/// One of the tables does not answer. What was copied until then stays; another run completes it.
pub async fn copy(
    config: &SdkConfig,
    table: &str,
    from: &str,
    part: Part,
) -> Result<Copied, AwsFailure> {
    Ledger::new(config, table, STREAM).copy_from(from, part).await
}

/// Searches these regions, or every region if none is given, and decides which points can be
/// rebuilt.
///
/// # Errors
/// EC2 in one of the regions or the ledger does not answer. An incomplete listing proves nothing.
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
        let (images_found, all) = (count(images.0.len(), "image"), regions.len());
        let snapshots_found = count(snapshots.0.len(), "snapshot");
        let progress = format!("({number} of {all} regions)");
        tell(&format!("{region}: {images_found}, {snapshots_found} {progress}"));
        let bare = bare(&ec2, region, &images, &snapshots).await?;
        seen.bare.insert(region.clone(), bare);
        seen.images.insert(region.clone(), images);
        seen.snapshots.insert(region.clone(), snapshots);
    }
    let found = decide(&seen);
    let ledger = Ledger::new(config, table, STREAM);
    let ids: Vec<PointId> = found.points.iter().map(|it| it.point.id.clone()).collect();
    let known = ledger.points(&ids).await?;
    let later = made_later(seen.originals(), &known);
    let is_replaced = |rebuilt: &&Rebuilt| {
        let is_older = |known: &Point| is_to_be_replaced(known) || later.contains(&known.id);
        let known = known.get(&rebuilt.point.id);
        known.is_some_and(|known| is_older(known) && rebuilt.is_better(known))
    };
    let better: Vec<&Rebuilt> = found.points.iter().filter(is_replaced).collect();
    let places = better.iter().flat_map(|rebuilt| &rebuilt.replicas);
    let places = places.map(|replica| (replica.point.clone(), replica.region.clone()));
    let replicas = ledger.replicas_of(&places.collect::<Vec<_>>()).await?;
    let better: BTreeSet<PointId> = better.iter().map(|it| it.point.id.clone()).collect();
    let (replaced, known): (BTreeMap<PointId, Point>, BTreeMap<PointId, Point>) =
        known.into_iter().partition(|(id, _)| better.contains(id));
    Ok(Overview { regions, found, known: known.into_keys().collect(), replaced, replicas })
}

/// Reads the snapshots without our tag that images with our tag map.
async fn bare(
    ec2: &Ec2,
    region: &Region,
    Complete(images): &Complete<ObservedImage>,
    Complete(tagged): &Complete<ObservedSnapshot>,
) -> Result<Vec<ObservedSnapshot>, AwsFailure> {
    let tagged: BTreeSet<&SnapshotId> = tagged.iter().map(|snapshot| &snapshot.id).collect();
    let mapped = images.iter().flat_map(|image| &image.snapshots);
    let missing = mapped.filter(|id| !tagged.contains(id)).cloned();
    let missing: Vec<SnapshotId> = missing.collect();
    let seen = ec2.snapshots(region, &missing).await?.into_values();
    Ok(seen.filter(|snapshot| !snapshot.tags.contains_key(TAG_POINT)).collect())
}

/// Number of points between two lines of progress.
const PROGRESS_EVERY: usize = 100;

/// Writes the points that the ledger has no record of.
///
/// # Errors
/// The ledger does not answer. What was written until then stays; another run completes it.
pub async fn write(
    config: &SdkConfig,
    table: &str,
    overview: &Overview,
    tell: &dyn Fn(&str),
) -> Result<Done, AwsFailure> {
    let ledger = Ledger::new(config, table, STREAM);
    let mut done = Done::default();
    // The sweep looks at every region that has artefacts of ours, even if a point is not written.
    for region in overview.found.regions() {
        ledger.put_region(&region).await?;
    }
    let started = Clock::of(config).now().as_millisecond();
    let mut writer = Writer::new(format!("{STREAM}/rebuild/{started}"));
    let all = overview.missing().count();
    for (number, rebuilt) in (1..).zip(overview.missing()) {
        let replaced = overview.replaced.get(&rebuilt.point.id);
        let change = rebuilt.change_in_place(replaced, &overview.replicas);
        match ledger.write(&change, LeaseUse::None, &mut writer).await? {
            Written::Done => {
                done.points += 1;
                done.replicas += rebuilt.replicas.len();
            }
            Written::Lost | Written::NoLease => done.left_alone += 1,
        }
        if number % PROGRESS_EVERY == 0 {
            tell(&format!("{number} of {all} points written"));
        }
    }
    raise_request_counters(&ledger, &overview.found, &mut writer).await?;
    Ok(done)
}

/// Raises the request counters to the points that were found, so that no number is used twice.
async fn raise_request_counters(
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

/// Asks the user. `--yes` answers for them.
fn may_write(arguments: &Arguments, question: &str, action: &str) -> Result<(), Failure> {
    if arguments.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let text = "not written: stdin is not a terminal";
        return Err(Failure::Input(format!("{text}\n  pass --yes to {action}")));
    }
    eprint!("{question} [y/N] ");
    io::stderr().flush().ok();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::Declined("nothing was written".into()))
}
