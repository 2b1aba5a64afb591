//! StopInstances and StartInstances: either is the same when it is made twice, so that the SDK may
//! send it again. Never by force, and never into hibernation.

use afterimage_core::command::{StartInstance, StopInstance};
use afterimage_core::conclude::{Answer, Outcome};
use afterimage_core::machine::State;
use aws_sdk_ec2::types::{InstanceStateChange, InstanceStateName};

use super::create::{Sent, in_time};
use super::{Ec2, errors};

impl Ec2 {
    /// What the machine was before it was stopped.
    ///
    /// A call that went out more than once may have stopped it at the first, and then says at the
    /// second that it was stopping before: that leaves open who did it.
    pub async fn stop_instance(&self, wanted: &StopInstance) -> Outcome<State> {
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .stop_instances()
            .instance_ids(wanted.instance.as_str())
            .customize()
            .config_override(in_time(&sent))
            .send()
            .await;
        match answer {
            Ok(changed) => match state_before(changed.stopping_instances()) {
                Outcome::Made(before) if sent.count() > 1 && !is_up(before) => {
                    let text =
                        format!("sent {} times, the machine was {}", sent.count(), before.as_str());
                    Outcome::Unknown(Answer { code: errors::SENT_AGAIN.to_string(), message: text })
                }
                outcome => outcome,
            },
            Err(error) => match errors::of_failed(&error, sent.count()) {
                // The last try was asked to wait; an earlier one may have stopped it.
                Outcome::Throttled(answer) if sent.count() > 1 => Outcome::Unknown(answer),
                outcome => outcome,
            },
        }
    }

    /// What the machine was before it was started.
    pub async fn start_instance(&self, wanted: &StartInstance) -> Outcome<State> {
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .start_instances()
            .instance_ids(wanted.instance.as_str())
            .customize()
            .config_override(in_time(&sent))
            .send()
            .await;
        match answer {
            Ok(changed) => state_before(changed.starting_instances()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}

fn is_up(state: State) -> bool {
    matches!(state, State::Running | State::Pending)
}

fn state_before(changed: &[InstanceStateChange]) -> Outcome<State> {
    let before = changed.first().and_then(|change| change.previous_state());
    match before.and_then(|state| state.name()) {
        Some(InstanceStateName::Pending) => Outcome::Made(State::Pending),
        Some(InstanceStateName::Running) => Outcome::Made(State::Running),
        Some(InstanceStateName::Stopping) => Outcome::Made(State::Stopping),
        Some(InstanceStateName::Stopped) => Outcome::Made(State::Stopped),
        Some(InstanceStateName::ShuttingDown) => Outcome::Made(State::ShuttingDown),
        Some(InstanceStateName::Terminated) => Outcome::Made(State::Terminated),
        _ => errors::of_unreadable("state that the machine was in before"),
    }
}
