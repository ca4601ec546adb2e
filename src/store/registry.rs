//! Registered meter keys. Rows are only added and deactivated, never changed or removed.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::{key_changes, keys, revisions};
use super::value::{instant, later, micros, page};
use super::{Store, StoreError, ask, both, change};

/// A key, and the meter, EVSE, operator and time it is registered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Client-made id (UUIDv7).
    pub id: String,
    /// SHA-256 of the SPKI in hex.
    pub fingerprint: String,
    /// The curve by its OCMF name.
    pub curve: String,
    /// The key itself: SPKI in hex.
    pub spki_hex: String,
    /// Serial number of the meter.
    pub meter_serial: String,
    /// Serial number of the gateway that signs for it, if there is one.
    pub gateway_serial: Option<String>,
    /// The EVSE the meter belongs to.
    pub evse_id: String,
    /// Its OCPI uid, where the operator gave one.
    pub evse_uid: Option<String>,
    /// The CPO as `DE/ABC`, upper case.
    pub cpo_key: String,
    /// From this instant on, inclusive.
    pub valid_from: DateTime<Utc>,
    /// Until this instant, exclusive; `None` is open.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether the EVSE is under calibration law: its CDRs must bring signed data.
    pub calibrated: bool,
    /// `ACTIVE` or `DEACTIVATED`.
    pub state: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was deactivated.
    pub deactivated_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Registers a key. When an active row says exactly the same, that one is returned and nothing is written (PC-09).
    pub async fn key_register(&self, key: KeyRow) -> Result<KeyRow, StoreError> {
        let record = KeyRecord::new(key)?;
        let kept = self.register(record.clone()).await;
        match kept {
            // Somebody registered the same in this very moment: now it is there to be found.
            Err(StoreError::Conflict(_)) => self.register(record).await?.read(),
            kept => kept?.read(),
        }
    }

    async fn register(&self, record: KeyRecord) -> Result<KeyRecord, StoreError> {
        change!(self, register(record))
    }

    /// Keys in the order of their registration, after `cursor` (a key id), and where to go on.
    pub async fn key_list(
        &self,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<KeyRow>, Option<String>), StoreError> {
        let after = cursor.unwrap_or_default().to_owned();
        let rows = i64::from(limit) + 1;
        let (records, next) = page(ask!(self, list(after, rows))?, limit, |record| &record.id);
        Ok((
            records.into_iter().map(KeyRecord::read).collect::<Result<_, _>>()?,
            next,
        ))
    }

    /// One key.
    pub async fn key_get(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        let id = id.to_owned();
        ask!(self, get(id))?.map(KeyRecord::read).transpose()
    }

    /// Deactivates a key and returns it as it is then. Deactivating it again changes nothing.
    pub async fn key_deactivate(&self, id: &str, at: DateTime<Utc>) -> Result<KeyRow, StoreError> {
        let (id, at) = (id.to_owned(), micros(at));
        change!(self, deactivate(id, at))?.read()
    }

    /// Every key there ever was, for the index in memory.
    pub async fn keys_all(&self) -> Result<Vec<KeyRow>, StoreError> {
        let (after, rows) = (String::new(), i64::MAX);
        ask!(self, list(after, rows))?
            .into_iter()
            .map(KeyRecord::read)
            .collect()
    }

    /// Changes behind change number `after`, in the order they were made, each with the key as it is now.
    pub async fn keys_changed_since(&self, after: i64, limit: u32) -> Result<Vec<(i64, KeyRow)>, StoreError> {
        let rows = i64::from(limit);
        let changes = ask!(self, changes(after, rows))?;
        changes.into_iter().map(|(seq, key)| Ok((seq, key.read()?))).collect()
    }

    /// A number that moves with every change of a key. Cheap to ask.
    pub async fn keys_revision(&self) -> Result<i64, StoreError> {
        ask!(self, revision())
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = keys, treat_none_as_default_value = false)]
struct KeyRecord {
    id: String,
    claim: String,
    fingerprint: String,
    curve: String,
    spki_hex: String,
    meter_serial: String,
    gateway_serial: Option<String>,
    evse_id: String,
    evse_uid: Option<String>,
    cpo_key: String,
    valid_from: i64,
    valid_to: Option<i64>,
    calibrated: i64,
    state: String,
    created_at: i64,
    deactivated_at: Option<i64>,
}

const ACTIVE: &str = "ACTIVE";

both! {
    pub(super) async fn register(c: &mut Connection, record: &KeyRecord) -> Result<KeyRecord, StoreError> {
        let known: Option<KeyRecord> = keys::table
            .filter(keys::claim.eq(&record.claim))
            .filter(keys::state.eq(ACTIVE))
            .select(KeyRecord::as_select())
            .first(c)
            .await
            .optional()?;
        if let Some(known) = known {
            return Ok(known);
        }
        moved(c, &record.id).await?;
        diesel::insert_into(keys::table).values(record).execute(c).await?;
        Ok(record.clone())
    }

    pub(super) async fn deactivate(c: &mut Connection, id: &str, at: &i64) -> Result<KeyRecord, StoreError> {
        let changed = diesel::update(keys::table.filter(keys::id.eq(id)).filter(keys::state.eq(ACTIVE)))
            .set((keys::state.eq("DEACTIVATED"), keys::deactivated_at.eq(*at)))
            .execute(c)
            .await?;
        if changed > 0 {
            moved(c, id).await?;
        }
        get(c, id).await?.ok_or(StoreError::NotFound)
    }

    pub(super) async fn list(c: &mut Connection, after: &str, rows: &i64) -> Result<Vec<KeyRecord>, StoreError> {
        let query = keys::table.filter(keys::id.gt(after)).order(keys::id.asc()).limit(*rows);
        Ok(query.select(KeyRecord::as_select()).load(c).await?)
    }

    pub(super) async fn get(c: &mut Connection, id: &str) -> Result<Option<KeyRecord>, StoreError> {
        Ok(keys::table.filter(keys::id.eq(id)).select(KeyRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn revision(c: &mut Connection) -> Result<i64, StoreError> {
        Ok(revisions::table.filter(revisions::name.eq("keys")).select(revisions::value).first(c).await?)
    }

    /// Changes queue up behind the counter: its value is their order.
    async fn moved(c: &mut Connection, id: &str) -> Result<(), StoreError> {
        let counter = || revisions::table.filter(revisions::name.eq("keys"));
        diesel::update(counter()).set(revisions::value.eq(revisions::value + 1)).execute(c).await?;
        let seq: i64 = counter().select(revisions::value).first(c).await?;
        let change = (key_changes::seq.eq(seq), key_changes::key_id.eq(id));
        diesel::insert_into(key_changes::table).values(change).execute(c).await?;
        Ok(())
    }

    pub(super) async fn changes(c: &mut Connection, after: &i64, rows: &i64) -> Result<Vec<(i64, KeyRecord)>, StoreError> {
        let changes = key_changes::table.inner_join(keys::table.on(keys::id.eq(key_changes::key_id)));
        let changes = changes.filter(key_changes::seq.gt(*after)).order(key_changes::seq.asc()).limit(*rows);
        Ok(changes.select((key_changes::seq, KeyRecord::as_select())).load(c).await?)
    }
}

impl KeyRecord {
    fn new(key: KeyRow) -> Result<KeyRecord, StoreError> {
        let (valid_from, valid_to) = (micros(key.valid_from), key.valid_to.map(micros));
        let claim = (
            (&key.fingerprint, &key.spki_hex, &key.meter_serial, &key.gateway_serial),
            (&key.evse_id, &key.evse_uid, &key.cpo_key),
            (valid_from, valid_to, key.calibrated),
        );
        Ok(KeyRecord {
            claim: serde_json::to_string(&claim)
                .map_err(|cause| StoreError::corrupt_because("writing a claim", cause))?,
            id: key.id,
            fingerprint: key.fingerprint,
            curve: key.curve,
            spki_hex: key.spki_hex,
            meter_serial: key.meter_serial,
            gateway_serial: key.gateway_serial,
            evse_id: key.evse_id,
            evse_uid: key.evse_uid,
            cpo_key: key.cpo_key,
            valid_from,
            valid_to,
            calibrated: key.calibrated.into(),
            state: key.state,
            created_at: micros(key.created_at),
            deactivated_at: key.deactivated_at.map(micros),
        })
    }

    fn read(self) -> Result<KeyRow, StoreError> {
        Ok(KeyRow {
            id: self.id,
            fingerprint: self.fingerprint,
            curve: self.curve,
            spki_hex: self.spki_hex,
            meter_serial: self.meter_serial,
            gateway_serial: self.gateway_serial,
            evse_id: self.evse_id,
            evse_uid: self.evse_uid,
            cpo_key: self.cpo_key,
            valid_from: instant(self.valid_from)?,
            valid_to: later(self.valid_to)?,
            calibrated: self.calibrated != 0,
            state: self.state,
            created_at: instant(self.created_at)?,
            deactivated_at: later(self.deactivated_at)?,
        })
    }
}
