//! Our own bus, on which functions wake each other.
//!
//! PutEvents can reject some entries of a request and still answer with success. Rejected entries
//! are sent again.

use std::collections::BTreeSet;
use std::time::Duration;

use afterimage_core::command::Wake;
use afterimage_core::ids::Region;
use afterimage_core::work::Kind;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::Builder;
use aws_sdk_eventbridge::config::retry::RetryPartition;
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsOutput};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::decode::{DETAIL_TYPE, SOURCE, TEST};
use crate::error::Failure;

/// Limit of PutEvents for one request.
const ENTRIES_MAX: usize = 10;
/// Number of times that rejected entries are sent, beside the SDK's own retries.
const TRIES_MAX: u32 = 3;
/// Wait before rejected entries are sent again; it grows with each try.
const WAIT: SignedDuration = SignedDuration::from_secs(1);
/// Longest time of a call with its retries. The SDK has no limit of its own.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of our bus.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    name: String,
}

/// The reason why EventBridge rejected an entry, or a whole request.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
struct Rejected {
    code: String,
    message: String,
}

impl Bus {
    pub fn new(config: &SdkConfig, name: &str, stream: &str) -> Bus {
        let partition = RetryPartition::custom(format!("bus {stream}")).build();
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT).build();
        let config = Builder::from(config).retry_partition(partition).timeout_config(timeouts);
        Bus { client: Client::from_conf(config.build()), name: name.to_string() }
    }

    /// Wakes the workers of these queues.
    ///
    /// # Errors
    /// EventBridge rejected an event in every try.
    pub async fn wake(&self, clock: &Clock, wakes: &BTreeSet<Wake>) -> Result<(), Failure> {
        let entries: Vec<_> = wakes.iter().map(|wake| self.entry(wake)).collect();
        for entries in entries.chunks(ENTRIES_MAX) {
            self.put(clock, entries.to_vec()).await?;
        }
        Ok(())
    }

    /// Sends a test event, which asks for no work: the function that receives it writes its id. A
    /// function of an earlier version takes it for a wake of a worker of this region.
    ///
    /// # Errors
    /// EventBridge rejected the event in every try.
    pub async fn test(&self, clock: &Clock, region: &Region, id: &str) -> Result<(), Failure> {
        let detail = json!({ "region": region, "kind": Kind::Snapshot, "hop": 0, TEST: id });
        self.put(clock, vec![self.event(&detail)]).await
    }

    fn entry(&self, wake: &Wake) -> PutEventsRequestEntry {
        let Wake { queue, hop } = wake;
        self.event(&json!({ "region": queue.region, "kind": queue.kind, "hop": hop }))
    }

    fn event(&self, detail: &Value) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .detail(detail.to_string())
            .build()
    }

    async fn put(
        &self,
        clock: &Clock,
        mut entries: Vec<PutEventsRequestEntry>,
    ) -> Result<(), Failure> {
        let mut tries = 1;
        loop {
            let call = self.client.put_events().set_entries(Some(entries.clone()));
            let output = call.send().await.map_err(|error| self.refused(error))?;
            let Some((again, why)) = rejected(entries, &output) else { return Ok(()) };
            if tries >= TRIES_MAX {
                return Err(self.failure(why));
            }
            clock.sleep(WAIT.saturating_mul(i32::try_from(tries).unwrap_or(i32::MAX))).await;
            entries = again;
            tries += 1;
        }
    }

    /// Returns the failure of a whole call, with the code and the text of the answer if there is
    /// one. A person is told of it, and not again because the id of the request is another.
    fn refused(&self, error: SdkError<PutEventsError>) -> Failure {
        let answer = error.as_service_error().and_then(|answer| {
            let message = answer.message().unwrap_or_default().to_string();
            Some(Rejected { code: answer.code()?.to_string(), message })
        });
        match answer {
            Some(answer) => self.failure(answer),
            None => self.failure(error),
        }
    }

    fn failure(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure::Bus { bus: self.name.clone(), source: source.into() }
    }
}

/// The rejected entries and the reason of the first, or none if all were accepted. The results are
/// in the order of the entries.
fn rejected(
    entries: Vec<PutEventsRequestEntry>,
    output: &PutEventsOutput,
) -> Option<(Vec<PutEventsRequestEntry>, Rejected)> {
    let results = output.entries();
    let why = results.iter().find_map(|result| {
        let code = result.error_code()?.to_string();
        Some(Rejected { code, message: result.error_message().unwrap_or_default().to_string() })
    });
    if output.failed_entry_count() == 0 {
        return None;
    }
    // A response that does not say which entries it rejected is about all of them.
    let Some(why) = why else {
        let message = format!("{} of {} entries", output.failed_entry_count(), entries.len());
        return Some((entries, Rejected { code: "FailedEntryCount".to_string(), message }));
    };
    let pairs = entries.into_iter().zip(results);
    let again = pairs.filter(|(_, result)| result.error_code().is_some());
    Some((again.map(|(entry, _)| entry).collect(), why))
}

#[cfg(test)]
mod tests {
    use aws_sdk_eventbridge::types::PutEventsResultEntry;

    use super::*;

    fn entries(details: &[&str]) -> Vec<PutEventsRequestEntry> {
        let entry = |detail: &&str| PutEventsRequestEntry::builder().detail(*detail).build();
        details.iter().map(entry).collect()
    }

    /// A response with an error code, or none, for each entry.
    fn output(failed: i32, codes: &[Option<&str>]) -> PutEventsOutput {
        let entry = |code: &Option<&str>| {
            PutEventsResultEntry::builder().set_error_code(code.map(str::to_string)).build()
        };
        let results = codes.iter().map(entry).collect();
        PutEventsOutput::builder().failed_entry_count(failed).set_entries(Some(results)).build()
    }

    #[track_caller]
    fn check(output: &PutEventsOutput, expected: Option<(&[&str], &str)>) {
        let rejected = rejected(entries(&["a", "b", "c"]), output);
        let again = expected.map(|(details, code)| (entries(details), code.to_string()));
        assert_eq!(rejected.map(|(entries, why)| (entries, why.code)), again);
    }

    #[test]
    fn rejected_entries_are_sent_again_and_no_others() {
        check(&output(0, &[None, None, None]), None);
        let some = output(2, &[Some("InternalFailure"), None, Some("ThrottlingException")]);
        check(&some, Some((&["a", "c"], "InternalFailure")));
    }

    #[test]
    fn a_response_without_error_codes_has_all_entries_sent_again() {
        check(&output(1, &[None, None, None]), Some((&["a", "b", "c"], "FailedEntryCount")));
        check(&output(1, &[]), Some((&["a", "b", "c"], "FailedEntryCount")));
    }
}
