//! StopInstances, never by force and never into hibernation. Making the call twice does no harm, so
//! that the SDK may send it again.

use afterimage_core::call::{Answer, Outcome, StopInstance};
use afterimage_core::machine::State;

use super::sending::{Sent, in_time};
use super::wire::state_before;
use crate::ec2::{Ec2, errors};

impl Ec2 {
    /// Stops a machine. The outcome has the state of the machine before the call.
    ///
    /// A call that was sent more than once may have stopped the machine at the first try, and then
    /// answers at the second that it was stopping before. Such an answer leaves open who stopped
    /// it.
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
                // The last try was asked to wait; an earlier one may have stopped the machine.
                Outcome::Throttled(answer) if sent.count() > 1 => Outcome::Unknown(answer),
                outcome => outcome,
            },
        }
    }
}

fn is_up(state: State) -> bool {
    matches!(state, State::Running | State::Pending)
}
