//! Doubts whether the table is the ledger of the stack: another name of the table is another, empty
//! ledger, and the old one stays.

use afterimage_aws::{Ec2, Failure, Ledger};
use afterimage_core::flow::InForce;
use afterimage_core::ids::Region;
use afterimage_core::limits::HEARTBEAT_LATE;
use jiff::Timestamp;

use crate::failure::chain;
use crate::stack::{STREAM, Stack};
use crate::text::{count, span};

/// Cause of an empty ledger, and what to do.
pub const EMPTY_ADVICE: &str = "if the parameter TableName of the stack was changed, copy the old \
                                table: `afterimage rebuild --from TABLE`; otherwise run \
                                `afterimage rebuild`";

/// Tells in how many regions there are how many images with our tag, if the ledger has nothing.
///
/// # Errors
/// A region does not answer.
pub async fn strange(stack: &Stack, in_force: &InForce) -> Result<Option<String>, Failure> {
    if !in_force.is_untouched() {
        return Ok(None);
    }
    let regions = Ec2::new(&stack.config, STREAM).regions().await?;
    let found = images(stack, &regions).await?;
    Ok((!found.is_empty())
        .then(|| format!("the ledger is empty, but {} have our tag", found.join(", "))))
}

/// Counts the images with our tag in each region that has some.
///
/// # Errors
/// A region does not answer.
pub async fn images<'r>(
    stack: &Stack,
    regions: impl IntoIterator<Item = &'r Region>,
) -> Result<Vec<String>, Failure> {
    let ec2 = Ec2::new(&stack.config, STREAM);
    let mut found = Vec::new();
    for region in regions {
        let images = ec2.images_tagged(region).await?.0.len();
        if images > 0 {
            found.push(format!("{} in {region}", count(images, "image")));
        }
    }
    Ok(found)
}

/// Tells for how long no function has written the ledger, if that is too long. A ledger that no
/// function has ever written is new.
///
/// # Errors
/// The ledger cannot be read.
pub async fn silence(ledger: &Ledger, now: Timestamp) -> Result<Option<String>, Failure> {
    let beats = ledger.heartbeats().await?;
    let newest = beats.iter().map(|beat| beat.at).max();
    let age = newest.map(|at| now.duration_since(at));
    Ok(age
        .filter(|age| *age >= HEARTBEAT_LATE)
        .map(|age| format!("no function has used this ledger for {}", span(age))))
}

/// Returns what raises doubts about the table, for a person. What cannot be asked is told too.
pub async fn notes(stack: &Stack, in_force: &InForce, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    match strange(stack, in_force).await {
        Ok(strange) => notes.extend(strange.map(|found| format!("{found}; {EMPTY_ADVICE}"))),
        Err(failure) => notes.push(format!(
            "cannot tell whether images exist that the ledger does not know: {}",
            chain(&failure)
        )),
    }
    notes.extend(silent(stack, now).await);
    notes
}

/// Returns a note if no function uses the ledger.
pub async fn silent(stack: &Stack, now: Timestamp) -> Option<String> {
    match silence(&stack.ledger(), now).await {
        Ok(silence) => silence.map(|found| {
            format!(
                "{found}: the functions fail, their rules are disabled, or the stack has another \
                 table than {}; run `afterimage doctor`, and compare its parameter TableName",
                stack.table
            )
        }),
        Err(failure) => {
            Some(format!("cannot tell whether functions use this ledger: {}", chain(&failure)))
        }
    }
}
