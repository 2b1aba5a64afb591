//! A policy asks for a point of a machine: what every occasion for that has in common.

use jiff::Timestamp;

use crate::command::{Change, Command, Wake};
use crate::ids::Region;
use crate::machine::Instance;
use crate::point::{Plan, Point};
use crate::policy::Policy;
use crate::slot::{Occasion, Slot};
use crate::summary::{Latest, News, Summary};
use crate::work::{Kind, Queue};

/// The point that a policy wants of a machine.
pub fn point(policy: &Policy, instance: &Instance, occasion: Occasion, now: Timestamp) -> Point {
    let slot = Slot { policy: policy.name.clone(), instance: instance.id.clone(), occasion };
    let plan = Plan::of(policy, &instance.region);
    Point::requested(slot, instance.region.clone(), plan, now)
}

/// Asks for it, and tells the machine's summary, with whatever else there is to tell.
pub fn command(point: Point, instance: &Instance, more: Option<News>) -> Command {
    Command::Request(Box::new(change(point, instance, more)))
}

/// Builds the change that requests a point.
pub fn change(point: Point, instance: &Instance, more: Option<News>) -> Change {
    let latest = News::Latest(Latest::of(&point));
    let mut summary = Summary::of(&point).telling(latest);
    summary.name = instance.name().map(str::to_string);
    summary.news.extend(more);
    Change::create(point, summary)
}

/// Wakes whoever makes the snapshots of points in a region.
pub fn wake(region: &Region) -> Command {
    Command::Wake(Wake { queue: Queue { region: region.clone(), kind: Kind::Snapshot }, hop: 0 })
}
