//! From kept back to owed: releasing what was held, owing again what nobody answered.

use chrono::{DateTime, Utc};

use crate::store::outbox::{DutyRecord, NewDuty};
use crate::store::schema::{cdrs, outbox};
use crate::store::value::micros;
use crate::store::{Store, StoreError, both, change};

impl Store {
    /// Releases a held CDR: from `now` on its eMSP sees it, its delivery word becomes `delivery`, and the duty is written down. `false`
    /// when it is not held any more.
    ///
    /// `frees_blocks_of`: a credit CDR frees the blocks of the CDR (cpo_key, cdr_key) it credits only now, when its payer hears of it.
    pub async fn cdr_release(
        &self,
        row_id: &str,
        now: DateTime<Utc>,
        duty: Option<NewDuty>,
        delivery: &str,
        frees_blocks_of: Option<(String, String)>,
    ) -> Result<bool, StoreError> {
        let (row_id, now, delivery) = (row_id.to_owned(), micros(now), delivery.to_owned());
        let duty = duty.map(DutyRecord::from);
        change!(self, release(row_id, now, duty, delivery, frees_blocks_of))
    }

    /// Owes a CDR that is `pending` and for which nothing is owed. `false` when either is not so.
    pub async fn cdr_owe(&self, row_id: &str, duty: NewDuty) -> Result<bool, StoreError> {
        let (row_id, duty) = (row_id.to_owned(), DutyRecord::from(duty));
        change!(self, owe(row_id, duty))
    }
}

both! {
    pub(super) async fn release(
        c: &mut Connection,
        row_id: &str,
        now: &i64,
        duty: &Option<DutyRecord>,
        delivery: &str,
        frees_blocks_of: &Option<(String, String)>,
    ) -> Result<bool, StoreError> {
        let held = || cdrs::table.filter(cdrs::id.eq(row_id)).filter(cdrs::delivery.eq("held"));
        let last_updated: Option<i64> = held().select(cdrs::last_updated).first(c).await.optional()?;
        let Some(last_updated) = last_updated else { return Ok(false) };
        let listed_at = last_updated.max(*now);
        let released = diesel::update(held())
            .set((cdrs::delivery.eq(delivery), cdrs::visible_at.eq(*now), cdrs::listed_at.eq(listed_at)))
            .execute(c)
            .await?;
        if released == 0 {
            return Ok(false);
        }
        if let Some(original) = frees_blocks_of {
            credits::free(c, row_id, original).await?;
        }
        if let Some(duty) = duty {
            diesel::insert_into(outbox::table).values(duty).execute(c).await?;
        }
        Ok(true)
    }

    /// The update changes nothing but locks the row: two repeats at once meet here, and the unique index sorts them out.
    pub(super) async fn owe(c: &mut Connection, row_id: &str, duty: &DutyRecord) -> Result<bool, StoreError> {
        let pending = cdrs::table.filter(cdrs::id.eq(row_id)).filter(cdrs::delivery.eq("pending"));
        if diesel::update(pending).set(cdrs::delivery.eq("pending")).execute(c).await? == 0 {
            return Ok(false);
        }
        Ok(diesel::insert_into(outbox::table).values(duty).on_conflict_do_nothing().execute(c).await? == 1)
    }
}
