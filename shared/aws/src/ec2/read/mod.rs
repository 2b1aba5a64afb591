//! The calls that read, each to its last page. Half a listing would say that the other half does
//! not exist.
//!
//! Single things are asked for by filters and not by their ids: one id that EC2 does not know, or
//! does not show yet, would fail the call for all others. An empty list of ids would mean
//! everything, so that no call is made for it.

mod images;
mod instances;
mod machines;
mod power;
mod regions;
mod snapshots;
mod trial;
mod wire;

use std::error::Error;

use afterimage_core::ids::Region;
use afterimage_core::limits::ITEM_READ_PACE;
use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::types::Filter;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::error::Failure;
pub use instances::Find;
pub use machines::Machines;

/// Items on a page: as many as EC2 gives.
const PAGE: i32 = 1000;

/// The longest listing that is read, in pages: twice the images and snapshots that an account may
/// have in a region. A longer listing has gone wrong.
const PAGES_MAX: usize = 300;

/// The most values that EC2 takes in the filters of one call.
const FILTER_VALUES_MAX: usize = 200;

/// A call that reads, named for the errors that it may end in.
struct Reading<'a> {
    operation: &'static str,
    region: &'a Region,
}

impl Reading<'_> {
    /// Returns all pages of a listing, or an error: never some of them.
    async fn pages<O, E>(
        &self,
        mut pages: PaginationStream<Result<O, SdkError<E>>>,
    ) -> Result<Vec<O>, Failure>
    where
        E: Error + Send + Sync + 'static,
    {
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            all.push(page.map_err(|error| self.failed(error))?);
            if all.len() > PAGES_MAX {
                return Err(self.failed(Endless));
            }
        }
        Ok(all)
    }

    fn failed(&self, source: impl Error + Send + Sync + 'static) -> Failure {
        Failure::Ec2 {
            operation: self.operation,
            region: self.region.to_string(),
            source: Box::new(source),
        }
    }
}

/// The pace of reads that EC2 answers for one machine or image at a time.
struct ItemPace<'a> {
    clock: &'a Clock,
    last: Option<Timestamp>,
}

impl ItemPace<'_> {
    fn new(clock: &Clock) -> ItemPace<'_> {
        ItemPace { clock, last: None }
    }

    /// Waits until the next read may be made.
    async fn wait(&mut self) {
        let now = self.clock.now();
        let wait = self.last.map(|last| ITEM_READ_PACE.saturating_sub(now.duration_since(last)));
        self.clock.sleep(wait.unwrap_or(SignedDuration::ZERO)).await;
        self.last = Some(self.clock.now());
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the listing has more than {PAGES_MAX} pages")]
struct Endless;

fn filter<T: AsRef<str>>(name: &str, values: &[T]) -> Filter {
    let values = values.iter().map(|value| value.as_ref().to_string()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// Returns a filter value that stands for itself, whatever is in the text.
fn literally(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}
