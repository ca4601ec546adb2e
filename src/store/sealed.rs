//! What partners entrusted to us and we have to show again, and our own signing seed: kept closed, so that a copy of the database opens
//! nothing.
//!
//! AES-256-GCM with a nonce of its own each time; the place a secret was written to is bound to it, so that one moved to another row is
//! not opened there. The keys come from the configuration and never into the database: there only stands which of them closed what.
//! [`Store::settle_secrets`] brings everything under the newest key, whatever it was written by; nothing is changed when one cannot be
//! opened.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diesel::{Insertable, Queryable, Selectable};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::schema::{platforms, registry_signer, secret_keys};
use super::{Engine, Store, StoreError, ask, both, change};

/// The keys that secrets are kept under.
pub struct Keyring {
    current: SecretKey,
    others: Vec<SecretKey>,
}

struct SecretKey {
    /// Which key it is, without saying anything about it: the first 8 bytes of a hash of it, in hex.
    id: String,
    key: RandomizedNonceKey,
}

/// The bytes are no key: there must be 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key of [secrets] must be 32 bytes")]
pub struct BadKey;

/// Why secrets could not be brought under the key.
#[derive(Debug, Error)]
pub enum NotSettled {
    /// They were closed with a key that is not among ours. Nothing was changed.
    #[error(
        "what is kept {place} was closed with the key {key}, which is neither secrets.key nor one of secrets.previous_keys"
    )]
    WrongKey {
        /// Where it stands.
        place: String,
        /// The id of the key it was closed with.
        key: String,
    },
    /// The database.
    #[error("the secrets in the database cannot be read or written")]
    Store(#[from] StoreError),
}

/// What was brought under the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettledSecrets {
    /// Secrets that stood there as they are.
    pub closed: u64,
    /// Secrets that another key had closed.
    pub reclosed: u64,
}

/// What a closed secret begins with: no token of the time before, which was one of hexadecimal digits, and no seed looks like that.
const BEGINS: &str = "sealed.";

/// What is closed to prove that a key is the right one.
const KNOWN: &str = "truewatt";
const IN_USE: &str = "in use";

const OF_PROOF: &str = "secret_keys/proof";
pub(super) const OF_SEED: &str = "registry_signer/seed";

/// The place of a platform's token.
pub(super) fn of_platform(id: &str) -> String {
    format!("platforms/{id}/token")
}

/// A secret that no key of ours opens at the place where it stands.
struct Shut {
    key: String,
}

impl Keyring {
    /// Closes with `current`, and opens with any.
    ///
    /// # Errors
    /// [`BadKey`] unless each has 32 bytes.
    pub fn new(current: &[u8], others: &[Vec<u8>]) -> Result<Keyring, BadKey> {
        Ok(Keyring {
            current: SecretKey::new(current)?,
            others: others.iter().map(|key| SecretKey::new(key)).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn close(&self, place: &str, secret: &str) -> Result<String, StoreError> {
        let mut octets = secret.as_bytes().to_vec();
        let nonce = self.current.key.seal_in_place_append_tag(Aad::from(place), &mut octets);
        let nonce = nonce.map_err(|_| StoreError::corrupt("a secret could not be closed"))?;
        let closed = STANDARD.encode([nonce.as_ref().as_slice(), &octets].concat());
        Ok(format!("{BEGINS}{}.{closed}", self.current.id))
    }

    fn open(&self, place: &str, closed: &str) -> Result<String, Shut> {
        let id = key_of(closed);
        let shut = || Shut { key: id.to_owned() };
        let key = std::iter::once(&self.current)
            .chain(&self.others)
            .find(|key| key.id == id);
        let octets = closed.rsplit('.').next().and_then(|text| STANDARD.decode(text).ok());
        let (key, mut octets) = key.zip(octets).ok_or_else(shut)?;
        let (nonce, inside) = octets.split_at_mut_checked(12).ok_or_else(shut)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| shut())?;
        let opened = key
            .key
            .open_in_place(nonce, Aad::from(place), inside)
            .map_err(|_| shut())?;
        String::from_utf8(opened.to_vec()).map_err(|_| shut())
    }

    fn is_current(&self, closed: &str) -> bool {
        key_of(closed) == self.current.id
    }
}

impl SecretKey {
    fn new(bytes: &[u8]) -> Result<SecretKey, BadKey> {
        let id = Sha256::new_with_prefix(b"truewatt key of secrets")
            .chain_update(bytes)
            .finalize();
        let id = hex::encode(id.get(..8).unwrap_or_default());
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| BadKey)?;
        Ok(SecretKey { id, key })
    }
}

// By hand: which keys they are, and nothing of them.
impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<&str> = self.others.iter().map(|key| key.id.as_str()).collect();
        write!(out, "Keyring({}, {others:?})", self.current.id)
    }
}

fn is_closed(text: &str) -> bool {
    text.starts_with(BEGINS)
}

fn key_of(closed: &str) -> &str {
    closed.split('.').nth(1).unwrap_or_default()
}

impl Store {
    /// The same database, with secrets kept under these keys. Without keys they stand there as they are.
    #[must_use]
    pub fn keeping_secrets_under(self, keys: Arc<Keyring>) -> Store {
        Store {
            keys: Some(keys),
            ..self
        }
    }

    /// Whether something is closed, so that it takes a key to read it.
    pub async fn has_closed_secrets(&self) -> Result<bool, StoreError> {
        Ok(ask!(self, proof())?.is_some())
    }

    /// Brings every secret under the current key: those of the time before keys, and those that a previous key closed. Everything or, when
    /// one of them cannot be opened, nothing. Without keys there is nothing to do.
    ///
    /// # Errors
    /// [`NotSettled`].
    pub async fn settle_secrets(&self) -> Result<SettledSecrets, NotSettled> {
        let Some(keys) = self.keys.clone() else {
            return Ok(SettledSecrets::default());
        };
        let settled = match self.settle(keys.clone()).await {
            // Another process did the same in this very moment.
            Err(StoreError::Conflict(_)) => self.settle(keys).await?,
            settled => settled?,
        };
        let settled = settled?;
        if settled.closed > 0 {
            self.wipe().await?;
        }
        Ok(settled)
    }

    async fn settle(&self, keys: Arc<Keyring>) -> Result<Result<SettledSecrets, NotSettled>, StoreError> {
        let settled: Result<SettledSecrets, (String, String)> = change!(self, settle(keys))?;
        Ok(settled.map_err(|(place, key)| NotSettled::WrongKey { place, key }))
    }

    /// What stood there before a row was written again is not shown any more and still in the file: until it is cleaned up.
    async fn wipe(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(db) => {
                db.alone(|c| {
                    use diesel::connection::SimpleConnection as _;
                    Ok(c.batch_execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?)
                })
                .await
            }
            Engine::Postgres(db) => {
                use diesel_async::SimpleAsyncConnection as _;
                let mut c = db.connection().await?;
                for table in ["platforms", "registry_signer"] {
                    c.batch_execute(&format!("VACUUM {table}")).await?;
                }
                Ok(())
            }
        }
    }

    /// A secret as it is kept.
    pub(super) fn closed(&self, place: &str, secret: &str) -> Result<String, StoreError> {
        match &self.keys {
            Some(keys) => keys.close(place, secret),
            None => Ok(secret.to_owned()),
        }
    }

    /// A secret as it was given.
    pub(super) fn opened(&self, place: &str, kept: String) -> Result<String, StoreError> {
        if !is_closed(&kept) {
            return Ok(kept);
        }
        let opened = match &self.keys {
            Some(keys) => keys.open(place, &kept),
            None => Err(Shut {
                key: key_of(&kept).to_owned(),
            }),
        };
        opened.map_err(|shut| {
            StoreError::corrupt(format!(
                "{place} is closed with the key {}, which does not open it",
                shut.key
            ))
        })
    }

    /// Whether secrets are closed.
    pub(super) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }
}

#[derive(Insertable)]
#[diesel(table_name = secret_keys)]
struct ProofRecord {
    name: &'static str,
    proof: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = platforms)]
struct TokenRecord {
    id: String,
    token_out: Option<String>,
    token_sealed: Option<String>,
}

both! {
    pub(super) async fn proof(c: &mut Connection) -> Result<Option<String>, StoreError> {
        let query = secret_keys::table.filter(secret_keys::name.eq(IN_USE)).select(secret_keys::proof);
        Ok(query.first(c).await.optional()?)
    }

    /// The inner error is the place of a secret that is shut, and the key that shut it. It is found before anything is written.
    pub(super) async fn settle(
        c: &mut Connection,
        keys: &Arc<Keyring>,
    ) -> Result<Result<SettledSecrets, (String, String)>, StoreError> {
        let mut settled = SettledSecrets::default();
        let proof = proof(c).await?;
        if let Some(proof) = &proof && let Err(shut) = keys.open(OF_PROOF, proof) {
            return Ok(Err(("in this database".to_owned(), shut.key)));
        }
        let rows: Vec<TokenRecord> = platforms::table.select(TokenRecord::as_select()).load(c).await?;
        let mut tokens = Vec::new();
        for row in rows {
            let place = of_platform(&row.id);
            let secret = match (row.token_out, row.token_sealed) {
                // Written by a program that knew no keys, and so after whatever was closed before.
                (Some(plain), _) => {
                    settled.closed += 1;
                    plain
                }
                (None, Some(closed)) if !keys.is_current(&closed) => match keys.open(&place, &closed) {
                    Ok(secret) => {
                        settled.reclosed += 1;
                        secret
                    }
                    Err(shut) => return Ok(Err((format!("at {place}"), shut.key))),
                },
                (None, Some(closed)) => match keys.open(&place, &closed) {
                    Ok(_) => continue,
                    Err(shut) => return Ok(Err((format!("at {place}"), shut.key))),
                },
                (None, None) => continue,
            };
            tokens.push((row.id, keys.close(&place, &secret)?));
        }
        let seed: Option<String> = registry_signer::table.select(registry_signer::seed).first(c).await.optional()?;
        let seed = match seed {
            Some(plain) if !is_closed(&plain) => {
                settled.closed += 1;
                Some(keys.close(OF_SEED, &plain)?)
            }
            Some(closed) => match keys.open(OF_SEED, &closed) {
                Ok(_) if keys.is_current(&closed) => None,
                Ok(secret) => {
                    settled.reclosed += 1;
                    Some(keys.close(OF_SEED, &secret)?)
                }
                Err(shut) => return Ok(Err((format!("at {OF_SEED}"), shut.key))),
            },
            None => None,
        };

        match &proof {
            Some(proof) if keys.is_current(proof) => {}
            Some(_) => {
                let proof = keys.close(OF_PROOF, KNOWN)?;
                diesel::update(secret_keys::table.filter(secret_keys::name.eq(IN_USE)))
                    .set(secret_keys::proof.eq(proof))
                    .execute(c)
                    .await?;
            }
            None => {
                let record = ProofRecord { name: IN_USE, proof: keys.close(OF_PROOF, KNOWN)? };
                diesel::insert_into(secret_keys::table).values(&record).execute(c).await?;
            }
        }
        for (id, closed) in tokens {
            diesel::update(platforms::table.filter(platforms::id.eq(id)))
                .set((platforms::token_out.eq(None::<String>), platforms::token_sealed.eq(Some(closed))))
                .execute(c)
                .await?;
        }
        if let Some(seed) = seed {
            diesel::update(registry_signer::table).set(registry_signer::seed.eq(seed)).execute(c).await?;
        }
        Ok(Ok(settled))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ring(current: u8, others: &[u8]) -> Keyring {
        let others: Vec<_> = others.iter().map(|byte| vec![*byte; 32]).collect();
        Keyring::new(&[current; 32], &others).unwrap()
    }

    #[test]
    fn a_secret_is_opened_where_it_was_closed_and_nowhere_else() {
        let keys = ring(1, &[]);
        let closed = keys.close("platforms/p1/token", "hunter2").unwrap();
        assert_eq!(
            keys.open("platforms/p1/token", &closed).ok().as_deref(),
            Some("hunter2")
        );
        assert!(keys.open("platforms/p2/token", &closed).is_err());
        assert!(ring(2, &[]).open("platforms/p1/token", &closed).is_err());
        assert_ne!(
            closed,
            keys.close("platforms/p1/token", "hunter2").unwrap(),
            "each time another nonce"
        );
        assert!(!closed.contains("hunter2") && !closed.contains(&STANDARD.encode("hunter2")));
    }

    #[test]
    fn a_previous_key_opens_and_the_current_one_closes() {
        let closed = ring(1, &[]).close("here", "hunter2").unwrap();
        let keys = ring(2, &[1]);
        assert_eq!(keys.open("here", &closed).ok().as_deref(), Some("hunter2"));
        assert!(!keys.is_current(&closed) && keys.is_current(&keys.close("here", "hunter2").unwrap()));
    }

    #[test]
    fn one_changed_octet_is_noticed_and_nonsense_is_shut() {
        let keys = ring(1, &[]);
        let closed = keys.close("here", "hunter2").unwrap();
        for at in 0..closed.len() {
            let mut octets = closed.clone().into_bytes();
            octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(octets).unwrap();
            assert!(!is_closed(&changed) || keys.open("here", &changed).is_err(), "{at}");
        }
        for nonsense in ["sealed.", "sealed..", "sealed.x.AAAA", "sealed", ""] {
            assert!(keys.open("here", nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn a_key_has_32_bytes_and_is_not_shown() {
        assert_eq!(Keyring::new(&[1; 31], &[]).err(), Some(BadKey));
        assert_eq!(Keyring::new(&[1; 32], &[vec![1; 33]]).err(), Some(BadKey));
        let shown = format!("{:?}", ring(1, &[2]));
        assert!(
            shown.starts_with("Keyring(") && !shown.contains("1, 1") && shown.len() < 60,
            "{shown}"
        );
    }
}
