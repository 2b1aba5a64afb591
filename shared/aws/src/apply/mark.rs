//! The counts of a round: in the witness before its first call, in the ledger after its last.

use afterimage_core::command::Explanation;
use afterimage_core::reason::{Code, Reason};
use afterimage_core::witness::Mark;
use afterimage_core::work::{Kind, Queue};

use super::Executor;
use crate::error::chain;
use crate::{Failure, log};

impl Executor<'_> {
    /// Writes a count. A worker that another was faster than begins nothing. A witness that cannot
    /// be written keeps nobody from beginning.
    pub(super) async fn mark(&mut self, mark: &Mark) -> Result<(), Failure> {
        let ledger = &self.aws.ledger;
        match mark {
            Mark::Begin { region, .. } => match ledger.mark(mark).await {
                Ok(true) => {}
                Ok(false) => {
                    self.is_outdone = true;
                    self.applied.no_lease = true;
                    self.taken.insert(Queue { region: region.clone(), kind: Kind::Snapshot });
                }
                Err(failure) => {
                    let reason = Reason::new(Code::WitnessUnreadable, chain(&failure));
                    log::explanation(&Explanation { about: region.to_string(), reason });
                }
            },
            Mark::End { .. } if self.is_outdone => {}
            Mark::End { .. } | Mark::Doubt { .. } | Mark::Settle { .. } => {
                ledger.mark(mark).await?;
            }
        }
        Ok(())
    }
}
