//! What the hub knows by itself: objects that were pushed to everybody, or fetched from their owners, kept for whoever asks the hub.
//!
//! A push to everybody is held against the grammar, merged with what is here ([`intake`], [`parents`]) and committed together with
//! the copies it causes; its sender is answered then, and waits for no receiver. What data owners offer is fetched after a
//! registration and after an absence ([`pull`]). Lists are pages of the order in which objects came to be known ([`list`]).
//!
//! The rule all follows from: **what is here is somebody else's.** Octets stay as their owner wrote them, `last_updated` is never
//! ours to change (T-48): where a part of a location is pushed, the timestamps above it become the pushed one (LOC-08), and that is all.
//! What was addressed to one party is never kept for others; sessions are kept for the one who pays, if at all (N-07).
//!
//! Nothing here decides who may see whom (see [`crate::routing::audience`]) or speaks HTTP. Start with [`intake::Push`].

pub mod intake;
pub mod list;
pub mod named;
pub mod parents;
pub mod pull;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::delivery::copy::Copies;
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::{SESSIONS, TOKENS};
use crate::parties::{Fault, Parties};
use crate::store::Store;
use named::Named;

/// What the hub knows by itself.
pub struct Mirror {
    store: Store,
    parties: Arc<Parties>,
    copies: Arc<Copies>,
    clock: SharedClock,
    settings: MirrorSettings,
}

/// What this room needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    /// Whether sessions are kept for their eMSP's lists (N-07).
    pub sessions: bool,
    /// How long after a pull the next one follows, give or take a tenth (T-36).
    pub pull_interval: Duration,
    /// How long one page may take.
    pub page: Duration,
}

impl Mirror {
    /// The mirror of one process.
    #[must_use]
    pub fn new(
        store: Store,
        parties: Arc<Parties>,
        copies: Arc<Copies>,
        clock: SharedClock,
        settings: MirrorSettings,
    ) -> Arc<Mirror> {
        Arc::new(Mirror {
            store,
            parties,
            copies,
            clock,
            settings,
        })
    }

    /// Everybody who owns an object of that id, as far as the hub knows; for tokens, of the type RFID (D-20).
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn owners_of(&self, module: &str, object_id: &str) -> Result<Vec<PartyId>, Fault> {
        let kind = (module == TOKENS.identifier).then_some("RFID");
        match Named::key(object_id, kind) {
            Some(key) => self.owners(module, &key).await,
            None => Ok(Vec::new()),
        }
    }

    /// Everybody who issued a token of that uid and type, as far as the hub knows (TOK-16).
    ///
    /// # Errors
    /// As [`Mirror::owners_of`].
    pub async fn owners_of_token(&self, uid: &str, token_type: &str) -> Result<Vec<PartyId>, Fault> {
        match Named::key(uid, Some(token_type)) {
            Some(key) => self.owners(TOKENS.identifier, &key).await,
            None => Ok(Vec::new()),
        }
    }

    /// For whom a session is kept, as `DE/MSA`: the party of its token, as last told. `None` where it is not kept.
    ///
    /// # Errors
    /// As [`Mirror::owners_of`].
    pub async fn payer_of(&self, cpo: &PartyId, session_id: &str) -> Result<Option<String>, Fault> {
        let Some(key) = Named::key(session_id, None).filter(|_| self.settings.sessions) else {
            return Ok(None);
        };
        let kept = self.store.mirror_get(SESSIONS.identifier, &cpo.key(), &key).await;
        let kept = kept.map_err(|error| Fault::new("asking who pays for a session", error))?;
        Ok(kept.filter(|row| row.deleted_at.is_none()).map(|row| row.shelf))
    }

    /// A session that is kept: the party of its token as `DE/MSA`, as last told, and its octets.
    ///
    /// # Errors
    /// As [`Mirror::owners_of`].
    pub async fn session_of(&self, cpo: &PartyId, session_id: &str) -> Result<Option<(String, String)>, Fault> {
        let Some(key) = Named::key(session_id, None).filter(|_| self.settings.sessions) else {
            return Ok(None);
        };
        let kept = self.store.mirror_get(SESSIONS.identifier, &cpo.key(), &key).await;
        let kept = kept.map_err(|error| Fault::new("reading a session", error))?;
        Ok(kept
            .filter(|row| row.deleted_at.is_none())
            .map(|row| (row.shelf, row.body)))
    }

    async fn owners(&self, module: &str, key: &str) -> Result<Vec<PartyId>, Fault> {
        let found = self.store.mirror_find(module, key, MANY).await;
        let found = found.map_err(|error| Fault::new("asking who owns an object", error))?;
        let party = |row: &crate::store::MirrorRow| PartyId::new(&row.country_code, &row.party_id).ok();
        Ok(found.iter().filter_map(party).collect())
    }
}

/// More owners of one id than anybody would be asked.
const MANY: u32 = 50;
