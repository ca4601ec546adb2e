//! Keys and serial numbers that CDRs name and nobody has registered, noted for their operators (key-registry.md 4.1).
//!
//! A CDR that is taken costs a look into memory and no more: what was seen is counted there, and written down once a second, a row for each
//! key and EVSE and not for each CDR. A process that is killed forgets what it saw in its last second, never a CDR or what was found in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::assess::Assessment;
use crate::registry::observations::{Heard, HeardIn};
use crate::store::evidence::CdrRow;
use crate::store::{ObservationRow, Store, StoreError};

/// Between two writes.
const TICK: Duration = Duration::from_secs(1);

/// Rows in one commit.
const PORTION: usize = 500;

/// What makes two sightings one row: operator, EVSE, kind, name.
type Place = (String, String, String, String);

/// What was seen and is not yet written down.
pub struct Sightings {
    store: Store,
    seen: Mutex<HashMap<Place, ObservationRow>>,
    /// Held while writing: who stops the process waits for what is on its way.
    writing: tokio::sync::Mutex<()>,
}

impl Sightings {
    /// For this process.
    #[must_use]
    pub fn new(store: Store) -> Arc<Sightings> {
        Arc::new(Sightings {
            store,
            seen: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        })
    }

    /// Notes what a CDR just taken names and nobody has registered. Reads and writes memory only.
    pub fn note(&self, assessment: &Assessment, cdr: &CdrRow) {
        let question = assessment.question();
        for subject in assessment.unregistered() {
            let heard = Heard {
                cpo_key: cdr.cpo_key.clone(),
                evse_id: question.evse_id.clone(),
                evse_uid: question.evse_uid.clone(),
                subject: subject.clone(),
                meter_serial: question.meter_serials.first().cloned(),
                gateway_serial: question.gateway_serials.first().cloned(),
                source: HeardIn::Cdr,
                at: cdr.received_at,
                cdr: Some(cdr.cdr_id.clone()),
            };
            if let Some(row) = heard.row() {
                self.add(row);
            }
        }
    }

    /// Writes down until aborted. Whoever aborts it calls [`Sightings::write`] first.
    pub async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.write().await {
                log::error!("noting keys that nobody registered: {error}");
            }
        }
    }

    /// Writes down what was seen by now.
    ///
    /// # Errors
    /// When the database fails: then it is still to be written.
    pub async fn write(&self) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        let seen: Vec<ObservationRow> = self.seen().drain().map(|(_, row)| row).collect();
        for (done, portion) in seen.chunks(PORTION).enumerate() {
            if let Err(error) = self.store.observe(portion.to_vec()).await {
                let unwritten = seen.iter().skip(done * PORTION);
                unwritten.for_each(|row| self.add(row.clone()));
                return Err(error);
            }
        }
        Ok(())
    }

    fn add(&self, row: ObservationRow) {
        let place = (
            row.cpo_key.clone(),
            row.evse.clone(),
            row.kind.clone(),
            row.name.clone(),
        );
        let mut seen = self.seen();
        match seen.get_mut(&place) {
            None => {
                seen.insert(place, row);
            }
            Some(known) => {
                let is_later = row.last_seen >= known.last_seen;
                let first_seen = known.first_seen.min(row.first_seen);
                let times = known.times.saturating_add(row.times);
                let id = known.id.clone();
                if is_later {
                    *known = row;
                }
                (known.id, known.first_seen, known.times) = (id, first_seen, times);
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<Place, ObservationRow>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
