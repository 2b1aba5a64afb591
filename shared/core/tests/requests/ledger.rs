//! What the ledger would keep of a decision, as far as the next one depends on it.

use std::collections::BTreeMap;

use afterimage_core::command::{Command, Decision, Record};
use afterimage_core::ids::{InstanceId, PolicyName};
use afterimage_core::point::Point;
use afterimage_core::slot::PointId;
use afterimage_core::summary::{MachineSummary, News, Summary};

#[derive(Debug, Default)]
pub struct Ledger {
    pub points: BTreeMap<PointId, Point>,
    pub summaries: BTreeMap<InstanceId, MachineSummary>,
}

impl Ledger {
    /// How many points are new.
    pub fn keep(&mut self, decision: &Decision) -> usize {
        let before = self.points.len();
        for command in &decision.commands {
            let Command::Request(change) = command else { continue };
            for write in &change.writes {
                let Record::Point(point) = &write.record else { panic!("{command:?}") };
                assert_eq!((write.expected, point.version), (0, 1), "{command:?}");
                if self.points.contains_key(&point.id) {
                    // A change is written as a whole or not at all.
                    continue;
                }
                self.points.insert(point.id.clone(), (**point).clone());
                change.summary.iter().for_each(|summary| self.tell(summary));
            }
        }
        self.points.len() - before
    }

    fn tell(&mut self, summary: &Summary) {
        let entry = self.summaries.entry(summary.instance.clone());
        let machine = entry.or_insert_with(|| MachineSummary {
            instance: summary.instance.clone(),
            home: summary.home.clone(),
            name: None,
            latest: BTreeMap::new(),
            stops: BTreeMap::new(),
            good: BTreeMap::new(),
        });
        if summary.name.is_some() {
            machine.name.clone_from(&summary.name);
        }
        for news in summary.news.iter().cloned() {
            let policy = summary.policy.clone();
            match news {
                News::Latest(latest) => drop(machine.latest.insert(policy, latest)),
                News::Stop(stop) => drop(machine.stops.insert(policy, stop)),
                News::Good(good) => drop(machine.good.insert(policy, good)),
                News::Instead { of, good } => {
                    let is_of = machine.good.get(&policy).is_some_and(|good| good.point == of);
                    instead(&mut machine.good, policy, is_of, good);
                }
                News::LatestInstead { of, latest } => {
                    let is_of = machine.latest.get(&policy).is_some_and(|it| it.point == of);
                    instead(&mut machine.latest, policy, is_of, latest);
                }
            }
        }
    }
}

/// Puts another entry, or none, in the place of the one of a point, if that `is_of` it.
fn instead<T>(
    entries: &mut BTreeMap<PolicyName, T>,
    policy: PolicyName,
    is_of: bool,
    entry: Option<Box<T>>,
) {
    match entry.filter(|_| is_of) {
        Some(entry) => drop(entries.insert(policy, *entry)),
        None if is_of => drop(entries.remove(&policy)),
        None => {}
    }
}
