//! The one commit: octets, verdict, duty, used blocks, journal — or nothing.

use super::{BlockClaim, BlockUse, NewCdr, Taken};
use crate::store::{Store, StoreError};

impl Store {
    /// Takes a CDR in one commit with everything that belongs to it. Repeating the call is safe: whoever lost the answer hears `New` again.
    pub async fn cdr_take(&self, new: NewCdr) -> Result<Taken, StoreError> {
        self.later(new)
    }

    /// Which of these blocks serve a CDR already. To be read before a verdict; the truth is what [`Store::cdr_take`] says.
    pub async fn blocks_used(&self, blocks: &[BlockClaim]) -> Result<Vec<BlockUse>, StoreError> {
        self.later(blocks)
    }
}
