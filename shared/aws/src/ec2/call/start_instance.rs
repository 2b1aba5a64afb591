//! StartInstances. Making the call twice does no harm, so that the SDK may send it again.

use afterimage_core::call::{Outcome, StartInstance};
use afterimage_core::machine::State;

use super::sending::{Sent, in_time};
use super::wire::state_before;
use crate::ec2::{Ec2, START_INSTANCES, errors};

impl Ec2 {
    /// Starts a machine. The outcome has the state of the machine before the call.
    pub async fn start_instance(&self, wanted: &StartInstance) -> Outcome<State> {
        self.turn(&wanted.region, START_INSTANCES).await;
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
