//! CreateTags, on artefacts that exist. Setting the same tags twice does no harm, so that the SDK
//! may send the call again.

use afterimage_core::call::{CreateTags, Outcome};

use super::sending::{Sent, in_time};
use super::wire::wire_tags;
use crate::ec2::{Ec2, errors};

impl Ec2 {
    /// Puts tags on artefacts.
    pub async fn create_tags(&self, wanted: &CreateTags) -> Outcome<()> {
        self.turn(&wanted.region, "CreateTags").await;
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .create_tags()
            .set_resources(Some(wanted.artefacts.clone()))
            .set_tags(Some(wire_tags(&wanted.tags)))
            .customize()
            .config_override(in_time(&sent))
            .send()
            .await;
        match answer {
            Ok(_) => Outcome::Made(()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}
