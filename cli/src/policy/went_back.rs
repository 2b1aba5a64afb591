//! The warning of `afterimage policy apply` that the ledger knows less than was made: it was put
//! back to an earlier time, or is empty.

use std::collections::BTreeSet;

use afterimage_aws::Ledger;
use afterimage_core::flow::{InForce, went_back};
use afterimage_core::ids::Region;
use afterimage_core::policy::Policy;
use afterimage_core::witness::Testimony;
use jiff::Timestamp;

use crate::failure::chain;
use crate::right_table;
use crate::stack::Stack;

/// The consequence, and what to do.
const ADVICE: &str = "run `afterimage rebuild` before you apply policies; if you apply them now, \
                      nothing is made twice: machines whose images the ledger does not know wait \
                      until the functions have adopted these images, for an hour at most";

/// Returns a warning if the ledger knows less than was made. What cannot be asked is told too.
pub async fn warning(
    stack: &Stack,
    ledger: &Ledger,
    before: &InForce,
    policies: &[Policy],
    now: Timestamp,
) -> Option<String> {
    let testimony = ledger.testimony().await;
    if let Testimony::Unreadable(why) = &testimony {
        return Some(format!(
            "cannot tell whether the ledger was put back to an earlier time: {why}"
        ));
    }
    match behind(before, &testimony, now) {
        None if before.is_untouched() => of_images(stack, policies).await,
        behind => behind,
    }
}

/// Tells that the ledger has fewer rounds than the witness.
fn behind(before: &InForce, testimony: &Testimony, now: Timestamp) -> Option<String> {
    let Testimony::Read(witnesses) = testimony else { return None };
    let doubts = went_back::doubts(before, testimony, now);
    let behind = doubts.into_keys().filter_map(|region| {
        let known = before.identities.get(&region).map_or(0, |known| known.count);
        let all = witnesses.get(&region)?.count;
        (known < all).then(|| format!("{region}: {known} of {all}"))
    });
    let behind: Vec<String> = behind.collect();
    (!behind.is_empty()).then(|| {
        let told = behind.join(", ");
        format!(
            "the ledger was put back to an earlier time, or is empty; rounds of work that it \
             knows: {told}\n  {ADVICE}"
        )
    })
}

/// Looks for images of ours that an empty ledger does not know, and its witness does not tell of.
async fn of_images(stack: &Stack, policies: &[Policy]) -> Option<String> {
    let homes = policies.iter().flat_map(|policy| &policy.select.regions);
    let replicas = policies.iter().flat_map(|policy| &policy.replicate).map(|to| &to.region);
    let regions: BTreeSet<&Region> = homes.chain(replicas).chain([&stack.region]).collect();
    match right_table::images(stack, regions).await {
        Ok(found) if found.is_empty() => None,
        Ok(found) => {
            Some(format!("the ledger is empty, but {} have our tag\n  {ADVICE}", found.join(", ")))
        }
        Err(failure) => {
            let why = chain(&failure);
            Some(format!("cannot tell whether images exist that the ledger does not know: {why}"))
        }
    }
}
