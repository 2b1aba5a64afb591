//! What follows from the calls that stop and start a machine.

use jiff::Timestamp;

use super::{Answer, Outcome};
use crate::command::{Change, Command, Decision, Finding, Record, Write};
use crate::downtime::{Downtime, DowntimeEvent, DowntimeStatus, IllegalForDowntime, Roster};
use crate::flow::work_requested::power::{ended_point, until_deadline};
use crate::flow::work_requested::retry::is_used_up;
use crate::limits::{THROTTLED_WAIT, backoff, later, start_again};
use crate::machine::State;
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::status::Event;

/// A machine that did not start so often is something that a person should see.
const STARTS_UNSEEN: u32 = 2;

/// After StopInstances, which says what the machine was before, and the intent as it was written.
///
/// A machine that was pending is one that was to run.
pub fn stopped(intent: &Change, outcome: Outcome<State>, now: Timestamp) -> Decision {
    let parts = Parts::of(intent);
    let Some((downtime, roster)) = parts.downtime.zip(parts.roster) else {
        return Decision::default();
    };
    if downtime.status != DowntimeStatus::Stopping {
        return Decision::default();
    }
    let end = End { downtime, roster, point: parts.point, now };
    let concluded = match outcome {
        Outcome::Made(State::Running | State::Pending) => end.down(None),
        // What an earlier call did is not known: it may have been ours.
        Outcome::Made(_) if downtime.unsure => end.down(None),
        Outcome::Made(before) => {
            let text = format!(
                "{} was {} before it was to be stopped: whoever did that starts it again",
                downtime.instance(),
                before.as_str()
            );
            end.freed(DowntimeEvent::Disown, Reason::new(Code::NotOurStop, text), None)
        }
        Outcome::Unknown(answer) => end.unknown(&answer),
        Outcome::Throttled(answer)
        | Outcome::Failed(answer)
        | Outcome::NameTaken(answer)
        | Outcome::Refused(answer)
        | Outcome::Gone(answer)
            if downtime.unsure =>
        {
            end.unknown(&answer)
        }
        Outcome::Throttled(answer) => end.put_off(Code::Throttled, &answer),
        Outcome::Failed(answer) | Outcome::NameTaken(answer) => {
            end.put_off(Code::CallFailed, &answer)
        }
        Outcome::Refused(answer) => {
            let reason = Reason::new(Code::CallRefused, answer.to_string());
            end.freed(DowntimeEvent::Spare, reason, Some(Event::Refuse))
        }
        Outcome::Gone(answer) => {
            let reason = Reason::new(Code::MachineGone, answer.to_string());
            end.freed(DowntimeEvent::Spare, reason, Some(Event::Miss))
        }
    };
    concluded.unwrap_or_default()
}

/// After StartInstances. Whether the machine runs is seen, and not told: the record stays as it is
/// until then, and whatever was answered, the call is made again.
pub fn started(intent: &Change, outcome: Outcome<State>, now: Timestamp) -> Decision {
    let Some(downtime) = Parts::of(intent).downtime else { return Decision::default() };
    let (code, answer) = match outcome {
        Outcome::Made(_) => return Decision::default(),
        Outcome::Gone(answer) => (Code::MachineGone, answer),
        Outcome::Throttled(answer) => (Code::Throttled, answer),
        Outcome::Failed(answer)
        | Outcome::NameTaken(answer)
        | Outcome::Refused(answer)
        | Outcome::Unknown(answer) => (Code::NotStarted, answer),
    };
    let reason = Reason::new(code, answer.to_string());
    let failures = downtime.step.failures.saturating_add(1);
    let due_at = Some(later(now, start_again(downtime.step.failures)));
    let step = Step { failures, due_at, ..downtime.step.clone() };
    let after = Downtime { step, reason: Some(reason.clone()), ..downtime.clone() };
    let mut decision = recorded(vec![Write::downtime(after)], downtime, reason.clone());
    if failures > STARTS_UNSEEN {
        let reason = Reason { code: Code::NotStarted, ..reason };
        let (region, artefact) = (downtime.home.clone(), downtime.instance().into());
        decision.command(Command::Report(Finding { region, artefact, reason, seen_at: now }));
    }
    decision
}

/// The records of an intent.
#[derive(Default)]
struct Parts<'a> {
    downtime: Option<&'a Downtime>,
    roster: Option<&'a Roster>,
    point: Option<&'a Point>,
}

impl<'a> Parts<'a> {
    fn of(intent: &'a Change) -> Parts<'a> {
        let mut parts = Parts::default();
        for write in &intent.writes {
            match &write.record {
                Record::Downtime(downtime) => parts.downtime = Some(downtime),
                Record::Roster(roster) => parts.roster = Some(roster),
                Record::Point(point) => parts.point = Some(point),
                Record::Replica(_) | Record::RequestCounter(_) => {}
            }
        }
        parts
    }
}

/// How a call to stop a machine can end.
struct End<'a> {
    downtime: &'a Downtime,
    roster: &'a Roster,
    point: Option<&'a Point>,
    now: Timestamp,
}

type Concluded = Result<Decision, IllegalForDowntime>;

impl End<'_> {
    /// We stopped it.
    fn down(&self, reason: Option<Reason>) -> Concluded {
        let down = self.downtime.after(DowntimeEvent::Stopped)?;
        let down = Downtime { step: until_deadline(self.downtime), reason, ..down };
        let change = Change { writes: vec![Write::downtime(down)], summary: None };
        let mut decision = Decision::default();
        decision.command(Command::Record(Box::new(change)));
        Ok(decision)
    }

    /// It may be on its way down, and is ours, whatever is found out.
    fn unknown(&self, answer: &Answer) -> Concluded {
        let reason = Reason::new(Code::OutcomeUnknown, answer.to_string());
        let after =
            Downtime { unsure: true, reason: Some(reason.clone()), ..self.downtime.clone() };
        Ok(recorded(vec![Write::downtime(after)], self.downtime, reason))
    }

    /// Nothing was stopped: its place is free, and it waits for another.
    fn put_off(&self, code: Code, answer: &Answer) -> Concluded {
        let reason = Reason::new(code, answer.to_string());
        let failed = code != Code::Throttled;
        let before = &self.downtime.step;
        let failures = before.failures.saturating_add(u32::from(failed));
        let wait = if failed { backoff(failures) } else { THROTTLED_WAIT };
        let due_at = Some(later(self.now, wait));
        let step =
            Step { attempt: before.attempt.saturating_add(1), failures, begun_at: None, due_at };
        if is_used_up(&step) {
            return self.freed(DowntimeEvent::Spare, reason, Some(Event::Fail));
        }
        let after = Downtime {
            step,
            launched: None,
            begun_at: None,
            reason: Some(reason.clone()),
            ..self.downtime.after(DowntimeEvent::PutOff)?
        };
        let mut writes = vec![Write::downtime(after), self.without()];
        // Its worker need not look at it until it has a place again.
        writes.extend(self.point.map(|point| {
            let step = Step { due_at: Some(point.waits_until()), ..point.step.clone() };
            Write::point(Point { step, ..point.clone() })
        }));
        Ok(recorded(writes, self.downtime, reason))
    }

    /// Nothing was stopped, by us: its place is free, and it wants no other.
    fn freed(&self, event: DowntimeEvent, reason: Reason, of_point: Option<Event>) -> Concluded {
        let after = self.downtime.after(event)?;
        let after = Downtime {
            step: self.downtime.step.settled(),
            over_at: Some(self.now),
            reason: Some(reason.clone()),
            ..after
        };
        let mut decision =
            recorded(vec![Write::downtime(after), self.without()], self.downtime, reason.clone());
        let ended = self.point.zip(of_point);
        if let Some((point, summary)) =
            ended.and_then(|(point, event)| ended_point(point, event, reason))
            && let Some(Command::Record(change)) = decision.commands.first_mut()
        {
            change.writes.push(Write::point(point));
            change.summary = Some(summary);
        }
        Ok(decision)
    }

    fn without(&self) -> Write {
        Write::roster(self.roster.clone().without(&self.downtime.point))
    }
}

fn recorded(writes: Vec<Write>, downtime: &Downtime, reason: Reason) -> Decision {
    let mut decision = Decision::default();
    decision.say(&downtime.point, reason);
    decision.command(Command::Record(Box::new(Change { writes, summary: None })));
    decision
}
