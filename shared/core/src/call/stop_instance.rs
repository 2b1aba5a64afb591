//! StopInstances: stops a machine for its image.
//!
//! Making the call twice does no harm. EC2 answers with the state of the machine before the call.
//! If the machine ran, we stopped it and have to start it again. Otherwise somebody else stopped
//! it, and starts it. A call without an outcome may have stopped the machine, so the machine is
//! ours.

use jiff::Timestamp;

use super::conclusion::Conclusion;
use super::outcome::{Answer, Outcome};
use crate::change::{Change, Write};
use crate::downtime::{Downtime, DowntimeEvent, DowntimeStatus, IllegalForDowntime, Roster};
use crate::ids::{InstanceId, Region};
use crate::illegal::Illegal;
use crate::limits::{CALL_AGAIN, FAILURES_MAX, THROTTLED_WAIT, backoff, later};
use crate::machine::State;
use crate::point::{Point, Step};
use crate::reason::{Code, Reason};
use crate::status::Event;
use crate::transition::downtime::{ended_point, until_deadline};

/// The StopInstances request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopInstance {
    pub region: Region,
    pub instance: InstanceId,
}

impl StopInstance {
    pub const NAME: &'static str = "StopInstances";

    fn of(downtime: &Downtime) -> StopInstance {
        let region = downtime.home.clone();
        StopInstance { region, instance: downtime.instance().clone() }
    }
}

/// Returns the intent and the request, for a machine that takes a place in the roster. `launched`
/// is the start of the run that the stop ends. The point is due at once: its worker looks at the
/// machine until it is stopped, and needs no event for that.
///
/// # Errors
/// The downtime cannot begin this in its status.
pub fn begin(
    downtime: &Downtime,
    launched: Timestamp,
    roster: Roster,
    point: &Point,
    now: Timestamp,
) -> Result<(Change, StopInstance), IllegalForDowntime> {
    let step =
        Step { begun_at: Some(now), due_at: Some(later(now, CALL_AGAIN)), ..downtime.step.clone() };
    let stopping = Downtime {
        step,
        launched: Some(launched),
        begun_at: Some(now),
        reason: None,
        ..downtime.after(DowntimeEvent::Stop)?
    };
    let roster = roster.with(&stopping);
    let writes =
        vec![Write::downtime(stopping), Write::roster(roster), Write::point(point.due_now(now))];
    Ok((Change { writes, summary: None }, StopInstance::of(downtime)))
}

/// Returns the intent and the request once more. The call before had no outcome and no visible
/// effect. Whatever EC2 answers now, the machine is ours to start.
///
/// # Errors
/// The downtime cannot begin this in its status.
pub fn begin_again(
    downtime: &Downtime,
    roster: Roster,
    now: Timestamp,
) -> Result<(Change, StopInstance), IllegalForDowntime> {
    let step = Step {
        attempt: downtime.step.attempt.saturating_add(1),
        begun_at: Some(now),
        due_at: Some(later(now, CALL_AGAIN)),
        ..downtime.step.clone()
    };
    let stopping = Downtime { step, unsure: true, ..downtime.after(DowntimeEvent::Stop)? };
    let writes = vec![Write::downtime(stopping), Write::roster(roster)];
    Ok((Change { writes, summary: None }, StopInstance::of(downtime)))
}

/// Returns the changes that follow from the outcome, which tells the state of the machine before
/// the call. `begun` is the intent as it was written; none if it does not write a downtime and the
/// roster.
///
/// A machine that was pending counts as one that was to run.
pub fn conclude(
    begun: &Change,
    outcome: Outcome<State>,
    now: Timestamp,
) -> Option<Result<Conclusion, Illegal>> {
    let (downtime, roster) = begun.downtime_written().zip(begun.roster_written())?;
    let end = End { downtime, roster, point: begun.point_written(), now };
    Some(end.conclude(outcome))
}

/// The end of a call to stop a machine.
struct End<'a> {
    downtime: &'a Downtime,
    roster: &'a Roster,
    point: Option<&'a Point>,
    now: Timestamp,
}

type Concluded = Result<Conclusion, Illegal>;

impl End<'_> {
    fn conclude(&self, outcome: Outcome<State>) -> Concluded {
        let unsure = self.downtime.unsure;
        self.downtime.must_be(DowntimeStatus::Stopping, DowntimeEvent::Stopped)?;
        match outcome {
            Outcome::Made(State::Running | State::Pending) => self.down(),
            // The effect of the earlier call is not known: it may have stopped the machine.
            Outcome::Made(_) if unsure => self.down(),
            Outcome::Made(before) => {
                let text = format!(
                    "{} was {} before our call: somebody else stopped it, and we do not start it",
                    self.downtime.instance(),
                    before.as_str()
                );
                self.freed(DowntimeEvent::Disown, Reason::new(Code::NotOurStop, text), None)
            }
            Outcome::Unknown(answer) => Ok(self.unknown(&answer)),
            Outcome::Throttled(answer)
            | Outcome::Failed(answer)
            | Outcome::NameTaken(answer)
            | Outcome::Refused(answer)
            | Outcome::Gone(answer)
                if unsure =>
            {
                Ok(self.unknown(&answer))
            }
            Outcome::Throttled(answer) => self.put_off(Code::Throttled, &answer),
            Outcome::Failed(answer) | Outcome::NameTaken(answer) => {
                self.put_off(Code::CallFailed, &answer)
            }
            Outcome::Refused(answer) => {
                let reason = Reason::new(Code::CallRefused, answer.to_string());
                self.freed(DowntimeEvent::Spare, reason, Some(Event::Refuse))
            }
            Outcome::Gone(answer) => {
                let reason = Reason::new(Code::MachineGone, answer.to_string());
                self.freed(DowntimeEvent::Spare, reason, Some(Event::Miss))
            }
        }
    }

    /// Concludes that we stopped the machine.
    fn down(&self) -> Concluded {
        let down = self.downtime.after(DowntimeEvent::Stopped)?;
        let down = Downtime { step: until_deadline(self.downtime), reason: None, ..down };
        Ok(Conclusion::of(Change { writes: vec![Write::downtime(down)], summary: None }))
    }

    /// Concludes that the outcome is unknown. The machine may be on its way down, and is ours,
    /// whatever is found out.
    fn unknown(&self, answer: &Answer) -> Conclusion {
        let reason = Reason::new(Code::OutcomeUnknown, answer.to_string());
        let after =
            Downtime { unsure: true, reason: Some(reason.clone()), ..self.downtime.clone() };
        self.recorded(vec![Write::downtime(after)], reason)
    }

    /// Concludes that nothing was stopped. The place is free, and the machine waits for another.
    fn put_off(&self, code: Code, answer: &Answer) -> Concluded {
        let reason = Reason::new(code, answer.to_string());
        let failed = code != Code::Throttled;
        let before = &self.downtime.step;
        let failures = before.failures.saturating_add(u32::from(failed));
        let wait = if failed { backoff(failures) } else { THROTTLED_WAIT };
        let due_at = Some(later(self.now, wait));
        let step = Step {
            attempt: before.attempt.saturating_add(1),
            failures,
            begun_at: None,
            due_at,
            ..before.clone()
        };
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
        let mut writes = vec![Write::downtime(after), self.without_its_place()];
        // The worker of the point does not look at it until the machine has a place again.
        writes.extend(self.point.map(|point| {
            let step = Step { due_at: Some(point.waits_until()), ..point.step.clone() };
            Write::point(Point { step, ..point.clone() })
        }));
        Ok(self.recorded(writes, reason))
    }

    /// Concludes that we stopped nothing. The place is free, and the machine needs no other.
    fn freed(&self, event: DowntimeEvent, reason: Reason, of_point: Option<Event>) -> Concluded {
        let after = self.downtime.after(event)?;
        let after = Downtime {
            step: self.downtime.step.settled(),
            over_at: Some(self.now),
            reason: Some(reason.clone()),
            ..after
        };
        let mut change = Change {
            writes: vec![Write::downtime(after), self.without_its_place()],
            summary: None,
        };
        if let Some((point, event)) = self.point.zip(of_point)
            && let Some((point, summary)) = ended_point(point, event, reason.clone(), self.now)?
        {
            change = change.with(Write::point(point)).telling(Some(summary));
        }
        let mut conclusion = Conclusion::of(change);
        conclusion.say(&self.downtime.point, reason);
        Ok(conclusion)
    }

    fn without_its_place(&self) -> Write {
        Write::roster(self.roster.clone().without(&self.downtime.point))
    }

    fn recorded(&self, writes: Vec<Write>, reason: Reason) -> Conclusion {
        let mut conclusion = Conclusion::of(Change { writes, summary: None });
        conclusion.say(&self.downtime.point, reason);
        conclusion
    }
}

/// Tells whether the tries of a stop are used up.
fn is_used_up(step: &Step) -> bool {
    step.failures >= FAILURES_MAX || step.attempt >= step.attempts_end()
}
