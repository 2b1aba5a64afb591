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
use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::types::Filter;
use aws_smithy_async::future::pagination_stream::PaginationStream;

use crate::ec2::Ec2;
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

/// A call that reads, named for its part of what EC2 allows and for the errors that it may end in.
struct Reading<'a> {
    ec2: &'a Ec2,
    operation: &'static str,
    region: &'a Region,
}

impl Ec2 {
    fn reading<'a>(&'a self, operation: &'static str, region: &'a Region) -> Reading<'a> {
        Reading { ec2: self, operation, region }
    }
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
        self.turn().await;
        while let Some(page) = pages.next().await {
            // The stream does not tell if it makes another call. So the turn of each further page
            // is taken after it, and delays the one that follows.
            if !all.is_empty() {
                self.turn().await;
            }
            all.push(page.map_err(|error| self.failed(error))?);
            if all.len() > PAGES_MAX {
                return Err(self.failed(Endless));
            }
        }
        Ok(all)
    }

    /// Waits until the next call may be made.
    async fn turn(&self) {
        self.ec2.turn(self.region, self.operation).await;
    }

    fn failed(&self, source: impl Error + Send + Sync + 'static) -> Failure {
        Failure::Ec2 {
            operation: self.operation,
            region: self.region.to_string(),
            source: Box::new(source),
        }
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
