//! The table of the ledger: there, readable, and as old as its witness says.

use afterimage_aws::{Failure, Ledger};
use afterimage_core::flow::{InForce, went_back};
use afterimage_core::ids::AccountId;
use afterimage_core::witness::Testimony;
use jiff::Timestamp;

use super::line::{Line, answer, or_ok, why};
use crate::right_table;
use crate::stack::Stack;
use crate::text::minute;

const TABLE: &str = "table";
const IDENTITY: &str = "identity";
const FORMAT: &str = "format";

/// Facts about the table that other checks need.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub is_missing: bool,
    /// The account of the table, which is that of the credentials.
    pub account: Option<AccountId>,
}

/// Looks at the table.
pub async fn table(stack: &Stack, ledger: &Ledger) -> (Vec<Line>, Table) {
    let Stack { table: name, region, .. } = stack;
    let described = match ledger.describe().await {
        Ok(described) => described,
        Err(failure) if failure.is_table_missing() => {
            let found = format!("table {name} does not exist in {region}");
            let to_do = "name the stack with --table and --region, or deploy one with \
                         infra/template.yaml";
            let table = Table { is_missing: true, account: None };
            return (vec![Line::fail(TABLE, found, to_do)], table);
        }
        Err(failure) => {
            let found = format!("cannot describe table {name}: {}", why(&failure));
            let to_do = "allow these credentials dynamodb:DescribeTable on the table";
            return (vec![Line::not_made(TABLE, found, to_do)], Table::default());
        }
    };
    let account = described.account();
    let place = account.as_ref().map(|account| format!(" in account {account}"));
    let place = place.unwrap_or_default();
    let mut lines = Vec::new();
    if !described.is_active() {
        let found = format!("table {name}{place} is {}", described.status);
        let to_do = "wait until the table is ACTIVE; no function works until then";
        lines.push(Line::fail(TABLE, found, to_do));
    }
    let indexes = described.unusable_indexes();
    if !indexes.is_empty() {
        let found = format!("table {name}{place} lacks an index: {}", indexes.join(", "));
        let to_do = "deploy infra/template.yaml of this version; an index that is being made needs \
                     some minutes";
        lines.push(Line::fail(TABLE, found, to_do));
    }
    let lines = or_ok(lines, TABLE, format!("{name}{place} is there, with its indexes"));
    (lines, Table { is_missing: false, account })
}

/// Reads the policies in force.
///
/// # Errors
/// The ledger cannot be read, or a newer version has written it; the line says so.
pub async fn in_force(stack: &Stack, ledger: &Ledger) -> Result<InForce, Line> {
    match answer(async { Ok(ledger.in_force().await) }).await {
        Ok(Ok(in_force)) => Ok(in_force),
        Ok(Err(failure @ Failure::Format { .. })) => {
            let to_do = "use the command of the version that wrote it; if the functions are of an \
                         earlier one, deploy that version again: they do nothing until then";
            Err(Line::fail(FORMAT, failure.to_string(), to_do))
        }
        Ok(Err(failure)) => Err(unreadable(stack, &why(&failure))),
        Err(why) => Err(unreadable(stack, &why.to_string())),
    }
}

/// Tells that the ledger cannot be read.
fn unreadable(stack: &Stack, why: &str) -> Line {
    let endpoint = stack.config.endpoint_url().map(|url| format!(" at {url}")).unwrap_or_default();
    let found = format!("{why} (called: {}{endpoint}); nothing else is known", stack.region);
    let to_do = "allow these credentials dynamodb:Query on the table and its indexes, or look if \
                 AWS can be reached from here";
    Line::failed_to_look(TABLE, found, to_do)
}

/// Looks if an empty ledger is a new one.
async fn strange(stack: &Stack, in_force: &InForce) -> Option<Line> {
    match answer(right_table::strange(stack, in_force)).await {
        Ok(found) => found.map(|found| Line::fail(IDENTITY, found, right_table::EMPTY_ADVICE)),
        Err(why) => {
            let found = format!("cannot tell if images exist that the ledger does not know: {why}");
            let to_do =
                why.to_do("allow these credentials ec2:DescribeRegions and ec2:DescribeImages");
            Some(Line::not_made(IDENTITY, found, to_do))
        }
    }
}

/// Looks if the ledger is as old as its witness says, and an empty one is a new one.
pub async fn identity(
    stack: &Stack,
    ledger: &Ledger,
    in_force: &InForce,
    now: Timestamp,
) -> Vec<Line> {
    let testimony = answer(async { Ok(ledger.testimony().await) }).await;
    let testimony = match testimony.map_err(|why| why.to_string()) {
        Ok(Testimony::Unreadable(why)) | Err(why) => {
            let found = format!("cannot tell if the ledger was put back to an earlier time: {why}");
            let to_do = "allow these credentials dynamodb:Query on the table of the witness; if it \
                         does not exist, deploy infra/template.yaml again";
            return vec![Line::not_made(IDENTITY, found, to_do)];
        }
        Ok(testimony) => testimony,
    };
    let mut lines: Vec<Line> = strange(stack, in_force).await.into_iter().collect();
    for (region, doubt) in went_back::doubts(in_force, &testimony, now) {
        if doubt.is_behind {
            let known = in_force.identities.get(&region).map_or(0, |known| known.count);
            let found = format!(
                "the ledger was put back to an earlier time, or is empty: it knows {known} of {} \
                 rounds of work in {region}",
                doubt.count
            );
            let to_do = "run `afterimage rebuild`; the functions look for it by themselves too, as \
                         far as the regions of policies go";
            lines.push(Line::fail(IDENTITY, found, to_do));
        } else if let Some(since) = doubt.since {
            let found = format!(
                "the functions look for what the ledger does not know of {region} since {} UTC",
                minute(since)
            );
            let to_do = "wait for an hour; if this line stays, run `afterimage rebuild`";
            lines.push(Line::warn(IDENTITY, found, to_do));
        }
    }
    or_ok(lines, IDENTITY, "the ledger is as new as its witness says")
}
