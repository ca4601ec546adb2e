//! What a credit CDR frees, and gives back when its payer refuses it (design 3.5, "Replay").
//!
//! Freed blocks are not forgotten: they stay under a fingerprint that no key has, in the name of the credit CDR, until it is
//! clear that the credit stands. No one else finds them there, so they are as free as if they were gone.

use super::records::BlockRecord;
use crate::store::schema::{cdrs, used_blocks};
use crate::store::{Store, StoreError, ask, both};

/// What the fingerprint of a freed block begins with; a real one is hex.
const FREED: &str = "freed by ";

impl Store {
    /// Whether a credit CDR for this CDR (a row id) was taken, for the same eMSP, and is neither held nor rejected.
    pub async fn cdr_is_credited(&self, row_id: &str) -> Result<bool, StoreError> {
        let row_id = row_id.to_owned();
        Ok(ask!(self, credit_of(row_id))?.is_some())
    }
}

both! {
    /// The blocks of a CDR (cpo_key, cdr_key) are free from now on, by this credit.
    pub(in crate::store) async fn free(
        c: &mut Connection,
        credit: &str,
        (cpo_key, cdr_key): &(String, String),
    ) -> Result<(), StoreError> {
        let revisions = cdrs::table.filter(cdrs::cpo_key.eq(cpo_key)).filter(cdrs::cdr_key.eq(cdr_key));
        let used = used_blocks::table.filter(used_blocks::cdr.eq_any(revisions.select(cdrs::id)));
        let used: Vec<BlockRecord> = used.select(BlockRecord::as_select()).load(c).await?;
        for block in used.iter().filter(|block| !block.fingerprint.starts_with(FREED)) {
            let block_row = used_blocks::table
                .filter(used_blocks::digest.eq(&block.digest))
                .filter(used_blocks::fingerprint.eq(&block.fingerprint));
            let kept = (
                used_blocks::fingerprint.eq(format!("{FREED}{credit} {}", block.fingerprint)),
                used_blocks::cdr.eq(credit),
            );
            diesel::update(block_row).set(kept).execute(c).await?;
        }
        Ok(())
    }

    /// A CDR was rejected: it uses nothing any more, and what it freed as a credit serves the original again. Not what somebody
    /// else uses by now, nor when the original itself was rejected; and when another credit of it stands, that one frees it.
    pub(in crate::store) async fn give_back(c: &mut Connection, rejected: &str) -> Result<(), StoreError> {
        let its_own = || used_blocks::table.filter(used_blocks::cdr.eq(rejected));
        let blocks: Vec<BlockRecord> = its_own().select(BlockRecord::as_select()).load(c).await?;
        diesel::delete(its_own()).execute(c).await?;
        let prefix = format!("{FREED}{rejected} ");
        for mut block in blocks {
            let Some(fingerprint) = block.fingerprint.strip_prefix(&prefix).map(str::to_owned) else { continue };
            let original: Option<String> = cdrs::table
                .filter(cdrs::cpo_key.eq(&block.cpo_key))
                .filter(cdrs::cdr_key.eq(&block.cdr_key))
                .filter(cdrs::delivery.ne("rejected"))
                .order(cdrs::revision.desc())
                .select(cdrs::id)
                .first(c)
                .await
                .optional()?;
            let Some(original) = original else { continue };
            if let Some(credit) = credit_of(c, &original).await? {
                block.fingerprint = format!("{FREED}{credit} {fingerprint}");
                block.cdr = credit;
            } else {
                block.fingerprint = fingerprint;
                block.cdr = original;
            }
            diesel::insert_into(used_blocks::table).values(&block).on_conflict_do_nothing().execute(c).await?;
        }
        Ok(())
    }

    /// The credit CDR of a CDR: a later one of the same CPO for the same eMSP. What is held is not taken yet in the eyes of its
    /// payer. No index leads here: it is asked at a rejection and at a second look, never on the way in.
    pub(in crate::store) async fn credit_of(c: &mut Connection, row_id: &str) -> Result<Option<String>, StoreError> {
        let names = (cdrs::cpo_key, cdrs::cdr_key, cdrs::emsp_key);
        let original: Option<(String, String, String)> =
            cdrs::table.filter(cdrs::id.eq(row_id)).select(names).first(c).await.optional()?;
        let Some((cpo_key, cdr_key, emsp_key)) = original else { return Ok(None) };
        Ok(cdrs::table
            .filter(cdrs::cpo_key.eq(cpo_key))
            .filter(cdrs::credit_reference.eq(cdr_key))
            .filter(cdrs::emsp_key.eq(emsp_key))
            .filter(cdrs::id.gt(row_id))
            .filter(cdrs::delivery.ne_all(["rejected", "held"]))
            .select(cdrs::id)
            .first(c)
            .await
            .optional()?)
    }
}
