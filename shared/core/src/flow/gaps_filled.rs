//! Records that the ledger lacks, while others of its records tell of them, and summaries that say
//! of a point what its record does not: somebody deleted items of the table, restored a part of
//! them, or put older ones back.
//!
//! A point that is not there is judged by the rules of [`crate::rebuild`]: what tags and facts
//! confirm is written again, as unverified; if they confirm nothing, no summary names the point any
//! more. A replica that is not there is written as lost, with the image that its region shows, so
//! that the worker that confirms takes it back, or has it copied again. A point that says of a
//! replica what its record does not is corrected by it. A summary that is not there is written from
//! the points, and one that is untrue, or older than they are, is corrected by them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::artefact_audit::Tagged;
use super::gaps::{Gaps, at_odds, has, is_behind, is_untrue, lacks, named};
use super::work_requested::images::History;
use crate::change::{Change, Record, Write};
use crate::command::{Command, Decision, Wake};
use crate::finding::{Finding, Resolved};
use crate::ids::{AmiId, PolicyName, Region};
use crate::limits::GAPS_TOLD;
use crate::names::{TAG_ATTEMPT, TAG_POINT};
use crate::observed::{ImageState, ObservedImage, ObservedSnapshot, SnapshotState};
use crate::point::{Place, Point, Replica, ReplicaEvent, ReplicaStatus, Step};
use crate::reason::{Code, Reason};
use crate::rebuild::{self, Rebuilt, Seen};
use crate::slot::PointId;
use crate::status::{Event, Phase};
use crate::subject::Subject;
use crate::summary::{Good, Latest, MachineSummary, News, Stop, Summary};
use crate::transition::{loss, replicas, summary};
use crate::work::Kind;

/// Results of the look at what is missing.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub decision: Decision,
    /// The facts of the audit with what is written again; none if nothing is.
    pub known: Option<Tagged>,
    /// The points of which a record is missing, and written again later: something of them is
    /// pending, or a region does not answer. Nothing of them is foreign.
    pub later: BTreeSet<PointId>,
}

/// Decides about everything that is missing. The homes whose ledger is doubted are left to those
/// who settle the doubt.
pub fn decide(gaps: &Gaps, tagged: &Tagged, doubted: &BTreeSet<Region>, now: Timestamp) -> Outcome {
    let mut look = Look { gaps, tagged, now, outcome: Outcome::default() };
    let suspects = gaps.suspects.iter().filter(|machine| !doubted.contains(&machine.home));
    let mut seen: BTreeSet<&PointId> = BTreeSet::new();
    for machine in suspects {
        let Some(history) = gaps.histories.get(&machine.instance) else { continue };
        if look.made_again(machine, history) {
            continue;
        }
        look.correct(machine, history);
        for (policy, id) in named(machine) {
            if !seen.insert(id) || gaps.unreadable.contains(&(id.clone(), None)) {
                continue;
            }
            match history.iter().find(|(point, _)| point.id == *id) {
                Some((point, replicas)) => look.replicas_of((point, replicas), history),
                None => look.gone(machine, (policy, id), history),
            }
        }
    }
    for id in gaps.orphans.iter().filter(|id| !seen.contains(id)) {
        if !gaps.unreadable.contains(&(id.clone(), None)) {
            look.orphan(id, doubted);
        }
    }
    for known in tagged.points.values().filter(|point| !seen.contains(&point.id)) {
        look.unnamed_replicas(known);
    }
    for machine in &gaps.untold {
        let Some(history) = gaps.histories.get(machine) else { continue };
        if let Some((point, _)) = history.first() {
            let nothing = MachineSummary::untold(machine.clone(), point.home.clone());
            look.correct(&nothing, history);
        }
    }
    for renamed in &gaps.renamed {
        let change = Change { writes: Vec::new(), summary: Some(renamed.clone()) };
        look.outcome.decision.command(Command::Record(Box::new(change)));
    }
    look.end_findings();
    look.outcome
}

struct Look<'a> {
    gaps: &'a Gaps,
    tagged: &'a Tagged,
    now: Timestamp,
    outcome: Outcome,
}

impl Look<'_> {
    /// Puts the image into a point that its summary names, if its region shows that one, and the
    /// point is as it was before: an older item of it was put back. Tells whether it did; the rest
    /// is looked at by the next audit.
    fn made_again(&mut self, machine: &MachineSummary, history: &History) -> bool {
        for told in machine.good.values() {
            let Some((point, replicas)) = history.iter().find(|(it, _)| it.id == told.point) else {
                continue;
            };
            let Some(rebuilt) = self.with_image_of(told, point, replicas) else { continue };
            let text = format!(
                "the record of {} did not have the image that was made for it last: it was put \
                 back to an earlier state. It was written again from tags and facts, as unverified",
                point.id
            );
            self.adopt(rebuilt, (Some(point), Some(told)), history);
            self.report(&machine.home, &point.id, Reason::new(Code::LedgerIncomplete, text));
            return true;
        }
        false
    }

    fn with_image_of(&self, told: &Good, point: &Point, replicas: &[Replica]) -> Option<Rebuilt> {
        let image = told.image.as_ref()?;
        // A summary that is older than the point names an earlier attempt.
        let is_later = attempt(self.available_at_home(point, image)?) > point.step.attempt;
        let is_gone = || point.image.as_ref().is_some_and(|it| !self.is_listed(&point.home, it));
        // Replicas are asked for once the image is there, and the point has their places then.
        let is_made = matches!(point.status.phase(), Phase::Good | Phase::Ended);
        let is_before = !is_made && point.replicas.is_empty() && !replicas.is_empty();
        let is_put_back = is_before || is_later && is_gone();
        if !is_put_back {
            return None;
        }
        let found = rebuild::decide(&self.tagged.seen(|tags| is_of(tags, &point.id)));
        let mut points = found.points.into_iter();
        points.find(|it| it.point.id == point.id && it.point.image.as_ref() == Some(image))
    }

    /// Corrects a summary that says of its points what their records do not, or that names older
    /// ones than there are, or none: somebody put an older item back, or deleted it.
    fn correct(&mut self, machine: &MachineSummary, history: &History) {
        let points: Vec<Point> =
            history.iter().map(|(point, replicas)| self.by_replicas(point, replicas)).collect();
        let mut policies: BTreeMap<&PolicyName, Vec<&Point>> = BTreeMap::new();
        for point in &points {
            policies.entry(&point.slot.policy).or_default().push(point);
        }
        for (policy, points) in policies {
            let newest = Good::newest(points.iter().copied());
            let good = match machine.good.get(policy) {
                None => newest.map(News::Good),
                Some(told) => points.iter().find(|it| it.id == told.point).and_then(|point| {
                    let of = point.id.clone();
                    let is_older = newest.as_ref().is_some_and(|it| it.taken_at > told.taken_at);
                    let good = newest.map(Box::new);
                    (is_untrue(told, point) || is_older).then_some(News::Instead { of, good })
                }),
            };
            let Some(last) = points.iter().max_by_key(|point| point.requested_at) else {
                continue;
            };
            let told = machine.latest.get(policy);
            let is_latest = told.is_some_and(|told| {
                told.requested_at >= last.requested_at && !is_behind(told, last)
            });
            let latest = (!is_latest).then(|| News::Latest(Latest::of(last)));
            let stop = points.iter().filter_map(|point| Stop::of(point));
            let stop = stop.max_by_key(|stop| stop.launched).filter(|stop| {
                machine.stops.get(policy).is_none_or(|told| told.launched < stop.launched)
            });
            let news: Vec<News> =
                good.into_iter().chain(latest).chain(stop.map(News::Stop)).collect();
            if news.is_empty() {
                continue;
            }
            let mut summary = Summary { news, ..Summary::of(last) };
            if machine.name.is_some() {
                summary.name = None;
            }
            let change = Change { writes: Vec::new(), summary: Some(summary) };
            self.outcome.decision.command(Command::Record(Box::new(change)));
        }
    }

    /// Returns the point with its places as the records of its replicas have them.
    fn by_replicas(&self, point: &Point, replicas: &[Replica]) -> Point {
        let replica = |region: &Region| replicas.iter().find(|it| it.region == *region);
        let at_odds = at_odds(point, replica);
        let back = replica(&point.home).filter(|record| self.has_come_back(point, record));
        if at_odds.is_empty() && back.is_none() {
            return point.clone();
        }
        let mut after = match back {
            // Its image is gone, and another is in its place.
            Some(_) => {
                let healed = match point.healed.is_empty() {
                    true => vec![self.now],
                    false => point.healed.clone(),
                };
                Point { lost: point.image.clone(), healed, ..point.due_now(self.now) }
            }
            None => point.due_now(self.now),
        };
        for (region, place) in at_odds {
            after.replicas.insert(region.clone(), place);
        }
        let back: Vec<Replica> = back.cloned().into_iter().collect();
        let imaged = after.after(Event::Lose);
        let placed = imaged.and_then(|imaged| replicas::with_places(&imaged, &back));
        placed.unwrap_or_else(|_| point.clone())
    }

    /// Tells whether an image was copied back to the home of a point that has another one, which
    /// is gone.
    fn has_come_back(&self, point: &Point, record: &Replica) -> bool {
        let is_there = |image| self.available_at_home(point, image).is_some();
        point.status.phase() == Phase::Good
            && record.status == ReplicaStatus::Available
            && record.image.as_ref().is_some_and(is_there)
            && point.image.as_ref().is_some_and(|image| !self.is_listed(&point.home, image))
    }

    /// Returns an image, if it is available at the home of a point, and its tag names the point.
    fn available_at_home(&self, point: &Point, image: &AmiId) -> Option<&ObservedImage> {
        let images = images_of(self.tagged, &point.id, &point.home).into_iter();
        images.filter(|it| it.state == ImageState::Available).find(|it| it.id == *image)
    }

    /// Tells whether a region shows an image, whatever its state and its tags are.
    fn is_listed(&self, region: &Region, image: &AmiId) -> bool {
        let mut listed = self.tagged.images.get(region).into_iter().flat_map(|listed| &listed.0);
        listed.any(|it| it.id == *image)
    }

    /// Corrects a point by the records of its replicas, and writes the records again that they
    /// lack.
    fn replicas_of(&mut self, (point, replicas): (&Point, &[Replica]), history: &History) {
        let unreadable = &self.gaps.unreadable;
        let is_there = |region: &Region| {
            has(replicas, region) || unreadable.contains(&(point.id.clone(), Some(region.clone())))
        };
        let corrected = self.by_replicas(point, replicas);
        let lacking = lacks(&corrected, is_there);
        self.write_replicas(point, (corrected, &lacking), |after| telling(after, history));
    }

    /// Writes the record again of the replica of an older point whose image is listed, and that the
    /// ledger does not have.
    fn unnamed_replicas(&mut self, point: &Point) {
        if point.status.phase() != Phase::Good {
            return;
        }
        let tagged = self.tagged;
        // No record is read of a place that the index vouches for.
        let is_read = |region: &Region| {
            let mut images = images_of(tagged, &point.id, region).into_iter();
            images.any(|image| !tagged.is_vouched(region, &image.id.clone().into()))
        };
        let is_wanted = |(region, place): &(&Region, &Place)| {
            **region != point.home
                && !matches!(place, Place::Withdrawn | Place::Failed)
                && !tagged.replicas.contains_key(&(point.id.clone(), (*region).clone()))
                && is_read(region)
        };
        let wanted = point.replicas.iter().filter(is_wanted);
        let lacking: Vec<Region> = wanted.map(|(region, _)| region.clone()).collect();
        self.write_replicas(point, (point.clone(), &lacking), summary::of);
    }

    fn write_replicas(
        &mut self,
        before: &Point,
        (mut point, lacking): (Point, &[Region]),
        told: impl FnOnce(&Point) -> Option<Summary>,
    ) {
        let mut writes = Vec::new();
        let mut findings = Vec::new();
        if point != *before {
            let text = format!(
                "the record of {} said of its places what those of its replicas do not: it was \
                 put back to an earlier state. It is corrected",
                before.id
            );
            findings.push((&before.home, Reason::new(Code::LedgerIncomplete, text)));
        }
        for region in lacking {
            let Some((after, replica, reason)) = self.lost_replica(&point, region) else {
                self.outcome.later.insert(before.id.clone());
                continue;
            };
            point = after;
            writes.extend(replica);
            findings.push((region, reason));
        }
        if findings.is_empty() {
            return;
        }
        let told = told(&point);
        let point = Write::point(point);
        let mut queues = BTreeSet::new();
        for write in [&point].into_iter().chain(&writes) {
            self.know(&write.record);
            queues.extend(write.record.queue());
        }
        let change = Change { writes: [point].into_iter().chain(writes).collect(), summary: told };
        self.outcome.decision.command(Command::Record(Box::new(change)));
        for queue in queues.into_iter().filter(|queue| queue.kind == Kind::Confirm) {
            self.outcome.decision.command(Command::Wake(Wake { queue, hop: 0 }));
        }
        for (region, reason) in findings {
            self.report(region, &before.id, reason);
        }
    }

    /// Returns the point and its replica, which is written as lost: the worker looks for the image
    /// that the region shows. None while a region cannot tell.
    fn lost_replica(
        &self,
        point: &Point,
        region: &Region,
    ) -> Option<(Point, Option<Write>, Reason)> {
        let (id, now) = (&point.id, self.now);
        let images = images_of(self.tagged, id, region);
        let is_listed = self.tagged.images.contains_key(region);
        if !is_listed || images.iter().any(|image| image.state == ImageState::Pending) {
            return None;
        }
        let what = match *region == point.home {
            true => format!("the record of the copy of {id} that was to come back to {region}"),
            false => format!("the record of the replica of {id} in {region}"),
        };
        let missing = format!("{what} was missing in the ledger");
        if *region == point.home {
            let text = format!("{missing}. The image at home is made again, if it is wanted");
            let reason = Reason::new(Code::LedgerIncomplete, text);
            let home_place = Place::Lost;
            let after = Point { home_place, reason: Some(reason.clone()), ..point.due_now(now) };
            return Some((after, None, reason));
        }
        let is_usable = |image: &&&ObservedImage| {
            matches!(image.state, ImageState::Available | ImageState::Disabled)
        };
        let families = self.tagged.families();
        let ours = images.iter().filter(is_usable).filter(|it| families.has(point, region, &it.id));
        let found = ours.max_by_key(|image| {
            (image.state == ImageState::Available, attempt(image), image.created_at)
        });
        let text = match found {
            Some(image) => format!("{missing}. It is written again with {}", image.id),
            None => format!(
                "{missing}. No image of it was found, and it is copied again if it is wanted"
            ),
        };
        let reason = Reason::new(Code::LedgerIncomplete, text);
        let source = found.and_then(|image| image.source.clone());
        let (source_region, source) = source
            .or_else(|| self.source_of(point))
            .map(|(from, image)| (Some(from).filter(|from| *from != point.home), image))?;
        let attempt = images.iter().map(|image| attempt(image)).max().unwrap_or_default();
        let available = Replica {
            status: ReplicaStatus::Available,
            image: found.map(|image| image.id.clone()),
            source_region,
            version: 0,
            step: Step { attempt, ..Step::default() },
            ..Replica::wanted(point, &source, region, now)
        };
        let lose = ReplicaEvent::Lose;
        let (after, replica) = loss::replica(point, &available, lose, reason.clone(), now).ok()?;
        Some((after, Some(Write::replica(replica)), reason))
    }

    /// Returns an image of a point that the ledger knows: at home, or a replica.
    fn source_of(&self, point: &Point) -> Option<(Region, AmiId)> {
        let home = point.image.as_ref().or(point.lost.as_ref());
        let home = home.map(|image| (point.home.clone(), image.clone()));
        home.or_else(|| {
            let of_point = self.gaps.replicas.values().filter(|it| it.point == point.id);
            of_point.flat_map(|it| Some((it.region.clone(), it.image.clone()?))).next()
        })
    }

    /// Writes a point again that is not there, by tags and facts; or has the summary of its machine
    /// name it no more.
    fn gone(
        &mut self,
        machine: &MachineSummary,
        (policy, id): (&PolicyName, &PointId),
        history: &History,
    ) {
        let seen = self.tagged.seen(|tags| is_of(tags, id));
        if !self.tagged.images.contains_key(&machine.home) || is_pending(&seen) {
            self.outcome.later.insert(id.clone());
            return;
        }
        let found = rebuild::decide(&seen);
        let missing = format!("the record of {id} was missing in the ledger");
        if let Some(rebuilt) = found.points.into_iter().find(|rebuilt| rebuilt.point.id == *id) {
            let text =
                format!("{missing}. It was written again from tags and facts, as unverified");
            self.adopt(rebuilt, (None, machine.good.get(policy)), history);
            return self.report(&machine.home, id, Reason::new(Code::LedgerIncomplete, text));
        }
        // An artefact of it may be where nobody can look now.
        if !self.tagged.unread.is_empty() {
            self.outcome.later.insert(id.clone());
            return;
        }
        let of_policy = |(point, _): &&(Point, Vec<Replica>)| point.slot.policy == *policy;
        let others = || history.iter().filter(of_policy).map(|(point, _)| point);
        let good = Good::newest(others());
        let latest = others().map(Latest::of).max_by_key(|latest| latest.requested_at);
        let good = News::Instead { of: id.clone(), good: good.map(Box::new) };
        let latest = News::LatestInstead { of: id.clone(), latest: latest.map(Box::new) };
        for news in [good, latest] {
            let summary = news_of(machine, policy, news);
            let change = Change { writes: Vec::new(), summary: Some(summary) };
            self.outcome.decision.command(Command::Record(Box::new(change)));
        }
        self.leave_replicas(id);
        let unusable: Vec<&str> =
            found.unusable.iter().map(|unusable| unusable.artefact.as_str()).collect();
        let left = match unusable.as_slice() {
            [] => "nothing of it was found".to_string(),
            _ => format!("tags and facts do not confirm what was found ({})", unusable.join(", ")),
        };
        let text = format!(
            "{missing}, and {left}. It is not told as a recovery point any more; the newest one \
             that is left takes its place. If the ledger can be restored to an earlier time, \
             `afterimage rebuild --from` copies what is missing"
        );
        self.report(&machine.home, id, Reason::new(Code::LedgerIncomplete, text));
    }

    /// Writes a point again of which only replicas are left in the ledger, and that no summary
    /// names.
    fn orphan(&mut self, id: &PointId, doubted: &BTreeSet<Region>) {
        let seen = self.tagged.seen(|tags| is_of(tags, id));
        let mut found = rebuild::decide(&seen).points.into_iter();
        let Some(rebuilt) = found.find(|it| it.point.id == *id) else {
            self.outcome.later.insert(id.clone());
            return;
        };
        let home = rebuilt.point.home.clone();
        if is_pending(&seen) || doubted.contains(&home) {
            self.outcome.later.insert(id.clone());
            return;
        }
        let nothing = History::new();
        let history = self.gaps.histories.get(id.instance()).unwrap_or(&nothing);
        self.adopt(rebuilt, (None, None), history);
        let text = format!(
            "the record of {id} was missing in the ledger, beside its replicas. It was written \
             again from tags and facts, as unverified"
        );
        self.report(&home, id, Reason::new(Code::LedgerIncomplete, text));
    }

    /// Records that the replicas of a point that is gone hold nothing good any more: nobody looks
    /// at them without their point.
    fn leave_replicas(&mut self, id: &PointId) {
        let of_point = self.gaps.replicas.values().filter(|replica| replica.point == *id);
        for replica in of_point.filter(|replica| !replica.held().is_empty()) {
            let Ok(lost) = replica.after(ReplicaEvent::Lose) else { continue };
            let step = lost.step.settled();
            let text = format!("the record of {id} is missing in the ledger");
            let reason = Some(Reason::new(Code::LedgerIncomplete, text));
            let image = lost.image.clone();
            let lost =
                Replica { lost: image, image: None, step, missing_since: None, reason, ..lost };
            self.outcome.decision.command(Command::Record(Box::new(Change::replica(lost))));
        }
    }

    /// Writes a point again, in the place of its record if there is one (`before`). The time of its
    /// data may be another one than before, so that it takes the place of its own entry in the
    /// summary (`told`) whatever that time is.
    fn adopt(
        &mut self,
        rebuilt: Rebuilt,
        (before, told): (Option<&Point>, Option<&Good>),
        history: &History,
    ) {
        let id = rebuilt.point.id.clone();
        let rebuilt = rebuilt.beside(&self.gaps.replicas);
        let mut change = rebuilt.change_in_place(before, &BTreeMap::new());
        if let Some(summary) = &mut change.summary
            && told.is_some_and(|told| told.point == id)
        {
            let good = Good::of(&rebuilt.point).or_else(|| newest_good(&rebuilt.point, history));
            let instead = News::Instead { of: id.clone(), good: good.map(Box::new) };
            summary.news.retain(|news| !matches!(news, News::Good(_)));
            summary.news.push(instead);
        }
        for write in &change.writes {
            self.know(&write.record);
        }
        let there = self.gaps.replicas.values().filter(|replica| replica.point == id);
        for replica in there.cloned() {
            self.know(&Record::Replica(Box::new(replica)));
        }
        self.outcome.decision.command(Command::Record(Box::new(change)));
    }

    /// Takes a record that is written for known.
    fn know(&mut self, record: &Record) {
        let known = self.outcome.known.get_or_insert_with(|| self.tagged.clone());
        match record {
            Record::Point(point) => {
                known.points.insert(point.id.clone(), point.as_ref().clone());
            }
            Record::Replica(replica) => {
                let key = (replica.point.clone(), replica.region.clone());
                known.replicas.insert(key, replica.as_ref().clone());
            }
            _ => {}
        }
    }

    fn report(&mut self, region: &Region, point: &PointId, reason: Reason) {
        self.outcome.decision.say(point, reason.clone());
        self.outcome.decision.command(Command::Report(Finding {
            region: region.clone(),
            artefact: Subject::Other(format!("{POINT}{point}")),
            reason,
            seen_at: self.now,
        }));
    }

    /// Ends the findings that were told for long enough.
    fn end_findings(&mut self) {
        let is_over = |known: &&Finding| {
            known.reason.code == Code::LedgerIncomplete
                && self.now.duration_since(known.seen_at) >= GAPS_TOLD
        };
        let over = self.tagged.known.iter().filter(is_over).map(|known| Resolved {
            region: known.region.clone(),
            artefact: known.artefact.clone(),
            code: known.reason.code,
            at: self.now,
        });
        let over: Vec<Resolved> = over.collect();
        over.into_iter().for_each(|over| self.outcome.decision.command(Command::Resolve(over)));
    }
}

fn news_of(machine: &MachineSummary, policy: &PolicyName, news: News) -> Summary {
    Summary {
        instance: machine.instance.clone(),
        home: machine.home.clone(),
        name: None,
        policy: policy.clone(),
        news: vec![news],
    }
}

/// Prefix of the subject of a finding about a point.
const POINT: &str = "point ";

/// Returns the summary of a point. If nobody can recover from it, the newest that is left takes its
/// place.
fn telling(point: &Point, history: &History) -> Option<Summary> {
    let told = summary::of(point)?;
    if Good::of(point).is_some() {
        return Some(told);
    }
    let good = newest_good(point, history).map(Box::new);
    Some(told.telling(News::Instead { of: point.id.clone(), good }))
}

/// Returns the newest good point of the same machine and policy, other than this.
fn newest_good(point: &Point, history: &History) -> Option<Good> {
    let others = history.iter().map(|(other, _)| other);
    let of_policy = others.filter(|other| other.slot.policy == point.slot.policy);
    Good::newest(of_policy.filter(|other| other.id != point.id))
}

fn is_of(tags: &BTreeMap<String, String>, point: &PointId) -> bool {
    tags.get(TAG_POINT).is_some_and(|named| named == point.as_str())
}

/// Returns the images of a region whose tag names a point.
fn images_of<'a>(tagged: &'a Tagged, point: &PointId, region: &Region) -> Vec<&'a ObservedImage> {
    let listed = tagged.images.get(region).into_iter().flat_map(|listed| &listed.0);
    listed.filter(|image| is_of(&image.tags, point)).collect()
}

fn attempt(image: &ObservedImage) -> u32 {
    image.tags.get(TAG_ATTEMPT).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn is_pending(seen: &Seen) -> bool {
    let images = seen.images.values().flat_map(|images| &images.0);
    let snapshots = seen.snapshots.values().flat_map(|snapshots| &snapshots.0);
    let is_filling = |snapshot: &ObservedSnapshot| snapshot.state == SnapshotState::Pending;
    images.into_iter().any(|image| image.state == ImageState::Pending)
        || snapshots.into_iter().any(is_filling)
}
