//! DynamoDB, by dynoxide: one database per account and region, in memory, on the world's clock.
//!
//! dynoxide is DynamoDB's data plane: items, conditions, expressions, transactions, indexes. What
//! it takes from the machine it runs on (the time, random ids, an account of its own in ARNs) is
//! replaced here, so that the same seed gives the same answers:
//!
//! - descriptions of tables carry our own ids, times and ARNs ([`tables`]);
//! - client request tokens are remembered here, on virtual time, and never reach dynoxide
//!   ([`tokens`]);
//! - global secondary indexes can lag behind their table ([`shadow`]);
//! - expired items are deleted by the world, some time after, in sweeps ([`ttl`]).

pub mod answer;
mod items;
mod plain;
mod read;
mod shadow;
pub(crate) mod state;
mod tables;
mod tokens;
mod ttl;
mod wants;

use crate::kernel::scope::Scope;

/// The ARN of a table, or of what belongs to one (`NAME/index/INDEX`).
pub fn table_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:dynamodb:{}:{}:table/{name}", scope.region, scope.account)
}
