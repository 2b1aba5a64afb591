//! The invocations that environments ask for.

use crate::cloud::Cloud;
use crate::kernel::scope::EnvironmentId;
use crate::lambda::{Job, NoJob, Take, take};

/// Waits for the next invocation of an environment. An error means that there will be none.
pub async fn next(cloud: &Cloud, environment: EnvironmentId) -> Result<Job, NoJob> {
    loop {
        match cloud.with(|model| take(model, environment)) {
            Take::Job(job) => return Ok(job),
            Take::Wait(wake) => wake.notified().await,
            Take::Refused(why) => return Err(why),
        }
    }
}
