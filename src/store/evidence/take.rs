//! The one commit: octets, verdict, duty, used blocks, journal — or nothing.
//!
//! It is tried without looking first. The unique indexes say whether the CDR is new and its blocks are free, to every process alike; only
//! when they say no do we read what they met.

use std::sync::Arc;

use super::records::{BlockRecord, CdrRecord, Take, read_whole_or_not};
use super::{BlockClaim, BlockUse, CdrRow, NewCdr, Taken};
use crate::store::schema::{cdrs, journal, octets, outbox, traces, unexamined, used_blocks, verdicts};
use crate::store::value::Weight;
use crate::store::{Engine, Store, StoreError, ask, both, change, sqlite as engine};

/// What stood in the way may be gone when we look for it: a block freed, a revision replaced. Then it is tried again, so often.
const TRIES: usize = 5;

impl Store {
    /// Takes a CDR in one commit with everything that belongs to it. Repeating the call is safe: whoever lost the answer hears `New` again.
    pub async fn cdr_take(&self, new: NewCdr) -> Result<Taken, StoreError> {
        let take = Arc::new(Take::new(new)?);
        let mut met = StoreError::Busy;
        for _ in 0..TRIES {
            match self.insert(take.clone()).await {
                Ok(()) => return Ok(Taken::New),
                Err(StoreError::Conflict(what)) => met = StoreError::Conflict(what),
                Err(fault) => return Err(fault),
            }
            if let Some(why) = self.why_not_taken(take.clone()).await? {
                return Ok(why);
            }
        }
        Err(met)
    }

    /// Which of these blocks serve a CDR already. To be read before a verdict; the truth is what [`Store::cdr_take`] says.
    pub async fn blocks_used(&self, blocks: &[BlockClaim]) -> Result<Vec<BlockUse>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let digests: Vec<String> = blocks.iter().map(|block| block.digest.clone()).collect();
        let mut used = ask!(self, used(digests))?;
        used.retain(|used| {
            blocks
                .iter()
                .any(|block| block.digest == used.digest && block.fingerprint == used.fingerprint)
        });
        Ok(used.into_iter().map(BlockRecord::read).collect())
    }

    async fn insert(&self, take: Arc<Take>) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(db) => {
                db.change(take.weight(), move |c| engine::now(sqlite::insert(c, &take)))
                    .await
            }
            // What only adds rows shares a statement with others; what also changes some has a transaction of its own.
            Engine::Postgres(db) if take.only_adds() => db.take(take).await,
            Engine::Postgres(_) => change!(self, insert(take)),
        }
    }

    /// What a take met. `None` when it is not there any more.
    async fn why_not_taken(&self, take: Arc<Take>) -> Result<Option<Taken>, StoreError> {
        let (cpo_key, cdr_key) = (take.cdr.cpo_key.clone(), take.cdr.cdr_key.clone());
        if let Some(known) = ask!(self, newest(cpo_key, cdr_key))? {
            let known: CdrRow = read_whole_or_not(known)?;
            if known.id == take.cdr.id {
                // Our own: the commit was made and its answer lost.
                return Ok(Some(Taken::New));
            }
            if !(take.replaces_rejected == Some(known.revision) && known.delivery == "rejected") {
                return Ok(Some(Taken::Known(Box::new(known))));
            }
        }
        let claims: Vec<BlockClaim> = take
            .blocks
            .iter()
            .map(|block| BlockClaim {
                digest: block.digest.clone(),
                fingerprint: block.fingerprint.clone(),
            })
            .collect();
        let mut used = self.blocks_used(&claims).await?;
        if let Some((cpo_key, cdr_key)) = &take.frees_blocks_of {
            used.retain(|used| !(used.cpo_key == *cpo_key && used.cdr_key == *cdr_key));
        }
        Ok((!used.is_empty()).then_some(Taken::BlocksUsed(used)))
    }
}

both! {
    pub(in crate::store) async fn insert(c: &mut Connection, take: &Take) -> Result<(), StoreError> {
        let revisions_of = |cpo_key, cdr_key| cdrs::table.filter(cdrs::cpo_key.eq(cpo_key)).filter(cdrs::cdr_key.eq(cdr_key));
        if let Some(revision) = take.replaces_rejected {
            let rejected = revisions_of(&take.cdr.cpo_key, &take.cdr.cdr_key)
                .filter(cdrs::revision.eq(revision))
                .filter(cdrs::delivery.eq("rejected"));
            // Pages show the newest revision only.
            if diesel::update(rejected).set(cdrs::listed_at.eq(None::<i64>)).execute(c).await? == 0 {
                return Err(StoreError::Conflict(format!("revision {revision} is not a rejected one")));
            }
        }
        if let Some(original) = &take.frees_blocks_of {
            credits::free(c, &take.cdr.id, original).await?;
        }
        diesel::insert_into(cdrs::table).values(&take.cdr).execute(c).await?;
        diesel::insert_into(octets::table).values(&take.octets).execute(c).await?;
        diesel::insert_into(verdicts::table).values(&take.verdict).execute(c).await?;
        for block in &take.blocks {
            diesel::insert_into(used_blocks::table).values(block).execute(c).await?;
        }
        if let Some(duty) = &take.duty {
            diesel::insert_into(outbox::table).values(duty).execute(c).await?;
        }
        for trace in &take.traces {
            diesel::insert_into(traces::table).values(trace).execute(c).await?;
        }
        diesel::insert_into(unexamined::table).values(&take.unexamined).execute(c).await?;
        if let Some((duty, notice)) = &take.notice {
            telling::owe(c, duty, notice).await?;
        }
        diesel::insert_into(journal::table).values(&take.journal).execute(c).await?;
        Ok(())
    }

    pub(super) async fn newest(
        c: &mut Connection,
        cpo_key: &str,
        cdr_key: &str,
    ) -> Result<Option<(CdrRecord, Option<String>)>, StoreError> {
        Ok(cdrs::table
            .left_join(octets::table)
            .filter(cdrs::cpo_key.eq(cpo_key))
            .filter(cdrs::cdr_key.eq(cdr_key))
            .order(cdrs::revision.desc())
            .select((CdrRecord::as_select(), octets::body.nullable()))
            .first(c)
            .await
            .optional()?)
    }

    /// The key of the table begins with the digest, so this reads no more than it returns, give or take a key.
    pub(super) async fn used(c: &mut Connection, digests: &[String]) -> Result<Vec<BlockRecord>, StoreError> {
        let query = used_blocks::table.filter(used_blocks::digest.eq_any(digests)).select(BlockRecord::as_select());
        Ok(query.order((used_blocks::digest, used_blocks::fingerprint)).load(c).await?)
    }
}
